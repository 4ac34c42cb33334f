//! The store: decisions, cases, consents, keys, users, and the audit chain over all of them.
//!
//! One schema and one SQL text for SQLite (embedded, one machine) and PostgreSQL (several replicas over one database).
//! Everything is written by one task that groups concurrent writes into one transaction ([`writer`]); a write is
//! answered once it is on disk, together with its row of the audit chain ([`audit`]). Reading goes past the writer.
//!
//! Not in the chain, because they pass: sessions, log-in failures, the answers kept for repeated requests, replies of
//! departments that broke a rule, looks under way ([`looks_begun`]), the events that wait for webhooks (what they tell of is in it), and batches (their decisions
//! are in it).

mod audit;
pub mod backup;
mod batch_rows;
mod batches;
mod cases;
mod changes;
mod column;
mod commit;
mod consents;
mod database;
mod decisions;
mod deliveries;
mod direct;
mod disputes;
mod failure;
mod forgotten;
mod held_keys;
mod hold_up;
mod idempotency;
mod jobs;
mod keys;
mod known;
mod looks;
mod looks_begun;
mod many;
mod notices;
mod outbox;
mod passwords;
mod probe;
mod queue;
mod reach;
mod rejected;
mod replays;
mod rescores;
mod schema;
mod sessions;
mod users;
mod webhooks;
mod write_ahead;
mod writer;

use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use thiserror::Error;
use uuid::Uuid;

use self::database::{Database, Reader, Transaction};
use self::held_keys::KeyHolder;
use self::known::Known;
use self::passwords::Passwords;
use self::schema::Wanted;
use self::writer::{Write, Writer};
use crate::domain::{ConsentRefusal, DisputeId};
use crate::observe::Metrics;

pub use audit::{
    AuditProblem, AuditReport, Checkpoint, CheckpointError, CheckpointKeeper, DecisionLink, PublicKey, SigningKey,
};
pub use batch_rows::{DecidedRow, FailedRow, RowEnd, Taken, TakenRow};
pub use batches::NewBatch;
pub use changes::Change;
pub use decisions::{Committed, DecisionEntry};
pub use deliveries::{Claimed, DueWebhook, Ended, Then};
pub use disputes::DisputeCounts;
pub use held_keys::HeldKey;
pub use idempotency::{BATCH_ROW, IdempotencyEntry, StoredReply};
pub use jobs::Job;
pub use keys::{BankIdentity, KeyInfo, NewKey};
pub use known::FirmOnRecord;
pub use looks::LedgerLine;
pub use outbox::OutboxCounts;
pub use passwords::{PASSWORD_CHARS_MAX, PASSWORD_CHARS_MIN};
pub use queue::{CaseCounts, CaseFilter, CasePage};
pub use rejected::{RejectedLimits, RejectedLine};
pub use replays::{Queued, Replay};
pub use sessions::{LogIn, Session};
pub use users::UserInfo;
pub use webhooks::{AnyWebhook, NewWebhook, Registered, SealedSecrets, WebhookChange};

/// How long connections are given to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);
/// The longest name of a bank or a user, in characters.
const NAME_CHARS_MAX: usize = 64;

/// The store. Cheap to clone; the clones share one writer. Instants in columns are kept to the millisecond.
#[derive(Clone)]
pub struct Store(Arc<Parts>);

struct Parts {
    database: Database,
    known: Arc<Known>,
    writer: Writer,
    holder: KeyHolder,
    passwords: Passwords,
    metrics: Metrics,
    /// This process, among all that share the store.
    process: String,
    rejected_limits: OnceLock<RejectedLimits>,
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
    DisputeOpen(DisputeId),
    /// So many disputes on this part of what the department says of the firm are open; one must be answered first.
    #[error("{0} disputes on this part of what the department says of the firm are open; one must be answered first")]
    TooManyDisputes(u32),
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
    /// A store over a database that is open already.
    fn over(database: Database, metrics: Metrics) -> Store {
        let known = Arc::new(Known::default());
        let writer = Writer::start(database.clone(), Arc::clone(&known), metrics.clone());
        let holder = KeyHolder::start(database.key_pool());
        Store(Arc::new(Parts {
            database,
            known,
            writer,
            holder,
            passwords: Passwords::new(),
            metrics,
            process: format!("{}/{}", std::process::id(), Uuid::now_v7()),
            rejected_limits: OnceLock::new(),
        }))
    }

    /// Opens the store that `url` names, `sqlite://PATH` or `postgres://…`: makes the file and its folder, brings the
    /// schema up to date, starts the writer.
    ///
    /// # Errors
    /// [`StoreError::Open`].
    pub async fn open(url: &str, metrics: Metrics) -> Result<Store, StoreError> {
        let database = Database::open(url, Wanted::Newest).await?;
        Ok(Store::over(database, metrics))
    }

    /// The same for a command, which waits for longer (10 s) where the service is busy writing to the same SQLite file.
    ///
    /// # Errors
    /// [`StoreError::Open`].
    pub async fn open_patiently(url: &str, metrics: Metrics) -> Result<Store, StoreError> {
        let database = Database::open_patiently(url, Wanted::Newest).await?;
        Ok(Store::over(database, metrics))
    }

    /// Opens the connections that requests read from, before the first one comes: on a busy machine PostgreSQL takes its time to
    /// open one, and who waits for it longer than for a free connection is told that the store is not available.
    pub async fn warm(&self) {
        self.0.database.warm().await;
    }

    /// Tries the connections that requests read from every so often, so that none is found broken, or gone, by a request. Never ends.
    pub async fn keep_warm(&self, every: Duration) {
        self.0.database.keep_warm(every).await;
    }

    /// Takes no more writes, writes those that wait, closes every connection.
    pub async fn close(&self) {
        self.0.writer.stop().await;
        // A server that hangs says no farewell.
        let _ = tokio::time::timeout(CLOSE_TIMEOUT, self.0.database.close()).await;
    }

    /// Whether the writer lives. Where it has died, by a mistake in the code, only a restart helps.
    pub fn alive(&self) -> bool {
        self.0.writer.alive()
    }

    async fn write<W: Write>(&self, write: W) -> Result<W::Answer, StoreError> {
        self.waiting(self.0.writer.write(write)).await
    }

    /// Waits for a write and tells how long: overload is steered by it.
    async fn waiting<A>(&self, write: impl Future<Output = A>) -> A {
        let asked = Instant::now();
        let written = write.await;
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

#[cfg(test)]
pub(crate) async fn with_dead_writer() -> (Store, tempfile::TempDir) {
    writer::tests::store_with_dead_writer().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_asked_of_one_firm_is_found_among_the_looks_at_that_firm() {
        let folder = tempfile::TempDir::new().unwrap();
        let file = folder.path().join("yuxin.db");
        let store = Store::open(&format!("sqlite://{}", file.display()), Metrics::new().unwrap()).await.unwrap();
        let asked = [
            ("decisions", decisions::OF_FIRM),
            ("looks", looks::LOOKS_OF_BANK),
            ("decisions under a consent", consents::DECISIONS_UNDER),
            ("portfolio", batch_rows::PORTFOLIO),
        ];
        for (what, sql) in asked {
            let plan = direct::plan(&file, sql);
            assert!(plan.contains("looks_by_firm (uscc=?"), "{what}: {plan}");
            assert!(!plan.contains("looks_by_bank") && !plan.contains("decisions_by_bank"), "{what}: {plan}");
        }
        store.close().await;
    }
}
