//! Trying a connector: on a sample reply, offline; or on the department itself, under a consent.

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;

use super::envelope::Said;
use super::pointer::Pointer;
use super::probe::Steps;
use super::{Along, Connector, Connectors};
use crate::domain::evidence::{PaymentHistoryRecord, SocialInsuranceRecord, TaxRecord};
use crate::domain::{ConsentPass, SourceKind, Uscc, china_date};
use crate::settings::SourcesSettings;
use crate::sources::SourcesError;
use crate::sources::budget::Budget;
use crate::sources::client::{Answer, Headers};
use crate::sources::parts::{CourtRecord, RegistryRecord, UtilitiesRecord};
use crate::sources::reply::{Breach, Record};

/// One step of a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// Its name: address, auth, status, envelope, paging, absent, failure, mapping or record.
    pub name: String,
    /// How it went, for the operator's terminal.
    pub how: String,
}

/// How a probe went.
#[derive(Debug)]
pub struct Probed {
    /// The steps in order; where `failed`, the last is the one that failed.
    pub steps: Vec<Step>,
    /// Whether there is no record.
    pub failed: bool,
}

/// Why a sample makes no record. For the operator's terminal: it quotes the sample.
#[derive(Debug)]
pub struct Misread {
    /// What is wrong, with the JSON pointer.
    pub problem: String,
    /// The value there, cut short; nothing where there is none.
    pub value: Option<String>,
}

impl std::fmt::Display for Misread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.value {
            Some(value) => write!(f, "{}; found: {value}", self.problem),
            None => write!(f, "{}; found: nothing", self.problem),
        }
    }
}

/// Checks the connectors' file and names what is in it: name, kind, and whether it has a mapping; then the warnings.
///
/// # Errors
/// [`SourcesError`], with all that is wrong.
pub fn connectors_in_order(settings: &SourcesSettings) -> Result<(Vec<String>, Vec<String>), SourcesError> {
    let connectors = Connectors::load(settings)?;
    let line = |connector: &Connector| {
        let shape = if connector.mapping.is_some() { "mapped" } else { "standard shape" };
        format!("{} ({}, {shape})", connector.name, connector.kind)
    };
    Ok((connectors.all.iter().map(line).collect(), connectors.warnings))
}

/// Name and base address of each connector, for checking that something listens there.
///
/// # Errors
/// [`SourcesError`], with all that is wrong in the connectors' file.
pub fn addresses(settings: &SourcesSettings) -> Result<Vec<(String, String)>, SourcesError> {
    Ok(Connectors::load(settings)?.all.into_iter().map(|connector| (connector.name, connector.base_url)).collect())
}

/// The kind of the connector `name`.
///
/// # Errors
/// [`SourcesError`] where there is no such connector, or the file cannot be used.
pub fn kind_of(settings: &SourcesSettings, name: &str) -> Result<SourceKind, SourcesError> {
    named(settings, name).map(|connector| connector.kind)
}

fn named(settings: &SourcesSettings, name: &str) -> Result<Connector, SourcesError> {
    let mut all = Connectors::load(settings)?.all;
    let at = all.iter().position(|connector| connector.name == name);
    at.map(|at| all.swap_remove(at)).ok_or_else(|| SourcesError::NoConnector { name: name.to_owned() })
}

/// Reads a sample reply with the connector `name`, as if it had just come: the record in its JSON form, or what is wrong.
/// Without `uscc` the sample's own code is taken.
///
/// # Errors
/// [`SourcesError`] where there is no such connector.
pub fn read_sample(
    settings: &SourcesSettings,
    name: &str,
    sample: &[u8],
    uscc: Option<&Uscc>,
    now: Timestamp,
) -> Result<Result<Value, Misread>, SourcesError> {
    let mut connector = named(settings, name)?;
    // A sample has no headers; a date that one would state is taken for today's.
    connector.mapping = connector.mapping.map(|mapping| mapping.of_sample(china_date(now)));
    Ok(connector.read_sample(sample, uscc, now))
}

/// Asks the department of the connector `name` about the firm of `pass`, with every step told.
///
/// # Errors
/// [`SourcesError`] where there is no such connector.
pub async fn probe(
    settings: &SourcesSettings,
    name: &str,
    pass: &ConsentPass,
    now: Timestamp,
) -> Result<Probed, SourcesError> {
    let connector = named(settings, name)?;
    Ok(connector.probe(pass.uscc(), Duration::from_millis(settings.try_timeout_ms), now).await)
}

