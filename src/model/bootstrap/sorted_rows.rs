//! The measures of rows drawn with replacement: the rows are sorted once, each draw only counts how often it holds each.

use crate::model::measure::{ECE_BINS, LOG_LOSS_FLOOR};

/// Rows by ascending probability: sorted once, then only counted anew.
pub(super) struct SortedRows {
    ties: Vec<Tie>,
    rows: usize,
    /// How many rows lie below the cut-off with the largest distance between the outcomes.
    cut: usize,
    /// 1 where more of the good than of the bad rows lie there, -1 where the order is upside down.
    sign: f64,
}

/// Many different probabilities are measured in this many groups of neighbours: they tell an interval as well.
const TIES_MAX: usize = 4000;

/// Rows of one probability, or of neighbours taken as one; the good ones before the bad ones.
struct Tie {
    pd: f64,
    start: usize,
    bads_start: usize,
    end: usize,
    /// Squared error and negative log-likelihood of a good row, and of a bad one.
    good_errors: [f64; 2],
    bad_errors: [f64; 2],
}

/// The measures of a draw's order.
#[derive(Clone, Copy)]
pub(super) struct Ranking {
    pub auc: f64,
    pub ks: f64,
    /// The distance at the cut-off where the rows themselves have their largest, with the sign of that one.
    pub ks_at_cut: f64,
}

/// The measures of a draw; those of the order only where both outcomes were drawn.
pub(super) struct Drawn {
    pub ranking: Option<Ranking>,
    pub brier: f64,
    pub log_loss: f64,
    pub ece: f64,
    pub bad_rate: f64,
}

impl Tie {
    /// The tie of `rows`, which begin at `start`; `one` where they share their probability.
    fn of(rows: &[(f64, bool)], start: usize, one: bool) -> Tie {
        let errors = |miss: f64| [miss * miss, -(1.0 - miss).max(LOG_LOSS_FLOOR).ln()];
        let mean = |of: &mut dyn Iterator<Item = f64>| {
            let (sum, n) = of.fold((0.0, 0.0_f64), |(sum, n), x| (sum + x, n + 1.0));
            sum / n.max(1.0)
        };
        let errors_of = |bad: bool, which: usize| {
            let misses = rows.iter().filter(|row| row.1 == bad).map(|row| if bad { 1.0 - row.0 } else { row.0 });
            mean(&mut misses.map(|miss| errors(miss)[which]))
        };
        let pd = if one { rows[0].0 } else { mean(&mut rows.iter().map(|row| row.0)) };
        let (good_errors, bad_errors) = match one {
            true => (errors(pd), errors(1.0 - pd)),
            false => ([0, 1].map(|which| errors_of(false, which)), [0, 1].map(|which| errors_of(true, which))),
        };
        let bads_start = start + rows.iter().filter(|row| !row.1).count();
        Tie { pd, start, bads_start, end: start + rows.len(), good_errors, bad_errors }
    }
}

impl SortedRows {
    /// `pd` within 0 and 1, as long as `bad`.
    pub fn new(pd: &[f64], bad: &[bool]) -> SortedRows {
        let mut rows: Vec<(f64, bool)> = pd.iter().copied().zip(bad.iter().copied()).collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let full = rows.len().div_ceil(TIES_MAX);
        let mut ties: Vec<Tie> = Vec::new();
        let mut start = 0;
        while start < rows.len() {
            let mut end = start + full;
            // What is equal stays together; by value: 0 and −0 are one.
            while end < rows.len() && rows[end].0 == rows[end - 1].0 {
                end += 1;
            }
            end = end.min(rows.len());
            // A group of one keeps its probability to the bit.
            let one = full == 1 || rows[start].0 == rows[end - 1].0;
            ties.push(Tie::of(&rows[start..end], start, one));
            start = end;
        }
        let mut sorted = SortedRows { ties, rows: rows.len(), cut: 0, sign: 1.0 };
        (_, sorted.cut, sorted.sign) = sorted.pass(&vec![1; pd.len()]);
        sorted
    }

