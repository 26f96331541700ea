-- What an entry of a journal says was done, kept when its body goes: a return that is known says when a copy was back.
-- Journal 0 holds what staff released from the quarantine; the sequence is then the line of the quarantine.
ALTER TABLE journal_entries ADD COLUMN kind TEXT;

-- The walk that keeps the block list of devices. What was there before is found by the nightly comparison.
INSERT INTO event_cursors (name, txid, seq)
    SELECT 'offline_blocks', COALESCE(MAX(txid), 0), COALESCE(MAX(seq), 0) FROM events;
