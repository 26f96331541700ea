-- Loans for use in the reading room, and holds that are served in spite of what their terms say.

-- Lent for use in the reading room: counted by limits of its own, due the same day.
ALTER TABLE loans ADD COLUMN reading_room BOOLEAN NOT NULL DEFAULT FALSE;
-- Staff passed over that the copies are for readers of their home unit only, or that they are new and stay there.
ALTER TABLE holds ADD COLUMN waives_home_only BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE holds ADD COLUMN waives_new_item BOOLEAN NOT NULL DEFAULT FALSE;
