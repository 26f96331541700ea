DROP TABLE idempotency_keys;
CREATE TABLE idempotency_keys (
    client TEXT NOT NULL,
    key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    reader_id BIGINT,
    outcome TEXT,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (client, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_keys_by_age ON idempotency_keys (created_at);
