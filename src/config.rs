//! The settings of one node: typed, complete, and checked before anything starts.
//!
//! Three layers, the later one winning: `config/default.toml` (built in, and the list of every key there is), an
//! optional file, and the environment (`TONGJIE__SECTION__KEY`). An unknown key or a bad value is refused with
//! its name, from whichever layer it came: a mistyped limit that silently keeps its default is found months later.
//!
//! Not here: the rules of lending. They are data in the database and differ from unit to unit.

use std::fmt::Display;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use chrono_tz::Tz;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Deserializer, de};

mod admission;
mod circulation;
mod credit;
pub(crate) mod delivery;
mod devices;
mod jobs;
mod layers;
pub(crate) mod limits;
mod log;
mod notices;
mod privacy;
mod protection;
mod telemetry;
mod transport;
mod webhooks;

pub use admission::AdmissionConfig;
pub use circulation::CirculationConfig;
pub use credit::CreditConfig;
pub use delivery::DeliveryConfig;
pub use devices::{DeviceLines, DevicesConfig};
pub use jobs::JobsConfig;
use layers::{check_shape, env_layer, parse_toml};
pub use limits::{LimitsConfig, MetricsConfig};
pub use log::{LogConfig, LogFormat};
pub use notices::{MailConfig, MailSecurity, MessagesConfig, NoticesConfig};
pub use privacy::PrivacyConfig;
use protection::check_origins;
pub use protection::{AuthConfig, RatesConfig};
pub use telemetry::{Collector, TelemetryConfig};
pub use transport::{AddressRanges, ForwardedHeader, TlsConfig};
pub use webhooks::WebhooksConfig;

const DEFAULTS: &str = include_str!("../config/default.toml");
const SQLITE_FILE: &str = "tongjie.db";

/// Why a node does not start on these settings. Values are shown only where they cannot be secrets.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error("cannot read the configuration file {}", path.display())]
    Unreadable { path: PathBuf, source: std::io::Error },
    #[error("{origin} is not TOML: {message}")]
    NotToml { origin: String, message: String },
    #[error("unknown key `{key}` in {origin}")]
    UnknownKey { key: String, origin: String },
    #[error("bad value for `{key}` in {origin}: {reason}")]
    BadValue {
        key: String,
        origin: String,
        reason: String,
    },
    #[error("bad configuration: {0}")]
    Merge(#[from] config::ConfigError),
}

/// Where the records are kept.
#[derive(Debug, Clone)]
pub enum DatabaseUrl {
    Sqlite(PathBuf),
    /// The whole `postgres://…` URL: it may carry a password.
    Postgres(SecretString),
}

impl DatabaseUrl {
    /// Chooses the engine by the scheme alone, so that a typing error cannot become a SQLite file of that name.
    ///
    /// ```
    /// # use tongjie::config::DatabaseUrl;
    /// assert!(matches!(DatabaseUrl::parse("sqlite:/var/lib/tongjie.db"), Ok(DatabaseUrl::Sqlite(_))));
    /// assert!(DatabaseUrl::parse("tongjie.db").is_err());
    /// ```
    ///
    /// # Errors
    /// The reason in words; it never repeats the URL, which may hold a password.
    pub fn parse(url: &str) -> Result<Self, &'static str> {
        if url.chars().any(char::is_control) {
            return Err("a URL has no control characters");
        }
        if url
            .strip_prefix("postgres://")
            .or_else(|| url.strip_prefix("postgresql://"))
            .is_some()
        {
            return Ok(Self::Postgres(url.into()));
        }
        let Some(path) = url.strip_prefix("sqlite:") else {
            return Err("expected sqlite:PATH, postgres://… or postgresql://…");
        };
        // `sqlite://a/b` would be read as /a/b by some tools and as a/b by others.
        if path.starts_with("//") && !path.starts_with("///") {
            return Err("expected sqlite:PATH, without slashes before a relative path");
        }
        // Every connection of the pool would see a database of its own.
        if path.is_empty() || path.starts_with(':') || path.starts_with("file:") {
            return Err("expected the path of a file after sqlite:");
        }
        Ok(Self::Sqlite(path.into()))
    }
}

