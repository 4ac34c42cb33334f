//! The audit chain: one row for everything that was written, each bound to the row before it.
//!
//! `hash` = SHA-256 of `previous`, `seq`, `at`, `kind`, `subject` and `digest` with line feeds between, all as text, so that
//! anybody can recompute it. `digest` is the SHA-256 of what was written: for a decision of the stored record's text, for
//! all else of the row's columns as a JSON array.
//!
//! What the chain shows by itself: any change, deletion, insertion or swap in it or in the rows it speaks of, and a cut
//! tail. What it cannot show by itself: a chain rebuilt from the first changed row on by somebody who may write to the
//! database. For that, heads of the chain are signed and kept outside the database ([`checkpoint`], [`keeper`]).

mod checkpoint;
mod grounds;
mod keeper;
mod pages;
mod report;
mod stored;
mod verify;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::database::{Database, WriteTransaction, execute, fetch};
use super::idempotency;
use super::known::Touched;
use super::many::{ManyRows, write_many};
use super::{Store, StoreError};
use crate::domain::{DecisionId, DecisionRecord};
pub use checkpoint::{Checkpoint, CheckpointError, PublicKey, SigningKey};
pub use keeper::CheckpointKeeper;
pub use report::{AuditProblem, AuditReport};

/// What a row of the chain speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bank,
    Key,
    KeyRevoked,
    User,
    Password,
    UserDisabled,
    Consent,
    ConsentUsed,
    ConsentRevoked,
    Decision,
    Look,
    Notice,
    DateForgotten,
    Dispute,
    DisputeResolved,
    Rescore,
    Case,
    Review,
    Webhook,
}

impl Kind {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Kind::Bank => "bank",
            Kind::Key => "key",
            Kind::KeyRevoked => "key_revoked",
            Kind::User => "user",
            Kind::Password => "password",
            Kind::UserDisabled => "user_disabled",
            Kind::Consent => "consent",
            Kind::ConsentUsed => "consent_used",
            Kind::ConsentRevoked => "consent_revoked",
            Kind::Look => "look",
            Kind::Notice => "notice",
            Kind::Decision => "decision",
            Kind::DateForgotten => "date_forgotten",
            Kind::Dispute => "dispute",
            Kind::DisputeResolved => "dispute_resolved",
            Kind::Rescore => "rescore",
            Kind::Case => "case",
            Kind::Review => "review",
            Kind::Webhook => "webhook",
        }
    }
}

/// SHA-256 in lower-case hexadecimal.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// The digest of a row: SHA-256 of its columns as a JSON array.
pub(super) fn digest(columns: &impl Serialize) -> String {
    // Columns are texts and integers: writing them as JSON cannot fail.
    sha256(&serde_json::to_vec(columns).unwrap_or_default())
}

/// The end of the chain.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow, serde::Deserialize)]
pub(super) struct Head {
    pub(super) seq: i64,
    pub(super) hash: String,
}

impl Head {
    /// The hash of the row that follows this head.
    pub(super) fn next_hash(&self, seq: i64, at: i64, kind: &str, subject: &str, digest: &str) -> String {
        sha256(format!("{}\n{seq}\n{at}\n{kind}\n{subject}\n{digest}", self.hash).as_bytes())
    }
}

/// The row of the chain that speaks of a decision, as an export carries it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct DecisionLink {
    /// Its number.
    pub seq: i64,
    /// When the decision was made, in milliseconds since 1970.
    pub at: i64,
    /// SHA-256 of the decision as it was written.
    pub digest: String,
    /// The hash of the row before it.
    pub previous: String,
    /// Its own hash.
    pub hash: String,
}

impl DecisionLink {
    /// The digest and the hash that the row of this decision must have.
    pub fn computed(&self, record: &DecisionRecord) -> DecisionLink {
        let written = sha256(record.written().as_bytes());
        // From before grounds were stored beside the decision.
        let whole = || sha256(&serde_json::to_vec(record).unwrap_or_default());
        let digest = if written == self.digest {
            written
        } else {
            Some(whole()).filter(|w| *w == self.digest).unwrap_or(written)
        };
        let before = Head { seq: self.seq.wrapping_sub(1), hash: self.previous.clone() };
        let (kind, subject) = (Kind::Decision.as_str(), record.decision.id.to_string());
        let hash = before.next_hash(self.seq, self.at, kind, &subject, &digest);
        DecisionLink { digest, hash, ..self.clone() }
    }
}

