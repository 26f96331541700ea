//! `tongjie rules`: the rules of lending as a TOML document, out of the database, into it, and looked at.

use std::io::Write;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::Subcommand;

use super::{CliError, close, open};
use crate::app::App;
use crate::config::Config;
use crate::usecase::administer::operator;
use crate::usecase::list_rule_sets::export_rule_set;
use crate::usecase::publish_rule_set::publish_text;
use crate::usecase::rule_view::{FaultView, RuleValidationView};
use crate::usecase::validate_rule_draft::validate_text;

#[derive(Debug, Subcommand)]
pub enum RulesCommand {
    /// Print the document in force, or of an earlier version, as it was written
    #[command(disable_version_flag = true)]
    Export {
        /// The set of this version instead of the one in force
        #[arg(long, value_name = "NUMBER")]
        version: Option<i64>,
        /// The own rules of this unit instead of the network's
        #[arg(long, value_name = "CODE")]
        unit: Option<String>,
        /// Into a file instead of standard output
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Tell everything that is wrong with a document, and what looks wrong; changes nothing. Exit code 1 if it could not be
    /// published
    Validate {
        file: PathBuf,
        /// As the own rules of this unit instead of the network's
        #[arg(long, value_name = "CODE")]
        unit: Option<String>,
    },
    /// Publish a document: it takes effect at once, or from a moment to come; loans that exist stay as they are
    Import {
        file: PathBuf,
        /// As the own rules of this unit instead of the network's
        #[arg(long, value_name = "CODE")]
        unit: Option<String>,
        /// When it takes effect, with an offset: 2027-01-01T00:00:00+08:00
        #[arg(long, value_name = "MOMENT")]
        effective_from: Option<DateTime<Utc>>,
        /// Why
        #[arg(long, default_value = "tongjie rules import")]
        note: String,
    },
}

pub(super) async fn run(config: Config, what: RulesCommand) -> Result<(), CliError> {
    let app = open(config).await?;
    let done = carry_out(&app, what).await;
    close(&app).await;
    done
}

async fn carry_out(app: &App, what: RulesCommand) -> Result<(), CliError> {
    match what {
        RulesCommand::Export { version, unit, out } => {
            let who = operator(&app.store).await?;
            let toml = export_rule_set(&app.store, &who, version, unit).await?;
            write(out.as_deref(), &toml)
        }
        RulesCommand::Validate { file, unit } => {
            let judged = validate_text(&app.store, unit, read(&file)?).await?;
            print(&judged)
        }
        RulesCommand::Import {
            file,
            unit,
            effective_from,
            note,
        } => {
            let (who, toml) = (operator(&app.store).await?, read(&file)?);
            let judged = validate_text(&app.store, unit.clone(), toml.clone()).await?;
            judged
                .rule_warnings
                .iter()
                .for_each(|one| println!("warning: {}", told(one)));
            let set = publish_text(&app.store, &who, unit, toml, (note, effective_from))
                .await?
                .rule_set;
            println!(
                "version {} takes effect at {}",
                set.version,
                set.effective_from.to_rfc3339()
            );
            Ok(())
        }
    }
}

fn read(file: &Path) -> Result<String, CliError> {
    let failed = |source| CliError::File {
        path: file.display().to_string(),
        source,
    };
    std::fs::read_to_string(file).map_err(failed)
}

fn write(out: Option<&Path>, toml: &str) -> Result<(), CliError> {
    let failed = |source| CliError::File {
        path: out.map_or_else(|| "standard output".to_owned(), |path| path.display().to_string()),
        source,
    };
    match out {
        Some(path) => std::fs::write(path, toml).map_err(failed),
        None => std::io::stdout().write_all(toml.as_bytes()).map_err(failed),
    }
}

fn print(judged: &RuleValidationView) -> Result<(), CliError> {
    judged.faults.iter().for_each(|one| println!("fault: {}", told(one)));
    judged
        .rule_warnings
        .iter()
        .for_each(|one| println!("warning: {}", told(one)));
    if judged.valid {
        println!("valid");
        return Ok(());
    }
    Err(CliError::Failed(format!("{} faults", judged.faults.len())))
}

fn told(one: &FaultView) -> String {
    let row = if one.row == 0 {
        String::new()
    } else {
        format!(" {}", one.row)
    };
    let field = if one.field.is_empty() {
        String::new()
    } else {
        format!(", field {}", one.field)
    };
    format!(
        "{}{row}{field}: {}; right would be {}",
        one.table, one.reason, one.expected
    )
}
