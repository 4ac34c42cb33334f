//! Whether probabilities of default are true: the usual tests, and the observed rates beside the predicted ones.

use serde::{Deserialize, Serialize};

use super::chance::{ERRORS_95, chi_square_tail, normal_two_sided, wilson};
use super::fit::fit_logistic;
use super::measure::quantile_bins;

/// Groups of the Hosmer-Lemeshow test and of the calibration curve.
const GROUPS: usize = 10;
/// Probabilities are kept this far from 0 and 1 before their log-odds are taken.
const PROBABILITY_FLOOR: f64 = 1e-12;
/// Keeps the slope finite where the probabilities separate the outcomes perfectly; too weak to be seen elsewhere.
const L2: f64 = 1e-4;

/// The checks of probabilities against outcomes. What cannot be computed from the rows is `None`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Goodness {
    /// Over groups of equal size by probability.
    pub hosmer_lemeshow: Option<HosmerLemeshow>,
    /// Over all rows, without groups.
    pub spiegelhalter: Option<Spiegelhalter>,
    /// Calibration in the large: what must be added to the log-odds of bad so that as many are expected as were seen; 0 is true.
    pub in_the_large: Option<Estimate>,
    /// The straight line from predicted to true log-odds.
    pub recalibration: Option<Recalibration>,
    /// Observed and predicted rates of the groups, by ascending probability.
    pub curve: Vec<CurveBin>,
}

/// The test of Hosmer and Lemeshow (1980). With many rows it refuses even probabilities that are close enough for any use.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HosmerLemeshow {
    /// `Σ (observed − expected)² / (expected · (1 − mean probability))`.
    pub statistic: f64,
    /// Groups, fewer than ten where probabilities tie.
    pub groups: u32,
    /// Degrees of freedom: groups, less the parameters fitted to these very rows.
    pub degrees: u32,
    /// Chance of such a statistic where the probabilities are true.
    pub p_value: f64,
}

/// The test of Spiegelhalter (1986): whether the Brier score is what true probabilities would give.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spiegelhalter {
    /// Standard normal where the probabilities are true; above 0, outcomes are further from the probabilities than they should be.
    pub z: f64,
    /// Two-sided.
    pub p_value: f64,
}

/// A figure with its 95 % interval (Wald).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Estimate {
    /// The figure.
    pub value: f64,
    /// Lower and upper bound.
    pub interval: [f64; 2],
}

/// `true log-odds of bad = intercept + slope · predicted log-odds of bad` (Cox 1958): 0 and 1 where the probabilities are true.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recalibration {
    /// At even odds.
    pub intercept: Estimate,
    /// Below 1 the probabilities are too far apart, above 1 too close together.
    pub slope: Estimate,
    /// Variance of the intercept, covariance, variance of the slope.
    pub covariance: [f64; 3],
}

/// A group of rows with similar probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CurveBin {
    /// Rows.
    pub rows: u64,
    /// Bad rows.
    pub bads: u64,
    /// Lowest and highest probability.
    pub range: [f64; 2],
    /// Mean probability.
    pub predicted: f64,
    /// Share of bad rows.
    pub observed: f64,
    /// 95 % interval of the share (Wilson).
    pub interval: [f64; 2],
}

/// Checks probabilities of a bad outcome. `fitted` is how many parameters of them were fitted to the outcomes of these very rows: 2
/// where an intercept and a slope were, 0 on rows that had no part in the model.
///
/// `None` unless there are rows and every probability lies within 0 and 1.
pub fn check(pd: &[f64], bad: &[bool], fitted: u32) -> Option<Goodness> {
    if pd.is_empty() || pd.len() != bad.len() || pd.iter().any(|p| !(0.0..=1.0).contains(p)) {
        return None;
    }
    let curve = curve(pd, bad);
    Some(Goodness {
        hosmer_lemeshow: hosmer_lemeshow(&curve, fitted),
        spiegelhalter: spiegelhalter(pd, bad),
        in_the_large: in_the_large(pd, bad),
        recalibration: recalibrate(pd, bad),
        curve,
    })
}

fn curve(pd: &[f64], bad: &[bool]) -> Vec<CurveBin> {
    quantile_bins(pd, bad, GROUPS)
        .iter()
        .map(|bin| {
            let rows = bin.len() as f64;
            let bads = bin.iter().filter(|row| row.1).count() as u64;
            CurveBin {
                rows: bin.len() as u64,
                bads,
                range: [bin[0].0, bin[bin.len() - 1].0],
                predicted: bin.iter().map(|row| row.0).sum::<f64>() / rows,
                observed: bads as f64 / rows,
                interval: wilson(bads, bin.len() as u64),
            }
        })
        .collect()
}

