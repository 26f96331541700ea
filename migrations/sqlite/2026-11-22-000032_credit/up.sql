-- Credit: the ledger of each reader, freezes, appeals, what other systems report, and the gate to borrowing.

-- Kept by the ledger in the write that appends: the sum of the entries, and how many there are. `credit_band` goes with them.
ALTER TABLE readers ADD COLUMN credit_balance BIGINT NOT NULL DEFAULT 0;
ALTER TABLE readers ADD COLUMN credit_entries BIGINT NOT NULL DEFAULT 0;
-- By which gate the reader was let in; NULL: by none yet.
ALTER TABLE readers ADD COLUMN admitted_by TEXT CHECK (admitted_by IN ('external_score', 'deposit', 'staff'));

-- Append only. Nothing in it says what was borrowed: that stands in credit_reasons and can be erased.
CREATE TABLE credit_entries (
    id INTEGER PRIMARY KEY,
    reader_id BIGINT NOT NULL REFERENCES readers (id),
    number BIGINT NOT NULL,                  -- 1, 2, 3 … in the reader's ledger
    posted_at BIGINT NOT NULL,
    day TEXT NOT NULL,                       -- the local day it counts for: caps per day and month
    kind TEXT NOT NULL CHECK (kind IN ('opening', 'rule', 'staff', 'reversal', 'thaw', 'lapse', 'merge')),
    event TEXT,                              -- what the rule is about; a reversal has that of the entry it undoes
    points BIGINT NOT NULL,                  -- after caps, floor and ceiling
    asked BIGINT NOT NULL,                   -- what the rule or staff said
    limited_by TEXT,                         -- why less came of it: per_day, per_month, per_item, floor, ceiling; by commas
    balance BIGINT NOT NULL,                 -- afterwards
    rules_version BIGINT NOT NULL,
    cause TEXT NOT NULL CHECK (cause IN ('loan', 'event', 'staff', 'hook', 'job')),
    undoes_id BIGINT REFERENCES credit_entries (id),
    undone_by BIGINT,                        -- the only column that changes, once
    CHECK ((kind IN ('reversal', 'lapse')) = (undoes_id IS NOT NULL))
);
CREATE UNIQUE INDEX credit_entries_of_reader ON credit_entries (reader_id, number);
-- An entry is undone once, whatever the code thinks.
CREATE UNIQUE INDEX credit_entries_undone_once ON credit_entries (undoes_id) WHERE undoes_id IS NOT NULL;
-- What caps count.
CREATE INDEX credit_entries_by_day ON credit_entries (reader_id, event, day) WHERE event IS NOT NULL;
-- What was posted lately, to be told.
CREATE INDEX credit_entries_posted ON credit_entries (posted_at, id);
-- Deductions that are to end some day.
CREATE INDEX credit_entries_to_lapse ON credit_entries (posted_at) WHERE points < 0 AND undone_by IS NULL AND kind IN ('rule', 'staff');

-- Why, where it is personal: erasable at any time. Nothing refers to it.
CREATE TABLE credit_reasons (
    entry_id INTEGER PRIMARY KEY REFERENCES credit_entries (id),
    loan_id BIGINT,
    hold_id BIGINT,
    staff_id BIGINT,
    note TEXT
);
CREATE INDEX credit_reasons_of_loan ON credit_reasons (loan_id) WHERE loan_id IS NOT NULL;

-- How many overdue days of a loan the ledger has looked at, and the points they cost so far.
CREATE TABLE credit_overdue (
    loan_id INTEGER PRIMARY KEY REFERENCES loans (id),
    days INTEGER NOT NULL,
    points BIGINT NOT NULL CHECK (points >= 0),
    regime TEXT NOT NULL CHECK (regime IN ('points', 'hybrid', 'lock'))
);

-- A reader is frozen while one of these is open.
CREATE TABLE credit_freezes (
    id INTEGER PRIMARY KEY,
    reader_id BIGINT NOT NULL REFERENCES readers (id),
    cause TEXT NOT NULL CHECK (cause IN ('floor', 'staff', 'overdue')),
    entry_id BIGINT,                         -- the entry that led to the floor
    loan_id BIGINT,                          -- of cause overdue; NULL once it is over
    started_at BIGINT NOT NULL,
    until BIGINT,                            -- NULL: until somebody or something ends it
    restart BIGINT,                          -- the balance it is lifted with, if that is lower
    minutes_needed INTEGER,                  -- of volunteer work, which ends it
    minutes_done INTEGER NOT NULL DEFAULT 0,
    quiz BOOLEAN NOT NULL DEFAULT FALSE,     -- a quiz that was passed ends it
    note TEXT,                               -- staff's words; erasable
    ended_at BIGINT,
    ended_by TEXT CHECK (ended_by IN ('time', 'staff', 'work', 'quiz', 'reversal', 'loan')),
    CHECK ((ended_at IS NULL) = (ended_by IS NULL))
);
CREATE INDEX credit_freezes_open ON credit_freezes (reader_id) WHERE ended_at IS NULL;
CREATE UNIQUE INDEX credit_freezes_one_floor ON credit_freezes (reader_id) WHERE ended_at IS NULL AND cause = 'floor';
CREATE UNIQUE INDEX credit_freezes_one_per_loan ON credit_freezes (loan_id) WHERE loan_id IS NOT NULL;

-- A reader does not agree with an entry.
CREATE TABLE credit_appeals (
    id INTEGER PRIMARY KEY,
    entry_id BIGINT NOT NULL REFERENCES credit_entries (id),
    reader_id BIGINT NOT NULL REFERENCES readers (id),
    reason TEXT,                             -- the reader's words; erasable
    made_at BIGINT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'upheld', 'rejected')),
    decided_at BIGINT,
    decided_by BIGINT,                       -- staff
    answer TEXT,                             -- erasable
    CHECK ((status = 'open') = (decided_at IS NULL))
);
-- One appeal for each entry: what was rejected is not asked again.
CREATE UNIQUE INDEX credit_appeals_of_entry ON credit_appeals (entry_id);
CREATE INDEX credit_appeals_open ON credit_appeals (id) WHERE status = 'open';

-- What other systems reported, once each.
CREATE TABLE credit_reports (
    source TEXT NOT NULL,
    report_id TEXT NOT NULL,                 -- theirs
    fingerprint BLOB NOT NULL,               -- of what it said: the same id never says two things
    outcome TEXT NOT NULL,
    entry_id BIGINT,
    reported_at BIGINT NOT NULL,
    PRIMARY KEY (source, report_id)
);

-- How far the ledger has followed the sealed events: the next seal, and how many of its events are done.
CREATE TABLE credit_feed (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    position BIGINT NOT NULL,
    taken BIGINT NOT NULL
);
-- What happened before there was a ledger does not count.
INSERT INTO credit_feed (id, position, taken) SELECT 1, coalesce(max(position), 0) + 1, 0 FROM event_seals;

-- Asking a provider whether a reader may borrow without a deposit. Never the score.
CREATE TABLE admission_requests (
    id INTEGER PRIMARY KEY,
    reader_id BIGINT NOT NULL REFERENCES readers (id),
    provider TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('asked', 'agreed', 'passed', 'refused', 'failed')),
    order_key TEXT NOT NULL UNIQUE,          -- ours, at the provider: random
    asked_at BIGINT NOT NULL,
    decided_at BIGINT,
    CHECK ((state IN ('passed', 'refused', 'failed')) = (decided_at IS NOT NULL))
);
CREATE UNIQUE INDEX admission_requests_one_open ON admission_requests (reader_id) WHERE decided_at IS NULL;
