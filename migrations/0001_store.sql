-- One text for SQLite and PostgreSQL: TEXT, BIGINT and DOUBLE PRECISION only. Ids are UUIDs as text (UUID v7 sorts by time),
-- instants are unix milliseconds UTC, money is fen, structures are JSON as text.

CREATE TABLE banks (
    id         TEXT   NOT NULL PRIMARY KEY,
    name       TEXT   NOT NULL UNIQUE,
    created_at BIGINT NOT NULL
);

CREATE TABLE bank_keys (
    id            TEXT   NOT NULL PRIMARY KEY,
    bank          TEXT   NOT NULL REFERENCES banks (id),
    secret_sha256 TEXT   NOT NULL UNIQUE,
    hint          TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    revoked_at    BIGINT
);

CREATE TABLE users (
    id            TEXT   NOT NULL PRIMARY KEY,
    name          TEXT   NOT NULL,
    -- Lower case: two users whose names differ in case only would be taken for one another.
    name_folded   TEXT   NOT NULL UNIQUE,
    role          TEXT   NOT NULL,
    password_hash TEXT   NOT NULL,
    created_at    BIGINT NOT NULL,
    disabled_at   BIGINT
);

CREATE TABLE sessions (
    token_sha256 TEXT   NOT NULL PRIMARY KEY,
    user_id      TEXT   NOT NULL REFERENCES users (id),
    created_at   BIGINT NOT NULL,
    seen_at      BIGINT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id);

CREATE TABLE log_in_failures (
    name_folded  TEXT   NOT NULL PRIMARY KEY,
    failures     BIGINT NOT NULL,
    last_at      BIGINT NOT NULL,
    locked_until BIGINT
);

CREATE TABLE consents (
    id              TEXT   NOT NULL PRIMARY KEY,
    bank            TEXT   NOT NULL REFERENCES banks (id),
    uscc            TEXT   NOT NULL,
    purposes        TEXT   NOT NULL,
    granted_at      BIGINT NOT NULL,
    valid_until     BIGINT NOT NULL,
    document_sha256 TEXT,
    revoked_at      BIGINT
);

CREATE TABLE decisions (
    id         TEXT   NOT NULL PRIMARY KEY,
    bank       TEXT   NOT NULL REFERENCES banks (id),
    uscc       TEXT   NOT NULL,
    decided_at BIGINT NOT NULL,
    -- The whole record; its SHA-256 stands in the audit chain, so it is never rewritten.
    record     TEXT   NOT NULL
);
CREATE INDEX decisions_by_bank ON decisions (bank, id);
CREATE INDEX decisions_by_firm ON decisions (bank, uscc, id);

CREATE TABLE cases (
    id          TEXT   NOT NULL PRIMARY KEY,
    decision_id TEXT   NOT NULL UNIQUE REFERENCES decisions (id),
    bank        TEXT   NOT NULL REFERENCES banks (id),
    bank_name   TEXT   NOT NULL,
    uscc        TEXT   NOT NULL,
    firm_name   TEXT,
    refer_codes TEXT   NOT NULL,
    outcome     TEXT   NOT NULL,
    score       BIGINT NOT NULL,
    grade       TEXT   NOT NULL,
    amount_fen  BIGINT NOT NULL,
    opened_at   BIGINT NOT NULL,
    due_at      BIGINT NOT NULL,
    -- Code and name folded for the search box.
    search      TEXT   NOT NULL,
    -- Follows from the reviews; the only column that changes.
    state       TEXT   NOT NULL
);
CREATE INDEX cases_by_state ON cases (state, due_at);

CREATE TABLE reviews (
    id        TEXT   NOT NULL PRIMARY KEY,
    case_id   TEXT   NOT NULL REFERENCES cases (id),
    number    BIGINT NOT NULL,
    user_id   TEXT   NOT NULL REFERENCES users (id),
    user_name TEXT   NOT NULL,
    verdict   TEXT   NOT NULL,
    reason    TEXT   NOT NULL,
    limit_fen BIGINT,
    at        BIGINT NOT NULL,
    UNIQUE (case_id, number)
);

CREATE TABLE idempotency (
    bank            TEXT   NOT NULL REFERENCES banks (id),
    route           TEXT   NOT NULL,
    idempotency_key TEXT   NOT NULL,
    request_sha256  TEXT   NOT NULL,
    status          BIGINT NOT NULL,
    body            TEXT   NOT NULL,
    created_at      BIGINT NOT NULL,
    PRIMARY KEY (bank, route, idempotency_key)
);
CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- hash = SHA-256 of previous, seq, at, kind, subject and digest, each but the last followed by a line feed.
CREATE TABLE audit (
    seq      BIGINT NOT NULL PRIMARY KEY,
    at       BIGINT NOT NULL,
    kind     TEXT   NOT NULL,
    subject  TEXT   NOT NULL,
    digest   TEXT   NOT NULL,
    previous TEXT   NOT NULL,
    hash     TEXT   NOT NULL
);
CREATE INDEX audit_by_subject ON audit (subject, kind);

-- The end of the chain, so that a cut tail is seen; every writer takes this row first, which gives the chain one order.
CREATE TABLE audit_head (
    id   BIGINT NOT NULL PRIMARY KEY,
    seq  BIGINT NOT NULL,
    hash TEXT   NOT NULL
);
INSERT INTO audit_head (id, seq, hash)
VALUES (1, 0, '0000000000000000000000000000000000000000000000000000000000000000');

-- Written by the readiness probe: a disk that is full or read-only is found before a bank finds it.
CREATE TABLE probe (
    id BIGINT NOT NULL PRIMARY KEY,
    at BIGINT NOT NULL
);
INSERT INTO probe (id, at) VALUES (1, 0);
