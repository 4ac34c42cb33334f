//! The walk along the audit chain, over one state of the store while others go on writing.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

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
use super::report::{AuditProblem, AuditReport};
use super::{Checkpoint, Head};

/// Rows of the chain that are read at a time.
const PAGE: i64 = 1000;
/// Rows of the chain that one reader takes on before another may take the next ones.
const BLOCK: i64 = 8 * PAGE;
/// The most readers beside the first: SQLite has four connections that read.
const READERS_MAX: usize = 3;
/// The most problems that are reported.
const PROBLEMS_MAX: usize = 20;

#[derive(Debug, sqlx::FromRow)]
struct ChainRow {
    seq: i64,
    at: i64,
    kind: String,
    subject: String,
    digest: String,
    previous: String,
    hash: String,
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
        let (entries, head) = walk.chain(self, &noted).await?;
        walk.compare(checkpoints, &head);
        walk.doubles().await?;
        walk.unspoken().await?;
        walk.passwords().await?;
        walk.webhooks().await?;
        walk.states().await?;
        let odd = super::grounds::check(&mut walk.snapshot).await?;
        walk.problems.extend(odd);
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

/// A webhook beside the digest of its last change.
#[derive(sqlx::FromRow)]
struct LastChange {
    #[sqlx(flatten)]
    webhook: WebhookRow,
    written: String,
}

/// What one reader finds, over one state of the store.
struct Walk {
    snapshot: Transaction,
    problems: Vec<AuditProblem>,
    /// Rows of the chain of each kind that are as they should be.
    sound: BTreeMap<String, u64>,
    /// The numbers of rows whose hash is wanted, in order, and those hashes.
    noted: Arc<[i64]>,
    hashes: BTreeMap<i64, String>,
}

/// A stretch of the chain that was looked through.
struct Stretch {
    entries: u64,
    /// Its first and its last row; `None` where there is none.
    ends: Option<(ChainRow, Head)>,
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
        let rows = fetch!(fetch_all, Transaction, &mut $walk.snapshot, $row, SELECT, $first, $last)?;
        rows.iter().map(|row| (row.seq, $digest(row))).collect::<Vec<(i64, String)>>()
    }};
}

/// Finds rows that no row of the chain speaks of. Where the chain speaks soundly of as many rows as there are, and of none twice,
/// there is none to look for.
macro_rules! unspoken {
    ($walk:expr, $table:literal, $kind:literal, $condition:literal) => {{
        const COUNT: &str = concat!("SELECT COUNT(*) FROM ", $table, " t WHERE ", $condition);
        const SELECT: &str = concat!(
            "SELECT t.id FROM ",
            $table,
            " t WHERE (",
            $condition,
            ") AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.subject = t.id AND a.kind = '",
            $kind,
            "') LIMIT 20"
        );
        let (rows,) = fetch!(fetch_one, Transaction, &mut $walk.snapshot, (i64,), COUNT)?;
        let spoken_of = $walk.sound.get($kind).copied().unwrap_or_default();
        if !$walk.problems.is_empty() || rows.unsigned_abs() != spoken_of {
            let rows = fetch!(fetch_all, Transaction, &mut $walk.snapshot, (String,), SELECT)?;
            for (id,) in rows {
                $walk.report(None, $kind, &id, "the stored row is not in the chain: it was put in from outside");
            }
        }
    }};
}

