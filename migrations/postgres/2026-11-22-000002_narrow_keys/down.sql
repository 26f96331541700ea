DROP TABLE idempotency_keys;
CREATE TABLE idempotency_keys (
    client TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash BYTEA NOT NULL,
    reader_id BIGINT,
    outcome TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (client, key)
);
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
