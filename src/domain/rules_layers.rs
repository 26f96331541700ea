//! From layers as written to the rules that decide: codes become ids, rows get their numbers, units' own rows are added to
//! the network's.
//! Not for: whether a unit's own row fits what is open (see `rules_own_check`), or reading documents (see `rules_layer`).

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::credit_rules::GATE_CATEGORY;
use super::delivery::DeliveryTerms;
use super::hold_terms::HoldTerms;
use super::ids::{CategoryId, ItemTypeId, RuleId, UnitId};
use super::lending_terms::LendingTerms;
use super::limit::{LimitRow, LimitWhen};
use super::network::Network;
use super::own_rules::{Delegation, OpenTo, TermField};
use super::policy::{RenewFrom, RuleKey, RuleSet, Terms, TermsRow};
use super::rules_check::RuleError;
use super::rules_fault::{DELEGATE, Fault, LIMIT, SetAside, TERMS};
use super::rules_layer::{Layer, ReadLayer, WrittenTerms};
use super::rules_own_check::add_layer;
use super::rules_toml::{CodeBook, PresetKey, PresetWhen};
use super::rules_warning::Numbers;

/// The layers in force at a moment, or some that might be.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Layers {
    pub network: Layer,
    /// In the order of the units' codes.
    pub own: Vec<(UnitId, Layer)>,
}

/// A layer looked at in its place.
#[derive(Debug, Clone)]
pub struct Judged {
    pub faults: Vec<Fault>,
    /// What looks wrong and may be meant.
    pub warnings: Vec<Fault>,
    /// The network under these rules; `None` with faults.
    pub network: Option<Network>,
    numbers: Numbers,
}

impl Judged {
    /// With whatever looks wrong in valid rules: rows that never win are looked for, which takes its time.
    #[must_use]
    pub fn with_warnings(mut self) -> Self {
        if let Some(network) = &self.network {
            self.warnings.extend(network.rule_warnings(self.numbers));
        }
        self
    }
}

/// Codes to ids, each unknown one told and given an id of its own that nothing has.
pub(super) struct Coder<'a> {
    book: &'a CodeBook<'a>,
    pub(super) faults: Vec<Fault>,
    unknown: i64,
}

impl<'a> Coder<'a> {
    pub(super) const fn new(book: &'a CodeBook<'a>) -> Self {
        Self {
            book,
            faults: Vec::new(),
            unknown: 0,
        }
    }

    fn told(&mut self, (table, row, field): (&str, usize, &str), code: &str, what: &str) -> i64 {
        let reason = format!("names the unknown {code}");
        self.faults.push(Fault::new(table, row, field, reason, what));
        self.unknown -= 1;
        self.unknown
    }

    pub(super) fn unit(&mut self, at: (&str, usize, &str), code: Option<&String>) -> Option<UnitId> {
        let code = code?;
        let known = (self.book.unit)(code);
        Some(known.unwrap_or_else(|| UnitId::new(self.told(at, code, "the code of a unit (listUnits)"))))
    }

    fn category(&mut self, at: (&str, usize, &str), code: Option<&String>) -> Option<CategoryId> {
        let code = code?;
        let known = (self.book.category)(code);
        let what = "the code of a category (listReaderCategories)";
        Some(known.unwrap_or_else(|| CategoryId::new(self.told(at, code, what))))
    }

    fn item_type(&mut self, at: (&str, usize, &str), code: &str) -> ItemTypeId {
        let known = (self.book.item_type)(code);
        let what = "the code of an item type (listItemTypes)";
        known.unwrap_or_else(|| ItemTypeId::new(self.told(at, code, what)))
    }

    pub(super) fn key(&mut self, row: usize, key: &PresetKey) -> RuleKey {
        RuleKey {
            unit: self.unit((TERMS, row, "when.unit"), key.unit.as_ref()),
            category: self.category((TERMS, row, "when.category"), key.category.as_ref()),
            item_type: key
                .item_type
                .as_deref()
                .map(|code| self.item_type((TERMS, row, "when.item_type"), code)),
            owner: self.unit((TERMS, row, "when.owner"), key.owner.as_ref()),
            channel: key.channel,
            band: key.band,
        }
    }

    pub(super) fn when(&mut self, row: usize, when: &PresetWhen) -> LimitWhen {
        let mut types = |field, codes: &[String]| {
            let ids = codes.iter().map(|code| self.item_type((LIMIT, row, field), code));
            ids.collect()
        };
        let item_types = types("when.item_types", &when.item_types);
        let except_item_types = types("when.except_item_types", &when.except_item_types);
        LimitWhen {
            unit: self.unit((LIMIT, row, "when.unit"), when.unit.as_ref()),
            category: self.category((LIMIT, row, "when.category"), when.category.as_ref()),
            item_types,
            except_item_types,
            owner: self.unit((LIMIT, row, "when.owner"), when.owner.as_ref()),
            channel: when.channel,
            band: when.band,
        }
    }
}

