-- What our drivers log in with at a broker, sealed; that of the newest configuration only.
CREATE TABLE device_passwords (
    device_id INTEGER PRIMARY KEY REFERENCES devices (id),
    key_id TEXT NOT NULL,                    -- the key it is sealed under
    sealed BLOB NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX device_passwords_by_key ON device_passwords (key_id, device_id);

-- Before, passwords stood in the versions in clear. The key that seals is not in the database: whoever had one sets it anew.
UPDATE device_configurations SET settings = json_remove(settings, '$.driver_settings.password')
    WHERE json_valid(settings) AND json_type(settings, '$.driver_settings.password') IS NOT NULL;
