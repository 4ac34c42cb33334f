//! `yuxin audit`: whether anything recorded was changed.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use clap::Subcommand;
use thiserror::Error;

use crate::store::{Checkpoint, CheckpointError, PublicKey, SigningKey, Store, StoreError};

/// The audit chain.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Walks the chain over everything recorded and prints its head; exit 1 when anything was changed, deleted, put in, cut or rebuilt
    Verify(VerifyArgs),
    /// Makes a key that signs checkpoints of the chain: FILE, to be kept secret, and FILE.pub for whoever checks
    Key {
        /// The file of the private key; it must not be there yet.
        #[arg(value_name = "FILE")]
        file: PathBuf,
    },
}

/// What to check beside the chain itself.
#[derive(Debug, Default, clap::Args)]
pub struct VerifyArgs {
    /// A head that an earlier run printed and that was kept elsewhere: the chain must still contain it.
    #[arg(long, value_name = "SEQ:HASH")]
    pub noted: Option<NotedHead>,
    /// Files of signed checkpoints; the chain must still contain each of them.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "public_key")]
    pub checkpoints: Vec<PathBuf>,
    /// The public keys that may have signed them.
    #[arg(long, value_name = "FILE", num_args = 1.., requires = "checkpoints")]
    pub public_key: Vec<PathBuf>,
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
    /// A key or a file of checkpoints.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// A key's file cannot be written.
    #[error("{path} cannot be written: {source}")]
    Write {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The chain, or what it speaks of, was changed.
    #[error("the audit chain is broken")]
    Broken,
    /// The chain is consistent but not the one that was noted down.
    #[error("row {0} of the chain does not have the hash that was noted down: the chain was rebuilt or cut")]
    NotTheNoted(i64),
}

/// Checks the chain, against heads that were kept outside the database where some are given.
///
/// # Errors
/// [`AuditError`], for stderr and exit code 1.
pub async fn verify(args: VerifyArgs, store: &Store) -> Result<(), AuditError> {
    let checkpoints = read_checkpoints(&args)?;
    let report = store.verify_audit_against(&checkpoints).await?;
    for problem in &report.problems {
        let seq = problem.seq.map_or_else(|| "-".to_owned(), |seq| seq.to_string());
        eprintln!("{seq}\t{}\t{}\t{}", problem.kind, problem.subject, problem.what);
    }
    if !report.intact() {
        return Err(AuditError::Broken);
    }
    if let Some(NotedHead { seq, hash }) = args.noted
        && seq != 0
        && store.audit_hash(seq).await? != Some(hash)
    {
        return Err(AuditError::NotTheNoted(seq));
    }
    match checkpoints.iter().max_by_key(|checkpoint| checkpoint.seq) {
        Some(last) => eprintln!(
            "{} entries, intact, as signed in {} checkpoints, the last of row {} at {}; the {} rows since then rest on the \
             chain alone:",
            report.entries,
            checkpoints.len(),
            last.seq,
            last.at,
            report.head_seq - last.seq
        ),
        None => {
            eprintln!("{} entries, intact; note the head down elsewhere and give it to --noted later:", report.entries)
        }
    }
    println!("{}:{}", report.head_seq, report.head_hash);
    Ok(())
}

fn read_checkpoints(args: &VerifyArgs) -> Result<Vec<Checkpoint>, CheckpointError> {
    let keys = args.public_key.iter().map(|path| PublicKey::load(path)).collect::<Result<Vec<_>, _>>()?;
    let files = args.checkpoints.iter().map(|path| Checkpoint::read_all(path, &keys));
    Ok(files.collect::<Result<Vec<_>, _>>()?.concat())
}

/// Makes a key for checkpoints; prints its id.
///
/// # Errors
/// [`AuditError`]; nothing is overwritten.
pub fn make_key(file: &Path) -> Result<(), AuditError> {
    let key = SigningKey::generate()?;
    let public = PathBuf::from(format!("{}.pub", file.display()));
    write_new(file, 0o600, &key.private_pem()?)?;
    write_new(&public, 0o644, &key.public_pem())?;
    eprintln!(
        "keep {} secret and name it in audit.checkpoint_key; give {} to the auditor",
        file.display(),
        public.display()
    );
    println!("{}", key.id());
    Ok(())
}

/// Writes a file that is not there yet.
fn write_new(path: &Path, mode: u32, text: &str) -> Result<(), AuditError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, mode);
    #[cfg(not(unix))]
    let _ = mode;
    let written =
        options.open(path).and_then(|mut file| file.write_all(text.as_bytes()).and_then(|()| file.sync_all()));
    written.map_err(|source| AuditError::Write { path: path.display().to_string(), source })
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