fn hosmer_lemeshow(curve: &[CurveBin], fitted: u32) -> Option<HosmerLemeshow> {
    let groups = u32::try_from(curve.len()).ok()?;
    let degrees = groups.checked_sub(fitted).filter(|degrees| *degrees > 0)?;
    let term = |bin: &CurveBin| {
        let (rows, bads) = (bin.rows as f64, bin.bads as f64);
        let (distance, variance) = (bads - rows * bin.predicted, rows * bin.predicted * (1.0 - bin.predicted));
        // A group that is certain and right adds nothing; one that is certain and wrong has no finite statistic.
        if distance == 0.0 { 0.0 } else { distance * distance / variance }
    };
    let statistic: f64 = curve.iter().map(term).sum();
    let p_value = chi_square_tail(statistic, degrees);
    statistic.is_finite().then_some(HosmerLemeshow { statistic, groups, degrees, p_value })
}

fn spiegelhalter(pd: &[f64], bad: &[bool]) -> Option<Spiegelhalter> {
    let distance: f64 = pd.iter().zip(bad).map(|(p, b)| (f64::from(u8::from(*b)) - p) * (1.0 - 2.0 * p)).sum();
    let variance: f64 = pd.iter().map(|p| (1.0 - 2.0 * p).powi(2) * p * (1.0 - p)).sum();
    let z = distance / variance.sqrt();
    z.is_finite().then(|| Spiegelhalter { z, p_value: normal_two_sided(z) })
}

fn log_odds(pd: &[f64]) -> Vec<f64> {
    let of = |p: &f64| {
        let p = p.clamp(PROBABILITY_FLOOR, 1.0 - PROBABILITY_FLOOR);
        (p / (1.0 - p)).ln()
    };
    pd.iter().map(of).collect()
}

fn probability(log_odds: f64) -> f64 {
    1.0 / (1.0 + (-log_odds).exp())
}

fn estimate(value: f64, variance: f64) -> Estimate {
    let reach = ERRORS_95 * variance.sqrt();
    Estimate { value, interval: [value - reach, value + reach] }
}

/// By Newton's method on `Σ p(a + log-odds) = bads`, which rises in `a`. `None` unless both outcomes occur.
fn in_the_large(pd: &[f64], bad: &[bool]) -> Option<Estimate> {
    const STEP_MAX: f64 = 2.0;
    let bads = bad.iter().filter(|b| **b).count();
    if bads == 0 || bads == bad.len() {
        return None;
    }
    let log_odds = log_odds(pd);
    let mut added = 0.0;
    for _ in 0..100 {
        let (expected, information) = log_odds.iter().map(|x| probability(added + x)).fold((0.0, 0.0), add_row);
        let step = ((bads as f64 - expected) / information).clamp(-STEP_MAX, STEP_MAX);
        if step.is_nan() {
            return None;
        }
        added += step;
        if step.abs() < 1e-10 {
            return Some(estimate(added, 1.0 / information));
        }
    }
    None
}

fn add_row((expected, information): (f64, f64), p: f64) -> (f64, f64) {
    (expected + p, information + p * (1.0 - p))
}

fn recalibrate(pd: &[f64], bad: &[bool]) -> Option<Recalibration> {
    let x = log_odds(pd);
    // The regression is about the good outcome, whose log-odds are these with the sign turned: so is the intercept, and the slope
    // stays.
    let turned: Vec<f64> = x.iter().map(|x| -x).collect();
    let fitted = fit_logistic(&[turned], bad, L2).ok()?;
    let (intercept, slope) = (-fitted.intercept, *fitted.coefficients.first()?);
    let (mut ones, mut cross, mut squares) = (0.0, 0.0, 0.0);
    for x in &x {
        let p = probability(intercept + slope * x);
        let weight = p * (1.0 - p);
        ones += weight;
        cross += weight * x;
        squares += weight * x * x;
    }
    let determinant = ones * squares - cross * cross;
    // All probabilities (almost) equal: there is no slope to be seen.
    if determinant.is_nan() || determinant <= 1e-9 * ones * squares {
        return None;
    }
    let covariance = [squares / determinant, -cross / determinant, ones / determinant];
    Some(Recalibration {
        intercept: estimate(intercept, covariance[0]),
        slope: estimate(slope, covariance[2]),
        covariance,
    })
}

