//! `yuxin sources`: a department asked by hand, step by step.

use clap::Subcommand;
use jiff::Timestamp;
use thiserror::Error;
use uuid::Uuid;

use super::rejected::{self, RejectedArgs, RejectedError};
use super::serve::{self, ConfigArgs, ServeError};
use crate::domain::{ConsentId, ConsentPass, ConsentRefusal, Look, LookId, SourceKind, Uscc};
use crate::settings::{Settings, SettingsError};
use crate::sources::{self, SourcesError};
use crate::store::{Store, StoreError};

/// The departments' connectors.
#[derive(Debug, Subcommand)]
pub enum SourcesCommand {
    /// Asks one department about one firm and shows each step: address, auth, status, pages, mapping, rules, record. It is a look at
    /// a firm like any other, so it needs the firm's consent
    Probe {
        /// The connector's name, as in config/sources.toml; tax, social_insurance and payment_history are always there
        name: String,
        /// The firm's unified social credit code
        uscc: Uscc,
        /// The consent of the firm, as a bank registered it, valid now
        #[arg(long, value_name = "ID")]
        consent: ConsentId,
        /// What for: a purpose that the consent names; may be left out where it names one only
        #[arg(long)]
        purpose: Option<String>,
        /// Who asks, for the ledger that the firm is given
        #[arg(long, value_name = "NAME", value_parser = words)]
        by: String,
    },
    /// Forgets the latest as-of date that a department has stated of a firm. A department that once stated a wrong, later date is
    /// answered `invalid` with every right reply until the day comes; after this its next reply is believed again, whatever day it
    /// is as of. May be done while the service runs; it is in the audit chain
    ForgetDate {
        /// The kind of department: tax, social_insurance, payment_history, registry, court or utilities
        #[arg(value_parser = kind)]
        source: SourceKind,
        /// The firm's unified social credit code
        uscc: Uscc,
        /// Why the date is wrong and who has confirmed it
        #[arg(long, value_parser = words)]
        reason: String,
        /// Who decides it
        #[arg(long, value_name = "NAME", value_parser = words)]
        by: String,
    },
    /// Lists the replies that broke a rule and were not scored: when, which department, what broke where. No firm is named
    Rejected(RejectedArgs),
}

/// A kind of department by its name.
fn kind(name: &str) -> Result<SourceKind, String> {
    // Optional departments state dates too, and theirs are remembered like any.
    let names = || SourceKind::every().map(SourceKind::as_str).collect::<Vec<_>>().join(", ");
    SourceKind::named(name).ok_or_else(|| format!("it must be one of {}", names()))
}

/// A text that says something.
fn words(text: &str) -> Result<String, String> {
    let text = text.trim();
    let usable = (2..=500).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if usable {
        Ok(text.to_owned())
    } else {
        Err("it must have 2 to 500 characters, none of them a control character".to_owned())
    }
}

