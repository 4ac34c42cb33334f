-- What a consent covers, whether it is for one look, and the decision that used it up. JSON arrays; NULL covers all.
ALTER TABLE consents ADD COLUMN sources TEXT;
ALTER TABLE consents ADD COLUMN fields TEXT;
ALTER TABLE consents ADD COLUMN one_time BIGINT NOT NULL DEFAULT 0;
ALTER TABLE consents ADD COLUMN used_at BIGINT;
ALTER TABLE consents ADD COLUMN used_by TEXT;
CREATE INDEX consents_by_firm ON consents (uscc, revoked_at);

-- The ledger: every look at a firm. Exactly one of bank and office says who looked.
CREATE TABLE looks (
    id          TEXT   NOT NULL PRIMARY KEY,
    uscc        TEXT   NOT NULL,
    bank        TEXT   REFERENCES banks (id),
    office      TEXT,
    consent_id  TEXT,
    purpose     TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    ended       TEXT   NOT NULL,
    decision_id TEXT,
    -- JSON: the departments that were asked, and what came back of each without the record.
    asked       TEXT   NOT NULL,
    answers     TEXT   NOT NULL
);
CREATE INDEX looks_by_firm ON looks (uscc, id);
CREATE INDEX looks_by_bank ON looks (bank, id);
CREATE INDEX looks_by_consent ON looks (consent_id);

-- What banks must be told. number is the row's place in the audit chain: it grows in the order of commits, on every replica.
CREATE TABLE notices (
    id         TEXT   NOT NULL PRIMARY KEY,
    number     BIGINT NOT NULL UNIQUE,
    bank       TEXT   NOT NULL REFERENCES banks (id),
    kind       TEXT   NOT NULL,
    about      TEXT   NOT NULL,
    created_at BIGINT NOT NULL,
    -- The only column that changes, and the only one that the audit chain does not hold.
    seen_at    BIGINT
);
CREATE INDEX notices_by_bank ON notices (bank, number);

-- The latest as-of date that each source has stated of each firm. Follows from the decisions, so not in the audit chain.
CREATE TABLE source_dates (
    uscc   TEXT NOT NULL,
    source TEXT NOT NULL,
    as_of  TEXT NOT NULL,
    PRIMARY KEY (uscc, source)
);

-- Replies that broke a rule, for inspection. They pass, so they are not in the audit chain.
CREATE TABLE rejected_replies (
    id         TEXT   NOT NULL PRIMARY KEY,
    source     TEXT   NOT NULL,
    uscc       TEXT   NOT NULL,
    at         BIGINT NOT NULL,
    pointer    TEXT   NOT NULL,
    problem    TEXT   NOT NULL,
    digest     TEXT   NOT NULL,
    -- Of the whole body; NULL where it was not to be kept.
    body_bytes BIGINT,
    -- Its beginning, gzip in hexadecimal.
    body       TEXT
);
CREATE INDEX rejected_replies_by_firm ON rejected_replies (uscc);
CREATE INDEX rejected_replies_by_age ON rejected_replies (at);
