-- Gates: footfall as numbers, and what was alarmed or let pass with a doubt.

-- A gate asks by tag. Names no column that a check-out changes, so that PostgreSQL updates an item's row in place.
CREATE INDEX items_by_rfid_tag ON items (rfid_tag) WHERE rfid_tag IS NOT NULL;

-- People counted, never who.
CREATE TABLE gate_hours (
    device_id BIGINT NOT NULL REFERENCES devices (id),
    hour_start BIGINT NOT NULL,              -- the full hour, UTC
    unit_id BIGINT NOT NULL,                 -- where the gate stood then
    went_in BIGINT NOT NULL CHECK (went_in >= 0),
    went_out BIGINT NOT NULL CHECK (went_out >= 0),
    PRIMARY KEY (device_id, hour_start)
);
CREATE INDEX gate_hours_by_unit ON gate_hours (unit_id, hour_start);

-- Which batches have been counted. Forgotten after 60 days, later than any batch is taken.
CREATE TABLE gate_batches (
    device_id BIGINT NOT NULL REFERENCES devices (id),
    batch TEXT NOT NULL,                     -- the gate's own number for it
    received_at BIGINT NOT NULL,
    PRIMARY KEY (device_id, batch)
);
CREATE INDEX gate_batches_by_age ON gate_batches (received_at);

-- Alarms, and passages let through that must be followed up. What passed without a doubt is not kept.
CREATE TABLE gate_checks (
    id BIGINT PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id),
    check_id TEXT NOT NULL,                  -- the gate's own number for the passage: told at once and again with the batch
    unit_id BIGINT NOT NULL,
    at BIGINT NOT NULL,
    decision TEXT NOT NULL CHECK (decision IN ('allow', 'alarm')),
    reason TEXT NOT NULL,
    decided TEXT NOT NULL CHECK (decided IN ('asked', 'locally')),
    tag TEXT,
    item_id BIGINT,
    outcome TEXT CHECK (outcome IN ('stopped', 'mistaken', 'let_go', 'nobody_seen')),
    settled_at BIGINT,
    note TEXT,
    UNIQUE (device_id, check_id),
    CHECK ((outcome IS NULL) = (settled_at IS NULL))
);
CREATE INDEX gate_checks_open ON gate_checks (unit_id, id) WHERE settled_at IS NULL;
CREATE INDEX gate_checks_by_device ON gate_checks (device_id, at);