/// Why a command about departments failed.
#[derive(Debug, Error)]
pub enum SourcesCommandError {
    /// A department was asked in vain.
    #[error(transparent)]
    Probe(#[from] ProbeError),
    /// No date is forgotten.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is nothing to forget.
    #[error("no as-of date of {0} is on record for this firm; nothing was changed")]
    NoDate(SourceKind),
    /// The replies are not listed.
    #[error(transparent)]
    Rejected(#[from] RejectedError),
    /// The store cannot be opened.
    #[error(transparent)]
    Serve(#[from] ServeError),
}

/// Why there is no record.
#[derive(Debug, Error)]
pub enum ProbeError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The store cannot be opened.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The connectors.
    #[error(transparent)]
    Sources(#[from] SourcesError),
    /// There is no such consent.
    #[error("there is no consent {0}; a bank registers one with POST /v1/consents")]
    NoSuchConsent(ConsentId),
    /// The consent does not cover the look.
    #[error("the department is not asked: {0}")]
    Refused(#[from] ConsentRefusal),
    /// The consent does not name this department.
    #[error("the department is not asked: the consent does not cover {0}")]
    NotCovered(SourceKind),
    /// The consent names several purposes, or none.
    #[error("the department is not asked: --purpose must say what for; the consent names {0}")]
    Purpose(String),
    /// The consent is for one decision only, which a probe would spend without deciding anything.
    #[error("the department is not asked: the consent is for one decision only; probe under a standing one")]
    OneTime,
    /// The consent covers only parts of records, and a probe reads and lists the whole.
    #[error("the department is not asked: the consent covers only parts of the record, and a probe lists the whole")]
    OnlyParts,
    /// A step failed; it was printed.
    #[error("the step {0} failed")]
    Failed(String),
}

/// Does what the command says.
///
/// # Errors
/// [`SourcesCommandError`], for stderr and exit code 1.
pub async fn run(config: &ConfigArgs, command: SourcesCommand) -> Result<(), SourcesCommandError> {
    match command {
        SourcesCommand::Probe { name, uscc, consent, purpose, by } => {
            let asked = Asked { consent, purpose, by };
            Ok(probe(config, name, uscc, asked).await?)
        }
        SourcesCommand::ForgetDate { source, uscc, reason, by } => {
            let store = serve::open_store(config).await?;
            let forgotten = store.forget_date(&uscc, source, by, reason, Timestamp::now()).await;
            store.close().await;
            let day = forgotten?.ok_or(SourcesCommandError::NoDate(source))?;
            println!("forgotten: {source} had stated {day}; its next reply may be as of any day");
            Ok(())
        }
        SourcesCommand::Rejected(args) => Ok(rejected::run(&args, &serve::open_store(config).await?).await?),
    }
}

/// Under which consent a department is asked, what for, and by whom.
struct Asked {
    consent: ConsentId,
    purpose: Option<String>,
    by: String,
}

async fn probe(config: &ConfigArgs, name: String, uscc: Uscc, asked: Asked) -> Result<(), ProbeError> {
    let settings = Settings::load(config.config.as_deref())?;
    let kind = sources::kind_of(&settings.sources, &name)?;
    let store = serve::open_store(config).await?;
    let pass = entered(&store, &asked, &uscc, kind).await;
    store.close().await;
    let probed = sources::probe(&settings.sources, &name, &pass?, Timestamp::now()).await?;
    let last = probed.steps.len().saturating_sub(1);
    for (number, step) in probed.steps.iter().enumerate() {
        let mark = if probed.failed && number == last { "FAIL" } else { "ok  " };
        println!("{mark}  {}: {}", step.name, step.how);
    }
    match probed.steps.last() {
        Some(step) if probed.failed => Err(ProbeError::Failed(step.name.clone())),
        _ => Ok(()),
    }
}

/// A pass for a purpose of the consent; the look is in the ledger before the department is asked.
async fn entered(store: &Store, asked: &Asked, uscc: &Uscc, kind: SourceKind) -> Result<ConsentPass, ProbeError> {
    let consent = store.consent(asked.consent).await?.ok_or(ProbeError::NoSuchConsent(asked.consent))?;
    if consent.one_time {
        return Err(ProbeError::OneTime);
    }
    let purpose = match (&asked.purpose, consent.purposes.as_slice()) {
        (Some(purpose), _) => purpose,
        (None, [only]) => only,
        (None, several) => return Err(ProbeError::Purpose(several.join(", "))),
    };
    let now = Timestamp::now();
    let pass = consent.check(consent.bank, uscc, purpose, now)?;
    if !pass.covers(kind) {
        return Err(ProbeError::NotCovered(kind));
    }
    if pass.scope().fields().is_some() {
        return Err(ProbeError::OnlyParts);
    }
    let who = format!("{} (yuxin sources probe)", asked.by);
    store.enter_look(Look::probing(LookId(Uuid::now_v7()), &pass, purpose, kind, who, now)).await?;
    Ok(pass)
}
