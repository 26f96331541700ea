//! A deposit is made: a batch of copies is to stand at another unit until a day. What was asked for is written down at once,
//! then each copy is dealt with by itself (see `deposit_copies`).

use std::sync::Arc;

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use super::deposit_copies::{By, carry_on};
use super::named::Wrong;
use super::once::once;
use super::{Caller, IdempotencyKey, Result, UseCaseError};
use crate::auth::Right;
use crate::domain::barcode::Barcode;
use crate::domain::deposit::{DepositStatus, MAX_DAYS, MAX_ITEMS, Why};
use crate::domain::event::EventKind;
use crate::domain::ids::{DepositId, ItemId, UnitId};
use crate::domain::network::Network;
use crate::domain::unit::UnitKind;
use crate::store::deposit_rows::{Asked, ShelfFilter};
use crate::store::deposits::Deposit;
use crate::store::events::Event;
use crate::store::idempotency::Outcome;
use crate::store::ids::IdRun;
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Once, Store};

/// What is asked for.
#[derive(Debug, Clone)]
pub struct CreateDeposit {
    pub from_unit_code: String,
    pub to_unit_code: String,
    pub until: NaiveDate,
    pub reason: String,
    pub copies: Copies,
}

/// Which copies.
#[derive(Debug, Clone)]
pub enum Copies {
    Barcodes(Vec<Barcode>),
    Items(Vec<ItemId>),
    Filter {
        collection_code: Option<String>,
        item_type: Option<String>,
        call_number_prefix: Option<String>,
        at_most: u16,
    },
}

/// A deposit that was made, and what became of each copy that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DepositMade {
    pub id: i64,
    #[schema(example = "M1")]
    pub from_unit_code: String,
    #[schema(example = "B01")]
    pub to_unit_code: String,
    /// The day on which it is pulled back, in the network's zone.
    #[schema(example = "2026-09-30")]
    pub until: NaiveDate,
    /// Copies that are taken into it.
    #[schema(example = 198)]
    pub taken: u32,
    /// Copies that are not; each row says why.
    #[schema(example = 2)]
    pub refused: u32,
    /// In the order they were asked for; those of a filter by their numbers.
    pub rows: Vec<DepositRow>,
}

/// One copy that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DepositRow {
    /// From 1.
    #[schema(example = 1)]
    pub row: i32,
    pub item_barcode: String,
    /// Absent where no copy was found.
    pub item_id: Option<i64>,
    /// It belongs to the deposit.
    #[schema(example = true)]
    pub taken: bool,
    /// Why not; the words stand at listDepositCopies.
    #[schema(example = "item_damaged")]
    pub why: Option<String>,
}

/// What stands under the key: that it was made. Its copies have states of their own.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Made {
    id: i64,
    until: NaiveDate,
}

impl Outcome for Made {}

/// Makes a deposit.
///
/// # Errors
/// `Forbidden` without the right over the stock of the unit it is from; `Invalid` naming every wrong field; a failure of the
/// store. What one copy met stands in its row.
pub async fn create_deposit(
    store: &Arc<Store>,
    caller: &Caller,
    command: CreateDeposit,
    key: Option<IdempotencyKey>,
) -> Result<Once<DepositMade>> {
    caller.require_somewhere(Right::ManageItems)?;
    let (who, wish) = (caller.clone(), command.clone());
    // Choosing reads much: before the write, which others wait for.
    let asked = store.read(move |tx| chosen(tx, &who, &wish)).await?;
    let made = once(store, caller, key, 2, (command, asked), apply).await?;
    let id = DepositId::new(made.value.id);
    carry_on(store, id, By::caller(caller)).await?;
    let until = made.value.until;
    let value = store.read(move |tx| answer(tx, id, until)).await?;
    Ok(Once {
        value,
        replayed: made.replayed,
    })
}

fn apply(
    tx: &mut WriteTx<'_>,
    caller: &Caller,
    (command, asked): &(CreateDeposit, Vec<Asked>),
    mut ids: IdRun,
) -> Result<Made> {
    let network = tx.network()?;
    let mut wrong = Wrong::default();
    let from = wrong.unit(&network, "from_unit_code", &command.from_unit_code);
    let from = match from {
        Some(unit) => unit.id,
        None => return Err(wrong.check().err().unwrap_or(UseCaseError::NotFound("unit"))),
    };
    caller.require(Right::ManageItems, from, &network)?;
    let to = destination(command, from, &network, &mut wrong);
    let now = tx.now();
    check_until(command.until, network.local_day(now), &mut wrong);
    check_copies(tx, command, asked.len(), from, &network, &mut wrong)?;
    wrong.check()?;
    let deposit = Deposit {
        id: DepositId::new(ids.next()),
        from,
        to: to.ok_or(UseCaseError::NotFound("unit"))?,
        until: command.until,
        reason: command.reason.clone(),
        status: DepositStatus::Open,
        version: 1,
        created_at: now,
        recalled_at: None,
        recall_reason: None,
        ended_at: None,
    };
    tx.insert_deposit(&deposit)?;
    tx.insert_deposit_rows(deposit.id, asked)?;
    let event = Event::new(EventKind::DepositCreated, now, from, caller.channel().code())
        .by(caller.staff(), caller.device())
        .detail(
            json!({"deposit_id": deposit.id, "to_unit_id": deposit.to, "until": deposit.until, "rows": asked.len()}),
        );
    tx.append_event(ids.next(), &event)?;
    Ok(Made {
        id: deposit.id.get(),
        until: deposit.until,
    })
}

