-- As-of dates that an operator took back, because a department had stated them by mistake. Never deleted; in the audit chain. Copies of
-- replies that were fetched before are not used any more.
CREATE TABLE forgotten_dates (
    id     TEXT   NOT NULL PRIMARY KEY,
    uscc   TEXT   NOT NULL,
    source TEXT   NOT NULL,
    as_of  TEXT   NOT NULL,
    reason TEXT   NOT NULL,
    office TEXT   NOT NULL,
    at     BIGINT NOT NULL
);
CREATE INDEX forgotten_dates_by_firm ON forgotten_dates (uscc, at);

-- What a rejected reply takes in the store, and all of them together, so that neither grows without bound.
ALTER TABLE rejected_replies ADD COLUMN kept_bytes BIGINT NOT NULL DEFAULT 0;
UPDATE rejected_replies SET kept_bytes = 512 + COALESCE(LENGTH(body), 0);
DROP INDEX rejected_replies_by_firm;
DROP INDEX rejected_replies_by_age;
CREATE INDEX rejected_replies_by_firm ON rejected_replies (uscc, at, id, kept_bytes);
CREATE INDEX rejected_replies_by_age ON rejected_replies (at, id, kept_bytes);
CREATE TABLE rejected_kept (
    id    BIGINT NOT NULL PRIMARY KEY,
    bytes BIGINT NOT NULL
);
INSERT INTO rejected_kept (id, bytes) SELECT 1, COALESCE(SUM(kept_bytes), 0) FROM rejected_replies;
