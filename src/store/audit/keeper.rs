//! The task that signs the head of the chain from time to time and keeps what it signed outside the database.
//!
//! Each replica keeps a file of its own, on its own machine: they all speak of the one chain, and whoever checks may give all of
//! them. Before a head is signed the chain must still hold the one signed before, so that a chain that was rebuilt is never
//! signed, and is told of within seconds.

use std::future::Future;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::super::database::fetch;
use super::super::{Store, StoreError};
use super::checkpoint::{append, last_of};
use super::{Checkpoint, CheckpointError, Head, SigningKey};
use crate::settings::AuditSettings;

/// How often is looked whether a checkpoint is due.
const LOOK: Duration = Duration::from_secs(1);
/// How often a failure is told.
const TELL: Duration = Duration::from_secs(60);

/// Signs heads of the chain and keeps them.
pub struct CheckpointKeeper {
    key: SigningKey,
    path: PathBuf,
    rows: i64,
    every: Duration,
    last: Option<Checkpoint>,
    signed: Instant,
}

impl CheckpointKeeper {
    /// As the settings say; `None` where they name no key.
    ///
    /// # Errors
    /// [`CheckpointError`] where the key cannot be used, or what is in the file is no checkpoint.
    pub fn of(settings: &AuditSettings) -> Result<Option<CheckpointKeeper>, CheckpointError> {
        if settings.checkpoint_key.as_os_str().is_empty() {
            return Ok(None);
        }
        let path = settings.checkpoint_path.clone();
        Ok(Some(CheckpointKeeper {
            key: SigningKey::load(&settings.checkpoint_key)?,
            last: last_of(&path)?,
            path,
            rows: i64::from(settings.checkpoint_rows),
            every: Duration::from_secs(settings.checkpoint_seconds),
            signed: Instant::now(),
        }))
    }

    /// Signs what is due until `stop` is over, and then once more.
    pub async fn keep(mut self, store: Store, stop: impl Future<Output = ()>) {
        tokio::pin!(stop);
        let mut told: Option<Instant> = None;
        loop {
            let stopping = tokio::select! {
                () = &mut stop => true,
                () = tokio::time::sleep(LOOK) => false,
            };
            if let Err(error) = self.sign_if_due(&store, stopping).await
                && told.is_none_or(|told| stopping || told.elapsed() > TELL)
            {
                tracing::error!(%error, "no checkpoint of the audit chain was written");
                told = Some(Instant::now());
            }
            if stopping {
                return;
            }
        }
    }

    /// Signs the head where rows or time since the last checkpoint ask for it, or where it has moved and `always` is set.
    async fn sign_if_due(&mut self, store: &Store, always: bool) -> Result<(), CheckpointError> {
        let head = store.audit_head().await?;
        let behind = head.seq - self.last.as_ref().map_or(0, |last| last.seq);
        if behind == 0 || !(always || behind >= self.rows || behind < 0 || self.signed.elapsed() >= self.every) {
            return Ok(());
        }
        if let Some(last) = &self.last
            && store.audit_hash(last.seq).await?.as_ref() != Some(&last.hash)
        {
            return Err(CheckpointError::Rebuilt(last.seq));
        }
        let checkpoint = self.key.sign(head.seq, &head.hash, Timestamp::now());
        let (path, line) = (self.path.clone(), checkpoint.clone());
        let gone = |_| StoreError::Unavailable("the checkpoint was not written".to_owned());
        tokio::task::spawn_blocking(move || append(&path, &line)).await.map_err(gone)??;
        (self.last, self.signed) = (Some(checkpoint), Instant::now());
        Ok(())
    }
}

impl Store {
    /// The end of the chain as it is on disk.
    async fn audit_head(&self) -> Result<Head, StoreError> {
        const HEAD: &str = "SELECT seq, hash FROM audit_head WHERE id = 1";
        let mut reader = self.reader().await?;
        Ok(fetch!(fetch_one, Reader, &mut reader, Head, HEAD)?)
    }
}
