//! What looks wrong in rules that are valid: rows that never win, limits that are never reached, values nobody means.
//! Not for: faults, which stop a set from being published (see `rules_check`).

use std::collections::{BTreeSet, HashMap};

use chrono::NaiveDate;

use super::ids::{CategoryId, ItemTypeId, RuleId, UnitId};
use super::lending_terms::day_of_number;
use super::limit::{CountIn, LimitKind, LimitRow};
use super::network::Network;
use super::own_rules::{OpenTo, TermField};
use super::policy::{RuleKey, Situation, Terms};
use super::reader::{Channel, CreditBand};
use super::rules_fault::{DELEGATE, Fault, LIMIT, TERMS};

/// Situations tried at most when rows that never win are looked for.
const SITUATIONS: usize = 200_000;
/// A loan longer than this is looked at twice.
const LONG_LOAN_DAYS: u16 = 366;
/// So is a wait on the hold shelf.
const LONG_SHELF_DAYS: u16 = 30;

/// Where a layer's rows are among the numbers: `before` are taken, its terms come first.
#[derive(Debug, Clone, Copy)]
pub(super) struct Numbers {
    pub(super) of: Option<UnitId>,
    pub(super) before: usize,
    pub(super) terms: usize,
}

impl Numbers {
    fn place(self, rule: RuleId) -> (&'static str, usize) {
        let number = usize::try_from(rule.get()).unwrap_or(0).saturating_sub(self.before);
        if number <= self.terms {
            (TERMS, number)
        } else {
            (LIMIT, number - self.terms)
        }
    }

    fn say(self, rule: RuleId, field: &str, reason: impl Into<String>, expected: &str) -> Fault {
        let (table, row) = self.place(rule);
        Fault::new(table, row, field, reason, expected)
    }
}

impl Network {
    /// What looks wrong in one layer of these rules.
    pub(super) fn rule_warnings(&self, layer: Numbers) -> Vec<Fault> {
        let set = self.rules();
        let mine = |id: &RuleId| set.whose.get(id).copied() == layer.of;
        let mut found = self.unreached(layer);
        for row in set.terms.iter().filter(|row| mine(&row.id)) {
            self.idle_units(layer, row.id, [row.key.unit, row.key.owner], &mut found);
            found.extend(self.term_over(layer, row.id, row.terms.lending.term_end));
            found.extend(
                odd_terms(&row.terms).map(|(field, reason, expected)| layer.say(row.id, field, reason, expected)),
            );
        }
        for row in set.own.iter().filter(|row| mine(&row.id)) {
            self.idle_units(layer, row.id, [row.key.unit, row.key.owner], &mut found);
            let end = row.values.iter().find(|(field, _)| *field == TermField::TermEnd);
            found.extend(self.term_over(layer, row.id, end.and_then(|(_, value)| day_of_number(*value))));
        }
        for row in set.limits.iter().filter(|row| mine(&row.id)) {
            self.idle_units(layer, row.id, [row.when.unit, row.when.owner], &mut found);
            found.extend(self.odd_limit(layer, row));
        }
        if layer.of.is_none() {
            found.extend(self.own_set_aside());
            found.extend(self.idle_sections());
        }
        found
    }

    /// Units' own rows that these rules of the network do not allow any more.
    fn own_set_aside(&self) -> impl Iterator<Item = Fault> {
        self.rules().set_aside.iter().map(|one| {
            let unit = self.unit(one.by).map_or("", |unit| unit.code.as_str());
            let reason = format!("the rules of {unit} would be set aside in part: {}", one.fault);
            Fault::of_document(reason, "bounds that leave room for them, or a word with that library")
        })
    }

    fn idle_sections(&self) -> impl Iterator<Item = Fault> {
        let sections = self.rules().delegations.iter().zip(1..);
        sections.filter_map(|(section, row)| {
            let anybody = match section.to {
                OpenTo::Unit(unit) => self.unit(unit).is_some_and(|unit| unit.active),
                OpenTo::Kind(kind) => self.units().iter().any(|unit| unit.kind == kind),
            };
            let empty = section.terms.is_empty() && section.limits.is_empty();
            let reason = match (anybody, empty) {
                (false, _) => "speaks of no unit there is",
                (true, true) => "leaves nothing open",
                (true, false) => return None,
            };
            Some(Fault::new(DELEGATE, row, "", reason, "to leave it out"))
        })
    }

    fn idle_units(&self, layer: Numbers, rule: RuleId, units: [Option<UnitId>; 2], found: &mut Vec<Fault>) {
        for (unit, field) in units.into_iter().zip(["when.unit", "when.owner"]) {
            if let Some(unit) = unit.and_then(|unit| self.unit(unit)).filter(|unit| !unit.active) {
                let reason = format!("{} is closed", unit.code);
                found.push(layer.say(rule, field, reason, "a unit that is active, or to leave the row out"));
            }
        }
    }

