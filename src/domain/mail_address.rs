//! A mail address that may be put into a mail.

use std::fmt;

/// The longest address a mail server takes (RFC 5321, 4.5.3.1.3).
pub const MAX_BYTES: usize = 254;
const MAX_LOCAL_BYTES: usize = 64;

/// A mail address: one `@`, no space, no line break, no other control character. The domain is in lower case.
#[derive(Clone, PartialEq, Eq)]
pub struct MailAddress(String);

/// Personal: not for logs.
impl fmt::Debug for MailAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MailAddress(…)")
    }
}

impl MailAddress {
    /// Reads what somebody typed; spaces around it do not count.
    ///
    /// ```
    /// use tongjie::domain::mail_address::MailAddress;
    /// let read = |text: &str| MailAddress::parse(text).map(|address| address.as_str().to_owned());
    /// assert_eq!(read(" Li@Example.ORG "), Ok("Li@example.org".to_owned()));
    /// assert!(read("li@example.org\r\nBcc: all@example.org").is_err());
    /// ```
    ///
    /// # Errors
    /// What is wrong with it, in words.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        // Line breaks first: trimming must not hide one at the end.
        if text.chars().any(char::is_control) {
            return Err("has a line break or another control character: an address is one line such as li@example.org");
        }
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return Err("is longer than 254 bytes, which no mail server takes");
        }
        let Some((local, domain)) = text.rsplit_once('@') else {
            return Err("has no @: an address is like li@example.org");
        };
        let local_fits = (1..=MAX_LOCAL_BYTES).contains(&local.len())
            && local
                .split('.')
                .all(|part| !part.is_empty() && part.bytes().all(is_local_byte));
        if !local_fits {
            return Err(
                "has before the @ what no mailbox has: letters, digits and !#$%&'*+-/=?^_`{|}~, with single dots between",
            );
        }
        let domain = domain.to_ascii_lowercase();
        let labels: Vec<&str> = domain.split('.').collect();
        if labels.len() < 2 || !labels.iter().all(|label| is_label(label)) {
            return Err(
                "has no domain after the @: letters, digits and hyphens with dots between, such as example.org",
            );
        }
        Ok(Self(format!("{local}@{domain}")))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Enough for its owner to recognise it: `l***@example.org`.
    pub fn shown(&self) -> String {
        let (local, domain) = self.0.rsplit_once('@').unwrap_or_default();
        let first: String = local.chars().take(1).collect();
        format!("{first}***@{domain}")
    }
}

const fn is_local_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'/' | b'=' | b'?' | b'^'..=b'`' | b'{'..=b'~')
}

fn is_label(label: &str) -> bool {
    let edges = !label.starts_with('-') && !label.ends_with('-');
    let letters = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    (1..=63).contains(&label.len()) && edges && letters
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_mail_servers_take_is_read() {
        for (text, form) in [
            ("li@example.org", "li@example.org"),
            ("  li@EXAMPLE.org ", "li@example.org"),
            ("Li.Ming+lib@mail.example.com.cn", "Li.Ming+lib@mail.example.com.cn"),
            ("o'neill@example.org", "o'neill@example.org"),
            ("10001@qq.com", "10001@qq.com"),
            ("a@xn--fiqs8s.cn", "a@xn--fiqs8s.cn"),
        ] {
            assert_eq!(
                MailAddress::parse(text).map(|read| read.0).as_deref(),
                Ok(form),
                "{text}"
            );
        }
    }

    #[test]
    fn what_could_become_another_header_or_recipient_is_refused() {
        for text in [
            "",
            "li",
            "@example.org",
            "li@",
            "li@example",
            "li@example.org\n",
            "li@example.org\r\nBcc: a@b.cn",
            "li\n@example.org",
            "li@example.org, wang@example.org",
            "li wang@example.org",
            "<li@example.org>",
            "li@a@example.org",
            "\"li\"@example.org",
            ".li@example.org",
            "li..m@example.org",
            "li@-example.org",
            "li@example..org",
            "li@[127.0.0.1]",
            "李@example.org",
            "li@exa\u{7f}mple.org",
            "li@例子.org",
        ] {
            assert!(MailAddress::parse(text).is_err(), "{text:?}");
        }
        let long = format!("{}@example.org", "a".repeat(65));
        assert!(MailAddress::parse(&long).is_err());
        let long = format!("a@{}org", "abcdefghi.".repeat(26));
        assert!(MailAddress::parse(&long).is_err());
    }

    #[test]
    fn it_is_not_shown_whole() {
        let address = MailAddress::parse("liming@example.org").expect("an address");
        assert_eq!(address.shown(), "l***@example.org");
        assert!(!format!("{address:?}").contains("example"));
    }
}
