//! One attempt to log in, from the count before the secret is looked at to what became of it. Every attempt is counted as a
//! failure first, in a write of its own, so that many at once cannot all pass as the first; success and what was never
//! judged take it back.
//!
//! Not here: how long to wait ([`crate::domain::log_in_guard`]), and whether the secret is right.

use std::net::IpAddr;
use std::sync::Arc;

use serde_json::json;

use super::session::{SessionTools, audience_code};
use super::{Result, UseCaseError};
use crate::auth::{Audience, TokenService};
use crate::domain::barcode::CardNumber;
use crate::domain::event::EventKind;
use crate::domain::log_in_guard::{Tallies, Tally};
use crate::store::Store;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::log_in_tallies::Scope;
use crate::store::tx::WriteTx;

/// An attempt under way.
#[derive(Debug, Clone)]
pub(super) struct Attempt {
    audience: Audience,
    /// Of the pair, the account and the address.
    scopes: [Scope; 3],
    stranger: bool,
}

impl Attempt {
    /// Counts an attempt on an account, whether or not there is such an account.
    ///
    /// # Errors
    /// `TooManyLogIns` when it comes too early; it is not counted then.
    pub(super) async fn begin(
        store: &Arc<Store>,
        tools: SessionTools<'_>,
        (audience, name): (Audience, &str),
        address: IpAddr,
    ) -> Result<Self> {
        let scopes = scopes(tools.tokens, audience, name, address);
        let count = move |tx: &mut WriteTx<'_>| {
            let (before, now) = (load(tx, &scopes)?, tx.now());
            if let Some(wait) = before.wait(now) {
                let wait_s = u32::try_from((wait.num_milliseconds() + 999) / 1000).unwrap_or(u32::MAX);
                return Err(UseCaseError::TooManyLogIns { wait_s });
            }
            put(tx, &scopes, &before, &before.attempted(now))?;
            Ok(before.stranger(now))
        };
        let stranger = store.write(count).await?;
        Ok(Self {
            audience,
            scopes,
            stranger,
        })
    }

    /// The secret was right; part of the write that opens the session.
    pub(super) fn succeeded(&self, tx: &mut WriteTx<'_>) -> Result<()> {
        let (counted, now) = (load(tx, &self.scopes)?, tx.now());
        put(tx, &self.scopes, &counted, &counted.succeeded(self.stranger, now))
    }

    /// What became of an attempt that opened no session. A wrong secret stays counted and becomes an event that names
    /// nobody; anything else is taken back.
    pub(super) async fn ended(self, store: &Arc<Store>, why: &UseCaseError, mut ids: IdRun) -> Result<()> {
        let failed = matches!(why, UseCaseError::Unauthenticated);
        let id = ids.next();
        let settle = move |tx: &mut WriteTx<'_>| {
            if failed {
                return append_failure(tx, self.audience, id);
            }
            let counted = load(tx, &self.scopes)?;
            put(tx, &self.scopes, &counted, &counted.pardoned(self.stranger))
        };
        store.write(settle).await
    }
}

/// What attempts on a reader are counted under: the reader, whichever of the credentials is typed; a number that is nobody's counts for
/// itself. No number has a space in it.
pub(super) async fn reader_account(store: &Arc<Store>, card: &CardNumber) -> Result<String> {
    let asked = card.clone();
    let known = store
        .read(move |tx| tx.pin_of_card(asked.as_str()).map_err(UseCaseError::from))
        .await?;
    Ok(known.map_or_else(
        || card.as_str().to_owned(),
        |record| format!("reader {}", record.reader),
    ))
}

fn append_failure(tx: &mut WriteTx<'_>, audience: Audience, id: i64) -> Result<()> {
    let root = tx.network()?.units().root().map(|root| root.id);
    let unit = root.ok_or(UseCaseError::NotFound("unit"))?;
    let event = Event::new(EventKind::LogInFailed, tx.now(), unit, SYSTEM_CHANNEL)
        .detail(json!({"audience": audience_code(audience)}));
    Ok(tx.append_event(id, &event)?)
}

/// Keyed, so that neither names nor addresses can be tried against a dump of the database.
fn scopes(tokens: &TokenService, audience: Audience, name: &str, address: IpAddr) -> [Scope; 3] {
    let (audience, address) = (audience_code(audience), address.to_string());
    let scope = |kind: &str, account: &str, address: &str| {
        let digest = tokens.digest(&["log-in", kind, audience, account, address].map(str::as_bytes));
        let mut scope = Scope::default();
        scope.copy_from_slice(&digest[..16]);
        scope
    };
    [
        scope("pair", name, &address),
        scope("account", name, ""),
        scope("address", "", &address),
    ]
}

fn load(tx: &mut WriteTx<'_>, scopes: &[Scope; 3]) -> Result<Tallies> {
    let [pair, account, address] = tx.lock_log_in_tallies(scopes)?;
    Ok(Tallies { pair, account, address })
}

/// Writes what changed: of somebody known, the pair only.
fn put(tx: &mut WriteTx<'_>, scopes: &[Scope; 3], before: &Tallies, after: &Tallies) -> Result<()> {
    let each = |tallies: &Tallies| -> [Tally; 3] { [tallies.pair, tallies.account, tallies.address] };
    for ((scope, before), after) in scopes.iter().zip(each(before)).zip(each(after)) {
        if before != after {
            tx.put_log_in_tally(scope, &after)?;
        }
    }
    Ok(())
}
