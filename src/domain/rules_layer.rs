//! A layer of the rules as written: the network's, or a unit's own. Reads TOML and tells every fault of its shape at once.
//! Not for: writing it (see `rules_write`), whether codes are known and values fit (see `rules_layers`, `rules_own_check`),
//! or the presets of a new network (see `rules_toml`).

use toml::{Table, Value};

use super::credit_rules::CreditDocument;
use super::lending_terms::number_of_day;
use super::limit::{CountIn, LimitKind};
use super::own_rules::{Bound, DELIVERY_CLOCKS, FieldKind, TermField};
use super::reader::{Channel, CreditBand};
use super::rules_check::MAX_LIMIT;
use super::rules_fault::{CREDIT, DELEGATE, Fault, LIMIT, TERMS};
use super::rules_row::Row;
use super::rules_toml::{PresetKey, PresetLimit, PresetWhen};
use super::unit::UnitKind;

/// The longest document, in bytes.
pub const MAX_SOURCE_BYTES: usize = 131_072;
/// The most rows of a document, all tables together.
pub const MAX_ROWS: usize = 2_000;

/// A layer whose rows have the right shape.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layer {
    pub delegates: Vec<WrittenDelegate>,
    pub terms: Vec<WrittenTerms>,
    pub limits: Vec<WrittenLimit>,
    /// The network's credit programme.
    pub credit: Option<CreditDocument>,
}

/// A row of terms: of the network with every field, of a unit with those it decides itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenTerms {
    pub row: usize,
    pub when: PresetKey,
    pub values: Vec<(TermField, u16)>,
}

/// A row of limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenLimit {
    pub row: usize,
    pub limit: PresetLimit,
}

/// A section that leaves something open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenDelegate {
    pub row: usize,
    pub kind: Option<UnitKind>,
    pub unit: Option<String>,
    pub terms: Vec<(TermField, Bound)>,
    pub limits: Vec<(LimitKind, Bound)>,
}

/// What could be read, and what could not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadLayer {
    pub layer: Layer,
    pub faults: Vec<Fault>,
    /// Tables that a preset has and the rules have not.
    pub unused: Vec<Fault>,
}

/// Tables of a preset that are configured by themselves.
const NOT_RULES: [(&str, &str); 3] = [
    ("category", "setReaderCategory"),
    ("item_type", "setItemType"),
    ("membership", "createUnit"),
];

impl Layer {
    /// Reads TOML. A row with a fault is left out of the layer.
    pub fn read(text: &str) -> ReadLayer {
        let mut read = ReadLayer::default();
        if text.len() > MAX_SOURCE_BYTES {
            let reason = format!("has {} bytes", text.len());
            let fault = Fault::of_document(reason, format!("at most {MAX_SOURCE_BYTES}"));
            read.faults.push(fault);
            return read;
        }
        match text.parse::<Table>() {
            Ok(tables) => read.tables(tables),
            Err(error) => {
                let reason = error.to_string();
                let fault = Fault::of_document(reason.trim_end(), "TOML, as exportRuleSet writes it");
                read.faults.push(fault);
            }
        }
        read
    }
}

impl ReadLayer {
    fn tables(&mut self, mut tables: Table) {
        let (terms, limits) = (self.rows(&mut tables, TERMS), self.rows(&mut tables, LIMIT));
        let delegates = self.rows(&mut tables, DELEGATE);
        let rows = terms.len() + limits.len() + delegates.len();
        if rows > MAX_ROWS {
            self.faults.push(Fault::of_document(
                format!("has {rows} rows"),
                format!("at most {MAX_ROWS}"),
            ));
            return;
        }
        match tables.remove(CREDIT).map(CreditDocument::read) {
            None => {}
            Some(Ok(credit)) => self.layer.credit = Some(credit),
            Some(Err(faults)) => self.faults.extend(faults),
        }
        for (name, instead) in NOT_RULES {
            if tables.remove(name).is_some() {
                let reason = format!("the table {name} is not read here");
                self.unused
                    .push(Fault::of_document(reason, format!("to use {instead}")));
            }
        }
        for (name, _) in tables {
            let reason = format!("the table {name} is no part of rules");
            self.faults
                .push(Fault::of_document(reason, "one of terms, limit, delegate, credit"));
        }
        for (row, members) in terms {
            self.read_row(TERMS, row, members, row_of_terms);
        }
        for (row, members) in limits {
            self.read_row(LIMIT, row, members, row_of_limits);
        }
        for (row, members) in delegates {
            self.read_row(DELEGATE, row, members, section);
        }
    }

    fn rows(&mut self, tables: &mut Table, name: &'static str) -> Vec<(usize, Table)> {
        let Some(value) = tables.remove(name) else {
            return Vec::new();
        };
        let rows = value.as_array().map(|rows| {
            let numbered = (1..).zip(rows);
            numbered
                .map(|(row, value)| value.as_table().map(|members| (row, members.clone())))
                .collect::<Option<Vec<_>>>()
        });
        rows.flatten().unwrap_or_else(|| {
            let reason = format!("{name} is no list of rows");
            self.faults
                .push(Fault::of_document(reason, format!("a row begins with [[{name}]]")));
            Vec::new()
        })
    }

