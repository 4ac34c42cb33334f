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
    },
    /// Lists the replies that broke a rule and were not scored: when, which department, what broke where. No firm is named
    Rejected(RejectedArgs),
}

/// Why a command about departments failed.
#[derive(Debug, Error)]
pub enum SourcesCommandError {
    /// A department was asked in vain.
    #[error(transparent)]
    Probe(#[from] ProbeError),
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
        SourcesCommand::Probe { name, uscc, consent } => Ok(probe(config, name, uscc, consent).await?),
        SourcesCommand::Rejected(args) => Ok(rejected::run(&args, &serve::open_store(config).await?).await?),
    }
}

async fn probe(config: &ConfigArgs, name: String, uscc: Uscc, consent: ConsentId) -> Result<(), ProbeError> {
    let settings = Settings::load(config.config.as_deref())?;
    let kind = sources::kind_of(&settings.sources, &name)?;
    let store = serve::open_store(config).await?;
    let pass = entered(&store, consent, &uscc, kind).await;
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

/// A pass for the purposes of the bank that holds the consent; the look is in the ledger before the department is asked.
async fn entered(store: &Store, id: ConsentId, uscc: &Uscc, kind: SourceKind) -> Result<ConsentPass, ProbeError> {
    let consent = store.consent(id).await?.ok_or(ProbeError::NoSuchConsent(id))?;
    if consent.one_time {
        return Err(ProbeError::OneTime);
    }
    let purpose = consent.purposes.first().map_or("", String::as_str);
    let now = Timestamp::now();
    let pass = consent.check(consent.bank, uscc, purpose, now)?;
    if !pass.covers(kind) {
        return Err(ProbeError::NotCovered(kind));
    }
    if pass.scope().fields().is_some() {
        return Err(ProbeError::OnlyParts);
    }
    let who = "yuxin sources probe".to_owned();
    store.enter_look(Look::probing(LookId(Uuid::now_v7()), &pass, kind, who, now)).await?;
    Ok(pass)
}
