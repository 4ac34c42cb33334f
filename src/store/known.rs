//! What was read of late and still holds: keys, consents, and what is on record of firms. All three are needed for every decision
//! and change rarely.
//!
//! Every change of them, by whichever process, adds a row to the audit chain. So they hold while the head of the chain is where
//! this process's own writer has left it, and what its own writer changes it drops here itself, before whoever asked for the
//! change is answered. The head is read where it was not seen within [`SEEN_FOR`], which is the longest time for which a change
//! of another process can go unseen here; and whoever commits a decision holds the chain, and reads the consent anew.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::audit::Kind;
use super::database::fetch;
use super::keys::BankIdentity;
use super::{Store, StoreError};
use crate::domain::{Consent, ConsentId, Dispute, FirmHistory, Uscc};

/// What is said while the server cannot be reached.
const AWAY: &str = "the database cannot be reached";
/// How long after the head was seen what is known is used.
const SEEN_FOR: Duration = Duration::from_millis(2);
/// The most that is remembered of each; all of it goes when there is more.
const CONSENTS_MAX: usize = 50_000;
const FIRMS_MAX: usize = 20_000;
const KEYS_MAX: usize = 5_000;

/// What is on record of a firm before it is looked at.
#[derive(Debug, Clone, PartialEq)]
pub struct FirmOnRecord {
    /// Dates and revocations.
    pub history: FirmHistory,
    /// Disputes about its facts, newest first.
    pub disputes: Vec<Dispute>,
}

/// What is known.
#[derive(Default)]
pub(super) struct Known {
    state: Mutex<State>,
    /// Held by whoever reads the head.
    looking: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct State {
    /// The heads that this process's writer has left since another process last wrote: from the one that it found to the last.
    own: Option<(i64, i64)>,
    seen_at: Option<Instant>,
    /// Counts what was dropped: what was read before may not be kept after.
    drops: u64,
    keys: HashMap<String, BankIdentity>,
    consents: HashMap<ConsentId, Arc<Consent>>,
    firms: HashMap<Uscc, Arc<FirmOnRecord>>,
}

impl State {
    fn drop_all(&mut self) {
        self.drops += 1;
        self.keys.clear();
        self.consents.clear();
        self.firms.clear();
    }

    fn found(&mut self, head: i64, at: Instant) {
        self.drop_all();
        (self.own, self.seen_at) = (Some((head, head)), Some(at));
    }
}

/// What a transaction changes of what may be known.
#[derive(Debug, Default)]
pub(super) struct Touched {
    keys: bool,
    all_firms: bool,
    consents: Vec<String>,
    firms: Vec<String>,
}

impl Touched {
    /// A row of the chain was appended.
    pub(super) fn chained(&mut self, kind: Kind, subject: &str) {
        match kind {
            Kind::Bank | Kind::Key | Kind::KeyRevoked => self.keys = true,
            Kind::ConsentUsed => self.consents.push(subject.to_owned()),
            Kind::ConsentRevoked => {
                self.consents.push(subject.to_owned());
                self.all_firms = true;
            }
            // Rare, and their subjects are not firms.
            Kind::Dispute | Kind::DisputeResolved | Kind::DateForgotten => self.all_firms = true,
            // A new consent is known to nobody yet; the others change nothing that is known.
            Kind::Consent
            | Kind::User
            | Kind::Password
            | Kind::UserDisabled
            | Kind::Decision
            | Kind::Look
            | Kind::Notice
            | Kind::Rescore
            | Kind::Case
            | Kind::Review
            | Kind::Webhook => {}
        }
    }

    /// A firm's dates were moved on.
    pub(super) fn firm(&mut self, uscc: &str) {
        self.firms.push(uscc.to_owned());
    }

    fn is_nothing(&self) -> bool {
        !self.keys && !self.all_firms && self.consents.is_empty() && self.firms.is_empty()
    }
}

impl Known {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The writer holds the chain and has found this head.
    pub(super) fn begun(&self, head: i64) {
        let now = Instant::now();
        let mut state = self.state();
        match state.own {
            Some((_, last)) if last == head => state.seen_at = Some(now),
            _ => state.found(head, now),
        }
    }

    /// The writer is about to commit this head: readers may find it from now on.
    pub(super) fn committing(&self, head: i64) {
        if let Some((_, last)) = &mut self.state().own {
            *last = head;
        }
    }

    /// The writer has committed.
    pub(super) fn committed(&self, touched: Touched) {
        if touched.is_nothing() {
            return;
        }
        let mut state = self.state();
        state.drops += 1;
        if touched.keys {
            state.keys.clear();
        }
        if touched.all_firms {
            state.firms.clear();
        }
        for id in touched.consents {
            match id.parse() {
                Ok(id) => drop(state.consents.remove(&id)),
                Err(_) => state.consents.clear(),
            }
        }
        for uscc in touched.firms {
            match uscc.parse() {
                Ok(uscc) => drop(state.firms.remove(&uscc)),
                Err(_) => state.firms.clear(),
            }
        }
    }

    /// The writer failed: whether its rows are in the chain is not known.
    pub(super) fn failed(&self) {
        let mut state = self.state();
        state.drop_all();
        (state.own, state.seen_at) = (None, None);
    }

    fn is_seen(&self) -> bool {
        self.state().seen_at.is_some_and(|at| at.elapsed() < SEEN_FOR)
    }

    /// A reader has found this head, having asked at `at`.
    fn seen(&self, head: i64, at: Instant) {
        let mut state = self.state();
        match state.own {
            Some((first, last)) if (first..=last).contains(&head) => state.seen_at = state.seen_at.max(Some(at)),
            _ => state.found(head, at),
        }
    }

