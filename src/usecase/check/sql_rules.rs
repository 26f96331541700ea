//! The rules that are questions to the database, as data. Each selects the ids of what breaks it; the SQL means the
//! same on both engines.

use crate::store::audit::SqlRule;

pub(super) const ITEM_STATES: &[SqlRule] = &[
    SqlRule {
        fault: "more than one open loan of item",
        breaks: "SELECT item_id AS id FROM loans WHERE closed_at IS NULL GROUP BY item_id HAVING count(*) > 1",
    },
    SqlRule {
        fault: "more than one open journey of item",
        breaks: "SELECT item_id AS id FROM transits WHERE closed_at IS NULL GROUP BY item_id HAVING count(*) > 1",
    },
    SqlRule {
        fault: "not at the unit that lent it: item",
        breaks: "SELECT i.id FROM items i JOIN loans l ON l.item_id = i.id AND l.closed_at IS NULL \
                 WHERE i.status IN ('on_loan', 'claimed_returned') AND i.current_unit_id <> l.unit_id",
    },
    SqlRule {
        fault: "waits for a crate elsewhere than its journey starts: item",
        breaks: "SELECT i.id FROM items i JOIN transits t ON t.item_id = i.id AND t.closed_at IS NULL \
                 WHERE i.status = 'awaiting_dispatch' AND i.current_unit_id <> t.from_unit_id",
    },
    SqlRule {
        fault: "on the hold shelf of another unit than its hold is picked up at: item",
        breaks: "SELECT i.id FROM items i JOIN holds h ON h.captured_item_id = i.id AND h.closed_at IS NULL \
                 WHERE h.shelf_number IS NOT NULL AND i.current_unit_id <> h.pickup_unit_id",
    },
    SqlRule {
        fault: "set aside, but not on its way to the pickup unit: hold",
        breaks: "SELECT h.id FROM holds h LEFT JOIN transits t ON t.item_id = h.captured_item_id AND t.closed_at IS NULL \
                 WHERE h.closed_at IS NULL AND h.captured_item_id IS NOT NULL AND h.shelf_number IS NULL \
                 AND (t.id IS NULL OR t.to_unit_id <> h.pickup_unit_id)",
    },
    SqlRule {
        fault: "another bib than its item has: open loan",
        breaks: "SELECT l.id FROM loans l JOIN items i ON i.id = l.item_id WHERE l.closed_at IS NULL AND l.bib_id <> i.bib_id",
    },
    SqlRule {
        fault: "with another reader's card: open loan",
        breaks: "SELECT l.id FROM loans l JOIN cards c ON c.id = l.card_id \
                 WHERE l.closed_at IS NULL AND c.reader_id <> l.reader_id",
    },
    SqlRule {
        fault: "names a unit, owner, item type or category that does not exist: loan",
        breaks: "SELECT l.id FROM loans l WHERE NOT EXISTS (SELECT 1 FROM units u WHERE u.id = l.unit_id) \
                 OR NOT EXISTS (SELECT 1 FROM units u WHERE u.id = l.owner_unit_id) \
                 OR NOT EXISTS (SELECT 1 FROM item_types t WHERE t.id = l.item_type_id) \
                 OR NOT EXISTS (SELECT 1 FROM reader_categories c WHERE c.id = l.category_id)",
    },
    SqlRule {
        fault: "ends before it begins: loan",
        breaks: "SELECT id FROM loans WHERE closed_at < loaned_at AND closed_how = 'returned'",
    },
];

pub(super) const STOCK: &[SqlRule] = &[
    SqlRule {
        fault: "names a unit, bib or item type that does not exist: item",
        breaks: "SELECT i.id FROM items i WHERE NOT EXISTS (SELECT 1 FROM units u WHERE u.id = i.home_unit_id) \
             OR NOT EXISTS (SELECT 1 FROM units u WHERE u.id = i.current_unit_id) \
             OR NOT EXISTS (SELECT 1 FROM bibs b WHERE b.id = i.bib_id) \
             OR NOT EXISTS (SELECT 1 FROM item_types t WHERE t.id = i.item_type_id)",
    },
    SqlRule {
        fault: "belongs to a bib that was merged into another: item",
        breaks: "SELECT i.id FROM items i JOIN bibs b ON b.id = i.bib_id WHERE b.merged_into IS NOT NULL",
    },
    // So there are no chains either, and no circles.
    SqlRule {
        fault: "merged into itself, or into what is no bib or was merged too: bib",
        breaks: "SELECT b.id FROM bibs b LEFT JOIN bibs s ON s.id = b.merged_into WHERE b.merged_into IS NOT NULL \
                 AND (s.id IS NULL OR s.id = b.id OR s.merged_into IS NOT NULL)",
    },
];

