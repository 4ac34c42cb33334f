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

/// Rows of one probability, the good ones before the bad ones.
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

impl SortedRows {
    /// `pd` within 0 and 1, as long as `bad`.
    pub fn new(pd: &[f64], bad: &[bool]) -> SortedRows {
        let mut rows: Vec<(f64, bool)> = pd.iter().copied().zip(bad.iter().copied()).collect();
        rows.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        let errors = |miss: f64| [miss * miss, -(1.0 - miss).max(LOG_LOSS_FLOOR).ln()];
        let mut ties: Vec<Tie> = Vec::new();
        // By value: 0 and −0 are one.
        for tied in rows.chunk_by(|a, b| a.0 == b.0) {
            let start = ties.last().map_or(0, |tie| tie.end);
            let pd = tied[0].0;
            let bads_start = start + tied.iter().filter(|row| !row.1).count();
            let (good_errors, bad_errors) = (errors(pd), errors(1.0 - pd));
            ties.push(Tie { pd, start, bads_start, end: start + tied.len(), good_errors, bad_errors });
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
