-- What came from the files of another system, so that it can be taken back.

CREATE TABLE import_batches (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('readers', 'cards', 'items', 'loans', 'deposits')),
    owner_unit_id BIGINT NOT NULL REFERENCES units (id),
    file_name TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    undone_at BIGINT
);

-- One row for each thing a batch made; gone once it is undone.
CREATE TABLE import_rows (
    batch_id BIGINT NOT NULL REFERENCES import_batches (id),
    row_number BIGINT NOT NULL,              -- the line of the file
    subject_id BIGINT NOT NULL,              -- reader, card, item, loan or deposit, by the batch's kind
    old_id TEXT,                             -- what the other system called it
    memo TEXT NOT NULL,                      -- JSON: what undoing it has to know; nothing personal
    PRIMARY KEY (batch_id, row_number)
);
CREATE INDEX import_rows_by_old_id ON import_rows (old_id) WHERE old_id IS NOT NULL;

-- Deposits that readers paid before: kept to be refunded, never taken anew.
CREATE TABLE legacy_deposits (
    id INTEGER PRIMARY KEY,
    reader_id BIGINT NOT NULL REFERENCES readers (id),
    owner_unit_id BIGINT NOT NULL REFERENCES units (id),
    amount_fen BIGINT NOT NULL CHECK (amount_fen > 0),
    paid_on TEXT,
    receipt TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (reader_id, owner_unit_id)
);
