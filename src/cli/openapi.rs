//! `tongjie openapi`: the document of the HTTP API, as JSON; or the page about its problems, as Markdown.

use clap::Args;

use super::CliError;
use crate::http;

#[derive(Debug, Args)]
pub struct OpenapiArgs {
    /// Print docs/API.md instead: conventions, problems and refusals
    #[arg(long)]
    problems: bool,
}

pub(super) fn run(args: &OpenapiArgs) -> Result<(), CliError> {
    if args.problems {
        print!("{}", http::reference());
        return Ok(());
    }
    let text = serde_json::to_string_pretty(&http::document())
        .map_err(|error| CliError::Failed(format!("the document cannot be written: {error}")))?;
    println!("{text}");
    Ok(())
}
