//! The application: what every adapter is given, built the same way for `serve`, for commands and for tests.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use secrecy::ExposeSecret;

use crate::auth::identity_ring;
use crate::auth::{
    CardKeyRing, CardTokens, ConsentSeal, DerivedSecrets, Identities, KeyRing, KeyRingError, PasswordError,
    PasswordService, TokenService,
};
use crate::clock::Clock;
use crate::config::{Config, DatabaseUrl};
use crate::delivery::smtp::{SmtpError, SmtpMailer};
use crate::http::rate_limit::RateLimits;
use crate::store::connection::{PAGE_BYTES, Target};
use crate::store::file_claim::FileClaim;
use crate::store::{Store, StoreError, StoreOptions};
use crate::telemetry::traces::Traces;
use crate::usecase::device_board::DeviceBoard;
use crate::usecase::item_batch::Batches;
use crate::usecase::reseal_identities::keys_in_use;
use crate::usecase::session::SessionTools;
use crate::usecase::{UseCaseError, bootstrap};

/// Everything a request may need.
pub struct App {
    pub store: Arc<Store>,
    pub config: Config,
    pub tokens: Arc<TokenService>,
    /// What identifies readers is sealed and found with these.
    pub identities: Identities,
    /// Of electronic cards.
    pub cards: Arc<CardTokens>,
    /// Binds what staff say to refusals to what they were told.
    pub consents: Arc<ConsentSeal>,
    pub passwords: PasswordService,
    pub limits: RateLimits,
    /// `None` where no collector is configured.
    pub traces: Option<Traces>,
    pub batches: Arc<Batches>,
    pub board: Arc<DeviceBoard>,
    /// `None` where no mail server is configured.
    pub mailer: Option<Arc<SmtpMailer>>,
    /// As it was last read.
    ring: Mutex<KeyRing>,
    stopping: AtomicBool,
}