impl Walk {
    fn report(&mut self, seq: Option<i64>, kind: &str, subject: &str, what: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            let (kind, subject) = (kind.to_owned(), subject.to_owned());
            self.problems.push(AuditProblem { seq, kind, subject, what: what.into() });
        }
    }

    async fn begin(store: &Store, noted: &Arc<[i64]>) -> Result<Walk, StoreError> {
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
            let gone = |_| StoreError::Unavailable("a reader of the chain has failed".to_owned());
            let (walk, found) = task.await.map_err(gone)??;
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
                self.check_order(&last, &first);
                last = end;
            }
        }
        self.check_end(&last).await?;
        Ok((entries, last))
    }

    /// The rows of the chain with numbers above `after` up to `until`, and what they speak of.
    async fn stretch(&mut self, after: i64, until: i64) -> Result<Stretch, StoreError> {
        const SELECT: &str = "SELECT seq, at, kind, subject, digest, previous, hash FROM audit \
             WHERE seq > $1 AND seq <= $2 ORDER BY seq LIMIT $3";
        let mut stretch = Stretch { entries: 0, ends: None };
        let mut after = after;
        loop {
            let rows = fetch!(fetch_all, Transaction, &mut self.snapshot, ChainRow, SELECT, after, until, PAGE)?;
            let (Some(first), Some(end)) = (rows.first(), rows.last()) else { return Ok(stretch) };
            let found = self.digests(&rows, first.seq, end.seq).await?;
            after = end.seq;
            for row in rows {
                let head = Head { seq: row.seq, hash: row.hash.clone() };
                if let Some((_, last)) = &stretch.ends {
                    self.check_order(last, &row);
                }
                self.check_hash(&row);
                self.check_subject(&row, found.get(&row.seq));
                if self.noted.binary_search(&row.seq).is_ok() {
                    self.hashes.insert(row.seq, row.hash.clone());
                }
                stretch.entries += 1;
                stretch.ends = Some((stretch.ends.map_or(row, |(first, _)| first), head));
            }
        }
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

    /// Nothing is written twice but a password and a webhook: a second row that speaks of the same thing was put in.
    async fn doubles(&mut self) -> Result<(), StoreError> {
        const SELECT: &str = "SELECT MAX(seq), kind, subject FROM audit WHERE kind NOT IN ('password', 'webhook') \
             GROUP BY subject, kind HAVING COUNT(*) > 1 LIMIT 20";
        let rows = fetch!(fetch_all, Transaction, &mut self.snapshot, (i64, String, String), SELECT)?;
        for (seq, kind, subject) in rows {
            self.report(Some(seq), &kind, &subject, "the chain speaks of this twice: a row was put in");
        }
        Ok(())
    }

    fn check_order(&mut self, last: &Head, row: &ChainRow) {
        let ChainRow { seq, kind, subject, previous, .. } = row;
        if *seq != last.seq + 1 {
            let what = format!("rows {} to {} of the chain are missing", last.seq + 1, seq - 1);
            self.report(Some(last.seq + 1), kind, subject, what);
        } else if *previous != last.hash {
            self.report(Some(*seq), kind, subject, "the row does not follow the one before it");
        }
    }

    fn check_hash(&mut self, row: &ChainRow) {
        let ChainRow { seq, at, kind, subject, digest, previous, hash } = row;
        let before = Head { seq: seq.wrapping_sub(1), hash: previous.clone() };
        if *hash != before.next_hash(*seq, *at, kind, subject, digest) {
            self.report(Some(*seq), kind, subject, "the row of the chain was changed");
        }
    }

    fn check_subject(&mut self, row: &ChainRow, found: Option<&String>) {
        // The password that holds is compared at the end of the walk; those before it are gone, rightly.
        if row.kind == "password" {
            return self.is_sound(&row.kind);
        }
        match found {
            // May have changed since, more than once; how it stands now is compared at the end of the walk.
            Some(_) if row.kind == "webhook" => {}
            Some(found) if *found == row.digest => self.is_sound(&row.kind),
            Some(_) => {
                self.report(Some(row.seq), &row.kind, &row.subject, "what is stored is not what was written");
            }
            None => self.report(Some(row.seq), &row.kind, &row.subject, "what was written is not stored any more"),
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

    async fn digests(&mut self, rows: &[ChainRow], first: i64, last: i64) -> Result<HashMap<i64, String>, StoreError> {
        let mut kinds: Vec<&str> = rows.iter().map(|row| row.kind.as_str()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let mut found = HashMap::new();
        for kind in kinds {
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

    async fn unspoken(&mut self) -> Result<(), StoreError> {
        unspoken!(self, "banks", "bank", "1 = 1");
        unspoken!(self, "bank_keys", "key", "1 = 1");
        unspoken!(self, "bank_keys", "key_revoked", "t.revoked_at IS NOT NULL");
        unspoken!(self, "users", "user", "1 = 1");
        unspoken!(self, "users", "password", "1 = 1");
        unspoken!(self, "users", "user_disabled", "t.disabled_at IS NOT NULL");
        unspoken!(self, "consents", "consent", "1 = 1");
        unspoken!(self, "consents", "consent_revoked", "t.revoked_at IS NOT NULL");
        unspoken!(self, "consents", "consent_used", "t.used_at IS NOT NULL OR t.used_by IS NOT NULL");
        unspoken!(self, "looks", "look", "1 = 1");
        unspoken!(self, "notices", "notice", "1 = 1");
        unspoken!(self, "decisions", "decision", "1 = 1");
        unspoken!(self, "forgotten_dates", "date_forgotten", "1 = 1");
        unspoken!(self, "disputes", "dispute", "1 = 1");
        unspoken!(
            self,
            "disputes",
            "dispute_resolved",
            "COALESCE(t.verdict, t.answer, t.user_id, t.user_name) IS NOT NULL OR t.resolved_at IS NOT NULL"
        );
        unspoken!(self, "rescores", "rescore", "1 = 1");
        unspoken!(self, "cases", "case", "1 = 1");
        unspoken!(self, "reviews", "review", "1 = 1");
        unspoken!(self, "webhooks", "webhook", "1 = 1");
        Ok(())
    }

    /// The password that holds must be the last one that was written.
    async fn passwords(&mut self) -> Result<(), StoreError> {
        const USERS: &str = "SELECT a.seq, u.* FROM users u JOIN audit a ON a.seq = \
             (SELECT MAX(b.seq) FROM audit b WHERE b.subject = u.id AND b.kind = 'password')";
        let users = fetch!(fetch_all, Transaction, &mut self.snapshot, UserRow, USERS)?;
        for user in users {
            const DIGEST: &str = "SELECT digest FROM audit WHERE seq = $1";
            let (digest,): (String,) = fetch!(fetch_one, Transaction, &mut self.snapshot, (String,), DIGEST, user.seq)?;
            if digest != user.password_digest() {
                self.report(Some(user.seq), "password", &user.id, "the password is not the one that was written");
            }
        }
        Ok(())
    }

    /// A webhook must be as the last change left it.
    async fn webhooks(&mut self) -> Result<(), StoreError> {
        const LAST: &str = "SELECT a.seq, w.*, a.digest AS written FROM webhooks w JOIN audit a ON a.seq = \
             (SELECT MAX(b.seq) FROM audit b WHERE b.subject = w.id AND b.kind = 'webhook')";
        let webhooks = fetch!(fetch_all, Transaction, &mut self.snapshot, LastChange, LAST)?;
        for LastChange { webhook, written } in webhooks {
            if written != webhook.digest() {
                self.report(Some(webhook.seq), "webhook", &webhook.id, "what is stored is not what was written");
            }
        }
        Ok(())
    }

    /// A case's state must follow from its reviews.
    async fn states(&mut self) -> Result<(), StoreError> {
        const ODD: &str = "SELECT c.id FROM cases c WHERE c.state <> \
             CASE WHEN EXISTS (SELECT 1 FROM reviews r WHERE r.case_id = c.id AND r.verdict IN ('approve', 'decline')) \
                  THEN 'closed' \
                  WHEN EXISTS (SELECT 1 FROM reviews r WHERE r.case_id = c.id) THEN 'asked' ELSE 'open' END LIMIT 20";
        let cases = fetch!(fetch_all, Transaction, &mut self.snapshot, (String,), ODD)?;
        for (id,) in cases {
            self.report(None, "case", &id, "the state of the case does not follow from its reviews");
        }
        Ok(())
    }
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
