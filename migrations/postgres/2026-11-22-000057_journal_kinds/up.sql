-- What an entry of a journal says was done, kept when its body goes: a return that is known says when a copy was back.
-- Journal 0 holds what staff released from the quarantine; the sequence is then the line of the quarantine.
ALTER TABLE journal_entries ADD COLUMN kind TEXT;
