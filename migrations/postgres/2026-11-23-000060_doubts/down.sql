DROP INDEX journal_conflicts_texts;
DROP INDEX journal_quarantine_texts;
UPDATE journal_quarantine SET reason = 'too_old' WHERE reason = 'record_fault';
ALTER TABLE journal_quarantine DROP CONSTRAINT journal_quarantine_reason_check;
ALTER TABLE journal_quarantine ADD CONSTRAINT journal_quarantine_reason_check CHECK (reason IN ('gap', 'forged', 'unknown_key', 'old_key', 'revoked_key', 'sequence_reused',
        'clock_wrong', 'from_future', 'clock_backwards', 'too_old', 'device_retired', 'unreadable'));
ALTER TABLE journal_entries DROP COLUMN failing_since;
DROP INDEX loan_confirmations_in_question;
ALTER TABLE loan_confirmations DROP COLUMN opened_at;
