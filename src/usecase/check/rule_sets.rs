//! Every published set of rules can still be followed: a set that could not would stop lending on the day it takes effect.
//! Units' own rows that the network has closed since are no fault: they are set aside.

use super::super::Result;
use super::Finding;
use crate::clock::from_millis;
use crate::domain::network::Network;
use crate::domain::rules_fault::Fault;
use crate::domain::rules_layer::Layer;
use crate::domain::rules_layers::Layers;
use crate::store::rule_sets::RuleSetRow;
use crate::store::tx::ReadTx;

const PAGE: i64 = 100;

pub(super) fn check(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(10, "every published set of rules can be followed");
    let network = tx.network()?;
    let mut before = i64::MAX;
    loop {
        let page = tx.rule_sets_before(None, before, PAGE)?;
        let Some(last) = page.last() else { break };
        before = last.version;
        for row in page.iter().filter(|row| row.withdrawn_at.is_none()) {
            finding.checked += 1;
            let faults = faults(&network, row);
            let told = faults.iter().map(|fault| format!("version {}: {fault}", row.version));
            finding.add(i64::try_from(faults.len()).unwrap_or(i64::MAX), told);
        }
    }
    finding.judge(tx, super::sql_rules::RULES)?;
    Ok(finding)
}

fn faults(network: &Network, row: &RuleSetRow) -> Vec<Fault> {
    let read = Layer::read(&row.source);
    if row.unit_id.is_some() {
        return read.faults;
    }
    let at = (row.version, from_millis(row.effective_from));
    network.judge_layer(None, &read, &Layers::default(), at).faults
}
