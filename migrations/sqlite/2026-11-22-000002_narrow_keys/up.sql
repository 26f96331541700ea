-- Idempotency keys under a digest of client and key, stored once and whole when the outcome is known. The wide random key
-- that held the outcome beside it cost a check-out as many pages as everything else together.
DROP TABLE idempotency_keys;
CREATE TABLE idempotency_keys (
    digest BLOB NOT NULL PRIMARY KEY,        -- 16 bytes of SHA-256 over client and key
    request_hash BLOB NOT NULL,
    reader_id BIGINT,
    outcome TEXT NOT NULL CHECK (outcome <> ''),   -- the use case's outcome as JSON
    created_at BIGINT NOT NULL
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
