//! People who work in the console: made, listed, disabled, given a new password.

use jiff::Timestamp;
use secrecy::SecretString;
use uuid::Uuid;

use super::audit::{Batch, Kind, digest};
use super::column::Row;
use super::database::{execute, fetch};
use super::writer::Write;
use super::{Store, StoreError, checked_name};
use crate::domain::{Role, User};

/// A user with what the list of users shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserInfo {
    /// The user.
    pub user: User,
    /// When the user was made.
    pub created_at: Timestamp,
    /// When the user was disabled, if so.
    pub disabled_at: Option<Timestamp>,
}

#[derive(Debug, Clone, sqlx::FromRow, serde::Deserialize)]
pub(super) struct UserRow {
    /// The audit row, where the query joins it.
    #[sqlx(default)]
    #[serde(default)]
    pub(super) seq: i64,
    pub(super) id: String,
    name: String,
    name_folded: String,
    role: String,
    pub(super) password_hash: String,
    created_at: i64,
    disabled_at: Option<i64>,
}

impl UserRow {
    /// All columns but the password and the disabling, which have their own rows in the chain.
    pub(super) fn digest(&self) -> String {
        digest(&(&self.id, &self.name, &self.name_folded, &self.role, self.created_at))
    }

    pub(super) fn password_digest(&self) -> String {
        digest(&(&self.id, &self.password_hash))
    }

    pub(super) fn disabling_digest(&self) -> String {
        digest(&(&self.id, self.disabled_at))
    }

    pub(super) fn user(&self) -> Result<User, StoreError> {
        let row = Row { what: "user", id: &self.id };
        Ok(User { id: row.parse("id", &self.id)?, name: self.name.clone(), role: row.parse("role", &self.role)? })
    }

    fn read(&self) -> Result<UserInfo, StoreError> {
        let row = Row { what: "user", id: &self.id };
        Ok(UserInfo {
            user: self.user()?,
            created_at: row.instant("created_at", self.created_at)?,
            disabled_at: row.instant_if_any("disabled_at", self.disabled_at)?,
        })
    }
}

/// Users; a condition or an order must follow.
macro_rules! select_users {
    () => {
        "SELECT id, name, name_folded, role, password_hash, created_at, disabled_at FROM users"
    };
}

/// The user of this folded name who may still log in.
pub(super) const ACTIVE_BY_NAME: &str = concat!(select_users!(), " WHERE name_folded = $1 AND disabled_at IS NULL");

/// A name as it is compared.
pub(super) fn fold_name(name: &str) -> String {
    name.trim().to_lowercase()
}

impl Store {
    /// Makes a user.
    ///
    /// # Errors
    /// [`StoreError::BadName`]; [`StoreError::BadPassword`]; [`StoreError::NameTaken`], also by a disabled user, so that
    /// a name in the audit chain means one person for ever; [`StoreError::Unavailable`].
    pub async fn create_user(
        &self,
        name: &str,
        role: Role,
        password: &SecretString,
        now: Timestamp,
    ) -> Result<User, StoreError> {
        let name = checked_name(name)?;
        let row = UserRow {
            seq: 0,
            id: Uuid::now_v7().to_string(),
            name_folded: fold_name(&name),
            name,
            role: role.as_str().to_owned(),
            password_hash: self.passwords().hash(password).await?,
            created_at: now.as_millisecond(),
            disabled_at: None,
        };
        self.write(CreateUser { row, now }).await
    }

    /// Every user, by name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::Corrupt`].
    pub async fn list_users(&self) -> Result<Vec<UserInfo>, StoreError> {
        const ALL: &str = concat!(select_users!(), " ORDER BY name_folded");
        let mut reader = self.reader().await?;
        let rows = fetch!(fetch_all, Reader, &mut reader, UserRow, ALL)?;
        rows.iter().map(UserRow::read).collect()
    }

    /// Gives a user a new password, ends the user's sessions and lifts a lock on the name.
    ///
    /// # Errors
    /// [`StoreError::NoSuchUser`]; [`StoreError::BadPassword`]; [`StoreError::Unavailable`].
    pub async fn set_password(&self, name: &str, password: &SecretString, now: Timestamp) -> Result<(), StoreError> {
        let hash = self.passwords().hash(password).await?;
        self.write(SetPassword { name: fold_name(name), hash, now }).await
    }

    /// Disables a user for good and ends the user's sessions; `false` when there is no such user who is not disabled.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`].
    pub async fn disable_user(&self, name: &str, now: Timestamp) -> Result<bool, StoreError> {
        self.write(DisableUser { name: fold_name(name), now }).await
    }
}

struct CreateUser {
    row: UserRow,
    now: Timestamp,
}

impl Write for CreateUser {
    type Answer = User;

    async fn apply(&self, batch: &mut Batch) -> Result<User, StoreError> {
        let row = &self.row;
        let made = execute!(
            batch.transaction(),
            "INSERT INTO users (id, name, name_folded, role, password_hash, created_at) \
             VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (name_folded) DO NOTHING",
            &row.id,
            &row.name,
            &row.name_folded,
            &row.role,
            &row.password_hash,
            row.created_at
        )?;
        if made == 0 {
            return Err(StoreError::NameTaken);
        }
        batch.append(Kind::User, &row.id, &row.digest(), self.now);
        batch.append(Kind::Password, &row.id, &row.password_digest(), self.now);
        row.user()
    }
}

struct SetPassword {
    name: String,
    hash: String,
    now: Timestamp,
}

impl Write for SetPassword {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch) -> Result<(), StoreError> {
        let row = fetch!(fetch_optional, WriteTransaction, batch.transaction(), UserRow, ACTIVE_BY_NAME, &self.name)?;
        let row = UserRow { password_hash: self.hash.clone(), ..row.ok_or(StoreError::NoSuchUser)? };
        execute!(
            batch.transaction(),
            "UPDATE users SET password_hash = $1 WHERE id = $2",
            &row.password_hash,
            &row.id
        )?;
        execute!(batch.transaction(), "DELETE FROM sessions WHERE user_id = $1", &row.id)?;
        execute!(batch.transaction(), "DELETE FROM log_in_failures WHERE name_folded = $1", &self.name)?;
        batch.append(Kind::Password, &row.id, &row.password_digest(), self.now);
        Ok(())
    }
}

struct DisableUser {
    name: String,
    now: Timestamp,
}

impl Write for DisableUser {
    type Answer = bool;

    async fn apply(&self, batch: &mut Batch) -> Result<bool, StoreError> {
        let row = fetch!(fetch_optional, WriteTransaction, batch.transaction(), UserRow, ACTIVE_BY_NAME, &self.name)?;
        let Some(row) = row else { return Ok(false) };
        let row = UserRow { disabled_at: Some(self.now.as_millisecond()), ..row };
        execute!(batch.transaction(), "UPDATE users SET disabled_at = $1 WHERE id = $2", row.disabled_at, &row.id)?;
        execute!(batch.transaction(), "DELETE FROM sessions WHERE user_id = $1", &row.id)?;
        batch.append(Kind::UserDisabled, &row.id, &row.disabling_digest(), self.now);
        Ok(true)
    }
}
