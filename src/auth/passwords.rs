//! Passwords of staff and PINs of readers: argon2id, on threads of their own.
//!
//! One hash costs tens of milliseconds and megabytes by design. Only `auth.hash_threads` run at once and only
//! `auth.hash_queue` wait; more are told [`PasswordError::Busy`], so that a flood of log-ins cannot take the
//! processors from lending.
//!
//! Not here: slowing down after wrong attempts ([`crate::domain::log_in_guard`]), and the secrets of devices, which
//! are random and need no slow hash (see [`super::tokens`]).

use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use crossbeam_channel::{Receiver, Sender, TrySendError};
use secrecy::{ExposeSecret, SecretString};
use subtle::ConstantTimeEq;
use tokio::sync::oneshot;

use crate::config::AuthConfig;

const STAFF_PASSWORD_CHARS: std::ops::RangeInclusive<usize> = 10..=128;
const PIN_CHARS: std::ops::RangeInclusive<usize> = 6..=32;

#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// As many wait as may: come back later.
    #[error("too many log-ins are waiting")]
    Busy,
    /// The pool is gone: the process is stopping, or a hash panicked.
    #[error("password hashing has stopped")]
    Stopped,
    /// The parameters make no sense, a stored hash is damaged, or memory ran out.
    #[error("a password could not be hashed")]
    Failed(#[source] argon2::password_hash::Error),
    #[error("the threads for password hashing could not be started")]
    Threads(#[source] std::io::Error),
}

/// Why a new password or PIN is not good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PolicyViolation {
    #[error("at least {min} characters are needed")]
    TooShort { min: usize },
    #[error("at most {max} characters are allowed")]
    TooLong { max: usize },
    #[error("control characters are not allowed")]
    ControlCharacter,
    #[error("all characters are the same")]
    AllEqual,
    #[error("the characters only count up or down")]
    Run,
}

type Job = Box<dyn FnOnce(&Hasher) + Send>;

/// Hands secrets to the hashing threads. Cheap to clone; the threads end with the last clone.
#[derive(Clone)]
pub struct PasswordService {
    jobs: Sender<Job>,
    hasher: Arc<Hasher>,
}

struct Hasher {
    argon2: Argon2<'static>,
    /// Checked for an unknown name, so that it takes as long as a wrong password.
    dummy: String,
    work: Work,
}

/// Blocks of 1 KiB that argon2 has filled so far: what a log-in costs, without a clock.
#[derive(Debug, Default)]
struct Work(AtomicU64);

thread_local! {
    /// Argon2's working memory, kept by each thread that hashes: blocks of 19 MiB taken and given back log-in by log-in
    /// leave the process a hundred megabytes larger than it needs to be.
    static MEMORY: RefCell<Vec<Block>> = const { RefCell::new(Vec::new()) };
}

type Argon2Result<T> = Result<T, argon2::password_hash::Error>;

impl Hasher {
    fn hash(&self, secret: &SecretString) -> Result<String, PasswordError> {
        hash_with(&self.argon2, secret, &self.work).map_err(PasswordError::Failed)
    }

    fn verify(&self, secret: &SecretString, phc: Option<&str>) -> Result<bool, PasswordError> {
        let matches = verify_with(secret, phc.unwrap_or(&self.dummy), &self.work).map_err(PasswordError::Failed)?;
        // The dummy's secret is random and forgotten; saying so twice costs nothing.
        Ok(matches && phc.is_some())
    }
}

fn hash_with(argon2: &Argon2<'_>, secret: &SecretString, work: &Work) -> Argon2Result<String> {
    let salt = Salt::generate();
    let mut out = [0; Params::DEFAULT_OUTPUT_LEN];
    fill(argon2, secret, &salt, &mut out, work)?;
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(argon2.params())?,
        salt: Some(salt),
        hash: Some(Output::new(&out)?),
    };
    Ok(hash.to_string())
}

/// Hashes with the costs that `phc` was made with, whatever they are today, and compares in constant time.
fn verify_with(secret: &SecretString, phc: &str, work: &Work) -> Argon2Result<bool> {
    let stored = PasswordHash::new(phc)?;
    let (Some(salt), Some(expected)) = (&stored.salt, &stored.hash) else {
        return Err(argon2::password_hash::Error::EncodingInvalid);
    };
    let version = stored.version.map_or(Ok(Version::default()), Version::try_from)?;
    let algorithm = Algorithm::try_from(stored.algorithm.as_str())?;
    let argon2 = Argon2::new(algorithm, version, Params::try_from(&stored)?);
    let mut out = vec![0; expected.len()];
    fill(&argon2, secret, salt, &mut out, work)?;
    Ok(expected.as_ref().ct_eq(&out).into())
}

fn fill(argon2: &Argon2<'_>, secret: &SecretString, salt: &[u8], out: &mut [u8], work: &Work) -> Argon2Result<()> {
    MEMORY.with_borrow_mut(|memory| {
        memory.resize(argon2.params().block_count(), Block::default());
        argon2.hash_password_into_with_memory(secret.expose_secret().as_bytes(), salt, out, memory.as_mut_slice())
    })?;
    let blocks = argon2.params().block_count() as u64 * u64::from(argon2.params().t_cost());
    work.0.fetch_add(blocks, Ordering::Relaxed);
    Ok(())
}

