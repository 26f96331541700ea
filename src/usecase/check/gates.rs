//! Gates and sorters: an answer is the one that goes with its reason, and a table of bins leaves no book nowhere.

use super::super::Result;
use super::Finding;
use crate::domain::gate_exit::{ExitDecision, ExitReason};
use crate::store::audit::SqlRule;
use crate::store::tx::ReadTx;

const BINS: &[SqlRule] = &[
    SqlRule {
        fault: "has bins and none for exceptions: unit",
        breaks: "SELECT DISTINCT b.unit_id AS id FROM sorter_bins b WHERE NOT EXISTS (SELECT 1 FROM sorter_bins e \
                 WHERE e.unit_id = b.unit_id AND e.takes = 'exception')",
    },
    SqlRule {
        fault: "takes books of a collection of another unit: line of bins",
        breaks: "SELECT b.id FROM sorter_bins b JOIN collections c ON c.id = b.collection_id WHERE c.unit_id <> b.unit_id",
    },
];

pub(super) fn check(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(1, "gates answered by their table, and bins take every book");
    finding.checked = tx.audit_size("gate_checks")?;
    finding.judge(tx, BINS)?;
    for answered in tx.gate_answers()? {
        let (decision, reason) = (&answered.decision, &answered.reason);
        let goes = ExitReason::from_code(reason).map(ExitReason::decision);
        if goes.is_none() || goes != ExitDecision::from_code(decision) {
            let example = format!("answered {decision} for {reason}: passage {}", answered.first_id);
            finding.add(answered.times, [example]);
        }
    }
    Ok(finding)
}
