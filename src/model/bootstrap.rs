//! How far the measures could be off: bootstrap intervals (Efron and Tibshirani, An Introduction to the Bootstrap, ch. 13).
//!
//! Rows are drawn plainly, not outcome by outcome: the number of bad rows is itself a matter of chance, and an interval of the bad
//! rate, the Brier score or the logarithmic loss that holds it fixed would be too short. Where few rows are bad, a draw may hold
//! none. Such a draw counts for the measures that it has; at least 63 % of draws hold a given row (`1 − 1/e`), so ranking measures
//! always keep most of theirs.
//!
//! Intervals are percentiles of the draws, but for two measures that drawing itself makes larger, because a draw repeats rows:
//!
//! - KS is a largest distance. Its interval is made of the distances at the cut-off where the rows themselves have theirs, less what
//!   drawing added to the largest ones on average.
//! - ECE is a mean of distances, above 0 even where probabilities are true. Its lower bound is 0 unless it exceeds what chance
//!   gives to true probabilities once in twenty times; otherwise the upper percentile mirrored at the measure. The upper bound is
//!   the larger of the upper percentile and the lower one mirrored.
//!
//! Plain percentiles of the ECE of true probabilities never held 0 in simulations, and those of KS held the truth in 66 to 84 %
//! of trials; these do in about 93 and 91 to 94 %.

mod sorted_rows;

use rand::SeedableRng;
use rand::distributions::{Distribution, Uniform};
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};

use self::sorted_rows::{Drawn, Ranking, SortedRows};
use super::additive::in_parallel;
use super::measure::{ECE_BINS, Measures, measure, quantile_bins};

/// The share of intervals that hold the truth.
const LEVEL: f64 = 0.95;
/// Draws of rows in small data.
const REPLICATES_MAX: usize = 1000;
/// Draws of rows in large data, where a percentile of a narrow distribution needs fewer.
const REPLICATES_MIN: usize = 200;
/// Rows drawn in all, within those bounds: more would take longer than fitting a scorecard does.
const DRAWN_ROWS: usize = 5_000_000;

/// 95 % intervals of [`Measures`], lower and upper bound each.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Intervals {
    /// The share of such intervals that hold the true figure: 0.95.
    pub level: f64,
    /// How many times the rows were drawn anew.
    pub replicates: u32,
    /// Of the area under the ROC curve.
    pub auc: [f64; 2],
    /// Of the Kolmogorov-Smirnov distance.
    pub ks: [f64; 2],
    /// Of `2 · auc − 1`.
    pub gini: [f64; 2],
    /// Of the mean squared error.
    pub brier: [f64; 2],
    /// Of the mean negative log-likelihood.
    pub log_loss: [f64; 2],
    /// Of the expected calibration error.
    pub ece: [f64; 2],
    /// Of the share of bad rows.
    pub bad_rate: [f64; 2],
}

/// Bootstrap intervals of [`measure`]; `None` exactly where that is. The same seed gives the same intervals, on any number of
/// threads. Every bound is finite, and within 0 and 1 where the measure is.
pub fn intervals(pd: &[f64], bad: &[bool], seed: u64, threads: usize) -> Option<Intervals> {
    let replicates = (DRAWN_ROWS / pd.len().max(1)).clamp(REPLICATES_MIN, REPLICATES_MAX);
    from_replicates(pd, bad, seed, replicates, threads)
}

fn from_replicates(pd: &[f64], bad: &[bool], seed: u64, replicates: usize, threads: usize) -> Option<Intervals> {
    let measured = measure(pd, bad)?;
    let rows = SortedRows::new(pd, bad);
    // Half as many random bits for the usual number of rows.
    let any_row = Uniform::new(0, u32::try_from(pd.len()).ok()?);
    let drawn = in_parallel(replicates, threads, &|replicate| {
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        random.set_stream(replicate as u64);
        let mut draws = vec![0_u32; pd.len()];
        for _ in 0..pd.len() {
            draws[any_row.sample(&mut random) as usize] += 1;
        }
        rows.measure(&draws)
    });
    Some(from_draws(&measured, &drawn, ece_of_chance(pd, bad)))
}

fn from_draws(measured: &Measures, drawn: &[Drawn], ece_of_chance: f64) -> Intervals {
    let ranking: Vec<Ranking> = drawn.iter().filter_map(|of| of.ranking).collect();
    let auc = percentiles(ranking.iter().map(|of| of.auc), measured.auc);
    Intervals {
        level: LEVEL,
        replicates: u32::try_from(drawn.len()).unwrap_or(u32::MAX),
        auc,
        ks: ks_interval(&ranking, measured.ks),
        gini: auc.map(|auc| 2.0 * auc - 1.0),
        brier: percentiles(drawn.iter().map(|of| of.brier), measured.brier),
        log_loss: percentiles(drawn.iter().map(|of| of.log_loss), measured.log_loss),
        ece: ece_interval(drawn, measured.ece, ece_of_chance),
        bad_rate: percentiles(drawn.iter().map(|of| of.bad_rate), measured.bad_rate),
    }
}

