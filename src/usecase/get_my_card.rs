//! The reader's electronic card: a token of a minute for one of the reader's cards.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;
use utoipa::ToSchema;

use super::record::unit_by_code;
use super::session::require_session;
use super::{Caller, Result, UseCaseError};
use crate::auth::CardTokens;
use crate::domain::ids::{CardId, UnitId};
use crate::domain::reader::CardStatus;
use crate::store::Store;
use crate::store::card_tokens::CardToShow;
use crate::store::tx::ReadTx;

/// Time to draw the next one before this one is refused.
const REFRESH_AFTER: TimeDelta = TimeDelta::seconds(45);

/// What the phone shows.
#[derive(Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct MyCard {
    /// Goes into a QR code as it is: `header.payload.signature`, at most 340 characters (docs/ECARD.md).
    #[schema(
        example = "eyJ0eXAiOiJjYXJkK2p3dCIsImFsZyI6IkVkRFNBIiwia2lkIjoiUTJGeVpFdGxlUSJ9.eyJzdWIiOiIxMDQyIn0.c2lnbmF0dXJl"
    )]
    pub token: String,
    /// When it counts no more (UTC).
    #[schema(example = "2026-03-04T04:01:00Z")]
    pub expires_at: DateTime<Utc>,
    /// When to ask for the next one (UTC).
    #[schema(example = "2026-03-04T04:00:45Z")]
    pub refresh_at: DateTime<Utc>,
    pub card_id: i64,
    /// At and below which unit it counts.
    #[schema(example = "B01")]
    pub unit_code: String,
    /// Which key of `/.well-known/jwks.json` signed it.
    #[schema(example = "Q2FyZEtleQ8")]
    pub key_id: String,
}

/// Makes the token. Nothing is stored: what was not shown to anybody need not be known.
///
/// # Errors
/// `Forbidden` for anybody but a reader; `Unauthenticated` when the session has been ended; `Invalid` naming `unit_code`;
/// `State` without an active card.
pub async fn get_my_card(
    store: &Arc<Store>,
    tokens: &CardTokens,
    caller: &Caller,
    unit_code: Option<String>,
) -> Result<MyCard> {
    let reader = caller.reader().ok_or(UseCaseError::Forbidden)?;
    let who = caller.clone();
    let (card, unit_code, at) = store
        .read(move |tx| -> Result<_> {
            require_session(tx, &who)?;
            let now = tx.now();
            let unit_code = scope(tx, unit_code.as_deref())?;
            let today = tx.day_of(now);
            let usable = |card: &CardToShow| {
                card.facts.status == CardStatus::Active && card.facts.expires_on.is_none_or(|end| today <= end)
            };
            let mut cards = tx.cards_to_show(reader)?;
            cards.retain(usable);
            // Stable: of each kind the latest.
            cards.sort_by_key(|card| !card.electronic);
            let none = || UseCaseError::State("there is no active card to show: ask at a desk for one".to_owned());
            let card = cards.first().ok_or_else(none)?;
            Ok((card.facts.id, unit_code, dated(card, now)))
        })
        .await?;
    view(tokens, card, unit_code, at)
}

/// The moment of the read, so that a revocation after it voids the token; right after one, what that does not void.
fn dated(card: &CardToShow, now: DateTime<Utc>) -> DateTime<Utc> {
    let void = card.void_until.map(|until| until + TimeDelta::seconds(1));
    void.map_or(now, |void| now.max(void))
}

fn scope(tx: &mut ReadTx<'_>, unit_code: Option<&str>) -> Result<String> {
    let network = tx.network()?;
    let unit: Option<UnitId> = match unit_code {
        Some(code) => Some(unit_by_code(&network, "unit_code", code)?),
        None => network.units().root().map(|root| root.id),
    };
    let unit = unit.and_then(|id| network.unit(id));
    unit.map(|unit| unit.code.clone())
        .ok_or_else(|| UseCaseError::Internal("there is no root unit".into()))
}

fn view(tokens: &CardTokens, card: CardId, unit_code: String, now: DateTime<Utc>) -> Result<MyCard> {
    let made = tokens
        .make(card, &unit_code, now)
        .map_err(|error| UseCaseError::Internal(error.to_string()))?;
    Ok(MyCard {
        token: made.token,
        expires_at: made.says.expires_at,
        refresh_at: made.says.issued_at + REFRESH_AFTER,
        card_id: card.get(),
        unit_code,
        key_id: made.says.key_id,
    })
}
