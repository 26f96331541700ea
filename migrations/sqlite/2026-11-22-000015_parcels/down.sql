DROP TABLE parcel_reports;
DROP TABLE parcel_lines;
DROP TABLE parcels;
DROP INDEX holds_of_request;
ALTER TABLE holds DROP COLUMN delivery_request_id;
DROP TABLE delivery_addresses;
DROP TABLE delivery_requests;
DROP TABLE packing_units;
DROP TABLE outbox;
