//! What a device takes along for when nobody answers: whose card is blocked, which electronic cards hold, the rules as what they come
//! to, and what it has inside. A snapshot first, then what changed.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::acting_device::{ActingDevice, acting_device};
use super::card_session::scopes;
use super::list_card_revocations::CardRevocation;
use super::view::unit_code;
use super::{Caller, Result, Store};
use crate::auth::Right;
use crate::auth::card_token::CardTokens;
use crate::clock::from_millis;
use crate::domain::ids::UnitId;
use crate::domain::limit::{LimitKind, Usage};
use crate::domain::network::Network;
use crate::domain::policy::Situation;
use crate::domain::reader::CreditBand;
use crate::store::offline_blocks::{BlockNumbers, StockRow};
use crate::store::tx::ReadTx;

/// Lines of the block list in one answer.
const BLOCKS: i64 = 5000;

/// Revocations in one answer.
const REVOCATIONS: i64 = 1000;

/// The pack, or what changed of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct OfflinePack {
    /// Our clock (UTC).
    #[schema(example = "2026-03-04T04:00:00Z")]
    pub server_time: DateTime<Utc>,
    /// Keep it, and ask with it the next time.
    #[schema(example = "12.3.7a0c41d29b5e6f80.4f53cda18c2baa0c.0")]
    pub cursor: String,
    /// There is more already: ask again at once.
    #[schema(example = false)]
    pub more: bool,
    /// Cards that may not borrow.
    pub blocked: BlockedCards,
    /// What electronic cards are verified with.
    pub keys: PackKeys,
    /// Electronic cards whose tokens were revoked.
    pub revocations: Vec<CardRevocation>,
    /// What the `aud` of a token may be here.
    #[schema(example = json!(["B1", "M1", "C1", "network"]))]
    pub scopes: Vec<String>,
    /// Only where they changed: they replace all others.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rules: Option<PackRules>,
    /// What it has inside, whole, only where it changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub stock: Option<Vec<PackStock>>,
}

/// Cards that may not borrow, as hashes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct BlockedCards {
    /// True: forget all others.
    #[schema(example = false)]
    pub reset: bool,
    /// What the hashes are salted with, in hexadecimal; empty while there are none.
    #[schema(example = "5f1d0e8a7c3b2a190817263544536271")]
    pub salt: String,
    /// Blocked from now on: the first 8 bytes of SHA-256 of salt, a line feed and the number of the card, in hexadecimal.
    #[schema(example = json!(["9f86d081884c7d65"]))]
    pub add: Vec<String>,
    /// Not blocked any more.
    #[schema(example = json!(["60303ae22b998861"]))]
    pub remove: Vec<String>,
}

/// Where the keys of electronic cards are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PackKeys {
    /// Below this server.
    #[schema(example = "/.well-known/jwks.json")]
    pub path: String,
    /// Which there are; fetch them when one is new.
    #[schema(example = json!(["Q2FyZEtleQ"]))]
    pub key_ids: Vec<String>,
}

/// The rules of this place, as what they come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PackRules {
    /// Another one: everything is different.
    #[schema(example = "7a0c41d29b5e6f80")]
    pub version: String,
    /// One line for each category, item type and owner.
    pub terms: Vec<PackTerms>,
}

/// What a reader of a category may do with an item here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PackTerms {
    /// Of the reader.
    #[schema(example = "adult")]
    pub category: String,
    /// Of the item.
    #[schema(example = "book")]
    pub item_type: String,
    /// Whose item it is.
    #[schema(example = "B1")]
    pub owner_unit_code: String,
    /// Whether it may be lent.
    #[schema(example = true)]
    pub lendable: bool,
    /// For how many days.
    #[schema(example = 30)]
    pub loan_days: u16,
    /// How often it may be renewed.
    #[schema(example = 1)]
    pub renewals: u16,
    /// How many the reader may have at most, by the tightest limit; absent: no limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 10)]
    pub most_loans: Option<i64>,
}

