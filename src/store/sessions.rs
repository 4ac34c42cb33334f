//! Logging in, staying logged in, logging out.

use jiff::Timestamp;
use rand::distributions::{Alphanumeric, DistString};
use rand::rngs::OsRng;
use secrecy::SecretString;

use super::audit::{Batch, sha256};
use super::column::Row;
use super::database::{execute, fetch};
use super::keys::SECRET_CHARS;
use super::users::{ACTIVE_BY_NAME, UserRow, fold_name};
use super::writer::Write;
use super::{Store, StoreError, checked_name};
use crate::domain::{Role, User, UserId};

/// A session that is not used for so long has ended.
const IDLE_MS: i64 = 30 * 60 * 1000;
/// A session ends after so long, however much it is used.
const ABSOLUTE_MS: i64 = 10 * 60 * 60 * 1000;
/// A use is written down when the last one written is older; not every page is a write.
const TOUCH_MS: i64 = 60 * 1000;
/// So many failures under a name lock it.
const FAILURES_MAX: i64 = 5;
/// For so long.
const LOCKED_MS: i64 = 5 * 60 * 1000;
/// Failures older than this are forgotten.
const FAILURES_KEPT_MS: i64 = 15 * 60 * 1000;

/// A console session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Who.
    pub user: User,
    /// What every form must carry; follows from the token, so that no other page can know it.
    pub csrf: String,
    /// When it ends unless it is used before (and in any case ten hours after the log-in).
    pub expires_at: Timestamp,
}

/// The outcome of a log-in.
#[derive(Debug)]
pub enum LogIn {
    /// Name and password are right.
    Welcome {
        /// The session.
        session: Session,
        /// The cookie's value; only a hash is stored.
        token: SecretString,
    },
    /// Name or password is wrong, or the user is disabled; which is not told.
    Wrong,
    /// Too many failures under this name.
    Locked {
        /// Until when no log-in under this name is tried.
        until: Timestamp,
    },
}

#[derive(Debug, sqlx::FromRow)]
struct SessionRow {
    user_id: String,
    user_name: String,
    role: String,
    created_at: i64,
    seen_at: i64,
}

impl SessionRow {
    fn ends_at(&self) -> i64 {
        (self.seen_at + IDLE_MS).min(self.created_at + ABSOLUTE_MS)
    }
}

/// What a form must carry. The page gets it; the token stays in a cookie that no script reads.
fn csrf_of(token: &str) -> String {
    sha256(format!("csrf\n{token}").as_bytes())
}

impl Store {
    /// Checks name and password and begins a session. An unknown name takes as long as a wrong password. After five
    /// failures under a name, known or not, no log-in under it is tried for five minutes.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn log_in(&self, name: &str, password: &SecretString, now: Timestamp) -> Result<LogIn, StoreError> {
        if checked_name(name).is_err() {
            // Nobody has such a name; it is not worth a row.
            self.passwords().fits(password, None).await?;
            return Ok(LogIn::Wrong);
        }
        let name = fold_name(name);
        // Counted before the password is checked, so that tries at the same time are all counted.
        if let Some(until) = self.write(CountTry { name: name.clone(), now }).await? {
            return Ok(LogIn::Locked { until });
        }
        let mut reader = self.reader().await?;
        let row = fetch!(fetch_optional, Reader, &mut reader, UserRow, ACTIVE_BY_NAME, &name)?;
        drop(reader);
        let hash = row.as_ref().map(|row| row.password_hash.clone());
        let (true, Some(row)) = (self.passwords().fits(password, hash).await?, row) else {
            return Ok(LogIn::Wrong);
        };
        let token = Alphanumeric.sample_string(&mut OsRng, SECRET_CHARS);
        let session = Session {
            user: row.user()?,
            csrf: csrf_of(&token),
            expires_at: Row { what: "user", id: &row.id }.instant("session", now.as_millisecond() + IDLE_MS)?,
        };
        let begin =
            BeginSession { token_sha256: sha256(token.as_bytes()), password_hash: row.password_hash, name, now };
        Ok(if self.write(begin).await? { LogIn::Welcome { session, token: token.into() } } else { LogIn::Wrong })
    }

    /// The session of a cookie; `None` when it has ended. Using it prolongs it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn session(&self, token: &str, now: Timestamp) -> Result<Option<Session>, StoreError> {
        const SELECT: &str = "SELECT s.user_id, u.name AS user_name, u.role, s.created_at, s.seen_at \
             FROM sessions s JOIN users u ON u.id = s.user_id \
             WHERE s.token_sha256 = $1 AND u.disabled_at IS NULL";
        if token.len() != SECRET_CHARS {
            return Ok(None);
        }
        let token_sha256 = sha256(token.as_bytes());
        let mut reader = self.reader().await?;
        let row = fetch!(fetch_optional, Reader, &mut reader, SessionRow, SELECT, &token_sha256)?;
        drop(reader);
        let at = now.as_millisecond();
        let Some(mut found) = row.filter(|row| at < row.ends_at()) else { return Ok(None) };
        if at - found.seen_at >= TOUCH_MS {
            // A store that takes no writes now still shows pages.
            if self.write(TouchSession { token_sha256, at }).await.is_ok() {
                found.seen_at = at;
            }
        }
        let row = Row { what: "user", id: &found.user_id };
        let user = User {
            id: row.parse::<UserId>("id", &found.user_id)?,
            role: row.parse::<Role>("role", &found.role)?,
            name: found.user_name.clone(),
        };
        Ok(Some(Session { user, csrf: csrf_of(token), expires_at: row.instant("session", found.ends_at())? }))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn log_out(&self, token: &str) -> Result<(), StoreError> {
        self.write(EndSession { token_sha256: sha256(token.as_bytes()) }).await
    }
}

