-- Of the renewals of a loan, how many nobody asked for.
ALTER TABLE loans ADD COLUMN auto_renewals INTEGER NOT NULL DEFAULT 0;

-- The due date for which the job could not renew it, and the codes why, as a JSON list. Another due date, and it is tried again.
ALTER TABLE loans ADD COLUMN auto_refused_due_at BIGINT;
ALTER TABLE loans ADD COLUMN auto_refusals TEXT;
