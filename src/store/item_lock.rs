//! The facts about one copy, read under its lock: what every circulation verb begins with.

use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::items::{parse_day, volume_of};
use super::loans::LoadedLoan;
use super::readers::band_from_code;
use super::schema::{bibs, compartments, holds, items, readers, transits};
use super::tx::WriteTx;
use crate::clock::from_millis;
use crate::domain::ids::{
    BibId, CategoryId, CollectionId, CompartmentId, HoldId, ItemId, ItemTypeId, ReaderId, TransitId, UnitId,
};
use crate::domain::item::{
    CapturedHold, ItemFacts, ItemStatus, Lending, OpenLoanOfItem, OpenTransit, TransitReason, Unscanned,
};
use crate::domain::network::Network;
use crate::domain::transit::TransitStatus;

/// Most owners a scanned barcode is listed for.
const AMBIGUOUS_LIMIT: i64 = 10;

#[derive(Debug, Clone, Queryable)]
struct ItemRow {
    id: i64,
    bib_id: i64,
    barcode: String,
    owner: i64,
    home: i64,
    current: i64,
    collection: Option<i64>,
    item_type: i64,
    status: String,
    not_for_loan: bool,
    min_age_years: Option<i32>,
    for_children: bool,
    alert_note: Option<String>,
    parts: i32,
    last_event_at: i64,
    volume: Option<String>,
    clear_number: Option<i32>,
    clear_since: Option<i64>,
    deposit_unit_id: Option<i64>,
    lending: String,
    bound_into: Option<i64>,
    created_at: i64,
    compartment: Option<i64>,
}

#[derive(Debug, Clone, Queryable)]
struct BibRow {
    title: String,
    clc_class: Option<String>,
    open_holds: i32,
}

macro_rules! item_columns {
    () => {
        (
            items::id,
            items::bib_id,
            items::barcode,
            items::owner_unit_id,
            items::home_unit_id,
            items::current_unit_id,
            items::collection_id,
            items::item_type_id,
            items::status,
            items::not_for_loan,
            items::min_age_years,
            items::for_children,
            items::alert_note,
            items::parts,
            items::last_event_at,
            items::volume,
            items::clear_number,
            items::clear_since,
            items::deposit_unit_id,
            items::lending,
            items::bound_into_item_id,
            items::created_at,
            compartments::table
                .filter(compartments::item_id.eq(items::id.nullable()))
                .select(compartments::id)
                .single_value(),
        )
    };
}

/// An item as a decision sees it, with what the answer shows of its bib.
#[derive(Debug, Clone)]
pub struct LoadedItem {
    pub facts: ItemFacts,
    pub title: String,
    /// The open loan with the snapshot its events need.
    pub loan: Option<LoadedLoan>,
    /// Open holds on the bib: when 0 no queue needs reading.
    pub open_holds_of_bib: u32,
    /// The compartment of a machine in which it lies, as far as is known.
    pub compartment: Option<CompartmentId>,
}

/// One of several items a barcode may mean.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub id: ItemId,
    pub bib_id: BibId,
    pub owner: UnitId,
    /// The rows as read under their locks, or by SQLite's one writer. Saves a statement.
    read: Option<Box<(ItemRow, BibRow)>>,
}

impl Candidate {
    /// An item known by its id; it is read when it is locked.
    pub fn known(id: ItemId, bib_id: BibId) -> Self {
        Self {
            id,
            bib_id,
            owner: UnitId::new(0),
            read: None,
        }
    }
}

/// The items that a filter finds, of every owner or of one, locked after their bibs.
macro_rules! locked_items {
    ($self:ident, $owner:ident, $found:expr) => {{
        // FROM bibs JOIN items: PostgreSQL locks in that order, bib before item, and re-reads both rows after waiting.
        let query = bibs::table
            .inner_join(items::table.on(items::bib_id.eq(bibs::id)))
            .filter($found)
            .order(items::owner_unit_id)
            .limit(AMBIGUOUS_LIMIT)
            .select((item_columns!(), (bibs::title, bibs::clc_class, bibs::open_holds)));
        let rows: Vec<(ItemRow, BibRow)> = match (&mut *$self.conn, $owner) {
            (AnyConnection::Sqlite(conn), None) => query.load(conn)?,
            (AnyConnection::Sqlite(conn), Some(owner)) => {
                query.filter(items::owner_unit_id.eq(owner.get())).load(conn)?
            }
            (AnyConnection::Postgres(conn), None) => query.for_no_key_update().load(conn)?,
            (AnyConnection::Postgres(conn), Some(owner)) => query
                .filter(items::owner_unit_id.eq(owner.get()))
                .for_no_key_update()
                .load(conn)?,
        };
        if rows.is_empty() && $self.is_postgres() {
            // A merge may have moved the item to another bib while this waited for the lock: then the join found nothing.
            let mut known = items::table.filter($found).count().into_boxed();
            if let Some(owner) = $owner {
                known = known.filter(items::owner_unit_id.eq(owner.get()));
            }
            if known.get_result::<i64>($self.conn)? > 0 {
                return Err(StoreError::Retry(diesel::result::Error::RollbackTransaction));
            }
        }
        Ok(rows
            .into_iter()
            .map(|rows| Candidate {
                owner: UnitId::new(rows.0.owner),
                id: ItemId::new(rows.0.id),
                bib_id: BibId::new(rows.0.bib_id),
                read: Some(Box::new(rows)),
            })
            .collect())
    }};
}

