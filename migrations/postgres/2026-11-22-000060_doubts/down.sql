DROP INDEX loan_confirmations_in_question;
ALTER TABLE loan_confirmations DROP COLUMN opened_at;
