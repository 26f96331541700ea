//! Notices: when readers are reminded, where mail goes out, and the gateways for short messages.

use std::path::PathBuf;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::delivery::is_safe_url;
use super::{ConfigError, bad, empty_is_none, within};
use crate::domain::mail_address::MailAddress;
use crate::domain::notice_time::{LATE_DAYS, Reminders};

const SECRET_BYTES: usize = 32;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoticesConfig {
    pub due_soon_days: u16,
    pub overdue_1_days: u16,
    pub overdue_2_days: u16,
    pub overdue_3_days: u16,
    pub hold_expiring_days: u16,
    pub card_expiring_days: u16,
    pub keep_days: u32,
    #[serde(deserialize_with = "empty_is_none")]
    pub portal_url: Option<String>,
}

impl NoticesConfig {
    /// # Errors
    /// Days out of range or order, a URL that is none.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("notices.due_soon_days", self.due_soon_days, 0..=60)?;
        within("notices.hold_expiring_days", self.hold_expiring_days, 0..=30)?;
        within("notices.card_expiring_days", self.card_expiring_days, 0..=365)?;
        within("notices.keep_days", self.keep_days, 1..=180)?;
        // What was forgotten would be told again.
        let ahead = [self.due_soon_days, self.card_expiring_days, self.hold_expiring_days]
            .into_iter()
            .max();
        let least = u64::from(ahead.unwrap_or(0)) + LATE_DAYS;
        if u64::from(self.keep_days) <= least {
            return bad(
                "notices.keep_days",
                format!(
                    "expected more than {least}: {LATE_DAYS} days more than the earliest reminder, or it comes twice"
                ),
            );
        }
        let stages = self.overdue_days();
        for (at, days) in stages.into_iter().enumerate() {
            within(&format!("notices.overdue_{}_days", at + 1), days, 0..=1_000)?;
            if days > 0 && stages[..at].iter().any(|before| *before >= days) {
                return bad(
                    &format!("notices.overdue_{}_days", at + 1),
                    "expected more days than of the reminder before, or 0 to send none",
                );
            }
        }
        let fits = |url: &str| url.starts_with("https://") || url.starts_with("http://");
        if !self.portal_url.as_deref().is_none_or(fits) {
            return bad("notices.portal_url", "expected https://…");
        }
        Ok(())
    }

    const fn overdue_days(&self) -> [u16; 3] {
        [self.overdue_1_days, self.overdue_2_days, self.overdue_3_days]
    }

    /// As decisions take it.
    pub fn reminders(&self) -> Reminders {
        Reminders {
            due_soon_days: self.due_soon_days,
            overdue_days: self.overdue_days(),
            hold_expiring_days: self.hold_expiring_days,
            card_expiring_days: self.card_expiring_days,
        }
    }
}

/// How a connection to the mail server is kept private.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MailSecurity {
    /// From the first byte.
    Tls,
    /// Asked for before anything else is said; without it nothing is sent.
    Starttls,
    /// In the clear: to this machine only.
    None,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    #[serde(deserialize_with = "empty_is_none")]
    pub host: Option<String>,
    pub port: u16,
    pub security: MailSecurity,
    #[serde(deserialize_with = "empty_is_none")]
    pub username: Option<SecretString>,
    #[serde(deserialize_with = "empty_is_none")]
    pub password: Option<SecretString>,
    #[serde(deserialize_with = "empty_is_none")]
    pub ca_certificate: Option<PathBuf>,
    pub from: String,
    pub from_name: String,
    #[serde(deserialize_with = "empty_is_none")]
    pub bounce_domain: Option<String>,
    pub connections: u32,
    pub timeout_ms: u64,
}

impl MailConfig {
    /// # Errors
    /// A server in the clear that is not this machine, half a log-in, an address that is none, a number out of range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("mail.connections", self.connections, 1..=64)?;
        within("mail.timeout_ms", self.timeout_ms, 100..=10_000)?;
        if self.username.is_some() != self.password.is_some() {
            return bad(
                "mail.password",
                "expected both mail.username and mail.password, or neither",
            );
        }
        if self.from_name.chars().any(char::is_control) {
            return bad("mail.from_name", "expected one line");
        }
        let Some(host) = &self.host else {
            return Ok(());
        };
        let local = matches!(host.as_str(), "localhost" | "127.0.0.1" | "::1");
        if self.security == MailSecurity::None && !local {
            return bad(
                "mail.security",
                "expected tls or starttls: none only to this machine (127.0.0.1, ::1, localhost)",
            );
        }
        if let Err(reason) = MailAddress::parse(&self.from) {
            return bad(
                "mail.from",
                format!("expected the address that notices come from: it {reason}"),
            );
        }
        if let Some(domain) = &self.bounce_domain
            && MailAddress::parse(&format!("bounce@{domain}")).is_err()
        {
            return bad("mail.bounce_domain", "expected a domain such as bounces.example.org");
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessagesConfig {
    #[serde(deserialize_with = "empty_is_none")]
    pub sms_url: Option<String>,
    #[serde(deserialize_with = "empty_is_none")]
    pub wechat_url: Option<String>,
    #[serde(deserialize_with = "empty_is_none")]
    pub secret: Option<SecretString>,
    pub timeout_ms: u64,
}

impl MessagesConfig {
    /// # Errors
    /// A URL that is none or in the clear, a secret that is short or missing, a time out of range.
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        within("messages.timeout_ms", self.timeout_ms, 100..=10_000)?;
        for (name, url) in [
            ("messages.sms_url", &self.sms_url),
            ("messages.wechat_url", &self.wechat_url),
        ] {
            if !url.as_deref().is_none_or(is_safe_url) {
                return bad(
                    name,
                    "expected https://HOST, with or without a path; http:// only to this machine",
                );
            }
        }
        let long = self
            .secret
            .as_ref()
            .is_some_and(|secret| secret.expose_secret().len() >= SECRET_BYTES);
        if (self.sms_url.is_some() || self.wechat_url.is_some() || self.secret.is_some()) && !long {
            return bad(
                "messages.secret",
                "expected at least 32 bytes, with which messages to the gateway are signed",
            );
        }
        Ok(())
    }
}
