-- Sorters: which bin takes what, by unit.

CREATE TABLE sorter_bins (
    id BIGINT PRIMARY KEY,
    unit_id BIGINT NOT NULL REFERENCES units (id),
    bin INTEGER NOT NULL CHECK (bin >= 1),
    takes TEXT NOT NULL CHECK (takes IN ('shelf', 'hold', 'transit', 'exception')),
    collection_id BIGINT REFERENCES collections (id),   -- shelf: only this one
    to_unit_id BIGINT REFERENCES units (id),   -- transit: to this unit
    and_below BOOLEAN NOT NULL,              -- and every unit below it
    route_id BIGINT REFERENCES routes (id),  -- transit: to the stops of this route
    CHECK (collection_id IS NULL OR takes = 'shelf'),
    CHECK ((to_unit_id IS NULL AND route_id IS NULL) OR takes = 'transit'),
    CHECK (to_unit_id IS NULL OR route_id IS NULL),
    CHECK (NOT and_below OR to_unit_id IS NOT NULL)
);
CREATE UNIQUE INDEX sorter_bins_once ON sorter_bins (unit_id, takes, COALESCE(collection_id, 0), COALESCE(to_unit_id, 0), and_below,
    COALESCE(route_id, 0));
