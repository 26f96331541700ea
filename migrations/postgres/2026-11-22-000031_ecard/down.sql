DROP TABLE card_revocation_numbers;
DROP TABLE card_revocations;
DROP TABLE card_sessions;
ALTER TABLE cards DROP COLUMN tokens_void_until;
