-- What a reader borrowed in one session at a machine: asked for each book that is lent there.
CREATE INDEX loan_confirmations_session ON loan_confirmations (session_id) WHERE session_id IS NOT NULL;
-- The loan a compartment was opened for: asked by each report of a door.
CREATE INDEX loan_confirmations_turn ON loan_confirmations (compartment_id, turn) WHERE compartment_id IS NOT NULL;
