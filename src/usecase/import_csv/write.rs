//! Judging a chunk and storing what is new, in one short transaction. The judgement falls inside it: what was created a
//! moment ago is found. A dry run judges in the same way and stores nothing.

use std::sync::{Arc, PoisonError, RwLock};

use chrono::NaiveDate;
use serde_json::{Value, json};

use super::super::{Result, UseCaseError, record};
use super::fields::{Fields, Seen};
use super::lookup::{World, cells};
use super::read::Row;
use super::{CsvOptions, CsvReport, Kind, Rejection, cards, deposits, items, loans, readers};
use crate::clock::from_millis;
use crate::domain::event::{AgeBand, EventKind};
use crate::domain::ids::{BibId, CategoryId, ItemId, ItemTypeId, LoanId, UnitId};
use crate::domain::item::ItemStatus;
use crate::store::bulk::{LoanWithEnd, PastVisits};
use crate::store::events::{Event, SYSTEM_CHANNEL};
use crate::store::ids::IdRun;
use crate::store::imports::{BatchRow, ImportRow, KnownItem, KnownReader, NewDeposit};
use crate::store::items::NewItem;
use crate::store::loans::NewLoan;
use crate::store::readers::{NewCard, NewReader};
use crate::store::tx::{ReadTx, WriteTx};
use crate::store::{Store, StoreError};

/// Ids a row may use up: the thing, its card, its event.
const IDS_PER_ROW: i64 = 3;

/// What becomes of a row without faults.
pub(super) enum Judged {
    New(Box<NewWith>),
    /// There already, and the same.
    Known,
}

/// Something new, and what the other system called it.
#[derive(Clone)]
pub(super) struct NewWith {
    pub old_id: Option<String>,
    pub new: New,
}

/// What a row makes; ids are set when it is written.
#[derive(Clone)]
pub(super) enum New {
    Reader {
        reader: NewReader,
        card: NewCard,
        category: CategoryId,
        born: Option<NaiveDate>,
        home: UnitId,
    },
    Card {
        card: NewCard,
        reader: KnownReader,
    },
    Item {
        item: NewItem,
        clc_class: Option<String>,
    },
    Loan {
        loan: NewLoan,
        item: KnownItem,
        reader: KnownReader,
    },
    Deposit {
        row: NewDeposit,
        reader: KnownReader,
    },
}

/// What became of a chunk.
#[derive(Default)]
struct Verdicts {
    new: Vec<(u64, NewWith)>,
    unchanged: u64,
    wrong: Vec<Vec<Rejection>>,
    /// What its good rows claim.
    seen: Seen,
}

/// Where chunks go.
pub(super) struct Target {
    store: Arc<Store>,
    kind: Kind,
    owner: UnitId,
    dry_run: bool,
    batch: BatchRow,
    made: bool,
    seen: Arc<RwLock<Seen>>,
}

impl Target {
    pub(super) async fn new(store: &Arc<Store>, options: CsvOptions, owner: UnitId, file_name: String) -> Result<Self> {
        let id = if options.dry_run {
            0
        } else {
            store.take_ids::<UseCaseError>(1).await?.next()
        };
        Ok(Self {
            store: Arc::clone(store),
            kind: options.kind,
            owner,
            dry_run: options.dry_run,
            batch: BatchRow {
                id,
                kind: options.kind.code().to_owned(),
                owner_unit_id: owner.get(),
                file_name,
                created_at: store.clock().now().timestamp_millis(),
                undone_at: None,
                made: 0,
            },
            made: false,
            seen: Arc::default(),
        })
    }

    /// The batch, once it has made anything.
    pub(super) fn batch(&self) -> Option<i64> {
        self.made.then_some(self.batch.id)
    }

