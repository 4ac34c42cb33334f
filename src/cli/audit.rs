//! `yuxin audit`: whether anything recorded was changed.

use std::str::FromStr;

use clap::Subcommand;
use thiserror::Error;

use crate::store::{Store, StoreError};

/// The audit chain.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Walks the chain over everything recorded and prints its head; exit 1 when anything was changed, deleted, put in or cut.
    Verify {
        /// A head that an earlier run printed and that was kept elsewhere: the chain must still contain it.
        #[arg(long, value_name = "SEQ:HASH")]
        noted: Option<NotedHead>,
    },
}

/// A head of the chain that was noted down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotedHead {
    seq: i64,
    hash: String,
}

impl FromStr for NotedHead {
    type Err = String;

    fn from_str(text: &str) -> Result<NotedHead, String> {
        let wrong = || "it must be a number, a colon and 64 hexadecimal digits".to_owned();
        let (seq, hash) = text.trim().split_once(':').ok_or_else(wrong)?;
        let seq = seq.parse().map_err(|_| wrong())?;
        let hash = hash.to_ascii_lowercase();
        if hash.len() != 64 || !hash.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        Ok(NotedHead { seq, hash })
    }
}

/// Why a command about the audit chain failed.
#[derive(Debug, Error)]
pub enum AuditError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The chain, or what it speaks of, was changed.
    #[error("the audit chain is broken")]
    Broken,
    /// The chain is consistent but not the one that was noted down.
    #[error("row {0} of the chain does not have the hash that was noted down: the chain was rebuilt or cut")]
    NotTheNoted(i64),
}

/// Does what the command says.
///
/// # Errors
/// [`AuditError`], for stderr and exit code 1.
pub async fn run(command: AuditCommand, store: &Store) -> Result<(), AuditError> {
    let AuditCommand::Verify { noted } = command;
    let report = store.verify_audit().await?;
    for problem in &report.problems {
        let seq = problem.seq.map_or_else(|| "-".to_owned(), |seq| seq.to_string());
        eprintln!("{seq}\t{}\t{}\t{}", problem.kind, problem.subject, problem.what);
    }
    if !report.intact() {
        return Err(AuditError::Broken);
    }
    if let Some(NotedHead { seq, hash }) = noted
        && seq != 0
        && store.audit_hash(seq).await? != Some(hash)
    {
        return Err(AuditError::NotTheNoted(seq));
    }
    eprintln!("{} entries, intact; note the head down elsewhere and give it to --noted later:", report.entries);
    println!("{}:{}", report.head_seq, report.head_hash);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_noted_head_is_read_as_it_is_printed_and_nothing_else_is() {
        let printed = format!("12:{}", "0a".repeat(32));
        assert_eq!(printed.parse(), Ok(NotedHead { seq: 12, hash: "0a".repeat(32) }));
        for wrong in ["", "12", "x:00", "12:zz", &format!("12:{}", "0".repeat(63)), &format!("12:{}", "g".repeat(64))] {
            assert!(wrong.parse::<NotedHead>().is_err(), "{wrong}");
        }
    }
}
