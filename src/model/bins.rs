//! Binning: fine bins by quantile or by word, then the best way to merge neighbours, found exactly.

use super::woe::{Counts, Population};

/// The order that the bad rate keeps from bin to bin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Direction {
    /// Each bin is riskier than the one before.
    Rising,
    /// Each bin is less risky than the one before.
    Falling,
    /// Any, at this charge for each turn from one to the other.
    Turning(f64),
}

impl Direction {
    fn takes(self, way: Way) -> bool {
        match self {
            Direction::Rising => way == Way::Rising,
            Direction::Falling => way == Way::Falling,
            Direction::Turning(_) => true,
        }
    }

    fn turn(self) -> f64 {
        match self {
            Direction::Turning(charge) => charge,
            Direction::Rising | Direction::Falling => f64::INFINITY,
        }
    }
}

/// What a merged bin must hold, and what it costs.
#[derive(Debug, Clone, Copy)]
pub struct MergeRule {
    /// Fewest rows.
    pub rows_min: u64,
    /// Fewest bad rows, seen or expected at the average rate: a large bin without a bad row is no accident.
    pub bads_min: u64,
    /// Information value that each bin is charged.
    pub charge: f64,
}

impl MergeRule {
    fn allows(&self, bin: Counts, population: &Population) -> bool {
        let all = population.counts();
        let bads_expected = bin.rows() as f64 * all.bads as f64 / all.rows() as f64;
        bin.rows() >= self.rows_min.max(1) && bads_expected.max(bin.bads as f64) >= self.bads_min as f64
    }
}

/// A way to merge: the (exclusive) end of each merged bin among the fine ones, and what it is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Merge {
    /// Ascending; the last is the number of fine bins.
    pub ends: Vec<usize>,
    /// Information value less charges.
    pub worth: f64,
    /// The way that all bins lie from the one before; `None` where some turn.
    pub keeps: Option<Way>,
}

/// The merge of neighbouring fine bins with the highest information value less charges, among all that keep `direction` and
/// `rule`: exact, by dynamic programming over (start, end) of the last bin and the way that it lies from the one before it, in
/// O(n³). Where no merge keeps the rule, one bin.
pub fn best_merge(fine: &[Counts], population: &Population, direction: Direction, rule: MergeRule) -> Merge {
    let n = fine.len();
    let mut sums = vec![Counts::default()];
    for counts in fine {
        sums.push(*sums.last().unwrap_or(&Counts::default()) + *counts);
    }
    let within = |start: usize, end: usize| Counts {
        goods: sums[end].goods - sums[start].goods,
        bads: sums[end].bads - sums[start].bads,
    };
    // Of each (start, end): weight of the bin, and the best worth of fine bins 0..end whose last bin it is, by the way that it
    // lies from the one before.
    let mut cells = vec![Cell::IMPOSSIBLE; n * (n + 1)];
    for end in 1..=n {
        for start in 0..end {
            let bin = within(start, end);
            if !rule.allows(bin, population) {
                continue;
            }
            let (woe, own) = (population.woe(bin), population.iv(bin) - rule.charge);
            let paths = if start == 0 {
                // The first bin lies neither way: either may follow without a turn.
                Way::BOTH.map(|way| if direction.takes(way) { Path { worth: own, ..Path::START } } else { Path::NONE })
            } else {
                let before = &cells[start * n..start * n + start];
                Way::BOTH.map(|way| match direction.takes(way) {
                    true => best_before(before, woe, way, direction.turn(), own),
                    false => Path::NONE,
                })
            };
            cells[end * n + start] = Cell { woe, paths };
        }
    }
    trace(&cells, n).unwrap_or_else(|| Merge {
        ends: vec![n],
        worth: population.iv(within(0, n)) - rule.charge,
        keeps: Some(Way::Rising),
    })
}

/// How a bin lies from the one before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// Riskier.
    Rising,
    /// Less risky.
    Falling,
}

impl Way {
    const BOTH: [Way; 2] = [Way::Rising, Way::Falling];
}

#[derive(Clone, Copy)]
struct Path {
    worth: f64,
    /// Where the bin before starts, and how it lies from the one before it.
    before: usize,
    way_before: usize,
    turned: bool,
}

impl Path {
    const START: Path = Path { worth: 0.0, before: 0, way_before: 0, turned: false };
    const NONE: Path = Path { worth: f64::NEG_INFINITY, ..Path::START };
}

