-- Notices to readers and webhooks to other systems: both follow events, see docs/NOTICES.md.

-- How far a walk over the events is, in commit order. What was there before is not announced.
CREATE TABLE event_cursors (
    name TEXT NOT NULL PRIMARY KEY,
    txid BIGINT NOT NULL,
    seq BIGINT NOT NULL
);
INSERT INTO event_cursors (name, txid, seq)
    SELECT 'news', COALESCE(MAX(txid), 0), COALESCE(MAX(seq), 0) FROM events;

-- Where readers are reached. Personal: sealed, erasable at any time; nothing refers to it.
CREATE TABLE reader_contacts (
    reader_id BIGINT NOT NULL REFERENCES readers (id),
    channel TEXT NOT NULL CHECK (channel IN ('mail', 'sms', 'wechat')),
    key_id TEXT NOT NULL,                    -- the key it is sealed under
    sealed BYTEA NOT NULL,
    shown TEXT NOT NULL,                     -- enough to recognise it by, too little to use it
    confirmed_at BIGINT,                     -- NULL: only a code goes there
    soft_bounces INTEGER NOT NULL DEFAULT 0, -- how often mail came back for a while
    failing_since BIGINT,                    -- it bounced: nothing is sent there until it is changed
    changed_at BIGINT NOT NULL,
    next_key_id TEXT,                        -- an address that takes this one's place once it is proved
    next_sealed BYTEA,
    next_shown TEXT,
    PRIMARY KEY (reader_id, channel),
    CHECK ((next_key_id IS NULL) = (next_sealed IS NULL) AND (next_key_id IS NULL) = (next_shown IS NULL))
);
-- What a rotation of keys seals anew.
CREATE INDEX reader_contacts_by_key ON reader_contacts (key_id, reader_id);

-- What a reader wishes; without a row the defaults count.
CREATE TABLE notice_preferences (
    reader_id BIGINT PRIMARY KEY REFERENCES readers (id),
    language TEXT NOT NULL CHECK (language IN ('zh-CN', 'en')),
    quiet_from INTEGER NOT NULL CHECK (quiet_from BETWEEN 0 AND 1439),    -- minute of the network's day
    quiet_until INTEGER NOT NULL CHECK (quiet_until BETWEEN 0 AND 1439),
    gathers BOOLEAN NOT NULL,                -- one message for many lines
    channels TEXT NOT NULL,                  -- JSON: for each kind that differs from the default the list of channels
    version BIGINT NOT NULL
);

-- One message to one reader.
CREATE TABLE notices (
    id BIGINT PRIMARY KEY,
    reader_id BIGINT NOT NULL REFERENCES readers (id),
    kind TEXT NOT NULL,
    unit_id BIGINT NOT NULL REFERENCES units (id),   -- whose templates speak
    made_at BIGINT NOT NULL,
    send_at BIGINT NOT NULL,                 -- not before; until then lines may join
    gathering BOOLEAN NOT NULL               -- lines may still join
);
CREATE INDEX notices_of_reader ON notices (reader_id, id);
CREATE UNIQUE INDEX notices_gathering ON notices (reader_id, kind, unit_id) WHERE gathering;
CREATE INDEX notices_made ON notices (made_at);

-- What it is about: a loan, a hold, a parcel, a card, an event or a code, by the notice's kind. Each once per occasion.
CREATE TABLE notice_lines (
    kind TEXT NOT NULL,
    subject_id BIGINT NOT NULL,
    occasion BIGINT NOT NULL,                -- what makes it another time: the due date, the last day, the event
    notice_id BIGINT NOT NULL REFERENCES notices (id),
    PRIMARY KEY (kind, subject_id, occasion)
);
CREATE INDEX notice_lines_of_notice ON notice_lines (notice_id, subject_id);

-- One notice by one channel. The row of the outbox has the same number; once that is forgotten, it was sent.
CREATE TABLE notice_sendings (
    id BIGINT PRIMARY KEY,
    notice_id BIGINT NOT NULL REFERENCES notices (id),
    channel TEXT NOT NULL CHECK (channel IN ('mail', 'sms', 'wechat')),
    sent_at BIGINT,
    bounced_at BIGINT,
    status TEXT,                             -- what the other side said of it, such as 5.1.1
    address_since BIGINT                     -- changed_at of the address it went to: a bounce says nothing of a later one
);
CREATE UNIQUE INDEX notice_sendings_of_notice ON notice_sendings (notice_id, channel);

-- Codes that prove an address, or allow one act. The code itself is derived when it is sent and when it is tried.
CREATE TABLE one_time_codes (
    id BIGINT PRIMARY KEY,
    reader_id BIGINT NOT NULL REFERENCES readers (id),
    purpose TEXT NOT NULL,
    channel TEXT NOT NULL CHECK (channel IN ('mail', 'sms', 'wechat')),
    made_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    ended_at BIGINT                          -- used, replaced, or tried too often
);
CREATE UNIQUE INDEX one_time_codes_open ON one_time_codes (reader_id, purpose, channel) WHERE ended_at IS NULL;
CREATE INDEX one_time_codes_made ON one_time_codes (reader_id, made_at);
-- What is old is erased.
CREATE INDEX one_time_codes_old ON one_time_codes (made_at);

-- A unit's own words, for itself and what is below it.
CREATE TABLE notice_templates (
    unit_id BIGINT NOT NULL REFERENCES units (id),
    kind TEXT NOT NULL,
    language TEXT NOT NULL CHECK (language IN ('zh-CN', 'en')),
    subject TEXT NOT NULL,
    body TEXT NOT NULL,                      -- plain text
    html TEXT NOT NULL,
    saved_at BIGINT NOT NULL,
    PRIMARY KEY (unit_id, kind, language)
);

-- Other systems that are told of events.
CREATE TABLE webhooks (
    id BIGINT PRIMARY KEY,
    unit_id BIGINT NOT NULL REFERENCES units (id),   -- events here and below
    url TEXT NOT NULL,
    kinds TEXT NOT NULL,                     -- separated by commas; '*': every kind
    active BOOLEAN NOT NULL,
    secret_number BIGINT NOT NULL,           -- the secret is derived from it and kept nowhere
    secret_since BIGINT NOT NULL,
    version BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    removed_at BIGINT
);

-- One event for one webhook. The row of the outbox has the same number; once that is forgotten, it was told.
CREATE TABLE webhook_deliveries (
    id BIGINT PRIMARY KEY,
    webhook_id BIGINT NOT NULL REFERENCES webhooks (id),
    event_seq BIGINT NOT NULL,
    made_at BIGINT NOT NULL,
    status INTEGER                           -- the last HTTP status it answered
);
CREATE UNIQUE INDEX webhook_deliveries_once ON webhook_deliveries (webhook_id, event_seq);
CREATE INDEX webhook_deliveries_of_webhook ON webhook_deliveries (webhook_id, id);
CREATE INDEX webhook_deliveries_made ON webhook_deliveries (made_at);

-- What was given up, of one webhook: it is listed, and told again.
CREATE INDEX outbox_dead ON outbox (consumer, subject_id, id) WHERE dead_at IS NOT NULL;
