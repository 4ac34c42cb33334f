//! `yuxin decisions`: records of decisions, for the office.

use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;
use uuid::Uuid;

use super::write_out;
use crate::domain::{DecisionId, DecisionRecord, Look, LookId};
use crate::store::{DecisionLink, Store, StoreError};

/// Records of decisions.
#[derive(Debug, Subcommand)]
pub enum DecisionsCommand {
    /// Prints a decision's whole record as JSON, departments' records included, for `yuxin verify`. The reading is entered into the
    /// firm's ledger.
    Export {
        /// The decision's id.
        id: DecisionId,
        /// Where to write it [default: stdout].
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
}

/// Why a command about decisions failed.
#[derive(Debug, Error)]
pub enum DecisionsError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such decision.
    #[error("there is no decision {0}")]
    NoSuchDecision(DecisionId),
    /// The record cannot be written as JSON.
    #[error("the record cannot be written: {0}")]
    Json(#[from] serde_json::Error),
    /// The file cannot be written.
    #[error("{0}")]
    Write(String),
}

/// A record with the row of the audit chain that speaks of it.
#[derive(Serialize)]
struct Exported<'a> {
    #[serde(flatten)]
    record: &'a DecisionRecord,
    chain: Option<&'a DecisionLink>,
}

/// Does what the command says.
///
/// # Errors
/// [`DecisionsError`], for stderr and exit code 1.
pub async fn run(command: DecisionsCommand, store: &Store) -> Result<(), DecisionsError> {
    let DecisionsCommand::Export { id, out } = command;
    let record = store.decision_for_office(id).await?.ok_or(DecisionsError::NoSuchDecision(id))?;
    let chain = store.link_of(id).await?;
    let mut text = serde_json::to_string_pretty(&Exported { record: &record, chain: chain.as_ref() })?;
    text.push('\n');
    let (look, who) = (LookId(Uuid::now_v7()), "yuxin decisions export".to_owned());
    let look = Look::reading(look, &record, who, "record_export", Timestamp::now());
    // First the ledger, then the record: nobody gets one without a line in the other.
    store.enter_look(look).await?;
    write_out(out.as_deref(), text.as_bytes()).map_err(DecisionsError::Write)
}
