//! Looking at ledgers as a whole: which programmes decided, and whose lines add up to more than they allow.

use diesel::prelude::*;

use super::super::audit::Broken;
use super::super::error::StoreError;
use super::super::rule_sets::{Timeline, layers};
use super::super::schema::credit_entries;
use super::super::tx::ReadTx;
use crate::domain::credit::CreditRules;
use crate::domain::ids::UnitId;

impl ReadTx<'_> {
    /// The programmes that decided any line, by their versions.
    pub fn credit_programmes(&mut self) -> Result<Vec<(i64, CreditRules)>, StoreError> {
        let versions: Vec<i64> = credit_entries::table
            .select(credit_entries::rules_version)
            .distinct()
            .load(self.conn)?;
        let timeline = Timeline::load(self.conn)?;
        let mut programmes = Vec::new();
        for version in versions {
            // A version may be a unit's: the network's document that was in force beside it is what counts.
            let parts = timeline
                .place(version)
                .map(|place| timeline.parts(place))
                .unwrap_or_default();
            let Some(network) = parts.into_iter().find(|part| part.unit_id.is_none()) else {
                continue;
            };
            let read = layers(self.conn, &[network])?;
            // Caps have no codes in them: what a unit's code means is of no matter here.
            let rules = read.network.credit.map(|credit| credit.resolve(|_, _| UnitId::new(0)));
            programmes.extend(rules.map(|rules| (version, rules)));
        }
        Ok(programmes)
    }

    /// Readers whose lines of some events add up to more than `most`, by day, month or loan, where one version decided them all. Two
    /// ledgers that were merged had their caps each.
    pub fn credit_over(&mut self, version: i64, events: &[&str], by: &str, most: i64) -> Result<Broken, StoreError> {
        let events: Vec<String> = events.iter().map(|event| format!("'{event}'")).collect();
        let events = events.join(", ");
        self.breaking(&format!(
            "SELECT e.reader_id AS id FROM credit_entries e LEFT JOIN credit_reasons r ON r.entry_id = e.id \
             WHERE e.event IN ({events}) AND e.kind IN ('rule', 'reversal') AND {by} IS NOT NULL \
             AND e.reader_id NOT IN (SELECT survivor_id FROM reader_merges) GROUP BY e.reader_id, {by} \
             HAVING min(e.rules_version) = {version} AND max(e.rules_version) = {version} AND abs(sum(e.points)) > {most}"
        ))
    }
}
