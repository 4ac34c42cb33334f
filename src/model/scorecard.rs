//! A scorecard on the log-odds scale: binned columns, their weights of evidence, one logistic coefficient each.

use std::collections::HashMap;

use super::additive::{Means, in_parallel};
use super::artifact::{LeftOut, Shape, Sign};
use super::bins::{Direction, FineBin, Merge, MergeRule, best_merge, fine_bins, round_edge};
use super::collinear::{Pruned, prune};
use super::dataset::{Column, Dataset, MISSING_CODE, Values};
use super::fit::{FitError, Logistic, fit_logistic_to, fit_non_negative};
use super::folds::stratified;
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

/// With `auto`, a feature keeps a direction unless that would cost more than this share of what its bins tell, and more than a
/// turn is worth by chance: some ratios are bad when they are low and when they are high.
const ONE_WAY_SHARE: f64 = 0.8;
const TURNS_CHARGE: f64 = 30.0;
/// The penalties that cross-validation chooses from.
const L2_TRIED: [f64; 4] = [0.3, 3.0, 30.0, 300.0];
/// Folds and rows of that choice; it needs few digits. The penalty is of the summed loss, so the best one for some of the rows is
/// about the best for all, where it matters less.
const L2_FOLDS: u32 = 3;
const L2_ROWS_MAX: usize = 4000;
const GRADIENT_MAX: f64 = 1e-4;
/// Rows that tell whether columns are correlated.
const PRUNING_ROWS_MAX: usize = 5000;