impl WriteTx<'_> {
    /// The items a scanned barcode may mean.
    pub fn items_by_barcode(&mut self, barcode: &str, owner: Option<UnitId>) -> Result<Vec<Candidate>, StoreError> {
        locked_items!(self, owner, items::barcode.eq(barcode))
    }

    /// The items a tag that was read may mean.
    pub fn items_by_tag(&mut self, tag: &str, owner: Option<UnitId>) -> Result<Vec<Candidate>, StoreError> {
        locked_items!(self, owner, items::rfid_tag.eq(tag))
    }

    /// Locks the item after its bib and reads both. `None`: no such item any more.
    pub fn lock_item(&mut self, candidate: Candidate, network: &Network) -> Result<Option<LoadedItem>, StoreError> {
        if let Some(rows) = candidate.read {
            let (row, bib) = *rows;
            return self.with_surroundings(row, bib, network).map(Some);
        }
        // FROM bibs JOIN items: PostgreSQL locks in that order, bib before item, and re-reads both rows after waiting.
        let query = bibs::table
            .inner_join(items::table.on(items::bib_id.eq(bibs::id)))
            .filter(items::id.eq(candidate.id.get()))
            .select((item_columns!(), (bibs::title, bibs::clc_class, bibs::open_holds)));
        let found: Option<(ItemRow, BibRow)> = match &mut *self.conn {
            AnyConnection::Sqlite(conn) => query.get_result(conn).optional()?,
            AnyConnection::Postgres(conn) => query.for_no_key_update().get_result(conn).optional()?,
        };
        let Some((row, bib)) = found else {
            // A merge moved it to another bib while this waited for the lock: then the join finds nothing.
            if self.is_postgres() && self.item_view(candidate.id)?.is_some() {
                return Err(StoreError::Retry(diesel::result::Error::RollbackTransaction));
            }
            return Ok(None);
        };
        // A merge may have moved the item between the look-up and the lock: the bib locked is then the wrong one.
        if row.bib_id != candidate.bib_id.get() {
            return Err(StoreError::Retry(diesel::result::Error::RollbackTransaction));
        }
        self.with_surroundings(row, bib, network).map(Some)
    }

    fn with_surroundings(&mut self, row: ItemRow, bib: BibRow, network: &Network) -> Result<LoadedItem, StoreError> {
        let status = ItemStatus::from_code(&row.status)
            .ok_or_else(|| StoreError::Corrupt(format!("item {} has the unknown status {}", row.id, row.status)))?;
        let may_be_lent = matches!(
            status,
            ItemStatus::OnLoan | ItemStatus::ClaimedReturned | ItemStatus::Lost | ItemStatus::NeedsAttention
        );
        let may_travel = matches!(
            status,
            ItemStatus::AwaitingDispatch | ItemStatus::InTransit | ItemStatus::Missing
        );
        // The states in which a copy may be set aside for a hold; `tongjie check` finds any other.
        let may_be_captured = matches!(
            status,
            ItemStatus::AwaitingDispatch | ItemStatus::InTransit | ItemStatus::OnHoldShelf
        );
        let return_policy = network.return_policy(row.collection.map(CollectionId::new), UnitId::new(row.home));
        let id = ItemId::new(row.id);
        let loan = if may_be_lent { self.open_loan(id)? } else { None };
        let transit = if may_travel { self.open_transit_of(id)? } else { None };
        let captured_for = if may_be_captured && bib.open_holds > 0 {
            captured_hold(self.conn, row.id)?
        } else {
            None
        };
        let home = row.deposit_unit_id.unwrap_or(row.home);
        let facts = ItemFacts {
            id,
            bib_id: BibId::new(row.bib_id),
            barcode: row.barcode,
            owner: UnitId::new(row.owner),
            home: UnitId::new(home),
            home_of_record: UnitId::new(row.home),
            deposit: row.deposit_unit_id.map(UnitId::new),
            current: UnitId::new(row.current),
            collection: row.collection.map(CollectionId::new),
            return_policy,
            floating_here: 0,
            item_type: ItemTypeId::new(row.item_type),
            status,
            lending: lending_of(row.id, &row.lending)?,
            bound_into: row.bound_into.map(ItemId::new),
            not_for_loan: row.not_for_loan,
            min_age_years: row.min_age_years.and_then(|years| u8::try_from(years).ok()),
            for_children: row.for_children,
            alert_note: row.alert_note,
            parts: u16::try_from(row.parts).unwrap_or(1),
            clc_class: bib.clc_class,
            volume: volume_of(row.volume.as_deref())?,
            unscanned: row.clear_since.map(|_| Unscanned {
                number: row.clear_number.and_then(|number| u32::try_from(number).ok()),
            }),
            added_at: from_millis(row.created_at),
            last_event_at: from_millis(row.last_event_at),
            open_loan: loan.as_ref().map(of_item),
            captured_for,
            transit,
        };
        Ok(LoadedItem {
            facts,
            title: bib.title,
            loan,
            open_holds_of_bib: u32::try_from(bib.open_holds).unwrap_or(0),
            compartment: row.compartment.map(CompartmentId::new),
        })
    }

    fn open_transit_of(&mut self, item: ItemId) -> Result<Option<OpenTransit>, StoreError> {
        let row: Option<(i64, i64, i64, String, String)> = transits::table
            .filter(transits::item_id.eq(item.get()).and(transits::closed_at.is_null()))
            .select((
                transits::id,
                transits::from_unit_id,
                transits::to_unit_id,
                transits::reason,
                transits::status,
            ))
            .get_result(self.conn)
            .optional()?;
        row.map(|(id, from, to, reason, status)| {
            let reason = TransitReason::from_code(&reason)
                .ok_or_else(|| StoreError::Corrupt(format!("transit {id} has the unknown reason {reason}")))?;
            Ok(OpenTransit {
                id: TransitId::new(id),
                from: UnitId::new(from),
                to: UnitId::new(to),
                reason,
                status: TransitStatus::from_code(&status)
                    .ok_or_else(|| StoreError::Corrupt(format!("transit {id} has the unknown status {status}")))?,
            })
        })
        .transpose()
    }
}