/// The outer percentiles of `values`; `otherwise` twice where there are none.
fn percentiles(values: impl Iterator<Item = f64>, otherwise: f64) -> [f64; 2] {
    let mut sorted: Vec<f64> = values.collect();
    sorted.sort_by(f64::total_cmp);
    [(1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0].map(|share| quantile(&sorted, share).unwrap_or(otherwise))
}

/// The value below which `share` of the sorted values lie, linear between neighbours.
fn quantile(sorted: &[f64], share: f64) -> Option<f64> {
    let place = share * sorted.len().checked_sub(1)? as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    Some(below + (above - below) * place.fract())
}

fn ks_interval(ranking: &[Ranking], measured: f64) -> [f64; 2] {
    let largest = ranking.iter().map(|of| of.ks).sum::<f64>() / ranking.len() as f64;
    let added = if ranking.is_empty() { 0.0 } else { largest - measured };
    percentiles(ranking.iter().map(|of| of.ks_at_cut), measured).map(|bound| (bound - added).clamp(0.0, 1.0))
}

fn ece_interval(drawn: &[Drawn], measured: f64, of_chance: f64) -> [f64; 2] {
    let [low, high] = percentiles(drawn.iter().map(|of| of.ece), measured);
    let least = if measured <= of_chance { 0.0 } else { 2.0 * measured - high };
    [least.clamp(0.0, 1.0), high.max(2.0 * measured - low).clamp(0.0, 1.0)]
}

/// The expected calibration error that chance exceeds once in twenty times where the probabilities are true: the sum over the bins
/// of half-normal variables with the bins' standard errors.
fn ece_of_chance(pd: &[f64], bad: &[bool]) -> f64 {
    const ERRORS_ONE_SIDED: f64 = 1.645;
    let half_normal_mean = (2.0 / std::f64::consts::PI).sqrt();
    let (mut mean, mut variance) = (0.0, 0.0);
    for bin in quantile_bins(pd, bad, ECE_BINS) {
        let of_bin: f64 = bin.iter().map(|row| row.0 * (1.0 - row.0)).sum();
        mean += of_bin.sqrt() * half_normal_mean;
        variance += of_bin * (1.0 - 2.0 / std::f64::consts::PI);
    }
    (mean + ERRORS_ONE_SIDED * variance.sqrt()) / pd.len() as f64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::Rng;

    use super::*;

    /// Rows with the given log-odds of bad plus noise, and outcomes as the probabilities say.
    fn sample(rows: usize, base: f64, random: &mut ChaCha8Rng) -> (Vec<f64>, Vec<bool>) {
        let pd: Vec<f64> = (0..rows)
            .map(|_| {
                let z: f64 = base + (0..4).map(|_| random.gen_range(-1.2..1.2_f64)).sum::<f64>();
                1.0 / (1.0 + (-z).exp())
            })
            .collect();
        let bad = pd.iter().map(|p| random.gen_bool(*p)).collect();
        (pd, bad)
    }

    fn bounds(of: &Intervals) -> [[f64; 2]; 7] {
        [of.auc, of.ks, of.gini, of.brier, of.log_loss, of.ece, of.bad_rate]
    }

    proptest! {
        #[test]
        fn bounds_are_finite_and_in_order_however_few_rows_of_an_outcome_there_are(
            rows in 2_usize..400, bads in 1_usize..3, seed in any::<u64>()
        ) {
            prop_assume!(bads < rows);
            let bad: Vec<bool> = (0..rows).map(|i| i < bads).collect();
            let pd: Vec<f64> = (0..rows).map(|i| (i * 37 % 11) as f64 / 10.0).collect();
            let found = from_replicates(&pd, &bad, seed, 30, 2).unwrap();
            for [low, high] in bounds(&found) {
                prop_assert!(low.is_finite() && high.is_finite() && low <= high, "{:?}", found);
            }
        }
    }

    #[test]
    fn one_outcome_alone_has_no_intervals_and_the_seed_decides_about_the_rest() {
        assert_eq!(intervals(&[0.1, 0.2], &[true, true], 1, 1), None);
        assert_eq!(intervals(&[], &[], 1, 1), None);
        assert_eq!(intervals(&[0.1, f64::NAN], &[true, false], 1, 1), None);
        let (pd, bad) = sample(300, -1.5, &mut ChaCha8Rng::seed_from_u64(5));
        assert_eq!(intervals(&pd, &bad, 7, 1), intervals(&pd, &bad, 7, 3));
        assert_ne!(intervals(&pd, &bad, 7, 1), intervals(&pd, &bad, 8, 1));
    }

    #[test]
    fn intervals_hold_the_truth_about_as_often_as_they_say() {
        let mut random = ChaCha8Rng::seed_from_u64(11);
        let (truth_pd, truth_bad) = sample(400_000, -2.0, &mut random);
        let truth = measure(&truth_pd, &truth_bad).unwrap();
        let trials = 200;
        let mut held = [0; 6];
        for trial in 0..trials {
            let (pd, bad) = sample(500, -2.0, &mut random);
            let of = from_replicates(&pd, &bad, trial, 200, 2).unwrap();
            let pairs = [
                (of.auc, truth.auc),
                (of.ks, truth.ks),
                (of.brier, truth.brier),
                (of.log_loss, truth.log_loss),
                (of.bad_rate, truth.bad_rate),
                (of.ece, 0.0),
            ];
            for (held, ([low, high], truth)) in held.iter_mut().zip(pairs) {
                *held += u32::from((low..=high).contains(&truth));
            }
        }
        // 95 % of 200 trials are 190, give or take 3; a percentile bootstrap of 500 rows is known to fall a little short.
        assert!(held[..5].iter().all(|held| (178..=199).contains(held)), "{held:?}");
        assert!(held[5] >= 178, "these probabilities are true: {held:?}");
    }
}
