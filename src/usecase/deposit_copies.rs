//! The copies of a deposit, dealt with in short writes of their own: one that cannot be taken stops no other, and a deposit that
//! was cut short is carried on by whoever comes next. Its row is locked meanwhile, so nobody does a copy twice.
//! Not for: deciding (see `domain::deposit`).

use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use super::record::{self, Ledger};
use super::{Result, UseCaseError};
use crate::domain::check_in::Plan;
use crate::domain::deposit::{self, CopyState, DepositStatus, Placing, PullingBack, Why};
use crate::domain::event::EventKind;
use crate::domain::ids::{BibId, DepositId, DeviceId, ItemId, StaffId, TransitId, UnitId};
use crate::domain::item::{ItemFacts, ItemStatus, TransitReason};
use crate::domain::network::Network;
use crate::store::Store;
use crate::store::deposit_rows::OpenRow;
use crate::store::deposits::Deposit;
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::item_lock::Candidate;
use crate::store::transits::{NewTransit, TransitEnd};
use crate::store::tx::WriteTx;

/// Copies of one write: some milliseconds.
const COPIES_PER_WRITE: i64 = 20;
/// Ids a copy may use up: a journey and the events.
const IDS_PER_COPY: i64 = 5;

/// Who has it done, for the events.
#[derive(Debug, Clone, Copy)]
pub struct By {
    pub staff: Option<StaffId>,
    pub device: Option<DeviceId>,
    pub channel: &'static str,
}

impl By {
    /// A job.
    pub const SYSTEM: Self = Self {
        staff: None,
        device: None,
        channel: SYSTEM_CHANNEL,
    };

    pub(super) fn caller(caller: &super::Caller) -> Self {
        Self {
            staff: caller.staff(),
            device: caller.device(),
            channel: caller.channel().code(),
        }
    }
}

/// Deals with every copy that waits for it; answers how many there were.
///
/// # Errors
/// A failure of the store; what was done until then stays.
pub async fn carry_on(store: &Arc<Store>, id: DepositId, by: By) -> Result<i64> {
    let mut done = 0;
    loop {
        let ids = store
            .take_ids::<UseCaseError>(COPIES_PER_WRITE * IDS_PER_COPY + 1)
            .await?;
        let some = store.write(move |tx| some_copies(tx, id, by, ids.clone())).await?;
        if some == 0 {
            return Ok(done);
        }
        done += some;
    }
}

fn some_copies(tx: &mut WriteTx<'_>, id: DepositId, by: By, mut ids: IdRun) -> Result<i64> {
    let Some(deposit) = tx.lock_deposit(id)? else {
        return Ok(0);
    };
    let recalled = deposit.status == DepositStatus::Recalled;
    let rows = tx.deposit_rows_to_do(id, recalled, COPIES_PER_WRITE)?;
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    if rows.is_empty() {
        tx.end_deposit(id, tx.now())?;
        return Ok(0);
    }
    let network = tx.network()?;
    let mut known = Vec::with_capacity(rows.len());
    for row in rows {
        match item_of(tx, &deposit, &row)? {
            Ok((item, bib)) => known.push((bib, item, row)),
            Err(why) => tx.refuse_deposit_row(id, row.row_number, why)?,
        }
    }
    // Bibs before items, ascending, as everybody locks them.
    known.sort_by_key(|(bib, item, row)| (*bib, *item, row.row_number));
    let mut changed = count - i64::try_from(known.len()).unwrap_or(count);
    for (bib, item, row) in known {
        let candidate = Candidate::known(item, bib);
        changed += i64::from(one_copy(tx, &network, (&deposit, by), candidate, &row, &mut ids)?);
    }
    Ok(changed)
}

/// The item that a row means: of several with one barcode the one whose home the deposit is from.
fn item_of(
    tx: &mut WriteTx<'_>,
    deposit: &Deposit,
    row: &OpenRow,
) -> Result<std::result::Result<(ItemId, BibId), Why>> {
    let item = match row.item_id {
        Some(item) => ItemId::new(item),
        None => {
            let all = tx.homes_of_barcode(&row.barcode)?;
            let mut here = all.iter().filter(|(_, home)| *home == deposit.from);
            match (here.next(), here.next()) {
                (Some((item, _)), None) => *item,
                (Some(_), Some(_)) => return Ok(Err(Why::Ambiguous)),
                (None, _) if all.is_empty() => return Ok(Err(Why::Unknown)),
                (None, _) => return Ok(Err(Why::NotFromHere)),
            }
        }
    };
    let bib = tx.item_and_bib(item)?.map(|(_, bib)| bib);
    Ok(bib.map(|bib| (item, bib)).ok_or(Why::Unknown))
}

fn one_copy(
    tx: &mut WriteTx<'_>,
    network: &Network,
    (deposit, by): (&Deposit, By),
    candidate: Candidate,
    row: &OpenRow,
    ids: &mut IdRun,
) -> Result<bool> {
    let Some(item) = tx.lock_item(candidate, network)? else {
        tx.refuse_deposit_row(deposit.id, row.row_number, Why::Unknown)?;
        return Ok(true);
    };
    let now = record::now_for(tx, &item.facts);
    let mut hand = Hand {
        tx,
        deposit,
        by,
        item: &item.facts,
        row: row.row_number,
        now,
        ids,
    };
    if row.state != CopyState::Pending.code() {
        return hand.pull_back(row.state == CopyState::Out.code());
    }
    let placed = match deposit.status {
        DepositStatus::Open => deposit::place(&item.facts, deposit.from, deposit.to),
        DepositStatus::Recalled | DepositStatus::Ended => Err(Why::TooLate),
    };
    match placed {
        Ok(placing) => hand.place(placing)?,
        Err(why) => hand.tx.refuse_deposit_row(deposit.id, row.row_number, why)?,
    }
    Ok(true)
}

