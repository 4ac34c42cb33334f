-- Disputes: what a firm says is wrong with a fact or a decision. Never deleted; the outcome is filled in once.
CREATE TABLE disputes (
    id          TEXT   NOT NULL PRIMARY KEY,
    decision_id TEXT   NOT NULL REFERENCES decisions (id),
    bank        TEXT   NOT NULL REFERENCES banks (id),
    uscc        TEXT   NOT NULL,
    -- JSON: the fact; the answer with it and without it.
    fact        TEXT   NOT NULL,
    statement   TEXT   NOT NULL,
    -- The user of the office that took it in; NULL where the bank sent it.
    taken_by    TEXT,
    standing    TEXT   NOT NULL,
    without     TEXT   NOT NULL,
    opened_at   BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    -- The outcome, which has its own row in the audit chain.
    verdict     TEXT,
    answer      TEXT,
    user_id     TEXT   REFERENCES users (id),
    user_name   TEXT,
    resolved_at BIGINT
);
CREATE INDEX disputes_by_firm ON disputes (uscc, id);
CREATE INDEX disputes_by_bank ON disputes (bank, id);
CREATE INDEX disputes_by_state ON disputes (resolved_at, due_at);
