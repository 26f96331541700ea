DROP INDEX journal_conflicts_texts;
DROP INDEX journal_quarantine_texts;
UPDATE journal_quarantine SET reason = 'too_old' WHERE reason = 'record_fault';
CREATE TABLE journal_quarantine_new (
    id INTEGER PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id),
    journal BIGINT NOT NULL,
    sequence BIGINT NOT NULL,
    to_sequence BIGINT NOT NULL,             -- of a gap: the last number that is missing
    reason TEXT NOT NULL CHECK (reason IN ('gap', 'forged', 'unknown_key', 'old_key', 'revoked_key', 'sequence_reused',
        'clock_wrong', 'from_future', 'clock_backwards', 'too_old', 'device_retired', 'unreadable')),
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
ALTER TABLE journal_entries DROP COLUMN failing_since;
DROP INDEX loan_confirmations_in_question;
ALTER TABLE loan_confirmations DROP COLUMN opened_at;
