//! Invariant 4: the balance is the sum of the lines, each follows from the one before, nothing was undone twice, no cap was passed, and the
//! floor freezes.

use super::super::Result;
use super::Finding;
use crate::domain::credit::CreditRules;
use crate::store::audit::SqlRule;
use crate::store::tx::ReadTx;

pub(super) fn check(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(4, "credit is the sum of its lines, within its caps");
    finding.checked = tx.audit_size("credit_entries")?;
    finding.judge(tx, CREDIT)?;
    for (version, rules) in tx.credit_programmes()? {
        caps(tx, &mut finding, version, &rules)?;
        if rules.freeze.is_some() {
            let broken = tx.credit_at_floor_and_free(version, rules.floor)?;
            let told = broken
                .ids
                .iter()
                .map(|id| format!("came to the floor, and is not frozen for it: reader {id}"));
            finding.add(broken.count, told);
        }
    }
    Ok(finding)
}

/// Sums of lines that one version of the rules decided. Where two did on one day, or of one loan, neither is held to.
fn caps(tx: &mut ReadTx<'_>, finding: &mut Finding, version: i64, rules: &CreditRules) -> Result<()> {
    for rule in &rules.rules {
        let events: Vec<&str> = rule.events.iter().map(|event| event.code()).collect();
        for (cap, most, by) in [
            ("a day", rule.per_day, "e.day"),
            ("a month", rule.per_month, "substr(e.day, 1, 7)"),
            ("a loan", rule.per_item, "r.loan_id"),
        ] {
            let Some(most) = most else { continue };
            let broken = tx.credit_over(version, &events, by, most)?;
            let told = broken.ids.iter().map(|id| {
                format!(
                    "more {} points for {cap} than {most}: reader {id}",
                    events.join(" and ")
                )
            });
            finding.add(broken.count, told);
        }
    }
    Ok(())
}

const CREDIT: &[SqlRule] = &[
    SqlRule {
        fault: "a balance or a number of lines that the ledger does not have: reader",
        breaks: "SELECT r.id FROM readers r LEFT JOIN (SELECT reader_id, sum(points) AS points, count(*) AS n FROM credit_entries \
                 GROUP BY reader_id) e ON e.reader_id = r.id \
                 WHERE r.credit_balance <> coalesce(e.points, 0) OR r.credit_entries <> coalesce(e.n, 0)",
    },
    SqlRule {
        fault: "does not follow from the line before: credit entry",
        breaks: "SELECT e.id FROM credit_entries e LEFT JOIN credit_entries p ON p.reader_id = e.reader_id AND p.number = e.number - 1 \
                 WHERE e.balance <> e.points + coalesce(p.balance, 0) OR (p.id IS NULL) <> (e.number = 1)",
    },
    SqlRule {
        fault: "more points than were asked for, or the other way: credit entry",
        breaks: "SELECT id FROM credit_entries WHERE (points > 0 AND points > asked) OR (points < 0 AND points < asked)",
    },
    SqlRule {
        fault: "less than was asked for, and no word why: credit entry",
        breaks: "SELECT id FROM credit_entries WHERE points <> asked AND limited_by IS NULL",
    },
    SqlRule {
        fault: "undone by a line that undoes another, or undoes one of another reader: credit entry",
        breaks: "SELECT e.id FROM credit_entries e LEFT JOIN credit_entries u ON u.id = e.undone_by WHERE e.undone_by IS NOT NULL \
                 AND (u.undoes_id IS NULL OR u.undoes_id <> e.id OR u.reader_id <> e.reader_id)",
    },
    SqlRule {
        fault: "undoes a line that does not know it: credit entry",
        breaks: "SELECT u.id FROM credit_entries u JOIN credit_entries e ON e.id = u.undoes_id \
                 WHERE e.undone_by IS NULL OR e.undone_by <> u.id",
    },
    SqlRule {
        fault: "open, but its reader is not frozen: freeze",
        breaks: "SELECT f.id FROM credit_freezes f JOIN readers r ON r.id = f.reader_id \
                 WHERE f.ended_at IS NULL AND r.credit_band <> 'frozen'",
    },
    SqlRule {
        fault: "upheld, but the line stands: appeal",
        breaks: "SELECT a.id FROM credit_appeals a JOIN credit_entries e ON e.id = a.entry_id \
                 WHERE a.status = 'upheld' AND e.undone_by IS NULL",
    },
    SqlRule {
        fault: "let in by a provider that has not said so: reader",
        breaks: "SELECT r.id FROM readers r WHERE r.admitted_by = 'external_score' AND NOT EXISTS (SELECT 1 FROM admission_requests a \
                 WHERE a.reader_id = r.id AND a.state = 'passed' AND a.ended_at IS NULL)",
    },
    SqlRule {
        fault: "a report of another provider, or of what was not decided: admission request",
        breaks: "SELECT a.id FROM admission_requests a JOIN admission_reports p ON p.request_id = a.id \
                 WHERE p.provider <> a.provider OR a.decided_at IS NULL",
    },
    SqlRule {
        fault: "open, and nobody is to be asked: admission request",
        breaks: "SELECT a.id FROM admission_requests a WHERE a.state = 'asked' AND a.agree_url IS NULL AND NOT EXISTS (SELECT 1 FROM outbox o \
                 WHERE o.consumer = 'admission' AND o.subject_id = a.id)",
    },
    SqlRule {
        fault: "another number of overdue points than its lines have: loan",
        breaks: "SELECT o.loan_id AS id FROM credit_overdue o JOIN (SELECT r.loan_id, sum(e.points) AS points FROM credit_reasons r \
                 JOIN credit_entries e ON e.id = r.entry_id WHERE e.event = 'overdue' AND e.kind = 'rule' AND e.undone_by IS NULL \
                 GROUP BY r.loan_id) s ON s.loan_id = o.loan_id WHERE o.points < -s.points",
    },
    SqlRule {
        fault: "more days left for money than were overdue, or a rest of one that is out: loan",
        breaks: "SELECT o.loan_id AS id FROM credit_overdue o JOIN loans l ON l.id = o.loan_id \
                 WHERE o.money_days < 0 OR o.money_days > o.days OR (o.rest_until IS NOT NULL AND l.closed_at IS NULL)",
    },
];
