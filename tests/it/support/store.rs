//! Stores to test, on both databases, and things to put into them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{Span, Timestamp};
use secrecy::ExposeSecret;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use tempfile::TempDir;
use uuid::Uuid;
use yuxin::domain::decision::{DecisionRequest, ReferReason, VersionRef};
use yuxin::domain::evidence::TaxRecord;
use yuxin::domain::{
    BankId, Case, CaseId, CaseState, Consent, ConsentId, Decision, DecisionId, DecisionRecord, Dossier, Evidence,
    EvidenceStatus, Fen, FirmSize, Grounds, Outcome, Scope, Uscc,
};
use yuxin::observe::Metrics;
use yuxin::store::{DecisionEntry, IdempotencyEntry, Store};

/// The database that a test runs on; every promise holds on both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    Sqlite,
    Postgresql,
}

/// A database of one test's own, empty at first.
pub struct Place {
    pub url: String,
    _folder: Option<TempDir>,
}

impl Place {
    /// `None` where the engine is not installed, see [`super::postgres::fresh_database`].
    pub async fn on(engine: Engine) -> Option<Place> {
        match engine {
            Engine::Sqlite => {
                let folder = TempDir::new().unwrap();
                let url = format!("sqlite://{}", folder.path().join("deep/yuxin.db").display());
                Some(Place { url, _folder: Some(folder) })
            }
            Engine::Postgresql => super::postgres::fresh_database().await.map(|url| Place { url, _folder: None }),
        }
    }

    pub async fn open(&self) -> Store {
        Store::open(&self.url, Metrics::new().unwrap()).await.unwrap()
    }

    /// Runs SQL past the store, as somebody would who has got at the database; gives the number of rows changed.
    pub async fn tamper(&self, sql: &str) -> u64 {
        let sql = sqlx::raw_sql(AssertSqlSafe(sql.to_owned()));
        if self.url.starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            let rows = sql.execute(&mut connection).await.unwrap().rows_affected();
            connection.close().await.unwrap();
            rows
        } else {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            let rows = sql.execute(&mut connection).await.unwrap().rows_affected();
            connection.close().await.unwrap();
            rows
        }
    }

    /// The number of rows of a table.
    pub async fn count(&self, table: &str) -> i64 {
        let sql = AssertSqlSafe(format!("SELECT COUNT(*) FROM {table}"));
        if self.url.starts_with("sqlite") {
            let mut connection = SqliteConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
        } else {
            let mut connection = PgConnection::connect(&self.url).await.unwrap();
            sqlx::query_scalar(sql).fetch_one(&mut connection).await.unwrap()
        }
    }
}

/// The instant that the tests take for now.
pub fn now() -> Timestamp {
    "2026-11-02T08:30:00Z".parse().unwrap()
}

pub fn days_later(days: i64) -> Timestamp {
    now() + Span::new().hours(24 * days)
}

/// A firm's code, another for each number.
pub fn firm(number: u32) -> Uscc {
    Uscc::with_checks("91330604", &format!("MA2{number:05}")).unwrap()
}

/// A bank that the store knows.
pub async fn bank(store: &Store, name: &str) -> BankId {
    let key = store.create_key(name, now()).await.unwrap();
    assert!(!key.secret.expose_secret().is_empty());
    key.info.bank
}

pub fn consent(bank: BankId) -> Consent {
    Consent {
        id: ConsentId(Uuid::now_v7()),
        bank,
        uscc: firm(1),
        purposes: vec!["working_capital".into(), "equipment".into()],
        scope: Scope::default(),
        one_time: false,
        granted_at: now(),
        valid_until: days_later(60),
        document_sha256: Some("ab".repeat(32)),
        revoked_at: None,
        used_at: None,
    }
}

/// A decision on a firm, without a case and without an idempotency key.
pub fn decision(bank: BankId, uscc: Uscc) -> DecisionEntry {
    let tax = TaxRecord {
        as_of: "2026-10-31".parse().unwrap(),
        name: Some("绍兴上虞虞舜纺织有限公司".into()),
        status: None,
        industry: Some("C17".into()),
        registered_on: None,
        declared_heads: Some(38),
        total_assets: Some(Fen(420_000_000)),
        rating: None,
        filings: None,
        arrears: None,
        invoices: None,
        invoices_since: None,
    };
    let dossier = Dossier {
        uscc: uscc.clone(),
        tax: Evidence {
            status: EvidenceStatus::Fresh,
            record: Some(tax),
            as_of: Some("2026-10-31".parse().unwrap()),
            fetched_at: Some(now()),
            digest: Some("cd".repeat(32)),
            detail: None,
            not_covered: Vec::new(),
        },
        social_insurance: Evidence::missing(EvidenceStatus::Unavailable, "no answer within 800 ms"),
        payment_history: Evidence::missing(EvidenceStatus::Absent, "the department does not know the firm"),
        others: vec![],
        set_aside: vec![],
    };
    let version = |id: &str| VersionRef { id: id.into(), sha256: "ef".repeat(32) };
    let decision = Decision {
        id: DecisionId(Uuid::now_v7()),
        bank,
        request: DecisionRequest {
            uscc,
            consent_id: ConsentId(Uuid::now_v7()),
            purpose: "working_capital".into(),
            amount: Fen(500_000_000),
            term_months: 12,
        },
        firm_size: FirmSize::Small,
        outcome: Outcome::Refer,
        score: 588,
        score_interval: None,
        probability_of_default: 0.030_371_234_567_891,
        grade: "B".into(),
        limit: None,
        indicated_limit: Fen(120_000_000),
        reasons: Vec::new(),
        refer_reasons: vec![ReferReason {
            code: "EVIDENCE_MISSING".into(),
            source: None,
            figures: BTreeMap::from([("sources".into(), "2".into())]),
        }],
        evidence: dossier.lines(),
        model: version("district-scorecard-1"),
        policy: version("shangyu-1"),
        decided_at: now(),
        valid_until: days_later(30),
        case_id: None,
        disputes: Vec::new(),
    };
    let features = BTreeMap::from([("revenue_12m_fen".into(), Some(0.1 + 0.2)), ("heads".into(), None)]);
    let grounds = Grounds::new(dossier, features, None, Vec::new());
    let record = DecisionRecord { decision, grounds: Arc::new(grounds) };
    DecisionEntry { record, case: None, idempotency: None, look: None }
}

/// The same, with a case that it opens.
pub fn referred(bank: BankId, uscc: Uscc) -> DecisionEntry {
    let mut entry = decision(bank, uscc);
    let decision = &mut entry.record.decision;
    let case = Case {
        id: CaseId(Uuid::now_v7()),
        decision: decision.id,
        bank,
        bank_name: "Bank A".into(),
        uscc: decision.request.uscc.clone(),
        firm_name: Some("绍兴上虞虞舜纺织有限公司".into()),
        refer_codes: vec!["EVIDENCE_MISSING".into(), "HEADS_DIFFER".into()],
        outcome: decision.outcome,
        score: decision.score,
        grade: decision.grade.clone(),
        amount: decision.request.amount,
        state: CaseState::Open,
        opened_at: decision.decided_at,
        due_at: days_later(30),
        reviews: Vec::new(),
    };
    decision.case_id = Some(case.id);
    entry.case = Some(case);
    entry
}

/// What a request under this key leaves behind.
pub fn kept(key: &str) -> Option<IdempotencyEntry> {
    Some(IdempotencyEntry {
        route: "POST /v1/decisions".into(),
        key: key.into(),
        request_sha256: "12".repeat(32),
        status: 201,
        body: format!("{{\"under\":\"{key}\"}}"),
    })
}
