//! How well probabilities of default order firms and how true they are.

use serde::{Deserialize, Serialize};

/// Quantile bins of the expected calibration error.
pub(super) const ECE_BINS: usize = 10;
/// Probabilities are kept this far from 0 and 1 in the logarithmic loss.
pub(super) const LOG_LOSS_FLOOR: f64 = 1e-15;
/// Shares below this count as this in the population stability index.
const PSI_FLOOR: f64 = 1e-4;

/// The figures of `yuxin evaluate`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Measures {
    /// Chance that a bad firm has a higher probability than a good one; ties count half.
    pub auc: f64,
    /// Largest distance between the distributions of good and bad firms.
    pub ks: f64,
    /// `2 · auc − 1`.
    pub gini: f64,
    /// Mean squared error of the probabilities.
    pub brier: f64,
    /// Mean negative log-likelihood, in nats.
    pub log_loss: f64,
    /// Expected calibration error over ten quantile bins.
    pub ece: f64,
    /// Rows.
    pub n: u64,
    /// Share of bad rows.
    pub bad_rate: f64,
}

/// Measures probabilities against outcomes; `None` unless both outcomes occur and every probability lies within 0 and 1.
pub fn measure(pd: &[f64], bad: &[bool]) -> Option<Measures> {
    if pd.len() != bad.len() || pd.iter().any(|p| !(0.0..=1.0).contains(p)) {
        return None;
    }
    let n = pd.len() as f64;
    let (auc, ks) = auc_and_ks(pd, bad)?;
    let rows = || pd.iter().zip(bad);
    let brier = rows().map(|(p, b)| (p - f64::from(u8::from(*b))).powi(2)).sum::<f64>() / n;
    let log_loss = -rows().map(|(p, b)| if *b { *p } else { 1.0 - p }.max(LOG_LOSS_FLOOR).ln()).sum::<f64>() / n;
    let bads = bad.iter().filter(|b| **b).count() as f64;
    Some(Measures {
        auc,
        ks,
        gini: 2.0 * auc - 1.0,
        brier,
        log_loss,
        ece: ece(pd, bad),
        n: pd.len() as u64,
        bad_rate: bads / n,
    })
}

/// Area under the ROC curve and the Kolmogorov-Smirnov distance of `risk` (larger is riskier), ties handled, in O(n log n).
/// `None` unless both outcomes occur.
pub fn auc_and_ks(risk: &[f64], bad: &[bool]) -> Option<(f64, f64)> {
    let mut rows: Vec<(f64, bool)> = risk.iter().copied().zip(bad.iter().copied()).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0));
    let bads = rows.iter().filter(|row| row.1).count() as f64;
    let goods = rows.len() as f64 - bads;
    if bads == 0.0 || goods == 0.0 {
        return None;
    }
    let (mut goods_below, mut bads_below, mut pairs, mut ks) = (0.0, 0.0, 0.0, 0.0_f64);
    for tie in rows.chunk_by(|a, b| a.0 == b.0) {
        let tied_bads = tie.iter().filter(|row| row.1).count() as f64;
        let tied_goods = tie.len() as f64 - tied_bads;
        pairs += tied_bads * (goods_below + 0.5 * tied_goods);
        goods_below += tied_goods;
        bads_below += tied_bads;
        ks = ks.max((goods_below / goods - bads_below / bads).abs());
    }
    Some((pairs / (bads * goods), ks))
}

/// Expected calibration error: over ten bins of about as many rows each (equal probabilities stay together), the mean distance
/// between the mean probability and the bad rate, weighted by rows.
pub fn ece(pd: &[f64], bad: &[bool]) -> f64 {
    let distance = |bin: &Vec<(f64, bool)>| bin.iter().map(|(p, b)| p - f64::from(u8::from(*b))).sum::<f64>().abs();
    let distances: f64 = quantile_bins(pd, bad, ECE_BINS).iter().map(distance).sum();
    if pd.is_empty() { 0.0 } else { distances / pd.len() as f64 }
}

/// Rows by ascending probability in at most `bins` bins of about as many rows each; equal probabilities stay together, and no bin
/// is empty.
pub fn quantile_bins(pd: &[f64], bad: &[bool], bins: usize) -> Vec<Vec<(f64, bool)>> {
    let mut rows: Vec<(f64, bool)> = pd.iter().copied().zip(bad.iter().copied()).collect();
    rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
    let (n, mut start, mut cut) = (rows.len(), 0, Vec::new());
    for bin in 1..=bins {
        let mut end = (n * bin / bins).max(start);
        while end > start && end < n && rows[end].0 == rows[end - 1].0 {
            end += 1;
        }
        if end > start {
            cut.push(rows[start..end].to_vec());
        }
        start = end;
    }
    cut
}

