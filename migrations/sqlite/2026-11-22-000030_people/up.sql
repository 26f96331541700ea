-- Readers as persons: what identifies them, the life of their cards, merged readers, guardians.

-- Cards have a life: applied for, more kinds, who replaced which. SQLite cannot change a CHECK, so the table is made anew;
-- nothing refers to it by a foreign key.
CREATE TABLE cards_anew (
    id INTEGER PRIMARY KEY,
    number TEXT NOT NULL UNIQUE,             -- '§' and a keyed hash where the number is a person's
    reader_id BIGINT NOT NULL REFERENCES readers (id),
    kind TEXT NOT NULL CHECK (kind IN ('physical', 'e_card', 'id_card', 'social_security', 'other_city')),
    status TEXT NOT NULL CHECK (status IN ('applied', 'active', 'lost', 'replaced', 'expired', 'cancelled')),
    expires_on TEXT,
    shown TEXT,                              -- instead of a number that is a hash
    key_id TEXT,                             -- the key of that hash
    issuer TEXT CHECK ((issuer IS NOT NULL) = (kind = 'other_city')),
    holder_name TEXT,                        -- who uses a card of an institution
    replaced_by BIGINT,                      -- the card that took its place
    issued_at BIGINT,                        -- NULL: before this was recorded
    ended_at BIGINT,
    CHECK ((shown IS NULL) = (key_id IS NULL)),
    CHECK (replaced_by IS NULL OR status = 'replaced')
);
INSERT INTO cards_anew (id, number, reader_id, kind, status, expires_on)
    SELECT id, number, reader_id, kind, status, expires_on FROM cards;
DROP TABLE cards;
ALTER TABLE cards_anew RENAME TO cards;
CREATE INDEX cards_by_reader ON cards (reader_id);
-- What a rotation of keys seals anew.
CREATE INDEX cards_by_key ON cards (key_id, id) WHERE key_id IS NOT NULL;
-- What the job ends on its day.
CREATE INDEX cards_to_expire ON cards (expires_on, id) WHERE status = 'active' AND expires_on IS NOT NULL;

-- The reader that stands for this one.
ALTER TABLE readers ADD COLUMN merged_into BIGINT REFERENCES readers (id);
CREATE INDEX readers_merged ON readers (merged_into) WHERE merged_into IS NOT NULL;

-- Numbers that identify a person: a keyed hash to find them, a sealed text to read them, never in clear.
CREATE TABLE reader_identities (
    id INTEGER PRIMARY KEY,
    reader_id BIGINT NOT NULL REFERENCES readers (id),
    kind TEXT NOT NULL CHECK (kind IN ('resident_id')),
    key_id TEXT NOT NULL,
    look_up TEXT NOT NULL UNIQUE,
    sealed BLOB NOT NULL,
    tail TEXT NOT NULL,                      -- the last four characters
    created_at BIGINT NOT NULL,
    UNIQUE (reader_id, kind)
);
CREATE INDEX reader_identities_by_key ON reader_identities (key_id, id);

-- The document of a merge.
CREATE TABLE reader_merges (
    id INTEGER PRIMARY KEY,
    survivor_id BIGINT NOT NULL REFERENCES readers (id),
    duplicate_id BIGINT NOT NULL UNIQUE REFERENCES readers (id),
    reason TEXT NOT NULL,
    unit_id BIGINT NOT NULL,
    staff_id BIGINT,
    merged_at BIGINT NOT NULL,
    open_loans BIGINT NOT NULL,
    closed_loans BIGINT NOT NULL,
    holds BIGINT NOT NULL,
    holds_cancelled BIGINT NOT NULL,
    cards BIGINT NOT NULL,
    debt_fen BIGINT NOT NULL,
    CHECK (survivor_id <> duplicate_id)
);
CREATE INDEX reader_merges_by_survivor ON reader_merges (survivor_id);

-- Who answers for a child and may act for it.
CREATE TABLE guardianships (
    id INTEGER PRIMARY KEY,
    guardian_reader_id BIGINT NOT NULL REFERENCES readers (id),
    ward_reader_id BIGINT NOT NULL REFERENCES readers (id),
    relation TEXT NOT NULL CHECK (relation IN ('parent', 'guardian', 'school', 'other')),
    may_act BOOLEAN NOT NULL,
    consent_form TEXT,                       -- the number of the signed form
    consented_on TEXT,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    CHECK (guardian_reader_id <> ward_reader_id),
    CHECK ((consent_form IS NULL) = (consented_on IS NULL))
);
CREATE UNIQUE INDEX guardianships_open ON guardianships (ward_reader_id, guardian_reader_id) WHERE ended_at IS NULL;
CREATE INDEX guardianships_by_guardian ON guardianships (guardian_reader_id, id);
