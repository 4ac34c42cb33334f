//! As-of dates that an operator takes back: a department stated a date by mistake, and since then no right reply was believed.

use jiff::Timestamp;
use jiff::civil::Date;
use uuid::Uuid;

use super::audit::{Batch, Kind, digest};
use super::changes::{self, Change};
use super::column::Row;
use super::database::{execute, fetch};
use super::failure::without_nul;
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::{SourceKind, Uscc};

#[derive(Debug, sqlx::FromRow)]
pub(super) struct ForgottenRow {
    /// The audit row, where the query joins it.
    #[sqlx(default)]
    pub(super) seq: i64,
    id: String,
    uscc: String,
    source: String,
    as_of: String,
    reason: String,
    office: String,
    at: i64,
}

impl ForgottenRow {
    pub(super) fn digest(&self) -> String {
        digest(&(&self.id, &self.uscc, &self.source, &self.as_of, &self.reason, &self.office, self.at))
    }
}

impl Store {
    /// Forgets the latest as-of date that a source has stated of a firm, and says who did it and why; gives the date, or `None` where
    /// none is on record. The next reply may be as of any day again, and no copy of an earlier reply is used, in any process.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn forget_date(
        &self,
        uscc: &Uscc,
        source: SourceKind,
        who: String,
        reason: String,
        now: Timestamp,
    ) -> Result<Option<Date>, StoreError> {
        self.write(ForgetDate { uscc: uscc.clone(), source, who, reason, now }).await
    }
}

struct ForgetDate {
    uscc: Uscc,
    source: SourceKind,
    who: String,
    reason: String,
    now: Timestamp,
}

impl Write for ForgetDate {
    type Answer = Option<Date>;

    async fn apply(&self, batch: &mut Batch) -> Result<Option<Date>, StoreError> {
        const FOUND: &str = "SELECT as_of FROM source_dates WHERE uscc = $1 AND source = $2";
        let (uscc, source) = (self.uscc.as_str(), self.source.as_str());
        let found = fetch!(fetch_optional, WriteTransaction, batch.transaction(), (String,), FOUND, uscc, source)?;
        let Some((as_of,)) = found else { return Ok(None) };
        execute!(
            batch.transaction(),
            "DELETE FROM source_dates WHERE uscc = $1 AND source = $2",
            self.uscc.as_str(),
            self.source.as_str(),
        )?;
        let row = ForgottenRow {
            seq: 0,
            id: Uuid::now_v7().to_string(),
            uscc: uscc.to_owned(),
            source: source.to_owned(),
            as_of,
            reason: without_nul(&self.reason),
            office: without_nul(&self.who),
            at: self.now.as_millisecond(),
        };
        execute!(
            batch.transaction(),
            "INSERT INTO forgotten_dates (id, uscc, source, as_of, reason, office, at) VALUES ($1, $2, $3, $4, $5, $6, $7)",
            &row.id,
            &row.uscc,
            &row.source,
            &row.as_of,
            &row.reason,
            &row.office,
            row.at,
        )?;
        batch.append(Kind::DateForgotten, &row.id, &row.digest(), self.now);
        batch.touches_firm(uscc);
        changes::announce(batch, &Change::ConsentRevoked(self.uscc.clone())).await?;
        // The row is a firm's; its id stays unnamed.
        Row { what: "source date", id: "" }.parse("as_of", &row.as_of).map(Some)
    }
}
