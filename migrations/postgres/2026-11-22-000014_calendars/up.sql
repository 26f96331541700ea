-- Calendars: exceptional openings, amnesties, emergency closings, and the walks that move what was due on days that closed.

-- Days with hours of their own, at a unit and everything below it.
CREATE TABLE unit_openings (
    id BIGINT PRIMARY KEY,
    unit_id BIGINT NOT NULL REFERENCES units (id),
    first_day TEXT NOT NULL,
    last_day TEXT NOT NULL,
    reason TEXT NOT NULL,
    CHECK (first_day <= last_day)
);
CREATE INDEX unit_openings_by_unit ON unit_openings (unit_id);

CREATE TABLE unit_opening_spans (
    opening_id BIGINT NOT NULL REFERENCES unit_openings (id),
    opens_minute INTEGER NOT NULL CHECK (opens_minute BETWEEN 0 AND 1439),
    closes_minute INTEGER NOT NULL CHECK (closes_minute BETWEEN 1 AND 1440),
    PRIMARY KEY (opening_id, opens_minute),
    CHECK (opens_minute < closes_minute)
);

-- Days that count for nobody as overdue, at a unit and everything below it.
CREATE TABLE unit_amnesties (
    id BIGINT PRIMARY KEY,
    unit_id BIGINT NOT NULL REFERENCES units (id),
    first_day TEXT NOT NULL,
    last_day TEXT NOT NULL,
    reason TEXT NOT NULL,
    CHECK (first_day <= last_day)
);
CREATE INDEX unit_amnesties_by_unit ON unit_amnesties (unit_id);

-- Changes after which a day may be closed that was open: each is followed by a walk over what was due. An emergency closing is
-- one of them and closes its days itself, until it is undone.
CREATE TABLE calendar_changes (
    id BIGINT PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('closing', 'closed_days', 'hours', 'openings', 'unit')),
    unit_id BIGINT NOT NULL REFERENCES units (id),
    first_day TEXT,
    last_day TEXT,
    reason TEXT,
    made_at BIGINT NOT NULL,
    undone_at BIGINT,
    -- moving: shelves and loans are walked over; settling: all were, but a transaction older than the change may still bring a loan;
    -- undoing: what was moved goes back.
    status TEXT NOT NULL CHECK (status IN ('moving', 'settling', 'done', 'undoing', 'undone')),
    walks_holds BOOLEAN NOT NULL,            -- the walk is at the hold shelves; else at the loans
    after_id BIGINT NOT NULL,                -- the last id it has dealt with
    began_at BIGINT,                         -- PostgreSQL: microseconds; transactions from before may not know of the change
    sure BOOLEAN NOT NULL,                   -- none of those was left when this walk began: it is the last one
    expected BIGINT,                         -- open loans when the walk began
    looked_at BIGINT NOT NULL,
    moved_loans BIGINT NOT NULL,
    moved_holds BIGINT NOT NULL,
    put_back BIGINT NOT NULL,
    finished_at BIGINT,
    CHECK ((kind = 'closing') = (first_day IS NOT NULL AND last_day IS NOT NULL AND reason IS NOT NULL)),
    CHECK (first_day <= last_day),
    CHECK (kind = 'closing' OR status NOT IN ('undoing', 'undone')),
    CHECK ((undone_at IS NULL) = (status NOT IN ('undoing', 'undone')))
);
CREATE INDEX calendar_changes_under_way ON calendar_changes (id) WHERE status IN ('moving', 'settling', 'undoing');
CREATE INDEX calendar_changes_closings ON calendar_changes (id) WHERE kind = 'closing';

-- What a change moved. Loans and holds are named by number only: the rows say nothing of a reader.
CREATE TABLE moved_loans (
    change_id BIGINT NOT NULL REFERENCES calendar_changes (id),
    loan_id BIGINT NOT NULL,
    old_due_at BIGINT NOT NULL,
    new_due_at BIGINT NOT NULL,
    put_back BOOLEAN NOT NULL,
    PRIMARY KEY (change_id, loan_id)
);
CREATE TABLE moved_holds (
    change_id BIGINT NOT NULL REFERENCES calendar_changes (id),
    hold_id BIGINT NOT NULL,
    old_until TEXT NOT NULL,
    new_until TEXT NOT NULL,
    put_back BOOLEAN NOT NULL,
    PRIMARY KEY (change_id, hold_id)
);
