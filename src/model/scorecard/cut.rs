//! From fine bins or words to the bins of a characteristic.

use std::collections::HashMap;

use super::fine::{FineColumn, FineCut};
use crate::model::artifact::{Shape, Sign};
use crate::model::bins::{Direction, FineBin, Merge, MergeRule, Way, best_merge, round_edge};
use crate::model::dataset::Dataset;
use crate::model::spec::{SignRule, TrainingSpec};
use crate::model::woe::{Counts, Population};

/// What a turn must bring with `auto`, in multiples of the information value that chance gives to a bin, and as a share of what
/// the best bins without a turn tell. Some ratios are bad when they are low and when they are high, and one turn tells that; each
/// further turn mostly follows noise. Chance alone does not settle it: with many rows even a slight dent is no chance, but a
/// feature that keeps its direction is easier to explain, and beside the other features the dent seldom holds.
const TURN_CHANCE: f64 = 12.0;
const TURN_SHARE: f64 = 0.15;

/// A column cut into bins.
#[derive(Debug, Clone)]
pub struct Binned {
    /// Its index in the data.
    pub column: usize,
    /// Its place among the fine columns.
    pub place: usize,
    /// How a value finds its bin.
    pub shape: Shape,
    /// The direction that its weights keep.
    pub sign: Sign,
    /// Rows of each bin.
    pub counts: Vec<Counts>,
    /// Rows without a value.
    pub missing: Counts,
    /// Smoothed weight of each bin.
    pub woe: Vec<f64>,
    /// Smoothed weight of the missing bin.
    pub missing_woe: f64,
    /// Information value, missing bin included.
    pub iv: f64,
    /// The bin of each code of its fine column.
    bin_of_code: Vec<usize>,
}

