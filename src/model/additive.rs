//! An additive model: shapes over single features and over pairs, boosted in bags, refitted by a logistic regression.
//!
//! 1. Every feature is cut into fine bins ([`axes`]), without a look at the outcome.
//! 2. A few bags are boosted with trees of two levels over any two features ([`boost`], [`tree`]); the pairs that gain most stay.
//! 3. All bags are boosted with these pairs only. A bag leaves out one fold of the rows; these stop it, and every row is left out
//!    by some bags.
//! 4. The trees of a bag add up to tables; the tables of all bags are averaged and purified ([`tables`]).
//! 5. A logistic regression on the left-out predictions, table by table, gives every table its weight ([`refit`]).
//! 6. Neighbouring bins that hardly differ are joined ([`coarse`]).
//!
//! What the model is worth is measured by doing all of this again on parts of the rows ([`nested`]).
//!
//! A feature with a direction keeps it in every tree, stands in no pair, and gets no weight below zero.

pub mod axes;
pub mod boost;
pub mod coarse;
pub mod nested;
pub mod points;
pub mod refit;
pub mod tables;
pub mod tree;

use std::sync::atomic::{AtomicUsize, Ordering};

use super::dataset::{Dataset, Values};
use super::fit::FitError;
use super::folds::stratified;
use super::spec::{AdditiveSpec, SignRule, TrainingSpec};
use axes::FineColumn;
use boost::{Boosted, Course, boost, pair_gains};
use coarse::Joined;
use refit::Refit;
use tables::{Support, Tables};
use tree::{Growth, Sign};

/// A leaf's curvature is enlarged by this much; words, which have no order to lean on, by more.
const L2: f64 = 3.0;
const L2_WORDS: f64 = 10.0;
const LEAF_ROWS_MIN: f64 = 5.0;
/// Share of the features that a tree chooses its root from: few, so that all get their turn, as in cyclic boosting.
const FEATURE_SHARE: f64 = 0.1;
const ROW_SHARE: f64 = 0.85;
const TREES_MAX: usize = 5000;
const PATIENCE: usize = 100;
/// Bags that look for pairs, in larger steps.
const EXPLORING_BAGS: usize = 4;
const EXPLORING_RATE: f64 = 0.1;
const EXPLORING_PATIENCE: usize = 30;
/// Folds of the rows: a bag leaves one of them out. Where an outcome is rarer than that, as many as it has rows.
const FOLDS: usize = 8;
/// A word with fewer rows is pooled with the other rare ones.
const LEVEL_ROWS_MIN: u64 = 5;

/// A fitted additive model. All tables are log-odds of the bad outcome.
#[derive(Debug, Clone)]
pub struct Additive {
    /// The features with their fine bins.
    pub columns: Vec<FineColumn>,
    /// Pairs, by the places of their features in `columns`, smaller first.
    pub pairs: Vec<[usize; 2]>,
    /// Purified, weighted, joined.
    pub tables: Tables,
    /// Training rows of each bin and cell.
    pub support: Support,
    /// Which fine bins have become one.
    pub joined: Joined,
    /// The direction of each feature.
    pub signs: Vec<Sign>,
}

/// Means to do the work.
pub struct Means<'a> {
    /// Fixes everything that is drawn.
    pub seed: u64,
    /// Threads; the result does not depend on them.
    pub threads: usize,
    /// Called with the share done.
    pub progress: &'a (dyn Fn(f64) + Sync),
}

