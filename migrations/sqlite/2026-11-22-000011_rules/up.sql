-- Rules in layers: a row of rule_sets is one change of one layer, the network's or a unit's own (decision 0011).
ALTER TABLE rule_sets ADD COLUMN unit_id BIGINT REFERENCES units (id);   -- NULL: the network's layer
ALTER TABLE rule_sets ADD COLUMN note TEXT NOT NULL DEFAULT '';          -- why, in words of whoever published it
ALTER TABLE rule_sets ADD COLUMN withdrawn_at BIGINT;                    -- taken back before it took effect
CREATE INDEX rule_sets_by_effect ON rule_sets (effective_from, version);

-- Rules in the making. Gone once they are published or discarded.
CREATE TABLE rule_drafts (
    id INTEGER PRIMARY KEY,
    unit_id BIGINT REFERENCES units (id),                -- the layer: NULL is the network's
    base_version BIGINT NOT NULL,                        -- the set it was made from
    source TEXT NOT NULL,                                -- as written, also while it is not valid yet
    note TEXT NOT NULL,
    revision BIGINT NOT NULL CHECK (revision >= 1),      -- raised by every change: the ETag
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL
);
