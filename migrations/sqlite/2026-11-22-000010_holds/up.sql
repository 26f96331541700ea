-- Holds: volumes, suspension, reordering; what stands on a hold shelf without a hold; copies fetched from shelves.

-- Which volume or issue a copy is, as its spine says; a hold may wait for one volume only.
ALTER TABLE items ADD COLUMN volume TEXT;
-- Set: it still stands at this number of the hold shelf of its current unit, and staff must take it off.
ALTER TABLE items ADD COLUMN clear_number INTEGER;
ALTER TABLE items ADD COLUMN clear_since BIGINT;
CREATE UNIQUE INDEX items_to_clear ON items (current_unit_id, clear_number) WHERE clear_number IS NOT NULL;

ALTER TABLE holds ADD COLUMN volume TEXT;
ALTER TABLE holds ADD COLUMN suspended BOOLEAN NOT NULL DEFAULT FALSE;   -- sleeps until it is resumed
-- The order within a priority class: at first the time of placing in microseconds; staff may change it.
ALTER TABLE holds ADD COLUMN queue_rank BIGINT NOT NULL DEFAULT 0;
UPDATE holds SET queue_rank = placed_at * 1000;
DROP INDEX holds_one_open_per_target;
CREATE UNIQUE INDEX holds_one_open_per_target ON holds (reader_id, bib_id, COALESCE(item_id, 0), COALESCE(volume, ''))
    WHERE closed_at IS NULL;
DROP INDEX holds_queue;
CREATE INDEX holds_queue ON holds (bib_id, priority, queue_rank, id) WHERE closed_at IS NULL;
-- For the job that ends holds.
CREATE INDEX holds_shelf_until ON holds (shelf_until) WHERE closed_at IS NULL AND shelf_until IS NOT NULL;
CREATE INDEX holds_wanted_until ON holds (wanted_until) WHERE closed_at IS NULL AND wanted_until IS NOT NULL;

-- One copy to be fetched from the shelf of one unit for one hold. Open rows may be out of date until the next pass closes
-- them: who reads them looks whether the hold still waits and the copy still stands there.
CREATE TABLE pulls (
    id INTEGER PRIMARY KEY,
    hold_id BIGINT NOT NULL REFERENCES holds (id),
    bib_id BIGINT NOT NULL,
    item_id BIGINT NOT NULL REFERENCES items (id),
    unit_id BIGINT NOT NULL REFERENCES units (id),
    asked_at BIGINT NOT NULL,
    asked_on TEXT NOT NULL,                  -- the local day, for daily caps
    answer_by TEXT NOT NULL,                 -- the last local day on which the unit may answer
    closed_at BIGINT,
    closed_how TEXT CHECK (closed_how IN ('found', 'refused', 'timed_out', 'withdrawn')),
    reason TEXT CHECK (reason IN ('not_found', 'damaged', 'in_use', 'cannot_send', 'other')),
    note TEXT,
    CHECK ((closed_at IS NULL) = (closed_how IS NULL)),
    CHECK ((COALESCE(closed_how, '') = 'refused') = (reason IS NOT NULL))
);
CREATE UNIQUE INDEX pulls_one_open_per_hold ON pulls (hold_id) WHERE closed_at IS NULL;
CREATE UNIQUE INDEX pulls_one_open_per_item ON pulls (item_id) WHERE closed_at IS NULL;
CREATE INDEX pulls_of_unit ON pulls (unit_id, id) WHERE closed_at IS NULL;
CREATE INDEX pulls_of_bib ON pulls (bib_id, answer_by) WHERE closed_at IS NULL;
CREATE INDEX pulls_of_hold ON pulls (hold_id);
CREATE INDEX pulls_of_item ON pulls (item_id);
CREATE INDEX pulls_ended ON pulls (closed_at) WHERE closed_at IS NOT NULL;
CREATE INDEX pulls_asked_on ON pulls (unit_id, asked_on);

-- What a unit sends, for itself and everything below that says nothing of its own.
CREATE TABLE unit_sending (
    unit_id INTEGER PRIMARY KEY REFERENCES units (id),
    sends BOOLEAN NOT NULL,
    daily_cap INTEGER CHECK (daily_cap BETWEEN 0 AND 100000),     -- copies asked for per local day; NULL: any number
    answer_days INTEGER NOT NULL CHECK (answer_days BETWEEN 1 AND 60)   -- open days to answer a pull
);

-- What it costs to bring a copy from one unit to another, for both and everything below them. Without a row: ten for each
-- step of the unit tree.
CREATE TABLE transport_costs (
    from_unit_id BIGINT NOT NULL REFERENCES units (id),
    to_unit_id BIGINT NOT NULL REFERENCES units (id),
    cost INTEGER NOT NULL CHECK (cost BETWEEN 0 AND 1000000),
    PRIMARY KEY (from_unit_id, to_unit_id)
);
