DROP TABLE gate_checks;
DROP TABLE gate_batches;
DROP TABLE gate_hours;
DROP INDEX items_by_rfid_tag;
