//! Points to double the odds: how points, odds and probabilities belong together.
//!
//! `factor = PDO / ln 2`, `offset = base − factor · ln(odds)`, `score = offset + factor · ln((1 − p) / p)`, with odds good:bad.
//! (Siddiqi, Credit Risk Scorecards, ch. 6.)

use serde::{Deserialize, Serialize};

/// One point is split into this many parts, and points are whole multiples of one part.
pub const PARTS_OF_A_POINT: f64 = 64.0;

/// Points beyond this size are refused: sums stay far below 2^46, up to where multiples of 1/64 are exact in `f64`.
pub const POINTS_MAX: f64 = 1_048_576.0;

/// The scale of a model: `base` points at `odds` good firms to one bad, and `pdo` points more double the odds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaling {
    /// Points at the odds named by `odds`.
    pub base: f64,
    /// Odds of good to bad at `base` points.
    pub odds: f64,
    /// Points to double the odds.
    pub pdo: f64,
}

impl Default for Scaling {
    /// 600 points at 50:1, 20 points double the odds.
    fn default() -> Scaling {
        Scaling { base: 600.0, odds: 50.0, pdo: 20.0 }
    }
}

impl Scaling {
    /// Points per unit of log-odds.
    pub fn factor(&self) -> f64 {
        self.pdo / std::f64::consts::LN_2
    }

    /// Points at even odds.
    pub fn offset(&self) -> f64 {
        self.base - self.factor() * self.odds.ln()
    }

    /// The probability of default at `points`: `1 / (1 + exp((points − offset) / factor))`.
    pub fn pd(&self, points: f64) -> f64 {
        1.0 / (1.0 + ((points - self.offset()) / self.factor()).exp())
    }

    /// The points of a probability of default strictly between 0 and 1.
    pub fn points(&self, pd: f64) -> f64 {
        self.offset() + self.factor() * ((1.0 - pd) / pd).ln()
    }

    /// The lowest whole score whose firms, rounding included, all have a probability of default of at most `pd_at_most`.
    pub fn score_for(&self, pd_at_most: f64) -> i64 {
        (self.points(pd_at_most) + 0.5).ceil() as i64
    }

    /// Whether the scale can be used: finite, odds and PDO positive, base within the size of points.
    pub fn is_sound(&self) -> bool {
        self.base.abs() <= POINTS_MAX
            && (1e-9..=1e9).contains(&self.odds)
            && (1e-3..=1e5).contains(&self.pdo)
            && self.offset().is_finite()
    }
}

/// `points` rounded to the nearest multiple of 1/64.
pub fn round_points(points: f64) -> f64 {
    // `+ 0.0` turns −0 into 0, so that equal points are equal bits.
    (points * PARTS_OF_A_POINT).round() / PARTS_OF_A_POINT + 0.0
}

/// Whether `points` is a multiple of 1/64 small enough for exact sums.
pub fn is_exact(points: f64) -> bool {
    points.abs() <= POINTS_MAX && (points * PARTS_OF_A_POINT).fract() == 0.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_scale_has_the_published_factor_offset_and_points() {
        let scale = Scaling::default();
        assert!((scale.factor() - 28.8539).abs() < 5e-5);
        assert!((scale.offset() - 487.1229).abs() < 5e-5);
        for (pd, points) in [(0.01, 619.7), (0.02, 599.4), (0.05, 572.1), (0.10, 550.5)] {
            assert!((scale.points(pd) - points).abs() < 0.05, "{pd}: {}", scale.points(pd));
            assert!((scale.pd(scale.points(pd)) - pd).abs() < 1e-12);
        }
    }

    #[test]
    fn every_firm_that_reaches_a_grades_score_has_at_most_the_grades_pd() {
        let scale = Scaling::default();
        for pd in [0.01, 0.03, 0.07, 0.15, 0.5] {
            let score = scale.score_for(pd);
            let worst_total = score as f64 - 0.5; // the lowest total that rounds to the score
            assert!(scale.pd(worst_total) <= pd);
            assert!(scale.pd(worst_total - 1.0) > pd);
        }
    }

    #[test]
    fn points_round_to_64ths_and_only_64ths_are_exact() {
        assert_eq!(round_points(1.01), 1.015625);
        assert!(is_exact(round_points(-17.777)));
        assert!(!is_exact(0.01));
        assert!(!is_exact(f64::NAN));
        assert!(!is_exact(f64::INFINITY));
        assert_eq!(round_points(-0.001).to_bits(), 0.0_f64.to_bits());
    }
}