/// Why the application could not be built.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    #[error("the data directory {} cannot be made", path.display())]
    DataDir {
        path: std::path::PathBuf,
        source: std::io::Error,
    },
    #[error("the database could not be opened")]
    Store(#[from] StoreError),
    #[error("a key could not be loaded")]
    SigningKey(#[from] KeyRingError),
    #[error("password hashing could not be started")]
    Passwords(#[from] PasswordError),
    #[error("the thread that sends traces could not be started")]
    Traces(#[source] std::io::Error),
    #[error("mail cannot be sent with these settings")]
    Mail(#[from] SmtpError),
    #[error("another server has {} open; a SQLite file has one server at a time", path.display())]
    Served { path: std::path::PathBuf },
    #[error("the keys that rows are sealed under could not be read")]
    KeysInUse(#[source] UseCaseError),
    #[error("the empty database could not be set up")]
    Bootstrap(#[source] UseCaseError),
}

impl App {
    /// Opens and migrates the database, sets an empty one up, and loads the signing key.
    ///
    /// # Errors
    /// The first part that failed.
    pub async fn build(config: Config, clock: Clock) -> Result<Arc<Self>, AppError> {
        let dir = &config.data.dir;
        std::fs::create_dir_all(dir).map_err(|source| AppError::DataDir {
            path: dir.clone(),
            source,
        })?;
        let ring = KeyRing::load(&config)?;
        let found = identity_ring::found(&config)?;
        let identities = Identities::of(found.clone().unwrap_or_default());
        let tokens = Arc::new(TokenService::with_ring(&ring, config.auth.access_ttl()));
        let cards = Arc::new(CardTokens::new(CardKeyRing::load(&config)?));
        let passwords = PasswordService::new(&config.auth)?;
        let mailer = SmtpMailer::of(&config.mail)?;
        let store = Store::open(StoreOptions {
            identities: identities.clone(),
            ..store_options(&config, clock)
        })?;
        let in_use = keys_in_use(&store).await.map_err(AppError::KeysInUse)?;
        identities.replace(identity_ring::at_start(&config, found, &in_use)?);
        bootstrap::bootstrap(&store).await.map_err(AppError::Bootstrap)?;
        let limits = RateLimits::new(&config.rates);
        let traces = Traces::start(&config.telemetry).map_err(AppError::Traces)?;
        let batches = Batches::new(config.limits.batches);
        let consent_life = config.circulation.consent_life();
        Ok(Arc::new(Self {
            store,
            limits,
            batches,
            board: Arc::default(),
            traces,
            config,
            consents: Arc::new(ConsentSeal::new(Arc::clone(&tokens), consent_life)),
            tokens,
            identities,
            cards,
            passwords,
            mailer,
            ring: Mutex::new(ring),
            stopping: AtomicBool::new(false),
        }))
    }

    /// For whoever is going to serve, before the database is even migrated: a SQLite file has one server at a time, which
    /// this claim says until it is dropped. PostgreSQL has as many as come.
    ///
    /// # Errors
    /// `Served` when there is another one.
    pub fn claim(config: &Config) -> Result<Option<FileClaim>, AppError> {
        let DatabaseUrl::Sqlite(path) = config.database_url() else {
            return Ok(None);
        };
        let dir = &config.data.dir;
        std::fs::create_dir_all(dir).map_err(|source| AppError::DataDir {
            path: dir.clone(),
            source,
        })?;
        match FileClaim::serve(&path)? {
            Some(claim) => Ok(Some(claim)),
            None => Err(AppError::Served { path }),
        }
    }

    /// What log-in and refresh need.
    pub fn session_tools(&self) -> SessionTools<'_> {
        SessionTools {
            tokens: &self.tokens,
            passwords: &self.passwords,
            refresh_life: self.config.auth.refresh_ttl(),
        }
    }

    /// Codes and secrets that are derived rather than kept.
    pub fn derived(&self) -> DerivedSecrets {
        DerivedSecrets::new(Arc::clone(&self.tokens))
    }

    /// Takes the keys that seal ID numbers, sign access tokens or electronic cards over if they were rotated meanwhile; answers whether
    /// any were that sign. Nobody is logged out. Each kind by itself: one that cannot be read keeps none of the others waiting.
    ///
    /// # Errors
    /// The first of `identity_ring::again`, [`CardKeyRing::again`] and [`KeyRing::again`]; the present keys stay then.
    pub fn reload_keys(&self) -> Result<bool, KeyRingError> {
        let sealing = identity_ring::again(&self.config).map(|keys| self.identities.replace(keys));
        let of_cards = CardKeyRing::again(&self.config).map(|ring| self.cards.replace_keys(ring));
        let signing = KeyRing::again(&self.config).map(|ring| self.sign_with(ring));
        sealing?;
        Ok(of_cards? | signing?)
    }

    fn sign_with(&self, ring: KeyRing) -> bool {
        let mut known = self.ring.lock().unwrap_or_else(PoisonError::into_inner);
        let changed = *known != ring;
        if changed {
            self.tokens.replace_keys(&ring);
            *known = ring;
        }
        changed
    }

    /// From now on `/health/ready` says no; what was accepted is still finished.
    pub fn begin_stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
        self.board.stop();
    }

    /// `begin_stop` was called.
    pub fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }
}

/// The store's options as the configuration says.
pub fn store_options(config: &Config, clock: Clock) -> StoreOptions {
    let target = match config.database_url() {
        DatabaseUrl::Sqlite(path) => Target::Sqlite(path),
        DatabaseUrl::Postgres(url) => Target::Postgres(url.expose_secret().to_owned()),
    };
    let max_pages = u64::from(config.database.max_size_mib) * (1024 * 1024 / PAGE_BYTES);
    StoreOptions {
        pool_size: config.database.pool_size,
        write_workers: config.database.write_workers,
        read_pool_size: config.database.read_pool_size,
        gate_connections: config.database.gate_connections,
        busy_timeout: Duration::from_millis(config.database.busy_timeout_ms),
        connect_timeout: Duration::from_millis(config.database.connect_timeout_ms),
        lock_timeout: Duration::from_millis(config.database.lock_timeout_ms),
        queue_limit: config.database.queue_limit,
        group_limit: config.database.group_limit,
        slow_statement: Duration::from_millis(config.log.slow_statement_ms),
        read_timeout: Duration::from_millis(config.database.read_timeout_ms),
        max_pages: u32::try_from(max_pages).ok().filter(|pages| *pages > 0),
        ..StoreOptions::new(target, config.network.zone, clock)
    }
}
