-- Asking a provider whether a reader may borrow without a deposit: where the reader agrees, what the provider reported. Never the score.

-- Where the reader agrees with the provider; goes when it is decided.
ALTER TABLE admission_requests ADD COLUMN agree_url TEXT;
-- When the reader said here that the provider may be asked.
ALTER TABLE admission_requests ADD COLUMN agreed_at BIGINT;
-- When the order at the provider was to be closed: nothing is asked or reported under it any more.
ALTER TABLE admission_requests ADD COLUMN ended_at BIGINT;
CREATE INDEX admission_requests_of_reader ON admission_requests (reader_id, id);

-- What providers reported, once each.
CREATE TABLE admission_reports (
    provider TEXT NOT NULL,
    report_id TEXT NOT NULL,                 -- theirs
    request_id BIGINT NOT NULL REFERENCES admission_requests (id),
    decision TEXT NOT NULL CHECK (decision IN ('passed', 'refused', 'expired')),
    reported_at BIGINT NOT NULL,
    applied BOOLEAN NOT NULL,                -- FALSE: it was decided before
    PRIMARY KEY (provider, report_id)
);
CREATE INDEX admission_reports_of_request ON admission_reports (request_id);
