-- Two bibs that turn out to be one: the duplicate stays, and says which bib stands for it.

-- Never a bib that was merged itself: a merge takes along what was merged into the duplicate before.
ALTER TABLE bibs ADD COLUMN merged_into BIGINT REFERENCES bibs (id) CHECK (merged_into <> id);
CREATE INDEX bibs_merged ON bibs (merged_into) WHERE merged_into IS NOT NULL;

-- Set: cancelled because the reader had this other hold on what is one bib since a merge.
ALTER TABLE holds ADD COLUMN replaced_by BIGINT;
