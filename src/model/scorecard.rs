//! A scorecard on the log-odds scale: binned columns, their weights of evidence, one logistic coefficient each.

use std::collections::HashMap;

use super::artifact::{LeftOut, Shape, Sign};
use super::bins::{Direction, FineBin, Merge, MergeRule, best_merge, fine_bins, round_edge};
use super::dataset::{Column, Dataset, MISSING_CODE, Values};
use super::fit::{FitError, Logistic, fit_non_negative};
use super::spec::{SignRule, TrainingSpec};
use super::woe::{Counts, Population};

/// A column cut into bins.
#[derive(Debug, Clone)]
pub struct Binned {
    /// Its index in the data.
    pub column: usize,
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
    /// The bin of each level of a text column in the data.
    bin_of_level: Vec<usize>,
}

/// Bins with coefficients.
#[derive(Debug, Clone)]
pub struct Scorecard {
    /// The columns in it.
    pub tables: Vec<Binned>,
    /// Log-odds of the good outcome: intercept, and a positive coefficient for each table's weights.
    pub logistic: Logistic,
    /// Candidates that did not make it.
    pub left_out: Vec<LeftOut>,
}

/// Bins the `candidates`, keeps those with enough information, and fits them, leaving out what would get a coefficient of the
/// wrong sign. `None` when no column is left.
///
/// # Errors
/// [`FitError`] when the regression fails.
pub fn fit_scorecard(
    data: &Dataset,
    candidates: &[usize],
    rows: &[usize],
    spec: &TrainingSpec,
) -> Result<Option<Scorecard>, FitError> {
    let all = rows.iter().fold(Counts::default(), |sum, row| sum + Counts::of(data.bad[*row]));
    let population = Population::new(all, spec.smoothing_rows).ok_or(FitError::OneOutcome)?;
    let (mut tables, mut left_out) = (Vec::new(), Vec::new());
    for index in candidates {
        let column = &data.columns[*index];
        let binned = bin_column(*index, column, data, rows, &population, spec);
        let keep = spec.rule(&column.name).is_some_and(|of| of.keep) && binned.iv > 0.0;
        if binned.iv >= spec.iv_min || keep {
            tables.push(binned);
        } else {
            let reason = format!("its information value is {:.4}, below {}", binned.iv, spec.iv_min);
            left_out.push(LeftOut { column: column.name.clone(), reason });
        }
    }
    let bad: Vec<bool> = rows.iter().map(|row| data.bad[*row]).collect();
    let weigh =
        |table: &Binned| rows.iter().map(|row| table.woe_of(&data.columns[table.column].values, *row)).collect();
    let weights: Vec<Vec<f64>> = tables.iter().map(weigh).collect();
    if weights.is_empty() {
        return Ok(None);
    }
    // Weights point to good, so a coefficient below zero would turn a table's direction of risk around.
    let fitted = fit_non_negative(&weights, &bad, spec.l2)?;
    let (mut kept, mut coefficients) = (Vec::new(), Vec::new());
    for (table, coefficient) in tables.into_iter().zip(fitted.coefficients) {
        if coefficient > 0.0 {
            kept.push(table);
            coefficients.push(coefficient);
        } else {
            let column = data.columns[table.column].name.clone();
            let reason = format!(
                "its coefficient has the wrong sign beside the others (its information value is {:.4})",
                table.iv
            );
            left_out.push(LeftOut { column, reason });
        }
    }
    let logistic = Logistic { intercept: fitted.intercept, coefficients };
    Ok((!kept.is_empty()).then_some(Scorecard { tables: kept, logistic, left_out }))
}

impl Scorecard {
    /// Log-odds of the good outcome of a row.
    pub fn log_odds(&self, data: &Dataset, row: usize) -> f64 {
        let weigh =
            |(table, coefficient): (&Binned, &f64)| coefficient * table.woe_of(&data.columns[table.column].values, row);
        self.logistic.intercept + self.tables.iter().zip(&self.logistic.coefficients).map(weigh).sum::<f64>()
    }
}

impl Binned {
    /// The weight of the bin of a row's value.
    pub fn woe_of(&self, values: &Values, row: usize) -> f64 {
        let bin = match (values, &self.shape) {
            (Values::Numeric(numbers), Shape::Numeric { edges }) => {
                let x = numbers[row];
                if x.is_nan() { None } else { Some(edges.partition_point(|edge| *edge <= x)) }
            }
            (Values::Text { codes, .. }, Shape::Text { other, .. }) => match codes[row] {
                MISSING_CODE => None,
                code => Some(self.bin_of_level.get(code as usize).copied().unwrap_or(*other)),
            },
            _ => None,
        };
        bin.and_then(|bin| self.woe.get(bin)).copied().unwrap_or(self.missing_woe)
    }
}

