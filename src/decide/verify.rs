//! Recomputing a recorded decision, offline, from what is in its file: which facts moved which points, and whether the decision
//! follows from them.
//!
//! The office's export holds the departments' records: everything is recomputed, the policy's outcome too where the policy is
//! given. A bank's copy holds the feature values instead: the model's part is recomputed from them.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use thiserror::Error;

use super::disputes::wrongly_set_aside;
use super::engine::{Engine, EngineError, Occasion, REASONS_MAX, features_of, lacks, source_line};
use crate::domain::decision::{
    CharacteristicPoints, DecisionRequest, Provenance, Reason, ReferReason, ScoreInterval, VersionRef,
};
use crate::domain::evidence::EvidenceLine;
use crate::domain::{CaseId, Decision, DecisionId, DecisionRecord, DisputeMark, Fen, FirmSize, Outcome, china_date};
use crate::features::{self, Feature};
use crate::model::{Model, Value};
use crate::policy::Policy;
use crate::store::DecisionLink;

/// What of a bank's copy is not recomputed: it is what the bank was told, and follows from the policy, from the departments'
/// records, or from what the bank asked. `*` stands for any key or number. The office's export is checked whole.
pub const NOT_CHECKED: [&str; 24] = [
    "/decision/id",
    "/decision/request",
    "/decision/firm_size",
    "/decision/outcome",
    "/decision/limit",
    "/decision/refer_reasons",
    "/decision/policy",
    "/decision/decided_at",
    "/decision/valid_until",
    "/decision/case_id",
    "/decision/model/id",
    "/decision/evidence/*/source",
    "/decision/evidence/*/status",
    "/decision/evidence/*/as_of",
    "/decision/evidence/*/fetched_at",
    "/decision/evidence/*/digest",
    "/decision/evidence/*/detail",
    "/decision/evidence/*/not_shared",
    "/decision/evidence/*/not_covered",
    "/decision/evidence/*/set_aside",
    "/decision/evidence/*/filled",
    "/decision/evidence/*/contradicts",
    "/decision/reasons of knock-outs",
    "/features that the model does not use",
];

/// The form of a bank's copy of a decision record.
const FORMAT: &str = "yuxin-decision/1";

/// A bank's copy of a decision record: what was decided, from which values, and where each comes from. No record of a department.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Extract {
    /// [`FORMAT`].
    format: String,
    /// The decision.
    decision: Stated,
    /// Every feature of the catalogue by name; `null` when missing.
    features: BTreeMap<String, Option<f64>>,
    /// Points by characteristic, with provenance.
    points: Vec<CharacteristicPoints>,
    /// [`NOT_CHECKED`], for whoever reads the file; empty in copies from before it was told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    not_checked: Vec<String>,
}

/// A decision as its bank may see it, in codes and figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Stated {
    id: DecisionId,
    request: DecisionRequest,
    firm_size: FirmSize,
    outcome: Outcome,
    score: i64,
    score_interval: Option<ScoreInterval>,
    probability_of_default: f64,
    grade: String,
    limit: Option<Fen>,
    reasons: Vec<Reason>,
    refer_reasons: Vec<ReferReason>,
    evidence: Vec<EvidenceLine>,
    model: VersionRef,
    policy: VersionRef,
    decided_at: Timestamp,
    valid_until: Timestamp,
    case_id: Option<CaseId>,
}

impl From<&Decision> for Stated {
    fn from(decision: &Decision) -> Stated {
        let decision = decision.clone();
        Stated {
            id: decision.id,
            request: decision.request,
            firm_size: decision.firm_size,
            outcome: decision.outcome,
            score: decision.score,
            score_interval: decision.score_interval,
            probability_of_default: decision.probability_of_default,
            grade: decision.grade,
            limit: decision.limit,
            reasons: decision.reasons,
            refer_reasons: decision.refer_reasons,
            evidence: decision.evidence,
            model: decision.model,
            policy: decision.policy,
            decided_at: decision.decided_at,
            valid_until: decision.valid_until,
            case_id: decision.case_id,
        }
    }
}

