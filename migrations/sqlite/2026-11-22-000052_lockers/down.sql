DROP TABLE loading_round_lines;
DROP TABLE loading_rounds;
DROP TABLE loan_confirmations;
DROP TABLE locker_returns;
DROP TABLE locker_sessions;
DROP TABLE compartments;
ALTER TABLE items DROP COLUMN size;
