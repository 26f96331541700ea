//! Machines with doors: where a book lies, and whether what is asked of a loan fits what became of it.

use super::super::Result;
use super::Finding;
use crate::store::audit::SqlRule;
use crate::store::tx::ReadTx;

pub(super) fn check(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(
        1,
        "compartments agree with what lies in them, and loans at machines with what is asked of them",
    );
    finding.checked = tx.audit_size("compartments")? + tx.audit_size("loan_confirmations")?;
    finding.judge(tx, COMPARTMENTS)?;
    finding.judge(tx, LOANS)?;
    Ok(finding)
}

const COMPARTMENTS: &[SqlRule] = &[
    SqlRule {
        fault: "holds a book that is at another unit than its machine: compartment",
        breaks: "SELECT c.id FROM compartments c JOIN devices d ON d.id = c.device_id JOIN items i ON i.id = c.item_id \
                 WHERE i.current_unit_id <> d.unit_id",
    },
    SqlRule {
        fault: "holds a book that is on the road: compartment",
        breaks: "SELECT c.id FROM compartments c JOIN items i ON i.id = c.item_id WHERE i.status = 'in_transit'",
    },
    SqlRule {
        fault: "holds a book that is lent and of which nothing is asked: compartment",
        breaks: "SELECT c.id FROM compartments c JOIN items i ON i.id = c.item_id WHERE i.status = 'on_loan' \
                 AND c.state <> 'handing_out' AND NOT EXISTS (SELECT 1 FROM loans l JOIN loan_confirmations f ON f.loan_id = l.id WHERE l.item_id = i.id \
                 AND l.closed_at IS NULL AND f.decided_at IS NULL AND f.compartment_id = c.id) \
                 AND NOT EXISTS (SELECT 1 FROM journal_conflicts j WHERE j.item_id = i.id AND j.reason = 'said_otherwise' AND j.resolved_at IS NULL)",
    },
    SqlRule {
        fault: "hands out a book of which nothing is asked: compartment",
        breaks: "SELECT c.id FROM compartments c WHERE c.state = 'handing_out' AND NOT EXISTS (SELECT 1 \
                 FROM loan_confirmations f WHERE f.compartment_id = c.id AND f.turn = c.turn)",
    },
    SqlRule {
        fault: "a return that nobody can settle: its compartment was opened for another since; return",
        breaks: "SELECT r.id FROM locker_returns r JOIN compartments c ON c.id = r.compartment_id \
                 WHERE r.state = 'waiting' AND (c.turn <> r.turn OR c.state <> 'receiving')",
    },
];

const LOANS: &[SqlRule] = &[
    SqlRule {
        fault: "is asked about and not open: loan",
        breaks: "SELECT f.loan_id AS id FROM loan_confirmations f LEFT JOIN loans l ON l.id = f.loan_id \
                 WHERE f.decided_at IS NULL AND (l.id IS NULL OR l.closed_at IS NOT NULL)",
    },
    SqlRule {
        fault: "was voided by its machine and is not void: loan",
        breaks: "SELECT f.loan_id AS id FROM loan_confirmations f LEFT JOIN loans l ON l.id = f.loan_id \
                 WHERE f.state = 'voided' AND (l.id IS NULL OR l.closed_how IS NULL OR l.closed_how <> 'voided')",
    },
];
