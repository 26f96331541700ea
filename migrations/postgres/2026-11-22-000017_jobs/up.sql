-- Work that nobody asks for and that takes many steps: who does it now, how far it is, how the last run ended.
CREATE TABLE jobs (
    name TEXT NOT NULL PRIMARY KEY,
    node TEXT,                               -- who runs it now
    lease_until BIGINT,                      -- from then on another node may take it over
    run BIGINT NOT NULL,                     -- grows whenever a node takes it: who lost it writes nothing any more
    after_id BIGINT NOT NULL,                -- how far the run is; 0: at its beginning
    expected BIGINT,                         -- what there is to look at, if it was counted
    looked_at BIGINT NOT NULL,               -- by this run so far, or by the last one
    changed BIGINT NOT NULL,
    started_at BIGINT,
    finished_at BIGINT,                      -- before started_at: the last run was not finished
    failed_at BIGINT,
    error TEXT,                              -- what the operator is told of the last failure
    CHECK ((node IS NULL) = (lease_until IS NULL))
);

-- The due date that passed unanswered. Another due date, and the loan is not marked any more.
ALTER TABLE loans ADD COLUMN overdue_since BIGINT;
