DROP TABLE admission_reports;
DROP INDEX admission_requests_of_reader;
ALTER TABLE admission_requests DROP COLUMN ended_at;
ALTER TABLE admission_requests DROP COLUMN agreed_at;
ALTER TABLE admission_requests DROP COLUMN agree_url;
