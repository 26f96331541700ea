ALTER TABLE loans DROP COLUMN auto_refusals;
ALTER TABLE loans DROP COLUMN auto_refused_due_at;
ALTER TABLE loans DROP COLUMN auto_renewals;
