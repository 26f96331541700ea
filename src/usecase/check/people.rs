//! Invariant 9, as far as columns show it: no plain ID number, and nothing hangs on a reader who was merged.

use super::Finding;
use crate::domain::resident_id;
use crate::store::audit::SqlRule;
use crate::store::tx::ReadTx;
use crate::usecase::Result;

/// Numbers looked at in one statement.
const PAGE: i64 = 5_000;

const READERS: &[SqlRule] = &[
    SqlRule {
        fault: "merged, and yet with a card, an open loan or an open hold: reader",
        breaks: "SELECT r.id FROM readers r WHERE r.merged_into IS NOT NULL AND (r.status <> 'inactive' OR r.debt_fen <> 0 \
                 OR EXISTS (SELECT 1 FROM cards c WHERE c.reader_id = r.id) \
                 OR EXISTS (SELECT 1 FROM loans l WHERE l.reader_id = r.id AND l.closed_at IS NULL) \
                 OR EXISTS (SELECT 1 FROM holds h WHERE h.reader_id = r.id AND h.closed_at IS NULL))",
    },
    SqlRule {
        fault: "merged, and yet with a day of birth, a PIN, an address, a notice, a line of credit or a freeze: reader",
        breaks: "SELECT r.id FROM readers r WHERE r.merged_into IS NOT NULL AND (r.credit_balance <> 0 OR r.credit_entries <> 0 \
                 OR r.birth_date IS NOT NULL OR r.pin_hash IS NOT NULL \
                 OR EXISTS (SELECT 1 FROM reader_contacts c WHERE c.reader_id = r.id) \
                 OR EXISTS (SELECT 1 FROM notice_preferences p WHERE p.reader_id = r.id) \
                 OR EXISTS (SELECT 1 FROM notices n WHERE n.reader_id = r.id) \
                 OR EXISTS (SELECT 1 FROM credit_entries e WHERE e.reader_id = r.id) \
                 OR EXISTS (SELECT 1 FROM credit_freezes f WHERE f.reader_id = r.id) \
                 OR EXISTS (SELECT 1 FROM credit_appeals a WHERE a.reader_id = r.id))",
    },
    SqlRule {
        fault: "used before it was opened, or of a card that is not there: session of card",
        breaks: "SELECT s.card_id AS id FROM card_sessions s LEFT JOIN cards c ON c.id = s.card_id \
                 WHERE c.id IS NULL OR s.used_at < s.opened_at",
    },
    SqlRule {
        fault: "void until later than its card says, or numbered beyond the last: revocation",
        breaks: "SELECT v.seq AS id FROM card_revocations v LEFT JOIN cards c ON c.id = v.card_id \
                 WHERE c.id IS NOT NULL AND (c.tokens_void_until IS NULL OR c.tokens_void_until < v.void_until) \
                 OR v.seq > (SELECT n.last_seq FROM card_revocation_numbers n WHERE n.id = 1)",
    },
    SqlRule {
        fault: "an address that is shown in full: reader",
        breaks: "SELECT reader_id AS id FROM reader_contacts WHERE shown NOT LIKE '%***%' OR next_shown NOT LIKE '%***%'",
    },
    SqlRule {
        fault: "waits to be sent, and its notice is not there: sending",
        breaks: "SELECT s.id FROM notice_sendings s LEFT JOIN notices n ON n.id = s.notice_id WHERE n.id IS NULL",
    },
    SqlRule {
        fault: "merged into a reader who was merged, or without a document: reader",
        breaks: "SELECT r.id FROM readers r JOIN readers s ON s.id = r.merged_into WHERE s.merged_into IS NOT NULL \
                 OR NOT EXISTS (SELECT 1 FROM reader_merges m WHERE m.duplicate_id = r.id)",
    },
    SqlRule {
        fault: "shown otherwise than by four characters of the ID number: card",
        breaks: "SELECT id FROM cards WHERE shown IS NOT NULL AND (number NOT LIKE '§%' OR length(shown) <> 8)",
    },
    SqlRule {
        fault: "an ID number with more than its tail in clear: number",
        breaks: "SELECT id FROM reader_identities WHERE length(tail) <> 4",
    },
    SqlRule {
        fault: "replaced by a card of another reader: card",
        breaks: "SELECT c.id FROM cards c LEFT JOIN cards n ON n.id = c.replaced_by \
                 WHERE c.replaced_by IS NOT NULL AND (n.id IS NULL OR n.reader_id <> c.reader_id)",
    },
];

pub(super) fn check(tx: &mut ReadTx<'_>) -> Result<Finding> {
    let mut finding = Finding::new(9, "no plain ID number; nothing hangs on a merged reader");
    finding.checked = tx.audit_size("readers")?;
    finding.judge(tx, READERS)?;
    let mut after = 0;
    loop {
        let page = tx.card_numbers(after, PAGE)?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        let plain: Vec<i64> = page
            .into_iter()
            .filter_map(|(id, number)| resident_id::is_one(&number).then_some(id))
            .collect();
        let told = plain.iter().map(|id| format!("an ID number in clear: card {id}"));
        finding.add(i64::try_from(plain.len()).unwrap_or(i64::MAX), told);
    }
    Ok(finding)
}
