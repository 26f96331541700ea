DROP INDEX gate_checks_by_settlement;
DROP INDEX device_alarms_by_end;
DROP INDEX device_commands_by_end;