/// Bins the `candidates`, keeps those with enough information, and fits them, leaving out what another column tells as well and what
/// would get a coefficient of the wrong sign. `None` when no column is left. `near` is a scorecard of about the same rows, where there
/// is one: it saves time and changes nothing.
///
/// # Errors
/// [`FitError`] when the regression fails.
pub fn fit_scorecard(
    data: &Dataset,
    candidates: &[usize],
    rows: &[usize],
    spec: &TrainingSpec,
    l2: f64,
    near: Option<&Scorecard>,
) -> Result<Option<Scorecard>, FitError> {
    let (tables, mut left_out) = binned(data, candidates, rows, spec)?;
    let bad: Vec<bool> = rows.iter().map(|row| data.bad[*row]).collect();
    let weights = weights(data, &tables, rows);
    if weights.is_empty() {
        return Ok(None);
    }
    // Weights point to good, so a coefficient below zero would turn a table's direction of risk around.
    let start = near.map_or_else(|| Logistic::nothing(tables.len()), |near| near.start_for(&tables));
    let fitted = fit_non_negative(&weights, &bad, l2, start)?;
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

/// The tables that pass the screens, and the columns that do not.
fn binned(
    data: &Dataset,
    candidates: &[usize],
    rows: &[usize],
    spec: &TrainingSpec,
) -> Result<(Vec<Binned>, Vec<LeftOut>), FitError> {
    let all = rows.iter().fold(Counts::default(), |sum, row| sum + Counts::of(data.bad[*row]));
    let population = Population::new(all, spec.smoothing_rows).ok_or(FitError::OneOutcome)?;
    let keeps = |name: &str| spec.rule(name).is_some_and(|of| of.keep);
    let (mut tables, mut left_out) = (Vec::new(), Vec::new());
    for index in candidates {
        let column = &data.columns[*index];
        let binned = bin_column(*index, column, data, rows, &population, spec);
        if binned.iv > 0.0 && (binned.iv >= spec.iv_min || keeps(&column.name)) {
            tables.push(binned);
        } else {
            let reason = format!("its information value is {:.4}, below {}", binned.iv, spec.iv_min);
            left_out.push(LeftOut { column: column.name.clone(), reason });
        }
    }
    let some = some_of(rows, PRUNING_ROWS_MAX);
    let worth: Vec<f64> = tables
        .iter()
        .map(|of: &Binned| if keeps(&data.columns[of.column].name) { f64::INFINITY } else { of.iv })
        .collect();
    let pruned = prune(&weights(data, &tables, &some), &worth, spec.correlation_max, spec.vif_max);
    let name = |table: &Binned| data.columns[table.column].name.clone();
    for (table, why) in tables.iter().zip(&pruned).filter(|(table, _)| !keeps(&name(table))) {
        let reason = match why {
            None => continue,
            Some(Pruned::Correlated { with, correlation }) => {
                format!(
                    "its weights are correlated {correlation:.2} with those of {}, which tells more",
                    name(&tables[*with])
                )
            }
            Some(Pruned::Inflated { inflation }) => {
                format!(
                    "the others tell it as well: its variance inflation factor is {inflation:.0}, above {}",
                    spec.vif_max
                )
            }
        };
        left_out.push(LeftOut { column: name(table), reason });
    }
    let gone: Vec<bool> =
        tables.iter().zip(&pruned).map(|(table, why)| why.is_some() && !keeps(&name(table))).collect();
    let mut places = gone.into_iter();
    tables.retain(|_| !places.next().unwrap_or(false));
    Ok((tables, left_out))
}

/// At most `rows_max` of the rows, spread evenly.
fn some_of(rows: &[usize], rows_max: usize) -> Vec<usize> {
    rows.iter().step_by(rows.len().div_ceil(rows_max).max(1)).copied().collect()
}

fn weights(data: &Dataset, tables: &[Binned], rows: &[usize]) -> Vec<Vec<f64>> {
    let weigh =
        |table: &Binned| rows.iter().map(|row| table.woe_of(&data.columns[table.column].values, *row)).collect();
    tables.iter().map(weigh).collect()
}

/// The penalty with the least loss in cross-validation; that of the specification where it states one.
///
/// # Errors
/// [`FitError`] when there is nothing to fit.
pub fn choose_l2(
    data: &Dataset,
    candidates: &[usize],
    rows: &[usize],
    spec: &TrainingSpec,
    means: &Means<'_>,
) -> Result<f64, FitError> {
    if let Some(l2) = spec.l2 {
        return Ok(l2);
    }
    let some = some_of(rows, L2_ROWS_MAX);
    let (tables, _) = binned(data, candidates, &some, spec)?;
    let bad: Vec<bool> = some.iter().map(|row| data.bad[*row]).collect();
    let weights = weights(data, &tables, &some);
    let fold_of = stratified(&bad, L2_FOLDS, means.seed);
    let losses = in_parallel(L2_TRIED.len() * L2_FOLDS as usize, means.threads, &|i| {
        let (l2, fold) = (L2_TRIED[i / L2_FOLDS as usize], (i % L2_FOLDS as usize) as u32);
        let (outside, inside): (Vec<usize>, Vec<usize>) = (0..bad.len()).partition(|i| fold_of[*i] == fold);
        let columns: Vec<Vec<f64>> = weights.iter().map(|column| inside.iter().map(|i| column[*i]).collect()).collect();
        let outcomes: Vec<bool> = inside.iter().map(|i| bad[*i]).collect();
        let fitted = fit_logistic_to(&columns, &outcomes, l2, GRADIENT_MAX)?;
        let loss = |i: usize| {
            let terms = weights.iter().zip(&fitted.coefficients).map(|(column, c)| c * column[i]);
            let log_odds = fitted.intercept + terms.sum::<f64>();
            let towards = if bad[i] { log_odds } else { -log_odds };
            towards.max(0.0) + (-towards.abs()).exp().ln_1p()
        };
        Ok(outside.into_iter().map(loss).sum::<f64>())
    });
    let mut best = (f64::INFINITY, 1.0);
    for (l2, folds) in L2_TRIED.into_iter().zip(losses.chunks(L2_FOLDS as usize)) {
        // A penalty that did not converge is not chosen.
        let loss: f64 = folds.iter().map(|loss: &Result<f64, FitError>| *loss.as_ref().unwrap_or(&f64::INFINITY)).sum();
        if loss < best.0 {
            best = (loss, l2);
        }
    }
    Ok(best.1)
}

impl Scorecard {
    /// Its coefficients where `tables` are of the same columns, else 0.
    fn start_for(&self, tables: &[Binned]) -> Logistic {
        let of: HashMap<usize, f64> =
            self.tables.iter().map(|table| table.column).zip(self.logistic.coefficients.iter().copied()).collect();
        let coefficients = tables.iter().map(|table| of.get(&table.column).copied().unwrap_or(0.0)).collect();
        Logistic { intercept: self.logistic.intercept, coefficients }
    }

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
            let (best, sign) = if falling.worth > rising.worth { (falling, Sign::Minus) } else { (rising, Sign::Plus) };
            let free = merge(Direction::Free);
            let plain = best.worth >= ONE_WAY_SHARE * free.worth - rule.charge * TURNS_CHARGE;
            if plain { (best, sign) } else { (free, Sign::Free) }
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