fn bin_column(
    index: usize,
    column: &Column,
    data: &Dataset,
    rows: &[usize],
    population: &Population,
    spec: &TrainingSpec,
) -> Binned {
    let cut = match &column.values {
        Values::Numeric(numbers) => {
            cut_numbers(numbers, data, rows, population, spec, spec.sign(&column.name).unwrap_or(SignRule::Auto))
        }
        Values::Text { levels, codes } => cut_words(levels, codes, data, rows, population, spec),
    };
    let woe: Vec<f64> = cut.counts.iter().map(|counts| population.woe(*counts)).collect();
    let iv = cut.counts.iter().chain([&cut.missing]).map(|counts| population.iv(*counts)).sum();
    Binned {
        column: index,
        shape: cut.shape,
        sign: cut.sign,
        missing_woe: population.woe(cut.missing),
        counts: cut.counts,
        missing: cut.missing,
        woe,
        iv,
        bin_of_level: cut.bin_of_level,
    }
}

struct Cut {
    shape: Shape,
    sign: Sign,
    counts: Vec<Counts>,
    missing: Counts,
    bin_of_level: Vec<usize>,
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

fn cut_numbers(
    numbers: &[f64],
    data: &Dataset,
    rows: &[usize],
    population: &Population,
    spec: &TrainingSpec,
    sign: SignRule,
) -> Cut {
    let finite = rows.iter().map(|row| numbers[*row]).filter(|x| x.is_finite());
    let (least, most) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
    let (mut filled, mut missing) = (Vec::with_capacity(rows.len()), Counts::default());
    for row in rows {
        let (x, bad) = (numbers[*row], data.bad[*row]);
        if x.is_nan() || least > most {
            missing += Counts::of(bad);
        } else {
            // Infinities count as the outermost finite values: edges are finite, and so are their bins.
            filled.push((x.clamp(least, most) + 0.0, bad));
        }
    }
    filled.sort_by(|a, b| a.0.total_cmp(&b.0));
    let fine = fine_bins(&filled, spec.prebins);
    let fine_counts: Vec<Counts> = fine.iter().map(|bin| bin.counts).collect();
    let rule = merge_rule(filled.len() as u64, population, spec);
    let merge = |direction| best_merge(&fine_counts, population, direction, rule);
    let (merged, sign) = match sign {
        SignRule::Plus => (merge(Direction::Rising), Sign::Plus),
        SignRule::Minus => (merge(Direction::Falling), Sign::Minus),
        SignRule::Free => (merge(Direction::Free), Sign::Free),
        SignRule::Auto => {
            let (rising, falling) = (merge(Direction::Rising), merge(Direction::Falling));
            if falling.worth > rising.worth { (falling, Sign::Minus) } else { (rising, Sign::Plus) }
        }
    };
    let edges = merged.ends.windows(2).map(|pair| edge_at(&fine, pair[0])).collect();
    let counts = spans(&merged).map(|(start, end)| sum(&fine_counts[start..end])).collect();
    Cut { shape: Shape::Numeric { edges }, sign, counts, missing, bin_of_level: Vec::new() }
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
fn cut_words(
    levels: &[String],
    codes: &[u32],
    data: &Dataset,
    rows: &[usize],
    population: &Population,
    spec: &TrainingSpec,
) -> Cut {
    let (mut of_level, mut missing) = (vec![Counts::default(); levels.len()], Counts::default());
    for row in rows {
        let counts = Counts::of(data.bad[*row]);
        match of_level.get_mut(codes[*row] as usize) {
            Some(level) => *level += counts,
            None => missing += counts,
        }
    }
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
    let merged = best_merge(&fine, population, Direction::Free, merge_rule(filled, population, spec));
    let mut cut = Cut {
        shape: Shape::Numeric { edges: Vec::new() },
        sign: Sign::Free,
        counts: spans(&merged).map(|(start, end)| sum(&fine[start..end])).collect(),
        missing,
        bin_of_level: Vec::new(),
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
    cut.bin_of_level = (0..levels.len()).map(|level| bin_of.get(&level).copied().unwrap_or(other)).collect();
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
