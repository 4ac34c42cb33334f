//! A decline that rests on old facts is looked at again before it is spoken.

use jiff::civil::Date;
use serde::Deserialize;

use super::PolicyError;
use super::rules::{Finding, reason};
use crate::domain::SourceKind;
use crate::domain::decision::{Reason, ReferReason};
use crate::features;

/// `[recheck]`; each key is documented in `config/policy.toml`. A policy that does not speak of it rechecks as this default.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recheck {
    fact_age_days_max: u32,
}

impl Default for Recheck {
    fn default() -> Recheck {
        Recheck { fact_age_days_max: 45 }
    }
}

impl Recheck {
    /// Checks the figure by itself.
    pub(super) fn check(self) -> Result<(), PolicyError> {
        match self.fact_age_days_max {
            0..=3650 => Ok(()),
            _ => Err(PolicyError::Value { key: "recheck.fact_age_days_max", must: "lie between 0 (off) and 3650" }),
        }
    }

    /// Why the decline must be checked again first: the sources whose facts decide and are too old.
    ///
    /// One knock-out that is recent enough is enough to decline. Where the grade declines, every source among the principal
    /// reasons has a part in it, so each must be recent.
    pub(super) fn before_decline(self, finding: &Finding<'_>, knock_outs: &[Reason]) -> Vec<ReferReason> {
        if self.fact_age_days_max == 0 {
            return Vec::new();
        }
        let deciding: Vec<&Reason> = match knock_outs {
            [] => finding.reasons.iter().filter(|reason| reason.points_lost > 0.0).collect(),
            _ => knock_outs.iter().collect(),
        };
        let lines = finding.dossier.lines();
        // The oldest date of the facts of a source that decide. Where an optional department filled the part, its date counts.
        let as_of = |source: SourceKind| {
            let own = lines.iter().find(|line| line.source == source).and_then(|line| line.as_of);
            let of_source = deciding.iter().filter(|reason| reason.source == Some(source));
            let filled =
                |reason: &&Reason| part_of(&reason.code).and_then(|part| finding.dossier.filled_as_of(source, part));
            of_source.filter_map(|reason| filled(reason).or(own)).min()
        };
        let deciding = sources(deciding.iter().copied());
        // What a silent department says is not old, it is missing, and missing evidence has rules of its own.
        let old: Vec<(SourceKind, Date)> = (deciding.iter())
            .filter_map(|source| Some((*source, as_of(*source)?)))
            .filter(|(_, day)| self.is_old(*day, finding.on))
            .collect();
        if !knock_outs.is_empty() && old.len() < deciding.len() {
            return Vec::new();
        }
        let told = |(source, day): &(SourceKind, Date)| {
            let figures = [("as_of", day.to_string()), ("days_max", self.fact_age_days_max.to_string())];
            reason("RECHECK_BEFORE_DECLINE", Some(*source), figures)
        };
        old.iter().map(told).collect()
    }

    fn is_old(self, as_of: Date, on: Date) -> bool {
        let age = as_of.until(on).map_or(0, |span| span.get_days());
        i64::from(age) > i64::from(self.fact_age_days_max)
    }
}

/// The part of a record that a reason rests on: a feature's, or a knock-out's.
fn part_of(code: &str) -> Option<&'static str> {
    match code {
        "ENFORCEMENT_OPEN" => Some("enforcements"),
        "TAXPAYER_ABNORMAL" | "TAXPAYER_DEREGISTERED" => Some("status"),
        _ => features::by_code(code).map(|feature| feature.part),
    }
}

/// The sources of some reasons, each once, in the order of [`SourceKind::ALL`].
fn sources<'r>(reasons: impl Iterator<Item = &'r Reason> + Clone) -> Vec<SourceKind> {
    let named = |source: &SourceKind| reasons.clone().any(|reason| reason.source == Some(*source));
    SourceKind::ALL.into_iter().filter(named).collect()
}
