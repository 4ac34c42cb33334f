//! Whether the store takes writes: a disk that is full or read-only is found before a bank finds it.

use std::time::Duration;

use jiff::Timestamp;

use super::audit::Batch;
use super::database::execute;
use super::writer::Write;
use super::{Store, StoreError};

/// A store that takes longer is not ready.
const TIMEOUT: Duration = Duration::from_secs(2);

struct Probe(Timestamp);

impl Write for Probe {
    type Answer = ();

    async fn apply(&self, batch: &mut Batch) -> Result<(), StoreError> {
        execute!(batch.transaction(), "UPDATE probe SET at = $1 WHERE id = 1", self.0.as_millisecond())?;
        Ok(())
    }
}

impl Store {
    /// Writes something small all the way to the disk, by the way that decisions take.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] when that fails, takes longer than two seconds, or the writer has ended.
    pub async fn check_writable(&self) -> Result<(), StoreError> {
        tokio::time::timeout(TIMEOUT, self.write(Probe(Timestamp::now())))
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable("a write took longer than two seconds".to_owned())))
    }
}
