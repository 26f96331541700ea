DROP INDEX loan_confirmations_turn;
DROP INDEX loan_confirmations_session;
