//! A model and a policy that fit each other, applied to one dossier: pure, whatever the occasion.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::civil::Date;
use thiserror::Error;

use crate::domain::decision::{CharacteristicPoints, DecisionRequest, Provenance, Reason, ScoreInterval, VersionRef};
use crate::domain::evidence::{EvidenceLine, supplier};
use crate::domain::{
    BankId, CaseId, Decision, DecisionId, DecisionRecord, Dossier, FirmSize, Grounds, SourceKind, china_date,
};
use crate::features::{self, Feature, FeatureVector};
use crate::model::{Model, Value};
use crate::policy::{Finding, Policy, PolicyError};

/// The most principal reasons that an answer gives (Regulation B, comment 9(b)(2): more than four help nobody).
pub(super) const REASONS_MAX: usize = 4;

/// A model and a policy, checked to fit the catalogue and each other.
pub struct Engine {
    model: Model,
    policy: Policy,
    /// For each column of the model: its position in the catalogue and the feature.
    columns: Vec<(usize, &'static Feature)>,
}

/// Why a model and a policy cannot serve together.
#[derive(Debug, Error)]
pub enum EngineError {
    /// The model asks for a feature that the catalogue does not have.
    #[error("the model {model} asks for the feature {feature:?}, which the catalogue does not have")]
    UnknownFeature {
        /// The model.
        model: String,
        /// The feature.
        feature: String,
    },
    /// The policy does not say what a grade of the model leads to.
    #[error(transparent)]
    Policy(#[from] PolicyError),
}

/// What is decided besides the evidence: who asks what, when, and the ids that the answer will carry.
#[derive(Debug, Clone)]
pub struct Occasion {
    /// The decision's id.
    pub id: DecisionId,
    /// The bank that asks.
    pub bank: BankId,
    /// What it asks.
    pub request: DecisionRequest,
    /// When.
    pub now: Timestamp,
    /// The id of the case, should one be opened.
    pub case_id: CaseId,
}

/// What evidence says of a firm on a day, before anybody asks for a loan.
#[derive(Debug, Clone, PartialEq)]
pub struct Appraisal {
    on: Date,
    score: i64,
    probability_of_default: f64,
    grade: String,
    /// The lowest and the highest score and grade where evidence is missing.
    interval: Option<[(i64, String); 2]>,
    incomplete: Vec<SourceKind>,
    /// All characteristics that cost points, the most first.
    lost: Vec<Reason>,
    firm_size: FirmSize,
    evidence: Vec<EvidenceLine>,
    grounds: Arc<Grounds>,
    /// The evidence as it was judged, where facts of it are set aside.
    used: Option<Dossier>,
}

impl Appraisal {
    /// The evidence that it rests on.
    pub(super) fn dossier(&self) -> &Dossier {
        &self.grounds.dossier
    }

    /// The day that it is for.
    pub(super) fn on(&self) -> Date {
        self.on
    }
}

impl Engine {
    /// Puts a model and a policy together.
    pub fn new(model: Model, policy: Policy) -> Result<Engine, EngineError> {
        let mut columns = Vec::new();
        for column in model.columns() {
            let found = features::catalogue().enumerate().find(|(_, feature)| feature.name == column);
            columns.push(found.ok_or_else(|| EngineError::UnknownFeature {
                model: model.id().to_owned(),
                feature: column.clone(),
            })?);
        }
        let grades: Vec<&str> = model.grades().iter().map(|band| band.grade.as_str()).collect();
        policy.fit(&grades)?;
        Ok(Engine { model, policy, columns })
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// The policy.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Judges one firm: features → score → policy → record.
    pub fn judge(&self, occasion: Occasion, dossier: Dossier) -> DecisionRecord {
        let appraisal = self.appraise(dossier, china_date(occasion.now));
        self.rule(occasion, &appraisal)
    }

    /// What the evidence says of the firm on that day, whoever asks: features → score. What the dossier sets aside is missing.
    pub fn appraise(&self, dossier: Dossier, on: Date) -> Appraisal {
        let used = dossier.used();
        let vector = features_of(&dossier, &used, on);
        let row: Vec<Value<'static>> = self.row(&vector);
        let score = self.model.score(&row);
        let evidence = dossier.lines_judged(&used);
        let open = self.open_columns(&vector, &evidence);
        let incomplete = self.incomplete_sources(&open);
        // The lowest and the highest score over all bins of the open columns.
        let interval = (!incomplete.is_empty()).then(|| {
            let (low, high) = self.model.interval(&row, &open);
            [low, high].map(|bound| (bound.score, bound.grade.to_owned()))
        });
        let (firm_size, staff_basis) = features::firm_size(&used, on);
        let points = self.points(&row, &vector, &evidence);
        let used = match used {
            Cow::Borrowed(_) => None,
            Cow::Owned(used) => Some(used),
        };
        Appraisal {
            on,
            score: score.score,
            probability_of_default: score.pd,
            grade: score.grade.to_owned(),
            lost: self.reasons(&row, &vector),
            grounds: Arc::new(Grounds::new(dossier, vector.by_name(), staff_basis, points)),
            used,
            incomplete,
            interval,
            firm_size,
            evidence,
        }
    }

    /// What the policy makes of an appraisal for one request: policy → record.
    pub fn rule(&self, occasion: Occasion, appraisal: &Appraisal) -> DecisionRecord {
        let Appraisal { lost, interval, .. } = appraisal;
        let finding = Finding {
            request: &occasion.request,
            dossier: appraisal.used.as_ref().unwrap_or(&appraisal.grounds.dossier),
            on: appraisal.on,
            grade: &appraisal.grade,
            incomplete: &appraisal.incomplete,
            interval: interval.as_ref().map(|bounds| bounds.each_ref().map(|(score, grade)| (*score, grade.as_str()))),
            reasons: &lost[..lost.len().min(REASONS_MAX)],
        };
        let ruling = self.policy.rule(&finding);
        let reasons = ruling.knock_outs.iter().chain(lost).take(REASONS_MAX).cloned().collect();
        let decision = Decision {
            id: occasion.id,
            bank: occasion.bank,
            firm_size: appraisal.firm_size,
            outcome: ruling.outcome,
            score: appraisal.score,
            score_interval: interval.as_ref().map(|[(low, _), (high, _)]| ScoreInterval { low: *low, high: *high }),
            probability_of_default: appraisal.probability_of_default,
            grade: appraisal.grade.clone(),
            limit: ruling.limit,
            indicated_limit: ruling.indicated_limit,
            reasons,
            case_id: (!ruling.refer_reasons.is_empty()).then_some(occasion.case_id),
            refer_reasons: ruling.refer_reasons,
            evidence: appraisal.evidence.clone(),
            model: VersionRef { id: self.model.id().to_owned(), sha256: self.model.sha256().to_owned() },
            policy: self.policy.version().clone(),
            decided_at: occasion.now,
            valid_until: occasion.now.saturating_add(self.validity()).unwrap_or(Timestamp::MAX),
            request: occasion.request,
            disputes: Vec::new(),
        };
        DecisionRecord { decision, grounds: Arc::clone(&appraisal.grounds) }
    }

    /// The model's row for a feature vector.
    fn row(&self, vector: &FeatureVector) -> Vec<Value<'static>> {
        self.columns.iter().map(|(position, _)| vector.at(*position).map_or(Value::Missing, Value::Number)).collect()
    }