impl From<&DecisionRecord> for Extract {
    fn from(record: &DecisionRecord) -> Extract {
        Extract {
            format: FORMAT.to_owned(),
            decision: Stated::from(&record.decision),
            features: record.grounds.features.clone(),
            points: record.grounds.points.clone(),
            not_checked: NOT_CHECKED.map(str::to_owned).to_vec(),
        }
    }
}

/// A file with a decision: a bank's copy, or the office's export with the departments' records.
#[derive(Debug, Clone)]
pub struct RecordFile {
    extract: Extract,
    record: Option<DecisionRecord>,
    chain: Option<DecisionLink>,
}

/// Why a decision was not verified.
#[derive(Debug, Error)]
pub enum VerifyError {
    /// The file holds no decision record.
    #[error(
        "this is no decision record: {0}; take what GET /v1/decisions/ID/record or `yuxin decisions export ID` gives"
    )]
    Unreadable(String),
    /// The policy cannot be applied to a bank's copy.
    #[error(
        "the policy's outcome cannot be recomputed from a bank's copy, which holds no records of departments; leave --policy out, or \
         verify the office's export (`yuxin decisions export ID`)"
    )]
    PolicyNeedsRecords,
    /// Model and policy do not fit each other.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The decision does not follow from what is recorded.
    #[error(transparent)]
    Different(#[from] Difference),
}

/// The first place at which what is recorded is not what comes out.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{pointer} is recorded as {recorded}, but {computed} comes out")]
pub struct Difference {
    /// JSON pointer into the file.
    pub pointer: String,
    /// What is recorded.
    pub recorded: String,
    /// What was computed.
    pub computed: String,
}

impl RecordFile {
    /// Reads either form.
    ///
    /// # Errors
    /// [`VerifyError::Unreadable`].
    pub fn from_json(bytes: &[u8]) -> Result<RecordFile, VerifyError> {
        let unreadable = |error: serde_json::Error| VerifyError::Unreadable(error.to_string());
        let json: Json = serde_json::from_slice(bytes).map_err(unreadable)?;
        if json.get("dossier").is_some() {
            let chain = json.get("chain").filter(|chain| !chain.is_null()).cloned();
            let chain = chain.map(serde_json::from_value).transpose().map_err(unreadable)?;
            let record: DecisionRecord = serde_json::from_value(json).map_err(unreadable)?;
            return Ok(RecordFile { extract: Extract::from(&record), record: Some(record), chain });
        }
        let extract: Extract = serde_json::from_value(json).map_err(unreadable)?;
        if extract.format != FORMAT {
            return Err(VerifyError::Unreadable(format!("its format is {:?}, not {FORMAT:?}", extract.format)));
        }
        Ok(RecordFile { extract, record: None, chain: None })
    }

    /// The id of the decision.
    pub fn id(&self) -> DecisionId {
        self.extract.decision.id
    }

    /// Whether the departments' records are in the file.
    pub fn has_records(&self) -> bool {
        self.record.is_some()
    }

    /// The row of the audit chain that the file names: with it every value in the file is compared; `None` in a bank's copy, and in
    /// exports from before it was told.
    pub fn chain(&self) -> Option<&DecisionLink> {
        self.chain.as_ref()
    }

    /// Recomputes everything that the file allows; gives the points with the facts that moved them.
    ///
    /// # Errors
    /// [`VerifyError`]; [`VerifyError::Different`] names the first difference.
    pub fn verify(&self, model: Model, policy: Option<Policy>) -> Result<Vec<CharacteristicPoints>, VerifyError> {
        same("/decision/model/sha256", &self.extract.decision.model.sha256, model.sha256())?;
        if let Some(record) = &self.record {
            let on = china_date(record.decision.decided_at);
            let dossier = &record.grounds.dossier;
            same("/dossier/uscc", &dossier.uscc, &record.decision.request.uscc)?;
            let used = dossier.used();
            if let Some(place) = wrongly_set_aside(dossier, on) {
                let value = dossier.set_aside[place].fact.value_sha256.clone().unwrap_or_default();
                let (recorded, computed) = (value, "another value".to_owned());
                let pointer = format!("/dossier/set_aside/{place}/fact/value_sha256");
                return Err(Difference { pointer, recorded, computed }.into());
            }
            same("/decision/evidence", &record.decision.evidence, dossier.lines_judged(&used))?;
            same("/features", &record.grounds.features, features_of(dossier, &used, on).by_name())?;
        }
        let points = self.extract.verify(&model)?;
        if let Some(policy) = policy {
            let record = self.record.as_ref().ok_or(VerifyError::PolicyNeedsRecords)?;
            same("/decision/policy/sha256", &record.decision.policy.sha256, policy.version().sha256.as_str())?;
            same("", record, judge_again(record, &Engine::new(model, policy)?))?;
        }
        // Last: whatever can be recomputed is named by its own place.
        if let (Some(record), Some(chain)) = (&self.record, &self.chain) {
            same("/chain", chain, chain.computed(record))?;
        }
        Ok(points)
    }
}

