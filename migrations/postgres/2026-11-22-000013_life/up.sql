-- What may become of a loan before it ends, and what keeps a copy from going out.

-- When the reader says that the item was given back. The claim is open while the item is claimed_returned.
ALTER TABLE loans ADD COLUMN claimed_returned_at BIGINT;
-- Since when somebody wants the item back before its time; a renewal in spite of that ends the recall.
ALTER TABLE loans ADD COLUMN recalled_at BIGINT;

-- normal, or used in the reading room only, or shown by staff only.
ALTER TABLE items ADD COLUMN lending TEXT NOT NULL DEFAULT 'normal'
    CHECK (lending IN ('normal', 'reading_room', 'restricted'));
-- The item this one is bound into: only that one is lent. No foreign key, so that the column can be taken away again;
-- `tongjie check` compares them.
ALTER TABLE items ADD COLUMN bound_into_item_id BIGINT;
CREATE INDEX items_bound ON items (bound_into_item_id) WHERE bound_into_item_id IS NOT NULL;
