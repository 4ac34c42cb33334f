//! Weight of evidence and information value, smoothed so that no bin is infinite.
//!
//! `WOE = ln[(goods_i / G) / (bads_i / B)]`, `IV = Σ (goods_i/G − bads_i/B) · WOE_i`. To each bin, `smoothing` rows at the average
//! bad rate are added first: a bin with few rows has a weight near 0, an empty one exactly 0.

use std::ops::{Add, AddAssign};

/// Good and bad rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Rows with a good outcome.
    pub goods: u64,
    /// Rows with a bad outcome.
    pub bads: u64,
}

impl Counts {
    /// One row.
    pub fn of(bad: bool) -> Counts {
        Counts { goods: u64::from(!bad), bads: u64::from(bad) }
    }

    /// All rows.
    pub fn rows(self) -> u64 {
        self.goods + self.bads
    }
}

impl Add for Counts {
    type Output = Counts;
    fn add(self, other: Counts) -> Counts {
        Counts { goods: self.goods + other.goods, bads: self.bads + other.bads }
    }
}

impl AddAssign for Counts {
    fn add_assign(&mut self, other: Counts) {
        *self = *self + other;
    }
}

/// The population that bins are weighed against.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Population {
    all: Counts,
    smoothing: f64,
}

impl Population {
    /// All rows, and how many rows at their bad rate are added to each bin. `None` unless both outcomes occur.
    pub fn new(all: Counts, smoothing: f64) -> Option<Population> {
        (all.goods > 0 && all.bads > 0).then_some(Population { all, smoothing })
    }

    /// Rows of each outcome.
    pub fn counts(&self) -> Counts {
        self.all
    }

    /// The smoothed weight of evidence of a bin: positive is better than the average. Finite where smoothing is above 0, or
    /// both outcomes occur in the bin.
    pub fn woe(&self, bin: Counts) -> f64 {
        let (good_all, bad_all) = (self.all.goods as f64, self.all.bads as f64);
        // Both sides are shares plus smoothing/rows; a share of an outcome is the same for an average bin, whose weight is 0.
        let pseudo_share = self.smoothing / (good_all + bad_all);
        ((bin.goods as f64 / good_all + pseudo_share) / (bin.bads as f64 / bad_all + pseudo_share)).ln()
    }

    /// What a bin adds to the information value; never below 0.
    pub fn iv(&self, bin: Counts) -> f64 {
        if bin.rows() == 0 {
            return 0.0;
        }
        let shares = bin.goods as f64 / self.all.goods as f64 - bin.bads as f64 / self.all.bads as f64;
        shares * self.woe(bin)
    }

    /// The information value that chance gives to one more bin, on average: `1/G + 1/B`.
    pub fn iv_of_chance(&self) -> f64 {
        1.0 / self.all.goods as f64 + 1.0 / self.all.bads as f64
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const BINS: [Counts; 3] =
        [Counts { goods: 800, bads: 20 }, Counts { goods: 150, bads: 20 }, Counts { goods: 50, bads: 60 }];

    #[test]
    fn weights_and_information_value_agree_with_the_published_vector() {
        let population = Population::new(Counts { goods: 1000, bads: 100 }, 0.0).unwrap();
        for (bin, woe) in BINS.into_iter().zip([1.3863, -0.2877, -2.4849]) {
            assert!((population.woe(bin) - woe).abs() < 5e-5);
        }
        let iv: f64 = BINS.into_iter().map(|bin| population.iv(bin)).sum();
        assert!((iv - 2.2129).abs() < 5e-5);
    }

    #[test]
    fn an_empty_bin_weighs_nothing_and_a_pure_one_stays_finite() {
        let population = Population::new(Counts { goods: 1000, bads: 100 }, 20.0).unwrap();
        assert_eq!(population.woe(Counts::default()), 0.0);
        assert!(population.woe(Counts { goods: 500, bads: 0 }).is_finite());
        assert!(population.woe(Counts { goods: 0, bads: 50 }).is_finite());
        assert_eq!(Population::new(Counts { goods: 10, bads: 0 }, 20.0), None);
    }

    proptest! {
        #[test]
        fn smoothing_draws_a_weight_towards_0_and_never_across(goods in 0_u64..500, bads in 0_u64..50, smoothing in 0.5_f64..100.0) {
            let all = Counts { goods: 1000, bads: 100 };
            let (light, heavy) = (Population::new(all, smoothing).unwrap(), Population::new(all, smoothing * 2.0).unwrap());
            let bin = Counts { goods, bads };
            let (a, b) = (light.woe(bin), heavy.woe(bin));
            prop_assert!(b.abs() <= a.abs() + 1e-12 && a * b >= -1e-12);
            prop_assert!(light.iv(bin) >= 0.0);
        }
    }
}