impl Store {
    /// The row of the chain that speaks of a decision; `None` where there is none.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn link_of(&self, decision: DecisionId) -> Result<Option<DecisionLink>, StoreError> {
        const SELECT: &str = "SELECT seq, at, digest, previous, hash FROM audit WHERE kind = 'decision' AND subject = $1 ORDER BY seq LIMIT 1";
        let mut reader = self.reader().await?;
        Ok(fetch!(fetch_optional, Reader, &mut reader, DecisionLink, SELECT, decision.to_string())?)
    }
}

/// A transaction of the writer that holds the end of the chain.
pub(super) struct Batch {
    transaction: WriteTransaction,
    head: Head,
    begun_at: Head,
    /// What changes of what may be known in memory.
    touched: Touched,
    /// Rows of the chain that are to be written with the commit.
    rows: Vec<ChainedRow>,
    /// The latest instant at which an answer was kept in this batch; answers that are too old at it are thrown away.
    kept_at: Option<i64>,
}

/// A row of the chain that is to be written.
struct ChainedRow {
    seq: i64,
    at: i64,
    kind: Kind,
    subject: String,
    digest: String,
    previous: String,
    hash: String,
}

static CHAIN: ManyRows =
    ManyRows::new("INSERT INTO audit (seq, at, kind, subject, digest, previous, hash) VALUES ", 7, "");

impl Batch {
    /// Begins a transaction and takes the end of the chain, so that no other writer appends meanwhile.
    pub(super) async fn begin(database: &Database) -> Result<Batch, StoreError> {
        let mut transaction = database.begin_write().await?;
        // BEGIN IMMEDIATE holds the file's one write lock already.
        let head = match &transaction {
            WriteTransaction::Sqlite(_) => "SELECT seq, hash FROM audit_head WHERE id = 1",
            WriteTransaction::Postgres(_) => "SELECT seq, hash FROM audit_head WHERE id = 1 FOR UPDATE",
        };
        let head = fetch!(fetch_one, WriteTransaction, &mut transaction, Head, head)?;
        Ok(Batch {
            transaction,
            begun_at: head.clone(),
            head,
            touched: Touched::default(),
            rows: Vec::new(),
            kept_at: None,
        })
    }

    /// The transaction, to write rows into.
    pub(super) fn transaction(&mut self) -> &mut WriteTransaction {
        &mut self.transaction
    }

    /// Remembers that an answer was kept at this instant.
    pub(super) fn keeps_answer(&mut self, at: i64) {
        self.kept_at = self.kept_at.max(Some(at));
    }

    /// The number of the last row of the chain, those that are yet to be written included.
    pub(super) fn head_seq(&self) -> i64 {
        self.head.seq
    }

    /// A firm's dates are moved on.
    pub(super) fn touches_firm(&mut self, uscc: &str) {
        self.touched.firm(uscc);
    }

    /// What was changed of what may be known.
    pub(super) fn take_touched(&mut self) -> Touched {
        std::mem::take(&mut self.touched)
    }

    /// The number that the next row of the chain will have.
    pub(super) fn next_seq(&self) -> i64 {
        self.head.seq + 1
    }

    /// Appends a row to the chain; it is written with the commit.
    pub(super) fn append(&mut self, kind: Kind, subject: &str, digest: &str, at: Timestamp) {
        self.touched.chained(kind, subject);
        let (seq, at) = (self.head.seq + 1, at.as_millisecond());
        let hash = self.head.next_hash(seq, at, kind.as_str(), subject, digest);
        let previous = std::mem::replace(&mut self.head, Head { seq, hash: hash.clone() }).hash;
        let (subject, digest) = (subject.to_owned(), digest.to_owned());
        self.rows.push(ChainedRow { seq, at, kind, subject, digest, previous, hash });
    }

    /// Writes the new end of the chain and commits.
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        if let Some(at) = self.kept_at {
            idempotency::purge(&mut self, at).await?;
        }
        if self.head != self.begun_at {
            write_many!(
                &mut self.transaction,
                CHAIN,
                &self.rows,
                |row| row.seq,
                row.at,
                row.kind.as_str(),
                &row.subject,
                &row.digest,
                &row.previous,
                &row.hash
            );
            execute!(
                &mut self.transaction,
                "UPDATE audit_head SET seq = $1, hash = $2 WHERE id = 1",
                self.head.seq,
                &self.head.hash,
            )?;
        }
        self.transaction.commit().await
    }

    /// Undoes everything.
    pub(super) async fn roll_back(self) -> Result<(), StoreError> {
        self.transaction.roll_back().await
    }
}
