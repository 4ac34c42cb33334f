//! How good a model is on a set of rows.

use serde::Serialize;

use super::bands::{GainsRow, GradeRow, HistogramBin, gains, grades, histogram};
use super::curves::{Separation, roc, separation};
use super::{ScoredSet, SetName};
use crate::model::artifact::Artifact;
use crate::model::bootstrap::{Intervals, intervals};
use crate::model::goodness::{Goodness, check};
use crate::model::measure::{Measures, measure};

/// Parameters of the calibration, fitted to the out-of-fold rows: intercept and slope.
const CALIBRATION_PARAMETERS: u32 = 2;

/// How good a model is on a set of rows. Everything about the order is `None` or empty where one outcome stands alone.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SetReport {
    /// Which rows.
    pub name: SetName,
    /// How many.
    pub rows: u64,
    /// Bad ones.
    pub bads: u64,
    /// The measures.
    pub measures: Option<Measures>,
    /// Their bootstrap intervals.
    pub intervals: Option<Intervals>,
    /// The ROC curve: shares of the good and of the bad rows at or above a risk, thinned out.
    pub roc: Vec<[f64; 2]>,
    /// Shares of the good and of the bad rows up to a score.
    pub separation: Option<Separation>,
    /// Whether the probabilities are true.
    pub goodness: Option<Goodness>,
    /// Rows of each outcome by score.
    pub histogram: Vec<HistogramBin>,
    /// Tenths of the rows, riskiest first.
    pub gains: Vec<GainsRow>,
    /// The model's grades, best first.
    pub grades: Vec<GradeRow>,
}

/// Rows of a set as the functions here take them: risk, outcome, score.
pub fn of_set(set: &ScoredSet<'_>, artifact: &Artifact, outcomes: &[bool], seed: u64) -> SetReport {
    let known = set.rows.iter().zip(set.pd).filter(|(row, pd)| **row < outcomes.len() && (0.0..=1.0).contains(*pd));
    let (pd, bad): (Vec<f64>, Vec<bool>) = known.map(|(row, pd)| (*pd, outcomes[*row])).unzip();
    let fitted = if set.name == SetName::OutOfFold { CALIBRATION_PARAMETERS } else { 0 };
    SetReport {
        name: set.name,
        rows: bad.len() as u64,
        bads: bad.iter().filter(|b| **b).count() as u64,
        measures: measure(&pd, &bad),
        intervals: intervals(&pd, &bad, seed, 1),
        roc: roc(&pd, &bad),
        separation: separation(&pd, &bad, &artifact.scaling),
        goodness: check(&pd, &bad, fitted),
        histogram: histogram(&pd, &bad, &artifact.scaling),
        gains: gains(&pd, &bad, &artifact.scaling),
        grades: grades(&pd, &bad, artifact),
    }
}
