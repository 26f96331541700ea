//! The audit of the whole database: every invariant that data can show, each in one read transaction.
//! Not for: mending. A violation is a fault of this program or of somebody's hand in the database; people decide.

mod credit;
mod devices;
mod due_dates;
mod gates;
mod item_states;
mod journal;
mod lockers;
mod people;
mod privacy_rules;
mod rule_sets;
mod sql_rules;

use std::sync::Arc;

use super::progress::Progress;
use super::{Result, UseCaseError};
use crate::store::Store;
use crate::store::audit::SqlRule;
use crate::store::tx::ReadTx;

/// Violations told per invariant; all are counted.
const SHOWN: usize = 50;

/// What was found about one invariant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its number in the list of invariants.
    pub invariant: u8,
    pub name: &'static str,
    /// Rows looked at.
    pub checked: i64,
    pub violations: i64,
    /// The first of them, in words.
    pub examples: Vec<String>,
}

impl Finding {
    fn new(invariant: u8, name: &'static str) -> Self {
        Self {
            invariant,
            name,
            checked: 0,
            violations: 0,
            examples: Vec::new(),
        }
    }

    /// Counts `count` violations and keeps the words for some.
    fn add(&mut self, count: i64, examples: impl IntoIterator<Item = String>) {
        self.violations += count;
        let room = SHOWN.saturating_sub(self.examples.len());
        self.examples.extend(examples.into_iter().take(room));
    }

    /// Adds what breaks any of these rules.
    fn judge(&mut self, tx: &mut ReadTx<'_>, rules: &[SqlRule]) -> Result<()> {
        for rule in rules {
            let broken = tx.broken(rule)?;
            self.add(broken.count, broken.ids.iter().map(|id| format!("{} {id}", rule.fault)));
        }
        Ok(())
    }
}

/// Audits everything. No findings with violations: the database is sound.
///
/// # Errors
/// A failure of the store.
pub async fn check(store: &Arc<Store>, progress: &dyn Progress) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    progress.begin("items, loans, journeys and holds", None);
    findings.push(audit(store, item_states::check).await?);
    progress.begin("stock by owner", None);
    findings.push(audit(store, stock).await?);
    progress.begin("queues and hold shelves", None);
    findings.push(audit(store, queues).await?);
    progress.begin("parcels", None);
    findings.push(audit(store, parcels).await?);
    progress.begin("gates and bins", None);
    findings.push(audit(store, gates::check).await?);
    progress.begin("credit", None);
    findings.push(audit(store, credit::check).await?);
    progress.begin("due dates", None);
    findings.push(audit(store, due_dates::check).await?);
    progress.begin("idempotency keys", None);
    findings.push(audit(store, keys).await?);
    progress.begin("events, seals and statistics", None);
    findings.push(audit(store, statistics).await?);
    progress.begin("readers", None);
    findings.push(audit(store, people::check).await?);
    progress.begin("readers who are unlinked", None);
    findings.push(audit(store, unlinked).await?);
    progress.begin("rules", None);
    findings.push(audit(store, rule_sets::check).await?);
    progress.begin("devices", None);
    findings.push(audit(store, devices::check).await?);
    progress.begin("lockers", None);
    findings.push(audit(store, lockers::check).await?);
    progress.begin("journals", None);
    findings.push(audit(store, journal::check).await?);
    Ok(findings)
}

async fn audit(
    store: &Arc<Store>,
    work: impl FnOnce(&mut ReadTx<'_>) -> Result<Finding> + Send + 'static,
) -> Result<Finding> {
    store
        .read(move |tx| {
            tx.lift_time_limit().map_err(UseCaseError::from)?;
            work(tx)
        })
        .await
}

/// Invariant 2: every item is in exactly one known status, so that an owner's items are the sum over the statuses.
fn stock(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(2, "an owner's items are the sum over their statuses");
    let network = tx.network()?;
    for line in tx.stock_by_owner()? {
        finding.checked += line.items;
        let owner = crate::domain::ids::UnitId::new(line.owner_unit_id);
        if network.unit(owner).is_none() {
            finding.add(
                line.items,
                [format!("{} items belong to the unknown unit {owner}", line.items)],
            );
        }
        if crate::domain::item::ItemStatus::from_code(&line.status).is_none() {
            let text = format!(
                "{} items of unit {owner} have the unknown status {}",
                line.items, line.status
            );
            finding.add(line.items, [text]);
        }
    }
    finding.judge(tx, sql_rules::STOCK)?;
    finding.judge(tx, sql_rules::DEPOSITS)?;
    let (summed, counted) = (finding.checked, tx.audit_size("items")?);
    if summed != counted {
        finding.add(
            1,
            [format!("the statuses add up to {summed} items, {counted} are there")],
        );
    }
    Ok(finding)
}

/// Invariant 3: places in queues are 1..n, an item is set aside for one hold, shelf numbers and counters are right.
fn queues(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(3, "queues run 1..n, an item is captured once, counters are right");
    finding.checked = tx.audit_size("holds")?;
    finding.judge(tx, sql_rules::QUEUES)?;
    Ok(finding)
}

/// Invariant 1, for what travels by parcel: its lines agree with holds, loans and copies.
fn parcels(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(1, "parcels agree with holds, loans and copies");
    finding.checked = tx.audit_size("parcel_lines")?;
    finding.judge(tx, sql_rules::PARCELS)?;
    Ok(finding)
}

/// Invariant 7, as far as data shows it: every idempotency key has its outcome.
fn keys(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(7, "every idempotency key has its outcome");
    finding.checked = tx.audit_size("idempotency_keys")?;
    finding.judge(tx, sql_rules::KEYS)?;
    Ok(finding)
}

/// Invariant 8: the chain verifies from its start, side rows match, and the statistics equal a recount.
fn statistics(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(8, "the event chain verifies and the statistics equal a recount");
    let chain = tx.audit_chain()?;
    finding.checked = chain.events;
    finding.add(
        i64::try_from(chain.faults.len()).unwrap_or(i64::MAX),
        chain.faults.iter().cloned(),
    );
    let differences = tx.audit_counts(&chain)?;
    let texts = differences.iter().map(|line| {
        let key = &line.key;
        format!(
            "statistics of {} at unit {} for {} are off by {}",
            key.day, key.unit_id, key.kind, -line.by
        )
    });
    finding.add(i64::try_from(differences.len()).unwrap_or(i64::MAX), texts);
    finding.judge(tx, sql_rules::EVENTS)?;
    Ok(finding)
}

/// Invariant 9, as far as data shows it: what was unlinked or erased names nobody.
fn unlinked(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(9, "what ended long ago, and what was erased, names no reader");
    finding.checked = tx.audit_size("loans")?;
    finding.judge(tx, privacy_rules::UNLINKED)?;
    finding.judge(tx, privacy_rules::ERASED)?;
    Ok(finding)
}
