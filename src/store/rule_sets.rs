//! Published rules, one row for each change of a layer, and which rows are in force when (decision 0011).
//! Not for: drafts (see `rule_drafts`), or what the documents say.

use chrono::{DateTime, Utc};
use diesel::prelude::*;

use super::connection::AnyConnection;
use super::error::StoreError;
use super::schema::rule_sets;
use super::tx::{ReadTx, WriteTx};
use crate::clock::from_millis;
use crate::domain::ids::UnitId;
use crate::domain::network::Network;
use crate::domain::rules_layer::Layer;
use crate::domain::rules_layers::Layers;

/// A published change.
#[derive(Debug, Clone, PartialEq, Eq, Queryable)]
pub struct RuleSetRow {
    pub version: i64,
    pub effective_from: i64,
    pub source: String,
    pub published_at: i64,
    /// `None`: the network's layer.
    pub unit_id: Option<i64>,
    pub note: String,
    pub withdrawn_at: Option<i64>,
}

/// A change to be published.
#[derive(Debug, Clone)]
pub struct NewRuleSet {
    pub version: i64,
    pub effective_from: DateTime<Utc>,
    pub source: String,
    pub published_at: DateTime<Utc>,
    pub unit: Option<UnitId>,
    pub note: String,
}

/// A change in the order in which changes take effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Queryable)]
pub struct Change {
    pub version: i64,
    pub effective_from: i64,
    pub unit_id: Option<i64>,
}

/// The changes that count, in the order in which they take effect: withdrawn ones are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Timeline(pub Vec<Change>);

impl Timeline {
    pub(super) fn load(conn: &mut AnyConnection) -> Result<Self, StoreError> {
        let changes = rule_sets::table
            .filter(rule_sets::withdrawn_at.is_null())
            .order((rule_sets::effective_from, rule_sets::version))
            .select((rule_sets::version, rule_sets::effective_from, rule_sets::unit_id))
            .load(conn)?;
        Ok(Self(changes))
    }

    /// The place of the change that took effect last at a moment; before the first one there is nothing else than it.
    pub fn at(&self, at: DateTime<Utc>) -> Option<usize> {
        let begun = self
            .0
            .partition_point(|change| change.effective_from <= at.timestamp_millis());
        (!self.0.is_empty()).then(|| begun.saturating_sub(1))
    }

    /// The place of a version.
    pub fn place(&self, version: i64) -> Option<usize> {
        self.0.iter().position(|change| change.version == version)
    }

    /// When the next change takes effect.
    pub fn next(&self, place: usize) -> Option<DateTime<Utc>> {
        self.0.get(place + 1).map(|change| from_millis(change.effective_from))
    }

    /// The changes that make up the set at a place: the latest of each layer, the network's first.
    pub fn parts(&self, place: usize) -> Vec<Change> {
        let mut parts: Vec<Change> = Vec::new();
        for change in self.0.iter().take(place + 1) {
            parts.retain(|part| part.unit_id != change.unit_id);
            parts.push(*change);
        }
        parts.sort_by_key(|part| part.unit_id);
        parts
    }
}

/// The documents of some changes, read.
pub(super) fn layers(conn: &mut AnyConnection, parts: &[Change]) -> Result<Layers, StoreError> {
    let versions: Vec<i64> = parts.iter().map(|part| part.version).collect();
    let sources: Vec<(i64, Option<i64>, String)> = rule_sets::table
        .filter(rule_sets::version.eq_any(versions))
        .select((rule_sets::version, rule_sets::unit_id, rule_sets::source))
        .load(conn)?;
    let mut layers = Layers::default();
    for (version, unit, source) in sources {
        let read = Layer::read(&source);
        if let Some(fault) = read.faults.first() {
            return Err(StoreError::Corrupt(format!("rule set {version}: {fault}")));
        }
        match unit {
            None => layers.network = read.layer,
            Some(unit) => layers.own.push((UnitId::new(unit), read.layer)),
        }
    }
    Ok(layers)
}

impl ReadTx<'_> {
    /// Every change that counts.
    pub fn rule_timeline(&mut self) -> Result<Timeline, StoreError> {
        Timeline::load(self.conn)
    }

    /// The layers of the set at a place, in the order of the units' codes.
    ///
    /// # Errors
    /// `Corrupt` for a document that cannot be read.
    pub fn rule_layers(&mut self, network: &Network, timeline: &Timeline, place: usize) -> Result<Layers, StoreError> {
        let mut layers = layers(self.conn, &timeline.parts(place))?;
        layers
            .own
            .sort_by_key(|(unit, _)| network.unit(*unit).map(|unit| unit.code.clone()));
        Ok(layers)
    }

    /// One change, withdrawn or not.
    pub fn rule_set(&mut self, version: i64) -> Result<Option<RuleSetRow>, StoreError> {
        Ok(rule_sets::table
            .find(version)
            .select(rule_sets::all_columns)
            .first(self.conn)
            .optional()?)
    }

    /// Changes before `before`, the newest first; of one layer, or of all.
    pub fn rule_sets_before(
        &mut self,
        layer: Option<Option<UnitId>>,
        before: i64,
        limit: i64,
    ) -> Result<Vec<RuleSetRow>, StoreError> {
        let mut query = rule_sets::table
            .filter(rule_sets::version.lt(before))
            .select(rule_sets::all_columns)
            .order(rule_sets::version.desc())
            .limit(limit)
            .into_boxed();
        match layer {
            None => {}
            Some(None) => query = query.filter(rule_sets::unit_id.is_null()),
            Some(Some(unit)) => query = query.filter(rule_sets::unit_id.eq(unit.get())),
        }
        Ok(query.load(self.conn)?)
    }

    /// The number the next change gets. Under `lock_config`.
    pub fn next_rules_version(&mut self) -> Result<i64, StoreError> {
        let last: Option<i64> = rule_sets::table
            .select(diesel::dsl::max(rule_sets::version))
            .get_result(self.conn)?;
        Ok(last.unwrap_or(0) + 1)
    }
}

impl WriteTx<'_> {
    /// Publishes a change. Judge it first.
    pub fn insert_rule_set(&mut self, new: &NewRuleSet) -> Result<(), StoreError> {
        diesel::insert_into(rule_sets::table)
            .values((
                rule_sets::version.eq(new.version),
                rule_sets::effective_from.eq(new.effective_from.timestamp_millis()),
                rule_sets::source.eq(&new.source),
                rule_sets::published_at.eq(new.published_at.timestamp_millis()),
                rule_sets::unit_id.eq(new.unit.map(UnitId::get)),
                rule_sets::note.eq(&new.note),
            ))
            .execute(self.conn)?;
        self.bump_config_version()
    }

    /// Takes a change back that is not in force yet.
    pub fn withdraw_rule_set(&mut self, version: i64, at: DateTime<Utc>) -> Result<(), StoreError> {
        diesel::update(rule_sets::table.find(version))
            .set(rule_sets::withdrawn_at.eq(at.timestamp_millis()))
            .execute(self.conn)?;
        self.bump_config_version()
    }
}
