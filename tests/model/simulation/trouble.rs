//! What nobody plans: two people at once, a node that dies, a clock that is wrong. Here, and only here, threads decide who
//! comes first; what the ledger knows of the copies is read again afterwards.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use tongjie::domain::ids::{HoldId, LoanId};
use tongjie::store::{Once, Store, StoreError};
use tongjie::usecase::cancel_hold::{CancelHold, cancel_hold};
use tongjie::usecase::check_in::{CheckIn, check_in};
use tongjie::usecase::check_out::{CheckOut, check_out};
use tongjie::usecase::place_hold::{PlaceHold, place_hold};
use tongjie::usecase::record::Consent;
use tongjie::usecase::renew_loan::{RenewLoan, renew_loan};
use tongjie::usecase::{Caller, IdempotencyKey, Result, UseCaseError};

use super::call::{is_declared, text};
use super::run::{Simulation, open, second_node};
use crate::database::Engine;

/// Something that may be done beside something else.
#[derive(Debug, Clone)]
enum Deed {
    Lend(CheckOut),
    TakeBack(CheckIn),
    Place(PlaceHold),
    Cancel(HoldId),
    Renew(LoanId),
}

type Answer = Result<Once<String>>;

impl Deed {
    async fn done(self, store: Arc<Store>, caller: Caller, key: IdempotencyKey) -> Answer {
        let (key, consent) = (Some(key), Consent::default());
        match self {
            Self::Lend(command) => check_out(&store, &caller, command, key).await.map(told),
            Self::TakeBack(command) => check_in(&store, &caller, command, key).await.map(told),
            Self::Place(command) => place_hold(&store, &caller, command, key).await.map(told),
            Self::Cancel(hold) => cancel_hold(&store, &caller, CancelHold { hold, consent }, key)
                .await
                .map(told),
            Self::Renew(loan) => renew_loan(
                &store,
                &caller,
                RenewLoan {
                    loan,
                    due_at: None,
                    consent,
                },
                key,
            )
            .await
            .map(told),
        }
    }
}

fn told<T: serde::Serialize>(once: Once<T>) -> Once<String> {
    Once {
        value: text(&once.value),
        replayed: once.replayed,
    }
}

/// A deed, who does it, and under which key.
#[derive(Debug, Clone)]
struct Call {
    deed: Deed,
    caller: Caller,
    key: IdempotencyKey,
}

impl Call {
    fn start(&self, store: &Arc<Store>) -> tokio::task::JoinHandle<Answer> {
        let (call, store) = (self.clone(), store.clone());
        tokio::spawn(call.deed.done(store, call.caller, call.key))
    }
}

impl Simulation {
    /// Something to do with a copy.
    fn deed(&mut self, item: usize) -> Call {
        let (unit, reader, bib) = (self.some_unit(), self.some_reader(), self.some_bib());
        let loan = self
            .ledger
            .out
            .get(&self.town.items[item].get())
            .map(|(loan, _)| LoanId::new(*loan));
        let hold = self.random.any(&self.open.holds).map(HoldId::new);
        let lend = Deed::Lend(CheckOut {
            item: self.town.barcodes[item].clone().into(),
            owner_unit_code: None,
            card: self.town.cards[reader].clone().into(),
            ward: None,
            due_at: None,
            consent: Consent::default(),
            dry_run: false,
        });
        let back = Deed::TakeBack(CheckIn {
            item: self.town.barcodes[item].clone().into(),
            owner_unit_code: None,
            returned_at: None,
            consent: Consent::default(),
        });
        let place = Deed::Place(PlaceHold {
            card_number: Some(self.town.cards[reader].clone()),
            bib: self.town.bibs[bib],
            item: None,
            volume: None,
            pickup_unit_code: self.town.units[unit].code.clone(),
            not_before: None,
            wanted_until: None,
            consent: Consent::default(),
        });
        let deed = match self.random.below(10) {
            0..=3 => lend,
            4..=6 => back,
            7 => hold.map_or(place, Deed::Cancel),
            8 => loan.map_or(lend, Deed::Renew),
            _ => place,
        };
        Call {
            deed,
            caller: self.town.desk(unit),
            key: self.key(),
        }
    }

    /// Two deeds on one copy at the same moment, or one deed sent twice at once, on two nodes where there are two.
    pub async fn at_once(&mut self) {
        let item = self
            .some_loan()
            .and_then(|(item, ..)| self.town.item(tongjie::domain::ids::ItemId::new(item)));
        let some = self.some_item();
        let item = item.filter(|_| self.random.percent(50)).unwrap_or(some);
        let first = self.deed(item);
        let twice = self.random.percent(30);
        let second = if twice { first.clone() } else { self.deed(item) };
        let (a, b) = (first.start(&self.store), second.start(&self.other));
        let answers = [a.await.expect("no panic"), b.await.expect("no panic")];
        if let [Ok(a), Ok(b)] = &answers {
            let lent_twice = matches!((&first.deed, &second.deed), (Deed::Lend(_), Deed::Lend(_)));
            if twice && (a.value != b.value || a.replayed == b.replayed) {
                self.violated(format!("sent twice at once, {first:?} was answered {a:?} and {b:?}"));
            } else if !twice && lent_twice {
                self.violated(format!("{first:?} and {second:?} both lent it: {a:?}, {b:?}"));
            }
        }
        for (call, answer) in [first, second].iter().zip(answers) {
            self.judge_at_once(call, answer);
        }
        self.read_again_after(&[item]);
    }