/// The record that the engine makes of the recorded evidence.
fn judge_again(record: &DecisionRecord, engine: &Engine) -> DecisionRecord {
    let decision = &record.decision;
    let occasion = Occasion {
        id: decision.id,
        bank: decision.bank,
        request: decision.request.clone(),
        now: decision.decided_at,
        case_id: decision.case_id.unwrap_or(CaseId(decision.id.0)),
    };
    let mut again = engine.judge(occasion, record.grounds.dossier.clone());
    // Which disputes were open is not in the evidence; what each of them would change is.
    let without = |mark: &DisputeMark| match mark.verdict {
        None => engine.standing_without(record, &mark.fact),
        Some(_) => None,
    };
    let marks = decision.disputes.iter().cloned();
    again.decision.disputes = marks.map(|mark| DisputeMark { without: without(&mark), ..mark }).collect();
    for (computed, recorded) in Arc::make_mut(&mut again.grounds).points.iter_mut().zip(&record.grounds.points) {
        forget_unless_recorded(computed, recorded);
    }
    again
}

/// Decisions from before provenance was kept have none to compare.
fn forget_unless_recorded(computed: &mut CharacteristicPoints, recorded: &CharacteristicPoints) {
    if recorded.provenance.is_none() {
        computed.provenance = None;
    }
}

impl Extract {
    /// Recomputes points, score, probability, grade, interval and reasons from the feature values.
    fn verify(&self, model: &Model) -> Result<Vec<CharacteristicPoints>, Difference> {
        let decision = &self.decision;
        if !self.not_checked.is_empty() {
            same("/not_checked", &self.not_checked, NOT_CHECKED)?;
        }
        let mut columns = Vec::with_capacity(model.columns().len());
        for column in model.columns() {
            let value = self.features.get(column).ok_or_else(|| Difference {
                pointer: format!("/features/{column}"),
                recorded: "nothing".to_owned(),
                computed: "the model needs it, and it".to_owned(),
            })?;
            columns.push((column.as_str(), *value, features::by_name(column)));
        }
        let row: Vec<Value<'_>> = columns.iter().map(|(_, v, _)| v.map_or(Value::Missing, Value::Number)).collect();
        let points = self.points(model, &row, &columns);
        same("/points", &self.points, &points)?;
        let score = model.score(&row);
        same("/decision/score", decision.score, score.score)?;
        same("/decision/probability_of_default", decision.probability_of_default, score.pd)?;
        same("/decision/grade", &decision.grade, score.grade)?;
        let open: Vec<bool> = columns
            .iter()
            .map(|(_, value, feature)| value.is_none() && feature.is_some_and(|f| lacks(&decision.evidence, f)))
            .collect();
        let interval = open.contains(&true).then(|| {
            let (low, high) = model.interval(&row, &open);
            ScoreInterval { low: low.score, high: high.score }
        });
        same("/decision/score_interval", decision.score_interval, interval)?;
        same("/decision/reasons", &decision.reasons, self.reasons(model, &row, &columns))?;
        Ok(points)
    }

    fn points(&self, model: &Model, row: &[Value<'_>], columns: &[Column<'_>]) -> Vec<CharacteristicPoints> {
        let line = |feature: &Feature| source_line(&self.decision.evidence, feature);
        let mut points: Vec<CharacteristicPoints> = model
            .points(row)
            .into_iter()
            .zip(columns)
            .map(|(table, (name, value, feature))| CharacteristicPoints {
                feature: (*name).to_owned(),
                value: *value,
                points: table.points,
                baseline: table.baseline,
                provenance: feature.and_then(line).map(Provenance::from),
            })
            .collect();
        points.iter_mut().zip(&self.points).for_each(|(computed, recorded)| forget_unless_recorded(computed, recorded));
        points
    }