impl Binned {
    /// Bins a column by the outcomes of `rows`.
    pub fn of(
        data: &Dataset,
        fine: &[FineColumn<'_>],
        place: usize,
        rows: &[usize],
        population: &Population,
        spec: &TrainingSpec,
    ) -> Binned {
        let column = &fine[place];
        let seen = Seen::in_rows(column, data, rows);
        let cut = match &column.cut {
            FineCut::Numbers(bins) => {
                let sign = spec.sign(&data.columns[column.column].name).unwrap_or(SignRule::Auto);
                cut_numbers(bins, seen, population, spec, sign)
            }
            FineCut::Words(levels) => cut_words(levels, seen, population, spec),
        };
        let woe: Vec<f64> = cut.counts.iter().map(|counts| population.woe(*counts)).collect();
        let iv = cut.counts.iter().chain([&cut.missing]).map(|counts| population.iv(*counts)).sum();
        Binned {
            column: column.column,
            place,
            shape: cut.shape,
            sign: cut.sign,
            missing_woe: population.woe(cut.missing),
            counts: cut.counts,
            missing: cut.missing,
            woe,
            iv,
            bin_of_code: cut.bin_of_code,
        }
    }

    /// The weight of each code, and of one that stands for no value.
    pub fn weights(&self) -> impl Fn(u32) -> f64 {
        let of_code: Vec<f64> = self.bin_of_code.iter().map(|bin| self.woe[*bin]).collect();
        let missing = self.missing_woe;
        move |code| of_code.get(code as usize).copied().unwrap_or(missing)
    }
}

/// Rows of each code, and without one.
struct Seen {
    counts: Vec<Counts>,
    missing: Counts,
}

impl Seen {
    fn in_rows(column: &FineColumn<'_>, data: &Dataset, rows: &[usize]) -> Seen {
        let codes = match &column.cut {
            FineCut::Numbers(bins) => bins.len(),
            FineCut::Words(levels) => levels.len(),
        };
        let (mut counts, mut missing) = (vec![Counts::default(); codes], Counts::default());
        for row in rows {
            let one = Counts::of(data.bad[*row]);
            match counts.get_mut(column.codes[*row] as usize) {
                Some(of_code) => *of_code += one,
                None => missing += one,
            }
        }
        Seen { counts, missing }
    }
}

struct Cut {
    shape: Shape,
    sign: Sign,
    counts: Vec<Counts>,
    missing: Counts,
    bin_of_code: Vec<usize>,
}

fn merge_rule(filled: u64, population: &Population, spec: &TrainingSpec) -> MergeRule {
    MergeRule {
        rows_min: (spec.min_bin_share * filled as f64).ceil() as u64,
        bads_min: spec.min_bin_bads,
        charge: spec.bin_penalty * population.iv_of_chance(),
    }
}

fn sum(counts: &[Counts]) -> Counts {
    counts.iter().fold(Counts::default(), |a, b| a + *b)
}

fn cut_numbers(fine: &[FineBin], seen: Seen, population: &Population, spec: &TrainingSpec, sign: SignRule) -> Cut {
    let Seen { counts: fine_counts, missing } = seen;
    let filled = sum(&fine_counts).rows();
    let rule = merge_rule(filled, population, spec);
    let merge = |direction| best_merge(&fine_counts, population, direction, rule);
    let (merged, sign) = match sign {
        SignRule::Plus => (merge(Direction::Rising), Sign::Plus),
        SignRule::Minus => (merge(Direction::Falling), Sign::Minus),
        SignRule::Free => (merge(Direction::Turning(0.0)), Sign::Free),
        SignRule::Auto => {
            let plain = merge(Direction::Turning(f64::INFINITY)).worth.max(0.0);
            let turn = TURN_CHANCE * population.iv_of_chance() + TURN_SHARE * plain;
            let merged = merge(Direction::Turning(turn));
            let sign = match merged.keeps {
                Some(Way::Rising) => Sign::Plus,
                Some(Way::Falling) => Sign::Minus,
                None => Sign::Free,
            };
            (merged, sign)
        }
    };
    let edges = merged.ends.windows(2).map(|pair| edge_at(fine, pair[0])).collect();
    let counts = spans(&merged).map(|(start, end)| sum(&fine_counts[start..end])).collect();
    let bin_of_code =
        spans(&merged).enumerate().flat_map(|(bin, (start, end))| (start..end).map(move |_| bin)).collect();
    Cut { shape: Shape::Numeric { edges }, sign, counts, missing, bin_of_code }
}

/// The edge below the fine bin `i`, which has one before it.
fn edge_at(fine: &[FineBin], i: usize) -> f64 {
    round_edge(fine[i - 1].last, fine[i].first)
}

fn spans(merge: &Merge) -> impl Iterator<Item = (usize, usize)> {
    let starts = std::iter::once(0).chain(merge.ends.iter().copied());
    starts.zip(merge.ends.iter().copied())
}

/// Words in the order of their smoothed weights, the rare ones as one; neighbours are then merged like numbers.
fn cut_words(levels: &[String], seen: Seen, population: &Population, spec: &TrainingSpec) -> Cut {
    let Seen { counts: of_level, missing } = seen;
    let (common, rare): (Vec<usize>, Vec<usize>) =
        (0..levels.len()).filter(|i| of_level[*i].rows() > 0).partition(|i| of_level[*i].rows() >= spec.min_level_rows);
    let mut groups: Vec<(Vec<usize>, bool)> = common.into_iter().map(|i| (vec![i], false)).collect();
    if !rare.is_empty() {
        groups.push((rare, true));
    }
    let count = |group: &[usize]| group.iter().fold(Counts::default(), |a, i| a + of_level[*i]);
    groups.sort_by(|a, b| {
        let by_weight = population.woe(count(&b.0)).total_cmp(&population.woe(count(&a.0)));
        by_weight.then_with(|| levels[a.0[0]].cmp(&levels[b.0[0]]))
    });
    let filled = groups.iter().map(|g| count(&g.0).rows()).sum::<u64>();
    let groups = pack(groups, spec.prebins, filled, |group| count(group).rows());
    let fine: Vec<Counts> = groups.iter().map(|group| count(&group.0)).collect();
    let merged = best_merge(&fine, population, Direction::Turning(0.0), merge_rule(filled, population, spec));
    let mut cut = Cut {
        shape: Shape::Numeric { edges: Vec::new() },
        sign: Sign::Free,
        counts: spans(&merged).map(|(start, end)| sum(&fine[start..end])).collect(),
        missing,
        bin_of_code: Vec::new(),
    };
    let pooled = spans(&merged).position(|(start, end)| groups[start..end].iter().any(|group| group.1));
    // Without rare words there is no experience with new ones: a bin of their own, without rows.
    let other = pooled.unwrap_or_else(|| {
        cut.counts.push(Counts::default());
        cut.counts.len() - 1
    });
    let mut bin_of: HashMap<usize, usize> = HashMap::new();
    for (bin, (start, end)) in spans(&merged).enumerate() {
        bin_of.extend(groups[start..end].iter().flat_map(|group| &group.0).map(|level| (*level, bin)));
    }
    cut.bin_of_code = (0..levels.len()).map(|level| bin_of.get(&level).copied().unwrap_or(other)).collect();
    let mut words = vec![Vec::new(); cut.counts.len()];
    for (level, word) in levels.iter().enumerate() {
        let named = of_level[level].rows() >= spec.min_level_rows;
        if let Some(bin) = bin_of.get(&level).filter(|_| named) {
            words[*bin].push(word.clone());
        }
    }
    words.iter_mut().for_each(|words| words.sort());
    cut.shape = Shape::Text { levels: words, other };
    cut
}

/// Joins neighbouring groups until there are at most about `groups_max`, of about equal rows; the pool of rare words stays marked.
fn pack(
    groups: Vec<(Vec<usize>, bool)>,
    groups_max: usize,
    filled: u64,
    rows_of: impl Fn(&[usize]) -> u64,
) -> Vec<(Vec<usize>, bool)> {
    if groups.len() <= groups_max {
        return groups;
    }
    let full = filled.div_ceil(groups_max as u64).max(1);
    let mut packed: Vec<(Vec<usize>, bool)> = Vec::new();
    for (levels, rare) in groups {
        match packed.last_mut() {
            Some(open) if rows_of(&open.0) + rows_of(&levels) <= full => {
                open.0.extend(levels);
                open.1 |= rare;
            }
            _ => packed.push((levels, rare)),
        }
    }
    packed
}
