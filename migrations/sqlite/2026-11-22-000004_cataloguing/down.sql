DROP TABLE bib_versions;
ALTER TABLE bibs DROP COLUMN changed_by;
ALTER TABLE bibs DROP COLUMN version;
