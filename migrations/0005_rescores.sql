-- The days on which adverse facts of a decision leave the score while the decision is valid. Follows from the decisions, so not in
-- the audit chain. leaves_on is a civil date in China, YYYY-MM-DD.
CREATE TABLE fact_ends (
    decision_id TEXT   NOT NULL REFERENCES decisions (id),
    leaves_on   TEXT   NOT NULL,
    valid_until BIGINT NOT NULL,
    PRIMARY KEY (decision_id, leaves_on)
);
CREATE INDEX fact_ends_by_day ON fact_ends (leaves_on);

-- Decisions judged again from their recorded evidence because a fact left the score.
CREATE TABLE rescores (
    id          TEXT   NOT NULL PRIMARY KEY,
    decision_id TEXT   NOT NULL REFERENCES decisions (id),
    bank        TEXT   NOT NULL REFERENCES banks (id),
    on_date     TEXT   NOT NULL,
    at          BIGINT NOT NULL,
    -- JSON: what left, the answer before and after, model and policy.
    record      TEXT   NOT NULL,
    UNIQUE (decision_id, on_date)
);
