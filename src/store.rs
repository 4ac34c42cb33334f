//! The store: decisions, cases, consents, keys, users, and the audit chain over all of them.
//!
//! One schema and one SQL text for SQLite (embedded, one machine) and PostgreSQL (several replicas).

use jiff::Timestamp;
use secrecy::SecretString;
use thiserror::Error;

use crate::domain::{
    BankId, Case, CaseId, CaseState, Consent, ConsentId, DecisionId, DecisionRecord, KeyId, Review, Role, Uscc, User,
};
use crate::observe::Metrics;

/// The store. Cheap to clone; the clones share one writer.
#[derive(Clone)]
pub struct Store {}

/// What went wrong in the store. No text in here names a firm.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The URL names no store that can be opened.
    #[error("the store cannot be opened: {0}")]
    Open(String),
    /// The store cannot take the write or answer the question now; whether a write was made is not known. Try again.
    #[error("the store is not available: {0}")]
    Unavailable(String),
    /// What is stored cannot be read back.
    #[error("{what} {id} in the store cannot be read: {why}")]
    Corrupt {
        /// What, for instance `decision`.
        what: &'static str,
        /// Its id.
        id: String,
        /// Why, without the value.
        why: String,
    },
    /// The write contradicts what is stored, for instance an id that is taken or a bank that is not known.
    #[error("the write contradicts what is stored: {0}")]
    Conflict(String),
    /// There is no such case.
    #[error("there is no such case")]
    NoSuchCase,
    /// The case is closed; it takes no more reviews.
    #[error("the case is closed")]
    CaseClosed,
    /// There is no such user, or the user is disabled.
    #[error("there is no such user, or the user is disabled")]
    NoSuchUser,
    /// The name is taken, perhaps by a disabled user.
    #[error("the name is taken")]
    NameTaken,
    /// The name cannot be used.
    #[error("a name has 1 to 64 characters, none of them a control character")]
    BadName,
    /// The password is too short or too long.
    #[error("a password has at least 12 and at most 256 characters")]
    BadPassword,
}

/// A bank's API key, without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyInfo {
    /// Its id.
    pub id: KeyId,
    /// The bank that it speaks for.
    pub bank: BankId,
    /// The bank's name.
    pub bank_name: String,
    /// The first characters of the secret, to tell keys apart.
    pub hint: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// A key that was just made: the only time its secret is known.
#[derive(Debug)]
pub struct NewKey {
    /// The key.
    pub info: KeyInfo,
    /// Its secret; only a hash is stored.
    pub secret: SecretString,
}

/// Who speaks, when a key is presented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BankIdentity {
    /// The bank.
    pub bank: BankId,
    /// Its name.
    pub name: String,
    /// The key presented.
    pub key: KeyId,
}

/// A user with what the list of users shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInfo {
    /// The user.
    pub user: User,
    /// When the user was made.
    pub created_at: Timestamp,
    /// When the user was disabled, if so.
    pub disabled_at: Option<Timestamp>,
}

/// A console session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub user: User,
    /// What every form must carry.
    pub csrf: String,
    /// When it ends unless it is used before (and in any case ten hours after the log-in).
    pub expires_at: Timestamp,
}

/// The outcome of a log-in.
#[derive(Debug)]
pub enum LogIn {
    /// Name and password are right.
    Welcome {
        /// The session.
        session: Session,
        /// The cookie's value; only a hash is stored.
        token: SecretString,
    },
    /// Name or password is wrong, or the user is disabled; which is not told.
    Wrong,
    /// Too many failures under this name.
    Locked {
        /// Until when no log-in under this name is tried.
        until: Timestamp,
    },
}

/// The answer that was given to a request with an idempotency key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredReply {
    /// SHA-256 of the request's body, in hexadecimal.
    pub request_sha256: String,
    /// The HTTP status.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// What a request with an idempotency key leaves behind; unique by bank, route and key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyEntry {
    /// The route, for instance `POST /v1/decisions`.
    pub route: String,
    /// The key that the bank chose.
    pub key: String,
    /// SHA-256 of the request's body, in hexadecimal.
    pub request_sha256: String,
    /// The HTTP status of the answer.
    pub status: u16,
    /// The body of the answer.
    pub body: String,
}

/// A decision with all that is stored with it in one transaction.
#[derive(Debug, Clone, PartialEq)]
pub struct DecisionEntry {
    /// The decision and what it rests on.
    pub record: DecisionRecord,
    /// The case that it opens.
    pub case: Option<Case>,
    /// What answers a repeated request.
    pub idempotency: Option<IdempotencyEntry>,
}

/// What became of a decision that was to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Committed {
    /// It is stored, on disk.
    Stored,
    /// Another request with the same idempotency key was first; nothing was written, this was its answer.
    Replayed(StoredReply),
}

/// Which cases, and which page of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CaseFilter {
    /// In one of these states; empty: in any.
    pub states: Vec<CaseState>,
    /// With this refer reason.
    pub refer_code: Option<String>,
    /// Overdue at this instant.
    pub overdue_at: Option<Timestamp>,
    /// Part of the firm's code or name.
    pub search: Option<String>,
    /// The page, from 1.
    pub page: u32,
    /// Cases on a page, 1 to 200.
    pub per_page: u32,
}

