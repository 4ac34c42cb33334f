//! The walk along the audit chain, over one state of the store while others go on writing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use rustc_hash::FxHashMap;
use tokio::task::JoinHandle;

use super::super::cases::{CaseRow, ReviewRow};
use super::super::consents::ConsentRow;
use super::super::database::{Transaction, fetch};
use super::super::decisions::DecisionRow;
use super::super::disputes::DisputeRow;
use super::super::forgotten::ForgottenRow;
use super::super::keys::{BankRow, KeyRow};
use super::super::looks::LookRow;
use super::super::notices::NoticeRow;
use super::super::rescores::RescoreRow;
use super::super::users::UserRow;
use super::super::webhooks::WebhookRow;
use super::super::{Store, StoreError};
use super::pages::{self, ChainRow, Page};
use super::report::{AuditProblem, AuditReport};
use super::stored;
use super::{Checkpoint, Head};

/// Rows of the chain that are read at a time.
const PAGE: i64 = 1000;
/// Rows of the chain that one reader takes on before another may take the next ones.
const BLOCK: i64 = 8 * PAGE;
/// The most readers beside the first and the one that compares: SQLite has four connections that read.
const READERS_MAX: usize = 2;
/// The most problems that are reported.
const PROBLEMS_MAX: usize = 20;

/// A row of the chain that was read by itself.
#[derive(Debug, sqlx::FromRow)]
struct SingleRow {
    seq: i64,
    at: i64,
    kind: String,
    subject: String,
    digest: String,
    previous: String,
    hash: String,
}

impl SingleRow {
    fn borrowed(&self) -> ChainRow<'_> {
        ChainRow {
            seq: self.seq,
            at: self.at,
            kind: &self.kind,
            subject: &self.subject,
            digest: &self.digest,
            previous: &self.previous,
            hash: &self.hash,
        }
    }
}

/// The first row of a stretch, for its place after the stretch before.
struct First {
    seq: i64,
    kind: String,
    subject: String,
    previous: String,
}

impl First {
    fn of(row: &ChainRow<'_>) -> First {
        let ChainRow { seq, kind, subject, previous, .. } = *row;
        First { seq, kind: kind.to_owned(), subject: subject.to_owned(), previous: previous.to_owned() }
    }
}

impl Store {
    /// Walks the whole audit chain, recomputes every hash and the digest of everything stored, and looks for stored rows
    /// that no row of the chain speaks of. Reads one state of the store; others may write meanwhile.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; what is wrong with the chain is no error but in the report.
    pub async fn verify_audit(&self) -> Result<AuditReport, StoreError> {
        self.verify_audit_against(&[]).await
    }

    /// The same, and the chain must still hold every head in `checkpoints`, whose signatures the caller has checked: that finds
    /// a chain that was rebuilt as a whole, or cut together with its head.
    ///
    /// # Errors
    /// As [`Store::verify_audit`].
    pub async fn verify_audit_against(&self, checkpoints: &[Checkpoint]) -> Result<AuditReport, StoreError> {
        let mut noted: Vec<i64> = checkpoints.iter().map(|checkpoint| checkpoint.seq).collect();
        noted.sort_unstable();
        let noted: Arc<[i64]> = noted.into();
        let mut walk = Walk::begin(self, &noted).await?;
        let beside = tokio::spawn(stored::beside(self.clone()));
        let (entries, head) = walk.chain(self, &noted).await?;
        walk.compare(checkpoints, &head);
        walk.problems.extend(joined(beside).await?);
        walk.unspoken().await?;
        walk.problems.sort_by_key(|problem| problem.seq.unwrap_or(i64::MAX));
        walk.problems.truncate(PROBLEMS_MAX);
        Ok(AuditReport { entries, head_seq: head.seq, head_hash: head.hash, problems: walk.problems })
    }

