//! At the desk, at the machine, from home: lending, returning, renewing, and what goes wrong with loans.

use tongjie::domain::ids::{ItemId, LoanId};
use tongjie::domain::recall::Guarantee;
use tongjie::usecase::check_in::{CheckIn, check_in};
use tongjie::usecase::check_out::{CheckOut, check_out};
use tongjie::usecase::claim_returned::{ClaimReturned, claim_returned, reject_claim};
use tongjie::usecase::declare_lost::{DeclareLost, declare_lost};
use tongjie::usecase::recall_item::{RecallItem, recall_item};
use tongjie::usecase::record::Consent;
use tongjie::usecase::renew_loan::{RenewLoan, renew_loan};
use tongjie::usecase::void_loan::{VoidLoan, void_loan};

use super::run::Simulation;

impl Simulation {
    pub fn some_unit(&mut self) -> usize {
        self.random.below(self.town.units.len())
    }

    pub fn some_item(&mut self) -> usize {
        self.random.below(self.town.items.len())
    }

    pub fn some_reader(&mut self) -> usize {
        self.random.below(self.town.readers.len())
    }

    /// An open loan: its copy, itself and its reader.
    pub fn some_loan(&mut self) -> Option<(i64, i64, i64)> {
        let out: Vec<_> = self
            .ledger
            .out
            .iter()
            .map(|(item, (loan, reader))| (*item, *loan, *reader))
            .collect();
        self.random.any(&out)
    }

    pub async fn lend(&mut self, item: usize, reader: usize, unit: usize) {
        let caller = if self.random.percent(10) {
            self.town.kiosk()
        } else {
            self.town.desk(unit)
        };
        let command = CheckOut {
            item: self.town.barcodes[item].clone().into(),
            owner_unit_code: None,
            card: self.town.cards[reader].clone().into(),
            ward: None,
            due_at: None,
            consent: Consent::default(),
            dry_run: self.random.percent(5),
        };
        self.rehearsing = command.dry_run;
        let lent = self
            .insist("check_out", |store, consent, key| {
                let (caller, command) = (
                    caller.clone(),
                    CheckOut {
                        consent,
                        ..command.clone()
                    },
                );
                async move { check_out(&store, &caller, command, key).await }
            })
            .await;
        if let Some((outcome, confirmed)) = lent
            && let Some(loan) = outcome.loan.filter(|_| !outcome.dry_run)
        {
            self.note_loan(&loan, confirmed);
            if self.random.percent(5) {
                self.void_loan(loan.item_id, loan.id).await;
            }
        }
    }

    /// Anybody's copy, mostly where it is.
    pub async fn lend_something(&mut self) {
        let (item, reader) = (self.some_item(), self.some_reader());
        let unit = self.where_is(item).await;
        self.lend(item, reader, unit).await;
    }

    pub async fn take_back(&mut self, item: usize, unit: usize) {
        let caller = if self.random.percent(15) {
            self.town.kiosk()
        } else {
            self.town.desk(unit)
        };
        let hours = self.random.between(1, 30);
        let earlier = self
            .random
            .percent(15)
            .then(|| self.now() - chrono::TimeDelta::hours(hours));
        let command = CheckIn {
            item: self.town.barcodes[item].clone().into(),
            owner_unit_code: None,
            returned_at: earlier,
            consent: Consent::default(),
        };
        let back = self
            .insist("check_in", |store, consent, key| {
                let (caller, command) = (
                    caller.clone(),
                    CheckIn {
                        consent,
                        ..command.clone()
                    },
                );
                async move { check_in(&store, &caller, command, key).await }
            })
            .await;
        if let Some((outcome, _)) = back {
            self.note_return("check_in", &outcome);
        }
    }

    /// What is out, at any unit; sometimes what is not out at all.
    pub async fn return_something(&mut self) {
        let unit = self.some_unit();
        let out = self
            .some_loan()
            .and_then(|(item, ..)| self.town.item(ItemId::new(item)));
        let item = match out.filter(|_| !self.random.percent(15)) {
            Some(item) => item,
            None => self.some_item(),
        };
        self.take_back(item, unit).await;
    }