#[derive(Clone, Copy)]
struct Cell {
    woe: f64,
    paths: [Path; 2],
}

impl Cell {
    const IMPOSSIBLE: Cell = Cell { woe: 0.0, paths: [Path::NONE; 2] };
}

/// The best of the bins `before` that one of weight `woe`, worth `own`, may follow in the given way.
fn best_before(before: &[Cell], woe: f64, way: Way, turn: f64, own: f64) -> Path {
    let mut best = Path::NONE;
    for (start, cell) in before.iter().enumerate() {
        let in_order = match way {
            Way::Rising => cell.woe > woe,
            Way::Falling => cell.woe < woe,
        };
        if !in_order {
            continue;
        }
        let same = way as usize;
        let (straight, turned) = (cell.paths[same], cell.paths[1 - same]);
        if straight.worth + own > best.worth {
            best = Path { worth: straight.worth + own, before: start, way_before: same, turned: straight.turned };
        }
        if turned.worth + own - turn > best.worth {
            best = Path { worth: turned.worth + own - turn, before: start, way_before: 1 - same, turned: true };
        }
    }
    best
}

fn trace(cells: &[Cell], n: usize) -> Option<Merge> {
    let last = cells.get(n * n..n * n + n)?;
    // Rising comes last, for of equals the last is taken: a single bin counts as rising.
    let ways = [Way::Falling, Way::Rising];
    let paths =
        last.iter().enumerate().flat_map(|(start, cell)| ways.map(|way| (start, way, cell.paths[way as usize])));
    let (mut start, way, mut path) = paths.max_by(|a, b| a.2.worth.total_cmp(&b.2.worth))?;
    if path.worth == f64::NEG_INFINITY {
        return None;
    }
    let (worth, keeps) = (path.worth, (!path.turned).then_some(way));
    let mut ends = vec![n];
    while start > 0 {
        ends.push(start);
        let before = path.before;
        path = cells[start * n + before].paths[path.way_before];
        start = before;
    }
    ends.reverse();
    Some(Merge { ends, worth, keeps })
}

/// A fine bin of numbers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FineBin {
    /// Its smallest value.
    pub first: f64,
    /// Its largest value.
    pub last: f64,
    /// Its rows.
    pub counts: Counts,
}

/// Splits sorted `(value, bad)` rows into at most about `bins_max` fine bins of equal rows; equal values stay together, and a
/// value that alone fills a bin gets one.
pub fn fine_bins(sorted: &[(f64, bool)], bins_max: usize) -> Vec<FineBin> {
    let full = sorted.len().div_ceil(bins_max.max(1)).max(1) as u64;
    let mut bins: Vec<FineBin> = Vec::new();
    for tie in sorted.chunk_by(|a, b| a.0 == b.0) {
        let value = tie[0].0;
        let counts = tie.iter().fold(Counts::default(), |sum, row| sum + Counts::of(row.1));
        match bins.last_mut() {
            Some(open) if open.counts.rows() < full && counts.rows() < full => {
                open.counts += counts;
                open.last = value;
            }
            _ => bins.push(FineBin { first: value, last: value, counts }),
        }
    }
    bins
}

