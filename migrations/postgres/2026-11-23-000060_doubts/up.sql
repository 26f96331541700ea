-- A door may be opened for a person while nobody knows whether its book was taken: what comes out then came by their hand.
ALTER TABLE loan_confirmations ADD COLUMN opened_at BIGINT;
CREATE INDEX loan_confirmations_in_question ON loan_confirmations (compartment_id) WHERE decided_at IS NULL;

-- Since when an entry waits because our own records have a fault; after an hour it goes to the quarantine.
ALTER TABLE journal_entries ADD COLUMN failing_since BIGINT;

-- Another reason of the quarantine.
ALTER TABLE journal_quarantine DROP CONSTRAINT journal_quarantine_reason_check;
ALTER TABLE journal_quarantine ADD CONSTRAINT journal_quarantine_reason_check CHECK (reason IN ('gap', 'forged', 'unknown_key', 'old_key', 'revoked_key', 'sequence_reused',
        'clock_wrong', 'from_future', 'clock_backwards', 'too_old', 'device_retired', 'unreadable', 'record_fault'));

-- Texts that nobody settled go by age.
CREATE INDEX journal_quarantine_texts ON journal_quarantine (received_at) WHERE body IS NOT NULL;
CREATE INDEX journal_conflicts_texts ON journal_conflicts (raised_at) WHERE body IS NOT NULL;
