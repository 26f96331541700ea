//! `tongjie openapi`: the document of the HTTP API, as JSON; or the pages about its problems and conditions, as Markdown.

use clap::Args;

use super::CliError;
use crate::http;

#[derive(Debug, Args)]
pub struct OpenapiArgs {
    /// Print docs/API.md instead: conventions, problems and refusals
    #[arg(long)]
    problems: bool,
    /// Print docs/CIRCULATION.md instead: every condition, and the lives of items and loans
    #[arg(long, conflicts_with = "problems")]
    conditions: bool,
}

pub(super) fn run(args: &OpenapiArgs) -> Result<(), CliError> {
    if args.problems {
        print!("{}", http::reference());
        return Ok(());
    }
    if args.conditions {
        print!("{}", http::conditions());
        return Ok(());
    }
    let text = serde_json::to_string_pretty(&http::document())
        .map_err(|error| CliError::Failed(format!("the document cannot be written: {error}")))?;
    println!("{text}");
    Ok(())
}
