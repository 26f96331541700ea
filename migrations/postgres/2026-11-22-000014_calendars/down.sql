DROP TABLE moved_holds;
DROP TABLE moved_loans;
DROP TABLE calendar_changes;
DROP TABLE unit_amnesties;
DROP TABLE unit_opening_spans;
DROP TABLE unit_openings;
