//! Decisions that are committed together: whatever their number, each table is written with few statements.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::audit::{Batch, Kind, sha256};
use super::cases::{CaseRow, insert_cases};
use super::consents::{Grant, grants};
use super::decisions::{Committed, DecisionEntry, Written};
use super::idempotency::{self, IdempotencyEntry, KeptReply};
use super::known::Known;
use super::looks::{self, LookRow, SourceDate};
use super::looks_begun;
use super::many::{ManyRows, write_many};
use super::rescores::{FactEnd, fact_ends, note_fact_ends};
use super::{StoreError, writer::Entry};
use crate::domain::decision::GroundsText;
use crate::domain::{DecisionRecord, Look};

/// Digests of grounds that are remembered as stored; some megabytes.
const REMEMBERED_MAX: usize = 65_536;

/// A decision that is to be stored, with its rows made ready: by the callers side by side, and not by the one writer.
pub(super) struct CommitDecision {
    record: DecisionRecord,
    id: String,
    bank: String,
    text: String,
    digest: String,
    grounds: Arc<GroundsText>,
    case: Option<(CaseRow, String)>,
    look: Look,
    look_row: LookRow,
    look_digest: String,
    dates: Vec<SourceDate>,
    fact_ends: Vec<FactEnd>,
    idempotency: Option<IdempotencyEntry>,
    /// The look as it was noted when it began.
    begun: Option<String>,
}

impl CommitDecision {
    pub(super) fn of(entry: DecisionEntry) -> Result<CommitDecision, StoreError> {
        let DecisionEntry { record, case, idempotency, look: begun } = entry;
        let decision = &record.decision;
        let fits = match &case {
            None => decision.case_id.is_none(),
            Some(case) => {
                decision.case_id == Some(case.id)
                    && case.decision == decision.id
                    && case.bank == decision.bank
                    && case.uscc == decision.request.uscc
            }
        };
        if !fits {
            return Err(StoreError::Conflict(format!(
                "decision {} and its case are about different things",
                decision.id
            )));
        }
        let grounds = Arc::clone(record.grounds.text());
        let written =
            Written { decision: std::borrow::Cow::Borrowed(decision), grounds: grounds.sha256.as_str().into() };
        let text = serde_json::to_string(&written)
            .map_err(|_| StoreError::Conflict(format!("decision {} cannot be written as JSON", decision.id)))?;
        let digest = sha256(text.as_bytes());
        let case = case.as_ref().map(CaseRow::of).map(|row| {
            let digest = row.digest();
            (row, digest)
        });
        let look = Look::of(&record);
        let look_row = LookRow::of(&look);
        let look_digest = look_row.digest();
        Ok(CommitDecision {
            id: decision.id.to_string(),
            bank: decision.bank.to_string(),
            dates: looks::stated_dates(&look),
            fact_ends: fact_ends(&record),
            text,
            digest,
            grounds,
            case,
            look,
            look_row,
            look_digest,
            idempotency,
            begun: begun.map(|id| id.to_string()),
            record,
        })
    }

    /// Leaves out the dates where they move nothing on.
    pub(super) fn without_known_dates(mut self, known: &Known) -> CommitDecision {
        if known.has_dates(&self.record.decision.request.uscc, &self.dates) {
            self.dates.clear();
        }
        self
    }

    fn consent(&self) -> String {
        self.record.decision.request.consent_id.to_string()
    }

    /// The idempotency key, as answers are kept under it.
    fn key(&self) -> Option<(String, String, String)> {
        self.idempotency.as_ref().map(|entry| (self.bank.clone(), entry.route.clone(), entry.key.clone()))
    }
}

/// What is known to be in the store and never leaves it: grounds, by digest.
#[derive(Default)]
pub(super) struct StoredGrounds(HashSet<String>);

impl StoredGrounds {
    /// Remembers what was committed.
    pub(super) fn remember(&mut self, digests: Vec<String>) {
        if self.0.len() + digests.len() > REMEMBERED_MAX {
            self.0.clear();
        }
        self.0.extend(digests);
    }
}

static GROUNDS: ManyRows =
    ManyRows::new("INSERT INTO grounds (sha256, body) VALUES ", 2, " ON CONFLICT (sha256) DO NOTHING");
static DECISIONS: ManyRows =
    ManyRows::new("INSERT INTO decisions (id, bank, uscc, decided_at, record, grounds) VALUES ", 6, "");