    /// The measures where each row counts as often as `draws` says; in all as often as there are rows.
    pub fn measure(&self, draws: &[u32]) -> Drawn {
        self.pass(draws).0
    }

    /// The measures, how many rows lie below the largest distance between the outcomes, and that distance's sign.
    fn pass(&self, draws: &[u32]) -> (Drawn, usize, f64) {
        let n = self.rows as f64;
        let times = |start: usize, end: usize| f64::from(draws[start..end].iter().sum::<u32>());
        let all_bads = self.ties.iter().map(|tie| times(tie.bads_start, tie.end)).sum::<f64>();
        let mut order = Order::new(n - all_bads, all_bads);
        let mut truth = Truth::new(self.rows as u64);
        let (mut brier, mut log_loss) = (0.0, 0.0);
        for tie in &self.ties {
            let (goods, bads) = (times(tie.start, tie.bads_start), times(tie.bads_start, tie.end));
            brier += goods * tie.good_errors[0] + bads * tie.bad_errors[0];
            log_loss += goods * tie.good_errors[1] + bads * tie.bad_errors[1];
            order.add(goods, bads, tie.end, self.cut);
            truth.add((goods + bads) as u64, tie.pd * (goods + bads) - bads);
        }
        let (cut, sign, ece) = (order.cut, order.sign, truth.distance / n);
        let drawn = Drawn {
            ranking: order.finish(self.sign),
            brier: brier / n,
            log_loss: log_loss / n,
            ece,
            bad_rate: all_bads / n,
        };
        (drawn, cut, sign)
    }
}

/// Area under the curve and KS, from ties by ascending probability.
struct Order {
    goods: f64,
    bads: f64,
    goods_below: f64,
    bads_below: f64,
    pairs: f64,
    /// Largest `|goods below · bads − bads below · goods|`, and how many rows lie below it.
    distance: f64,
    cut: usize,
    sign: f64,
    /// The same with its sign, at the cut-off given.
    at_cut: f64,
}

impl Order {
    fn new(goods: f64, bads: f64) -> Order {
        Order {
            goods,
            bads,
            goods_below: 0.0,
            bads_below: 0.0,
            pairs: 0.0,
            distance: 0.0,
            cut: 0,
            sign: 1.0,
            at_cut: 0.0,
        }
    }

    fn add(&mut self, goods: f64, bads: f64, end: usize, cut: usize) {
        self.pairs += bads * (self.goods_below + 0.5 * goods);
        self.goods_below += goods;
        self.bads_below += bads;
        let distance = self.goods_below * self.bads - self.bads_below * self.goods;
        if distance.abs() > self.distance {
            (self.distance, self.cut, self.sign) = (distance.abs(), end, distance.signum());
        }
        if end == cut {
            self.at_cut = distance;
        }
    }

    fn finish(self, sign: f64) -> Option<Ranking> {
        let all_pairs = self.goods * self.bads;
        let ranking = || Ranking {
            auc: self.pairs / all_pairs,
            ks: self.distance / all_pairs,
            ks_at_cut: sign * self.at_cut / all_pairs,
        };
        (all_pairs > 0.0).then(ranking)
    }
}

/// Expected calibration error, from ties by ascending probability: bins as in [`crate::model::measure::ece`].
struct Truth {
    rows: u64,
    seen: u64,
    bin: u64,
    /// Probabilities less outcomes of the open bin.
    open: f64,
    distance: f64,
}

impl Truth {
    fn new(rows: u64) -> Truth {
        Truth { rows, seen: 0, bin: 1, open: 0.0, distance: 0.0 }
    }