impl Layer {
    /// Numbers that rows of terms take up: the highest row.
    pub(super) fn terms_rows(&self) -> usize {
        self.terms.iter().map(|one| one.row).max().unwrap_or(0)
    }

    /// Numbers that all rows take up.
    pub(super) fn numbers(&self) -> usize {
        self.terms_rows() + self.limits.iter().map(|one| one.row).max().unwrap_or(0)
    }

    /// The number of a row of terms, when `before` numbers are taken.
    pub(super) fn terms_id(before: usize, row: usize) -> RuleId {
        RuleId::new(i64::try_from(before + row).unwrap_or(i64::MAX))
    }

    /// The number of a row of limits.
    pub(super) fn limit_id(&self, before: usize, row: usize) -> RuleId {
        Self::terms_id(before + self.terms_rows(), row)
    }

    /// The network's layer as rules, with every fault that needs no network to be seen.
    pub fn rule_set(&self, version: i64, effective_from: DateTime<Utc>, book: &CodeBook<'_>) -> (RuleSet, Vec<Fault>) {
        let mut coder = Coder::new(book);
        let terms = self.terms.iter().map(|written| TermsRow {
            id: Self::terms_id(0, written.row),
            key: coder.key(written.row, &written.when),
            terms: whole(written, &mut coder.faults),
        });
        let terms = terms.collect();
        let limits = self.limits.iter().map(|written| LimitRow {
            id: self.limit_id(0, written.row),
            when: coder.when(written.row, &written.limit.when),
            kind: written.limit.kind,
            count_in: written.limit.count_in,
            max: written.limit.max,
            confirm: written.limit.confirm,
        });
        let limits = limits.collect();
        let delegations = self.delegations(&mut coder);
        let credit = self.credit.as_ref().map(|credit| {
            credit.resolve(|at, code| match at.2 {
                GATE_CATEGORY => coder.category(at, Some(code)).map_or(0, CategoryId::get),
                _ => coder.unit(at, Some(code)).map_or(0, UnitId::get),
            })
        });
        let set = RuleSet {
            version,
            effective_from,
            terms,
            limits,
            own: Vec::new(),
            whose: BTreeMap::new(),
            delegations,
            set_aside: Vec::new(),
            credit,
        };
        (set, coder.faults)
    }

    fn delegations(&self, coder: &mut Coder<'_>) -> Vec<Delegation> {
        let mut found: Vec<Delegation> = Vec::new();
        for written in &self.delegates {
            let unit = coder.unit((DELEGATE, written.row, "unit"), written.unit.as_ref());
            let Some(to) = unit.map(OpenTo::Unit).or(written.kind.map(OpenTo::Kind)) else {
                continue;
            };
            if found.iter().any(|one| one.to == to) {
                let reason = "speaks of the same units as a section before it";
                coder
                    .faults
                    .push(Fault::new(DELEGATE, written.row, "", reason, "one section for each"));
                continue;
            }
            found.push(Delegation {
                to,
                terms: written.terms.clone(),
                limits: written.limits.clone(),
            });
        }
        found
    }

    /// A fault of the checked rules, where it was written; `None` for what was told when codes were looked up.
    fn fault_of(&self, error: &RuleError) -> Option<Fault> {
        let place = |rule: RuleId| {
            let number = usize::try_from(rule.get()).unwrap_or(0);
            let terms = self.terms_rows();
            if number <= terms {
                (TERMS, number)
            } else {
                (LIMIT, number - terms)
            }
        };
        let fault = |rule: RuleId, field: &str, reason: String, expected: String| {
            let (table, row) = place(rule);
            Some(Fault::new(table, row, field, reason, expected))
        };
        match error {
            RuleError::NoFallback => Some(Fault::of_document(
                "there is no fallback",
                "one row of terms without `when`, for whatever no other row fits",
            )),
            RuleError::DuplicateId { .. } | RuleError::UnknownReference { .. } => None,
            RuleError::DuplicateKey { first, second } => {
                let reason = format!("has the same columns as {} {}", place(*first).0, place(*first).1);
                fault(*second, "when", reason, "columns of its own".to_owned())
            }
            RuleError::OutOfRange {
                rule,
                field,
                value,
                min,
                max,
            } => fault(*rule, field, format!("is {value}"), format!("{min} to {max}")),
            RuleError::NotForKind { rule, field } => fault(
                *rule,
                field,
                "does not go with this kind of limit".to_owned(),
                "to leave it out".to_owned(),
            ),
        }
    }
}

/// Where the rows of a layer are among the numbers of all.
fn numbers_of(of: Option<UnitId>, network: &ReadLayer, layers: &Layers) -> Numbers {
    let mut before = 0;
    let mut terms = network.layer.terms_rows();
    if let Some(unit) = of {
        before = network.layer.numbers();
        for (by, layer) in &layers.own {
            if *by == unit {
                terms = layer.terms_rows();
                break;
            }
            before += layer.numbers();
        }
    }
    Numbers { of, before, terms }
}