/// Fits the `candidates` (columns by index) to `rows`.
///
/// # Errors
/// [`FitError`] when the rows do not have both outcomes in every fold.
pub fn fit_additive(
    data: &Dataset,
    candidates: &[usize],
    rows: &[usize],
    spec: &TrainingSpec,
    means: &Means<'_>,
) -> Result<Additive, FitError> {
    let settings = &spec.additive;
    let columns = in_parallel(candidates.len(), means.threads, &|i| {
        FineColumn::cut(candidates[i], &data.columns[candidates[i]], rows, settings.bins, LEVEL_ROWS_MIN)
    });
    let signs: Vec<Sign> = columns.iter().map(|column| sign(data, column, rows, spec)).collect();
    let bags = bags(data, rows, settings, means.seed);
    if bags.iter().any(|bag| [&bag.inside, &bag.outside].iter().any(|rows| !both_outcomes(data, rows))) {
        return Err(FitError::OneOutcome);
    }
    let boosting = Boosting { data, columns: &columns, signs: &signs, settings, bags: &bags, means };
    let partners = boosting.free_partners();
    let steps = EXPLORING_BAGS.min(bags.len()) as f64 / 4.0 + bags.len() as f64;
    let explored = boosting.explore(&partners, steps);
    let pairs = strongest_pairs(&explored, columns.len(), settings.pairs_per_feature);
    let boosted = boosting.boost_all(&chosen_partners(&pairs, columns.len()), steps);
    let support = Support::count(&columns, &pairs, rows);
    let tables = in_parallel(boosted.len(), means.threads, &|bag| {
        let mut tables = Tables::of(&boosted[bag], &columns, &pairs);
        tables.purify(&columns, &pairs, &support);
        tables
    });
    let refit = Refit { data, columns: &columns, pairs: &pairs, rows, bags: &bags, tables: &tables };
    let weights = refit.fit(means)?;
    let mut mean = Tables::mean(&tables).ok_or(FitError::OneOutcome)?;
    mean.weigh(&weights);
    let (mut pairs, mut support) = (pairs, support);
    mean.drop_idle_pairs(&mut pairs, &mut support);
    mean.purify(&columns, &pairs, &support);
    let joined = coarse::join_bins(&mut mean, &columns, &pairs, &support);
    Ok(Additive { columns, pairs, tables: mean, support, joined, signs })
}

impl Additive {
    /// Log-odds of the bad outcome of a row of the data.
    pub fn log_odds_bad(&self, row: usize) -> f64 {
        self.tables.sum(&self.columns, &self.pairs, row)
    }
}

/// The rows that a bag is boosted on, and those that stop it.
#[derive(Debug, Clone)]
pub struct Bag {
    inside: Vec<usize>,
    outside: Vec<usize>,
}

/// Folds, each left out once by a bag, and again with other folds, until there are enough bags.
fn bags(data: &Dataset, rows: &[usize], settings: &AdditiveSpec, seed: u64) -> Vec<Bag> {
    let bad: Vec<bool> = rows.iter().map(|row| data.bad[*row]).collect();
    let bads = bad.iter().filter(|bad| **bad).count();
    let folds = FOLDS.min(bads).min(bad.len() - bads).max(2);
    let rounds = settings.bags.div_ceil(folds);
    let mut bags = Vec::new();
    for round in 0..rounds {
        let fold_of = stratified(&bad, folds as u32, mix(seed, round as u64));
        for fold in 0..folds as u32 {
            let (outside, inside): (Vec<usize>, Vec<usize>) = (0..rows.len()).partition(|i| fold_of[*i] == fold);
            let rows_of = |places: Vec<usize>| places.into_iter().map(|i| rows[i]).collect();
            bags.push(Bag { inside: rows_of(inside), outside: rows_of(outside) });
        }
    }
    bags
}

fn both_outcomes(data: &Dataset, rows: &[usize]) -> bool {
    rows.iter().any(|row| data.bad[*row]) && rows.iter().any(|row| !data.bad[*row])
}