fn of_item(loaded: &LoadedLoan) -> OpenLoanOfItem {
    let loan = &loaded.loan;
    OpenLoanOfItem {
        id: loan.id,
        reader: loan.reader,
        loaned_at: loan.loaned_at,
        due_at: loan.due_at,
        unit: loan.unit,
        recalled_at: loan.recalled_at,
        unconfirmed: loan.unconfirmed,
    }
}

fn lending_of(item: i64, code: &str) -> Result<Lending, StoreError> {
    Lending::from_code(code).ok_or_else(|| StoreError::Corrupt(format!("item {item} has the unknown lending {code}")))
}

type CapturedRow = (
    i64,
    Option<i64>,
    i64,
    Option<i32>,
    Option<String>,
    Option<i64>,
    i64,
    String,
);

macro_rules! captured_columns {
    () => {
        (
            holds::id,
            holds::reader_id,
            holds::pickup_unit_id,
            holds::shelf_number,
            holds::shelf_until,
            holds::captured_item_id,
            readers::category_id,
            readers::credit_band,
        )
    };
}

fn captured_hold(conn: &mut AnyConnection, item: i64) -> Result<Option<CapturedHold>, StoreError> {
    let row: Option<CapturedRow> = holds::table
        .inner_join(readers::table.on(holds::reader_id.eq(readers::id.nullable())))
        .filter(holds::captured_item_id.eq(item).and(holds::closed_at.is_null()))
        .select(captured_columns!())
        .get_result(conn)
        .optional()?;
    Ok(row.map(captured_of).transpose()?.map(|(hold, _)| hold))
}

/// A hold in whatever state, with the item that is or was set aside for it.
pub(super) fn captured_hold_by_id(
    conn: &mut AnyConnection,
    hold: i64,
) -> Result<Option<(CapturedHold, Option<i64>)>, StoreError> {
    let row: Option<CapturedRow> = holds::table
        .inner_join(readers::table.on(holds::reader_id.eq(readers::id.nullable())))
        .filter(holds::id.eq(hold))
        .select(captured_columns!())
        .get_result(conn)
        .optional()?;
    row.map(captured_of).transpose()
}

fn captured_of(row: CapturedRow) -> Result<(CapturedHold, Option<i64>), StoreError> {
    let (id, reader, pickup, shelf_number, until, item, category, band) = row;
    let reader = reader.ok_or_else(|| StoreError::Corrupt(format!("open hold {id} without a reader")))?;
    let captured = CapturedHold {
        id: HoldId::new(id),
        reader: ReaderId::new(reader),
        pickup: UnitId::new(pickup),
        category: CategoryId::new(category),
        band: band_from_code(&band)?,
        shelf_number: shelf_number.and_then(|number| u32::try_from(number).ok()),
        expires_on: until.as_deref().map(parse_day).transpose()?,
    };
    Ok((captured, item))
}
