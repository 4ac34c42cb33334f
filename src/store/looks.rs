//! The ledger of looks at firms, and what is on record of a firm before the next one.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use super::audit::{Batch, Kind, digest};
use super::column::Row;
use super::database::fetch;
use super::failure::without_nul;
use super::many::{ManyRows, write_many};
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::evidence::EvidenceLine;
use crate::domain::{BankId, FirmHistory, Look, LookBy, LookId, SourceKind, Uscc};

/// The most looks on one page.
const PAGE_MAX: u32 = 200;

/// A look with the name of the bank that made it; `None` where the office did.
#[derive(Debug, Clone, PartialEq)]
pub struct LedgerLine {
    /// The look.
    pub look: Look,
    /// The bank's name.
    pub bank_name: Option<String>,
}

#[derive(Debug, sqlx::FromRow, Serialize, Deserialize)]
pub(super) struct LookRow {
    /// The audit row, where the query joins it.
    #[sqlx(default)]
    #[serde(skip)]
    pub(super) seq: i64,
    pub(super) id: String,
    uscc: String,
    bank: Option<String>,
    office: Option<String>,
    consent_id: Option<String>,
    purpose: String,
    pub(super) at: i64,
    ended: String,
    decision_id: Option<String>,
    asked: String,
    answers: String,
    #[sqlx(default)]
    #[serde(skip)]
    bank_name: Option<String>,
}

impl LookRow {
    pub(super) fn of(look: &Look) -> LookRow {
        let (bank, office) = match &look.by {
            LookBy::Bank(bank) => (Some(bank.to_string()), None),
            LookBy::Office(who) => (None, Some(without_nul(who))),
        };
        LookRow {
            seq: 0,
            id: look.id.to_string(),
            uscc: look.uscc.as_str().to_owned(),
            bank,
            office,
            consent_id: look.consent.map(|id| id.to_string()),
            purpose: without_nul(&look.purpose),
            at: look.at.as_millisecond(),
            ended: look.end.as_str().to_owned(),
            decision_id: look.decision.map(|id| id.to_string()),
            asked: serde_json::to_string(&look.asked).unwrap_or_default(),
            answers: serde_json::to_string(&look.answers).unwrap_or_default(),
            bank_name: None,
        }
    }

    pub(super) fn digest(&self) -> String {
        let who = (&self.id, &self.uscc, &self.bank, &self.office, &self.consent_id);
        digest(&(who, &self.purpose, self.at, &self.ended, &self.decision_id, &self.asked, &self.answers))
    }

    fn read(self) -> Result<LedgerLine, StoreError> {
        let row = Row { what: "look", id: &self.id };
        let asked: Vec<SourceKind> = row.json("asked", &self.asked)?;
        let answers: Vec<EvidenceLine> = row.json("answers", &self.answers)?;
        let by = match (&self.bank, self.office) {
            (Some(bank), None) => LookBy::Bank(row.parse("bank", bank)?),
            (None, Some(office)) => LookBy::Office(office),
            _ => return Err(row.corrupt("bank or office")),
        };
        let look = Look {
            id: row.parse("id", &self.id)?,
            uscc: row.parse("uscc", &self.uscc)?,
            by,
            consent: self.consent_id.as_deref().map(|id| row.parse("consent_id", id)).transpose()?,
            purpose: self.purpose,
            at: row.instant("at", self.at)?,
            end: row.parse("ended", &self.ended)?,
            decision: self.decision_id.as_deref().map(|id| row.parse("decision_id", id)).transpose()?,
            asked,
            answers,
        };
        Ok(LedgerLine { look, bank_name: self.bank_name })
    }
}

static LOOKS: ManyRows = ManyRows::new(
    "INSERT INTO looks (id, uscc, bank, office, consent_id, purpose, at, ended, decision_id, asked, answers) VALUES ",
    11,
    "",
);

/// Writes looks; whoever calls appends their rows of the chain.
pub(super) async fn insert_looks(batch: &mut Batch, rows: &[&LookRow]) -> Result<(), StoreError> {
    write_many!(
        batch.transaction(),
        LOOKS,
        rows,
        |row| &row.id,
        &row.uscc,
        &row.bank,
        &row.office,
        &row.consent_id,
        &row.purpose,
        row.at,
        &row.ended,
        &row.decision_id,
        &row.asked,
        &row.answers,
    );
    Ok(())
}

/// Writes a look into the transaction.
pub(super) async fn enter(batch: &mut Batch, look: &Look) -> Result<(), StoreError> {
    let row = LookRow::of(look);
    insert_looks(batch, &[&row]).await?;
    batch.append(Kind::Look, &row.id, &row.digest(), look.at);
    Ok(())
}

/// The latest as-of date that a source has stated of a firm.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct SourceDate {
    pub(super) uscc: String,
    pub(super) source: &'static str,
    pub(super) kind: SourceKind,
    pub(super) day: Date,
    /// ISO 8601, so that the order of texts is that of days.
    pub(super) as_of: String,
}

/// The dates that the departments stated in a look.
pub(super) fn stated_dates(look: &Look) -> Vec<SourceDate> {
    let stated = |line: &EvidenceLine| {
        let as_of = line.as_of.filter(|_| line.status.has_record())?;
        Some(SourceDate {
            uscc: look.uscc.as_str().to_owned(),
            source: line.source.as_str(),
            kind: line.source,
            day: as_of,
            as_of: as_of.to_string(),
        })
    };
    look.answers.iter().filter_map(stated).collect()
}

