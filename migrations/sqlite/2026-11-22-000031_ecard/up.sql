-- The electronic card: what its tokens opened, and what was revoked.

-- Tokens of this card made until then are void: its reader lost the phone. NULL: none.
ALTER TABLE cards ADD COLUMN tokens_void_until BIGINT;

-- One row per nonce that was shown online: it belongs to the caller who was shown it first. Forgotten soon after its end.
CREATE TABLE card_sessions (
    nonce TEXT NOT NULL PRIMARY KEY,
    card_id BIGINT NOT NULL REFERENCES cards (id),
    client TEXT NOT NULL,                    -- the caller, as idempotency keys name one: 'device:12'
    opened_at BIGINT NOT NULL,
    used_at BIGINT NOT NULL,
    CHECK (opened_at <= used_at)
);
CREATE INDEX card_sessions_by_use ON card_sessions (used_at);

-- What devices must know offline, in the order of the commits. Forgotten after a day, when no token made until then counts anywhere.
CREATE TABLE card_revocations (
    seq INTEGER PRIMARY KEY,
    card_id BIGINT NOT NULL,
    void_until BIGINT NOT NULL,
    made_at BIGINT NOT NULL
);
CREATE INDEX card_revocations_by_age ON card_revocations (made_at);

-- The number of the last revocation. Whoever takes the next holds this row until the commit.
CREATE TABLE card_revocation_numbers (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    last_seq BIGINT NOT NULL
);
INSERT INTO card_revocation_numbers (id, last_seq) VALUES (1, 0);