    fn add(&mut self, rows: u64, excess: f64) {
        self.seen += rows;
        self.open += excess;
        let bins = ECE_BINS as u64;
        if rows > 0 && self.seen >= self.rows * self.bin / bins {
            self.distance += self.open.abs();
            self.open = 0.0;
            while self.bin < bins && self.seen >= self.rows * self.bin / bins {
                self.bin += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::measure::measure;

    #[test]
    fn many_different_probabilities_are_measured_in_groups_as_well() {
        let n = 10 * TIES_MAX;
        let pd: Vec<f64> = (0..n).map(|i| (i * 7919 % n) as f64 / n as f64).collect();
        let bad: Vec<bool> = pd.iter().enumerate().map(|(i, pd)| (i * 31 % 100) as f64 / 100.0 < pd * pd).collect();
        let rows = SortedRows::new(&pd, &bad);
        assert!(rows.ties.len() <= TIES_MAX);
        let (drawn, measured) = (rows.measure(&vec![1; n]), measure(&pd, &bad).unwrap());
        let Ranking { auc, ks, .. } = drawn.ranking.unwrap();
        for (grouped, exact) in
            [(auc, measured.auc), (ks, measured.ks), (drawn.brier, measured.brier), (drawn.ece, measured.ece)]
        {
            assert!((grouped - exact).abs() < 2e-4, "{grouped} {exact}");
        }
    }

    proptest! {
        #[test]
        fn a_draw_of_every_row_once_has_the_measures_of_the_rows(
            rows in prop::collection::vec((0_u8..30, any::<bool>()), 1..80)
        ) {
            let pd: Vec<f64> = rows.iter().map(|r| f64::from(r.0) / 30.0).collect();
            let bad: Vec<bool> = rows.iter().map(|r| r.1).collect();
            let drawn = SortedRows::new(&pd, &bad).measure(&vec![1; pd.len()]);
            match measure(&pd, &bad) {
                None => prop_assert!(drawn.ranking.is_none()),
                Some(m) => {
                    let Ranking { auc, ks, ks_at_cut } = drawn.ranking.unwrap();
                    prop_assert!((ks_at_cut - ks).abs() < 1e-12);
                    for (a, b) in [(auc, m.auc), (ks, m.ks), (drawn.brier, m.brier), (drawn.log_loss, m.log_loss),
                        (drawn.ece, m.ece), (drawn.bad_rate, m.bad_rate)] {
                        prop_assert!((a - b).abs() < 1e-12, "{} {}", a, b);
                    }
                }
            }
        }

        #[test]
        fn a_draw_has_the_measures_of_the_rows_written_out_as_often_as_drawn(
            rows in prop::collection::vec((0_u8..12, any::<bool>(), any::<prop::sample::Index>()), 1..60)
        ) {
            let pd: Vec<f64> = rows.iter().map(|r| f64::from(r.0) / 12.0).collect();
            let bad: Vec<bool> = rows.iter().map(|r| r.1).collect();
            let mut draws = vec![0_u32; rows.len()];
            rows.iter().for_each(|r| draws[r.2.index(rows.len())] += 1);
            let sorted = SortedRows::new(&pd, &bad);
            let mut order: Vec<usize> = (0..pd.len()).collect();
            order.sort_by(|a, b| pd[*a].total_cmp(&pd[*b]).then(bad[*a].cmp(&bad[*b])));
            let in_order: Vec<u32> = order.iter().map(|i| draws[*i]).collect();
            let out: Vec<usize> = (0..pd.len()).flat_map(|i| vec![i; draws[i] as usize]).collect();
            let (pd, bad): (Vec<f64>, Vec<bool>) = out.iter().map(|i| (pd[*i], bad[*i])).unzip();
            let drawn = sorted.measure(&in_order);
            if let Some(m) = measure(&pd, &bad) {
                let Ranking { auc, ks, .. } = drawn.ranking.unwrap();
                prop_assert!((auc - m.auc).abs() < 1e-12 && (ks - m.ks).abs() < 1e-12);
                prop_assert!((drawn.ece - m.ece).abs() < 1e-12 && (drawn.brier - m.brier).abs() < 1e-12);
            }
        }
    }
}
