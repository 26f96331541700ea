ALTER TABLE holds DROP COLUMN replaced_by;
DROP INDEX bibs_merged;
ALTER TABLE bibs DROP COLUMN merged_into;