/// One copy in hand, under its lock.
struct Hand<'a, 'tx> {
    tx: &'a mut WriteTx<'tx>,
    deposit: &'a Deposit,
    by: By,
    item: &'a ItemFacts,
    row: i32,
    now: DateTime<Utc>,
    ids: &'a mut IdRun,
}

impl Hand<'_, '_> {
    fn place(&mut self, placing: Placing) -> Result<()> {
        let to = self.deposit.to;
        self.append(
            EventKind::ItemDeposited,
            self.deposit.from,
            json!({"deposit_id": self.deposit.id, "to_unit_id": to}),
        )?;
        if let Placing::Sends { from } = placing {
            self.send(from, to)?;
        }
        self.keep(CopyState::Out, Some(to))
    }

    /// Whether that changed anything: a copy that was `out` is recalled at least.
    fn pull_back(&mut self, out: bool) -> Result<bool> {
        let home = self.item.home_of_record;
        match deposit::pull_back(self.item) {
            PullingBack::Ends(state) => {
                self.end(state)?;
                return Ok(true);
            }
            PullingBack::StaysHome { calls_off } => {
                self.call_off(calls_off)?;
                self.stands(ItemStatus::OnShelf, home)?;
                self.end(CopyState::Returned)?;
                return Ok(true);
            }
            PullingBack::Sends { from, calls_off } => {
                if let Some(transit) = calls_off {
                    self.call_off(transit)?;
                }
                self.send(from, home)?;
            }
            PullingBack::GoesLater if !out => return Ok(false),
            PullingBack::GoesLater => {}
        }
        self.keep(CopyState::Recalled, Some(home))?;
        Ok(true)
    }

    fn end(&mut self, state: CopyState) -> Result<()> {
        let detail = json!({"deposit_id": self.deposit.id, "state": state});
        self.append(EventKind::ItemDepositEnded, self.item.home_of_record, detail)?;
        self.keep(state, None)
    }

    fn keep(&mut self, state: CopyState, unit: Option<UnitId>) -> Result<()> {
        self.tx
            .set_deposit_row(self.deposit.id, self.row, self.item.id, state, self.now)?;
        Ok(self.tx.set_deposit_unit(self.item.id, unit)?)
    }

    fn send(&mut self, from: UnitId, to: UnitId) -> Result<()> {
        let id = TransitId::new(self.ids.next());
        let reason = TransitReason::Rotation;
        let transit = NewTransit {
            id,
            item: self.item.id,
            from,
            to,
            reason: reason.code(),
            hold: None,
        };
        self.tx.insert_transit(transit, self.now)?;
        self.stands(ItemStatus::AwaitingDispatch, from)?;
        let detail = json!({"transit_id": id, "to_unit_id": to, "reason": reason, "deposit_id": self.deposit.id});
        self.append(EventKind::TransitOpened, from, detail)
    }

    fn stands(&mut self, status: ItemStatus, current: UnitId) -> Result<()> {
        let step = (self.item.status, status);
        record::place(self.tx, self.item.id, step, current, self.now)
    }

    fn call_off(&mut self, transit: TransitId) -> Result<()> {
        self.tx.close_transit(transit, TransitEnd::Cancelled, self.now)?;
        self.append(
            EventKind::TransitCancelled,
            self.item.current,
            json!({"transit_id": transit}),
        )
    }

    fn append(&mut self, kind: EventKind, at: UnitId, detail: Value) -> Result<()> {
        let event = Event::new(kind, self.now, at, self.by.channel)
            .of_item(self.item)
            .by(self.by.staff, self.by.device)
            .detail(detail);
        Ok(self.tx.append_event(self.ids.next(), &event)?)
    }
}

/// A recalled copy that a check-in puts on the shelf of its home has come back.
pub(super) fn came_home(ledger: &mut Ledger<'_, '_>, plan: &Plan) -> Result<()> {
    let item = ledger.item;
    let home = plan.current == item.home_of_record && plan.item_status == ItemStatus::OnShelf;
    if item.is_recalled_from_deposit() && home {
        let deposit = leave(ledger.tx, item, CopyState::Returned, ledger.now)?;
        let detail = json!({"deposit_id": deposit, "state": CopyState::Returned});
        ledger.append(EventKind::ItemDepositEnded, detail)?;
    }
    Ok(())
}

/// An item is in its deposit no longer, under its lock; answers which that was.
pub(super) fn leave(
    tx: &mut WriteTx<'_>,
    item: &ItemFacts,
    state: CopyState,
    now: DateTime<Utc>,
) -> Result<Option<DepositId>> {
    let open = tx.open_row_of_item(item.id)?;
    if let Some((deposit, row)) = open {
        tx.set_deposit_row(deposit, row, item.id, state, now)?;
    }
    tx.set_deposit_unit(item.id, None)?;
    Ok(open.map(|(deposit, _)| deposit))
}