    /// For each column, whether its value is missing because the evidence is: the source gave no record, or does not share the
    /// part that the feature needs. A value that cannot be computed from evidence that is there is not open: it is what it is.
    fn open_columns(&self, vector: &FeatureVector, lines: &[EvidenceLine]) -> Vec<bool> {
        self.columns.iter().map(|(at, feature)| vector.at(*at).is_none() && lacks(lines, feature)).collect()
    }

    /// Sources with a column that is open, in the order of [`SourceKind::ALL`].
    fn incomplete_sources(&self, open: &[bool]) -> Vec<SourceKind> {
        let has_open =
            |source| self.columns.iter().zip(open).any(|((_, feature), open)| *open && feature.source == source);
        SourceKind::ALL.into_iter().filter(|source| has_open(*source)).collect()
    }

    fn reasons(&self, row: &[Value<'_>], vector: &FeatureVector) -> Vec<Reason> {
        let lost = self.model.points_lost(row).into_iter();
        lost.map(|lost| {
            let (position, feature) = self.columns[lost.column];
            Reason {
                code: feature.code(),
                source: Some(feature.source),
                points_lost: lost.points_lost,
                value: vector.at(position),
            }
        })
        .collect()
    }

    fn points(&self, row: &[Value<'_>], vector: &FeatureVector, lines: &[EvidenceLine]) -> Vec<CharacteristicPoints> {
        let tables = self.model.points(row).into_iter();
        tables
            .zip(&self.columns)
            .map(|(table, (position, feature))| CharacteristicPoints {
                feature: feature.name.to_owned(),
                value: vector.at(*position),
                points: table.points,
                baseline: table.baseline,
                provenance: source_line(lines, feature).map(Provenance::from),
            })
            .collect()
    }

    fn validity(&self) -> jiff::SignedDuration {
        jiff::SignedDuration::from_hours(24 * i64::from(self.policy.valid_days()))
    }
}

/// The line of the department that a feature's part comes from.
pub(super) fn source_line<'l>(lines: &'l [EvidenceLine], feature: &Feature) -> Option<&'l EvidenceLine> {
    let supplier = supplier(lines, feature.source, feature.part);
    lines.iter().find(|line| line.source == supplier)
}

/// The features of a dossier of which `used` is what may be used.
pub(super) fn features_of(dossier: &Dossier, used: &Dossier, on: Date) -> FeatureVector {
    features::extract(used, on).without(|feature| dossier.sets_aside(feature.source, feature.name))
}

/// Whether the evidence that a feature is computed from is not there, or the feature is set aside.
pub(super) fn lacks(lines: &[EvidenceLine], feature: &Feature) -> bool {
    let gone = |line: &EvidenceLine| line.lacks(feature.part) || line.lacks(feature.name);
    lines.iter().find(|line| line.source == feature.source).is_none_or(gone)
}
