-- Reads that must not grow with what has ended.

-- What staff take off a hold shelf or out of a crate, by item: without a number it lies in a crate.
CREATE INDEX items_clear_since ON items (current_unit_id, id) WHERE clear_since IS NOT NULL;

-- What is due of one consumer, and what was told long ago.
DROP INDEX outbox_open;
CREATE INDEX outbox_open ON outbox (consumer, id) WHERE next_at IS NOT NULL;
CREATE INDEX outbox_done ON outbox (done_at) WHERE done_at IS NOT NULL;

-- In which parcel a hold's copy lies: in one at most.
CREATE UNIQUE INDEX parcel_lines_one_open_per_hold ON parcel_lines (hold_id) WHERE closed_at IS NULL AND hold_id IS NOT NULL;

-- How many holds a reader placed today.
CREATE INDEX holds_placed ON holds (reader_id, placed_at) WHERE reader_id IS NOT NULL;