    /// The hash of the chain's row with this number, to compare with one that was noted down.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn audit_hash(&self, seq: i64) -> Result<Option<String>, StoreError> {
        let mut reader = self.reader().await?;
        let row: Option<(String,)> =
            fetch!(fetch_optional, Reader, &mut reader, (String,), "SELECT hash FROM audit WHERE seq = $1", seq)?;
        Ok(row.map(|(hash,)| hash))
    }
}

/// Digests by the numbers of the chain's rows.
type Digests = FxHashMap<i64, String>;

/// What one reader finds, over one state of the store.
pub(super) struct Walk {
    pub(super) snapshot: Transaction,
    pub(super) problems: Vec<AuditProblem>,
    /// Rows of the chain of each kind that are as they should be.
    pub(super) sound: BTreeMap<String, u64>,
    /// The numbers of rows whose hash is wanted, in order, and those hashes.
    noted: Arc<[i64]>,
    hashes: BTreeMap<i64, String>,
}

/// A stretch of the chain that was looked through.
struct Stretch {
    entries: u64,
    /// Its first and its last row; `None` where there is none.
    ends: Option<(First, Head)>,
}

/// Recomputes the digests of the rows that the chain's rows $1 to $2 of one kind speak of: by sequence number.
macro_rules! digests {
    ($walk:expr, $first:expr, $last:expr, $row:ty, $digest:path, $kind:literal, $table:literal) => {{
        const SELECT: &str = concat!(
            "SELECT a.seq, t.* FROM audit a JOIN ",
            $table,
            " t ON t.id = a.subject WHERE a.kind = '",
            $kind,
            "' AND a.seq >= $1 AND a.seq <= $2"
        );
        let rows = fetch!(fetch_all, Transaction, &mut $walk.snapshot, $row, SELECT, $first, $last);
        let rows = $walk.readable($kind, Some($first), rows)?;
        rows.iter().map(|row| (row.seq, $digest(row))).collect::<Vec<(i64, String)>>()
    }};
}