    /// A fixed term that ends before these rules begin concerns no loan made under them.
    fn term_over(&self, layer: Numbers, rule: RuleId, end: Option<NaiveDate>) -> Option<Fault> {
        let first = self.local_day(self.rules().effective_from);
        let end = end.filter(|end| *end < first)?;
        let reason = format!("{end} lies before these rules begin");
        Some(layer.say(
            rule,
            "term_end",
            reason,
            "the end of the coming term, or to leave it out",
        ))
    }

    fn odd_limit(&self, layer: Numbers, row: &LimitRow) -> Option<Fault> {
        let everybody = row.when.category.is_none() && row.when.item_types.is_empty() && row.when.band.is_none();
        let lends = matches!(row.kind, LimitKind::Loans | LimitKind::Holds);
        if lends && row.max == 0 && everybody && row.when.unit.is_none() && row.when.owner.is_none() {
            return Some(layer.say(row.id, "max", "is 0 for everybody", "a number above 0, or a `when`"));
        }
        let apart = row.when.channel.filter(|channel| !channel.has_sessions());
        if let Some(channel) = apart.filter(|_| row.count_in == CountIn::Session) {
            let reason = format!("is session, and nobody has one at the channel {}", channel.code());
            return Some(layer.say(
                row.id,
                "count_in",
                reason,
                "the channel locker or kiosk, or to name none",
            ));
        }
        let tighter = self.rules().limits.iter().find(|other| covers(self, other, row))?;
        let whose = if self.rules().whose.contains_key(&tighter.id) {
            "a library's"
        } else {
            "the network's"
        };
        let reason = format!(
            "is never reached: {whose} limit {} (rule {}) is as tight wherever it applies",
            tighter.max, tighter.id
        );
        Some(layer.say(row.id, "max", reason, "a lower number, or to leave the row out"))
    }

    /// Rows of terms that win in no situation there can be.
    fn unreached(&self, layer: Numbers) -> Vec<Fault> {
        let set = self.rules();
        let keys: Vec<&RuleKey> = set
            .terms
            .iter()
            .map(|row| &row.key)
            .chain(set.own.iter().map(|row| &row.key))
            .collect();
        let columns = Columns::of(self, &keys);
        let situations = columns.size();
        if situations > SITUATIONS {
            let reason = format!("{situations} kinds of situations are too many to look for rows that never win");
            return vec![Fault::of_document(reason, "rows that name fewer units and owners")];
        }
        let mut won = BTreeSet::new();
        columns.each(|situation| {
            let (network, own) = self.winners(&situation);
            won.insert(network.id);
            won.extend(own.map(|own| own.id));
        });
        let ids = set
            .terms
            .iter()
            .map(|row| row.id)
            .chain(set.own.iter().map(|row| row.id));
        let never = ids.filter(|id| set.whose.get(id).copied() == layer.of && !won.contains(id));
        never
            .map(|id| {
                let reason = "never wins: whatever it fits, another row fits more closely";
                layer.say(
                    id,
                    "when",
                    reason,
                    "columns that leave it something, or to leave the row out",
                )
            })
            .collect()
    }
}

/// Whether `other` stops whatever `row` would stop, and not later.
fn covers(network: &Network, other: &LimitRow, row: &LimitRow) -> bool {
    let (a, b) = (&other.when, &row.when);
    let first = other.max < row.max || (other.max == row.max && other.id < row.id);
    let within = |wide: Option<UnitId>, narrow: Option<UnitId>| {
        wide.is_none_or(|wide| narrow.is_some_and(|narrow| network.units().is_within(narrow, wide)))
    };
    // What was lent in a session is among all that the reader has.
    let counts_as_much =
        other.count_in == row.count_in || (other.count_in, row.count_in) == (CountIn::Network, CountIn::Session);
    other.id != row.id
        && first
        && (other.kind, other.confirm) == (row.kind, row.confirm)
        && counts_as_much
        && (matches!(other.count_in, CountIn::Network | CountIn::Session)
            || (a.unit, a.owner, a.channel) == (b.unit, b.owner, b.channel))
        && a.item_types == b.item_types
        && a.except_item_types == b.except_item_types
        && within(a.unit, b.unit)
        && within(a.owner, b.owner)
        && (a.category.is_none() || a.category == b.category)
        && (a.channel.is_none() || a.channel == b.channel)
        && (a.band.is_none() || a.band == b.band)
}

type Odd = (&'static str, String, &'static str);

