//! Mail over SMTP: an adapter for the port in `usecase::send_notice`. TLS is asked for before anything else is said.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, MultiPart, SinglePart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::transport::smtp::{self, response::Code};
use lettre::{Address, Message, address::Envelope};
use secrecy::ExposeSecret;

use super::breaker::Breaker;
use super::smtp_connections::{Connections, Stage, Trouble};
use crate::config::{MailConfig, MailSecurity};
use crate::domain::mail_address::is_no_such_address;
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
    connections: Connections,
    from: Mailbox,
    /// Of the `Message-ID`.
    domain: String,
    bounce_domain: Option<String>,
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
        let credentials = config.username.as_ref().zip(config.password.as_ref());
        let connections = Connections {
            host: host.clone(),
            port: config.port,
            tls: tls(config, host)?,
            credentials: credentials.map(|(username, password)| {
                Credentials::new(username.expose_secret().to_owned(), password.expose_secret().to_owned())
            }),
            timeout: Duration::from_millis(config.timeout_ms),
            most: usize::try_from(config.connections).unwrap_or(1),
            idle: Mutex::default(),
        };
        let address: Address = config.from.parse().map_err(SmtpError::From)?;
        let name = Some(config.from_name.clone()).filter(|name| !name.is_empty());
        Ok(Some(Arc::new(Self {
            connections,
            domain: address.domain().to_owned(),
            from: Mailbox::new(name, address),
            bounce_domain: config.bounce_domain.clone(),
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

/// What the server's answer means: whatever does not say that there is no such address may be about us, our sender or the mail, and is
/// asked again. Its words may repeat the address, so only its numbers are told.
fn judged(trouble: &Trouble) -> Result<Sent, Fault> {
    let later = |what: &str| Err(Fault::Later(format!("the mail server {what}")));
    let (stage, error) = match trouble {
        Trouble::TimedOut => return later("did not answer in time"),
        Trouble::OutOfTurn(stage) => return later(&format!("answered out of turn {}", told(*stage))),
        Trouble::Failed(stage, error) => (*stage, error),
    };
    let Some(code) = error.status() else {
        return later(broken_off(error));
    };
    let status = enhanced_status(error);
    match status {
        // One recipient for each mail: what is said of an address after the mail was given is said of that one.
        Some(status) if is_no_such_address(&status) && matches!(stage, Stage::Recipient | Stage::Content) => {
            Ok(Sent::NoSuchAddress(status))
        }
        // About us, not about the reader: the settings are wrong, or the mail is not liked.
        _ if matches!(u16::from(code), 530 | 534 | 535 | 538) => {
            later(&format!("answered {code}: look at mail.username and mail.password"))
        }
        Some(status) => later(&format!("answered {code} {status} {}", told(stage))),
        None => later(&format!("answered {code} {}", told(stage))),
    }
}

const fn told(stage: Stage) -> &'static str {
    match stage {
        Stage::Greeting => "when greeted",
        Stage::Sender => "to the sender: look at mail.from and mail.bounce_domain",
        Stage::Recipient => "to the recipient",
        Stage::Content => "to the mail",
    }
}

fn broken_off(error: &smtp::Error) -> &'static str {
    if error.is_timeout() {
        "did not answer in time"
    } else if error.is_tls() {
        "could not be spoken to by TLS: look at its certificate"
    } else if error.is_response() {
        "answered what is no SMTP"
    } else {
        "could not be reached, or hung up"
    }
}

/// Whether the server is there for the next mail: it answered, and not that it is closing.
fn is_there(trouble: &Trouble) -> bool {
    let answered = |code: Code| u16::from(code) != 421;
    match trouble {
        Trouble::Failed(Stage::Greeting, _) | Trouble::TimedOut => false,
        Trouble::Failed(_, error) => error.status().is_some_and(answered),
        Trouble::OutOfTurn(_) => true,
    }
}

/// The status of RFC 3463 in the server's words, such as 5.1.1.
fn enhanced_status(error: &smtp::Error) -> Option<String> {
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
        let (envelope, bytes) = self.message(&mail).map_err(Fault::Never)?;
        let taken = self.connections.hand_over(&envelope, &bytes).await;
        self.breaker
            .note(taken.as_ref().err().is_none_or(is_there), Instant::now());
        match taken {
            Ok(()) => Ok(Sent::Taken),
            Err(trouble) => judged(&trouble),
        }
    }

    fn at_once(&self) -> usize {
        self.connections.most
    }

    fn is_ready(&self) -> bool {
        self.breaker.is_closed(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::sync::Notify;

    use super::*;
    use crate::domain::mail_address::MailAddress;
    use crate::letter::Letter;

    /// What the server says at a step of the first mail. It takes all others.
    struct Script {
        step: &'static str,
        answer: Answer,
        mails: AtomicUsize,
        second: Notify,
    }

    enum Answer {
        Says(&'static str),
        HangsUp,
        /// `250`, when the next mail has begun.
        SaysYesTooLate,
    }

    impl Script {
        fn new(step: &'static str, answer: Answer) -> Arc<Self> {
            Arc::new(Self {
                step,
                answer,
                mails: AtomicUsize::new(0),
                second: Notify::new(),
            })
        }

        /// Answers at a step; `None` hangs up.
        async fn at(&self, step: &str, number: usize) -> Option<&'static str> {
            let usual = match step {
                "EHLO" => "250 server",
                "DATA" => "354 go on",
                _ => "250 fine",
            };
            if step != self.step || number > 1 {
                return Some(usual);
            }
            match self.answer {
                Answer::Says(words) => Some(words),
                Answer::HangsUp => None,
                Answer::SaysYesTooLate => {
                    self.second.notified().await;
                    Some("250 fine")
                }
            }
        }
    }

    async fn serve(stream: TcpStream, script: Arc<Script>) -> Option<()> {
        let mut stream = BufReader::new(stream);
        stream.write_all(b"220 server\r\n").await.ok()?;
        let mut number = 0;
        loop {
            let mut line = String::new();
            stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
            let verb = line.get(..4).unwrap_or_default().to_owned();
            if verb == "MAIL" {
                number = script.mails.fetch_add(1, Ordering::Relaxed) + 1;
                if number == 2 {
                    script.second.notify_one();
                }
            }
            let answer = script.at(&verb, number).await?;
            stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
            if answer.starts_with("354") {
                while line != ".\r\n" {
                    line.clear();
                    stream.read_line(&mut line).await.ok().filter(|read| *read > 0)?;
                }
                let answer = script.at(".", number).await?;
                stream.write_all(format!("{answer}\r\n").as_bytes()).await.ok()?;
            }
        }
    }

    async fn mailer(script: &Arc<Script>, timeout_ms: u64) -> Arc<SmtpMailer> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let script = Arc::clone(script);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script)));
            }
        });
        of(port, timeout_ms)
    }

    fn of(port: u16, timeout_ms: u64) -> Arc<SmtpMailer> {
        let config = MailConfig {
            host: Some("127.0.0.1".to_owned()),
            port,
            security: MailSecurity::None,
            username: None,
            password: None,
            ca_certificate: None,
            from: "library@example.org".to_owned(),
            from_name: String::new(),
            bounce_domain: Some("bounces.example.org".to_owned()),
            connections: 1,
            timeout_ms,
        };
        SmtpMailer::of(&config)
            .expect("it is valid")
            .expect("there is a server")
    }

    async fn send(mailer: &SmtpMailer) -> Result<Sent, Fault> {
        let mail = Mail {
            notice: 1,
            sending: 2,
            bounce_mark: "0011223344556677".to_owned(),
            to: MailAddress::parse("li@example.org").expect("an address"),
            letter: Letter {
                subject: "到期提醒".to_owned(),
                text: "《红楼梦》".to_owned(),
                html: "<p>《红楼梦》</p>".to_owned(),
            },
        };
        mailer.send(mail).await
    }

    #[tokio::test]
    async fn only_what_says_that_there_is_no_such_address_says_so() {
        for (step, says, no_such_address) in [
            ("MAIL", "550 5.1.1 who are you", None),
            ("MAIL", "550 5.7.1 sender refused", None),
            ("MAIL", "451 4.7.1 later", None),
            ("RCPT", "550 5.1.1 no such user", Some("5.1.1")),
            ("RCPT", "550 5.1.10 null MX", Some("5.1.10")),
            ("RCPT", "550 5.2.1 disabled", Some("5.2.1")),
            ("RCPT", "550 no such user", None),
            ("RCPT", "550 5.7.1 relaying denied", None),
            ("RCPT", "552 5.2.2 mailbox full", None),
            ("RCPT", "553 5.1.8 sender unknown", None),
            ("RCPT", "421 4.3.2 closing", None),
            ("DATA", "554 5.7.1 no", None),
            (".", "550 5.7.1 spam", None),
            (".", "552 5.3.4 too big", None),
            (".", "550 5.1.1 no such user", Some("5.1.1")),
            (".", "354 out of turn", None),
        ] {
            let mailer = mailer(&Script::new(step, Answer::Says(says)), 10_000).await;
            let sent = send(&mailer).await;
            match (no_such_address, &sent) {
                (Some(status), Ok(Sent::NoSuchAddress(told))) => assert_eq!(told, status),
                (None, Err(Fault::Later(told))) => assert!(!told.contains("no such"), "{told}"),
                _ => panic!("{step} {says}: {sent:?}"),
            }
            assert_eq!(send(&mailer).await, Ok(Sent::Taken), "the next one after {step} {says}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_comes_too_late_is_not_read_by_the_next_mail() {
        for step in ["MAIL", "RCPT", "DATA", "."] {
            let script = Script::new(step, Answer::SaysYesTooLate);
            let mailer = mailer(&script, 150).await;
            let late = send(&mailer).await;
            assert!(matches!(late, Err(Fault::Later(_))), "{step}: {late:?}");
            assert_eq!(send(&mailer).await, Ok(Sent::Taken), "{step}");
            assert_eq!(
                script.mails.load(Ordering::Relaxed),
                2,
                "each was asked for by itself: {step}"
            );
        }
    }

    #[tokio::test]
    async fn a_server_that_hangs_up_is_called_again() {
        for step in ["EHLO", "MAIL", "."] {
            let mailer = mailer(&Script::new(step, Answer::HangsUp), 10_000).await;
            let sent = send(&mailer).await;
            assert!(matches!(sent, Err(Fault::Later(_))), "{step}: {sent:?}");
            if step != "EHLO" {
                assert_eq!(send(&mailer).await, Ok(Sent::Taken), "{step}");
            }
        }
    }

    #[tokio::test]
    async fn who_answers_no_is_asked_on_and_who_does_not_answer_is_left_alone() {
        let script = Script::new("RCPT", Answer::Says("451 4.7.1 later"));
        let refusing = mailer(&script, 10_000).await;
        for _ in 0..6 {
            script.mails.store(0, Ordering::Relaxed);
            assert!(matches!(send(&refusing).await, Err(Fault::Later(_))));
        }
        assert!(refusing.is_ready());
        let gone = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = gone.local_addr().expect("an address").port();
        drop(gone);
        let nobody = of(port, 10_000);
        for _ in 0..5 {
            assert!(matches!(send(&nobody).await, Err(Fault::Later(_))));
        }
        assert!(!nobody.is_ready(), "nobody is asked for a while");
    }
}
