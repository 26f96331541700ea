DELETE FROM event_cursors WHERE name = 'offline_blocks';
ALTER TABLE journal_entries DROP COLUMN kind;
