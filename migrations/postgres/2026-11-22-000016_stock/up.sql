-- Stock on the move: return policies of units, deposits of stock for a time, mobile stops.

-- What happens to a unit's copies that come back elsewhere, where no collection says it; NULL: as the unit above.
ALTER TABLE units ADD COLUMN return_policy TEXT CHECK (return_policy IN ('home', 'float', 'float_with_cap', 'restricted'));
ALTER TABLE units ADD COLUMN float_cap INTEGER CHECK (float_cap >= 0);
-- A collection that leaves the word to its unit; then its own policy is not read.
ALTER TABLE collections ADD COLUMN as_unit BOOLEAN NOT NULL DEFAULT FALSE;
-- As items_floating, for copies without a collection: a cap counts those of one home.
CREATE INDEX items_floating_plain ON items (current_unit_id, home_unit_id) WHERE collection_id IS NULL AND current_unit_id <> home_unit_id;

-- A batch of copies that stands at another unit until a day.
CREATE TABLE deposits (
    id BIGINT PRIMARY KEY,
    from_unit_id BIGINT NOT NULL REFERENCES units (id),   -- the home of every copy of it, where they go back to
    to_unit_id BIGINT NOT NULL REFERENCES units (id),
    until_day TEXT NOT NULL,                 -- the local day on which it is pulled back
    reason TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'recalled', 'ended')),
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    recalled_at BIGINT,
    recall_reason TEXT,
    ended_at BIGINT,                         -- the last copy is back, or will not come back
    CHECK (from_unit_id <> to_unit_id),
    CHECK ((recalled_at IS NULL) = (status = 'open')),
    CHECK ((ended_at IS NULL) = (status <> 'ended'))
);
CREATE INDEX deposits_under_way ON deposits (id) WHERE status <> 'ended';

-- One row for each copy that was asked for, and what became of it.
CREATE TABLE deposit_items (
    deposit_id BIGINT NOT NULL REFERENCES deposits (id),
    row_number INTEGER NOT NULL CHECK (row_number >= 0),
    barcode TEXT NOT NULL,
    item_id BIGINT REFERENCES items (id),    -- NULL: not looked up yet, or no such copy
    state TEXT NOT NULL CHECK (state IN ('pending', 'refused', 'out', 'recalled', 'returned', 'lost', 'withdrawn')),
    why TEXT,                                -- of a refused row
    ended_at BIGINT,
    PRIMARY KEY (deposit_id, row_number),
    CHECK ((state = 'refused') = (why IS NOT NULL)),
    CHECK (item_id IS NOT NULL OR state IN ('pending', 'refused')),
    CHECK ((ended_at IS NOT NULL) = (state IN ('returned', 'lost', 'withdrawn')))
);
-- A copy is in one open deposit at most.
CREATE UNIQUE INDEX deposit_items_one_open ON deposit_items (item_id) WHERE state IN ('out', 'recalled');
CREATE INDEX deposit_items_by_item ON deposit_items (item_id) WHERE item_id IS NOT NULL;

-- Where a deposited copy belongs for the time being; once it is recalled, its home. NULL: in no deposit. Without a foreign key:
-- `tongjie check` compares it with its deposit.
ALTER TABLE items ADD COLUMN deposit_unit_id BIGINT;
-- What a unit's shelf holds, to choose a deposit from.
CREATE INDEX items_by_home ON items (home_unit_id, id);

-- A vehicle that lends at its stops: a point of this kind.
ALTER TABLE units ADD COLUMN mobile BOOLEAN NOT NULL DEFAULT FALSE;
-- Grows with every change of its stops.
ALTER TABLE units ADD COLUMN stops_version BIGINT NOT NULL DEFAULT 1;

-- Where a vehicle stands, every week or on one day.
CREATE TABLE mobile_stops (
    id BIGINT PRIMARY KEY,
    unit_id BIGINT NOT NULL REFERENCES units (id),
    place TEXT NOT NULL,
    latitude DOUBLE PRECISION CHECK (latitude BETWEEN -90 AND 90),
    longitude DOUBLE PRECISION CHECK (longitude BETWEEN -180 AND 180),
    weekday INTEGER CHECK (weekday BETWEEN 1 AND 7),   -- ISO: 1 is Monday
    first_day TEXT NOT NULL,                 -- of the weekly stop; the day of a single one
    last_day TEXT,                           -- NULL: until further notice
    opens_minute INTEGER NOT NULL CHECK (opens_minute BETWEEN 0 AND 1439),
    closes_minute INTEGER NOT NULL CHECK (closes_minute BETWEEN 1 AND 1440),
    CHECK (opens_minute < closes_minute),
    CHECK (last_day IS NULL OR first_day <= last_day),
    CHECK (weekday IS NOT NULL OR last_day = first_day),
    CHECK ((latitude IS NULL) = (longitude IS NULL))
);
CREATE INDEX mobile_stops_by_unit ON mobile_stops (unit_id);

-- Days on which a stop is left out.
CREATE TABLE mobile_stop_cancellations (
    stop_id BIGINT NOT NULL REFERENCES mobile_stops (id),
    day TEXT NOT NULL,
    PRIMARY KEY (stop_id, day)
);
