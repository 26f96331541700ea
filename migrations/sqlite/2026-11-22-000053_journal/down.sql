DROP TABLE offline_block_numbers;
DROP TABLE offline_blocks;
DROP TABLE journal_conflicts;
DROP TABLE journal_quarantine;
DROP TABLE journal_entries;
DROP TABLE journal_cursors;
