-- Distribution between units: crates, routes with their timetables, the agreed reasons of journeys, transfers of ownership.

CREATE TABLE routes (
    id INTEGER PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    unit_id BIGINT NOT NULL REFERENCES units (id),   -- who runs it; its managers may change it
    name TEXT NOT NULL,
    weekdays TEXT NOT NULL,                  -- ISO digits in order, '12345' is Monday to Friday
    courier_staff_id BIGINT REFERENCES staff (id),
    vehicle TEXT,
    active BOOLEAN NOT NULL
);
CREATE INDEX routes_by_courier ON routes (courier_staff_id) WHERE courier_staff_id IS NOT NULL;

CREATE TABLE route_stops (
    route_id BIGINT NOT NULL REFERENCES routes (id),
    position INTEGER NOT NULL CHECK (position >= 1),
    unit_id BIGINT NOT NULL REFERENCES units (id),
    minute INTEGER NOT NULL CHECK (minute BETWEEN 0 AND 1439),   -- of the day, in the network's zone
    PRIMARY KEY (route_id, position)
);

-- A crate is one box on its way; its label is scanned. When it has ended it is never used again.
CREATE TABLE crates (
    id INTEGER PRIMARY KEY,
    label TEXT NOT NULL UNIQUE,
    from_unit_id BIGINT NOT NULL REFERENCES units (id),
    to_unit_id BIGINT NOT NULL REFERENCES units (id),
    at_unit_id BIGINT NOT NULL REFERENCES units (id),   -- where it stands, or was last handed over or loaded
    status TEXT NOT NULL CHECK (status IN ('open', 'closed', 'sent', 'delivered', 'received', 'cancelled')),
    leg_to_unit_id BIGINT REFERENCES units (id),        -- where the courier hands it over: its destination or a change of routes
    route_id BIGINT REFERENCES routes (id),             -- the route that carries it, or carried it last
    courier_staff_id BIGINT REFERENCES staff (id),      -- who carries it, or carried it last
    signed_by_staff_id BIGINT REFERENCES staff (id),    -- who took it from the courier
    items_sent INTEGER NOT NULL CHECK (items_sent >= 0),
    opened_at BIGINT NOT NULL,
    sent_at BIGINT,
    delivered_at BIGINT,
    ended_at BIGINT,
    CHECK (from_unit_id <> to_unit_id),
    CHECK ((ended_at IS NULL) = (status NOT IN ('received', 'cancelled'))),
    CHECK (status NOT IN ('sent', 'delivered') OR sent_at IS NOT NULL)
);
CREATE INDEX crates_under_way_at ON crates (at_unit_id, id) WHERE ended_at IS NULL;
CREATE INDEX crates_under_way_to ON crates (to_unit_id, id) WHERE ended_at IS NULL;
CREATE INDEX crates_carried ON crates (courier_staff_id, id) WHERE status = 'sent';

-- Journeys learn their crate, when they left, and every reason there is. A CHECK cannot be widened everywhere: the
-- table is made anew.
CREATE TABLE transits_before AS SELECT * FROM transits;
DROP TABLE transits;
CREATE TABLE transits (
    id INTEGER PRIMARY KEY,
    item_id BIGINT NOT NULL REFERENCES items (id),
    from_unit_id BIGINT NOT NULL REFERENCES units (id),
    to_unit_id BIGINT NOT NULL REFERENCES units (id),
    reason TEXT NOT NULL CHECK (reason IN ('return_home', 'hold', 'move', 'rotation', 'recall', 'request', 'redirect', 'repair')),
    hold_id BIGINT REFERENCES holds (id),
    status TEXT NOT NULL CHECK (status IN ('awaiting_dispatch', 'packed', 'sent', 'received', 'missing', 'cancelled')),
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    crate_id BIGINT REFERENCES crates (id),  -- the crate it lies in or last lay in
    sent_at BIGINT,
    CHECK ((closed_at IS NULL) = (status NOT IN ('received', 'cancelled'))),
    CHECK (status <> 'packed' OR crate_id IS NOT NULL),
    CHECK (status NOT IN ('sent', 'missing') OR sent_at IS NOT NULL)
);
INSERT INTO transits (id, item_id, from_unit_id, to_unit_id, reason, hold_id, status, opened_at, closed_at, sent_at)
SELECT id, item_id, from_unit_id, to_unit_id, reason, hold_id,
    CASE WHEN status = 'packed' THEN 'awaiting_dispatch' ELSE status END, opened_at, closed_at,
    CASE WHEN status IN ('sent', 'missing') THEN opened_at END
FROM transits_before;
DROP TABLE transits_before;
CREATE UNIQUE INDEX transits_one_open_per_item ON transits (item_id) WHERE closed_at IS NULL;
CREATE INDEX transits_open_to ON transits (to_unit_id, id) WHERE closed_at IS NULL;
CREATE INDEX transits_open_from ON transits (from_unit_id, id) WHERE closed_at IS NULL;
CREATE INDEX transits_by_crate ON transits (crate_id, id) WHERE crate_id IS NOT NULL;
CREATE INDEX transits_under_way ON transits (sent_at) WHERE status = 'sent';

-- What districts settle by: only what was sent, by day.
CREATE INDEX events_of_dispatch ON events (day, seq) WHERE kind = 'transit_sent';

-- Ownership changes hands by a document: one side proposes, the other accepts or declines.
CREATE TABLE ownership_transfers (
    id INTEGER PRIMARY KEY,
    document_number TEXT NOT NULL,
    document_day TEXT NOT NULL,
    reason TEXT NOT NULL,
    from_unit_id BIGINT NOT NULL REFERENCES units (id),
    to_unit_id BIGINT NOT NULL REFERENCES units (id),
    status TEXT NOT NULL CHECK (status IN ('proposed', 'accepted', 'declined', 'withdrawn')),
    answer TEXT,                             -- why it was declined
    proposed_at BIGINT NOT NULL,
    settled_at BIGINT,
    CHECK (from_unit_id <> to_unit_id),
    CHECK ((settled_at IS NULL) = (status = 'proposed')),
    UNIQUE (from_unit_id, document_number)
);
CREATE INDEX ownership_transfers_open_to ON ownership_transfers (to_unit_id, id) WHERE settled_at IS NULL;

CREATE TABLE ownership_transfer_items (
    transfer_id BIGINT NOT NULL REFERENCES ownership_transfers (id),
    item_id BIGINT NOT NULL REFERENCES items (id),
    outcome TEXT NOT NULL CHECK (outcome IN ('pending', 'moved', 'kept', 'barcode_taken', 'left_owner')),
    PRIMARY KEY (transfer_id, item_id)
);
-- One proposal at a time speaks of an item.
CREATE UNIQUE INDEX ownership_transfer_items_once ON ownership_transfer_items (item_id) WHERE outcome = 'pending';