impl Recalibration {
    /// The true probability that the line gives to a predicted one, with the 95 % interval of the line there.
    pub fn at(&self, pd: f64) -> Estimate {
        let x = log_odds(&[pd])[0];
        let [intercept, both, slope] = self.covariance;
        let line = estimate(
            self.intercept.value + self.slope.value * x,
            (intercept + 2.0 * x * both + x * x * slope).max(0.0),
        );
        Estimate { value: probability(line.value), interval: line.interval.map(probability) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(found: f64, is: f64, relative: f64) {
        assert!((found - is).abs() <= relative * is.abs(), "{found} is not {is}");
    }

    /// 400 rows, 153 of them bad where 127.7 are expected; the reference figures below are SciPy's.
    fn rows() -> (Vec<f64>, Vec<bool>) {
        let pd: Vec<f64> = (0..400).map(|i| 0.02 + 0.6 * f64::from(i * 37 % 400) / 400.0).collect();
        let bad = (0..400).map(|i| (f64::from((i * 101 + 13) % 400) + 0.5) / 400.0);
        let bad = bad.zip(&pd).map(|(u, p)| u < p * 1.2).collect();
        (pd, bad)
    }

    #[test]
    fn the_tests_agree_with_the_reference_figures() {
        let (pd, bad) = rows();
        let found = check(&pd, &bad, 2).unwrap();
        let hosmer = found.hosmer_lemeshow.unwrap();
        close(hosmer.statistic, 9.71914427820499, 1e-12);
        assert_eq!((hosmer.groups, hosmer.degrees), (10, 8));
        close(hosmer.p_value, 0.28529424596801234, 1e-10);
        close(check(&pd, &bad, 0).unwrap().hosmer_lemeshow.unwrap().p_value, 0.46546965964703524, 1e-10);
        let spiegelhalter = found.spiegelhalter.unwrap();
        close(spiegelhalter.z, 1.2400143078978076, 1e-10);
        close(spiegelhalter.p_value, 0.21497010206868594, 1e-10);
    }

    #[test]
    fn intercepts_slope_and_their_errors_agree_with_the_reference_figures() {
        let (pd, bad) = rows();
        let found = check(&pd, &bad, 2).unwrap();
        let large = found.in_the_large.unwrap();
        close(large.value, 0.3262353222213897, 1e-9);
        close((large.interval[1] - large.value) / ERRORS_95, 0.11196567571106474, 1e-6);
        let line = found.recalibration.unwrap();
        close(line.intercept.value, 0.40740798, 1e-4);
        close(line.slope.value, 1.12400979, 1e-4);
        for (found, is) in line.covariance.into_iter().zip([0.02195166, 0.01401968, 0.02185326]) {
            close(found, is, 1e-3);
        }
        let at = line.at(0.5);
        close(at.value, probability(0.40740798), 1e-4);
        assert!(at.interval[0] < at.value && at.value < at.interval[1]);
    }

    #[test]
    fn probabilities_twice_too_high_are_found_out_by_every_test() {
        let pd: Vec<f64> = (0..4000).map(|i| 0.04 + 0.2 * f64::from(i % 400) / 400.0).collect();
        let bad: Vec<bool> = (0..4000).map(|i| f64::from(i * 7919 % 4000) / 4000.0 < pd[i as usize] / 2.0).collect();
        let found = check(&pd, &bad, 0).unwrap();
        assert!(found.hosmer_lemeshow.unwrap().p_value < 1e-6);
        assert!(found.spiegelhalter.unwrap().p_value < 1e-6);
        assert!(found.in_the_large.unwrap().interval[1] < -0.4);
        assert!(found.curve.iter().filter(|bin| bin.interval[1] < bin.predicted).count() >= 8);
    }

    #[test]
    fn what_cannot_be_told_is_none_and_never_nan() {
        assert_eq!(check(&[], &[], 0), None);
        assert_eq!(check(&[0.5, f64::NAN], &[true, false], 0), None);
        let alike = check(&[0.25; 40], &(0..40).map(|i| i % 4 == 0).collect::<Vec<_>>(), 0).unwrap();
        assert_eq!((alike.curve.len(), alike.recalibration), (1, None));
        assert!(alike.in_the_large.unwrap().value.abs() < 1e-9);
        let one_outcome = check(&[0.2, 0.3], &[false, false], 2).unwrap();
        assert_eq!((one_outcome.in_the_large, one_outcome.recalibration), (None, None));
        let certain = check(&[0.0, 1.0, 0.0, 1.0], &[true, true, false, false], 0).unwrap();
        assert_eq!((certain.hosmer_lemeshow, certain.spiegelhalter), (None, None));
    }

    proptest! {
        #[test]
        fn every_row_is_in_one_group_and_every_figure_is_finite(
            rows in prop::collection::vec((0_u16..=50, any::<bool>()), 1..120), fitted in 0_u32..3
        ) {
            let pd: Vec<f64> = rows.iter().map(|r| f64::from(r.0) / 50.0).collect();
            let bad: Vec<bool> = rows.iter().map(|r| r.1).collect();
            let found = check(&pd, &bad, fitted).unwrap();
            prop_assert_eq!(found.curve.iter().map(|bin| bin.rows).sum::<u64>(), rows.len() as u64);
            prop_assert!(found.curve.windows(2).all(|pair| pair[0].range[1] < pair[1].range[0]));
            let json = serde_json::to_string(&found).unwrap();
            prop_assert_eq!(serde_json::from_str::<Goodness>(&json).unwrap(), found);
        }
    }
}
