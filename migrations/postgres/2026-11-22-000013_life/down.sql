DROP INDEX items_bound;
ALTER TABLE items DROP COLUMN bound_into_item_id;
ALTER TABLE items DROP COLUMN lending;
ALTER TABLE loans DROP COLUMN recalled_at;
ALTER TABLE loans DROP COLUMN claimed_returned_at;
