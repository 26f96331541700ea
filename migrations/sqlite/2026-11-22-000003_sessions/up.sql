-- How often log-ins failed, so that guessing slows down and stays slow after a restart and on every node. A scope is a keyed
-- digest of an account, of an address, or of both: no name and no address stands here.
CREATE TABLE log_in_tallies (
    scope BLOB NOT NULL PRIMARY KEY,           -- 16 bytes
    failures BIGINT NOT NULL CHECK (failures >= 0),
    failed_at BIGINT,                         -- the last failure
    succeeded_at BIGINT,                      -- the last log-in of this account from this address
    forget_at BIGINT NOT NULL                 -- from then on it says nothing
);
CREATE INDEX log_in_tallies_by_end ON log_in_tallies (forget_at);
-- Log-out everywhere ends all sessions of one person.
CREATE INDEX refresh_tokens_by_subject ON refresh_tokens (subject_id, audience);
