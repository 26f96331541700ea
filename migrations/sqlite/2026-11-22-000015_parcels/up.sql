-- Internet borrowing: requests, addresses, parcels, what the carrier reports; and the outbox.

-- What has to be told to somebody outside once its transaction has committed. Told at least once, always under the same key.
CREATE TABLE outbox (
    id INTEGER PRIMARY KEY,
    consumer TEXT NOT NULL,                  -- who tells it: 'carrier'
    subject_id BIGINT NOT NULL,              -- what it is about; never anything personal
    message_key TEXT NOT NULL,               -- the idempotency key at the other end
    created_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    next_at BIGINT,                          -- when it is tried next; NULL once it is done or given up
    done_at BIGINT,
    dead_at BIGINT,                          -- given up: somebody must look at it
    error TEXT,                              -- what went wrong last
    CHECK ((next_at IS NULL) = (done_at IS NOT NULL OR dead_at IS NOT NULL)),
    CHECK (done_at IS NULL OR dead_at IS NULL)
);
CREATE UNIQUE INDEX outbox_key ON outbox (consumer, message_key);
CREATE INDEX outbox_open ON outbox (id) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_subject ON outbox (consumer, subject_id);

-- Units that pack parcels.
CREATE TABLE packing_units (
    unit_id INTEGER PRIMARY KEY REFERENCES units (id),
    packs BOOLEAN NOT NULL
);

CREATE TABLE delivery_requests (
    id INTEGER PRIMARY KEY,
    reader_id BIGINT REFERENCES readers (id),     -- NULL once unlinked
    unit_id BIGINT NOT NULL REFERENCES units (id),   -- the desk, the unit that packs, the unit that a return goes to
    delivery TEXT NOT NULL CHECK (delivery IN ('desk', 'parcel', 'return')),
    rest TEXT NOT NULL CHECK (rest IN ('follow', 'cancel')),   -- what becomes of lines that are not in the first parcel
    asked_at BIGINT NOT NULL
);
CREATE INDEX delivery_requests_of_reader ON delivery_requests (reader_id, id) WHERE reader_id IS NOT NULL;

-- Personal: erasable at any time. Nothing refers to it.
CREATE TABLE delivery_addresses (
    request_id INTEGER PRIMARY KEY REFERENCES delivery_requests (id),
    name TEXT NOT NULL,
    phone TEXT NOT NULL,
    region TEXT NOT NULL,
    street TEXT NOT NULL
);

-- The lines of a request are holds.
ALTER TABLE holds ADD COLUMN delivery_request_id BIGINT;
CREATE INDEX holds_of_request ON holds (delivery_request_id) WHERE delivery_request_id IS NOT NULL;

CREATE TABLE parcels (
    id INTEGER PRIMARY KEY,
    request_id BIGINT NOT NULL REFERENCES delivery_requests (id),
    unit_id BIGINT NOT NULL REFERENCES units (id),
    direction TEXT NOT NULL CHECK (direction IN ('out', 'back')),
    state TEXT NOT NULL CHECK (state IN ('packed', 'announced', 'dispatched', 'in_transit', 'delivered', 'refused', 'lost',
        'returned', 'received', 'cancelled')),
    opened_at BIGINT NOT NULL,               -- packed, or announced
    dispatch_by TEXT,                        -- the last local day on which a packed parcel is not late
    posted_at BIGINT,                        -- given to the carrier: by us, or by the reader
    ended_at BIGINT,                         -- delivered, refused or lost, as the carrier said
    closed_at BIGINT,                        -- nothing more is expected
    tracking_number TEXT                     -- the carrier's
);
CREATE INDEX parcels_of_unit ON parcels (unit_id, id) WHERE closed_at IS NULL;
CREATE INDEX parcels_of_request ON parcels (request_id);

CREATE TABLE parcel_lines (
    id INTEGER PRIMARY KEY,
    parcel_id BIGINT NOT NULL REFERENCES parcels (id),
    item_id BIGINT NOT NULL REFERENCES items (id),
    hold_id BIGINT REFERENCES holds (id),
    loan_id BIGINT REFERENCES loans (id),
    from_delivery BOOLEAN NOT NULL DEFAULT FALSE,   -- the loan's days begin when the carrier has delivered it
    set_aside TEXT,                          -- codes why it did not go with the parcel, separated by commas
    closed_at BIGINT,                        -- back, delivered for good, or set aside
    CHECK (set_aside IS NULL OR closed_at IS NOT NULL)
);
CREATE UNIQUE INDEX parcel_lines_one_open_per_item ON parcel_lines (item_id) WHERE closed_at IS NULL;
CREATE INDEX parcel_lines_of_parcel ON parcel_lines (parcel_id);

-- What a carrier reported, once each.
CREATE TABLE parcel_reports (
    report_id TEXT NOT NULL PRIMARY KEY,     -- the carrier's
    parcel_id BIGINT NOT NULL REFERENCES parcels (id),
    step TEXT NOT NULL,
    occurred_at BIGINT NOT NULL,
    reported_at BIGINT NOT NULL,
    applied BOOLEAN NOT NULL                 -- false: it came too late, or said what cannot follow
);
CREATE INDEX parcel_reports_of_parcel ON parcel_reports (parcel_id, occurred_at);