/// Writes these decisions into the transaction and sets what became of each. Gives the digests of grounds that were written, to
/// be remembered once all is committed.
pub(super) async fn commit_all(
    batch: &mut Batch,
    mut entries: Vec<&mut Entry<CommitDecision, Committed>>,
    stored: &StoredGrounds,
) -> Result<Vec<String>, StoreError> {
    let mut grants = grants_of(batch, &entries).await?;
    let mut kept = kept_of(batch, &entries).await?;
    for entry in entries.iter_mut() {
        entry.outcome = Some(fate(&entry.write, &mut grants, &mut kept));
    }
    let new: Vec<&CommitDecision> = entries
        .iter()
        .filter(|entry| matches!(entry.outcome, Some(Ok(Committed::Stored))))
        .map(|entry| &entry.write)
        .collect();
    let written = insert_grounds(batch, &new, stored).await?;
    write_many!(
        batch.transaction(),
        DECISIONS,
        &new,
        |one| &one.id,
        &one.bank,
        one.record.decision.request.uscc.as_str(),
        one.record.decision.decided_at.as_millisecond(),
        &one.text,
        &one.grounds.sha256,
    );
    note_fact_ends(batch, &new.iter().flat_map(|one| &one.fact_ends).collect::<Vec<_>>()).await?;
    let cases: Vec<&CaseRow> = new.iter().filter_map(|one| one.case.as_ref().map(|(row, _)| row)).collect();
    insert_cases(batch, &cases).await?;
    looks::insert_looks(batch, &new.iter().map(|one| &one.look_row).collect::<Vec<_>>()).await?;
    looks_begun::take_out(batch, &new.iter().filter_map(|one| one.begun.as_deref()).collect::<Vec<_>>()).await?;
    looks::move_dates_on(batch, &latest_dates(&new)).await?;
    let replies: Vec<_> = (new.iter())
        .filter_map(|one| Some((one.record.decision.bank, one.idempotency.as_ref()?, one.record.decision.decided_at)))
        .collect();
    idempotency::keep(batch, &replies).await?;
    for one in &new {
        chain(batch, one, &grants).await?;
    }
    Ok(written)
}

/// A decision's rows of the audit chain, and the use of its consent.
async fn chain(
    batch: &mut Batch,
    one: &CommitDecision,
    grants: &HashMap<String, (Grant, Option<String>)>,
) -> Result<(), StoreError> {
    let at = one.record.decision.decided_at;
    batch.append(Kind::Decision, &one.id, &one.digest, at);
    if let Some((row, digest)) = &one.case {
        batch.append(Kind::Case, &row.id, digest, at);
    }
    batch.append(Kind::Look, &one.look_row.id, &one.look_digest, one.look.at);
    match grants.get(&one.consent()) {
        Some((grant, Some(taker))) if *taker == one.id => grant.use_up(batch, at).await,
        _ => Ok(()),
    }
}

/// The consents concerned, each with the decision that takes it, where it is for one look.
async fn grants_of(
    batch: &mut Batch,
    entries: &[&mut Entry<CommitDecision, Committed>],
) -> Result<HashMap<String, (Grant, Option<String>)>, StoreError> {
    let mut ids: Vec<_> = entries.iter().map(|entry| entry.write.record.decision.request.consent_id).collect();
    ids.sort_unstable_by_key(|id| id.0);
    ids.dedup();
    Ok(grants(batch, &ids).await?.into_iter().map(|(id, grant)| (id, (grant, None))).collect())
}

async fn kept_of(
    batch: &mut Batch,
    entries: &[&mut Entry<CommitDecision, Committed>],
) -> Result<HashMap<(String, String, String), KeptReply>, StoreError> {
    let asked: Vec<_> = (entries.iter())
        .filter_map(|entry| Some((entry.write.record.decision.bank, entry.write.idempotency.as_ref()?)))
        .collect();
    idempotency::kept(batch, &asked).await
}

/// What becomes of a decision, in the order of the entries: the first of those that share a key or a consent for one look counts.
fn fate(
    one: &CommitDecision,
    grants: &mut HashMap<String, (Grant, Option<String>)>,
    kept: &mut HashMap<(String, String, String), KeptReply>,
) -> Result<Committed, StoreError> {
    let (id, at) = (one.record.decision.id, one.record.decision.decided_at);
    // A repetition is answered as before, also when the decision that it repeats used the consent up.
    let key = one.key();
    if let Some(reply) = key.as_ref().and_then(|key| kept.get(key)).and_then(|reply| reply.at(at)) {
        return Ok(Committed::Replayed(reply));
    }
    if let Some((grant, taker)) = grants.get_mut(&one.consent()) {
        if let Some(refusal) = grant.refusal() {
            return Err(StoreError::ConsentRefused(refusal));
        }
        if grant.take(id, at) {
            *taker = Some(one.id.clone());
        }
    }
    if let (Some(key), Some(entry)) = (key, &one.idempotency) {
        kept.insert(key, KeptReply::of(entry, at));
    }
    Ok(Committed::Stored)
}

async fn insert_grounds(
    batch: &mut Batch,
    new: &[&CommitDecision],
    stored: &StoredGrounds,
) -> Result<Vec<String>, StoreError> {
    let mut missing: BTreeMap<&str, &GroundsText> = BTreeMap::new();
    for one in new {
        if !stored.0.contains(&one.grounds.sha256) {
            missing.insert(&one.grounds.sha256, &one.grounds);
        }
    }
    let rows: Vec<&GroundsText> = missing.into_values().collect();
    write_many!(batch.transaction(), GROUNDS, &rows, |row| &row.sha256, &row.json);
    Ok(rows.into_iter().map(|row| row.sha256.clone()).collect())
}

/// The latest date of each firm and source.
fn latest_dates(new: &[&CommitDecision]) -> Vec<SourceDate> {
    let mut latest: BTreeMap<(&str, &str), &SourceDate> = BTreeMap::new();
    for date in new.iter().flat_map(|one| &one.dates) {
        let known = latest.entry((&date.uscc, date.source)).or_insert(date);
        if known.as_of < date.as_of {
            *known = date;
        }
    }
    latest.into_values().cloned().collect()
}