    fn read_row<T: Written>(
        &mut self,
        table: &'static str,
        number: usize,
        members: Table,
        read: impl FnOnce(&mut Row<'_>) -> Option<T>,
    ) {
        let before = self.faults.len();
        let mut row = Row::new(table, number, members, &mut self.faults);
        let found = read(&mut row);
        row.end();
        if let Some(mut found) = found.filter(|_| self.faults.len() == before) {
            found.number(number);
            found.keep(&mut self.layer);
        }
    }
}

/// A row that was read without a fault.
trait Written {
    fn number(&mut self, row: usize);
    fn keep(self, layer: &mut Layer);
}

macro_rules! written {
    ($($name:ident in $list:ident),*) => {$(
        impl Written for $name {
            fn number(&mut self, row: usize) { self.row = row; }
            fn keep(self, layer: &mut Layer) { layer.$list.push(self); }
        }
    )*};
}

written!(WrittenTerms in terms, WrittenLimit in limits, WrittenDelegate in delegates);

fn channel(row: &mut Row<'_>) -> Option<Channel> {
    row.word("channel", &Channel::ALL.map(|channel| (channel.code(), channel)))
}

fn row_of_terms(row: &mut Row<'_>) -> Option<WrittenTerms> {
    let when = row.inner("when", |row| PresetKey {
        unit: row.code("unit"),
        category: row.code("category"),
        item_type: row.code("item_type"),
        owner: row.code("owner"),
        channel: channel(row),
        band: band(row),
    });
    let values = TermField::ALL.into_iter().filter_map(|field| {
        let value = match field.kind() {
            FieldKind::Flag => row.flag(field.code()).map(u16::from),
            FieldKind::RenewFrom => row.word(field.code(), &[("due_date", 0), ("today", 1)]),
            FieldKind::DeliveryClock => {
                let [acceptance, dispatch, pickup] = DELIVERY_CLOCKS;
                row.word(field.code(), &[(acceptance, 0), (dispatch, 1), (pickup, 2)])
            }
            FieldKind::Day => row.day(field.code()).map(number_of_day),
            FieldKind::Number(max) => {
                let number = row.number(field.code(), 0, i64::from(max));
                number.and_then(|number| u16::try_from(number).ok())
            }
        };
        value.map(|value| (field, value))
    });
    let values = values.collect();
    Some(WrittenTerms { row: 0, when, values })
}

fn band(row: &mut Row<'_>) -> Option<CreditBand> {
    row.word("band", &CreditBand::ALL.map(|band| (band.code(), band)))
}

fn row_of_limits(row: &mut Row<'_>) -> Option<WrittenLimit> {
    let when = row.inner("when", |row| PresetWhen {
        unit: row.code("unit"),
        category: row.code("category"),
        item_types: row.codes("item_types"),
        except_item_types: row.codes("except_item_types"),
        owner: row.code("owner"),
        channel: channel(row),
        band: band(row),
    });
    let kind = row.word("kind", &LimitKind::ALL.map(|kind| (kind.code(), kind)));
    let count_in = row.word("count_in", &CountIn::ALL.map(|one| (one.code(), one)));
    let max = row.number("max", 0, MAX_LIMIT);
    let confirm = row.flag("confirm").unwrap_or(false);
    if kind.is_none() {
        row.needed("kind", "what is counted, for example \"loans\"");
    }
    if max.is_none() {
        row.needed("max", "the highest count that is still allowed");
    }
    let (kind, max) = kind.zip(max)?;
    let limit = PresetLimit {
        when,
        kind,
        count_in: count_in.unwrap_or_default(),
        max,
        confirm,
    };
    Some(WrittenLimit { row: 0, limit })
}

fn section(row: &mut Row<'_>) -> Option<WrittenDelegate> {
    let kinds = UnitKind::ALL.map(|kind| (kind.code(), kind));
    let (kind, unit) = (row.word("kind", &kinds[1..]), row.code("unit"));
    match (kind, &unit) {
        (None, None) => row.needed("kind", "a kind of unit or a unit, for example \"main\""),
        (Some(_), Some(_)) => row.fault("unit", "stands beside kind", "one of them"),
        _ => {}
    }
    let terms = row.inner("terms", |row| {
        let found = bounds(row, TermField::from_code, "a field of the terms");
        for (field, bound) in &found {
            if field.kind() == FieldKind::Day && *bound != Bound::default() {
                row.fault(field.code(), format!("is open to {bound}"), "{ }: a day has no bounds");
            }
        }
        found
    });
    let kind_of = |code: &str| LimitKind::ALL.into_iter().find(|kind| kind.code() == code);
    let limits = row.inner("limits", |row| bounds(row, kind_of, "a kind of limit"));
    Some(WrittenDelegate {
        row: 0,
        kind,
        unit,
        terms,
        limits,
    })
}

/// `loan_days = { min = 14, max = 60 }` and the like.
fn bounds<T>(row: &mut Row<'_>, known: impl Fn(&str) -> Option<T>, what: &str) -> Vec<(T, Bound)> {
    let mut found = Vec::new();
    for (name, value) in row.rest() {
        let Some(field) = known(&name) else {
            row.fault(&name, format!("is not {what}"), format!("{what}, as rows write it"));
            continue;
        };
        match bound(&value) {
            Some(bound) => found.push((field, bound)),
            None => row.fault(
                &name,
                format!("is {value}"),
                "{ min = 1, max = 9 }, either or none of them, whole numbers",
            ),
        }
    }
    found
}

fn bound(value: &Value) -> Option<Bound> {
    let mut members = value.as_table()?.clone();
    let mut end = |name: &str| {
        members
            .remove(name)
            .map(|value| value.as_integer().ok_or(()))
            .transpose()
    };
    let (min, max) = (end("min").ok()?, end("max").ok()?);
    let ordered = min.zip(max).is_none_or(|(min, max)| min <= max);
    (members.is_empty() && ordered).then_some(Bound { min, max })
}