    /// "The same was done at the same time" is an answer here.
    fn judge_at_once(&mut self, call: &Call, answer: Answer) {
        if let Err(UseCaseError::Store(StoreError::Conflict(_))) = answer {
            self.operations += 1;
            self.counts.entry("at_once").or_default().refused += 1;
            return;
        }
        if let Some(once) = self.judge("at_once", answer) {
            self.note_deed(call, &once.value);
        }
    }

    fn note_deed(&mut self, call: &Call, value: &str) {
        match call.deed {
            Deed::Cancel(hold) => {
                self.ledger.cancelled.insert(hold.get());
                self.open.holds.retain(|one| *one != hold.get());
            }
            Deed::Place(_) => {
                let outcome: serde_json::Value = serde_json::from_str(value).expect("JSON");
                self.open.holds.extend(outcome["hold"]["id"].as_i64());
            }
            Deed::Lend(_) | Deed::TakeBack(_) | Deed::Renew(_) => {}
        }
    }

    fn read_again_after(&mut self, items: &[usize]) {
        let items: Vec<i64> = items.iter().map(|item| self.town.items[*item].get()).collect();
        self.read_again(&items);
    }

    /// Some deeds are under way when the node dies. What was answered is there afterwards; the rest is asked again under its key,
    /// and is then done exactly once.
    pub async fn crash(&mut self) {
        let items: Vec<usize> = (0..6).map(|_| self.some_item()).collect();
        let calls: Vec<Call> = items.iter().map(|item| self.deed(*item)).collect();
        let running: Vec<_> = calls.iter().map(|call| call.start(&self.store)).collect();
        tokio::time::sleep(Duration::from_micros(self.random.next() % 6_000)).await;
        let answered: Vec<bool> = running.iter().map(|one| one.is_finished()).collect();
        self.die();
        for (number, (call, task)) in calls.iter().zip(running).enumerate() {
            let before = task.await.expect("no panic");
            self.ask_again(call, before, answered[number]).await;
        }
        self.read_again_after(&items);
        self.counts.entry("crash").or_default().done += 1;
    }

    async fn ask_again(&mut self, call: &Call, before: Answer, answered: bool) {
        let again = call.start(&self.store).await.expect("no panic");
        let replayed = again.as_ref().is_ok_and(|once| once.replayed);
        match (&before, &again) {
            (Ok(first), Ok(second)) if answered && (!replayed || first.value != second.value) => {
                self.violated(format!(
                    "{call:?} was answered {first:?} before the crash and {second:?} after it"
                ));
            }
            (Ok(first), Err(error)) if answered => {
                self.violated(format!(
                    "{call:?} was answered {first:?} before the crash and met {error:?} after it"
                ));
            }
            (Err(error), _) if answered && !is_declared(error) && !is_lost(error) => {
                self.violated(format!("{call:?} met {error:?}"));
            }
            _ => {}
        }
        self.judge_at_once(call, again);
    }

    /// The node is gone and another begins with what is on the disk. On PostgreSQL its sessions end in the middle of what they
    /// do; the SQLite files are taken as they stand while the writer works, which is what a killed process leaves.
    fn die(&mut self) {
        match self.engine {
            Engine::Postgres => {
                self.db.outside().number(END_SESSIONS);
                self.store.close();
                self.other.close();
            }
            Engine::Sqlite => {
                let snapshot = Snapshot::take(self.db.file(), &mut self.db.outside());
                self.store.close();
                snapshot.put_in_place();
            }
        }
        self.store = open(&self.db, &self.clock);
        self.other = second_node(&self.db, &self.store, &self.clock);
    }

    /// The clock is put forward for good, or is wrong for the rest of the day.
    pub fn put_the_clock(&mut self) {
        match self.random.below(3) {
            0 => {
                let days = self.random.between(1, 5);
                self.jump(days);
            }
            1 => self.skew = -TimeDelta::minutes(self.random.between(1, 40 * 60)),
            _ => self.skew = TimeDelta::minutes(self.random.between(1, 12 * 24 * 60)),
        }
    }
}

/// Once, without waiting: the store connects again as soon as it can.
const END_SESSIONS: &str = "SELECT count(pg_terminate_backend(pid)) AS n FROM pg_stat_activity \
    WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()";

/// The connection went, and nobody knows what became of the call.
fn is_lost(error: &UseCaseError) -> bool {
    matches!(
        error,
        UseCaseError::Store(StoreError::Unavailable { .. } | StoreError::Busy | StoreError::Retry(_))
    )
}

/// The files of a SQLite database at one moment.
struct Snapshot {
    file: std::path::PathBuf,
}

impl Snapshot {
    /// A reader that stands still keeps the write-ahead log from being begun anew, so file and log fit together.
    fn take(file: std::path::PathBuf, reader: &mut crate::database::Outside) -> Self {
        reader.run("BEGIN");
        reader.number("SELECT count(*) AS n FROM units");
        let snapshot = Self { file };
        for part in ["", "-wal"] {
            let from = snapshot.part(part);
            if from.exists() {
                std::fs::copy(&from, snapshot.part(&format!("{part}.killed"))).expect("the file is copied");
            }
        }
        reader.run("ROLLBACK");
        snapshot
    }

    fn put_in_place(&self) {
        for part in ["", "-wal", "-shm"] {
            let (to, from) = (self.part(part), self.part(&format!("{part}.killed")));
            if to.exists() {
                std::fs::remove_file(&to).expect("the file goes");
            }
            if from.exists() {
                std::fs::rename(&from, &to).expect("the file comes");
            }
        }
    }

    fn part(&self, part: &str) -> std::path::PathBuf {
        let mut name = self.file.clone().into_os_string();
        name.push(part);
        name.into()
    }
}
