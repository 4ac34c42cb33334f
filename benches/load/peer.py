"""What a bank would otherwise write: FastAPI, scikit-learn and LightGBM behind uvicorn, each decision stored durably before it is
answered. It is given less to do than Yuxin: features are ready in memory, there are no reasons to find, no interval, no ledger and no
hash chain; a key and a consent are looked up, the firm is scored by both models, one row of the decision and one of an audit
are committed. PEER_STORE is sqlite:///PATH or postgres://…; PEER_BODIES the file of requests."""

import hashlib
import json
import os
import threading
import uuid
from datetime import datetime, timezone

import lightgbm
import numpy
from fastapi import FastAPI, HTTPException, Request
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sklearn.linear_model import LogisticRegression

FEATURES = 22
KEY = os.environ["LOAD_KEY"]
STORE = os.environ["PEER_STORE"]
SCHEMA = [
    "CREATE TABLE IF NOT EXISTS bank_keys (sha256 TEXT PRIMARY KEY, bank TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS consents (id TEXT PRIMARY KEY, uscc TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS decisions (id TEXT PRIMARY KEY, bank TEXT NOT NULL, uscc TEXT NOT NULL, record TEXT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS audit (id TEXT PRIMARY KEY, decision TEXT NOT NULL, digest TEXT NOT NULL)",
]


class Ask(BaseModel):
    uscc: str
    consent_id: str
    purpose: str
    amount_fen: int
    term_months: int


def connect():
    if STORE.startswith("sqlite"):
        import sqlite3

        db = sqlite3.connect(STORE.removeprefix("sqlite://"), timeout=30, isolation_level=None, check_same_thread=False)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
        return db, "?"
    import psycopg

    return psycopg.connect(STORE, autocommit=True), "%s"


local = threading.local()


def database():
    if not hasattr(local, "db"):
        local.db = connect()
    return local.db


def models():
    rng = numpy.random.default_rng(7)
    x = rng.normal(size=(20_000, FEATURES))
    y = (x[:, :8].sum(axis=1) + rng.normal(size=20_000) > 2).astype(int)
    boosted = lightgbm.LGBMClassifier(n_estimators=200, num_leaves=15, n_jobs=1, verbose=-1).fit(x, y)
    return boosted.booster_, LogisticRegression(max_iter=500).fit(x, y)


def firms():
    asks = [json.loads(line) for line in open(os.environ["PEER_BODIES"], encoding="utf-8")]
    rng = numpy.random.default_rng(11)
    return asks, {ask["uscc"]: rng.normal(size=(1, FEATURES)) for ask in asks}


ASKS, EVIDENCE = firms()
BOOSTED, LOGISTIC = models()
PADDING = "x" * 1200  # the reasons and the evidence lines that Yuxin sends

db, mark = connect()
for statement in SCHEMA:
    db.execute(statement)
ignore = " ON CONFLICT DO NOTHING"
db.execute(f"INSERT INTO bank_keys VALUES ({mark}, {mark}){ignore}", (hashlib.sha256(KEY.encode()).hexdigest(), "bank"))
for ask in ASKS:
    db.execute(f"INSERT INTO consents VALUES ({mark}, {mark}){ignore}", (ask["consent_id"], ask["uscc"]))

app = FastAPI()


@app.post("/v1/decisions", status_code=201)
def decide(ask: Ask, request: Request):
    db, mark = database()
    presented = request.headers.get("authorization", "").removeprefix("Bearer ")
    digest = hashlib.sha256(presented.encode()).hexdigest()
    bank = db.execute(f"SELECT bank FROM bank_keys WHERE sha256 = {mark}", (digest,)).fetchone()
    if bank is None:
        raise HTTPException(401)
    consent = db.execute(f"SELECT uscc FROM consents WHERE id = {mark}", (ask.consent_id,)).fetchone()
    if consent is None or consent[0] != ask.uscc:
        raise HTTPException(403)
    features = EVIDENCE[ask.uscc]
    boosted = float(BOOSTED.predict(features)[0])
    logistic = float(LOGISTIC.predict_proba(features)[0, 1])
    pd = (boosted + logistic) / 2
    answer = {
        "id": str(uuid.uuid4()),
        "uscc": ask.uscc,
        "outcome": "approve" if pd < 0.3 else "refer" if pd < 0.6 else "decline",
        "probability_of_default": pd,
        "decided_at": datetime.now(timezone.utc).isoformat(),
        "detail": PADDING,
    }
    record = json.dumps({**answer, "features": features[0].tolist(), "request": ask.model_dump()})
    rows = (
        (f"INSERT INTO decisions VALUES ({mark}, {mark}, {mark}, {mark})", (answer["id"], bank[0], ask.uscc, record)),
        (
            f"INSERT INTO audit VALUES ({mark}, {mark}, {mark})",
            (str(uuid.uuid4()), answer["id"], hashlib.sha256(record.encode()).hexdigest()),
        ),
    )
    if STORE.startswith("sqlite"):
        db.execute("BEGIN IMMEDIATE")
        for sql, values in rows:
            db.execute(sql, values)
        db.execute("COMMIT")
    else:
        with db.transaction():
            for sql, values in rows:
                db.execute(sql, values)
    return JSONResponse(answer, status_code=201)
