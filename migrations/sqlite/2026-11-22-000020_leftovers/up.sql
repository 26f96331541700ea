-- Parcels of which nobody has heard for days, and those that were given up; versions of routes.

-- When the job found that nobody had heard of it; NULL again after news.
ALTER TABLE parcels ADD COLUMN alarmed_at BIGINT;
-- Staff closed it as not arrived; it is 'cancelled' then.
ALTER TABLE parcels ADD COLUMN given_up_at BIGINT CHECK (given_up_at IS NULL OR (closed_at IS NOT NULL AND state = 'cancelled'));

-- Counts the changes of a route: who replaces one says which version they saw.
ALTER TABLE routes ADD COLUMN version BIGINT NOT NULL DEFAULT 1;