impl PasswordService {
    /// Starts the threads, and hashes once for the dummy.
    ///
    /// # Errors
    /// When the parameters are outside argon2's or a thread cannot start.
    pub fn new(config: &AuthConfig) -> Result<Self, PasswordError> {
        let params = Params::new(
            config.argon2_memory_kib,
            config.argon2_iterations,
            config.argon2_parallelism,
            None,
        )
        .map_err(|error| PasswordError::Failed(error.into()))?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let (forgotten, _) = super::tokens::new_refresh();
        // Not here, where the memory would be kept for nothing.
        let dummy = std::thread::scope(|threads| {
            let hashing = threads.spawn(|| hash_with(&argon2, &forgotten.into(), &Work::default()));
            hashing
                .join()
                .map_err(|_| PasswordError::Stopped)?
                .map_err(PasswordError::Failed)
        })?;
        let hasher = Arc::new(Hasher {
            argon2,
            dummy,
            work: Work::default(),
        });
        let (jobs, queue) = crossbeam_channel::bounded(config.hash_queue);
        for number in 0..config.hash_threads {
            let (queue, hasher) = (queue.clone(), Arc::clone(&hasher));
            std::thread::Builder::new()
                .name(format!("password-{number}"))
                .spawn(move || work(&queue, &hasher))
                .map_err(PasswordError::Threads)?;
        }
        Ok(Self { jobs, hasher })
    }

    /// The PHC string to store for `secret`.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] at once when the queue is full.
    pub async fn hash(&self, secret: SecretString) -> Result<String, PasswordError> {
        self.run(move |hasher| hasher.hash(&secret)).await
    }

    /// Whether `secret` is the one behind `phc`. Pass `None` for an account that does not exist: the answer is
    /// `false` after the same time.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] at once when the queue is full; [`PasswordError::Failed`] when `phc` is damaged.
    pub async fn verify(&self, secret: SecretString, phc: Option<String>) -> Result<bool, PasswordError> {
        self.run(move |hasher| hasher.verify(&secret, phc.as_deref())).await
    }

    /// Hashes on the calling thread: for commands that set up accounts without serving anybody.
    ///
    /// # Errors
    /// [`PasswordError::Failed`].
    pub fn hash_blocking(&self, secret: &SecretString) -> Result<String, PasswordError> {
        self.hasher.hash(secret)
    }

    /// Blocks of 1 KiB that argon2 has filled for callers so far.
    #[must_use]
    pub fn work_blocks(&self) -> u64 {
        self.hasher.work.0.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Hasher) -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let (answer, answered) = oneshot::channel();
        let job: Job = Box::new(move |hasher| {
            // Nobody waits any more (the client hung up or timed out): do not spend the time.
            if !answer.is_closed() {
                let _ = answer.send(job(hasher));
            }
        });
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => PasswordError::Busy,
            TrySendError::Disconnected(_) => PasswordError::Stopped,
        })?;
        answered.await.unwrap_or(Err(PasswordError::Stopped))
    }
}

fn work(queue: &Receiver<Job>, hasher: &Hasher) {
    for job in queue {
        // A panic costs its own caller an answer, not everybody the thread.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(hasher)));
        if outcome.is_err() {
            tracing::error!("password hashing panicked");
        }
    }
}

/// Whether staff may choose this password. Length is what counts; no rules about kinds of characters.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check_staff_password(password: &str) -> Result<(), PolicyViolation> {
    check(password, &STAFF_PASSWORD_CHARS)
}

/// Whether a reader may choose this PIN. Digits are enough; 666666 and 123456 are not.
///
/// # Errors
/// The first thing that is wrong with it.
pub fn check_pin(pin: &str) -> Result<(), PolicyViolation> {
    check(pin, &PIN_CHARS)
}

fn check(secret: &str, length: &std::ops::RangeInclusive<usize>) -> Result<(), PolicyViolation> {
    let chars: Vec<char> = secret.chars().take(length.end() + 1).collect();
    if chars.len() < *length.start() {
        return Err(PolicyViolation::TooShort { min: *length.start() });
    }
    if chars.len() > *length.end() {
        return Err(PolicyViolation::TooLong { max: *length.end() });
    }
    if chars.iter().any(|c| c.is_control()) {
        return Err(PolicyViolation::ControlCharacter);
    }
    if all_steps(&chars, |a, b| a == b) {
        return Err(PolicyViolation::AllEqual);
    }
    if all_steps(&chars, follows) || all_steps(&chars, |a, b| follows(b, a)) {
        return Err(PolicyViolation::Run);
    }
    Ok(())
}

fn all_steps(chars: &[char], step: impl Fn(char, char) -> bool) -> bool {
    chars.windows(2).all(|pair| step(pair[0], pair[1]))
}

