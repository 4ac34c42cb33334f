//! Notices to banks: written in the transaction of what they tell, read by the bank that they are for.

use jiff::Timestamp;
use serde::Serialize;
use uuid::Uuid;

use super::audit::{Batch, Kind, digest};
use super::column::Row;
use super::database::{execute, fetch};
use super::outbox::announce;
use super::writer::Write;
use super::{Store, StoreError};
use crate::domain::notice::NoticeAbout;
use crate::domain::{BankId, EventKind, Notice, NoticeId, NoticeKind};

/// The most notices on one page.
const PAGE_MAX: u32 = 200;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct NoticeRow {
    /// The audit row, where the query joins it.
    #[sqlx(default)]
    pub(super) seq: i64,
    id: String,
    number: i64,
    bank: String,
    kind: String,
    about: String,
    created_at: i64,
    seen_at: Option<i64>,
}

impl NoticeRow {
    /// All columns but whether it was seen.
    pub(super) fn digest(&self) -> String {
        digest(&(&self.id, self.number, &self.bank, &self.kind, &self.about, self.created_at))
    }

    fn read(self) -> Result<Notice, StoreError> {
        let row = Row { what: "notice", id: &self.id };
        Ok(Notice {
            id: row.parse("id", &self.id)?,
            number: self.number,
            bank: row.parse("bank", &self.bank)?,
            kind: row.parse("kind", &self.kind)?,
            about: row.json("about", &self.about)?,
            created_at: row.instant("created_at", self.created_at)?,
            seen_at: row.instant_if_any("seen_at", self.seen_at)?,
        })
    }
}

/// Writes a notice to `bank` into the transaction of what it tells, and the event that goes with it.
pub(super) async fn tell(
    batch: &mut Batch,
    bank: BankId,
    kind: NoticeKind,
    about: &NoticeAbout,
    at: Timestamp,
) -> Result<(), StoreError> {
    let id = NoticeId(Uuid::now_v7());
    let row = NoticeRow {
        seq: 0,
        id: id.to_string(),
        number: batch.next_seq(),
        bank: bank.to_string(),
        kind: kind.as_str().to_owned(),
        about: serde_json::to_string(about).unwrap_or_default(),
        created_at: at.as_millisecond(),
        seen_at: None,
    };
    execute!(
        batch.transaction(),
        "INSERT INTO notices (id, number, bank, kind, about, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        &row.id,
        row.number,
        &row.bank,
        &row.kind,
        &row.about,
        row.created_at,
    )?;
    batch.append(Kind::Notice, &row.id, &row.digest(), at);
    let told = Told { notice_id: id, cursor: row.number, about };
    announce(batch, bank, EventKind::of_notice(kind), &told, at).await?;
    Ok(())
}

/// What the event of a notice carries.
#[derive(Serialize)]
struct Told<'a> {
    notice_id: NoticeId,
    cursor: i64,
    #[serde(flatten)]
    about: &'a NoticeAbout,
}

impl Store {
    /// Notices to this bank with a number above `after`, in the order in which they were written; at most 200. Those up to
    /// `after` count as seen from now on: whoever asks for what follows has read them.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn notices_to(
        &self,
        bank: BankId,
        after: i64,
        limit: u32,
        now: Timestamp,
    ) -> Result<Vec<Notice>, StoreError> {
        const UNSEEN: &str = "SELECT number FROM notices WHERE bank = $1 AND number <= $2 AND seen_at IS NULL LIMIT 1";
        const PAGE: &str = "SELECT id, number, bank, kind, about, created_at, seen_at FROM notices \
             WHERE bank = $1 AND number > $2 ORDER BY number LIMIT $3";
        let (owner, limit) = (bank.to_string(), i64::from(limit.min(PAGE_MAX)));
        let mut reader = self.reader().await?;
        let unseen = fetch!(fetch_optional, Reader, &mut reader, (i64,), UNSEEN, &owner, after)?;
        let rows = fetch!(fetch_all, Reader, &mut reader, NoticeRow, PAGE, &owner, after, limit)?;
        drop(reader);
        if unseen.is_some() {
            self.write(NoticesSeen { bank, until: after, now }).await?;
        }
        rows.into_iter().map(NoticeRow::read).collect()
    }
}

struct NoticesSeen {
    bank: BankId,
    until: i64,
    now: Timestamp,
}

impl Write for NoticesSeen {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch) -> Result<(), StoreError> {
        execute!(
            batch.transaction(),
            "UPDATE notices SET seen_at = $1 WHERE bank = $2 AND number <= $3 AND seen_at IS NULL",
            self.now.as_millisecond(),
            self.bank.to_string(),
            self.until,
        )?;
        Ok(())
    }
}
