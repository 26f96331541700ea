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
        // On the road it goes on, though its reader may have chosen another unit since; waiting to be checked in, it is there.
        fault: "set aside, but not on its way to the pickup unit: hold",
        breaks: "SELECT h.id FROM holds h JOIN items i ON i.id = h.captured_item_id \
                 LEFT JOIN transits t ON t.item_id = h.captured_item_id AND t.closed_at IS NULL \
                 WHERE h.closed_at IS NULL AND h.captured_item_id IS NOT NULL AND h.shelf_number IS NULL \
                 AND NOT (t.id IS NULL AND i.clear_since IS NOT NULL AND i.current_unit_id = h.pickup_unit_id) \
                 AND (t.id IS NULL OR (t.to_unit_id <> h.pickup_unit_id AND t.status <> 'sent'))",
    },
    SqlRule {
        fault: "on a hold shelf with no number and no list to find it in: item",
        breaks: "SELECT i.id FROM items i JOIN holds h ON h.captured_item_id = i.id AND h.closed_at IS NULL \
                 WHERE i.status = 'on_hold_shelf' AND h.shelf_number IS NULL AND i.clear_since IS NULL",
    },
    SqlRule {
        fault: "a number to take it from without a time: item",
        breaks: "SELECT id FROM items WHERE clear_number IS NOT NULL AND clear_since IS NULL",
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
        fault: "renewed, though it is for use in the reading room: loan",
        breaks: "SELECT id FROM loans WHERE reading_room AND renewals > 0",
    },
    SqlRule {
        fault: "packed, but its crate is not being packed or goes elsewhere: journey",
        breaks: "SELECT t.id FROM transits t JOIN crates c ON c.id = t.crate_id WHERE t.status = 'packed' \
                 AND (c.status NOT IN ('open', 'closed') OR t.from_unit_id <> c.from_unit_id OR t.to_unit_id <> c.to_unit_id)",
    },
    SqlRule {
        fault: "under way in a crate that has not left: journey",
        breaks: "SELECT t.id FROM transits t JOIN crates c ON c.id = t.crate_id \
                 WHERE t.status IN ('sent', 'missing') AND c.status IN ('open', 'closed', 'cancelled')",
    },
    SqlRule {
        fault: "still to move by a transfer that was declined: item",
        breaks: "SELECT i.item_id AS id FROM ownership_transfer_items i JOIN ownership_transfers o ON o.id = i.transfer_id \
                 WHERE i.outcome = 'pending' AND o.status IN ('declined', 'withdrawn')",
    },
    SqlRule {
        fault: "claimed returned without a claim, or the other way round: open loan",
        breaks: "SELECT l.id FROM loans l JOIN items i ON i.id = l.item_id WHERE l.closed_at IS NULL \
                 AND i.status IN ('on_loan', 'claimed_returned') \
                 AND (i.status = 'claimed_returned') <> (l.claimed_returned_at IS NOT NULL)",
    },
    SqlRule {
        fault: "claimed returned or recalled before it was made: loan",
        breaks: "SELECT id FROM loans WHERE claimed_returned_at < loaned_at OR recalled_at < loaned_at",
    },
    SqlRule {
        fault: "more renewals by itself than renewals, or a refusal of one without its due date: loan",
        breaks: "SELECT id FROM loans WHERE auto_renewals < 0 OR auto_renewals > renewals \
                 OR (auto_refusals IS NULL) <> (auto_refused_due_at IS NULL)",
    },
    SqlRule {
        fault: "bound into no item, itself, another owner's, or one that is bound in turn: item",
        breaks: "SELECT i.id FROM items i LEFT JOIN items h ON h.id = i.bound_into_item_id \
                 WHERE i.bound_into_item_id IS NOT NULL AND (h.id IS NULL OR h.id = i.id \
                 OR h.owner_unit_id <> i.owner_unit_id OR h.bound_into_item_id IS NOT NULL)",
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

pub(super) const DEPOSITS: &[SqlRule] = &[
    SqlRule {
        fault: "in more than one open deposit: item",
        breaks: "SELECT item_id AS id FROM deposit_items WHERE state IN ('out', 'recalled') GROUP BY item_id HAVING count(*) > 1",
    },
    SqlRule {
        fault: "belongs elsewhere for the time being, but is in no open deposit: item",
        breaks: "SELECT i.id FROM items i WHERE i.deposit_unit_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM deposit_items d \
                 WHERE d.item_id = i.id AND d.state IN ('out', 'recalled'))",
    },
    SqlRule {
        fault: "deposited at another unit than its deposit, or recalled to another than its home: item",
        breaks: "SELECT i.id FROM deposit_items r JOIN deposits d ON d.id = r.deposit_id JOIN items i ON i.id = r.item_id \
                 WHERE r.state IN ('out', 'recalled') AND (i.deposit_unit_id IS NULL \
                 OR i.deposit_unit_id <> CASE r.state WHEN 'out' THEN d.to_unit_id ELSE i.home_unit_id END)",
    },
    SqlRule {
        fault: "ended, but copies of it are out: deposit",
        breaks: "SELECT DISTINCT d.id FROM deposits d JOIN deposit_items r ON r.deposit_id = d.id \
                 WHERE d.status = 'ended' AND r.state IN ('pending', 'out', 'recalled')",
    },
    SqlRule {
        fault: "has another home than its deposit is from: item",
        breaks: "SELECT i.id FROM deposit_items r JOIN deposits d ON d.id = r.deposit_id JOIN items i ON i.id = r.item_id \
                 WHERE r.state IN ('out', 'recalled') AND i.home_unit_id <> d.from_unit_id",
    },
    SqlRule {
        fault: "has stops, but is no point: unit",
        breaks: "SELECT DISTINCT u.id FROM units u JOIN mobile_stops s ON s.unit_id = u.id WHERE u.kind <> 'point'",
    },
];

pub(super) const QUEUES: &[SqlRule] = &[
    SqlRule {
        fault: "places in the queue are not 1..n: bib",
        breaks: "SELECT bib_id AS id FROM (SELECT bib_id, rank() OVER (PARTITION BY bib_id ORDER BY priority, queue_rank, id) \
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
                 WHERE h.closed_at IS NULL AND (i.bib_id <> h.bib_id OR h.item_id <> i.id OR h.volume <> COALESCE(i.volume, ''))",
    },
    SqlRule {
        fault: "waits for both a volume and a copy: hold",
        breaks: "SELECT id FROM holds WHERE volume IS NOT NULL AND item_id IS NOT NULL",
    },
    SqlRule {
        fault: "one number is taken by a hold and by what is to be cleared: item",
        breaks: "SELECT i.id FROM items i JOIN holds h ON h.pickup_unit_id = i.current_unit_id AND h.shelf_number = i.clear_number \
                 WHERE h.closed_at IS NULL",
    },
    SqlRule {
        fault: "fetched for a hold on another bib or copy: pull",
        breaks: "SELECT p.id FROM pulls p JOIN holds h ON h.id = p.hold_id JOIN items i ON i.id = p.item_id \
                 WHERE p.closed_at IS NULL AND h.closed_at IS NULL \
                 AND (p.bib_id <> h.bib_id OR i.bib_id <> h.bib_id OR h.item_id <> i.id)",
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

/// Parcels, their copies and what is told of them.
pub(super) const PARCELS: &[SqlRule] = &[
    SqlRule {
        fault: "a line of a request of another reader, or of no request: hold",
        breaks: "SELECT h.id FROM holds h LEFT JOIN delivery_requests r ON r.id = h.delivery_request_id \
                 WHERE h.delivery_request_id IS NOT NULL \
                 AND (r.id IS NULL OR (h.closed_at IS NULL AND r.reader_id <> h.reader_id))",
    },
    SqlRule {
        fault: "lent with another copy's loan: line of a parcel",
        breaks: "SELECT p.id FROM parcel_lines p JOIN loans l ON l.id = p.loan_id WHERE l.item_id <> p.item_id",
    },
    SqlRule {
        fault: "lent to another reader than asked: line of a parcel",
        breaks: "SELECT p.id FROM parcel_lines p JOIN loans l ON l.id = p.loan_id JOIN parcels c ON c.id = p.parcel_id \
                 JOIN delivery_requests r ON r.id = c.request_id WHERE l.reader_id <> r.reader_id",
    },
    SqlRule {
        fault: "of another request than its parcel: line of a parcel",
        breaks: "SELECT p.id FROM parcel_lines p JOIN holds h ON h.id = p.hold_id JOIN parcels c ON c.id = p.parcel_id \
                 WHERE h.delivery_request_id <> c.request_id",
    },
    SqlRule {
        fault: "on its way with a copy that was never lent: parcel",
        breaks: "SELECT p.parcel_id AS id FROM parcel_lines p JOIN parcels c ON c.id = p.parcel_id \
                 WHERE c.state NOT IN ('packed', 'cancelled') AND p.loan_id IS NULL AND p.set_aside IS NULL AND p.closed_at IS NULL",
    },
    SqlRule {
        fault: "packed twice: hold",
        breaks: "SELECT hold_id AS id FROM parcel_lines WHERE closed_at IS NULL AND hold_id IS NOT NULL \
                 GROUP BY hold_id HAVING count(*) > 1",
    },
    SqlRule {
        fault: "closed with copies that are still out, or open after its end: parcel",
        breaks: "SELECT c.id FROM parcels c WHERE (c.closed_at IS NULL) <> (c.state NOT IN ('received', 'cancelled') \
                 AND NOT (c.state = 'delivered' AND c.direction = 'out')) OR (c.closed_at IS NOT NULL AND EXISTS \
                 (SELECT 1 FROM parcel_lines p WHERE p.parcel_id = c.id AND p.closed_at IS NULL))",
    },
    SqlRule {
        fault: "given up and not cancelled, or alarmed after its end: parcel",
        breaks: "SELECT c.id FROM parcels c WHERE (c.given_up_at IS NOT NULL AND c.state <> 'cancelled') \
                 OR (c.alarmed_at IS NOT NULL AND c.closed_at IS NOT NULL)",
    },
    SqlRule {
        fault: "given to a carrier that neither was told nor gave a number: parcel",
        breaks: "SELECT c.id FROM parcels c WHERE c.direction = 'out' AND c.state NOT IN ('packed', 'cancelled') \
                 AND c.tracking_number IS NULL AND NOT EXISTS \
                 (SELECT 1 FROM outbox o WHERE o.consumer = 'carrier' AND o.subject_id = c.id)",
    },
];

/// What changes of calendars moved.
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

pub(super) const RULES: &[SqlRule] = &[
    SqlRule {
        fault: "granted by a version of the rules that there is not: open loan",
        breaks: "SELECT l.id FROM loans l LEFT JOIN rule_sets r ON r.version = l.rules_version \
                 WHERE l.closed_at IS NULL AND r.version IS NULL",
    },
    SqlRule {
        fault: "units' own rules of a unit of the network itself: version",
        breaks: "SELECT r.version AS id FROM rule_sets r JOIN units u ON u.id = r.unit_id WHERE u.parent_id IS NULL",
    },
];