fn destination(command: &CreateDeposit, from: UnitId, network: &Network, wrong: &mut Wrong) -> Option<UnitId> {
    let to = wrong.unit(network, "to_unit_code", &command.to_unit_code)?;
    if to.id == from {
        wrong.say("to_unit_code", "is the unit the copies are from");
    } else if !to.active || to.kind == UnitKind::Network {
        wrong.say("to_unit_code", "must be a unit that is in use");
    }
    Some(to.id)
}

/// The day of pulling back lies ahead, but not for ever.
pub(super) fn check_until(until: NaiveDate, today: NaiveDate, wrong: &mut Wrong) {
    let last = today.checked_add_days(chrono::Days::new(MAX_DAYS)).unwrap_or(today);
    if until <= today || until > last {
        wrong.say("until", format!("must lie after {today} and not after {last}"));
    }
}

fn check_copies(
    tx: &mut WriteTx<'_>,
    command: &CreateDeposit,
    count: usize,
    from: UnitId,
    network: &Network,
    wrong: &mut Wrong,
) -> Result<()> {
    let field = match &command.copies {
        Copies::Barcodes(_) => "item_barcodes",
        Copies::Items(_) => "item_ids",
        Copies::Filter {
            collection_code,
            item_type,
            ..
        } => {
            let mut known = true;
            if let Some(code) = collection_code
                && tx.collection_by_code(from, code)?.is_none()
            {
                known = false;
                wrong.say("filter.collection_code", "the unit has no collection with this code");
            }
            if let Some(code) = item_type {
                known &= wrong.item_type(network, "filter.item_type", code).is_some();
            }
            if !known {
                return Ok(());
            }
            "filter"
        }
    };
    if !(1..=MAX_ITEMS).contains(&count) {
        wrong.say(field, format!("means {count} copies, 1 to {MAX_ITEMS} are allowed"));
    }
    Ok(())
}

/// The copies that are meant, for who may choose; what is wrong with the wish is told by `apply`, which a repeated call does not
/// come to.
fn chosen(tx: &mut ReadTx<'_>, caller: &Caller, command: &CreateDeposit) -> Result<Vec<Asked>> {
    let network = tx.network()?;
    let from = network.units().by_code(&command.from_unit_code).map(|unit| unit.id);
    let Some(from) = from.filter(|unit| caller.may(Right::ManageItems, *unit, &network)) else {
        return Ok(Vec::new());
    };
    let manages = |owner: UnitId| caller.may(Right::ManageItems, owner, &network);
    match &command.copies {
        Copies::Barcodes(barcodes) => {
            let each = barcodes.iter();
            each.map(|barcode| by_barcode(tx, barcode.as_str(), from, &manages))
                .collect()
        }
        Copies::Items(items) => items.iter().map(|item| by_number(tx, *item, from, &manages)).collect(),
        Copies::Filter {
            collection_code,
            item_type,
            call_number_prefix,
            at_most,
        } => {
            let everything = network.units().root().is_some_and(|root| manages(root.id));
            let units = network.units().iter().map(|unit| unit.id);
            let mut filter = ShelfFilter {
                owners: (!everything).then(|| units.filter(|unit| manages(*unit)).collect()),
                call_number_prefix: call_number_prefix.clone(),
                at_most: i64::from(*at_most),
                ..ShelfFilter::default()
            };
            if let Some(code) = collection_code {
                filter.collection = tx.collection_by_code(from, code)?;
            }
            if let Some(code) = item_type {
                filter.item_type = network.item_types().by_code(code).map(|one| one.id);
            }
            Ok(tx.copies_at_home(from, &filter)?)
        }
    }
}

/// Several copies with one barcode at one home are told apart, or refused, when it comes to them.
fn by_barcode(tx: &mut ReadTx<'_>, barcode: &str, from: UnitId, manages: &impl Fn(UnitId) -> bool) -> Result<Asked> {
    let owners = tx.owners_of_barcode(barcode, from)?;
    let foreign = matches!(owners.as_slice(), [owner] if !manages(*owner));
    Ok(Asked {
        barcode: barcode.to_owned(),
        item: None,
        refused: foreign.then_some(Why::OwnedElsewhere),
    })
}

/// A barcode holds no blank: what stands for an unknown number meets none.
fn by_number(tx: &mut ReadTx<'_>, item: ItemId, from: UnitId, manages: &impl Fn(UnitId) -> bool) -> Result<Asked> {
    Ok(match tx.item_view(item)? {
        Some(found) => Asked {
            barcode: found.barcode,
            item: Some(item),
            refused: (found.home_unit_id == from.get() && !manages(UnitId::new(found.owner_unit_id)))
                .then_some(Why::OwnedElsewhere),
        },
        None => Asked {
            barcode: format!("item {item}"),
            item: None,
            refused: None,
        },
    })
}

fn answer(tx: &mut ReadTx<'_>, id: DepositId, until: NaiveDate) -> Result<DepositMade> {
    let network = tx.network()?;
    let deposit = tx.deposit(id)?.ok_or(UseCaseError::NotFound("deposit"))?;
    let limit = i64::try_from(MAX_ITEMS).unwrap_or(i64::MAX);
    let rows = tx.deposit_copies(id, 0, limit)?.into_iter().map(|row| DepositRow {
        row: row.row_number,
        item_barcode: row.barcode,
        item_id: row.item_id,
        taken: row.why.is_none(),
        why: row.why,
    });
    let rows: Vec<DepositRow> = rows.collect();
    let count = |taken| u32::try_from(rows.iter().filter(|row| row.taken == taken).count()).unwrap_or(u32::MAX);
    Ok(DepositMade {
        id: id.get(),
        from_unit_code: super::view::unit_code(&network, deposit.from.get()),
        to_unit_code: super::view::unit_code(&network, deposit.to.get()),
        until,
        taken: count(true),
        refused: count(false),
        rows,
    })
}
