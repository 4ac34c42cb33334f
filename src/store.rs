//! The store: decisions, cases, consents, keys, users, and the audit chain over all of them.
//!
//! One schema and one SQL text for SQLite (embedded, one machine) and PostgreSQL (several replicas over one database).
//! Everything is written by one task that groups concurrent writes into one transaction ([`writer`]); a write is
//! answered once it is on disk, together with its row of the audit chain ([`audit`]). Reading goes past the writer.
//!
//! Not in the chain, because they pass: sessions, log-in failures, the answers kept for repeated requests, and replies of
//! departments that broke a rule.

mod audit;
mod cases;
mod changes;
mod column;
mod consents;
mod database;
mod decisions;
mod disputes;
mod idempotency;
mod keys;
mod looks;
mod notices;
mod passwords;
mod probe;
mod queue;
mod rejected;
mod rescores;
mod sessions;
mod users;
mod writer;

use std::sync::Arc;
use std::time::Instant;

use thiserror::Error;

use self::database::{Database, Reader, Transaction};
use self::passwords::Passwords;
use self::writer::{Write, Writer};
use crate::domain::ConsentRefusal;
use crate::observe::Metrics;

pub use audit::{AuditProblem, AuditReport};
pub use changes::Change;
pub use decisions::{Committed, DecisionEntry};
pub use disputes::DisputeCounts;
pub use idempotency::{IdempotencyEntry, StoredReply};
pub use keys::{BankIdentity, KeyInfo, NewKey};
pub use looks::LedgerLine;
pub use passwords::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
pub use queue::{CaseCounts, CaseFilter, CasePage};
pub use rejected::RejectedLine;
pub use sessions::{LogIn, Session};
pub use users::UserInfo;

/// The longest name of a bank or a user, in characters.
const NAME_CHARS_MAX: usize = 64;

/// The store. Cheap to clone; the clones share one writer. Instants in columns are kept to the millisecond.
#[derive(Clone)]
pub struct Store(Arc<Parts>);

struct Parts {
    database: Database,
    writer: Writer,
    passwords: Passwords,
    metrics: Metrics,
}

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
    /// The write cannot be stored, now or later: an id is taken, a bank is not known, a text is too long for its index.
    #[error("the write cannot be stored: {0}")]
    Conflict(String),
    /// The consent was revoked, or used up by another decision, after it was checked; nothing was written.
    #[error("{0}")]
    ConsentRefused(ConsentRefusal),
    /// There is no such case.
    #[error("there is no such case")]
    NoSuchCase,
    /// The case is closed; it takes no more reviews.
    #[error("the case is closed")]
    CaseClosed,
    /// There is no such dispute.
    #[error("there is no such dispute")]
    NoSuchDispute,
    /// The same fact of the same decision is disputed already, and not yet answered.
    #[error("this fact is disputed already")]
    DisputeOpen,
    /// The dispute has been answered.
    #[error("the dispute has been answered")]
    DisputeResolved,
    /// There is no such user, or the user is disabled.
    #[error("there is no such user, or the user is disabled")]
    NoSuchUser,
    /// The name is taken, perhaps by a disabled user.
    #[error("the name is taken, perhaps by a disabled user")]
    NameTaken,
    /// The name cannot be used.
    #[error("a name has 1 to 64 characters, none of them a control character")]
    BadName,
    /// The password is too short or too long.
    #[error("a password has at least 12 and at most 256 characters")]
    BadPassword,
}

impl Store {
    /// Opens the store that `url` names, `sqlite://PATH` or `postgres://…`: makes the file and its folder, brings the
    /// schema up to date, starts the writer.
    ///
    /// # Errors
    /// [`StoreError::Open`].
    pub async fn open(url: &str, metrics: Metrics) -> Result<Store, StoreError> {
        let database = Database::open(url).await?;
        let writer = Writer::start(database.clone(), metrics.clone());
        Ok(Store(Arc::new(Parts { database, writer, passwords: Passwords::new(), metrics })))
    }

    /// Takes no more writes, writes those that wait, closes every connection.
    pub async fn close(&self) {
        self.0.writer.stop().await;
        self.0.database.close().await;
    }

    async fn write<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        let asked = Instant::now();
        let written = self.0.writer.write(write).await;
        self.0.metrics.store_write_waited(asked.elapsed());
        written
    }

    async fn reader(&self) -> Result<Reader, StoreError> {
        let asked = Instant::now();
        let reader = self.0.database.reader().await;
        self.0.metrics.store_read_waited(asked.elapsed());
        Ok(reader?)
    }

    async fn snapshot(&self) -> Result<Transaction, StoreError> {
        Ok(self.0.database.begin_snapshot().await?)
    }

    fn passwords(&self) -> &Passwords {
        &self.0.passwords
    }
}

/// A name of a bank or a user, without blanks around it.
fn checked_name(name: &str) -> Result<String, StoreError> {
    let name = name.trim();
    let usable = (1..=NAME_CHARS_MAX).contains(&name.chars().count()) && !name.chars().any(char::is_control);
    if usable { Ok(name.to_owned()) } else { Err(StoreError::BadName) }
}
