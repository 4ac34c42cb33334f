-- Files of requests and runs over the portfolio. Their rows are a queue that every replica takes from. They pass, so they are not in the
-- audit chain; the decisions that they lead to are, as any other.
CREATE TABLE batches (
    id           TEXT   NOT NULL PRIMARY KEY,
    bank         TEXT   NOT NULL REFERENCES banks (id),
    -- 'file' or 'portfolio'.
    kind         TEXT   NOT NULL,
    -- The day of a run over the portfolio, so that there is one a day and bank, whoever begins it.
    run          TEXT,
    -- JSON array of the columns of the rows as sent; NULL where each row is JSON.
    header       TEXT,
    -- 'receiving', 'queued', 'running', 'done' or 'cancelled'.
    state        TEXT   NOT NULL,
    row_count    BIGINT NOT NULL DEFAULT 0,
    -- Kept in the transaction in which a row changes.
    done         BIGINT NOT NULL DEFAULT 0,
    failed       BIGINT NOT NULL DEFAULT 0,
    cancelled    BIGINT NOT NULL DEFAULT 0,
    created_at   BIGINT NOT NULL,
    started_at   BIGINT,
    cancelled_at BIGINT,
    -- When the last row was done with.
    finished_at  BIGINT,
    -- When rows of it were last taken: banks are served by turns.
    served_at    BIGINT NOT NULL DEFAULT 0,
    UNIQUE (bank, run)
);
CREATE INDEX batches_by_bank ON batches (bank, id);
CREATE INDEX batches_open ON batches (bank, id) WHERE finished_at IS NULL;

CREATE TABLE batch_rows (
    batch_id    TEXT   NOT NULL REFERENCES batches (id),
    -- As a spreadsheet counts: the header is row 1. In a file of JSON lines the number of the line.
    number      BIGINT NOT NULL,
    -- 'waiting', 'done', 'failed' or 'cancelled'.
    state       TEXT   NOT NULL,
    -- JSON: the request; NULL where the row cannot be read as one.
    request     TEXT,
    -- JSON: the cells as sent, or the text of the line.
    sent        TEXT   NOT NULL,
    -- Of a run over the portfolio: the decision that is judged anew.
    previous    TEXT,
    -- A waiting row can be taken from here on: until then somebody has it, or it waits to be tried again.
    free_at     BIGINT NOT NULL DEFAULT 0,
    holder      TEXT,
    -- How often it was taken.
    takes       BIGINT NOT NULL DEFAULT 0,
    decision_id TEXT,
    -- JSON: why there is no decision.
    fault       TEXT,
    PRIMARY KEY (batch_id, number)
);
CREATE INDEX batch_rows_waiting ON batch_rows (batch_id, free_at, number) WHERE state = 'waiting';
CREATE INDEX batch_rows_failed ON batch_rows (batch_id, number) WHERE state = 'failed';

-- Work that one process at a time does for all that share the store.
CREATE TABLE jobs (
    name    TEXT   NOT NULL PRIMARY KEY,
    holder  TEXT   NOT NULL,
    -- The holder has it until then, unless it gives it back or extends it.
    until   BIGINT NOT NULL,
    -- When it was last done whole.
    done_at BIGINT NOT NULL DEFAULT 0
);