    /// Takes a chunk. If the database turns it down, its rows go one by one, and only the bad one is rejected.
    pub(super) async fn take(&mut self, rows: Vec<Row>, report: &mut CsvReport) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let rows = Arc::new(rows);
        match self.write(Arc::clone(&rows)).await {
            Ok(verdicts) => {
                let created = u64::try_from(verdicts.new.len()).unwrap_or(0);
                self.made |= created > 0 && !self.dry_run;
                report.created += created;
                report.unchanged += verdicts.unchanged;
                verdicts.wrong.into_iter().for_each(|faults| report.reject(faults));
                self.seen
                    .write()
                    .unwrap_or_else(PoisonError::into_inner)
                    .extend(verdicts.seen);
                Ok(())
            }
            Err(UseCaseError::Store(error @ (StoreError::Database(_) | StoreError::Conflict(_)))) => {
                if let [row] = rows.as_slice() {
                    report.reject(vec![Rejection {
                        row: row.line,
                        column: None,
                        reason: format!("the database does not take it: {error}"),
                        duplicate: false,
                    }]);
                    return Ok(());
                }
                for row in rows.iter() {
                    Box::pin(self.take(vec![row.clone()], report)).await?;
                }
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    async fn write(&self, rows: Arc<Vec<Row>>) -> Result<Verdicts> {
        let (kind, owner, seen) = (self.kind, self.owner, Arc::clone(&self.seen));
        if self.dry_run {
            return self.store.read(move |tx| judge(tx, kind, owner, &rows, &seen)).await;
        }
        let count = IDS_PER_ROW * i64::try_from(rows.len()).unwrap_or(0);
        let ids = self.store.take_ids::<UseCaseError>(count).await?;
        let (batch, made) = (self.batch.clone(), self.made);
        self.store
            .write(move |tx| {
                tx.lock_matching()?;
                if kind == Kind::Loans {
                    tx.lock_items_with_barcodes(&cells(&rows, "barcode"))?;
                }
                let verdicts = judge(tx, kind, owner, &rows, &seen)?;
                if !made && !verdicts.new.is_empty() {
                    tx.insert_import_batch(&batch)?;
                }
                apply(tx, &batch, &verdicts.new, ids.clone())?;
                Ok(verdicts)
            })
            .await
    }
}

fn judge(tx: &mut ReadTx<'_>, kind: Kind, owner: UnitId, rows: &[Row], seen: &RwLock<Seen>) -> Result<Verdicts> {
    let world = World::read(tx, kind, owner, rows)?;
    let before = seen.read().unwrap_or_else(PoisonError::into_inner);
    let mut verdicts = Verdicts::default();
    for row in rows {
        let mut fields = Fields::new(row, [&before, &verdicts.seen]);
        let judged = match kind {
            Kind::Readers => readers::judge(&mut fields, &world),
            Kind::Cards => cards::judge(&mut fields, &world),
            Kind::Items => items::judge(&mut fields, &world),
            Kind::Loans => loans::judge(&mut fields, &world),
            Kind::Deposits => deposits::judge(&mut fields, &world),
        };
        let Fields { faults, keys, .. } = fields;
        match judged {
            Some(judged) => {
                verdicts.seen.extend(keys.into_iter().map(|key| (key, row.line)));
                match judged {
                    Judged::New(new) => verdicts.new.push((row.line, *new)),
                    Judged::Known => verdicts.unchanged += 1,
                }
            }
            None => verdicts.wrong.push(faults),
        }
    }
    Ok(verdicts)
}

/// What is to be written of a chunk.
#[derive(Default)]
struct Rows<'n> {
    readers: Vec<NewReader>,
    cards: Vec<NewCard>,
    items: Vec<NewItem>,
    loans: Vec<LoanWithEnd>,
    deposits: Vec<NewDeposit>,
    memos: Vec<ImportRow>,
    events: Vec<Event<'n>>,
}

fn apply(tx: &mut WriteTx<'_>, batch: &BatchRow, new: &[(u64, NewWith)], mut ids: IdRun) -> Result<()> {
    let mut rows = Rows::default();
    for (line, one) in new {
        let subject_id = ids.next();
        let memo = rows.add(tx, batch.id, subject_id, &one.new, &mut ids);
        rows.memos.push(ImportRow {
            batch_id: batch.id,
            row_number: i64::try_from(*line).unwrap_or(i64::MAX),
            subject_id,
            old_id: one.old_id.clone(),
            memo: memo.to_string(),
        });
        if let New::Loan { loan, item, .. } = &one.new {
            let at = from_millis(loan.loaned_at.max(item.last_event_at));
            let step = (item.status, ItemStatus::OnLoan);
            record::place(tx, item.id, step, UnitId::new(loan.unit_id), at)?;
        }
    }
    tx.insert_readers(&rows.readers, &rows.cards)?;
    tx.insert_items(&rows.items)?;
    tx.insert_loans(&rows.loans)?;
    tx.insert_deposits(&rows.deposits)?;
    tx.insert_import_rows(batch.id, &rows.memos)?;
    Ok(tx.append_events(&mut ids, &PastVisits::new()?, &rows.events)?)
}

impl<'n> Rows<'n> {
    /// Adds what a row makes; answers what undoing it has to know.
    fn add(&mut self, tx: &ReadTx<'_>, batch: i64, id: i64, new: &'n New, ids: &mut IdRun) -> Value {
        let now = tx.now();
        let told = |kind, at, unit| Event::new(kind, at, unit, SYSTEM_CHANNEL).detail(json!({"import_batch": batch}));
        let of = |event: Event<'n>, reader: &KnownReader| {
            let band = AgeBand::on(reader.birth_date, tx.day_of(event.at));
            event.of_reader(reader.id, reader.category, band)
        };
        match new {
            New::Reader {
                reader,
                card,
                category,
                born,
                home,
            } => {
                let card_id = ids.next();
                self.readers.push(NewReader { id, ..reader.clone() });
                self.cards.push(NewCard {
                    id: card_id,
                    reader_id: id,
                    ..card.clone()
                });
                let band = AgeBand::on(*born, tx.day_of(now));
                let event = told(EventKind::ReaderRegistered, now, *home)
                    .of_reader(crate::domain::ids::ReaderId::new(id), *category, band)
                    .detail(json!({"home_unit_id": home, "import_batch": batch}));
                self.events.push(event);
                json!({"card": card_id})
            }
            New::Card { card, reader } => {
                self.cards.push(NewCard { id, ..card.clone() });
                self.events
                    .push(of(told(EventKind::CardIssued, now, reader.home), reader));
                json!({"reader": reader.id})
            }
            New::Item { item, clc_class } => {
                self.items.push(NewItem { id, ..item.clone() });
                let mut event = told(EventKind::ItemAdded, now, UnitId::new(item.home_unit_id));
                event.item = Some(ItemId::new(id));
                event.bib = Some(BibId::new(item.bib_id));
                event.owner = Some(UnitId::new(item.owner_unit_id));
                event.home = Some(UnitId::new(item.home_unit_id));
                event.item_type = Some(ItemTypeId::new(item.item_type_id));
                event.clc_class = clc_class.as_deref();
                event.detail = json!({"barcode": item.barcode, "import_batch": batch});
                self.events.push(event);
                json!({"at": item.last_event_at})
            }
            New::Loan { loan, item, reader } => {
                self.loans.push(open(loan, id));
                let at = from_millis(loan.loaned_at);
                let event = of(told(EventKind::LoanMade, at, UnitId::new(loan.unit_id)), reader);
                let detail = json!({"loan_id": LoanId::new(id), "import_batch": batch});
                self.events.push(of_item(event, item).detail(detail));
                json!({"due_at": loan.due_at, "renewals": loan.renewals, "from_unit": item.current,
                    "last_event_at": item.last_event_at})
            }
            New::Deposit { row, reader } => {
                self.deposits.push(NewDeposit { id, ..row.clone() });
                let event = of(
                    told(EventKind::ReaderChanged, now, UnitId::new(row.owner_unit_id)),
                    reader,
                );
                let detail = json!({"changed": "legacy_deposit", "import_batch": batch});
                self.events
                    .push(event.detail(detail).personal(json!({"amount_fen": row.amount_fen})));
                json!({"reader": reader.id})
            }
        }
    }
}

fn open(loan: &NewLoan, id: i64) -> LoanWithEnd {
    LoanWithEnd {
        loan: NewLoan { id, ..loan.clone() },
        closed_at: None,
        closed_how: None,
        return_unit_id: None,
    }
}

/// With what statistics keep of an item.
pub(in super::super) fn of_item<'a>(mut event: Event<'a>, item: &'a KnownItem) -> Event<'a> {
    event.item = Some(item.id);
    event.bib = Some(item.bib);
    event.owner = Some(item.owner);
    event.home = Some(item.home);
    event.item_type = Some(item.item_type);
    event.clc_class = item.clc_class.as_deref();
    event
}