static SOURCE_DATES: ManyRows = ManyRows::new(
    "INSERT INTO source_dates (uscc, source, as_of) VALUES ",
    3,
    " ON CONFLICT (uscc, source) DO UPDATE SET as_of = excluded.as_of WHERE source_dates.as_of < excluded.as_of",
);

/// Moves firms' dates on to those that their departments stated now; never back. One date at most for each firm and source.
pub(super) async fn move_dates_on(batch: &mut Batch, dates: &[SourceDate]) -> Result<(), StoreError> {
    for date in dates {
        batch.touches_firm(&date.uscc);
    }
    write_many!(batch.transaction(), SOURCE_DATES, dates, |date| &date.uscc, date.source, &date.as_of);
    Ok(())
}

/// Looks of a bank at one firm.
/// `|| ''`: a bank looks at many firms and a firm is looked at by few banks, which SQLite cannot know.
pub(super) const LOOKS_OF_BANK: &str = "SELECT l.*, b.name AS bank_name FROM looks l LEFT JOIN banks b ON b.id = l.bank \
     WHERE l.uscc = $1 AND l.id < $2 AND l.bank || '' = $4 ORDER BY l.id DESC LIMIT $3";

impl Store {
    /// Enters a look that led to no decision into the ledger; answers once it is on disk.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when its id is taken or its bank is not known; [`StoreError::Unavailable`].
    pub async fn enter_look(&self, look: Look) -> Result<(), StoreError> {
        self.write(EnterLook(look)).await
    }

    /// The looks at a firm, newest first, from the one after `after` on; of one bank, or of everybody; at most 200.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn looks_at(
        &self,
        uscc: &Uscc,
        bank: Option<BankId>,
        after: Option<LookId>,
        limit: u32,
    ) -> Result<Vec<LedgerLine>, StoreError> {
        const OF_ALL: &str = "SELECT l.*, b.name AS bank_name FROM looks l LEFT JOIN banks b ON b.id = l.bank \
             WHERE l.uscc = $1 AND l.id < $2 ORDER BY l.id DESC LIMIT $3";
        let limit = i64::from(limit.min(PAGE_MAX));
        // "g" sorts after every UUID.
        let before = after.map_or_else(|| "g".to_owned(), |id| id.to_string());
        let mut reader = self.reader().await?;
        let rows = match bank {
            None => fetch!(fetch_all, Reader, &mut reader, LookRow, OF_ALL, uscc.as_str(), before, limit)?,
            Some(bank) => {
                let bank = bank.to_string();
                fetch!(fetch_all, Reader, &mut reader, LookRow, LOOKS_OF_BANK, uscc.as_str(), before, limit, bank)?
            }
        };
        drop(reader);
        rows.into_iter().map(LookRow::read).collect()
    }

    /// Every look at a firm, newest first: what the firm can be given.
    ///
    /// # Errors
    /// As [`Store::looks_at`].
    pub async fn ledger_of(&self, uscc: &Uscc) -> Result<Vec<LedgerLine>, StoreError> {
        let mut ledger: Vec<LedgerLine> = Vec::new();
        loop {
            let page = self.looks_at(uscc, None, ledger.last().map(|line| line.look.id), PAGE_MAX).await?;
            let last = page.len() < PAGE_MAX as usize;
            ledger.extend(page);
            if last {
                return Ok(ledger);
            }
        }
    }

    /// What is on record of a firm.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn history_of(&self, uscc: &Uscc) -> Result<FirmHistory, StoreError> {
        const DATES: &str = "SELECT source, as_of FROM source_dates WHERE uscc = $1";
        // Copies that were fetched before a date was taken back are void, too.
        const VOID: &str = "SELECT MAX(t.at) FROM (SELECT revoked_at AS at FROM consents WHERE uscc = $1 \
             UNION ALL SELECT at FROM forgotten_dates WHERE uscc = $1) t";
        let mut reader = self.reader().await?;
        let dates = fetch!(fetch_all, Reader, &mut reader, (String, String), DATES, uscc.as_str())?;
        let (void,) = fetch!(fetch_one, Reader, &mut reader, (Option<i64>,), VOID, uscc.as_str())?;
        drop(reader);
        // The row is a firm's; its id stays unnamed.
        let row = Row { what: "source date", id: "" };
        let mut latest_as_of = BTreeMap::new();
        for (source, as_of) in dates {
            // A kind that this version does not know has no say.
            if let Some(source) = SourceKind::named(&source) {
                latest_as_of.insert(source, row.parse("as_of", &as_of)?);
            }
        }
        Ok(FirmHistory { latest_as_of, revoked_at: row.instant_if_any("revoked_at", void)? })
    }
}

struct EnterLook(Look);

impl Write for EnterLook {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch) -> Result<(), StoreError> {
        enter(batch, &self.0).await
    }
}

/// The instant before which nothing is kept, `days` before `now`.
pub(super) fn days_before(now: Timestamp, days: u32) -> i64 {
    now.as_millisecond() - i64::from(days) * 24 * 60 * 60 * 1000
}
