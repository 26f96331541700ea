//! A card as people see it, and the outcome of every act on one.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::clock::from_millis;
use crate::store::idempotency::Outcome;
use crate::store::readers::card_rows::CardView as CardRow;

/// A credential of a reader.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CardView {
    pub id: i64,
    /// Of an ID card or a social-security card `****` and its last four characters.
    #[schema(example = "JC00012345")]
    pub number: String,
    /// `physical`, `e_card`, `id_card`, `social_security` or `other_city`.
    #[schema(example = "physical")]
    pub kind: String,
    /// `applied`, `active`, `lost`, `replaced`, `expired` or `cancelled`.
    #[schema(example = "active")]
    pub status: String,
    /// The last day it is good for, in the network's zone.
    pub expires_on: Option<NaiveDate>,
    /// Who issued a card of another city.
    #[schema(example = "苏州图书馆")]
    pub issuer: Option<String>,
    /// Who uses a card of an institution.
    #[schema(example = "王老师")]
    pub holder_name: Option<String>,
    /// The card that took its place.
    #[schema(example = 1043)]
    pub replaced_by: Option<i64>,
    /// When it was issued (UTC); absent for cards of before this was recorded.
    pub issued_at: Option<DateTime<Utc>>,
    /// When it was replaced or cancelled (UTC).
    pub ended_at: Option<DateTime<Utc>>,
}

impl CardView {
    pub(super) fn of(card: CardRow) -> Self {
        Self {
            id: card.id,
            number: card.number().to_owned(),
            expires_on: card.expires_on.as_deref().and_then(|day| day.parse().ok()),
            kind: card.kind,
            status: card.status,
            issuer: card.issuer,
            holder_name: card.holder_name,
            replaced_by: card.replaced_by,
            issued_at: card.issued_at.map(from_millis),
            ended_at: card.ended_at.map(from_millis),
        }
    }
}

/// What became of a card. Nothing personal: this answer is kept for a while under the idempotency key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CardOutcome {
    /// Number of the card.
    #[schema(example = 1043)]
    pub card_id: i64,
    pub reader_id: i64,
    /// `physical`, `e_card`, `id_card`, `social_security` or `other_city`.
    #[schema(example = "physical")]
    pub kind: String,
    /// `applied`, `active`, `lost`, `replaced`, `expired` or `cancelled`.
    #[schema(example = "active")]
    pub status: String,
    /// The last day it is good for, in the network's zone.
    pub expires_on: Option<NaiveDate>,
    /// The card whose place it took.
    #[schema(example = 1042)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<i64>,
}

impl Outcome for CardOutcome {
    fn reader_id(&self) -> Option<i64> {
        Some(self.reader_id)
    }
}
