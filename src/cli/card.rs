//! `tongjie card verify`: what a device does offline with the code of an electronic card, for whoever builds one. Needs neither
//! database nor configuration.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::CliError;
use crate::auth::card_token::{PublicKey, PublicKeys};
use crate::clock::Clock;
use crate::domain::card_token::{CardToken, LEEWAY_S, Look};
use crate::domain::refusal::Lang;

#[derive(Debug, Subcommand)]
pub enum CardCommand {
    /// Verify the token of an electronic card offline; exit code 0 when it counts, 1 when it does not, 2 when that cannot be said
    Verify(VerifyArgs),
}

#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The text of the QR code
    token: String,
    /// The public keys: what /.well-known/jwks.json answered
    #[arg(long, value_name = "FILE")]
    jwks: PathBuf,
    /// A code that counts where the device stands, of its unit or one above (more than once); without any, every unit does
    #[arg(long, value_name = "CODE")]
    unit: Vec<String>,
    /// What was revoked: the answer of listCardRevocations
    #[arg(long, value_name = "FILE")]
    revocations: Option<PathBuf>,
    /// The moment to verify for (RFC 3339); now by default
    #[arg(long, value_name = "TIME")]
    at: Option<DateTime<Utc>>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<PublicKey>,
}

#[derive(Deserialize)]
struct Revoked {
    items: Vec<RevokedCard>,
}

#[derive(Deserialize)]
struct RevokedCard {
    card_id: i64,
    void_until: DateTime<Utc>,
}

pub(super) fn run(what: CardCommand) -> Result<(), CliError> {
    let CardCommand::Verify(args) = what;
    let listed: KeySet = read(&args.jwks)?;
    let keys = PublicKeys::new(&listed.keys);
    if keys.is_empty() {
        return Err(CliError::Usage(format!(
            "{}: no Ed25519 key stands in it",
            args.jwks.display()
        )));
    }
    let void_until = match &args.revocations {
        Some(path) => latest(read(path)?),
        None => HashMap::new(),
    };
    let token = keys
        .open(args.token.trim())
        .map_err(|_| CliError::Failed("not good: no token, of an unknown key, or changed".to_owned()))?;
    verify(&args, &token, &void_until)?;
    println!(
        "good: card {}, at and below {}, until {}, key {}",
        token.card, token.scope, token.expires_at, token.key_id
    );
    Ok(())
}

fn verify(args: &VerifyArgs, token: &CardToken, void_until: &HashMap<i64, DateTime<Utc>>) -> Result<(), CliError> {
    let named: Vec<&str> = args.unit.iter().map(String::as_str).collect();
    let anywhere = [token.scope.as_str()];
    let look = Look {
        now: args.at.unwrap_or_else(|| Clock::System.now()),
        scopes: if named.is_empty() { &anywhere } else { &named },
        void_until: void_until.get(&token.card.get()).copied(),
        leeway_s: LEEWAY_S,
    };
    token.judge(&look).map_err(|fault| {
        let code = fault.code();
        CliError::Failed(format!(
            "not good: {code}: {}; made at {}, ends at {}, counts at and below {}",
            code.texts(Lang::En).message,
            token.issued_at,
            token.expires_at,
            token.scope
        ))
    })
}

/// Of each card the latest entry.
fn latest(revoked: Revoked) -> HashMap<i64, DateTime<Utc>> {
    let mut latest = HashMap::new();
    for entry in revoked.items {
        let until = latest.entry(entry.card_id).or_insert(entry.void_until);
        *until = entry.void_until.max(*until);
    }
    latest
}

fn read<T: DeserializeOwned>(path: &Path) -> Result<T, CliError> {
    let wrong = |reason: String| CliError::Usage(format!("{}: {reason}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))
}