impl<'de> Deserialize<'de> for DatabaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub data: DataConfig,
    pub database: DatabaseConfig,
    pub http: HttpConfig,
    pub limits: LimitsConfig,
    pub metrics: MetricsConfig,
    pub telemetry: TelemetryConfig,
    pub sip2: Sip2Config,
    pub auth: AuthConfig,
    pub log: LogConfig,
    pub network: NetworkConfig,
    pub circulation: CirculationConfig,
    pub jobs: JobsConfig,
    pub rates: RatesConfig,
    pub delivery: DeliveryConfig,
    pub devices: DevicesConfig,
    pub credit: CreditConfig,
    pub admission: AdmissionConfig,
    pub notices: NoticesConfig,
    pub mail: MailConfig,
    pub messages: MessagesConfig,
    pub webhooks: WebhooksConfig,
    pub privacy: PrivacyConfig,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DataConfig {
    pub dir: PathBuf,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseConfig {
    /// As written; [`Config::database_url`] fills in the default.
    #[serde(deserialize_with = "empty_is_none")]
    pub url: Option<DatabaseUrl>,
    pub pool_size: u32,
    pub write_workers: u32,
    pub read_pool_size: u32,
    pub gate_connections: u32,
    pub busy_timeout_ms: u64,
    pub connect_timeout_ms: u64,
    pub lock_timeout_ms: u64,
    pub max_size_mib: u32,
    pub read_timeout_ms: u64,
    pub queue_limit: usize,
    pub group_limit: usize,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpConfig {
    pub bind: SocketAddr,
    pub workers: usize,
    pub max_body_bytes: usize,
    pub request_timeout_ms: u64,
    /// Separated by commas; empty: none.
    pub cors_origins: String,
    pub hsts_seconds: u32,
    pub trusted_proxies: AddressRanges,
    pub forwarded_header: ForwardedHeader,
    pub tls: TlsConfig,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sip2Config {
    pub bind: SocketAddr,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkConfig {
    pub zone: Tz,
}

impl Config {
    /// Reads the defaults, `file` if given, and this process's environment.
    ///
    /// # Errors
    /// The first unknown key or bad value, by name.
    pub fn load(file: Option<&Path>) -> Result<Self, ConfigError> {
        let text = file
            .map(|path| {
                std::fs::read_to_string(path)
                    .map(|text| (path.display().to_string(), text))
                    .map_err(|source| ConfigError::Unreadable {
                        path: path.to_owned(),
                        source,
                    })
            })
            .transpose()?;
        // Lossy: a value that is not UTF-8 then fails its own check, by name, instead of being skipped.
        let env = std::env::vars_os()
            .map(|(key, value)| (key.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()));
        Self::from_layers(text.as_ref().map(|(name, text)| (name.as_str(), text.as_str())), env)
    }

    /// The same with the layers given: `file` is a name for messages and the text.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn from_layers(
        file: Option<(&str, &str)>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let defaults = parse_toml("the built-in defaults", DEFAULTS)?;
        let mut layers = Vec::new();
        if let Some((name, text)) = file {
            layers.push(parse_toml(name, text)?);
        }
        for (name, value) in env {
            layers.extend(env_layer(&defaults.table, &name, &value)?);
        }
        let mut builder =
            config::Config::builder().add_source(config::File::from_str(DEFAULTS, config::FileFormat::Toml));
        for layer in &layers {
            check_shape(&defaults.table, layer)?;
            builder = builder.add_source(config::File::from_str(
                &layer.table.to_string(),
                config::FileFormat::Toml,
            ));
        }
        let config: Self = builder.build()?.try_deserialize()?;
        config.check()?;
        Ok(config)
    }

    /// Settings for a test: any free port, quiet, and password hashes cheap enough to make by the hundred.
    ///
    /// # Panics
    /// When `url` is not a database URL.
    #[must_use]
    pub fn for_tests(dir: &Path, url: &str) -> Self {
        let mut config = Self::from_layers(None, []).expect("the built-in defaults are tested");
        config.data.dir = dir.to_owned();
        config.database.url = Some(DatabaseUrl::parse(url).expect("a test passes a valid database URL"));
        config.database.pool_size = 8;
        config.http.bind.set_port(0);
        config.sip2.bind.set_port(0);
        config.auth.signing_key = Some("a signing key that only tests use".into());
        config.auth.identity_key = Some("an identity key that only tests use".into());
        config.auth.argon2_memory_kib = 64;
        config.auth.argon2_iterations = 1;
        config.log.filter = "warn".into();
        config.jobs.seal_interval_ms = 50;
        // A test asks as fast as it can, on a clock that stands still.
        (config.rates.reader_per_second, config.rates.anonymous_per_second) = (0, 0);
        config
    }

    /// Where the records are, with the default filled in.
    #[must_use]
    pub fn database_url(&self) -> DatabaseUrl {
        self.database
            .url
            .clone()
            .unwrap_or_else(|| DatabaseUrl::Sqlite(self.data.dir.join(SQLITE_FILE)))
    }

    /// Ranges and what must hold between two keys; types and shapes were checked on reading.
    fn check(&self) -> Result<(), ConfigError> {
        let Self {
            data,
            database,
            http,
            limits,
            metrics,
            telemetry,
            sip2,
            auth,
            log,
            network: _,
            circulation,
            jobs,
            rates,
            delivery,
            devices,
            credit,
            admission,
            notices,
            mail,
            messages,
            webhooks: _,
            privacy,
        } = self;
        if data.dir.as_os_str().is_empty() {
            return bad("data.dir", "a directory is needed");
        }
        database.check()?;
        within("http.workers", http.workers, 1..=256)?;
        within("http.max_body_bytes", http.max_body_bytes, limits::MAX_BODY_BYTES)?;
        within(
            "http.request_timeout_ms",
            http.request_timeout_ms,
            limits::REQUEST_TIMEOUT_MS,
        )?;
        if let Some(missing) = http.tls.missing() {
            return bad(missing, "TLS needs both a certificate and a key");
        }
        limits.check(http)?;
        circulation.check()?;
        metrics.check(http)?;
        telemetry.check()?;
        if http.bind == sip2.bind && http.bind.port() != 0 {
            return bad("sip2.bind", "the same address as http.bind");
        }
        auth.check()?;
        if let Err(error) = tracing_subscriber::EnvFilter::builder().parse(&log.filter) {
            return bad("log.filter", error);
        }
        within("log.slow_statement_ms", log.slow_statement_ms, 1..=600_000)?;
        jobs.check()?;
        check_origins(&http.cors_origins)?;
        within("http.hsts_seconds", http.hsts_seconds, 0..=63_072_000)?;
        delivery.check()?;
        devices.check()?;
        credit.check()?;
        admission.check()?;
        notices.check()?;
        mail.check()?;
        messages.check()?;
        privacy.check(jobs.idempotency_days, notices.keep_days)?;
        rates.check()
    }
}

fn within<T: PartialOrd + Display>(key: &str, value: T, range: RangeInclusive<T>) -> Result<(), ConfigError> {
    if range.contains(&value) {
        return Ok(());
    }
    bad(
        key,
        format!("{value} is not between {} and {}", range.start(), range.end()),
    )
}

fn bad(key: &str, reason: impl Display) -> Result<(), ConfigError> {
    // By now the layers are merged; the key alone says where to look.
    let origin = "the configuration".to_owned();
    Err(ConfigError::BadValue {
        key: key.to_owned(),
        origin,
        reason: reason.to_string(),
    })
}

/// `key = ""` is how a TOML file says "none", so that every key can be listed with its default.
fn empty_is_none<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let text = SecretString::deserialize(deserializer)?;
    let text = text.expose_secret();
    if text.is_empty() {
        return Ok(None);
    }
    T::deserialize(de::value::StrDeserializer::new(text)).map(Some)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn load(file: &str, env: &[(&str, &str)]) -> Result<Config, ConfigError> {
        let env: Vec<_> = env.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        Config::from_layers(Some(("test.toml", file)), env)
    }

    #[test]
    fn the_defaults_are_complete_and_valid() {
        let config = load("", &[]).expect("defaults");
        assert_eq!(config.http.bind.to_string(), "127.0.0.1:8080");
        assert_eq!(config.sip2.bind.to_string(), "127.0.0.1:6001");
        assert_eq!(config.http.max_body_bytes, 256 * 1024);
        assert_eq!(config.network.zone, chrono_tz::Asia::Shanghai);
        assert_eq!(config.auth.access_ttl(), Duration::from_secs(900));
        assert_eq!(config.auth.refresh_ttl(), Duration::from_secs(30 * 86_400));
        assert!(config.auth.signing_key.is_none());
        let DatabaseUrl::Sqlite(path) = config.database_url() else {
            panic!("SQLite is the default")
        };
        assert_eq!(path, Path::new("./tongjie-data/tongjie.db"));
    }

    #[test]
    fn every_key_of_the_defaults_has_a_comment_above_it() {
        let lines: Vec<&str> = DEFAULTS.lines().collect();
        for pair in lines.windows(2).filter(|pair| pair[1].contains(" = ")) {
            assert!(
                pair[0].starts_with('#') || pair[1].starts_with('#'),
                "no comment above {}",
                pair[1]
            );
        }
    }

    #[test]
    fn a_later_layer_wins() {
        let file = "[http]\nworkers = 3\nbind = \"127.0.0.1:1\"";
        let env = [
            ("TONGJIE__HTTP__BIND", "127.0.0.1:9090"),
            ("TONGJIE_TEST_POSTGRES", "x"),
            ("PATH", "/bin"),
        ];
        let config = load(file, &env).expect("valid");
        assert_eq!(config.http.workers, 3);
        assert_eq!(config.http.bind.port(), 9090);
        let config = load(file, &[("TONGJIE__DATA__DIR", "/d"), ("TONGJIE__LOG__FORMAT", "json")]).expect("valid");
        assert_eq!(config.log.format, LogFormat::Json);
        assert!(matches!(config.database_url(), DatabaseUrl::Sqlite(path) if path == Path::new("/d/tongjie.db")));
    }

    #[test]
    fn a_bad_environment_variable_is_refused_by_name() {
        let cases = [
            ("TONGJIE__HTTP__BNID", "127.0.0.1:1", "http.bnid"),
            ("TONGJIE__HTPP__BIND", "127.0.0.1:1", "htpp.bind"),
            ("TONGJIE__HTTP", "x", "http"),
            ("TONGJIE__HTTP__", "x", "http."),
            ("TONGJIE__", "x", "``"),
            ("TONGJIE__HTTP__BIND__PORT", "1", "http.bind.port"),
            ("TONGJIE__HTTP__WORKERS", "two", "http.workers"),
            ("TONGJIE__HTTP__WORKERS", "2.7", "http.workers"),
            ("TONGJIE__HTTP__WORKERS", "yes", "http.workers"),
            ("TONGJIE__HTTP__WORKERS", "", "http.workers"),
            ("TONGJIE__HTTP__WORKERS", "99999999999999999999", "http.workers"),
            ("TONGJIE__HTTP__WORKERS", "-1", "http.workers"),
            ("TONGJIE__HTTP__WORKERS", "0", "http.workers"),
            ("TONGJIE__HTTP__BIND", "localhost", "http.bind"),
            ("TONGJIE__HTTP__BIND", "127.0.0.1:99999", "http.bind"),
            ("TONGJIE__HTTP__BIND", "127.0.0.1:6001", "sip2.bind"),
            ("TONGJIE__HTTP__TLS__CERTIFICATE", "/x.pem", "http.tls.key"),
            ("TONGJIE__HTTP__TLS__KEY", "/x.pem", "http.tls.certificate"),
            ("TONGJIE__HTTP__TLS__KYE", "/x.pem", "http.tls.kye"),
            ("TONGJIE__HTTP__TLS", "/x.pem", "http.tls"),
            ("TONGJIE__HTTP__TRUSTED_PROXIES", "10.0.0.0/33", "10.0.0.0/33"),
            ("TONGJIE__HTTP__FORWARDED_HEADER", "via", "http.forwarded_header"),
            ("TONGJIE__SIP2__BIND", "6001", "sip2.bind"),
            ("TONGJIE__DATA__DIR", "", "data.dir"),
            ("TONGJIE__DATABASE__URL", "mysql://root:geheim@h/db", "database.url"),
            ("TONGJIE__DATABASE__URL", "tongjie.db", "database.url"),
            ("TONGJIE__DATABASE__POOL_SIZE", "4294967296", "database.pool_size"),
            ("TONGJIE__DATABASE__GROUP_LIMIT", "0", "database.group_limit"),
            ("TONGJIE__AUTH__SIGNING_KEY", "geheim", "auth.signing_key"),
            ("TONGJIE__AUTH__OLD_SIGNING_KEYS", "geheim", "auth.old_signing_keys"),
            ("TONGJIE__AUTH__DIGEST_KEY", "geheim", "auth.digest_key"),
            ("TONGJIE__HTTP__CORS_ORIGINS", "*", "http.cors_origins"),
            ("TONGJIE__HTTP__CORS_ORIGINS", "https://a.example/", "http.cors_origins"),
            ("TONGJIE__RATES__READER_BURST", "0", "rates.reader_burst"),
            ("TONGJIE__AUTH__ARGON2_MEMORY_KIB", "7", "auth.argon2_memory_kib"),
            ("TONGJIE__AUTH__REFRESH_DAYS", "366", "auth.refresh_days"),
            ("TONGJIE__LOG__FORMAT", "xml", "log.format"),
            ("TONGJIE__LOG__FILTER", "a=b=c", "log.filter"),
            ("TONGJIE__NETWORK__ZONE", "Asia/Atlantis", "network.zone"),
            ("TONGJIE__JOBS__SEAL_INTERVAL_MS", "1", "jobs.seal_interval_ms"),
        ];
        for (name, value, key) in cases {
            let error = load("", &[(name, value)]).expect_err(name).to_string();
            assert!(error.contains(key), "{name}={value}: {error}");
            assert!(!error.contains("geheim"), "{error} shows a secret");
        }
    }

    #[test]
    fn a_bad_file_is_refused_by_name() {
        let cases = [
            ("[http]\nbnid = \"127.0.0.1:1\"", "http.bnid"),
            ("[htpp]\nbind = \"127.0.0.1:1\"", "htpp"),
            ("http = 3", "http"),
            ("workers = 3", "workers"),
            ("[http]\nworkers = 2.7", "http.workers"),
            ("[http]\nworkers = \"2\"", "http.workers"),
            ("[http]\nworkers = true", "http.workers"),
            ("[http]\nHTTP = 1", "http.HTTP"),
            ("[http.bind]\nport = 1", "http.bind"),
            ("[http.tls]\ncert = \"x\"", "http.tls.cert"),
            ("[http]\ntls = true", "http.tls"),
            ("[database]\nurl = \"postgres\"", "database.url"),
            ("[auth]\nsigning_key = \"geheim", "line 2"),
        ];
        for (file, key) in cases {
            let error = load(file, &[]).expect_err(file).to_string();
            assert!(
                error.contains(key) && error.contains("test.toml") || error.contains("database.url"),
                "{error}"
            );
            assert!(!error.contains("geheim"), "{error} shows a secret");
        }
        let error = Config::load(Some(Path::new("/nonexistent/tongjie.toml"))).expect_err("no such file");
        assert!(error.to_string().contains("/nonexistent/tongjie.toml"));
    }

    #[test]
    fn the_scheme_chooses_the_engine() {
        let cases = [
            ("sqlite:a.db", Some("sqlite a.db")),
            ("sqlite:/var/lib/a.db", Some("sqlite /var/lib/a.db")),
            ("sqlite:///var/lib/a.db", Some("sqlite ///var/lib/a.db")),
            ("postgres://u:p@h/db", Some("postgres")),
            ("postgresql:///db?host=/tmp", Some("postgres")),
            ("sqlite://a.db", None),
            ("sqlite::memory:", None),
            ("sqlite:file:a.db", None),
            ("sqlite:", None),
            ("sqlite:a\0b", None),
            ("SQLITE:a.db", None),
            ("postgres:db", None),
            ("host=/tmp", None),
            ("/var/lib/a.db", None),
            ("", None),
        ];
        for (url, expected) in cases {
            let got = DatabaseUrl::parse(url).ok().map(|url| match url {
                DatabaseUrl::Sqlite(path) => format!("sqlite {}", path.display()),
                DatabaseUrl::Postgres(_) => "postgres".to_owned(),
            });
            assert_eq!(got.as_deref(), expected, "{url}");
        }
    }

    #[test]
    fn debug_output_shows_no_secret() {
        let env = [
            ("TONGJIE__DATABASE__URL", "postgres://u:geheim@h/db"),
            ("TONGJIE__AUTH__SIGNING_KEY", "geheim geheim geheim geheim geheim"),
        ];
        let config = load("", &env).expect("valid");
        assert!(!format!("{config:?}").contains("geheim"));
    }
}