/// Population stability index between two distributions over the same bins, as shares: below 0.10 stable, 0.25 and above a
/// significant shift. `None` where the numbers of bins differ.
pub fn psi(expected: &[f64], actual: &[f64]) -> Option<f64> {
    if expected.len() != actual.len() {
        return None;
    }
    let term = |(e, a): (&f64, &f64)| {
        let (e, a) = (e.max(PSI_FLOOR), a.max(PSI_FLOOR));
        (a - e) * (a / e).ln()
    };
    Some(expected.iter().zip(actual).map(term).sum())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn auc_and_ks_agree_with_the_published_vector() {
        let scores = [520.0, 540.0, 600.0, 560.0, 610.0, 650.0, 700.0];
        let risk: Vec<f64> = scores.iter().map(|s| -s).collect();
        let (auc, ks) = auc_and_ks(&risk, &[true, true, true, false, false, false, false]).unwrap();
        assert!((auc - 0.916667).abs() < 1e-6);
        assert_eq!(ks, 0.75);
    }

    #[test]
    fn psi_agrees_with_the_published_vectors() {
        let close = |e: &[f64], a: &[f64], psi_is: f64| assert!((psi(e, a).unwrap() - psi_is).abs() < 1e-6);
        close(&[0.2, 0.3, 0.3, 0.2], &[0.25, 0.25, 0.3, 0.2], 0.020273);
        close(&[0.1, 0.2, 0.4, 0.2, 0.1], &[0.2, 0.25, 0.3, 0.15, 0.1], 0.123624);
        assert!(psi(&[0.5, 0.5], &[1.0, 0.0]).unwrap().is_finite());
        assert_eq!(psi(&[1.0], &[0.5, 0.5]), None);
    }

    #[test]
    fn equal_probabilities_count_half_in_auc_and_do_not_depend_on_the_order_of_rows() {
        assert_eq!(auc_and_ks(&[0.3, 0.3], &[true, false]), Some((0.5, 0.0)));
        let a = measure(&[0.2, 0.2, 0.2, 0.8], &[true, false, false, true]).unwrap();
        let b = measure(&[0.2, 0.2, 0.8, 0.2], &[false, false, true, true]).unwrap();
        assert_eq!((a.auc, a.ks, a.ece), (b.auc, b.ks, b.ece));
    }

    #[test]
    fn one_outcome_alone_or_a_probability_outside_0_to_1_is_not_measured() {
        assert_eq!(measure(&[0.1, 0.2], &[true, true]), None);
        assert_eq!(measure(&[0.1, 1.2], &[true, false]), None);
        assert_eq!(measure(&[0.1, f64::NAN], &[true, false]), None);
        assert_eq!(measure(&[], &[]), None);
    }

    #[test]
    fn brier_log_loss_and_ece_are_what_they_are_by_hand() {
        let m = measure(&[0.1, 0.9], &[false, true]).unwrap();
        assert!((m.brier - 0.01).abs() < 1e-12);
        assert!((m.log_loss + 0.9_f64.ln()).abs() < 1e-12);
        assert!((m.ece - 0.1).abs() < 1e-12);
        assert!(measure(&[0.0, 1.0], &[true, false]).unwrap().log_loss.is_finite());
    }

    proptest! {
        #[test]
        fn auc_is_the_share_of_pairs_in_the_right_order(rows in prop::collection::vec((0_u8..20, any::<bool>()), 2..60)) {
            let risk: Vec<f64> = rows.iter().map(|r| f64::from(r.0)).collect();
            let bad: Vec<bool> = rows.iter().map(|r| r.1).collect();
            let (mut pairs, mut right) = (0.0, 0.0);
            for (i, a) in rows.iter().enumerate() {
                for b in rows.iter().skip(i + 1).filter(|b| b.1 != a.1) {
                    let (worse, better) = if a.1 { (a.0, b.0) } else { (b.0, a.0) };
                    pairs += 1.0;
                    right += if worse > better { 1.0 } else if worse == better { 0.5 } else { 0.0 };
                }
            }
            match auc_and_ks(&risk, &bad) {
                None => prop_assert_eq!(pairs, 0.0),
                Some((auc, ks)) => {
                    prop_assert!((auc - right / pairs).abs() < 1e-12);
                    prop_assert!((0.0..=1.0).contains(&ks) && ks + 1e-12 >= (2.0 * auc - 1.0).abs() / 2.0);
                }
            }
        }
    }
}
