-- Readers as persons: what identifies them, the life of their cards, merged readers, guardians.

-- Cards have a life: applied for, more kinds, who replaced which.
ALTER TABLE cards DROP CONSTRAINT cards_kind_check;
ALTER TABLE cards DROP CONSTRAINT cards_status_check;
ALTER TABLE cards ADD CONSTRAINT cards_kind_check
    CHECK (kind IN ('physical', 'e_card', 'id_card', 'social_security', 'other_city'));
ALTER TABLE cards ADD CONSTRAINT cards_status_check
    CHECK (status IN ('applied', 'active', 'lost', 'replaced', 'expired', 'cancelled'));
-- Instead of a number that is '§' and a keyed hash, because it is a person's; and the key of that hash.
ALTER TABLE cards ADD COLUMN shown TEXT;
ALTER TABLE cards ADD COLUMN key_id TEXT;
ALTER TABLE cards ADD COLUMN issuer TEXT;
-- Who uses a card of an institution.
ALTER TABLE cards ADD COLUMN holder_name TEXT;
-- The card that took its place.
ALTER TABLE cards ADD COLUMN replaced_by BIGINT;
-- NULL: before this was recorded.
ALTER TABLE cards ADD COLUMN issued_at BIGINT;
ALTER TABLE cards ADD COLUMN ended_at BIGINT;
ALTER TABLE cards ADD CONSTRAINT cards_issuer_check CHECK ((issuer IS NOT NULL) = (kind = 'other_city'));
ALTER TABLE cards ADD CONSTRAINT cards_shown_check CHECK ((shown IS NULL) = (key_id IS NULL));
ALTER TABLE cards ADD CONSTRAINT cards_replaced_check CHECK (replaced_by IS NULL OR status = 'replaced');
-- What a rotation of keys seals anew.
CREATE INDEX cards_by_key ON cards (key_id, id) WHERE key_id IS NOT NULL;
-- What the job ends on its day.
CREATE INDEX cards_to_expire ON cards (expires_on, id) WHERE status = 'active' AND expires_on IS NOT NULL;

-- The reader that stands for this one.
ALTER TABLE readers ADD COLUMN merged_into BIGINT REFERENCES readers (id);
CREATE INDEX readers_merged ON readers (merged_into) WHERE merged_into IS NOT NULL;

-- Numbers that identify a person: a keyed hash to find them, a sealed text to read them, never in clear.
CREATE TABLE reader_identities (
    id BIGINT PRIMARY KEY,
    reader_id BIGINT NOT NULL REFERENCES readers (id),
    kind TEXT NOT NULL CHECK (kind IN ('resident_id')),
    key_id TEXT NOT NULL,
    look_up TEXT NOT NULL UNIQUE,
    sealed BYTEA NOT NULL,
    tail TEXT NOT NULL,                      -- the last four characters
    created_at BIGINT NOT NULL,
    UNIQUE (reader_id, kind)
);
CREATE INDEX reader_identities_by_key ON reader_identities (key_id, id);

-- The document of a merge.
CREATE TABLE reader_merges (
    id BIGINT PRIMARY KEY,
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
    id BIGINT PRIMARY KEY,
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