impl Default for CaseFilter {
    fn default() -> CaseFilter {
        CaseFilter { states: Vec::new(), refer_code: None, overdue_at: None, search: None, page: 1, per_page: 50 }
    }
}

/// One page of the queue.
#[derive(Debug, Clone, PartialEq)]
pub struct CasePage {
    /// The cases: those not closed first, most urgent first; then the closed, latest due first.
    pub cases: Vec<Case>,
    /// How many there are on all pages.
    pub total: u64,
}

/// How many cases there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CaseCounts {
    /// Waiting for an officer.
    pub open: u64,
    /// Waiting for an answer.
    pub asked: u64,
    /// Closed.
    pub closed: u64,
    /// Not closed and past the due date.
    pub overdue: u64,
}

/// What a walk along the audit chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// Rows in the chain.
    pub entries: u64,
    /// Sequence number of the last row; 0 for an empty chain.
    pub head_seq: i64,
    /// Hash of the last row. Noted down elsewhere, it proves later that the chain up to here is the same.
    pub head_hash: String,
    /// The first problems found, at most 20; empty: the chain and what it speaks of are intact.
    pub problems: Vec<AuditProblem>,
}

impl AuditReport {
    /// Whether no problem was found.
    pub fn intact(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Something that does not fit the audit chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditProblem {
    /// Sequence number in the chain; `None` where a stored row has no place in it.
    pub seq: Option<i64>,
    /// The kind of entry, for instance `decision`.
    pub kind: String,
    /// The id that the entry speaks of; never a firm.
    pub subject: String,
    /// What is wrong.
    pub what: String,
}

#[allow(unused_variables, clippy::todo, missing_docs)] // signatures first; the bodies follow
impl Store {
    pub async fn open(url: &str, metrics: Metrics) -> Result<Store, StoreError> {
        todo!()
    }
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        todo!()
    }
    pub async fn close(&self) {
        todo!()
    }
    pub async fn create_key(&self, bank_name: &str, now: Timestamp) -> Result<NewKey, StoreError> {
        todo!()
    }
    pub async fn list_keys(&self) -> Result<Vec<KeyInfo>, StoreError> {
        todo!()
    }
    pub async fn revoke_key(&self, id: KeyId, now: Timestamp) -> Result<bool, StoreError> {
        todo!()
    }
    pub async fn bank_of_key(&self, secret: &str) -> Result<Option<BankIdentity>, StoreError> {
        todo!()
    }
    pub async fn create_user(
        &self,
        name: &str,
        role: Role,
        password: &SecretString,
        now: Timestamp,
    ) -> Result<User, StoreError> {
        todo!()
    }
    pub async fn list_users(&self) -> Result<Vec<UserInfo>, StoreError> {
        todo!()
    }
    pub async fn set_password(&self, name: &str, password: &SecretString, now: Timestamp) -> Result<(), StoreError> {
        todo!()
    }
    pub async fn disable_user(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        todo!()
    }
    pub async fn log_in(&self, name: &str, password: &SecretString, now: Timestamp) -> Result<LogIn, StoreError> {
        todo!()
    }
    pub async fn session(&self, token: &str, now: Timestamp) -> Result<Option<Session>, StoreError> {
        todo!()
    }
    pub async fn log_out(&self, token: &str, now: Timestamp) -> Result<(), StoreError> {
        todo!()
    }
    pub async fn insert_consent(&self, consent: &Consent) -> Result<(), StoreError> {
        todo!()
    }
    pub async fn consent(&self, id: ConsentId) -> Result<Option<Consent>, StoreError> {
        todo!()
    }
    pub async fn revoke_consent(
        &self,
        id: ConsentId,
        bank: BankId,
        now: Timestamp,
    ) -> Result<Option<Consent>, StoreError> {
        todo!()
    }
    pub async fn idempotent_reply(
        &self,
        bank: BankId,
        route: &str,
        key: &str,
        now: Timestamp,
    ) -> Result<Option<StoredReply>, StoreError> {
        todo!()
    }
    pub async fn commit_decision(&self, entry: DecisionEntry) -> Result<Committed, StoreError> {
        todo!()
    }
    pub async fn decision(
        &self,
        id: DecisionId,
        bank: BankId,
    ) -> Result<Option<(DecisionRecord, Option<Case>)>, StoreError> {
        todo!()
    }
    pub async fn decisions_of(
        &self,
        bank: BankId,
        uscc: Option<&Uscc>,
        after: Option<DecisionId>,
        limit: u32,
    ) -> Result<Vec<(DecisionRecord, Option<Case>)>, StoreError> {
        todo!()
    }
    pub async fn cases(&self, filter: &CaseFilter) -> Result<CasePage, StoreError> {
        todo!()
    }
    pub async fn case(&self, id: CaseId) -> Result<Option<(Case, DecisionRecord)>, StoreError> {
        todo!()
    }
    pub async fn review_case(&self, id: CaseId, review: &Review) -> Result<Case, StoreError> {
        todo!()
    }
    pub async fn count_cases(&self, now: Timestamp) -> Result<CaseCounts, StoreError> {
        todo!()
    }
    pub async fn verify_audit(&self) -> Result<AuditReport, StoreError> {
        todo!()
    }
}
