//! `tongjie openapi`: the document of the HTTP API, as JSON.

use super::CliError;
use crate::http;

pub(super) fn run() -> Result<(), CliError> {
    let document = http::openapi();
    let text = document
        .to_pretty_json()
        .map_err(|error| CliError::Failed(format!("the document cannot be written: {error}")))?;
    println!("{text}");
    Ok(())
}