/// Something in a compartment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct PackStock {
    /// Number of the compartment.
    #[schema(example = 12)]
    pub compartment: i32,
    /// What is known of its inside.
    #[schema(example = "occupied")]
    pub state: String,
    /// Number of the item.
    #[schema(example = 1043)]
    pub item_id: i64,
    /// What is printed on it.
    #[schema(example = "0100001234567")]
    pub item_barcode: String,
    /// The identifier of its RFID tag.
    #[schema(example = "E0040150000004A1")]
    pub item_tag: Option<String>,
    /// Of its bib.
    #[schema(example = "三国演义")]
    pub title: String,
    /// Whose it is.
    #[schema(example = "B1")]
    pub owner_unit_code: String,
    /// Its type.
    #[schema(example = "book")]
    pub item_type: String,
}

/// Where a device stands, as the cursor says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Known {
    block: i64,
    revocation: i64,
    rules: String,
    stock: String,
    /// While a snapshot goes on: the last number when it began. What was forgotten before then was never in it.
    base: i64,
}

impl Known {
    fn read(cursor: &str) -> Option<Self> {
        let mut parts = cursor.split('.');
        let known = Self {
            block: parts.next()?.parse().ok()?,
            revocation: parts.next()?.parse().ok()?,
            rules: parts.next()?.to_owned(),
            stock: parts.next()?.to_owned(),
            base: parts.next()?.parse().ok()?,
        };
        parts.next().is_none().then_some(known)
    }

    fn text(&self) -> String {
        format!(
            "{}.{}.{}.{}.{}",
            self.block, self.revocation, self.rules, self.stock, self.base
        )
    }

    /// Whether what changed since can be told: it is not of a database that was restored from a backup, and not too old. Lines of a
    /// snapshot that goes on are as old as they are blocked.
    fn fits(&self, numbers: &BlockNumbers, last_revocation: i64) -> bool {
        (0..=numbers.last).contains(&self.block)
            && (0..=numbers.last).contains(&self.base)
            && self.block.max(self.base) >= numbers.first
            && (0..=last_revocation).contains(&self.revocation)
    }

    /// What the next part of a snapshot is held against.
    fn base(known: Option<&Self>, numbers: &BlockNumbers, more: bool) -> i64 {
        let base = known.map_or(numbers.last, |known| known.base);
        if more { base } else { 0 }
    }
}

/// The pack of the calling device; with the cursor of an answer before, what changed since. A cursor that is too old or none of ours is
/// answered with everything.
///
/// # Errors
/// `Forbidden` for whoever is no device at work; a failure of the store.
pub async fn get_offline_pack(
    store: &Arc<Store>,
    cards: &Arc<CardTokens>,
    caller: &Caller,
    cursor: Option<String>,
) -> Result<OfflinePack> {
    caller.require_somewhere(Right::OperateDevice)?;
    let key_ids = cards
        .published(store.clock().now())
        .into_iter()
        .map(|key| key.kid)
        .collect();
    let keys = PackKeys {
        path: "/.well-known/jwks.json".to_owned(),
        key_ids,
    };
    let caller = caller.clone();
    store
        .read(move |tx| {
            let device = acting_device(tx, &caller, None)?;
            pack(tx, &device, cursor.as_deref().and_then(Known::read), keys)
        })
        .await
}

