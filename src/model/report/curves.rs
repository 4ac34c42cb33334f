//! Curves over all rows, thinned out so that a file with hundreds of thousands of them stays small.

use serde::Serialize;

use super::{rounded, score};
use crate::model::scaling::Scaling;

/// Two neighbours on a curve differ by at least this much in the sum of both shares: 300 points at most.
const STEP_MIN: f64 = 2.0 / 300.0;

/// Shares of each outcome up to a score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Separation {
    /// The curves, by ascending score.
    pub points: Vec<SeparationPoint>,
    /// Where the curves are furthest apart: one of `points`.
    pub widest: SeparationPoint,
}

/// A place on the curves.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct SeparationPoint {
    /// The score.
    pub score: f64,
    /// Share of the good rows with this score or less.
    pub goods: f64,
    /// Share of the bad rows with this score or less.
    pub bads: f64,
}

/// Cumulative shares of goods and bads with their risk, riskiest first, one entry a different risk. `None` unless both occur.
fn cumulative(pd: &[f64], bad: &[bool]) -> Option<Vec<(f64, [f64; 2])>> {
    let mut rows: Vec<(f64, bool)> = pd.iter().copied().zip(bad.iter().copied()).collect();
    rows.sort_by(|a, b| b.0.total_cmp(&a.0));
    let bads = rows.iter().filter(|row| row.1).count() as f64;
    let goods = rows.len() as f64 - bads;
    if bads == 0.0 || goods == 0.0 {
        return None;
    }
    let (mut goods_seen, mut bads_seen) = (0.0, 0.0);
    let step = |tie: &[(f64, bool)]| {
        let tied = tie.iter().filter(|row| row.1).count() as f64;
        bads_seen += tied;
        goods_seen += tie.len() as f64 - tied;
        (tie[0].0, [goods_seen / goods, bads_seen / bads])
    };
    Some(rows.chunk_by(|a, b| a.0 == b.0).map(step).collect())
}

/// Whether each point of a curve is kept: the first, the last, those of `keep`, and those far enough from the one kept before.
fn kept(curve: &[[f64; 2]], keep: Option<usize>) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    for (i, point) in curve.iter().enumerate() {
        let far = kept.last().is_none_or(|last| {
            let before = curve[*last];
            (point[0] - before[0]).abs() + (point[1] - before[1]).abs() >= STEP_MIN
        });
        if far || i + 1 == curve.len() || keep == Some(i) {
            kept.push(i);
        }
    }
    kept
}

/// The ROC curve from (0, 0) to (1, 1); empty where one outcome stands alone.
pub fn roc(pd: &[f64], bad: &[bool]) -> Vec<[f64; 2]> {
    let Some(steps) = cumulative(pd, bad) else { return Vec::new() };
    let curve: Vec<[f64; 2]> = std::iter::once([0.0, 0.0]).chain(steps.into_iter().map(|of| of.1)).collect();
    kept(&curve, None).into_iter().map(|i| curve[i].map(rounded)).collect()
}

/// The shares of both outcomes up to a score; `None` where one outcome stands alone.
pub fn separation(pd: &[f64], bad: &[bool], scaling: &Scaling) -> Option<Separation> {
    let steps = cumulative(pd, bad)?;
    let distance = |of: &[f64; 2]| (of[1] - of[0]).abs();
    let widest = (0..steps.len()).max_by(|a, b| {
        // The first of several equal ones: the riskiest cut-off.
        distance(&steps[*a].1).total_cmp(&distance(&steps[*b].1)).then(b.cmp(a))
    })?;
    let curve: Vec<[f64; 2]> = steps.iter().map(|of| of.1).collect();
    let point = |i: usize| SeparationPoint {
        score: rounded(score(scaling, steps[i].0)),
        goods: rounded(curve[i][0]),
        bads: rounded(curve[i][1]),
    };
    Some(Separation { points: kept(&curve, Some(widest)).into_iter().map(point).collect(), widest: point(widest) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::measure::auc_and_ks;

    fn rows(n: usize) -> (Vec<f64>, Vec<bool>) {
        let pd: Vec<f64> = (0..n).map(|i| (i * 7919 % n) as f64 / n as f64).collect();
        let bad = pd.iter().enumerate().map(|(i, p)| (i * 31 % 97) as f64 / 97.0 < *p).collect();
        (pd, bad)
    }

    #[test]
    fn a_curve_of_thirty_thousand_rows_is_thinned_out_and_keeps_its_area_and_its_widest_place() {
        let (pd, bad) = rows(30_000);
        let (auc, ks) = auc_and_ks(&pd, &bad).unwrap();
        let curve = roc(&pd, &bad);
        assert!(curve.len() > 100 && curve.len() <= 305, "{}", curve.len());
        assert_eq!((curve[0], curve[curve.len() - 1]), ([0.0, 0.0], [1.0, 1.0]));
        let area: f64 = curve.windows(2).map(|of| (of[1][0] - of[0][0]) * (of[1][1] + of[0][1]) / 2.0).sum();
        assert!((area - auc).abs() < 1e-3, "{area} {auc}");
        let found = separation(&pd, &bad, &Scaling::default()).unwrap();
        assert!(found.points.len() <= 306 && found.points.contains(&found.widest));
        assert!((found.widest.bads - found.widest.goods - ks).abs() < 1e-5);
        assert!(found.points.is_sorted_by(|a, b| a.score <= b.score));
    }

    #[test]
    fn equal_risks_are_one_step_and_one_outcome_alone_has_no_curve() {
        assert_eq!(roc(&[0.5, 0.5], &[true, false]), [[0.0, 0.0], [1.0, 1.0]]);
        assert!(roc(&[0.5, 0.1], &[true, true]).is_empty());
        assert_eq!(separation(&[0.5], &[false], &Scaling::default()), None);
        assert!(separation(&[0.0, 1.0], &[false, true], &Scaling::default()).unwrap().widest.score.is_finite());
    }
}
