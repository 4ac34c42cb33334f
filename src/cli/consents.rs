//! `yuxin consents`: what the office does for a firm that comes in person.

use clap::Subcommand;
use jiff::Timestamp;
use thiserror::Error;

use crate::domain::ConsentId;
use crate::store::{Store, StoreError};

/// Consents of firms.
#[derive(Debug, Subcommand)]
pub enum ConsentsCommand {
    /// Revokes a consent for the firm, whichever bank holds it; the bank finds a notice. `yuxin ledger` shows the ids in use.
    Revoke {
        /// The consent's id.
        id: ConsentId,
    },
}

/// Why a command about consents failed.
#[derive(Debug, Error)]
pub enum ConsentsError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such consent.
    #[error("there is no consent {0}")]
    NoSuchConsent(ConsentId),
}

/// Does what the command says.
///
/// # Errors
/// [`ConsentsError`], for stderr and exit code 1.
pub async fn run(command: ConsentsCommand, store: &Store) -> Result<(), ConsentsError> {
    let ConsentsCommand::Revoke { id } = command;
    let revoked = store.revoke_consent_for_firm(id, Timestamp::now()).await?;
    let consent = revoked.ok_or(ConsentsError::NoSuchConsent(id))?;
    let at = consent.revoked_at.map(|at| at.to_string()).unwrap_or_default();
    eprintln!(
        "consent {id} is revoked since {at}; its bank has a notice, and no department is asked under it any more"
    );
    Ok(())
}
