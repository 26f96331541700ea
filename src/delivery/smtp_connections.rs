//! Connections to the mail server, kept between mails. A connection is with one mail at a time, and comes back only from a
//! conversation that was carried to its end: one that broke off at any point (a time-out, a hang-up, an answer out of turn) is
//! closed, so that no mail ever reads the answer to another.
//! Not for: what an answer means for the reader (see `smtp`).

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use lettre::address::Envelope;
use lettre::transport::smtp::authentication::{Credentials, DEFAULT_MECHANISMS};
use lettre::transport::smtp::client::{AsyncSmtpConnection, Tls, TlsParameters};
use lettre::transport::smtp::commands::{Data, Mail, Rcpt, Rset};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, response::Response};

/// A connection that nobody needed for so long is closed: servers hang up after minutes.
const IDLE: Duration = Duration::from_secs(60);

/// How far a conversation was when the server said no, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Connecting, TLS, the log-in.
    Greeting,
    /// The envelope's sender.
    Sender,
    /// The envelope's recipient.
    Recipient,
    /// The mail itself, and whether the server answers for it.
    Content,
}

/// Why the server did not take a mail.
#[derive(Debug)]
pub enum Trouble {
    /// It said no, hung up or spoke no SMTP.
    Failed(Stage, Error),
    /// It said yes, but not to what was said: whatever it means, the mail was not taken.
    OutOfTurn(Stage),
    TimedOut,
}

/// Where the mail server is, and the connections that wait for the next mail.
pub struct Connections {
    pub host: String,
    pub port: u16,
    pub tls: Tls,
    pub credentials: Option<Credentials>,
    /// One step may take so long, and so may all of them together.
    pub timeout: Duration,
    /// Kept, at most.
    pub most: usize,
    pub idle: Mutex<Vec<(AsyncSmtpConnection, Instant)>>,
}

impl Connections {
    /// Hands a mail over. The server answers for it now.
    ///
    /// # Errors
    /// [`Trouble`]: it does not, as far as we know.
    pub async fn hand_over(&self, envelope: &Envelope, mail: &[u8]) -> Result<(), Trouble> {
        // Whoever is stopped half-way drops the connection with the rest.
        let sending = tokio::time::timeout(self.timeout, async {
            let mut connection = self.connection().await?;
            let said = converse(&mut connection, envelope, mail).await;
            if said.is_ok() || is_as_new(&mut connection, &said).await {
                self.keep(connection);
            }
            said
        });
        sending.await.unwrap_or(Err(Trouble::TimedOut))
    }

    /// One that waits and still answers, or a new one.
    async fn connection(&self) -> Result<AsyncSmtpConnection, Trouble> {
        while let Some((mut connection, since)) = self.waiting() {
            if since.elapsed() < IDLE && connection.test_connected().await {
                return Ok(connection);
            }
        }
        self.connect()
            .await
            .map_err(|error| Trouble::Failed(Stage::Greeting, error))
    }

    async fn connect(&self) -> Result<AsyncSmtpConnection, Error> {
        let wrapper: Option<TlsParameters> = match &self.tls {
            Tls::Wrapper(parameters) => Some(parameters.clone()),
            _ => None,
        };
        let (server, hello) = ((self.host.as_str(), self.port), ClientId::default());
        let mut connection =
            AsyncSmtpConnection::connect_tokio1(server, Some(self.timeout), &hello, wrapper, None).await?;
        if let Tls::Required(parameters) = &self.tls {
            connection.starttls(parameters.clone(), &hello).await?;
        }
        if let Some(credentials) = &self.credentials {
            connection.auth(DEFAULT_MECHANISMS, credentials).await?;
        }
        Ok(connection)
    }

    fn waiting(&self) -> Option<(AsyncSmtpConnection, Instant)> {
        self.idle().pop()
    }

    fn keep(&self, connection: AsyncSmtpConnection) {
        let mut idle = self.idle();
        if idle.len() < self.most {
            idle.push((connection, Instant::now()));
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<(AsyncSmtpConnection, Instant)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn converse(connection: &mut AsyncSmtpConnection, envelope: &Envelope, mail: &[u8]) -> Result<(), Trouble> {
    // Addresses and mails are ASCII (see `domain::mail_address`, and lettre's encodings): no extension is needed.
    let sender = Mail::new(envelope.from().cloned(), Vec::new());
    expect(Stage::Sender, 250, connection.command(sender).await)?;
    for recipient in envelope.to() {
        let recipient = Rcpt::new(recipient.clone(), Vec::new());
        expect(Stage::Recipient, 250, connection.command(recipient).await)?;
    }
    expect(Stage::Content, 354, connection.command(Data).await)?;
    expect(Stage::Content, 250, connection.message(mail).await)
}

fn expect(stage: Stage, code: u16, answer: Result<Response, Error>) -> Result<(), Trouble> {
    match answer {
        Ok(response) if response.has_code(code) => Ok(()),
        // 251: it knows where the reader is now, and forwards the mail.
        Ok(response) if stage == Stage::Recipient && response.has_code(251) => Ok(()),
        Ok(_) => Err(Trouble::OutOfTurn(stage)),
        Err(error) => Err(Trouble::Failed(stage, error)),
    }
}

/// Whether the server said no and is ready for the next mail.
async fn is_as_new(connection: &mut AsyncSmtpConnection, said: &Result<(), Trouble>) -> bool {
    let refused = |error: &Error| error.status().is_some_and(|code| u16::from(code) != 421);
    match said {
        Err(Trouble::Failed(Stage::Sender | Stage::Recipient | Stage::Content, error)) if refused(error) => {
            let reset = connection.command(Rset).await;
            reset.is_ok_and(|answer| answer.has_code(250))
        }
        _ => false,
    }
}