    /// The recorded knock-outs, which are the policy's, then what the model's points give, to the most that an answer has.
    fn reasons(&self, model: &Model, row: &[Value<'_>], columns: &[Column<'_>]) -> Vec<Reason> {
        let recorded = self.decision.reasons.iter().cloned();
        let knock_outs = recorded.filter(|reason| features::by_code(&reason.code).is_none());
        let lost = model.points_lost(row).into_iter().filter_map(|lost| {
            let (_, value, feature) = columns[lost.column];
            let feature = feature?;
            let (code, source) = (feature.code(), Some(feature.source));
            Some(Reason { code, source, points_lost: lost.points_lost, value })
        });
        knock_outs.chain(lost).take(REASONS_MAX).collect()
    }
}

/// A column of the model: its name, the recorded value, the feature of the catalogue.
type Column<'a> = (&'a str, Option<f64>, Option<&'static Feature>);

/// Whether both are the same, down to the last bit; else where they first differ.
fn same(pointer: &str, recorded: impl Serialize, computed: impl Serialize) -> Result<(), Difference> {
    // Both are plain data that came from JSON or go there: writing them cannot fail.
    let json = |written: Result<Json, serde_json::Error>| written.unwrap_or_default();
    first_difference(pointer, &json(serde_json::to_value(recorded)), &json(serde_json::to_value(computed)))
        .map_or(Ok(()), Err)
}

fn first_difference(pointer: &str, recorded: &Json, computed: &Json) -> Option<Difference> {
    let differ = |pointer: &str, recorded: Option<&Json>, computed: Option<&Json>| {
        let told = |value: Option<&Json>| value.map_or_else(|| "nothing".to_owned(), Json::to_string);
        Some(Difference { pointer: pointer.to_owned(), recorded: told(recorded), computed: told(computed) })
    };
    let within = |key: &str, recorded: Option<&Json>, computed: Option<&Json>| match (recorded, computed) {
        (Some(recorded), Some(computed)) => first_difference(&format!("{pointer}/{key}"), recorded, computed),
        (recorded, computed) => differ(&format!("{pointer}/{key}"), recorded, computed),
    };
    match (recorded, computed) {
        (Json::Object(one), Json::Object(other)) => {
            let mut keys: Vec<&String> = one.keys().chain(other.keys()).collect();
            keys.sort_unstable();
            keys.dedup();
            keys.into_iter().find_map(|key| within(key, one.get(key), other.get(key)))
        }
        (Json::Array(one), Json::Array(other)) => {
            (0..one.len().max(other.len())).find_map(|i| within(&i.to_string(), one.get(i), other.get(i)))
        }
        (one, other) if one == other => None,
        (one, other) => differ(if pointer.is_empty() { "/" } else { pointer }, Some(one), Some(other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_first_difference_is_named_by_its_place_and_both_values() {
        let recorded = json!({"a": [1, {"b": 2.5}], "c": null});
        assert_eq!(first_difference("", &recorded, &recorded.clone()), None);
        let told = |computed: Json| first_difference("/x", &recorded, &computed).unwrap().to_string();
        let other = told(json!({"a": [1, {"b": 2.5000000000000004}], "c": null}));
        assert_eq!(other, "/x/a/1/b is recorded as 2.5, but 2.5000000000000004 comes out");
        assert_eq!(told(json!({"a": [1], "c": null})), "/x/a/1 is recorded as {\"b\":2.5}, but nothing comes out");
        assert_eq!(told(json!({"a": [1, {"b": 2.5}]})), "/x/c is recorded as null, but nothing comes out");
    }

    #[test]
    fn a_file_that_holds_no_decision_is_refused_with_what_to_give_instead() {
        for bytes in [&b"not json"[..], b"{}", b"[]", b"{\"dossier\": {}}"] {
            let error = RecordFile::from_json(bytes).unwrap_err().to_string();
            assert!(error.contains("GET /v1/decisions/ID/record"), "{error}");
        }
    }
}
