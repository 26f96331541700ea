//! Journals: what was judged has left what it says, and nothing that has come is passed over.

use super::super::Result;
use super::Finding;
use crate::store::audit::SqlRule;
use crate::store::tx::ReadTx;

const JOURNALS: &[SqlRule] = &[
    SqlRule {
        fault: "was recorded as a loan that is not there: entry of a journal",
        breaks: "SELECT e.id FROM journal_entries e WHERE e.loan_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM loans l \
                 WHERE l.id = e.loan_id)",
    },
    SqlRule {
        fault: "contradicts the records, and nobody is asked: entry of a journal",
        breaks: "SELECT e.id FROM journal_entries e WHERE e.verdict = 'conflict' AND NOT EXISTS (SELECT 1 \
                 FROM journal_conflicts c WHERE c.entry_id = e.id)",
    },
    SqlRule {
        fault: "was judged and still has its text: entry of a journal",
        breaks: "SELECT id FROM journal_entries WHERE verdict <> 'waiting' AND body IS NOT NULL",
    },
    SqlRule {
        fault: "has come, and its journal does not know: entry of a journal",
        breaks: "SELECT e.id FROM journal_entries e LEFT JOIN journal_cursors c ON c.device_id = e.device_id \
                 AND c.journal = e.journal WHERE e.journal >= 1 AND (c.journal IS NULL \
                 OR (e.sequence >= c.next_sequence AND c.gap_since IS NULL))",
    },
    SqlRule {
        fault: "was settled and still has its text: line of the quarantine",
        breaks: "SELECT id FROM journal_quarantine WHERE settled_at IS NOT NULL AND body IS NOT NULL",
    },
    SqlRule {
        fault: "was released and is not in the journal of what was: line of the quarantine",
        breaks: "SELECT q.id FROM journal_quarantine q WHERE q.settled_how = 'released' AND NOT EXISTS (SELECT 1 \
                 FROM journal_entries e WHERE e.device_id = q.device_id AND e.journal = 0 AND e.sequence = q.id)",
    },
    SqlRule {
        fault: "was resolved and still has its text: conflict",
        breaks: "SELECT id FROM journal_conflicts WHERE resolved_at IS NOT NULL AND body IS NOT NULL",
    },
];

pub(super) fn check(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(1, "journals left what they say, and people are asked what contradicts");
    finding.checked = tx.audit_size("journal_entries")?;
    finding.judge(tx, JOURNALS)?;
    Ok(finding)
}
