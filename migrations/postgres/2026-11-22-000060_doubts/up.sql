-- A door may be opened for a person while nobody knows whether its book was taken: what comes out then came by their hand.
ALTER TABLE loan_confirmations ADD COLUMN opened_at BIGINT;
CREATE INDEX loan_confirmations_in_question ON loan_confirmations (compartment_id) WHERE decided_at IS NULL;
