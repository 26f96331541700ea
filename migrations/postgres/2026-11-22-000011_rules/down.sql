-- What only layers can say is lost: units' own rules, withdrawn versions and drafts.
DROP TABLE rule_drafts;
DELETE FROM rule_sets WHERE unit_id IS NOT NULL OR withdrawn_at IS NOT NULL;
DROP INDEX rule_sets_by_effect;
ALTER TABLE rule_sets DROP COLUMN withdrawn_at;
ALTER TABLE rule_sets DROP COLUMN note;
ALTER TABLE rule_sets DROP COLUMN unit_id;