/// The terms of a row of the network, which must name every obligatory field.
fn whole(written: &WrittenTerms, faults: &mut Vec<Fault>) -> Terms {
    let mut terms = Terms {
        lendable: false,
        loan_days: 0,
        renewable: false,
        renewals: 0,
        renewal_days: 0,
        renew_from: RenewFrom::DueDate,
        renew_window_days: 0,
        auto_renew: false,
        holdable: false,
        hold_shelf_days: 0,
        hold_locker_days: 0,
        high_demand_holds: 0,
        high_demand_days: 0,
        delivery: DeliveryTerms::default(),
        holds: HoldTerms::default(),
        lending: LendingTerms::default(),
        auto_renewals: 0,
        recall_holds: 0,
    };
    for (field, value) in &written.values {
        field.put(&mut terms, *value);
    }
    let named = |field: TermField| written.values.iter().any(|(one, _)| *one == field);
    for field in TermField::ALL
        .into_iter()
        .filter(|field| field.is_obligatory() && !named(*field))
    {
        let expected = "to be named in every row of the network";
        faults.push(Fault::new(TERMS, written.row, field.code(), "is missing", expected));
    }
    terms
}

impl Network {
    /// Hands out codes of this network.
    pub(super) fn with_book<T>(&self, work: impl FnOnce(&CodeBook<'_>) -> T) -> T {
        work(&CodeBook {
            unit: &|code| self.units().by_code(code).map(|unit| unit.id),
            category: &|code| self.category_by_code(code).map(|category| category.id),
            item_type: &|code| self.item_types().by_code(code).map(|one| one.id),
            root: self.units().root().map_or(UnitId::new(0), |root| root.id),
        })
    }

    /// Every fault of a layer as the network's.
    fn network_rules(&self, read: &ReadLayer, version: i64, from: DateTime<Utc>) -> (RuleSet, Vec<Fault>) {
        let (set, found) = self.with_book(|book| read.layer.rule_set(version, from, book));
        let mut faults = read.faults.clone();
        // What a missing field stands as is no second fault.
        let missing: Vec<(usize, String)> = found.iter().map(|one| (one.row, one.field.clone())).collect();
        faults.extend(found);
        let checked = self.check_rules(&set).err().unwrap_or_default();
        let mut checked: Vec<Fault> = checked.iter().filter_map(|error| read.layer.fault_of(error)).collect();
        checked.retain(|one| !(one.table == TERMS && missing.contains(&(one.row, one.field.clone()))));
        let unread = |table: &str| read.faults.iter().any(|one| one.table == table || one.row == 0);
        checked.retain(|one| one.row > 0 || !unread(TERMS));
        faults.extend(checked);
        (set, faults)
    }

    /// The same network with units' own layers over the network's. Rows that do not fit are set aside.
    #[must_use]
    pub fn with_own(self, layers: &Layers) -> Self {
        if layers.own.is_empty() {
            return self;
        }
        let mut set = self.rules().clone();
        let mut numbers = layers.network.numbers();
        for (by, layer) in &layers.own {
            let faults = add_layer(&self, &mut set, (*by, layer), numbers);
            set.set_aside
                .extend(faults.into_iter().map(|fault| SetAside { by: *by, fault }));
            numbers += layer.numbers();
        }
        let depth = |by: UnitId| self.units().ancestors(by).len();
        set.own.sort_by_key(|row| (std::cmp::Reverse(depth(row.by)), row.id));
        self.under(set).unwrap_or_else(|unchanged| *unchanged)
    }

    /// A layer in its place among the others: the network's (`None`) or a unit's own.
    pub fn judge_layer(
        &self,
        of: Option<UnitId>,
        read: &ReadLayer,
        others: &Layers,
        (version, from): (i64, DateTime<Utc>),
    ) -> Judged {
        let mut layers = others.clone();
        let stored;
        let base = match of {
            None => {
                layers.network = read.layer.clone();
                read
            }
            Some(unit) => {
                let place = layers.own.iter().position(|(by, _)| *by == unit);
                match place {
                    Some(place) => layers.own[place].1 = read.layer.clone(),
                    None => layers.own.push((unit, read.layer.clone())),
                }
                let code = |id: &UnitId| self.unit(*id).map(|unit| unit.code.clone());
                layers.own.sort_by_key(|(by, _)| code(by));
                stored = ReadLayer {
                    layer: layers.network.clone(),
                    ..ReadLayer::default()
                };
                &stored
            }
        };
        let (set, mut faults) = self.network_rules(base, version, from);
        let sound = faults.is_empty();
        let under = self.clone().under(set).ok().filter(|_| sound);
        let network = under.map(|network| network.with_own(&layers));
        if let (Some(unit), Some(network)) = (of, &network) {
            faults.extend(read.faults.iter().cloned());
            let mine = network.rules().set_aside.iter().filter(|one| one.by == unit);
            faults.extend(mine.map(|one| one.fault.clone()));
        }
        Judged {
            network: network.filter(|_| faults.is_empty()),
            warnings: read.unused.clone(),
            numbers: numbers_of(of, base, &layers),
            faults,
        }
    }
}
