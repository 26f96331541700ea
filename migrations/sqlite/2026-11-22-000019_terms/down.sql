ALTER TABLE holds DROP COLUMN waives_new_item;
ALTER TABLE holds DROP COLUMN waives_home_only;
ALTER TABLE loans DROP COLUMN reading_room;
