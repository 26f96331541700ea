-- Cataloguers' work: bibs have versions.
ALTER TABLE bibs ADD COLUMN version BIGINT NOT NULL DEFAULT 1;   -- grows with every change of the record
ALTER TABLE bibs ADD COLUMN changed_by BIGINT;                   -- the member of staff; NULL: an import

-- Records that were replaced, whole. The present one stands in bibs, so that millions of imported records are stored once.
CREATE TABLE bib_versions (
    bib_id BIGINT NOT NULL REFERENCES bibs (id),
    version BIGINT NOT NULL,
    container TEXT NOT NULL,
    encoding TEXT NOT NULL,
    marc BLOB NOT NULL,
    staff_id BIGINT,                         -- who made this version; NULL: an import
    made_at BIGINT NOT NULL,
    PRIMARY KEY (bib_id, version)
);
