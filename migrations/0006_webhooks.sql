-- Where banks want to be told what happens. A deleted endpoint stays, because the audit chain speaks of it.
CREATE TABLE webhooks (
    id            TEXT   NOT NULL PRIMARY KEY,
    bank          TEXT   NOT NULL REFERENCES banks (id),
    url           TEXT   NOT NULL,
    -- The kinds of events that are sent, each between blanks; empty: all kinds, also those to come.
    kinds         TEXT   NOT NULL,
    -- The signing secret, sealed with the key of the settings where there is one.
    secret        TEXT   NOT NULL,
    -- The secret before it, which signs too until old_until.
    old_secret    TEXT,
    old_until     BIGINT,
    -- enabled, disabled or deleted; and who or what disabled it.
    state         TEXT   NOT NULL,
    because       TEXT,
    created_at    BIGINT NOT NULL,
    -- The columns from here on follow from the deliveries, so they are not in the audit chain.
    failing_since BIGINT,
    failures      BIGINT NOT NULL DEFAULT 0,
    rest_until    BIGINT
);
CREATE INDEX webhooks_by_bank ON webhooks (bank, id);

-- The outbox: what happened, with the body as it is signed and sent. Written in the transaction of the fact, whether or not the
-- bank has an endpoint, so that one that comes later can be told; thrown away after a while, so not in the audit chain.
CREATE TABLE webhook_events (
    id         TEXT   NOT NULL PRIMARY KEY,
    bank       TEXT   NOT NULL,
    kind       TEXT   NOT NULL,
    body       TEXT   NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX webhook_events_by_bank ON webhook_events (bank, created_at);
CREATE INDEX webhook_events_by_age ON webhook_events (created_at);

-- An event on its way to an endpoint.
CREATE TABLE webhook_deliveries (
    webhook     TEXT   NOT NULL REFERENCES webhooks (id),
    event       TEXT   NOT NULL REFERENCES webhook_events (id),
    -- pending, delivered or failed.
    state       TEXT   NOT NULL,
    attempts    BIGINT NOT NULL,
    -- When it is to be tried next; NULL unless pending.
    due_at      BIGINT,
    -- Who is trying it, and until when others leave it alone.
    holder      TEXT,
    lease_until BIGINT,
    -- The last try: when, the HTTP status if there was one, and a word on how it ended.
    tried_at    BIGINT,
    status      BIGINT,
    ended       TEXT,
    finished_at BIGINT,
    PRIMARY KEY (webhook, event)
);
CREATE INDEX webhook_deliveries_due ON webhook_deliveries (webhook, due_at) WHERE due_at IS NOT NULL;
CREATE INDEX webhook_deliveries_by_event ON webhook_deliveries (event);
