//! What unlinking and erasing promise, as questions to the database.

use crate::store::audit::SqlRule;

/// What ended before the border of the last run. A loan that was lost or came back late may have been kept for a debt that was
/// paid since; its events with it.
pub(super) const UNLINKED: &[SqlRule] = &[
    SqlRule {
        fault: "ended long ago and names its reader: loan",
        breaks: "SELECT l.id FROM loans l JOIN unlinking u ON l.closed_at < u.unlinked_before \
                 WHERE l.reader_id IS NOT NULL AND l.closed_how <> 'lost' AND l.closed_at <= l.due_at",
    },
    SqlRule {
        fault: "names no reader, but a card: loan",
        breaks: "SELECT id FROM loans WHERE reader_id IS NULL AND card_id IS NOT NULL",
    },
    SqlRule {
        fault: "ended long ago and names its reader: hold",
        breaks: "SELECT h.id FROM holds h JOIN unlinking u ON h.closed_at < u.unlinked_before WHERE h.reader_id IS NOT NULL",
    },
    SqlRule {
        fault: "of a loan that names no reader, and a line of credit says whose: loan",
        breaks: "SELECT l.id FROM credit_reasons c JOIN loans l ON l.id = c.loan_id WHERE l.reader_id IS NULL",
    },
    SqlRule {
        fault: "of a hold that names no reader, and a line of credit says whose: hold",
        breaks: "SELECT h.id FROM credit_reasons c JOIN holds h ON h.id = c.hold_id WHERE h.reader_id IS NULL",
    },
    SqlRule {
        // A run finds what is sealed: what was sealed only after its border is the next one's.
        fault: "long ago, of nothing that is still linked, and names its reader: event",
        breaks: "SELECT r.seq AS id FROM reader_events r JOIN unlinking u ON r.at < u.unlinked_before \
                 JOIN readers p ON p.id = r.reader_id JOIN events e ON e.seq = r.seq \
                 WHERE EXISTS (SELECT 1 FROM event_seals s WHERE s.sealed_at < u.unlinked_before \
                    AND (e.txid < s.last_txid OR (e.txid = s.last_txid AND e.seq <= s.last_seq))) \
                 AND NOT EXISTS (SELECT 1 FROM loans l WHERE l.reader_id = coalesce(p.merged_into, p.id)) \
                 AND NOT EXISTS (SELECT 1 FROM holds h WHERE h.reader_id = coalesce(p.merged_into, p.id)) \
                 AND NOT EXISTS (SELECT 1 FROM delivery_requests d WHERE d.reader_id = coalesce(p.merged_into, p.id))",
    },
];

/// Nothing personal is left of them.
pub(super) const ERASED: &[SqlRule] = &[
    SqlRule {
        fault: "erased, and something personal is left: reader",
        breaks: "SELECT id FROM readers WHERE erased_at IS NOT NULL AND (name <> '' OR birth_date IS NOT NULL \
                 OR note IS NOT NULL OR block_reason IS NOT NULL OR pin_hash IS NOT NULL OR status <> 'inactive')",
    },
    SqlRule {
        fault: "erased, and a loan, hold, event or session is left: reader",
        breaks: "SELECT r.id FROM readers r WHERE r.erased_at IS NOT NULL AND ( \
                 EXISTS (SELECT 1 FROM loans l WHERE l.reader_id = r.id) \
                 OR EXISTS (SELECT 1 FROM holds h WHERE h.reader_id = r.id) \
                 OR EXISTS (SELECT 1 FROM delivery_requests d WHERE d.reader_id = r.id) \
                 OR EXISTS (SELECT 1 FROM reader_events e WHERE e.reader_id = r.id) \
                 OR EXISTS (SELECT 1 FROM reader_identities i WHERE i.reader_id = r.id) \
                 OR EXISTS (SELECT 1 FROM reader_contacts c WHERE c.reader_id = r.id) \
                 OR EXISTS (SELECT 1 FROM notices n WHERE n.reader_id = r.id) \
                 OR EXISTS (SELECT 1 FROM credit_entries e WHERE e.reader_id = r.id) \
                 OR EXISTS (SELECT 1 FROM refresh_tokens t WHERE t.audience = 'reader' AND t.subject_id = r.id))",
    },
];
