-- Looks under way: noted before a department is asked, deleted with the row of the ledger that says how the look ended. What is still
-- here after a minute was cut off, and enters the ledger as abandoned. Not in the audit chain, because it passes.
CREATE TABLE looks_begun (
    id       TEXT   NOT NULL PRIMARY KEY,
    -- JSON: the row of the ledger as it is to be where nothing more is heard of the look.
    look     TEXT   NOT NULL,
    begun_at BIGINT NOT NULL,
    -- The process that has the look in hand.
    process  TEXT   NOT NULL
);
