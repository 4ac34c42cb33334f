//! `yuxin ledger`: every look at a firm, to be given to it.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::Serialize;
use thiserror::Error;

use super::write_out;
use crate::domain::{LookBy, SourceKind, Uscc, UsccError, china};
use crate::store::{LedgerLine, Store, StoreError};

/// Print every look at a firm: who, under which consent, for what, when, what was asked and what came back
#[derive(Debug, clap::Args)]
pub struct LedgerArgs {
    /// The firm's unified social credit code.
    #[arg(value_name = "USCC")]
    uscc: String,
    /// Where to write it: .csv or .json [default: CSV on stdout].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Why the ledger was not printed.
#[derive(Debug, Error)]
pub enum LedgerError {
    /// The code is none.
    #[error("this is no unified social credit code: {0}")]
    Code(#[from] UsccError),
    /// The format is not known.
    #[error("--out must end in .csv or .json")]
    Format,
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It cannot be written.
    #[error("the ledger cannot be written: {0}")]
    Write(String),
}

/// One department in one look; a look that asked none has one line without a department.
#[derive(Serialize)]
struct Line<'a> {
    look: String,
    at: String,
    who: &'a str,
    office: bool,
    consent: Option<String>,
    purpose: &'a str,
    result: &'static str,
    decision: Option<String>,
    source: Option<&'static str>,
    status: Option<&'static str>,
    as_of: Option<String>,
    digest: Option<&'a str>,
}

/// Prints the ledger.
///
/// # Errors
/// [`LedgerError`], for stderr and exit code 1.
pub async fn run(args: LedgerArgs, store: &Store) -> Result<(), LedgerError> {
    let uscc: Uscc = args.uscc.parse()?;
    let extension = args.out.as_deref().map(|path| path.extension().and_then(|e| e.to_str()).unwrap_or("").to_owned());
    let json = match extension.as_deref() {
        None | Some("csv") => false,
        Some("json") => true,
        Some(_) => return Err(LedgerError::Format),
    };
    // Also where no service runs that would.
    store.enter_cut_off_looks(Timestamp::now()).await?;
    let ledger = store.ledger_of(&uscc).await?;
    let lines: Vec<Line<'_>> = ledger.iter().flat_map(lines_of).collect();
    let text = if json { as_json(&lines) } else { as_csv(&lines) }.map_err(LedgerError::Write)?;
    write_out(args.out.as_deref().map(Path::new), &text).map_err(LedgerError::Write)?;
    eprintln!("{} looks at this firm", ledger.len());
    Ok(())
}

fn lines_of(line: &LedgerLine) -> Vec<Line<'_>> {
    let look = &line.look;
    let (who, office) = match &look.by {
        LookBy::Bank(_) => (line.bank_name.as_deref().unwrap_or_default(), false),
        LookBy::Office(who) => (who.as_str(), true),
    };
    let of = |source: Option<SourceKind>| {
        let answer = look.answers.iter().find(|answer| Some(answer.source) == source);
        Line {
            look: look.id.to_string(),
            // China's time, for whoever reads it there.
            at: look.at.to_zoned(china()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string(),
            who,
            office,
            consent: look.consent.map(|id| id.to_string()),
            purpose: &look.purpose,
            result: look.end.as_str(),
            decision: look.decision.map(|id| id.to_string()),
            source: source.map(SourceKind::as_str),
            status: answer.map(|answer| answer.status.as_str()),
            as_of: answer.and_then(|answer| answer.as_of).map(|day| day.to_string()),
            digest: answer.and_then(|answer| answer.digest.as_deref()),
        }
    };
    match look.asked.as_slice() {
        [] => vec![of(None)],
        asked => asked.iter().map(|source| of(Some(*source))).collect(),
    }
}

fn as_json(lines: &[Line<'_>]) -> Result<Vec<u8>, String> {
    let mut text = serde_json::to_vec_pretty(lines).map_err(|error| error.to_string())?;
    text.push(b'\n');
    Ok(text)
}

fn as_csv(lines: &[Line<'_>]) -> Result<Vec<u8>, String> {
    let mut writer = csv::WriterBuilder::new().has_headers(false).from_writer(Vec::new());
    let columns = [
        "look", "at", "who", "office", "consent", "purpose", "result", "decision", "source", "status", "as_of",
        "digest",
    ];
    writer.write_record(columns).map_err(|error| error.to_string())?;
    for line in lines {
        writer.serialize(line).map_err(|error| error.to_string())?;
    }
    writer.into_inner().map_err(|error| error.to_string())
}
