ALTER TABLE loans DROP COLUMN overdue_since;
DROP TABLE jobs;
