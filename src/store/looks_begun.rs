//! Looks under way, as they are on disk before a department is asked: a process that dies takes no look with it.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::audit::{Batch, Kind};
use super::column::Row;
use super::database::fetch;
use super::looks::{self, LookRow};
use super::many::{ManyRows, write_many};
use super::writer::{Entry, Write};
use super::{Store, StoreError};
use crate::domain::Look;

/// A look that began so long ago was cut off: departments are waited for a few seconds, and the store not much longer.
const CUT_OFF_AFTER: SignedDuration = SignedDuration::from_secs(60);
/// The most that are entered in one transaction.
const AT_ONCE_MAX: i64 = 256;

/// A look that is to be noted as begun.
pub(super) struct NoteBegun {
    id: String,
    look: String,
    begun_at: i64,
    process: String,
}

static BEGUN: ManyRows = ManyRows::new("INSERT INTO looks_begun (id, look, begun_at, process) VALUES ", 4, "");
static ENDED: ManyRows = ManyRows::new("DELETE FROM looks_begun WHERE id IN (VALUES ", 1, ")");

/// Notes looks as begun, and sets what became of each.
pub(super) async fn note_all(batch: &mut Batch, mut entries: Vec<&mut Entry<NoteBegun, ()>>) -> Result<(), StoreError> {
    let rows: Vec<&NoteBegun> = entries.iter().map(|entry| &entry.write).collect();
    write_many!(batch.transaction(), BEGUN, &rows, |row| &row.id, &row.look, row.begun_at, &row.process);
    for entry in &mut entries {
        entry.outcome = Some(Ok(()));
    }
    Ok(())
}

/// Takes out looks that ended; whoever calls enters them into the ledger.
pub(super) async fn take_out(batch: &mut Batch, ids: &[&str]) -> Result<(), StoreError> {
    // Not even prepared where no look was noted.
    if !ids.is_empty() {
        write_many!(batch.transaction(), ENDED, ids, |id| id);
    }
    Ok(())
}

impl Store {
    /// Notes a look as begun; answers once that is on disk. It must be ended, with [`Store::end_look`] or with a decision
    /// ([`super::DecisionEntry::look`]); else it enters the ledger after a minute, as it is given here.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Conflict`] when its id is taken.
    pub async fn begin_look(&self, look: &Look) -> Result<(), StoreError> {
        let row = LookRow::of(look);
        let json = serde_json::to_string(&row)
            .map_err(|_| StoreError::Conflict(format!("look {} cannot be written as JSON", look.id)))?;
        let (begun_at, process) = (look.at.as_millisecond(), self.0.process.clone());
        let note = NoteBegun { id: look.id.to_string(), look: json, begun_at, process };
        self.waiting(self.0.writer.note(note)).await
    }

    /// Enters a look that was noted as begun and led to no decision into the ledger. Where it was taken for cut off meanwhile, the
    /// ledger has it already, and nothing is written.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Conflict`] when its bank is not known.
    pub async fn end_look(&self, look: Look) -> Result<(), StoreError> {
        self.write(EndLook(look)).await
    }

    /// Enters looks that were begun a minute or longer before `now` and not ended into the ledger; gives their number. Any process
    /// may do so at any time: whoever comes first enters a look.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; what was entered before stands.
    pub async fn enter_cut_off_looks(&self, now: Timestamp) -> Result<u64, StoreError> {
        let before = now.saturating_sub(CUT_OFF_AFTER).unwrap_or(Timestamp::MIN).as_millisecond();
        let mut entered = 0;
        loop {
            // Nearly always there is none, and nothing is written then.
            const ANY: &str = "SELECT COUNT(*) FROM looks_begun WHERE begun_at <= $1";
            let mut reader = self.reader().await?;
            let (waiting,) = fetch!(fetch_one, Reader, &mut reader, (i64,), ANY, before)?;
            drop(reader);
            if waiting == 0 {
                return Ok(entered);
            }
            let done = self.write(EnterCutOff { before }).await?;
            for (process, looks) in &done.entered {
                tracing::warn!(process, looks, "a process ended without ending its looks; they are in the ledger");
            }
            let now: u64 = done.entered.values().sum();
            entered += now;
            if now == 0 && !done.more {
                return Ok(entered);
            }
        }
    }
}

struct EndLook(Look);

impl Write for EndLook {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch) -> Result<(), StoreError> {
        let id = self.0.id.to_string();
        take_out(batch, &[&id]).await?;
        if is_in_ledger(batch, &id).await? {
            return Ok(());
        }
        looks::enter(batch, &self.0).await
    }
}

async fn is_in_ledger(batch: &mut Batch, id: &str) -> Result<bool, StoreError> {
    const FOUND: &str = "SELECT id FROM looks WHERE id = $1";
    Ok(fetch!(fetch_optional, WriteTransaction, batch.transaction(), (String,), FOUND, id)?.is_some())
}

/// Enters what was begun until then.
struct EnterCutOff {
    before: i64,
}

/// What became of looks that were cut off.
struct CutOff {
    /// How many were entered, by the process that had them in hand.
    entered: BTreeMap<String, u64>,
    /// Whether others are left that can be entered.
    more: bool,
}

#[derive(sqlx::FromRow, serde::Deserialize)]
struct BegunRow {
    id: String,
    look: String,
    process: String,
}

impl BegunRow {
    fn read(&self) -> Result<(LookRow, Timestamp), StoreError> {
        let of = Row { what: "look", id: &self.id };
        let row: LookRow = of.json("look", &self.look)?;
        let at = of.instant("at", row.at)?;
        if row.id == self.id { Ok((row, at)) } else { Err(of.corrupt("id")) }
    }
}

impl Write for EnterCutOff {
    type Answer = CutOff;

    async fn apply(&self, batch: &mut Batch) -> Result<CutOff, StoreError> {
        const SELECT: &str =
            "SELECT id, look, process FROM looks_begun WHERE begun_at <= $1 ORDER BY begun_at, id LIMIT $2";
        let found =
            fetch!(fetch_all, WriteTransaction, batch.transaction(), BegunRow, SELECT, self.before, AT_ONCE_MAX)?;
        let (mut entered, mut ended) = (BTreeMap::new(), Vec::new());
        for begun in &found {
            let Ok((row, at)) = begun.read() else {
                tracing::error!(look = %begun.id, "a look that was begun cannot be read; it is left where it is");
                continue;
            };
            if !is_in_ledger(batch, &begun.id).await? {
                looks::insert_looks(batch, &[&row]).await?;
                batch.append(Kind::Look, &row.id, &row.digest(), at);
                *entered.entry(begun.process.clone()).or_insert(0) += 1;
            }
            ended.push(begun.id.as_str());
        }
        take_out(batch, &ended).await?;
        Ok(CutOff { more: !ended.is_empty(), entered })
    }
}
