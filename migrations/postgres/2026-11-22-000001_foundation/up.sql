-- The foundation: network, catalogue, readers, circulation, events.
-- Times are UTC milliseconds since 1970 in BIGINT, days are ISO text, money is integer fen:
-- one representation on both engines, compared by plain integer comparison.

-- What the whole database is: one row.
CREATE TABLE network_state (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    config_version BIGINT NOT NULL,          -- grows with every change of units, calendars, rules, types
    min_binary BIGINT NOT NULL,              -- an older binary refuses to start on this database
    demo BOOLEAN NOT NULL                    -- demo log-ins exist: loopback only
);
INSERT INTO network_state (id, config_version, min_binary, demo) VALUES (1, 1, 1, FALSE);

CREATE TABLE id_blocks (
    name TEXT NOT NULL PRIMARY KEY,
    next_id BIGINT NOT NULL
);
INSERT INTO id_blocks (name, next_id) VALUES ('global', 1000);

-- ---------------------------------------------------------------- network
CREATE TABLE units (
    id BIGINT PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('network', 'central', 'main', 'branch', 'point')),
    parent_id BIGINT REFERENCES units (id),
    path TEXT NOT NULL UNIQUE,               -- '/1/5/20/': this unit and everything below is one range
    active BOOLEAN NOT NULL,
    lends BOOLEAN NOT NULL,
    pickup_point BOOLEAN NOT NULL,
    adult_only BOOLEAN NOT NULL,
    always_open BOOLEAN NOT NULL,
    latitude DOUBLE PRECISION CHECK (latitude BETWEEN -90 AND 90),
    longitude DOUBLE PRECISION CHECK (longitude BETWEEN -180 AND 180),
    CHECK ((kind = 'network') = (parent_id IS NULL)),
    CHECK ((latitude IS NULL) = (longitude IS NULL))
);
CREATE INDEX units_by_parent ON units (parent_id);

CREATE TABLE unit_hours (
    unit_id BIGINT NOT NULL REFERENCES units (id),
    weekday INTEGER NOT NULL CHECK (weekday BETWEEN 1 AND 7),   -- ISO: 1 is Monday
    opens_minute INTEGER NOT NULL CHECK (opens_minute BETWEEN 0 AND 1439),
    closes_minute INTEGER NOT NULL CHECK (closes_minute BETWEEN 1 AND 1440),
    PRIMARY KEY (unit_id, weekday, opens_minute),
    CHECK (opens_minute < closes_minute)
);

CREATE TABLE unit_closed_days (
    id BIGINT PRIMARY KEY,
    unit_id BIGINT NOT NULL REFERENCES units (id),
    first_day TEXT NOT NULL,
    last_day TEXT NOT NULL,
    reason TEXT NOT NULL,
    CHECK (first_day <= last_day)
);
CREATE INDEX unit_closed_days_by_unit ON unit_closed_days (unit_id);

CREATE TABLE item_types (
    id BIGINT PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    parent_id BIGINT REFERENCES item_types (id),
    name_zh TEXT NOT NULL,
    name_en TEXT NOT NULL
);

CREATE TABLE reader_categories (
    id BIGINT PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    name_zh TEXT NOT NULL,
    name_en TEXT NOT NULL,
    reading_only BOOLEAN NOT NULL,
    child BOOLEAN NOT NULL,
    institutional BOOLEAN NOT NULL,
    min_age_years INTEGER,
    max_age_years INTEGER
);

CREATE TABLE collections (
    id BIGINT PRIMARY KEY,
    unit_id BIGINT NOT NULL REFERENCES units (id),
    code TEXT NOT NULL,
    name TEXT NOT NULL,
    return_policy TEXT NOT NULL CHECK (return_policy IN ('home', 'float', 'float_with_cap', 'restricted')),
    float_cap INTEGER CHECK (float_cap >= 0),
    UNIQUE (unit_id, code),
    CHECK ((return_policy = 'float_with_cap') = (float_cap IS NOT NULL))
);

-- Joins network circulation step by step: a unit's own word on an item type (or on all), inherited down the tree.
CREATE TABLE unit_membership (
    id BIGINT PRIMARY KEY,
    unit_id BIGINT NOT NULL REFERENCES units (id),
    item_type_id BIGINT REFERENCES item_types (id),
    lend_away BOOLEAN NOT NULL,              -- its items may be lent elsewhere, others' items here
    return_away BOOLEAN NOT NULL,            -- the same for returns
    readers_away BOOLEAN NOT NULL            -- its readers may borrow elsewhere
);
CREATE UNIQUE INDEX unit_membership_once ON unit_membership (unit_id, COALESCE(item_type_id, 0));

