DROP INDEX refresh_tokens_by_subject;
DROP TABLE log_in_tallies;