pub(super) const QUEUES: &[SqlRule] = &[
    SqlRule {
        fault: "places in the queue are not 1..n: bib",
        breaks: "SELECT bib_id AS id FROM (SELECT bib_id, rank() OVER (PARTITION BY bib_id ORDER BY priority, placed_at, id) \
                 AS place FROM holds WHERE closed_at IS NULL AND captured_item_id IS NULL) AS queue \
                 GROUP BY bib_id HAVING max(place) <> count(*) OR count(DISTINCT place) <> count(*)",
    },
    SqlRule {
        fault: "captured for more than one hold: item",
        breaks: "SELECT captured_item_id AS id FROM holds WHERE closed_at IS NULL AND captured_item_id IS NOT NULL \
                 GROUP BY captured_item_id HAVING count(*) > 1",
    },
    SqlRule {
        fault: "captured an item of another bib, or another copy than it waits for: hold",
        breaks: "SELECT h.id FROM holds h JOIN items i ON i.id = h.captured_item_id \
                 WHERE h.closed_at IS NULL AND (i.bib_id <> h.bib_id OR h.item_id <> i.id)",
    },
    SqlRule {
        fault: "waits for a copy of another bib: hold",
        breaks: "SELECT h.id FROM holds h JOIN items i ON i.id = h.item_id WHERE h.closed_at IS NULL AND i.bib_id <> h.bib_id",
    },
    SqlRule {
        fault: "waits for a copy that was withdrawn: hold",
        breaks: "SELECT h.id FROM holds h JOIN items i ON i.id = h.item_id WHERE h.closed_at IS NULL AND i.status = 'withdrawn'",
    },
    SqlRule {
        fault: "open on a bib that was merged into another: hold",
        breaks: "SELECT h.id FROM holds h JOIN bibs b ON b.id = h.bib_id WHERE h.closed_at IS NULL AND b.merged_into IS NOT NULL",
    },
    SqlRule {
        fault: "replaced by a hold that is not there or another reader's, or not cancelled: hold",
        breaks: "SELECT h.id FROM holds h LEFT JOIN holds k ON k.id = h.replaced_by WHERE h.replaced_by IS NOT NULL \
                 AND (COALESCE(h.closed_how, '') <> 'cancelled' OR k.id IS NULL OR k.reader_id <> h.reader_id)",
    },
    SqlRule {
        fault: "a shelf number without a last day, or the other way round: hold",
        breaks: "SELECT id FROM holds WHERE closed_at IS NULL AND (shelf_number IS NULL) <> (shelf_until IS NULL)",
    },
    SqlRule {
        fault: "two holds have one shelf number at unit",
        breaks: "SELECT pickup_unit_id AS id FROM holds WHERE closed_at IS NULL AND shelf_number IS NOT NULL \
                 GROUP BY pickup_unit_id, shelf_number HAVING count(*) > 1",
    },
    SqlRule {
        fault: "open_holds is not the number of its open holds: bib",
        breaks: "SELECT b.id FROM bibs b LEFT JOIN (SELECT bib_id, count(*) AS n FROM holds WHERE closed_at IS NULL \
                 GROUP BY bib_id) AS open_of ON open_of.bib_id = b.id WHERE b.open_holds <> COALESCE(open_of.n, 0)",
    },
    SqlRule {
        fault: "open_holds is not the number of its open holds: reader",
        breaks: "SELECT r.id FROM readers r LEFT JOIN (SELECT reader_id, count(*) AS n FROM holds WHERE closed_at IS NULL \
                 GROUP BY reader_id) AS open_of ON open_of.reader_id = r.id WHERE r.open_holds <> COALESCE(open_of.n, 0)",
    },
];

pub(super) const MOVES: &[SqlRule] = &[
    SqlRule {
        fault: "moved a loan that does not exist: change",
        breaks: "SELECT m.change_id AS id FROM moved_loans m WHERE NOT EXISTS (SELECT 1 FROM loans l WHERE l.id = m.loan_id)",
    },
    SqlRule {
        fault: "moved a hold that does not exist: change",
        breaks: "SELECT m.change_id AS id FROM moved_holds m WHERE NOT EXISTS (SELECT 1 FROM holds h WHERE h.id = m.hold_id)",
    },
    SqlRule {
        fault: "put something back without having been undone: change",
        breaks: "SELECT c.id FROM calendar_changes c WHERE c.undone_at IS NULL AND (c.put_back > 0 \
                 OR EXISTS (SELECT 1 FROM moved_loans m WHERE m.change_id = c.id AND m.put_back) \
                 OR EXISTS (SELECT 1 FROM moved_holds m WHERE m.change_id = c.id AND m.put_back))",
    },
    SqlRule {
        fault: "an exceptional opening without hours",
        breaks: "SELECT o.id FROM unit_openings o WHERE NOT EXISTS (SELECT 1 FROM unit_opening_spans s WHERE s.opening_id = o.id)",
    },
];

pub(super) const KEYS: &[SqlRule] = &[SqlRule {
    fault: "an outcome that is not whole, stored at (UTC milliseconds)",
    breaks: "SELECT created_at AS id FROM idempotency_keys WHERE outcome NOT LIKE '{%}'",
}];

pub(super) const EVENTS: &[SqlRule] = &[
    SqlRule {
        fault: "a personal row without its event: event",
        breaks: "SELECT p.seq AS id FROM event_personal p WHERE NOT EXISTS (SELECT 1 FROM events e WHERE e.seq = p.seq)",
    },
    SqlRule {
        fault: "a personal row that its event does not commit to: event",
        breaks: "SELECT p.seq AS id FROM event_personal p JOIN events e ON e.seq = p.seq WHERE e.commitment IS NULL",
    },
];
