//! `tongjie check`: prints what the audit found, one line per invariant and one per violation.

use super::progress::Bars;
use super::{CliError, close, open};
use crate::config::Config;
use crate::usecase::check::{Finding, check};

pub(super) async fn run(config: Config) -> Result<(), CliError> {
    let app = open(config).await?;
    let bars = Bars::default();
    let found = check(&app.store, &bars).await;
    bars.clear();
    close(&app).await;
    let findings = found?;
    findings.iter().for_each(print_finding);
    match findings.iter().map(|finding| finding.violations).sum::<i64>() {
        0 => {
            println!("check: sound, {} rows looked at", findings.iter().map(|finding| finding.checked).sum::<i64>());
            Ok(())
        }
        violations => Err(CliError::Failed(format!("check: {violations} violations"))),
    }
}

fn print_finding(finding: &Finding) {
    let Finding { invariant, name, checked, violations, examples } = finding;
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