/// 5 after 4, b after a, and, as on a keypad, 0 after 9.
fn follows(a: char, b: char) -> bool {
    u32::from(b) == u32::from(a) + 1 || (a, b) == ('9', '0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn config() -> AuthConfig {
        Config::for_tests(std::path::Path::new("."), "sqlite:unused.db").auth
    }

    #[tokio::test]
    async fn the_right_secret_and_no_other_is_accepted() {
        let service = PasswordService::new(&config()).expect("starts");
        let phc = service.hash("借书证 4711".into()).await.expect("hashed");
        assert!(phc.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{phc}");
        assert_ne!(
            phc,
            service.hash_blocking(&"借书证 4711".into()).expect("hashed"),
            "salted"
        );
        for (secret, stored, expected) in [
            ("借书证 4711", Some(phc.clone()), true),
            ("借书证 4712", Some(phc.clone()), false),
            ("", Some(phc), false),
            ("借书证 4711", None, false),
        ] {
            assert_eq!(
                service.verify(secret.into(), stored).await.expect("checked"),
                expected,
                "{secret}"
            );
        }
        let damaged = service.verify("x".into(), Some("$argon2id$damaged".into())).await;
        assert!(matches!(damaged, Err(PasswordError::Failed(_))));
    }

    /// A test vector of the reference implementation: secret `password`, salt `somesalt`.
    #[tokio::test]
    async fn hashes_made_elsewhere_are_understood() {
        let service = PasswordService::new(&config()).expect("starts");
        let phc = "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc";
        for (secret, expected) in [("password", true), ("Password", false)] {
            assert_eq!(
                service.verify(secret.into(), Some(phc.into())).await.expect("checked"),
                expected
            );
        }
    }

    #[tokio::test]
    async fn a_hash_made_with_other_costs_still_counts() {
        let mut costly = config();
        costly.argon2_iterations = 3;
        let phc = PasswordService::new(&costly)
            .expect("starts")
            .hash_blocking(&"secret".into())
            .expect("hashed");
        let service = PasswordService::new(&config()).expect("starts");
        assert!(service.verify("secret".into(), Some(phc)).await.expect("checked"));
    }

    #[tokio::test]
    async fn a_flood_is_turned_away_and_those_who_gave_up_cost_nothing() {
        let mut config = config();
        (config.hash_threads, config.hash_queue) = (1, 2);
        let service = PasswordService::new(&config).expect("starts");
        // Holds the only thread until told.
        let (release, held) = std::sync::mpsc::channel::<()>();
        let (started, running) = oneshot::channel();
        let holding = tokio::spawn({
            let service = service.clone();
            async move {
                let hold = move |_: &Hasher| {
                    let _ = started.send(());
                    held.recv().map_err(|_| PasswordError::Stopped)
                };
                service.run(hold).await
            }
        });
        running.await.expect("the thread took it");
        // `join!` polls them in order: two fill the queue, the third finds it full.
        let third = async {
            let answer = service.verify("c".into(), None).await;
            release.send(()).expect("still held");
            answer
        };
        let (first, second, third) = tokio::join!(
            service.verify("a".into(), None),
            service.verify("b".into(), None),
            third
        );
        assert!(matches!(third, Err(PasswordError::Busy)), "{third:?}");
        assert!(!first.expect("checked") && !second.expect("checked"));
        holding.await.expect("joined").expect("held");
    }

    #[tokio::test]
    async fn a_panic_harms_only_its_caller() {
        let service = PasswordService::new(&config()).expect("starts");
        let outcome = service
            .run(|_| -> Result<(), PasswordError> { panic!("on purpose") })
            .await;
        assert!(matches!(outcome, Err(PasswordError::Stopped)));
        assert!(service.hash("still there".into()).await.is_ok());
    }

    #[test]
    fn the_policy_as_a_table() {
        use PolicyViolation::*;
        let long = "ab".repeat(65);
        let staff: &[(&str, Result<(), PolicyViolation>)] = &[
            ("correct horse", Ok(())),
            ("图书馆员的好密码一二三", Ok(())),
            ("short", Err(TooShort { min: 10 })),
            ("图书馆员密码", Err(TooShort { min: 10 })),
            (&long, Err(TooLong { max: 128 })),
            ("aaaaaaaaaaaa", Err(AllEqual)),
            ("1234567890", Err(Run)),
            ("with\ttab in it", Err(ControlCharacter)),
        ];
        for (password, expected) in staff {
            assert_eq!(check_staff_password(password), *expected, "{password}");
        }
        let pins: &[(&str, Result<(), PolicyViolation>)] = &[
            ("240117", Ok(())),
            ("123457", Ok(())),
            ("12345", Err(TooShort { min: 6 })),
            ("", Err(TooShort { min: 6 })),
            ("888888", Err(AllEqual)),
            ("123456", Err(Run)),
            ("456789", Err(Run)),
            ("567890", Err(Run)),
            ("654321", Err(Run)),
            ("abcdef", Err(Run)),
            ("012345678901234567890123456789012", Err(TooLong { max: 32 })),
        ];
        for (pin, expected) in pins {
            assert_eq!(check_pin(pin), *expected, "{pin}");
        }
    }
}