-- A rule set is published whole and never edited: one document per version.
CREATE TABLE rule_sets (
    version BIGINT PRIMARY KEY,
    effective_from BIGINT NOT NULL,
    source TEXT NOT NULL,
    published_at BIGINT NOT NULL
);

-- ---------------------------------------------------------------- catalogue
CREATE TABLE bibs (
    id BIGINT PRIMARY KEY,
    control_number TEXT,
    format TEXT NOT NULL CHECK (format IN ('marc21', 'cnmarc')),
    container TEXT NOT NULL CHECK (container IN ('iso2709', 'marcxml')),
    encoding TEXT NOT NULL,
    marc BYTEA NOT NULL,                     -- the original record, whole
    title TEXT NOT NULL,
    authors TEXT NOT NULL,
    publisher TEXT,
    publish_year INTEGER,
    isbn TEXT,                               -- the first one, normalised; all are in bib_isbns
    clc_class TEXT,
    language TEXT,
    search_text TEXT NOT NULL,
    open_holds INTEGER NOT NULL CHECK (open_holds >= 0),
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
) WITH (fillfactor = 80);
CREATE INDEX bibs_by_control_number ON bibs (control_number) WHERE control_number IS NOT NULL;

CREATE TABLE bib_isbns (
    isbn TEXT NOT NULL,
    bib_id BIGINT NOT NULL REFERENCES bibs (id),
    PRIMARY KEY (isbn, bib_id)
);
CREATE INDEX bib_isbns_by_bib ON bib_isbns (bib_id);