fn odd_terms(terms: &Terms) -> impl Iterator<Item = Odd> {
    let long = terms.loan_days > LONG_LOAN_DAYS;
    let waits = terms.hold_shelf_days > LONG_SHELF_DAYS;
    let never_shortens = terms.high_demand_holds > 0 && terms.high_demand_days >= terms.loan_days;
    let untaken = terms.holdable && !(terms.holds.bib || terms.holds.volume || terms.holds.item);
    let odd: [(bool, Odd); 7] = [
        (
            terms.lendable && terms.loan_days == 0,
            (
                "loan_days",
                "is 0: due on the same day".to_owned(),
                "a number above 0, unless that is meant",
            ),
        ),
        (
            terms.lendable && long,
            (
                "loan_days",
                format!("is {}, more than a year", terms.loan_days),
                "at most 366, unless that is meant",
            ),
        ),
        (
            terms.renewable && terms.renewals == 0,
            (
                "renewals",
                "is 0 though renewable".to_owned(),
                "at least 1, or renewable = false",
            ),
        ),
        (
            !terms.renewable && terms.renewals > 0,
            (
                "renewals",
                format!("is {} though not renewable", terms.renewals),
                "0, or renewable = true",
            ),
        ),
        (
            never_shortens,
            (
                "high_demand_days",
                "shortens no loan".to_owned(),
                "fewer than loan_days",
            ),
        ),
        (
            terms.holdable && waits,
            (
                "hold_shelf_days",
                format!("is {}", terms.hold_shelf_days),
                "at most 30, unless that is meant",
            ),
        ),
        (
            untaken,
            (
                "hold_bib",
                "is false, and so is every other kind of hold".to_owned(),
                "a kind that is taken, or holdable = false",
            ),
        ),
    ];
    let all = odd.into_iter().chain(odd_by_itself(terms));
    all.filter(|(is, _)| *is).map(|(_, odd)| odd)
}

/// The same of what jobs do by them.
fn odd_by_itself(terms: &Terms) -> [(bool, Odd); 2] {
    [
        (
            terms.auto_renew && !terms.renewable,
            (
                "auto_renew",
                "is true though not renewable".to_owned(),
                "false, or renewable = true",
            ),
        ),
        (
            terms.auto_renewals > 0 && !terms.auto_renew,
            (
                "auto_renewals",
                format!("is {} though auto_renew is false", terms.auto_renewals),
                "0, or auto_renew = true",
            ),
        ),
    ]
}

/// For each column one value of every kind that rows tell apart.
struct Columns {
    units: Vec<UnitId>,
    categories: Vec<CategoryId>,
    item_types: Vec<ItemTypeId>,
    owners: Vec<UnitId>,
    channels: Vec<Channel>,
    bands: Vec<CreditBand>,
}

impl Columns {
    fn of(network: &Network, keys: &[&RuleKey]) -> Self {
        let categories: Vec<CategoryId> = network.categories().iter().map(|one| one.id).collect();
        let item_types: Vec<ItemTypeId> = network.item_types().iter().map(|one| one.id).collect();
        let or_none = |named: bool, all: usize| if named { all } else { 1 };
        let channels = or_none(keys.iter().any(|key| key.channel.is_some()), Channel::ALL.len());
        let bands = or_none(keys.iter().any(|key| key.band.is_some()), CreditBand::ALL.len());
        let types = or_none(keys.iter().any(|key| key.item_type.is_some()), item_types.len());
        Self {
            units: classes(network, keys.iter().filter_map(|key| key.unit).collect()),
            categories: told_apart(categories, &keys.iter().filter_map(|key| key.category).collect()),
            item_types: item_types.into_iter().take(types).collect(),
            owners: classes(network, keys.iter().filter_map(|key| key.owner).collect()),
            channels: Channel::ALL.into_iter().take(channels).collect(),
            bands: CreditBand::ALL.into_iter().take(bands).collect(),
        }
    }

    fn size(&self) -> usize {
        let sizes = [
            self.units.len(),
            self.categories.len(),
            self.item_types.len(),
            self.owners.len(),
            self.channels.len(),
            self.bands.len(),
        ];
        sizes.into_iter().fold(1, usize::saturating_mul)
    }

    fn each(&self, mut look: impl FnMut(Situation)) {
        for (unit, owner) in pairs(&self.units, &self.owners) {
            for (category, item_type) in pairs(&self.categories, &self.item_types) {
                for (channel, band) in pairs(&self.channels, &self.bands) {
                    look(Situation {
                        unit,
                        category,
                        item_type,
                        owner,
                        channel,
                        band,
                    });
                }
            }
        }
    }
}

fn pairs<'a, A: Copy, B: Copy>(a: &'a [A], b: &'a [B]) -> impl Iterator<Item = (A, B)> {
    a.iter().flat_map(move |a| b.iter().map(move |b| (*a, *b)))
}

/// One unit for every line of named units above it.
fn classes(network: &Network, named: BTreeSet<UnitId>) -> Vec<UnitId> {
    let mut found: HashMap<Option<UnitId>, UnitId> = HashMap::new();
    for unit in network.units().iter() {
        let line = network.units().ancestors(unit.id);
        let nearest = line.iter().find(|above| named.contains(above)).copied();
        found.entry(nearest).or_insert(unit.id);
    }
    let mut units: Vec<UnitId> = found.into_values().collect();
    units.sort();
    units
}

/// Those that are named, and one that is not.
fn told_apart(all: Vec<CategoryId>, named: &BTreeSet<CategoryId>) -> Vec<CategoryId> {
    let other = all.iter().find(|one| !named.contains(one)).copied();
    let mut found: Vec<CategoryId> = all.into_iter().filter(|one| named.contains(one)).collect();
    found.extend(other);
    found
}