fn pack(tx: &mut ReadTx<'_>, device: &ActingDevice, known: Option<Known>, keys: PackKeys) -> Result<OfflinePack> {
    let network = tx.network()?;
    let numbers = tx.block_numbers()?;
    let last_revocation = tx.last_card_revocation()?;
    let known = known.filter(|known| known.fits(&numbers, last_revocation));
    let from = known.as_ref().map_or(0, |known| known.block);
    let mut rows = tx.blocks_after(from, known.is_none(), BLOCKS + 1)?;
    let more_blocks = cut(&mut rows, BLOCKS);
    let block = rows.last().filter(|_| more_blocks).map_or(numbers.last, |row| row.seq);
    let after = known.as_ref().map_or(0, |known| known.revocation);
    let mut revoked = tx.card_revocations_after(after, REVOCATIONS + 1)?;
    let more_revoked = cut(&mut revoked, REVOCATIONS);
    let revocation = revoked
        .last()
        .filter(|_| more_revoked)
        .map_or(last_revocation, |row| row.seq);
    let stock = tx.stock_of_device(device.id)?;
    let (rules, stock) = (rules(&network, device, &stock), shown(&network, &stock));
    let stands = Known {
        block,
        revocation,
        rules: rules.version.clone(),
        stock: digest(&stock),
        base: Known::base(known.as_ref(), &numbers, more_blocks),
    };
    let same = |part: fn(&Known) -> &String| known.as_ref().is_some_and(|known| part(known) == part(&stands));
    let of = |blocked: bool| {
        let lines = rows.iter().filter(move |row| row.blocked == blocked);
        lines.map(|row| hex(&row.card_hash)).collect()
    };
    Ok(OfflinePack {
        server_time: tx.now(),
        cursor: stands.text(),
        more: more_blocks || more_revoked,
        blocked: BlockedCards {
            reset: known.is_none(),
            salt: numbers.salt.as_deref().map(hex).unwrap_or_default(),
            add: of(true),
            remove: of(false),
        },
        keys,
        revocations: revoked
            .into_iter()
            .map(|row| CardRevocation {
                card_id: row.card_id,
                void_until: from_millis(row.void_until),
            })
            .collect(),
        scopes: scopes(&network, device.unit).into_iter().map(str::to_owned).collect(),
        rules: (!same(|known| &known.rules)).then_some(rules),
        stock: (!same(|known| &known.stock)).then_some(stock),
    })
}

/// Cuts a page; answers whether there is more.
fn cut<T>(rows: &mut Vec<T>, most: i64) -> bool {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let more = rows.len() > most;
    rows.truncate(most);
    more
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn digest<T: Serialize>(part: &T) -> String {
    let text = serde_json::to_vec(part).unwrap_or_default();
    hex(&Sha256::digest(text)[..8])
}

/// What the rules come to at this unit and channel: for the owners of what it has inside, and for its own unit.
fn rules(network: &Network, device: &ActingDevice, stock: &[StockRow]) -> PackRules {
    let mut owners: BTreeSet<UnitId> = stock.iter().map(|row| UnitId::new(row.owner_unit_id)).collect();
    owners.insert(device.unit);
    let mut terms = Vec::new();
    for category in network.categories() {
        for item_type in network.item_types().iter() {
            for owner in &owners {
                let situation = Situation {
                    unit: device.unit,
                    category: category.id,
                    item_type: item_type.id,
                    owner: *owner,
                    channel: device.kind.journal_channel(),
                    band: CreditBand::B,
                };
                let won = network.winner(&situation).terms;
                terms.push(PackTerms {
                    category: category.code.clone(),
                    item_type: item_type.code.clone(),
                    owner_unit_code: unit_code(network, owner.get()),
                    lendable: won.lendable,
                    loan_days: won.loan_days,
                    renewals: won.renewals,
                    most_loans: most_loans(network, &situation),
                });
            }
        }
    }
    PackRules {
        version: digest(&terms),
        terms,
    }
}

/// The tightest limit of somebody who has nothing.
fn most_loans(network: &Network, situation: &Situation) -> Option<i64> {
    let usage = Usage {
        loans: &[],
        except_loan: None,
        session: None,
        now: DateTime::<Utc>::UNIX_EPOCH,
        debt_fen: 0,
        holds: 0,
        hold_types: &[],
        holds_of_bib: 0,
        holds_today: 0,
    };
    let limits = network.limits(situation, &[LimitKind::Loans], &usage);
    limits.iter().map(|state| state.row.max).min()
}

fn shown(network: &Network, stock: &[StockRow]) -> Vec<PackStock> {
    let types = network.item_types();
    let line = |row: &StockRow| PackStock {
        compartment: row.number,
        state: row.state.clone(),
        item_id: row.item_id,
        item_barcode: row.barcode.clone(),
        item_tag: row.tag.clone(),
        title: row.title.clone(),
        owner_unit_code: unit_code(network, row.owner_unit_id),
        item_type: types
            .get(crate::domain::ids::ItemTypeId::new(row.item_type_id))
            .map(|found| found.code.clone())
            .unwrap_or_default(),
    };
    stock.iter().map(line).collect()
}

#[cfg(test)]
mod tests;