/// A seed of its own for each use (SplitMix64's step).
fn mix(seed: u64, use_of: u64) -> u64 {
    let mut z = seed.wrapping_add(use_of.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The direction that the specification gives a feature; for `auto`, the one that the rows bear out.
fn sign(data: &Dataset, column: &FineColumn, rows: &[usize], spec: &TrainingSpec) -> Sign {
    let Values::Numeric(_) = data.columns[column.column].values else { return None };
    match spec.sign(&data.columns[column.column].name).unwrap_or(SignRule::Free) {
        SignRule::Plus => Some(1.0),
        SignRule::Minus => Some(-1.0),
        SignRule::Free => None,
        SignRule::Auto => {
            // The sign of the covariance of rank and outcome.
            let known = || rows.iter().filter(|row| usize::from(column.bin_of_row[**row]) < column.missing);
            let mean = |of: &dyn Fn(usize) -> f64| known().map(|r| of(*r)).sum::<f64>() / known().count().max(1) as f64;
            let bin = |row: usize| f64::from(column.bin_of_row[row]);
            let bad = |row: usize| f64::from(u8::from(data.bad[row]));
            let covariance = mean(&|row| bin(row) * bad(row)) - mean(&bin) * mean(&bad);
            Some(if covariance < 0.0 { -1.0 } else { 1.0 })
        }
    }
}

struct Boosting<'a> {
    data: &'a Dataset,
    columns: &'a [FineColumn],
    signs: &'a [Sign],
    settings: &'a AdditiveSpec,
    bags: &'a [Bag],
    means: &'a Means<'a>,
}

impl Boosting<'_> {
    fn course<'c>(&'c self, partners: &'c [Vec<usize>], rate: f64, patience: usize) -> Course<'c> {
        Course {
            columns: self.columns,
            bad: &self.data.bad,
            signs: self.signs,
            partners,
            growth: Growth { rate, l2: L2, l2_words: L2_WORDS, rows_min: LEAF_ROWS_MIN },
            feature_share: FEATURE_SHARE,
            row_share: ROW_SHARE,
            trees_max: TREES_MAX,
            patience,
        }
    }

    /// Every feature without a direction may stand in a pair with every other.
    fn free_partners(&self) -> Vec<Vec<usize>> {
        let free: Vec<usize> = (0..self.columns.len()).filter(|i| self.signs[*i].is_none()).collect();
        let partners = |i: usize| match self.signs[i] {
            Some(_) => Vec::new(),
            None => free.iter().copied().filter(|j| *j != i).collect(),
        };
        (0..self.columns.len()).map(partners).collect()
    }

    fn explore(&self, partners: &[Vec<usize>], steps: f64) -> Vec<Boosted> {
        if self.settings.pairs_per_feature <= 0.0 || partners.iter().all(Vec::is_empty) {
            return Vec::new();
        }
        let course = self.course(partners, EXPLORING_RATE.max(self.settings.learning_rate), EXPLORING_PATIENCE);
        let done = AtomicUsize::new(0);
        in_parallel(EXPLORING_BAGS.min(self.bags.len()), self.means.threads, &|i| {
            let bag = &self.bags[i];
            let boosted = boost(&course, &bag.inside, &bag.outside, mix(self.means.seed, 1000 + i as u64));
            (self.means.progress)((done.fetch_add(1, Ordering::Relaxed) + 1) as f64 / 4.0 / steps);
            boosted
        })
    }

    fn boost_all(&self, partners: &[Vec<usize>], steps: f64) -> Vec<Boosted> {
        let course = self.course(partners, self.settings.learning_rate, PATIENCE);
        let done = AtomicUsize::new(0);
        in_parallel(self.bags.len(), self.means.threads, &|i| {
            let bag = &self.bags[i];
            let boosted = boost(&course, &bag.inside, &bag.outside, mix(self.means.seed, 2000 + i as u64));
            let done = done.fetch_add(1, Ordering::Relaxed) + 1;
            (self.means.progress)((steps - (self.bags.len() - done) as f64) / steps);
            boosted
        })
    }
}

/// Pairs whose cuts gained most in the exploring bags; equal gains by place.
fn strongest_pairs(explored: &[Boosted], features: usize, per_feature: f64) -> Vec<[usize; 2]> {
    let mut gains = std::collections::BTreeMap::new();
    for boosted in explored {
        pair_gains(&boosted.trees, &mut gains);
    }
    let mut ranked: Vec<([usize; 2], f64)> = gains.into_iter().collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    let most = ((per_feature * features as f64) as usize).min(axes::PAIRS_MAX);
    ranked.into_iter().take(most).map(|of| of.0).collect()
}

fn chosen_partners(pairs: &[[usize; 2]], features: usize) -> Vec<Vec<usize>> {
    let mut partners = vec![Vec::new(); features];
    for [a, b] in pairs {
        partners[*a].push(*b);
        partners[*b].push(*a);
    }
    partners
}

/// Does `work` for `0..count` on some threads; the results are in order, whatever thread made them.
pub(super) fn in_parallel<T: Send>(count: usize, threads: usize, work: &(dyn Fn(usize) -> T + Sync)) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let own_share = || {
        let mut own = Vec::new();
        loop {
            let i = next.fetch_add(1, Ordering::Relaxed);
            if i >= count {
                return own;
            }
            own.push((i, work(i)));
        }
    };
    let mut done: Vec<(usize, T)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..threads.clamp(1, count.max(1))).map(|_| scope.spawn(own_share)).collect();
        let joined = workers.into_iter().map(|worker| worker.join());
        joined.flat_map(|own| own.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    });
    done.sort_by_key(|of| of.0);
    done.into_iter().map(|of| of.1).collect()
}
