//! What changes for everybody: closings and their undoing, amnesties, hours, rules, and a unit's place in the tree.

use tongjie::domain::rules_toml::CN_CITY_DEFAULT;
use tongjie::usecase::add_amnesty::{AddAmnesty, add_amnesty};
use tongjie::usecase::add_closed_days::{AddClosedDays, add_closed_days};
use tongjie::usecase::add_openings::{AddOpenings, NewOpening, add_openings};
use tongjie::usecase::close_units::{CloseUnits, close_units};
use tongjie::usecase::move_unit::{MoveUnit, move_unit};
use tongjie::usecase::publish_rule_set::publish_text;
use tongjie::usecase::remove_amnesty::{RemoveAmnesty, remove_amnesty};
use tongjie::usecase::roll_back_rules::{RollBackRules, roll_back_rules};
use tongjie::usecase::set_unit_hours::{SetUnitHours, set_unit_hours};
use tongjie::usecase::undo_closing::undo_closing;

use super::rows::span;
use super::run::Simulation;

impl Simulation {
    /// A typhoon, a pipe that burst: a unit or a whole district is closed.
    pub async fn close_some(&mut self) {
        let unit = self.some_unit();
        let (ahead, days) = (self.random.between(0, 25), self.random.between(0, 3));
        let command = CloseUnits {
            unit_code: self.town.units[unit].code.clone(),
            first: self.day_in(ahead),
            last: self.day_in(ahead + days),
            reason: "台风".to_owned(),
            dry_run: self.random.percent(10),
        };
        let caller = self.town.system(0);
        self.rehearsing = command.dry_run;
        let closed = self
            .call("close_units", |store, key| {
                let (caller, command) = (caller.clone(), command.clone());
                async move { close_units(&store, &caller, command, key).await }
            })
            .await;
        self.open
            .closings
            .extend(closed.and_then(|closed| closed.closing).map(|closing| closing.id));
    }

    pub async fn undo_a_closing(&mut self) {
        let Some(id) = self.random.any(&self.open.closings) else {
            return;
        };
        let caller = self.town.system(0);
        self.call("undo_closing", |store, key| {
            let caller = caller.clone();
            async move { undo_closing(&store, &caller, id, key).await }
        })
        .await;
    }

    pub async fn change_amnesty(&mut self) {
        let (caller, unit) = (self.town.system(0), self.some_unit());
        let known = self
            .random
            .any(&self.open.amnesties)
            .filter(|_| self.random.percent(40));
        if let Some((code, first, last)) = known {
            self.call("remove_amnesty", |store, key| {
                let (caller, command) = (
                    caller.clone(),
                    RemoveAmnesty {
                        code: code.clone(),
                        first,
                        last,
                    },
                );
                async move { remove_amnesty(&store, &caller, command, key).await }
            })
            .await;
            return;
        }
        let (ahead, days) = (self.random.between(-2, 5), self.random.between(0, 4));
        let (first, last) = (self.day_in(ahead), self.day_in(ahead + days));
        let code = self.town.units[unit].code.clone();
        let command = AddAmnesty {
            code: code.clone(),
            first,
            last,
            reason: "读书日".to_owned(),
        };
        let added = self
            .call("add_amnesty", |store, key| {
                let (caller, command) = (caller.clone(), command.clone());
                async move { add_amnesty(&store, &caller, command, key).await }
            })
            .await;
        if added.is_some() {
            self.open.amnesties.push((code, first, last));
        }
    }

    /// Closed days, an exceptional opening, or other hours.
    pub async fn change_hours(&mut self) {
        let (caller, unit) = (self.town.system(0), self.some_unit());
        let code = self.town.units[unit].code.clone();
        let ahead = self.random.between(0, 30);
        let (first, last) = (self.day_in(ahead), self.day_in(ahead + 1));
        match self.random.below(3) {
            0 => {
                let command = AddClosedDays {
                    code,
                    days: Ok(vec![(first, last, "修缮".to_owned())]),
                    skip_past: false,
                    dry_run: false,
                };
                self.call("add_closed_days", |store, key| {
                    let (caller, command) = (caller.clone(), command.clone());
                    async move { add_closed_days(&store, &caller, command, key).await }
                })
                .await;
            }
            1 => {
                let opening = NewOpening {
                    first,
                    last,
                    spans: vec![span(10, 15)],
                    reason: "展览".to_owned(),
                };
                let command = AddOpenings {
                    code,
                    openings: vec![opening],
                };
                self.call("add_openings", |store, key| {
                    let (caller, command) = (caller.clone(), command.clone());
                    async move { add_openings(&store, &caller, command, key).await }
                })
                .await;
            }
            _ => self.set_hours(code).await,
        }
    }

    async fn set_hours(&mut self, code: String) {
        let closed = self.random.below(9);
        let day = |day| if day == closed { Vec::new() } else { vec![span(8, 20)] };
        let caller = self.town.system(0);
        let command = SetUnitHours {
            code,
            hours: Some((0..7).map(day).collect()),
            dry_run: false,
        };
        self.call("set_unit_hours", |store, key| {
            let (caller, command) = (caller.clone(), command.clone());
            async move { set_unit_hours(&store, &caller, command, key).await }
        })
        .await;
    }

    /// Other loan periods for all, from now on or from a moment to come; or what was in force before.
    pub async fn publish_rules(&mut self) {
        let caller = self.town.system(0);
        let before = self
            .random
            .any(&self.open.rule_sets)
            .filter(|_| self.random.percent(35));
        if let Some(to_version) = before {
            let command = RollBackRules {
                to_version,
                unit_code: None,
                note: "恢复".to_owned(),
            };
            self.call("roll_back_rules", |store, key| {
                let (caller, command) = (caller.clone(), command.clone());
                async move { roll_back_rules(&store, &caller, command, key).await }
            })
            .await;
            return;
        }
        let days = self.random.between(10, 60);
        let clock = *self.random.pick(&["acceptance", "dispatch", "pickup"]);
        let terms = format!("loan_days = {days}\ndelivery_clock = \"{clock}\"");
        let text = CN_CITY_DEFAULT.replace("loan_days = 30", &terms);
        let from = self
            .random
            .percent(30)
            .then(|| self.now() + chrono::TimeDelta::hours(30));
        let published = publish_text(&self.store, &caller, None, text, (String::new(), from)).await;
        let published = self.judge("publish_text", published);
        self.open.rule_sets.extend(published.map(|view| view.rule_set.version));
    }

    /// A branch is another main's from now on.
    pub async fn move_a_unit(&mut self) {
        let branches = ["B14", "B23", "B24", "P1"];
        let parents = ["C1", "M1", "M2", "B11"];
        let command = MoveUnit {
            code: (*self.random.pick(&branches)).to_owned(),
            parent_code: (*self.random.pick(&parents)).to_owned(),
        };
        let caller = self.town.system(0);
        self.call("move_unit", |store, key| {
            let (caller, command) = (caller.clone(), command.clone());
            async move { move_unit(&store, &caller, command, key).await }
        })
        .await;
    }
}
