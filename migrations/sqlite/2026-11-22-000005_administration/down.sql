DROP TABLE legacy_deposits;
DROP TABLE import_rows;
DROP TABLE import_batches;
