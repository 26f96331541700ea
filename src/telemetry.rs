//! Where log lines go: one subscriber for the whole process, to standard error, as text or JSON. Beside it: what is counted
//! (`histogram`, `process`) and what is traced (`traces`).
//!
//! Not here: what is logged. The rule for every line: never a reader's name, ID number or title together with a
//! reader.

pub mod histogram;
pub mod process;
pub mod traces;

use std::sync::Mutex;

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::util::SubscriberInitExt;

use crate::config::{LogConfig, LogFormat};

#[derive(Debug, thiserror::Error)]
#[error("log.filter is not a filter")]
pub struct TelemetryError(#[from] tracing_subscriber::filter::ParseError);

static STARTED: Mutex<bool> = Mutex::new(false);

/// Installs the subscriber. Later calls do nothing: tests build many apps in one process.
///
/// # Errors
/// When `config.filter` does not parse; nothing is installed then.
pub fn init(config: &LogConfig) -> Result<(), TelemetryError> {
    let filter = EnvFilter::builder().parse(&config.filter)?;
    let mut started = STARTED.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    if *started {
        return Ok(());
    }
    let installed = subscriber(config.format, filter, std::io::stderr).try_init();
    // The only failure is that somebody (a test harness) installed one before us; theirs stays.
    drop(installed);
    *started = true;
    Ok(())
}

/// Every line goes through this: tests read what it writes.
pub fn subscriber<W>(format: LogFormat, filter: EnvFilter, writer: W) -> Box<dyn Subscriber + Send + Sync>
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    match format {
        LogFormat::Text => Box::new(builder.with_ansi(false).finish()),
        LogFormat::Json => Box::new(builder.json().flatten_event(true).finish()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_start_does_nothing_and_a_bad_filter_is_refused() {
        let mut config = LogConfig {
            format: LogFormat::Json,
            filter: "warn,tongjie=debug".into(),
            slow_statement_ms: 1,
        };
        init(&config).expect("first");
        config.format = LogFormat::Text;
        init(&config).expect("second");
        config.filter = "a=b=c".into();
        assert!(init(&config).is_err());
    }
}
