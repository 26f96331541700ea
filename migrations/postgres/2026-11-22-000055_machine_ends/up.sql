-- What machines were told and what was told of them goes once it is long over: found by its end.
CREATE INDEX device_commands_by_end ON device_commands (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX device_alarms_by_end ON device_alarms (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX gate_checks_by_settlement ON gate_checks (settled_at) WHERE settled_at IS NOT NULL;