CREATE TABLE items (
    id BIGINT PRIMARY KEY,
    bib_id BIGINT NOT NULL REFERENCES bibs (id),
    barcode TEXT NOT NULL,
    rfid_tag TEXT,
    owner_unit_id BIGINT NOT NULL REFERENCES units (id),
    home_unit_id BIGINT NOT NULL REFERENCES units (id),
    current_unit_id BIGINT NOT NULL REFERENCES units (id),
    collection_id BIGINT REFERENCES collections (id),
    shelf_location TEXT,
    call_number TEXT,
    item_type_id BIGINT NOT NULL REFERENCES item_types (id),
    price_fen BIGINT CHECK (price_fen >= 0),
    status TEXT NOT NULL CHECK (status IN ('on_shelf', 'on_loan', 'awaiting_dispatch', 'in_transit', 'on_hold_shelf',
        'in_processing', 'damaged', 'needs_attention', 'missing', 'lost', 'claimed_returned', 'withdrawn')),
    not_for_loan BOOLEAN NOT NULL,
    min_age_years INTEGER,
    for_children BOOLEAN NOT NULL,
    alert_note TEXT,
    parts INTEGER NOT NULL CHECK (parts >= 1),
    last_event_at BIGINT NOT NULL,
    created_at BIGINT NOT NULL
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX items_by_barcode ON items (barcode, owner_unit_id);
CREATE INDEX items_by_bib ON items (bib_id);
-- Names no column that a check-out changes, so that PostgreSQL updates the row in place.
CREATE INDEX items_floating ON items (current_unit_id, collection_id) WHERE collection_id IS NOT NULL AND current_unit_id <> home_unit_id;

-- ---------------------------------------------------------------- readers, staff, devices
CREATE TABLE readers (
    id BIGINT PRIMARY KEY,
    name TEXT NOT NULL,
    category_id BIGINT NOT NULL REFERENCES reader_categories (id),
    home_unit_id BIGINT NOT NULL REFERENCES units (id),
    status TEXT NOT NULL CHECK (status IN ('active', 'suspended', 'inactive')),
    barred BOOLEAN NOT NULL,
    block_reason TEXT,
    block_until BIGINT,
    birth_date TEXT,
    credit_band TEXT NOT NULL CHECK (credit_band IN ('a', 'b', 'c', 'frozen')),
    debt_fen BIGINT NOT NULL CHECK (debt_fen >= 0),
    note TEXT,
    pin_hash TEXT,
    open_holds INTEGER NOT NULL CHECK (open_holds >= 0),
    created_at BIGINT NOT NULL
) WITH (fillfactor = 80);

CREATE TABLE cards (
    id BIGINT PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,
    reader_id BIGINT NOT NULL REFERENCES readers (id),
    kind TEXT NOT NULL CHECK (kind IN ('physical', 'e_card', 'id_card', 'social_security')),
    status TEXT NOT NULL CHECK (status IN ('active', 'lost', 'replaced', 'expired', 'cancelled')),
    expires_on TEXT
);
CREATE INDEX cards_by_reader ON cards (reader_id);

CREATE TABLE staff (
    id BIGINT PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    name TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    active BOOLEAN NOT NULL,
    demo BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE staff_roles (
    staff_id BIGINT NOT NULL REFERENCES staff (id),
    role TEXT NOT NULL CHECK (role IN ('system', 'unit_manager', 'librarian', 'cataloguer', 'courier', 'cashier', 'auditor', 'read_only')),
    unit_id BIGINT NOT NULL REFERENCES units (id),
    PRIMARY KEY (staff_id, role, unit_id)
);

CREATE TABLE devices (
    id BIGINT PRIMARY KEY,
    code TEXT NOT NULL UNIQUE,
    unit_id BIGINT NOT NULL REFERENCES units (id),
    kind TEXT NOT NULL CHECK (kind IN ('gate', 'locker', 'kiosk', 'desk_reader', 'sorter')),
    secret_hash TEXT NOT NULL,
    active BOOLEAN NOT NULL
);

-- Refresh tokens rotate: a token seen twice ends its family.
CREATE TABLE refresh_tokens (
    id BIGINT PRIMARY KEY,
    family BIGINT NOT NULL,
    audience TEXT NOT NULL CHECK (audience IN ('staff', 'reader', 'device')),
    subject_id BIGINT NOT NULL,
    unit_id BIGINT REFERENCES units (id),
    token_hash BYTEA NOT NULL UNIQUE,
    issued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX refresh_tokens_by_family ON refresh_tokens (family);

-- ---------------------------------------------------------------- circulation
-- Foreign keys stand on item and reader. The other ids are copies taken from rows that are never deleted
-- (`tongjie check` compares them); on PostgreSQL each key would cost every check-out a row lock on a hot unit.
CREATE TABLE loans (
    id BIGINT PRIMARY KEY,
    item_id BIGINT NOT NULL REFERENCES items (id),
    bib_id BIGINT NOT NULL,
    reader_id BIGINT REFERENCES readers (id),   -- NULL once unlinked
    card_id BIGINT,
    unit_id BIGINT NOT NULL,
    owner_unit_id BIGINT NOT NULL,
    item_type_id BIGINT NOT NULL,
    category_id BIGINT NOT NULL,
    age_band TEXT NOT NULL,
    channel TEXT NOT NULL,
    device_id BIGINT,
    rule_id BIGINT NOT NULL,                    -- the row of terms that won
    rules_version BIGINT NOT NULL,
    filled_hold_id BIGINT,                      -- the hold it filled, for a void
    loaned_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    due_by_hand BOOLEAN NOT NULL,
    renewals INTEGER NOT NULL CHECK (renewals >= 0),
    closed_at BIGINT,
    closed_how TEXT CHECK (closed_how IN ('returned', 'voided', 'lost')),
    return_unit_id BIGINT,
    CHECK ((closed_at IS NULL) = (closed_how IS NULL)),
    CHECK (closed_at IS NOT NULL OR reader_id IS NOT NULL)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX loans_one_open_per_item ON loans (item_id) WHERE closed_at IS NULL;
-- A reader's open loans stand together at one end of the reader's range, so that the cost of a check-out does not grow
-- with history; one index instead of two halves what each loan writes at random.
CREATE INDEX loans_by_reader ON loans (reader_id, closed_at) WHERE reader_id IS NOT NULL;

CREATE TABLE holds (
    id BIGINT PRIMARY KEY,
    bib_id BIGINT NOT NULL REFERENCES bibs (id),
    item_id BIGINT REFERENCES items (id),       -- set: this copy only
    reader_id BIGINT REFERENCES readers (id),
    pickup_unit_id BIGINT NOT NULL REFERENCES units (id),
    priority INTEGER NOT NULL,
    placed_at BIGINT NOT NULL,
    not_before TEXT,                            -- sleeps until this local day
    wanted_until TEXT,                          -- the last local day it is wanted
    captured_item_id BIGINT REFERENCES items (id),
    captured_at BIGINT,
    shelf_number INTEGER,                       -- set: it is on the shelf of its pickup unit
    shelf_until TEXT,
    closed_at BIGINT,
    closed_how TEXT CHECK (closed_how IN ('filled', 'cancelled', 'expired')),
    CHECK ((closed_at IS NULL) = (closed_how IS NULL)),
    CHECK ((captured_item_id IS NULL) = (captured_at IS NULL)),
    CHECK (closed_at IS NOT NULL OR reader_id IS NOT NULL),
    CHECK (shelf_number IS NULL OR captured_item_id IS NOT NULL)
);
CREATE UNIQUE INDEX holds_one_captured_per_item ON holds (captured_item_id) WHERE closed_at IS NULL AND captured_item_id IS NOT NULL;
CREATE UNIQUE INDEX holds_one_open_per_target ON holds (reader_id, bib_id, COALESCE(item_id, 0)) WHERE closed_at IS NULL;
CREATE INDEX holds_queue ON holds (bib_id, priority, placed_at, id) WHERE closed_at IS NULL;
CREATE INDEX holds_by_reader ON holds (reader_id, id) WHERE reader_id IS NOT NULL;
CREATE UNIQUE INDEX holds_shelf_number ON holds (pickup_unit_id, shelf_number) WHERE closed_at IS NULL AND shelf_number IS NOT NULL;

CREATE TABLE transits (
    id BIGINT PRIMARY KEY,
    item_id BIGINT NOT NULL REFERENCES items (id),
    from_unit_id BIGINT NOT NULL REFERENCES units (id),
    to_unit_id BIGINT NOT NULL REFERENCES units (id),
    reason TEXT NOT NULL CHECK (reason IN ('return_home', 'hold')),
    hold_id BIGINT REFERENCES holds (id),
    status TEXT NOT NULL CHECK (status IN ('awaiting_dispatch', 'packed', 'sent', 'received', 'missing', 'cancelled')),
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    CHECK ((closed_at IS NULL) = (status NOT IN ('received', 'cancelled')))
);
CREATE UNIQUE INDEX transits_one_open_per_item ON transits (item_id) WHERE closed_at IS NULL;
CREATE INDEX transits_open_to ON transits (to_unit_id, id) WHERE closed_at IS NULL;
CREATE INDEX transits_open_from ON transits (from_unit_id, id) WHERE closed_at IS NULL;

-- ---------------------------------------------------------------- events
-- What happened, in the form that stays when readers are unlinked: no reader, no name, no barcode of a card.
CREATE TABLE events (
    seq BIGINT PRIMARY KEY,
    txid BIGINT NOT NULL DEFAULT (pg_current_xact_id()::text::bigint),
    at BIGINT NOT NULL,
    day TEXT NOT NULL,                          -- of `at` in the network's zone
    kind TEXT NOT NULL,
    unit_id BIGINT NOT NULL,
    item_id BIGINT,
    bib_id BIGINT,
    owner_unit_id BIGINT,
    home_unit_id BIGINT,
    item_type_id BIGINT,
    clc_class TEXT,
    category_id BIGINT,
    age_band TEXT,
    channel TEXT NOT NULL,
    device_id BIGINT,
    visit_id BIGINT,
    detail TEXT NOT NULL,                       -- JSON without anything personal
    commitment BYTEA                            -- SHA-256 of salt and personal row, if there is one
);
CREATE INDEX events_in_commit_order ON events (txid, seq);

-- The erasable side: deleting a row leaves the chain intact.
CREATE TABLE event_personal (
    seq BIGINT PRIMARY KEY,
    salt BYTEA NOT NULL,
    reader_id BIGINT,
    staff_id BIGINT,
    data TEXT NOT NULL
);

-- Which sealed events name a reader: what an index on event_personal would be, but written by the sealer in sorted batches
-- and not at random by every check-out.
CREATE TABLE reader_events (
    reader_id BIGINT NOT NULL,
    seq BIGINT NOT NULL,
    PRIMARY KEY (reader_id, seq)
);

-- Each seal covers a run of events in commit order and hashes the seal before it.
CREATE TABLE event_seals (
    position BIGINT PRIMARY KEY,
    last_txid BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    event_count BIGINT NOT NULL,
    hash BYTEA NOT NULL,
    sealed_at BIGINT NOT NULL
);

-- Statistics: what the sealed events count to.
CREATE TABLE daily_counts (
    day TEXT NOT NULL,
    unit_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    owner_unit_id BIGINT NOT NULL,
    item_type_id BIGINT NOT NULL,
    category_id BIGINT NOT NULL,
    age_band TEXT NOT NULL,
    channel TEXT NOT NULL,
    n BIGINT NOT NULL,
    PRIMARY KEY (day, unit_id, kind, owner_unit_id, item_type_id, category_id, age_band, channel)
);

-- The key that makes one visit number of reader, unit and day; deleting it unlinks the day for good.
CREATE TABLE visit_keys (
    day TEXT NOT NULL PRIMARY KEY,
    key BYTEA NOT NULL
);

CREATE TABLE idempotency_keys (
    client TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    reader_id BIGINT,
    outcome TEXT,                               -- the use case's outcome as JSON; NULL only inside its own transaction
    created_at BIGINT NOT NULL,
    PRIMARY KEY (client, key)
) WITH (fillfactor = 80);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