impl Walk {
    pub(super) fn report(&mut self, seq: Option<i64>, kind: &str, subject: &str, what: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            let (kind, subject) = (kind.to_owned(), subject.to_owned());
            self.problems.push(AuditProblem { seq, kind, subject, what: what.into() });
        }
    }

    /// The rows, or none of them and a problem, where a value is not of its column's kind: SQLite takes any, the program writes none
    /// such.
    pub(super) fn readable<T>(
        &mut self,
        kind: &str,
        first: Option<i64>,
        rows: Result<Vec<T>, sqlx::Error>,
    ) -> Result<Vec<T>, StoreError> {
        match rows {
            Err(sqlx::Error::ColumnDecode { index, .. }) => {
                let what =
                    format!("a stored row among those from here on was changed: its column {index} cannot be read");
                self.report(first, kind, "", what);
                Ok(Vec::new())
            }
            rows => Ok(rows?),
        }
    }

    pub(super) async fn begin(store: &Store, noted: &Arc<[i64]>) -> Result<Walk, StoreError> {
        Ok(Walk {
            snapshot: store.snapshot().await?,
            problems: Vec::new(),
            sound: BTreeMap::new(),
            noted: Arc::clone(noted),
            hashes: BTreeMap::new(),
        })
    }

    /// The chain itself and the rows it speaks of; gives the number of rows and the last. Whole blocks are shared out among
    /// several readers: each sees a state of its own, not older than this walk's, and what stands in a block never changes.
    async fn chain(&mut self, store: &Store, noted: &Arc<[i64]>) -> Result<(u64, Head), StoreError> {
        const COUNT: &str = "SELECT COUNT(*) FROM audit";
        let (rows,) = fetch!(fetch_one, Transaction, &mut self.snapshot, (i64,), COUNT)?;
        let blocks = rows / BLOCK;
        let next = Arc::new(AtomicI64::new(0));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let readers = usize::try_from(blocks).unwrap_or_default().min(cores).min(READERS_MAX);
        let tasks: Vec<_> = (0..readers)
            .map(|_| tokio::spawn(read_blocks(store.clone(), Arc::clone(noted), Arc::clone(&next), blocks)))
            .collect();
        let tail = self.stretch(if blocks == 0 { i64::MIN } else { blocks * BLOCK }, i64::MAX).await?;
        let mut stretches = BTreeMap::from([(blocks, tail)]);
        for task in tasks {
            let (walk, found) = joined(task).await?;
            self.problems.extend(walk.problems);
            self.hashes.extend(walk.hashes);
            for (kind, count) in walk.sound {
                *self.sound.entry(kind).or_default() += count;
            }
            stretches.extend(found);
        }
        let mut last = Head { seq: 0, hash: "0".repeat(64) };
        let mut entries = 0;
        for stretch in stretches.into_values() {
            entries += stretch.entries;
            if let Some((first, end)) = stretch.ends {
                let First { seq, kind, subject, previous } = &first;
                self.check_order(&last, *seq, kind, subject, previous);
                last = end;
            }
        }
        self.check_end(&last).await?;
        if rows.unsigned_abs() != entries {
            let what = format!(
                "{} rows were put into the chain whose numbers are none: below 1, past the largest, or no whole numbers",
                rows.unsigned_abs().abs_diff(entries)
            );
            self.report(None, "chain", "", what);
        }
        Ok((entries, last))
    }

    /// The rows of the chain with numbers above `after` up to `until`, and what they speak of.
    async fn stretch(&mut self, after: i64, until: i64) -> Result<Stretch, StoreError> {
        let mut stretch = Stretch { entries: 0, ends: None };
        let mut after = after;
        loop {
            let page = Page::of_chain(&mut self.snapshot, after, until, PAGE).await?;
            let rows = page.as_ref().and_then(Page::chain);
            let singles = match rows {
                Some(_) => Vec::new(),
                None => self.singles(after, until).await?,
            };
            let rows = rows.unwrap_or_else(|| singles.iter().map(SingleRow::borrowed).collect());
            let (Some(first), Some(end)) = (rows.first(), rows.last()) else { return Ok(stretch) };
            after = end.seq;
            let found = self.digests(&rows, first.seq, end.seq).await?;
            let mut last = stretch.ends.as_ref().map(|(_, last)| (last.seq, last.hash.as_str()));
            for row in &rows {
                if let Some((seq, hash)) = last {
                    let ChainRow { kind, subject, previous, .. } = row;
                    self.check_order(&Head { seq, hash: hash.to_owned() }, row.seq, kind, subject, previous);
                }
                last = Some((row.seq, row.hash));
                if !row.hash_fits() {
                    self.report(Some(row.seq), row.kind, row.subject, "the row of the chain was changed");
                }
                self.check_subject(row, found.get(&row.seq));
                if self.noted.binary_search(&row.seq).is_ok() {
                    self.hashes.insert(row.seq, row.hash.to_owned());
                }
            }
            stretch.entries += rows.len() as u64;
            let head = Head { seq: end.seq, hash: end.hash.to_owned() };
            let begins = stretch.ends.map_or_else(|| First::of(first), |(first, _)| first);
            stretch.ends = Some((begins, head));
        }
    }

    /// The same rows of the chain as [`Page::of_chain`], one by one.
    async fn singles(&mut self, after: i64, until: i64) -> Result<Vec<SingleRow>, StoreError> {
        const SELECT: &str = "SELECT seq, at, kind, subject, digest, previous, hash FROM audit \
             WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3";
        let rows = fetch!(fetch_all, Transaction, &mut self.snapshot, SingleRow, SELECT, after, until, PAGE);
        self.readable("chain", None, rows)
    }

    /// The row that holds the end of the chain must agree with the last row.
    async fn check_end(&mut self, last: &Head) -> Result<(), StoreError> {
        const END: &str = "SELECT seq, hash FROM audit_head WHERE id = 1";
        match fetch!(fetch_optional, Transaction, &mut self.snapshot, Head, END)? {
            Some(head) if head == *last => {}
            Some(head) if head.seq > last.seq => {
                let what = format!("the chain is cut: it ends at {}, its head says {}", last.seq, head.seq);
                self.report(Some(last.seq + 1), "head", "", what);
            }
            Some(_) => self.report(Some(last.seq), "head", "", "the end of the chain is not the one that was written"),
            None => self.report(None, "head", "", "the row that holds the end of the chain is gone"),
        }
        const OTHERS: &str = "SELECT COUNT(*) FROM audit_head WHERE id <> 1";
        let (others,) = fetch!(fetch_one, Transaction, &mut self.snapshot, (i64,), OTHERS)?;
        if others > 0 {
            self.report(None, "head", "", "a second row that claims to hold the end of the chain was put in");
        }
        Ok(())
    }

    /// The chain must hold every head that was signed. Where it does not, the rows since the last one that it holds were
    /// rebuilt or cut.
    fn compare(&mut self, checkpoints: &[Checkpoint], head: &Head) {
        let mut sorted: Vec<&Checkpoint> = checkpoints.iter().collect();
        sorted.sort_by_key(|checkpoint| checkpoint.seq);
        let mut held = 0;
        for checkpoint in sorted {
            let seq = checkpoint.seq;
            match self.hashes.get(&seq) {
                Some(hash) if *hash == checkpoint.hash => held = seq,
                Some(_) => {
                    let what = format!(
                        "rows {} to {seq} of the chain were rebuilt: row {seq} is not the one that was signed at {}",
                        held + 1,
                        checkpoint.at
                    );
                    return self.report(Some(held + 1), "checkpoint", "", what);
                }
                None => {
                    let what = format!(
                        "the chain is cut: row {seq}, which was signed at {}, is gone; the chain ends at {}",
                        checkpoint.at, head.seq
                    );
                    return self.report(Some(head.seq.min(seq - 1) + 1), "checkpoint", "", what);
                }
            }
        }
    }

    fn check_order(&mut self, last: &Head, seq: i64, kind: &str, subject: &str, previous: &str) {
        if seq != last.seq.wrapping_add(1) {
            let what = format!("rows {} to {} of the chain are missing", last.seq.wrapping_add(1), seq.wrapping_sub(1));
            self.report(Some(last.seq.wrapping_add(1)), kind, subject, what);
        } else if previous != last.hash {
            self.report(Some(seq), kind, subject, "the row does not follow the one before it");
        }
    }

    fn check_subject(&mut self, row: &ChainRow<'_>, found: Option<&String>) {
        // The password that holds is compared at the end of the walk; those before it are gone, rightly.
        if row.kind == "password" {
            return self.is_sound(row.kind);
        }
        match found {
            // May have changed since, more than once; how it stands now is compared at the end of the walk.
            Some(_) if row.kind == "webhook" => {}
            Some(found) if *found == row.digest => self.is_sound(row.kind),
            Some(_) => {
                self.report(Some(row.seq), row.kind, row.subject, "what is stored is not what was written");
            }
            None => self.report(Some(row.seq), row.kind, row.subject, "what was written is not stored any more"),
        }
    }

    fn is_sound(&mut self, kind: &str) {
        match self.sound.get_mut(kind) {
            Some(count) => *count += 1,
            None => {
                self.sound.insert(kind.to_owned(), 1);
            }
        }
    }

    async fn digests(&mut self, rows: &[ChainRow<'_>], first: i64, last: i64) -> Result<Digests, StoreError> {
        let mut kinds: Vec<&str> = Vec::new();
        for row in rows {
            if !kinds.contains(&row.kind) {
                kinds.push(row.kind);
            }
        }
        let mut found = Digests::default();
        for kind in kinds {
            if let Some(digests) = pages::digests(&mut self.snapshot, kind, first, last).await? {
                found.extend(digests);
                let mut of_kind = rows.iter().filter(|row| row.kind == kind);
                // Where one does not fit, the rows themselves say what is wrong, if anything is.
                if of_kind.all(|row| found.get(&row.seq).is_some_and(|found| *found == row.digest)) {
                    continue;
                }
                found.retain(|seq, _| rows.iter().all(|row| row.seq != *seq || row.kind != kind));
            }
            found.extend(match kind {
                "bank" => digests!(self, first, last, BankRow, BankRow::digest, "bank", "banks"),
                "key" => digests!(self, first, last, KeyRow, KeyRow::digest, "key", "bank_keys"),
                "key_revoked" => {
                    digests!(self, first, last, KeyRow, KeyRow::revocation_digest, "key_revoked", "bank_keys")
                }
                "user" => digests!(self, first, last, UserRow, UserRow::digest, "user", "users"),
                "user_disabled" => {
                    digests!(self, first, last, UserRow, UserRow::disabling_digest, "user_disabled", "users")
                }
                "consent" => digests!(self, first, last, ConsentRow, ConsentRow::digest, "consent", "consents"),
                "consent_used" => {
                    digests!(self, first, last, ConsentRow, ConsentRow::use_digest, "consent_used", "consents")
                }
                "look" => digests!(self, first, last, LookRow, LookRow::digest, "look", "looks"),
                "notice" => digests!(self, first, last, NoticeRow, NoticeRow::digest, "notice", "notices"),
                "consent_revoked" => {
                    digests!(
                        self,
                        first,
                        last,
                        ConsentRow,
                        ConsentRow::revocation_digest,
                        "consent_revoked",
                        "consents"
                    )
                }
                "decision" => digests!(self, first, last, DecisionRow, DecisionRow::digest, "decision", "decisions"),
                "date_forgotten" => {
                    let of = ForgottenRow::digest;
                    digests!(self, first, last, ForgottenRow, of, "date_forgotten", "forgotten_dates")
                }
                "dispute" => digests!(self, first, last, DisputeRow, DisputeRow::digest, "dispute", "disputes"),
                "dispute_resolved" => {
                    let of = DisputeRow::resolution_digest;
                    digests!(self, first, last, DisputeRow, of, "dispute_resolved", "disputes")
                }
                "rescore" => digests!(self, first, last, RescoreRow, RescoreRow::digest, "rescore", "rescores"),
                "case" => digests!(self, first, last, CaseRow, CaseRow::digest, "case", "cases"),
                "review" => digests!(self, first, last, ReviewRow, ReviewRow::digest, "review", "reviews"),
                "webhook" => digests!(self, first, last, WebhookRow, WebhookRow::digest, "webhook", "webhooks"),
                _ => Vec::new(),
            });
        }
        Ok(found)
    }
}

/// What a reader found.
async fn joined<T>(task: JoinHandle<Result<T, StoreError>>) -> Result<T, StoreError> {
    task.await.unwrap_or_else(|_| Err(StoreError::Unavailable("a reader of the chain has failed".to_owned())))
}

/// Takes block after block, until all are taken.
async fn read_blocks(
    store: Store,
    noted: Arc<[i64]>,
    next: Arc<AtomicI64>,
    blocks: i64,
) -> Result<(Walk, Vec<(i64, Stretch)>), StoreError> {
    let mut walk = Walk::begin(&store, &noted).await?;
    let mut found = Vec::new();
    loop {
        let block = next.fetch_add(1, Ordering::Relaxed);
        if block >= blocks {
            return Ok((walk, found));
        }
        let after = if block == 0 { i64::MIN } else { block * BLOCK };
        found.push((block, walk.stretch(after, (block + 1) * BLOCK).await?));
    }
}
