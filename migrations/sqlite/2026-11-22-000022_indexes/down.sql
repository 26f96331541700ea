DROP INDEX holds_placed;
DROP INDEX parcel_lines_one_open_per_hold;
DROP INDEX outbox_done;
DROP INDEX outbox_open;
CREATE INDEX outbox_open ON outbox (id) WHERE next_at IS NOT NULL;
DROP INDEX items_clear_since;
