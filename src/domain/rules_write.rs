//! A layer of the rules as TOML that reading gives back equal.
//! Not for: the text people wrote, comments and all, which is kept as it is.

use toml::{Table, Value};

use super::credit_rules::CreditDocument;
use super::lending_terms::day_of_number;
use super::limit::CountIn;
use super::own_rules::{Bound, DELIVERY_CLOCKS, FieldKind};
use super::reader::{Channel, CreditBand};
use super::rules_fault::{CREDIT, DELEGATE, LIMIT, TERMS};
use super::rules_layer::{Layer, WrittenDelegate, WrittenLimit, WrittenTerms};
use super::rules_toml::PresetKey;
use super::unit::UnitKind;

impl Layer {
    /// Writes TOML that [`read`](Self::read) reads back equal.
    pub fn to_toml(&self) -> String {
        let list = |rows: Vec<Table>| Value::Array(rows.into_iter().map(Value::Table).collect());
        let mut tables = Table::new();
        for (name, rows) in [
            (DELEGATE, self.delegates.iter().map(WrittenDelegate::table).collect()),
            (TERMS, self.terms.iter().map(WrittenTerms::table).collect()),
            (
                LIMIT,
                self.limits.iter().map(WrittenLimit::table).collect::<Vec<Table>>(),
            ),
        ] {
            if !rows.is_empty() {
                tables.insert(name.to_owned(), list(rows));
            }
        }
        put(
            &mut tables,
            CREDIT,
            self.credit.as_ref().and_then(CreditDocument::table),
        );
        toml::to_string(&tables).unwrap_or_default()
    }
}

fn put(into: &mut Table, name: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        into.insert(name.to_owned(), value.into());
    }
}

impl WrittenTerms {
    fn table(&self) -> Table {
        let mut row = Table::new();
        let PresetKey {
            unit,
            category,
            item_type,
            owner,
            channel,
            band,
        } = self.when.clone();
        let mut when = Table::new();
        put(&mut when, "unit", unit);
        put(&mut when, "category", category);
        put(&mut when, "item_type", item_type);
        put(&mut when, "owner", owner);
        put(&mut when, "channel", channel.map(Channel::code));
        put(&mut when, "band", band.map(CreditBand::code));
        put(&mut row, "when", (!when.is_empty()).then_some(when));
        for (field, value) in &self.values {
            let written = match field.kind() {
                FieldKind::Flag => Value::Boolean(*value != 0),
                FieldKind::RenewFrom if *value == 0 => Value::from("due_date"),
                FieldKind::RenewFrom => Value::from("today"),
                FieldKind::DeliveryClock => {
                    let [.., pickup] = DELIVERY_CLOCKS;
                    Value::from(*DELIVERY_CLOCKS.get(usize::from(*value)).unwrap_or(&pickup))
                }
                FieldKind::Day => {
                    let day = day_of_number(*value).map_or_else(|| "none".to_owned(), |day| day.to_string());
                    Value::from(day)
                }
                FieldKind::Number(_) => Value::from(i64::from(*value)),
            };
            row.insert(field.code().to_owned(), written);
        }
        row
    }
}

impl WrittenLimit {
    fn table(&self) -> Table {
        let (limit, mut row, mut when) = (&self.limit, Table::new(), Table::new());
        let some = |codes: &Vec<String>| (!codes.is_empty()).then(|| codes.clone());
        put(&mut when, "unit", limit.when.unit.clone());
        put(&mut when, "category", limit.when.category.clone());
        put(&mut when, "item_types", some(&limit.when.item_types));
        put(&mut when, "except_item_types", some(&limit.when.except_item_types));
        put(&mut when, "owner", limit.when.owner.clone());
        put(&mut when, "channel", limit.when.channel.map(Channel::code));
        put(&mut when, "band", limit.when.band.map(CreditBand::code));
        put(&mut row, "when", (!when.is_empty()).then_some(when));
        put(&mut row, "kind", Some(limit.kind.code()));
        put(
            &mut row,
            "count_in",
            (limit.count_in != CountIn::Network).then(|| limit.count_in.code()),
        );
        put(&mut row, "max", Some(limit.max));
        put(&mut row, "confirm", limit.confirm.then_some(true));
        row
    }
}

impl WrittenDelegate {
    fn table(&self) -> Table {
        let mut row = Table::new();
        put(&mut row, "kind", self.kind.map(UnitKind::code));
        put(&mut row, "unit", self.unit.clone());
        let terms = self.terms.iter().map(|(field, bound)| (field.code(), *bound));
        put(&mut row, "terms", open_table(terms));
        let limits = self.limits.iter().map(|(kind, bound)| (kind.code(), *bound));
        put(&mut row, "limits", open_table(limits));
        row
    }
}

fn open_table<'a>(open: impl Iterator<Item = (&'a str, Bound)>) -> Option<Table> {
    let written = |bound: Bound| {
        let mut ends = Table::new();
        put(&mut ends, "min", bound.min);
        put(&mut ends, "max", bound.max);
        Value::Table(ends)
    };
    let table: Table = open.map(|(name, bound)| (name.to_owned(), written(bound))).collect();
    (!table.is_empty()).then_some(table)
}
