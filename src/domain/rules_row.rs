//! Reading one row of a rules document, member by member: whatever is wrong is told, and the rest is read on.
//! Not for: what a value means beside the others (see `rules_check`).

use chrono::NaiveDate;
use toml::{Table, Value};

use super::lending_terms::day_of_number;
use super::rules_fault::Fault;

/// A row whose members are taken one after another; `end` tells of those that nobody asked for.
pub(super) struct Row<'a> {
    table: &'static str,
    number: usize,
    /// Before the names of the members: `when.`.
    within: String,
    members: Table,
    asked: Vec<&'static str>,
    faults: &'a mut Vec<Fault>,
}

impl<'a> Row<'a> {
    pub(super) fn new(table: &'static str, number: usize, members: Table, faults: &'a mut Vec<Fault>) -> Self {
        Self {
            table,
            number,
            within: String::new(),
            members,
            asked: Vec::new(),
            faults,
        }
    }

    pub(super) fn fault(&mut self, field: &str, reason: impl Into<String>, expected: impl Into<String>) {
        let field = format!("{}{field}", self.within);
        self.faults
            .push(Fault::new(self.table, self.number, field, reason, expected));
    }

    fn take(&mut self, field: &'static str) -> Option<Value> {
        self.asked.push(field);
        self.members.remove(field)
    }

    /// A member that is left out stands as `None`, and so does one that is wrong.
    fn typed<T>(&mut self, field: &'static str, expected: &str, read: impl Fn(&Value) -> Option<T>) -> Option<T> {
        let value = self.take(field)?;
        let found = read(&value);
        if found.is_none() {
            self.fault(field, format!("is {}", shown(&value)), expected);
        }
        found
    }

    pub(super) fn flag(&mut self, field: &'static str) -> Option<bool> {
        self.typed(field, "true or false", Value::as_bool)
    }

    pub(super) fn number(&mut self, field: &'static str, min: i64, max: i64) -> Option<i64> {
        let expected = format!("a whole number from {min} to {max}");
        self.typed(field, &expected, |value| {
            value.as_integer().filter(|number| (min..=max).contains(number))
        })
    }

    /// One of some words.
    pub(super) fn word<T: Copy>(&mut self, field: &'static str, words: &[(&'static str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        self.typed(field, &format!("one of {}", names.join(", ")), |value| {
            let word = value.as_str()?;
            words.iter().find(|(name, _)| *name == word).map(|(_, value)| *value)
        })
    }

    /// A day, with quotes or without; `"none"` is `Some(None)`.
    pub(super) fn day(&mut self, field: &'static str) -> Option<Option<NaiveDate>> {
        let expected = "a day such as \"2026-06-30\", from 2000-01-01 to 2179-06-05, or \"none\"";
        let (first, last) = (day_of_number(1), day_of_number(u16::MAX));
        self.typed(field, expected, |value| {
            let text = match value {
                Value::String(text) => text.clone(),
                Value::Datetime(day) => day.to_string(),
                _ => return None,
            };
            if text == "none" {
                return Some(None);
            }
            let day = text
                .parse()
                .ok()
                .filter(|day| first <= Some(*day) && Some(*day) <= last);
            day.map(Some)
        })
    }

    /// A code, whatever it names.
    pub(super) fn code(&mut self, field: &'static str) -> Option<String> {
        self.typed(field, "a code in quotes", |value| value.as_str().map(str::to_owned))
    }

    pub(super) fn codes(&mut self, field: &'static str) -> Vec<String> {
        let found = self.typed(field, "a list of codes in quotes", |value| {
            let list = value.as_array()?.iter();
            list.map(|one| one.as_str().map(str::to_owned))
                .collect::<Option<Vec<_>>>()
        });
        found.unwrap_or_default()
    }

    /// A table within the row, read by `read`; left out it is empty.
    pub(super) fn inner<T>(&mut self, field: &'static str, read: impl FnOnce(&mut Row<'_>) -> T) -> T {
        let members = self.typed(field, "a table: { … }", |value| value.as_table().cloned());
        let mut row = Row {
            within: format!("{}{field}.", self.within),
            ..Row::new(self.table, self.number, members.unwrap_or_default(), self.faults)
        };
        let found = read(&mut row);
        row.end();
        found
    }

    /// A member that must be there; said once even where it is there and wrong.
    pub(super) fn needed(&mut self, field: &'static str, expected: &str) {
        let name = format!("{}{field}", self.within);
        let said = self
            .faults
            .iter()
            .any(|fault| fault.table == self.table && fault.row == self.number && fault.field == name);
        if !said {
            self.fault(field, "is missing", expected);
        }
    }

    /// Names that are left, with their values: for tables whose names are words of the rules themselves.
    pub(super) fn rest(&mut self) -> Vec<(String, Value)> {
        std::mem::take(&mut self.members).into_iter().collect()
    }

    /// Tells of members that nobody asked for.
    pub(super) fn end(mut self) {
        let known = format!("one of {}", self.asked.join(", "));
        for (name, _) in self.rest() {
            self.fault(&name, "is no word of the rules", known.clone());
        }
    }
}

fn shown(value: &Value) -> String {
    const LONGEST: usize = 40;
    let text = value.to_string();
    if text.chars().count() <= LONGEST {
        return text;
    }
    text.chars().take(LONGEST).chain(['…']).collect()
}
