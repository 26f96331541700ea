DROP TABLE ownership_transfer_items;
DROP TABLE ownership_transfers;
DROP INDEX events_of_dispatch;
CREATE TABLE transits_before AS SELECT * FROM transits;
DROP TABLE transits;
CREATE TABLE transits (
    id BIGINT PRIMARY KEY,
    item_id BIGINT NOT NULL REFERENCES items (id),
    from_unit_id BIGINT NOT NULL REFERENCES units (id),
    to_unit_id BIGINT NOT NULL REFERENCES units (id),
    reason TEXT NOT NULL CHECK (reason IN ('return_home', 'hold')),
    hold_id BIGINT REFERENCES holds (id),
    status TEXT NOT NULL CHECK (status IN ('awaiting_dispatch', 'packed', 'sent', 'received', 'missing', 'cancelled')),
    opened_at BIGINT NOT NULL,
    closed_at BIGINT,
    CHECK ((closed_at IS NULL) = (status NOT IN ('received', 'cancelled')))
);
INSERT INTO transits (id, item_id, from_unit_id, to_unit_id, reason, hold_id, status, opened_at, closed_at)
SELECT id, item_id, from_unit_id, to_unit_id, CASE WHEN hold_id IS NOT NULL THEN 'hold' ELSE 'return_home' END, hold_id,
    CASE WHEN status = 'packed' THEN 'awaiting_dispatch' ELSE status END, opened_at, closed_at
FROM transits_before;
DROP TABLE transits_before;
CREATE UNIQUE INDEX transits_one_open_per_item ON transits (item_id) WHERE closed_at IS NULL;
CREATE INDEX transits_open_to ON transits (to_unit_id, id) WHERE closed_at IS NULL;
CREATE INDEX transits_open_from ON transits (from_unit_id, id) WHERE closed_at IS NULL;
DROP TABLE crates;
DROP TABLE route_stops;
DROP TABLE routes;