impl Connector {
    fn read_sample(&self, sample: &[u8], uscc: Option<&Uscc>, now: Timestamp) -> Result<Value, Misread> {
        let bare = |breach: Breach| Misread { problem: breach.to_string(), value: None };
        let in_utf8 = self.client.in_utf8(sample.to_vec(), None);
        let sample = &in_utf8.map_err(|failure| Misread { problem: failure.to_string(), value: None })?;
        let whole = self.json(sample).map_err(bare)?;
        self.hold_envelope(&whole)?;
        let found = match &self.mapping {
            Some(mapping) => mapping.code_in(&whole),
            None => whole["uscc"].as_str().and_then(|code| code.parse().ok()),
        };
        let Some(uscc) = uscc.cloned().or(found) else {
            let problem =
                "the sample names no firm where the mapping's uscc points to; give one with --uscc".to_owned();
            return Err(Misread { problem, value: None });
        };
        let headers = Headers::default();
        self.record(sample, &headers, &uscc, now).map_err(|breach| {
            // A breach of the bounds or rules is told by its place in the record, not in the reply.
            let mapped =
                self.mapping.as_ref().filter(|_| breach.mapped).and_then(|m| m.apply(&whole, &headers, &uscc).ok());
            let place = Pointer::parse(&breach.pointer).unwrap_or_else(|_| Pointer::here());
            let value = place.walk(mapped.as_ref().unwrap_or(&whole)).map(cut_short);
            Misread { problem: breach.to_string(), value }
        })
    }

    /// Refuses a sample whose code says what the service would take for no record, as the service does before it maps.
    fn hold_envelope(&self, whole: &Value) -> Result<(), Misread> {
        let Some(envelope) = &self.envelope else { return Ok(()) };
        let failure = match envelope.said(whole) {
            // Without a code it is told where that should be.
            Ok(None | Some(Said::Success)) => return Ok(()),
            Ok(Some(Said::Absent)) => {
                let problem = "the reply says that the department does not know the firm: the evidence would be absent";
                return Err(Misread { problem: problem.to_owned(), value: envelope.stated(whole).map(cut_short) });
            }
            Err(failure) => failure,
        };
        let problem = format!("{failure}: the evidence would be {}", failure.status().as_str());
        Err(Misread { problem, value: envelope.stated(whole).map(cut_short) })
    }

    async fn probe(&self, uscc: &Uscc, within: Duration, now: Timestamp) -> Probed {
        let (budget, mut steps) = (Budget::new(), Steps::heard());
        let answer = self.ask_telling(uscc, within, Along { budget: &budget, steps: &mut steps }).await;
        let failed = match answer {
            Err(failure) => {
                steps.tell("failure", || format!("{} ({})", failure, failure.status().as_str()));
                true
            }
            Ok(Answer::NotFound { .. }) => {
                steps.tell("absent", || "the department does not know the firm; there is nothing to map".into());
                true
            }
            Ok(Answer::Body { body, headers, .. }) => match self.record(&body, &headers, uscc, now) {
                Ok(record) => {
                    steps.tell("mapping", || {
                        "every value is as the mapping says, possible, and as the rules ask".into()
                    });
                    steps.tell("record", || summary(&record));
                    false
                }
                Err(breach) => {
                    steps.tell(if breach.mapped { "rules" } else { "mapping" }, || breach.to_string());
                    true
                }
            },
        };
        Probed { steps: steps.all().into_iter().map(|(name, how)| Step { name, how }).collect(), failed }
    }

    /// The record in its JSON form.
    fn record(&self, body: &[u8], headers: &Headers, uscc: &Uscc, now: Timestamp) -> Result<Value, Breach> {
        let today = china_date(now);
        fn json<R: Record + Serialize>(record: R) -> Result<Value, Breach> {
            serde_json::to_value(record).map_err(|_| Breach::at("", "makes a record that cannot be written"))
        }
        match self.kind {
            SourceKind::Tax => self.read::<TaxRecord>(body, headers, uscc, today).and_then(json),
            SourceKind::SocialInsurance => {
                self.read::<SocialInsuranceRecord>(body, headers, uscc, today).and_then(json)
            }
            SourceKind::PaymentHistory => self.read::<PaymentHistoryRecord>(body, headers, uscc, today).and_then(json),
            SourceKind::Registry => self.read::<RegistryRecord>(body, headers, uscc, today).and_then(json),
            SourceKind::Court => self.read::<CourtRecord>(body, headers, uscc, today).and_then(json),
            SourceKind::Utilities => self.read::<UtilitiesRecord>(body, headers, uscc, today).and_then(json),
        }
    }
}

/// A record in one line: its date, the rows of its lists, what is not shared. No figure of the firm.
fn summary(record: &Value) -> String {
    let Value::Object(fields) = record else { return String::new() };
    let told = fields.iter().map(|(name, value)| match value {
        Value::Null => format!("{name} not shared"),
        Value::Array(rows) => format!("{name} {} rows", rows.len()),
        value if name == "as_of" => format!("as_of {}", value.as_str().unwrap_or("?")),
        _ => format!("{name} there"),
    });
    told.collect::<Vec<_>>().join(", ")
}

fn cut_short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
