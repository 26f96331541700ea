DROP INDEX import_rows_named;
DROP INDEX transits_by_item;
DROP INDEX holds_by_captured_item;
DROP INDEX holds_by_item;
DROP INDEX loans_by_item;
