-- Registration by the reader, and where staff are reached.

-- What a unit says of it, for itself and what is below it.
CREATE TABLE unit_self_registration (
    unit_id INTEGER PRIMARY KEY REFERENCES units (id),
    how TEXT NOT NULL CHECK (how IN ('at_once', 'desk', 'closed'))
);

-- Somebody who is no reader yet. What is personal goes when it is decided; the row goes some days later.
CREATE TABLE card_applications (
    id INTEGER PRIMARY KEY,
    token_hash BLOB NOT NULL UNIQUE,          -- of what only the applicant knows
    state TEXT NOT NULL CHECK (state IN ('unproved', 'waiting', 'registered', 'refused')),
    unit_id BIGINT NOT NULL REFERENCES units (id),
    channel TEXT NOT NULL CHECK (channel IN ('mail', 'sms')),
    made_at BIGINT NOT NULL,
    code_expires_at BIGINT NOT NULL,         -- the code is derived from the number
    attempts INTEGER NOT NULL DEFAULT 0,
    name TEXT,
    birth_date TEXT,
    id_tail TEXT,                            -- the last four characters of the ID number
    key_id TEXT,                             -- the key of what is sealed
    id_sealed BLOB,
    address_sealed BLOB,
    address_shown TEXT,
    pin_hash TEXT,
    reasons TEXT NOT NULL DEFAULT '',        -- why it waits for a desk, separated by commas
    reader_id BIGINT REFERENCES readers (id),
    refusal TEXT,
    decided_at BIGINT,
    CHECK ((state = 'registered') = (reader_id IS NOT NULL)),
    CHECK ((state = 'refused') = (refusal IS NOT NULL)),
    CHECK ((state IN ('unproved', 'waiting')) = (name IS NOT NULL)),
    CHECK ((name IS NULL) = (key_id IS NULL) AND (name IS NULL) = (id_sealed IS NULL) AND (name IS NULL) = (address_sealed IS NULL))
);
CREATE INDEX card_applications_waiting ON card_applications (id) WHERE state = 'waiting';
CREATE INDEX card_applications_made ON card_applications (made_at);
CREATE INDEX card_applications_of_reader ON card_applications (reader_id) WHERE reader_id IS NOT NULL;
-- What a rotation of keys seals anew.
CREATE INDEX card_applications_by_key ON card_applications (key_id, id) WHERE key_id IS NOT NULL;

-- Whether somebody of this name and day of birth is registered.
CREATE INDEX readers_by_birth ON readers (birth_date) WHERE birth_date IS NOT NULL;

-- Where the staff are reached when they have forgotten a password.
CREATE TABLE staff_contacts (
    staff_id INTEGER PRIMARY KEY REFERENCES staff (id),
    key_id TEXT NOT NULL,                    -- the key it is sealed under
    sealed BLOB NOT NULL,
    shown TEXT NOT NULL,                     -- enough to recognise it by
    changed_at BIGINT NOT NULL
);
CREATE INDEX staff_contacts_by_key ON staff_contacts (key_id, staff_id);