    pub async fn renew(&mut self) {
        let Some((_, loan, reader)) = self.some_loan() else {
            return;
        };
        let unit = self.some_unit();
        let own = self.town.readers.iter().position(|one| one.get() == reader);
        let caller = match own.filter(|_| self.random.percent(60)) {
            Some(reader) => self.town.reader(reader),
            None => self.town.desk(unit),
        };
        let renewed = self
            .insist("renew_loan", |store, consent, key| {
                let (caller, loan) = (caller.clone(), LoanId::new(loan));
                let command = RenewLoan {
                    loan,
                    due_at: None,
                    consent,
                };
                async move { renew_loan(&store, &caller, command, key).await }
            })
            .await;
        if let Some((outcome, _)) = renewed
            && outcome.loan.due_at < outcome.loan.loaned_at
        {
            self.violated(format!("a renewed loan is due before it was made: {:?}", outcome.loan));
        }
    }

    pub async fn void(&mut self) {
        if let Some((item, loan, _)) = self.some_loan() {
            self.void_loan(item, loan).await;
        }
    }

    async fn void_loan(&mut self, item: i64, loan: i64) {
        let unit = self.some_unit();
        let caller = self.town.system(unit);
        let undone = self
            .insist("void_loan", |store, consent, key| {
                let (caller, loan) = (caller.clone(), LoanId::new(loan));
                let command = VoidLoan {
                    loan,
                    reason: "柜门卡住".to_owned(),
                    consent,
                };
                async move { void_loan(&store, &caller, command, key).await }
            })
            .await;
        if undone.is_some() {
            self.note_end("void_loan", item, loan);
        }
    }

    pub async fn claim(&mut self) {
        let Some((_, loan, _)) = self.some_loan() else { return };
        let unit = self.some_unit();
        let (caller, loan) = (self.town.desk(unit), LoanId::new(loan));
        if self.random.percent(70) {
            let returned_at = self.random.percent(50).then(|| self.now() - chrono::TimeDelta::days(2));
            let command = ClaimReturned {
                loan,
                returned_at,
                note: None,
            };
            self.call("claim_returned", |store, key| {
                let (caller, command) = (caller.clone(), command.clone());
                async move { claim_returned(&store, &caller, command, key).await }
            })
            .await;
        } else {
            self.call("reject_claim", |store, key| {
                let caller = caller.clone();
                async move { reject_claim(&store, &caller, loan, "查无".to_owned(), key).await }
            })
            .await;
        }
    }

    pub async fn recall(&mut self) {
        let Some((item, ..)) = self.some_loan() else { return };
        let unit = self.some_unit();
        let caller = self.town.system(unit);
        self.call("recall_item", |store, key| {
            let caller = caller.clone();
            let command = RecallItem {
                item: ItemId::new(item),
                reason: "读者急需".to_owned(),
                guarantee: Guarantee {
                    loan_days: 14,
                    notice_days: 7,
                },
            };
            async move { recall_item(&store, &caller, command, key).await }
        })
        .await;
    }

    pub async fn lose(&mut self) {
        let item = self
            .some_loan()
            .map(|(item, ..)| item)
            .filter(|_| self.random.percent(60));
        let some = self.some_item();
        let item = item.map_or(self.town.items[some], ItemId::new);
        let unit = self.some_unit();
        let caller = self.town.system(unit);
        let lost = self
            .call("declare_lost", |store, key| {
                let caller = caller.clone();
                let command = DeclareLost {
                    item,
                    reason: "读者报失".to_owned(),
                };
                async move { declare_lost(&store, &caller, command, key).await }
            })
            .await;
        if let Some(loan) = lost.and_then(|outcome| outcome.lost_loan_id) {
            self.note_end("declare_lost", item.get(), loan);
        }
    }
}
