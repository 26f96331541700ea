-- What devices did without the network: their journals, what is quarantined, what contradicts, and the block list they take along.

-- Where each journal stands. Everything below `next_sequence` is stored, quarantined or given up as a gap.
CREATE TABLE journal_cursors (
    device_id BIGINT NOT NULL REFERENCES devices (id),
    journal BIGINT NOT NULL CHECK (journal >= 1),
    next_sequence BIGINT NOT NULL CHECK (next_sequence >= 1),
    last_at BIGINT,                          -- the time of the last act that was stored
    gap_since BIGINT,                        -- since when something before what is stored is missing
    PRIMARY KEY (device_id, journal)
);

-- One act each. Known by device, journal and sequence.
CREATE TABLE journal_entries (
    id BIGINT PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id),
    journal BIGINT NOT NULL,
    sequence BIGINT NOT NULL CHECK (sequence >= 1),
    body_hash BYTEA NOT NULL,               -- SHA-256 of the body: the same number with another content is an alarm
    body TEXT,                               -- may hold a card's number: goes when the act is judged
    happened_at BIGINT NOT NULL,             -- by our clock
    received_at BIGINT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('waiting', 'accepted', 'accepted_despite', 'conflict')),
    codes TEXT NOT NULL DEFAULT '',          -- what would have refused it, separated by commas
    judged_at BIGINT,
    item_id BIGINT,
    loan_id BIGINT,
    CHECK ((verdict = 'waiting') = (judged_at IS NULL)),
    CHECK (verdict <> 'waiting' OR body IS NOT NULL),
    CHECK ((verdict = 'accepted_despite') = (codes <> '')),
    UNIQUE (device_id, journal, sequence)
);
CREATE INDEX journal_entries_waiting ON journal_entries (device_id, journal, sequence) WHERE verdict = 'waiting';
CREATE INDEX journal_entries_of_item ON journal_entries (item_id, happened_at) WHERE item_id IS NOT NULL;
CREATE INDEX journal_entries_by_age ON journal_entries (received_at);

-- Stored and not believed: a person looks at it. A forged entry does not take the number of the genuine one.
CREATE TABLE journal_quarantine (
    id BIGINT PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id),
    journal BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    to_sequence BIGINT NOT NULL,             -- of a gap: the last number that is missing
    reason TEXT NOT NULL CHECK (reason IN ('gap', 'forged', 'unknown_key', 'old_key', 'revoked_key', 'sequence_reused',
        'clock_wrong', 'from_future', 'clock_backwards', 'too_old', 'device_retired', 'unreadable')),
    key_id TEXT,
    signature TEXT,
    body TEXT,                               -- NULL for a gap, and once it is settled
    body_hash BYTEA,
    claimed_at BIGINT,                       -- when, by the device's clock
    shifted_at BIGINT,                       -- the same by ours, as far as is known
    received_at BIGINT NOT NULL,
    settled_at BIGINT,
    settled_how TEXT CHECK (settled_how IN ('released', 'discarded', 'noted', 'came')),
    note TEXT,
    CHECK (sequence <= to_sequence),
    CHECK (reason = 'gap' OR sequence = to_sequence),
    CHECK ((settled_at IS NULL) = (settled_how IS NULL))
);
CREATE INDEX journal_quarantine_open ON journal_quarantine (device_id, id) WHERE settled_at IS NULL;
CREATE UNIQUE INDEX journal_quarantine_once ON journal_quarantine (device_id, journal, sequence, body_hash) WHERE body_hash IS NOT NULL;

-- Contradictions, which a person settles.
CREATE TABLE journal_conflicts (
    id BIGINT PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id),
    unit_id BIGINT NOT NULL,
    entry_id BIGINT REFERENCES journal_entries (id),   -- NULL: a machine and a person said otherwise of one loan
    reason TEXT NOT NULL CHECK (reason IN ('item_unknown', 'reader_unknown', 'on_loan_to_other', 'moved_on', 'withdrawn',
        'not_their_loan', 'said_otherwise')),
    happened_at BIGINT NOT NULL,
    item_id BIGINT REFERENCES items (id),
    reader_id BIGINT REFERENCES readers (id),   -- of the act, where it is known
    loan_id BIGINT,                          -- what stands in its way
    body TEXT,                               -- the act; goes when it is settled
    raised_at BIGINT NOT NULL,
    resolved_at BIGINT,
    resolution TEXT CHECK (resolution IN ('act_stands', 'record_stands', 'item_here', 'reader_is', 'item_is')),
    note TEXT,
    CHECK ((resolved_at IS NULL) = (resolution IS NULL))
);
CREATE INDEX journal_conflicts_open ON journal_conflicts (unit_id, id) WHERE resolved_at IS NULL;
CREATE INDEX journal_conflicts_of_reader ON journal_conflicts (reader_id) WHERE reader_id IS NOT NULL;
CREATE UNIQUE INDEX journal_conflicts_once ON journal_conflicts (entry_id) WHERE entry_id IS NOT NULL AND resolved_at IS NULL;

-- Cards that devices may not lend to, as hashes, in the order of the commits; the last row of a hash counts.
CREATE TABLE offline_blocks (
    seq BIGINT PRIMARY KEY,
    card_hash BYTEA NOT NULL UNIQUE,        -- 8 bytes: one row per card, which moves to a new number when it changes
    blocked BOOLEAN NOT NULL,                -- false: not any more; goes after 90 days
    made_at BIGINT NOT NULL
);

-- The number of the last of them, and what the hashes are salted with. Whoever takes the next number holds this row until the commit.
CREATE TABLE offline_block_numbers (
    id BIGINT PRIMARY KEY CHECK (id = 1),
    last_seq BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,               -- a cursor before it is too old
    salt BYTEA                              -- NULL: nothing hashed yet
);
INSERT INTO offline_block_numbers (id, last_seq, first_seq) VALUES (1, 0, 0);
