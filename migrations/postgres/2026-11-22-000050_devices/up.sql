-- Devices: approval, capabilities, overlapping secrets, keys of their journals, configurations, what is known of each, alarms, commands.

-- What it is to be called by people.
ALTER TABLE devices ADD COLUMN name TEXT NOT NULL DEFAULT '';
-- Words separated by commas, in the order of the list in the code.
ALTER TABLE devices ADD COLUMN capabilities TEXT NOT NULL DEFAULT '';
ALTER TABLE devices ADD COLUMN registered_at BIGINT;
-- NULL: it may not log in yet. `active` FALSE: suspended. `retired_at`: for good.
ALTER TABLE devices ADD COLUMN approved_at BIGINT;
ALTER TABLE devices ADD COLUMN retired_at BIGINT;
-- The secret before this one, as the hash of it, and until when it still opens sessions.
ALTER TABLE devices ADD COLUMN old_secret_hash TEXT;
ALTER TABLE devices ADD COLUMN old_secret_until BIGINT;
-- The newest configuration made for it; 0: none.
ALTER TABLE devices ADD COLUMN configuration_version BIGINT NOT NULL DEFAULT 0;
-- What was registered before there were approvals is at work.
UPDATE devices SET approved_at = 0;
-- What a kind is for, it was able to do.
UPDATE devices SET capabilities = 'gate' WHERE kind = 'gate';
UPDATE devices SET capabilities = 'sorter' WHERE kind = 'sorter';
CREATE INDEX devices_by_unit ON devices (unit_id, id);

-- Public keys of a device's journal. The one that signs a sequence is the last that begins at or before it.
CREATE TABLE device_keys (
    id BIGINT PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id),
    key_id TEXT NOT NULL,                    -- what an entry names
    public_key BYTEA NOT NULL,              -- Ed25519, 32 bytes
    journal BIGINT NOT NULL CHECK (journal >= 1),
    first_sequence BIGINT NOT NULL CHECK (first_sequence >= 1),
    given_at BIGINT NOT NULL,
    revoked_at BIGINT,                       -- what arrives from then on is not believed
    UNIQUE (device_id, key_id),
    UNIQUE (device_id, journal, first_sequence)
);

-- A version is made once and never changed.
CREATE TABLE device_configurations (
    device_id BIGINT NOT NULL REFERENCES devices (id),
    version BIGINT NOT NULL CHECK (version >= 1),
    driver TEXT NOT NULL,                    -- 'calls_us': none of ours
    settings TEXT NOT NULL,                  -- JSON, checked against the kind and the driver
    made_at BIGINT NOT NULL,
    PRIMARY KEY (device_id, version)
);

-- What it said of itself last. Times are written together, half a minute late; what changed at once.
CREATE TABLE device_status (
    device_id BIGINT PRIMARY KEY REFERENCES devices (id),
    last_seen_at BIGINT NOT NULL,
    started_at BIGINT NOT NULL,              -- by its clock: which start
    beat BIGINT NOT NULL,                    -- counts up from that start on
    clock_offset_ms BIGINT NOT NULL,         -- its clock less ours
    clock TEXT NOT NULL CHECK (clock IN ('good', 'drifting', 'wrong')),
    firmware TEXT NOT NULL,
    configuration_version BIGINT NOT NULL,   -- what it runs
    faults TEXT NOT NULL,                    -- words separated by commas
    stock TEXT NOT NULL,                     -- JSON
    changed_at BIGINT NOT NULL
);

-- What a person must know of. One stands per device, kind and subject, and counts.
CREATE TABLE device_alarms (
    id BIGINT PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id),
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,                   -- which compartment, command, sequence; '' for the whole device
    raised_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    times BIGINT NOT NULL CHECK (times >= 1),
    ended_at BIGINT,
    ended_how TEXT CHECK (ended_how IN ('cleared', 'settled')),   -- by itself, or by a person
    note TEXT,
    CHECK ((ended_at IS NULL) = (ended_how IS NULL))
);
CREATE UNIQUE INDEX device_alarms_one_open ON device_alarms (device_id, kind, subject) WHERE ended_at IS NULL;
CREATE INDEX device_alarms_open ON device_alarms (id) WHERE ended_at IS NULL;

CREATE TABLE device_commands (
    id BIGINT PRIMARY KEY,
    device_id BIGINT NOT NULL REFERENCES devices (id),
    kind TEXT NOT NULL,
    body TEXT NOT NULL,                      -- JSON, nothing personal
    receipt BYTEA NOT NULL,                 -- what the acknowledgement repeats
    status TEXT NOT NULL CHECK (status IN ('queued', 'delivered', 'done', 'failed', 'expired', 'cancelled')),
    queued_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    delivered_at BIGINT,                     -- for the first time
    ended_at BIGINT,
    result TEXT,                             -- JSON
    late_result TEXT,                        -- what came after its time
    CHECK ((ended_at IS NULL) = (status IN ('queued', 'delivered'))),
    CHECK (status <> 'delivered' OR delivered_at IS NOT NULL)
);
CREATE INDEX device_commands_open ON device_commands (device_id, id) WHERE ended_at IS NULL;
CREATE INDEX device_commands_queued ON device_commands (id) WHERE status = 'queued';
CREATE INDEX device_commands_by_device ON device_commands (device_id, id);