struct CountTry {
    name: String,
    now: Timestamp,
}

impl Write for CountTry {
    type Answer = Option<Timestamp>;

    async fn apply(&self, batch: &mut Batch) -> Result<Option<Timestamp>, StoreError> {
        const SELECT: &str = "SELECT failures, last_at, locked_until FROM log_in_failures WHERE name_folded = $1";
        let now = self.now.as_millisecond();
        let known =
            fetch!(fetch_optional, WriteTransaction, batch.transaction(), (i64, i64, Option<i64>), SELECT, &self.name)?;
        let failures = match known {
            Some((_, _, Some(until))) if now < until => {
                return Row { what: "log-in", id: "" }.instant("locked_until", until).map(Some);
            }
            Some((failures, last_at, None)) if now - last_at < FAILURES_KEPT_MS => failures + 1,
            // Never, long ago, or locked until a while ago.
            _ => 1,
        };
        execute!(
            batch.transaction(),
            "INSERT INTO log_in_failures (name_folded, failures, last_at, locked_until) VALUES ($1, $2, $3, $4) \
             ON CONFLICT (name_folded) DO UPDATE SET failures = excluded.failures, last_at = excluded.last_at, \
             locked_until = excluded.locked_until",
            &self.name,
            failures,
            now,
            (failures >= FAILURES_MAX).then_some(now + LOCKED_MS)
        )?;
        execute!(batch.transaction(), "DELETE FROM log_in_failures WHERE last_at < $1", now - FAILURES_KEPT_MS)?;
        Ok(None)
    }
}

struct BeginSession {
    token_sha256: String,
    password_hash: String,
    name: String,
    now: Timestamp,
}

impl Write for BeginSession {
    type Answer = bool;

    async fn apply(&self, batch: &mut Batch) -> Result<bool, StoreError> {
        // The user may have been disabled, or given another password, while this one was being checked.
        let row = fetch!(fetch_optional, WriteTransaction, batch.transaction(), UserRow, ACTIVE_BY_NAME, &self.name)?;
        let Some(row) = row.filter(|row| row.password_hash == self.password_hash) else { return Ok(false) };
        let now = self.now.as_millisecond();
        execute!(batch.transaction(), "DELETE FROM log_in_failures WHERE name_folded = $1", &self.name)?;
        execute!(
            batch.transaction(),
            "DELETE FROM sessions WHERE seen_at <= $1 OR created_at <= $2",
            now - IDLE_MS,
            now - ABSOLUTE_MS
        )?;
        execute!(
            batch.transaction(),
            "INSERT INTO sessions (token_sha256, user_id, created_at, seen_at) VALUES ($1, $2, $3, $4)",
            &self.token_sha256,
            &row.id,
            now,
            now
        )?;
        Ok(true)
    }
}

struct TouchSession {
    token_sha256: String,
    at: i64,
}

impl Write for TouchSession {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch) -> Result<(), StoreError> {
        execute!(
            batch.transaction(),
            "UPDATE sessions SET seen_at = $1 WHERE token_sha256 = $2 AND seen_at < $1",
            self.at,
            &self.token_sha256
        )?;
        Ok(())
    }
}

struct EndSession {
    token_sha256: String,
}

impl Write for EndSession {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch) -> Result<(), StoreError> {
        execute!(batch.transaction(), "DELETE FROM sessions WHERE token_sha256 = $1", &self.token_sha256)?;
        Ok(())
    }
}
