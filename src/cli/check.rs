//! `tongjie check`: prints what the audit found, one line per invariant and one per violation.

use super::progress::Bars;
use super::{CliError, close, open};
use crate::config::{Config, DatabaseUrl};
use crate::usecase::check::{Finding, check};

/// An audit's statements read everything there is: none of them is worth a warning.
const SLOW_STATEMENT_MS: u64 = 600_000;

pub(super) async fn run(mut config: Config) -> Result<(), CliError> {
    refuse_nothing(&config)?;
    config.log.slow_statement_ms = SLOW_STATEMENT_MS;
    let app = open(config).await?;
    let bars = Bars::default();
    let found = check(&app.store, &bars).await;
    bars.clear();
    close(&app).await;
    let findings = found?;
    findings.iter().for_each(print_finding);
    match findings.iter().map(|finding| finding.violations).sum::<i64>() {
        0 => {
            println!(
                "check: sound, {} rows looked at",
                findings.iter().map(|finding| finding.checked).sum::<i64>()
            );
            Ok(())
        }
        violations => Err(CliError::Failed(format!("check: {violations} violations"))),
    }
}

/// A mistyped directory must not be set up and found sound.
fn refuse_nothing(config: &Config) -> Result<(), CliError> {
    match config.database_url() {
        DatabaseUrl::Sqlite(path) if !path.exists() => {
            Err(CliError::Failed(format!("there is no database at {}", path.display())))
        }
        _ => Ok(()),
    }
}

fn print_finding(finding: &Finding) {
    let Finding {
        invariant,
        name,
        checked,
        violations,
        examples,
    } = finding;
    let verdict = if *violations == 0 { "ok  " } else { "FAIL" };
    println!("{verdict} invariant {invariant}: {name} ({checked} looked at, {violations} violations)");
    for example in examples {
        println!("     {example}");
    }
    let shown = i64::try_from(examples.len()).unwrap_or(i64::MAX);
    if *violations > shown && shown > 0 {
        println!("     and more");
    }
}
