-- What protects readers and accounts: unlinking, erasure, consent, who looked at whom.

-- When the event happened, if it says something of what its reader did at a unit: it is unlinked after some time. NULL: it
-- belongs to the register of readers and stays until the reader is erased.
ALTER TABLE reader_events ADD COLUMN at BIGINT;
UPDATE reader_events SET at = (SELECT e.at FROM events e WHERE e.seq = reader_events.seq AND e.visit_id IS NOT NULL);

-- How far unlinking is: what ended before these moments names no reader any more, as far as the last run that came to its end
-- says, and as the run under way will say. NULL: there was none yet.
CREATE TABLE unlinking (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    began_before BIGINT,
    unlinked_before BIGINT
);
INSERT INTO unlinking (id) VALUES (1);

-- Of an erased reader the row stays, without anything personal: statistics and loans refer to it by number.
ALTER TABLE readers ADD COLUMN erased_at BIGINT;
CREATE INDEX readers_erased ON readers (erased_at) WHERE erased_at IS NOT NULL;

-- What readers agreed to, in which words.
CREATE TABLE reader_consents (
    id INTEGER PRIMARY KEY,
    reader_id BIGINT NOT NULL REFERENCES readers (id),
    kind TEXT NOT NULL,
    text_version TEXT NOT NULL,              -- of the text that was shown
    given_at BIGINT NOT NULL,
    withdrawn_at BIGINT                      -- withdrawn, or replaced by the next version
);
CREATE INDEX reader_consents_of_reader ON reader_consents (reader_id, id);
CREATE UNIQUE INDEX reader_consents_open ON reader_consents (reader_id, kind) WHERE withdrawn_at IS NULL;

-- Who looked at a reader's record: once per member of staff, unit, kind of look and day; a look at the history each time.
CREATE TABLE reader_accesses (
    id INTEGER PRIMARY KEY,
    reader_id BIGINT NOT NULL REFERENCES readers (id),
    staff_id BIGINT NOT NULL,
    unit_id BIGINT NOT NULL,
    what TEXT NOT NULL CHECK (what IN ('record', 'loans', 'holds', 'history')),
    day TEXT NOT NULL,
    at BIGINT NOT NULL,
    reason TEXT,
    CHECK ((reason IS NOT NULL) = (what = 'history'))
);
CREATE INDEX reader_accesses_of_reader ON reader_accesses (reader_id, id);
CREATE UNIQUE INDEX reader_accesses_daily ON reader_accesses (reader_id, staff_id, unit_id, what, day) WHERE reason IS NULL;

-- One-time passwords of the staff (RFC 6238). The secret is derived from the number and kept nowhere.
CREATE TABLE staff_totp (
    staff_id INTEGER PRIMARY KEY REFERENCES staff (id),
    number BIGINT,                           -- of the secret in force; NULL: not confirmed yet
    pending BIGINT,                          -- of the secret that was told last and is not confirmed
    last_step BIGINT NOT NULL,               -- the latest time step that was used: none is taken twice
    CHECK (number IS NOT NULL OR pending IS NOT NULL)
);

-- For whoever has lost the device: each good once.
CREATE TABLE staff_recovery_codes (
    id INTEGER PRIMARY KEY,
    staff_id BIGINT NOT NULL REFERENCES staff (id),
    code_hash BLOB NOT NULL,
    used_at BIGINT
);
CREATE INDEX staff_recovery_codes_of_staff ON staff_recovery_codes (staff_id);

-- Codes that let somebody who has forgotten a password or PIN set another. The code is derived from the number and kept nowhere.
CREATE TABLE reset_codes (
    id INTEGER PRIMARY KEY,
    audience TEXT NOT NULL CHECK (audience IN ('staff', 'reader')),
    subject_id BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    ended_at BIGINT                          -- used, replaced, or tried too often
);
CREATE INDEX reset_codes_of_subject ON reset_codes (audience, subject_id, id);
CREATE INDEX reset_codes_expire ON reset_codes (expires_at);

-- Unlinking a hold looks for the lines of credit that name it.
CREATE INDEX credit_reasons_of_hold ON credit_reasons (hold_id) WHERE hold_id IS NOT NULL;
