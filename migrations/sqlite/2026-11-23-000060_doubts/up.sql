-- A door may be opened for a person while nobody knows whether its book was taken: what comes out then came by their hand.
ALTER TABLE loan_confirmations ADD COLUMN opened_at BIGINT;
CREATE INDEX loan_confirmations_in_question ON loan_confirmations (compartment_id) WHERE decided_at IS NULL;

-- Since when an entry waits because our own records have a fault; after an hour it goes to the quarantine.
ALTER TABLE journal_entries ADD COLUMN failing_since BIGINT;

-- Another reason of the quarantine. SQLite changes no CHECK of a table.
CREATE TABLE journal_quarantine_new (
    id INTEGER PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id),
    journal BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    to_sequence BIGINT NOT NULL,             -- of a gap: the last number that is missing
    reason TEXT NOT NULL CHECK (reason IN ('gap', 'forged', 'unknown_key', 'old_key', 'revoked_key', 'sequence_reused',
        'clock_wrong', 'from_future', 'clock_backwards', 'too_old', 'device_retired', 'unreadable', 'record_fault')),
    key_id TEXT,
    signature TEXT,
    body TEXT,                               -- NULL for a gap, and once it is settled
    body_hash BLOB,
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
INSERT INTO journal_quarantine_new SELECT * FROM journal_quarantine;
DROP TABLE journal_quarantine;
ALTER TABLE journal_quarantine_new RENAME TO journal_quarantine;
CREATE INDEX journal_quarantine_open ON journal_quarantine (device_id, id) WHERE settled_at IS NULL;
CREATE UNIQUE INDEX journal_quarantine_once ON journal_quarantine (device_id, journal, sequence, body_hash) WHERE body_hash IS NOT NULL;

-- Texts that nobody settled go by age.
CREATE INDEX journal_quarantine_texts ON journal_quarantine (received_at) WHERE body IS NOT NULL;
CREATE INDEX journal_conflicts_texts ON journal_conflicts (raised_at) WHERE body IS NOT NULL;
