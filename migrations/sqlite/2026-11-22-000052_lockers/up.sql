-- Lockers and browsing machines: compartments, sessions, returns, loans in two phases, loading rounds.

-- Which compartments it fits; NULL: as medium.
ALTER TABLE items ADD COLUMN size TEXT CHECK (size IN ('small', 'medium', 'large'));

-- What is known of the inside. In a compartment is a place, not a state of an item.
CREATE TABLE compartments (
    id INTEGER PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id),
    number INTEGER NOT NULL CHECK (number >= 1),
    size TEXT NOT NULL CHECK (size IN ('small', 'medium', 'large')),
    purpose TEXT NOT NULL CHECK (purpose IN ('pickup', 'browsing', 'return', 'any')),
    state TEXT NOT NULL CHECK (state IN ('empty', 'receiving', 'occupied', 'handing_out', 'unloading', 'unsure', 'held',
        'out_of_order')),
    item_id BIGINT REFERENCES items (id),    -- what lies in it, or lay in it when it was last known
    awaited_item_id BIGINT REFERENCES items (id),   -- what is to be put in
    turn BIGINT NOT NULL CHECK (turn >= 0),  -- grows with each order to open
    deadline_at BIGINT,                      -- when silence makes it unsure
    changed_at BIGINT NOT NULL,
    CHECK (state NOT IN ('occupied', 'handing_out') OR item_id IS NOT NULL),
    CHECK (state NOT IN ('empty', 'receiving') OR item_id IS NULL),
    CHECK (awaited_item_id IS NULL OR state IN ('receiving', 'unsure')),
    CHECK ((state IN ('receiving', 'handing_out', 'unloading')) = (deadline_at IS NOT NULL)),
    UNIQUE (device_id, number)
);
CREATE UNIQUE INDEX compartments_one_per_item ON compartments (item_id) WHERE item_id IS NOT NULL;
CREATE INDEX compartments_deadline ON compartments (deadline_at) WHERE deadline_at IS NOT NULL;

-- A reader at a machine. One at a time per screen.
CREATE TABLE locker_sessions (
    id INTEGER PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id),
    screen INTEGER NOT NULL CHECK (screen >= 1),
    reader_id BIGINT REFERENCES readers (id),   -- NULL once it has ended and was unlinked
    opened_at BIGINT NOT NULL,
    last_act_at BIGINT NOT NULL,
    ended_at BIGINT,
    ended_how TEXT CHECK (ended_how IN ('ended', 'idle', 'too_long', 'device')),
    CHECK ((ended_at IS NULL) = (ended_how IS NULL)),
    CHECK (ended_at IS NOT NULL OR reader_id IS NOT NULL)
);
CREATE UNIQUE INDEX locker_sessions_one_open ON locker_sessions (device_id, screen) WHERE ended_at IS NULL;
CREATE INDEX locker_sessions_of_reader ON locker_sessions (reader_id, ended_at) WHERE reader_id IS NOT NULL;

-- A return at a machine: its number is on the receipt. It names nobody.
CREATE TABLE locker_returns (
    id INTEGER PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id),
    compartment_id BIGINT NOT NULL REFERENCES compartments (id),
    turn BIGINT NOT NULL,
    asked_at BIGINT NOT NULL,
    reported_at BIGINT,                      -- closed with something in it: the true time of return
    state TEXT NOT NULL CHECK (state IN ('waiting', 'checked_in', 'held', 'nothing', 'unsure')),
    item_id BIGINT REFERENCES items (id),
    tags TEXT NOT NULL DEFAULT '',           -- what was read, separated by commas
    settled_at BIGINT,                       -- of what was held
    UNIQUE (compartment_id, turn),
    CHECK ((state = 'checked_in') = (item_id IS NOT NULL))
);
CREATE INDEX locker_returns_held ON locker_returns (device_id, id) WHERE state IN ('held', 'unsure') AND settled_at IS NULL;

-- Loans that a machine has yet to confirm, and those it has. No key to `loans`: on PostgreSQL a loan is written last.
CREATE TABLE loan_confirmations (
    loan_id INTEGER PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id),
    compartment_id BIGINT REFERENCES compartments (id),   -- NULL: a machine with one opening
    turn BIGINT NOT NULL,
    session_id BIGINT REFERENCES locker_sessions (id),
    state TEXT NOT NULL CHECK (state IN ('reserved', 'unconfirmed', 'confirmed', 'voided')),
    reserved_at BIGINT NOT NULL,
    deadline_at BIGINT NOT NULL,
    decided_at BIGINT,
    decided_by TEXT CHECK (decided_by IN ('report', 'journal', 'person')),
    CHECK ((state IN ('confirmed', 'voided')) = (decided_at IS NOT NULL)),
    CHECK ((decided_at IS NULL) = (decided_by IS NULL))
);
CREATE INDEX loan_confirmations_deadline ON loan_confirmations (deadline_at) WHERE state = 'reserved';
CREATE INDEX loan_confirmations_unconfirmed ON loan_confirmations (device_id, loan_id) WHERE state = 'unconfirmed';

-- A courier at a machine.
CREATE TABLE loading_rounds (
    id INTEGER PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id),
    started_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE UNIQUE INDEX loading_rounds_one_open ON loading_rounds (device_id) WHERE ended_at IS NULL;

CREATE TABLE loading_round_lines (
    round_id BIGINT NOT NULL REFERENCES loading_rounds (id),
    item_id BIGINT NOT NULL REFERENCES items (id),
    way TEXT NOT NULL CHECK (way IN ('load', 'unload')),
    compartment_id BIGINT REFERENCES compartments (id),   -- proposed, then used
    state TEXT NOT NULL CHECK (state IN ('open', 'done', 'held', 'left')),
    done_at BIGINT,
    PRIMARY KEY (round_id, item_id),
    CHECK ((state = 'open') = (done_at IS NULL))
);
CREATE INDEX loading_round_lines_by_item ON loading_round_lines (item_id);