    /// Whether these dates are those that are known of the firm, or earlier: then they move nothing on.
    pub(super) fn has_dates(&self, uscc: &Uscc, dates: &[super::looks::SourceDate]) -> bool {
        let Some(firm) = self.state().firms.get(uscc).cloned() else { return false };
        dates.iter().all(|date| firm.history.latest_as_of.get(&date.kind).is_some_and(|known| *known >= date.day))
    }
}

impl Store {
    /// Makes sure that what is known was true a moment ago.
    async fn look_at_head(&self) -> Result<(), StoreError> {
        let known = &self.0.known;
        if known.is_seen() {
            return Ok(());
        }
        let _one = match known.looking.try_lock() {
            Ok(one) => one,
            // Whoever looks waits to learn whether the server is back; nobody else waits with it.
            Err(_) if self.0.database.is_away() => return Err(StoreError::Unavailable(AWAY.to_owned())),
            Err(_) => known.looking.lock().await,
        };
        if known.is_seen() {
            return Ok(());
        }
        let at = Instant::now();
        let mut reader = self.reader().await?;
        let (head,) = fetch!(fetch_one, Reader, &mut reader, (i64,), "SELECT seq FROM audit_head WHERE id = 1")?;
        known.seen(head, at);
        Ok(())
    }

    /// The bank of a key by the hash of its secret, as [`Store::bank_of_key`] has found it.
    pub(super) async fn known_key(&self, hash: &str) -> Result<(Option<BankIdentity>, u64), StoreError> {
        self.look_at_head().await?;
        let state = self.0.known.state();
        Ok((state.keys.get(hash).cloned(), state.drops))
    }

    /// Remembers a key that was read when so much had been dropped.
    pub(super) fn remember_key(&self, hash: String, bank: &BankIdentity, drops: u64) {
        let mut state = self.0.known.state();
        if state.drops == drops {
            if state.keys.len() >= KEYS_MAX {
                state.keys.clear();
            }
            state.keys.insert(hash, bank.clone());
        }
    }

    /// The consent with this id as it was at most [`SEEN_FOR`] ago: good enough where no department will be asked, because
    /// [`Store::commit_decision`] reads it anew.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn consent_of_late(&self, id: ConsentId) -> Result<Option<Arc<Consent>>, StoreError> {
        self.look_at_head().await?;
        let drops = {
            let state = self.0.known.state();
            if let Some(consent) = state.consents.get(&id) {
                return Ok(Some(Arc::clone(consent)));
            }
            state.drops
        };
        let Some(consent) = self.consent(id).await?.map(Arc::new) else { return Ok(None) };
        let mut state = self.0.known.state();
        if state.drops == drops {
            if state.consents.len() >= CONSENTS_MAX {
                state.consents.clear();
            }
            state.consents.insert(id, Arc::clone(&consent));
        }
        Ok(Some(consent))
    }

    /// What is on record of a firm, as it was at most [`SEEN_FOR`] ago.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn firm_on_record(&self, uscc: &Uscc) -> Result<Arc<FirmOnRecord>, StoreError> {
        self.look_at_head().await?;
        let drops = {
            let state = self.0.known.state();
            if let Some(firm) = state.firms.get(uscc) {
                return Ok(Arc::clone(firm));
            }
            state.drops
        };
        let (history, disputes) = (self.history_of(uscc).await?, self.disputes_about(uscc).await?);
        let firm = Arc::new(FirmOnRecord { history, disputes });
        let mut state = self.0.known.state();
        if state.drops == drops {
            if state.firms.len() >= FIRMS_MAX {
                state.firms.clear();
            }
            state.firms.insert(uscc.clone(), Arc::clone(&firm));
        }
        Ok(firm)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known_with_key() -> Known {
        let known = Known::default();
        known.begun(10);
        let bank = BankIdentity {
            bank: crate::domain::BankId(uuid::Uuid::from_u128(1)),
            name: "A".to_owned(),
            key: crate::domain::KeyId(uuid::Uuid::from_u128(2)),
        };
        known.state().keys.insert("hash".to_owned(), bank);
        known
    }

    fn keys(known: &Known) -> usize {
        known.state().keys.len()
    }

    #[test]
    fn what_is_known_holds_while_only_this_process_writes() {
        let known = known_with_key();
        known.committing(13);
        for head in 10..=13 {
            known.seen(head, Instant::now());
        }
        known.committed(Touched::default());
        known.begun(13);
        assert_eq!(keys(&known), 1);
    }

    #[test]
    fn what_is_known_goes_when_another_process_wrote_or_the_writer_failed() {
        for foreign in [9, 11, 14] {
            let known = known_with_key();
            known.seen(foreign, Instant::now());
            assert_eq!(keys(&known), 0, "a reader found {foreign}");
            let known = known_with_key();
            known.begun(foreign);
            assert_eq!(keys(&known), 0, "the writer found {foreign}");
        }
        let known = known_with_key();
        known.committing(12);
        known.failed();
        assert_eq!((keys(&known), known.is_seen()), (0, false));
        // Another process took the numbers that this one failed to write.
        known.seen(12, Instant::now());
        assert_eq!(known.state().own, Some((12, 12)));
    }

    #[test]
    fn what_this_process_changes_goes_and_what_was_read_before_is_not_kept() {
        let known = known_with_key();
        let before = known.state().drops;
        let mut touched = Touched::default();
        touched.chained(Kind::Decision, "x");
        touched.chained(Kind::KeyRevoked, "y");
        known.committed(touched);
        assert_eq!(keys(&known), 0);
        assert_ne!(known.state().drops, before);
    }
}
