//! `yuxin sources rejected`: replies of departments that broke a rule.

use std::io::Write;

use clap::Subcommand;
use thiserror::Error;
use uuid::Uuid;

use crate::store::{Store, StoreError};

/// Departments.
#[derive(Debug, Subcommand)]
pub enum SourcesCommand {
    /// Lists the replies that broke a rule and were not scored: when, which department, what broke where. No firm is named.
    Rejected {
        /// Prints the body of one of them instead, at most its first 256 KiB. It is about a firm: keep it to yourself.
        #[arg(long, value_name = "ID")]
        body: Option<Uuid>,
    },
}

/// Why a command about departments failed.
#[derive(Debug, Error)]
pub enum SourcesCommandError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such reply.
    #[error(
        "no body is kept under {0}: it is too old, the firm revoked a consent, or the consent covered only parts of the record"
    )]
    NoBody(Uuid),
    /// The body cannot be written to stdout.
    #[error("the body cannot be written: {0}")]
    Write(#[from] std::io::Error),
}

/// Does what the command says.
///
/// # Errors
/// [`SourcesCommandError`], for stderr and exit code 1.
pub async fn run(command: SourcesCommand, store: &Store) -> Result<(), SourcesCommandError> {
    let SourcesCommand::Rejected { body } = command;
    if let Some(id) = body {
        let body = store.rejected_body(id).await?.ok_or(SourcesCommandError::NoBody(id))?;
        return Ok(std::io::stdout().write_all(&body)?);
    }
    println!("id\tat\tsource\tpointer\tproblem\tbytes\tsha256");
    for line in store.rejected_replies().await? {
        let bytes = line.body_bytes.map_or_else(|| "-".to_owned(), |bytes| bytes.to_string());
        let pointer = if line.pointer.is_empty() { "-" } else { &line.pointer };
        println!("{}\t{}\t{}\t{pointer}\t{}\t{bytes}\t{}", line.id, line.at, line.source, line.problem, line.digest);
    }
    Ok(())
}
