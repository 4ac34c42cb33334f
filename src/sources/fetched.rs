//! What a department that answered said, and the evidence that it makes for one look.

use jiff::{Timestamp, ToSpan, civil::Date};
use sha2::{Digest, Sha256};

use super::Look;
use super::client::Answer;
use super::connector::Connector;
use super::freshness::{Freshness, Life, Limits};
use super::reply::{self, Breach, Record};
use crate::domain::{Evidence, EvidenceStatus, RejectedReply, china};

/// An answer, and when it came.
pub(super) struct Fetched<R> {
    reply: Reply<R>,
    fetched_at: Timestamp,
    freshness: Freshness,
}

/// What the department said.
enum Reply<R> {
    Record { record: R, digest: String },
    Refused { breach: Breach, digest: String, body: Vec<u8> },
    Unknown { web_page: bool },
}

/// How an answer comes to be used for a look.
pub(super) enum Served<'a> {
    /// It was fetched for it.
    Fetched,
    /// It was kept, and the department lets it be used.
    Kept,
    /// It was kept and is no longer good, but the department gives no other; why not.
    Outlived(&'a str),
}

impl<R: Record> Fetched<R> {
    /// Reads `answer`, which has just come through `connector`, for `look`.
    pub(super) fn new(answer: Answer, connector: &Connector, look: &Look) -> Fetched<R> {
        let (reply, freshness) = match answer {
            Answer::NotFound { web_page, freshness } => (Reply::Unknown { web_page }, freshness),
            Answer::Body { body, headers, freshness } => {
                let digest = hex::encode(Sha256::digest(&body));
                let record: Result<R, Breach> = connector.read(&body, &headers, look.uscc(), look.today());
                let latest = look.pass.history().latest_as_of.get(&R::SOURCE);
                match record.and_then(|record| reply::not_before(record, latest)) {
                    Ok(record) => (Reply::Record { record, digest }, freshness),
                    Err(breach) => (Reply::Refused { breach, digest, body }, freshness),
                }
            }
        };
        Fetched { reply, fetched_at: look.instant(), freshness }
    }

    /// The word for the metrics.
    pub(super) fn as_str(&self) -> &'static str {
        match self.reply {
            Reply::Record { .. } => "ok",
            Reply::Refused { .. } => "invalid",
            Reply::Unknown { .. } => "absent",
        }
    }

    /// Whether it says something of the firm that can be used: a record that holds, or that it is not known.
    pub(super) fn holds(&self) -> bool {
        !matches!(self.reply, Reply::Refused { .. })
    }

    /// For how long it may be used again; `None` where it says nothing of the firm: a reply that was refused, and the web page
    /// of some proxy.
    pub(super) fn life(&self, limits: Limits) -> Option<Life> {
        match self.reply {
            Reply::Record { .. } => Some(self.freshness.of_record(limits)),
            Reply::Unknown { web_page: false } => Some(self.freshness.of_absence(limits)),
            Reply::Unknown { web_page: true } | Reply::Refused { .. } => None,
        }
    }

    /// Whether it may serve `look`, having come for another: it came after the firm's last revocation of a consent, and is as of no
    /// earlier day than the department has stated since.
    pub(super) fn serves(&self, look: &Look) -> bool {
        let history = look.pass.history();
        let latest = history.latest_as_of.get(&R::SOURCE);
        history.revoked_at.is_none_or(|revoked| self.fetched_at > revoked)
            && self.as_of().zip(latest).is_none_or(|(as_of, latest)| as_of >= *latest)
    }

    /// What is kept for inspection of a reply that broke a rule. Where the consent covers only parts of the record, nobody may read
    /// the whole later.
    pub(super) fn rejected(&self, look: &Look) -> Option<RejectedReply> {
        let Reply::Refused { breach, digest, body } = &self.reply else { return None };
        Some(RejectedReply {
            source: R::SOURCE,
            uscc: look.uscc().clone(),
            at: self.fetched_at,
            pointer: breach.pointer.clone(),
            problem: breach.problem.clone(),
            digest: digest.clone(),
            body: look.pass.scope().fields().is_none().then(|| body.clone()),
        })
    }

    /// The date that the record is as of, where there is one.
    pub(super) fn as_of(&self) -> Option<Date> {
        match &self.reply {
            Reply::Record { record, .. } => Some(record.as_of()),
            _ => None,
        }
    }

    /// The evidence for `look`. A record as of a date longer ago than `stale_after_days` is stale, however new its fetching.
    pub(super) fn evidence(&self, look: &Look, stale_after_days: i32, served: &Served<'_>) -> Evidence<R> {
        let fetched_at = Some(self.fetched_at);
        match &self.reply {
            Reply::Record { record, digest } => {
                let as_of = record.as_of();
                let stale = as_of < look.today().saturating_sub(stale_after_days.days());
                let (status, detail) = match served {
                    Served::Outlived(why) => {
                        (EvidenceStatus::Stale, Some(format!("kept from an earlier reply, since now {why}")))
                    }
                    _ if stale => (EvidenceStatus::Stale, None),
                    Served::Kept => (EvidenceStatus::Cached, None),
                    Served::Fetched => (EvidenceStatus::Fresh, None),
                };
                let (as_of, digest) = (Some(as_of), Some(digest.clone()));
                Evidence {
                    status,
                    record: Some(record.clone()),
                    as_of,
                    fetched_at,
                    digest,
                    detail,
                    not_covered: Vec::new(),
                }
            }
            Reply::Refused { breach, digest, .. } => Evidence {
                fetched_at,
                digest: Some(digest.clone()),
                ..Evidence::missing(EvidenceStatus::Invalid, breach.to_string())
            },
            Reply::Unknown { web_page: false } => Evidence {
                fetched_at,
                ..Evidence::missing(EvidenceStatus::Absent, "the department does not know the firm")
            },
            Reply::Unknown { web_page: true } => Evidence {
                fetched_at,
                ..Evidence::missing(
                    EvidenceStatus::Absent,
                    "the department does not know the firm (404); but the reply is a web page: check base_url and path",
                )
            },
        }
    }
}

/// Seconds since the end of the day `as_of` in China; 0 while that day lasts.
pub(super) fn age_seconds(as_of: Date, now: Timestamp) -> f64 {
    let day_end = as_of.saturating_add(1.day()).to_zoned(china());
    day_end.map_or(0.0, |end| now.duration_since(end.timestamp()).as_secs_f64().max(0.0))
}