/// The number with the fewest digits in `(below, from]`: an edge between two values of the data that a person can read.
pub fn round_edge(below: f64, from: f64) -> f64 {
    let largest = below.abs().max(from.abs());
    if below < 0.0 && from >= 0.0 {
        return 0.0;
    }
    let exponent = largest.log10().floor() as i32 + 1;
    for digits in 0..18 {
        // Parsing a decimal gives the nearest double of that decimal; multiplying by a power of ten would not.
        let power = exponent - digits;
        let steps = (from / 10_f64.powi(power)).floor();
        for steps in [steps, steps - 1.0] {
            if let Ok(edge) = format!("{steps}e{power}").parse::<f64>()
                && below < edge
                && edge <= from
            {
                return edge + 0.0;
            }
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn worth(
        ends: &[usize],
        fine: &[Counts],
        population: &Population,
        direction: Direction,
        rule: MergeRule,
    ) -> Option<f64> {
        let (mut start, mut before, mut way, mut sum) = (0, None, None, 0.0);
        for end in ends {
            let bin = fine[start..*end].iter().fold(Counts::default(), |a, b| a + *b);
            let woe = population.woe(bin);
            if !rule.allows(bin, population) || before == Some(woe) {
                return None;
            }
            if let Some(before) = before {
                let lies = if before > woe { Way::Rising } else { Way::Falling };
                match direction {
                    Direction::Turning(charge) if way.is_some_and(|way| way != lies) => sum -= charge,
                    Direction::Rising if lies == Way::Falling => return None,
                    Direction::Falling if lies == Way::Rising => return None,
                    _ => {}
                }
                way = Some(lies);
            }
            sum += population.iv(bin) - rule.charge;
            (start, before) = (*end, Some(woe));
        }
        Some(sum)
    }

    proptest! {
        #[test]
        fn the_merge_is_the_best_of_all_that_keep_direction_and_rule(
            fine in prop::collection::vec((0_u64..30, 0_u64..10), 1..9),
            direction in prop::sample::select(vec![
                Direction::Rising, Direction::Falling, Direction::Turning(0.0), Direction::Turning(0.1), Direction::Turning(f64::INFINITY),
            ]),
            rows_min in 0_u64..20, bads_min in 0_u64..6,
        ) {
            let fine: Vec<Counts> = fine.into_iter().map(|(goods, bads)| Counts { goods, bads }).collect();
            let all = fine.iter().fold(Counts { goods: 5, bads: 5 }, |a, b| a + *b);
            let population = Population::new(all, 5.0).unwrap();
            let rule = MergeRule { rows_min, bads_min, charge: population.iv_of_chance() };
            let n = fine.len();
            let mut best: Option<f64> = None;
            for cuts in 0..1_u32 << (n - 1) {
                let ends: Vec<usize> = (1..=n).filter(|end| *end == n || cuts & (1 << (end - 1)) != 0).collect();
                if let Some(worth) = worth(&ends, &fine, &population, direction, rule) {
                    best = Some(best.map_or(worth, |b| b.max(worth)));
                }
            }
            let found = best_merge(&fine, &population, direction, rule);
            match best {
                None => prop_assert_eq!(found.ends, vec![n]),
                Some(best) => {
                    prop_assert!((found.worth - best).abs() < 1e-9);
                    let again = worth(&found.ends, &fine, &population, direction, rule);
                    prop_assert!(again.is_some_and(|again| (again - best).abs() < 1e-9));
                }
            }
        }

        #[test]
        fn a_round_edge_lies_between_the_values_that_it_parts(a in -1e9_f64..1e9, b in -1e9_f64..1e9, scale in -12_i32..12) {
            let (a, b) = (a * 10_f64.powi(scale), b * 10_f64.powi(scale));
            prop_assume!(a != b);
            let (below, from) = (a.min(b), a.max(b));
            let edge = round_edge(below, from);
            prop_assert!(below < edge && edge <= from);
        }

        #[test]
        fn fine_bins_hold_every_row_once_in_order(values in prop::collection::vec((0_i32..40, any::<bool>()), 0..200)) {
            let mut rows: Vec<(f64, bool)> = values.into_iter().map(|(x, bad)| (f64::from(x), bad)).collect();
            rows.sort_by(|a, b| a.0.total_cmp(&b.0));
            let bins = fine_bins(&rows, 10);
            prop_assert_eq!(bins.iter().map(|b| b.counts.rows()).sum::<u64>(), rows.len() as u64);
            prop_assert!(bins.windows(2).all(|pair| pair[0].last < pair[1].first));
            prop_assert!(bins.len() <= 21);
        }
    }

    #[test]
    fn round_edges_are_the_ones_that_a_person_would_write() {
        assert_eq!(round_edge(0.0987, 0.1043), 0.1);
        assert_eq!(round_edge(2.0, 3.0), 3.0);
        assert_eq!(round_edge(-0.3, 4.0), 0.0);
        assert_eq!(round_edge(-7.9, -7.23), -7.3);
        assert_eq!(round_edge(1.0, 1.0 + f64::EPSILON), 1.0 + f64::EPSILON);
        assert_eq!(round_edge(0.0, 1e-300), 1e-300);
    }

    #[test]
    fn nothing_to_bin_is_one_bin() {
        let population = Population::new(Counts { goods: 1, bads: 1 }, 1.0).unwrap();
        let rule = MergeRule { rows_min: 0, bads_min: 0, charge: 0.0 };
        assert_eq!(best_merge(&[], &population, Direction::Turning(0.0), rule).ends, [0]);
    }
}
