//! Mail over SMTP: an adapter for the port in `usecase::send_notice`. Connections are pooled and kept; TLS is asked for before
//! anything else is said.

use std::sync::Arc;
use std::time::{Duration, Instant};

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::PoolConfig;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, address::Envelope};
use secrecy::ExposeSecret;

use super::breaker::Breaker;
use crate::config::{MailConfig, MailSecurity};
use crate::usecase::deliver_outbox::Fault;
use crate::usecase::send_notice::{Mail, Mailer, Sent};

/// Why mail cannot be sent with these settings.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    #[error("the certificate in mail.ca_certificate cannot be read")]
    Certificate(#[source] std::io::Error),
    #[error("mail.ca_certificate holds no certificate, or TLS cannot be set up")]
    Tls(#[source] lettre::transport::smtp::Error),
    #[error("mail.from is no address")]
    From(#[source] lettre::address::AddressError),
}

/// The mail server that is configured.
pub struct SmtpMailer {
    transport: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
    /// Of the `Message-ID`.
    domain: String,
    bounce_domain: Option<String>,
    timeout: Duration,
    breaker: Breaker,
}

impl std::fmt::Debug for SmtpMailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SmtpMailer")
            .field("domain", &self.domain)
            .finish_non_exhaustive()
    }
}

impl SmtpMailer {
    /// `None` where no server is configured.
    ///
    /// # Errors
    /// A certificate that cannot be read.
    pub fn of(config: &MailConfig) -> Result<Option<Arc<Self>>, SmtpError> {
        let Some(host) = &config.host else {
            return Ok(None);
        };
        let timeout = Duration::from_millis(config.timeout_ms);
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host)
            .port(config.port)
            .timeout(Some(timeout))
            .tls(tls(config, host)?)
            .pool_config(PoolConfig::new().max_size(config.connections));
        if let (Some(username), Some(password)) = (&config.username, &config.password) {
            let credentials =
                Credentials::new(username.expose_secret().to_owned(), password.expose_secret().to_owned());
            builder = builder.credentials(credentials);
        }
        let address: Address = config.from.parse().map_err(SmtpError::From)?;
        let name = Some(config.from_name.clone()).filter(|name| !name.is_empty());
        Ok(Some(Arc::new(Self {
            transport: builder.build(),
            domain: address.domain().to_owned(),
            from: Mailbox::new(name, address),
            bounce_domain: config.bounce_domain.clone(),
            timeout,
            breaker: Breaker::default(),
        })))
    }

    fn message(&self, mail: &Mail) -> Result<(Envelope, Vec<u8>), String> {
        let to: Address = mail
            .to
            .as_str()
            .parse()
            .map_err(|_| "the address cannot be put into a mail".to_owned())?;
        let from = match &self.bounce_domain {
            Some(domain) => format!("bounce+{}-{}@{domain}", mail.sending, mail.bounce_mark)
                .parse()
                .map_err(|_| "mail.bounce_domain cannot be put into a mail".to_owned())?,
            None => self.from.email.clone(),
        };
        let text = SinglePart::builder()
            .header(ContentType::TEXT_PLAIN)
            .body(mail.letter.text.clone());
        let html = SinglePart::builder()
            .header(ContentType::TEXT_HTML)
            .body(mail.letter.html.clone());
        let message = Message::builder()
            .message_id(Some(format!("<notice-{}@{}>", mail.notice, self.domain)))
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(&mail.letter.subject)
            .raw_header(automatic("Auto-Submitted", "auto-generated"))
            .raw_header(automatic("Precedence", "bulk"))
            .multipart(MultiPart::alternative().singlepart(text).singlepart(html))
            .map_err(|error| error.to_string())?;
        let envelope = Envelope::new(Some(from), vec![to]).map_err(|error| error.to_string())?;
        Ok((envelope, message.formatted()))
    }

    async fn hand_over(&self, mail: &Mail) -> Result<Sent, Fault> {
        let (envelope, bytes) = self.message(mail).map_err(Fault::Never)?;
        // One step may take so long, and so may all of them together.
        let sending = tokio::time::timeout(self.timeout, self.transport.send_raw(&envelope, &bytes));
        match sending.await {
            Err(_) => Err(Fault::Later("the mail server did not answer in time".to_owned())),
            Ok(Ok(_)) => Ok(Sent::Taken),
            Ok(Err(error)) => judged(&error),
        }
    }
}

/// That nobody wrote it: no answering machine should answer.
fn automatic(name: &'static str, value: &str) -> lettre::message::header::HeaderValue {
    use lettre::message::header::{HeaderName, HeaderValue};
    HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
}

fn tls(config: &MailConfig, host: &str) -> Result<Tls, SmtpError> {
    if config.security == MailSecurity::None {
        return Ok(Tls::None);
    }
    let mut parameters = TlsParameters::builder(host.to_owned());
    if let Some(path) = &config.ca_certificate {
        let pem = std::fs::read(path).map_err(SmtpError::Certificate)?;
        parameters = parameters.add_root_certificate(Certificate::from_pem(&pem).map_err(SmtpError::Tls)?);
    }
    let parameters = parameters.build_rustls().map_err(SmtpError::Tls)?;
    Ok(match config.security {
        MailSecurity::Tls => Tls::Wrapper(parameters),
        _ => Tls::Required(parameters),
    })
}

/// What the server's answer means. Its words may repeat the address, so only its number is told.
fn judged(error: &lettre::transport::smtp::Error) -> Result<Sent, Fault> {
    let Some(code) = error.status() else {
        let what = if error.is_timeout() {
            "did not answer in time"
        } else if error.is_tls() {
            "could not be spoken to by TLS: look at its certificate"
        } else if error.is_response() {
            "answered what is no SMTP"
        } else {
            "could not be reached, or hung up"
        };
        return Err(Fault::Later(format!("the mail server {what}")));
    };
    let (code, status) = (code.to_string(), enhanced_status(error));
    match code.as_str() {
        // About us, not about the reader: the settings are wrong, or the mail is not liked.
        "530" | "534" | "535" | "538" => Err(Fault::Later(format!(
            "the mail server answered {code}: look at mail.username and mail.password"
        ))),
        "550" | "551" | "552" | "553" | "556" if !status.as_deref().unwrap_or_default().starts_with("5.7") => {
            Ok(Sent::NoSuchAddress(status.unwrap_or(code)))
        }
        _ if code.starts_with('5') => Err(Fault::Never(format!(
            "the mail server answered {}",
            status.map_or_else(|| code.clone(), |status| format!("{code} {status}"))
        ))),
        _ => Err(Fault::Later(format!("the mail server answered {code}"))),
    }
}

/// The status of RFC 3463 in the server's words, such as 5.1.1.
fn enhanced_status(error: &lettre::transport::smtp::Error) -> Option<String> {
    let words = std::error::Error::source(error)?.to_string();
    let is_status = |word: &&str| {
        let parts: Vec<&str> = word.split('.').collect();
        parts.len() == 3
            && parts
                .iter()
                .all(|part| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
    };
    words.split_whitespace().find(is_status).map(str::to_owned)
}

/// The one that the worker shares with whoever looks at it.
impl Mailer for SmtpMailer {
    async fn send(&self, mail: Mail) -> Result<Sent, Fault> {
        let sent = self.hand_over(&mail).await;
        self.breaker.note(!matches!(sent, Err(Fault::Later(_))), Instant::now());
        sent
    }

    fn is_ready(&self) -> bool {
        self.breaker.is_closed(Instant::now())
    }
}
