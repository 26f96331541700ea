ALTER TABLE routes DROP COLUMN version;
ALTER TABLE parcels DROP COLUMN given_up_at;
ALTER TABLE parcels DROP COLUMN alarmed_at;
