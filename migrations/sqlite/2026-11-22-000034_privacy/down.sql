DROP TABLE reset_codes;
DROP TABLE staff_recovery_codes;
DROP TABLE staff_totp;
DROP TABLE reader_accesses;
DROP TABLE reader_consents;
DROP INDEX readers_erased;
ALTER TABLE readers DROP COLUMN erased_at;
DROP TABLE unlinking;
ALTER TABLE reader_events DROP COLUMN at;
