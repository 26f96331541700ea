-- How many things an import made: `import_rows` only has those that are not undone. Of an undone batch of before nobody knows.

ALTER TABLE import_batches ADD COLUMN made BIGINT NOT NULL DEFAULT 0;
UPDATE import_batches SET made = (SELECT count(*) FROM import_rows WHERE import_rows.batch_id = import_batches.id);
