//! Trees summed up into tables over features and pairs, and pairs purified.

use std::collections::HashMap;

use super::axes::FineColumn;
use super::boost::Boosted;

/// Rounds of centring rows and columns in turn; the remainder shrinks geometrically.
const ROUNDS_MAX: usize = 200;
/// Log-odds: far below what 1/64 point is.
const RESIDUE_MAX: f64 = 1e-9;

/// Rows that the cells of a pair are given at most beside their own, in shares of what they would hold if the two features had
/// nothing to do with each other.
const BORROWED: f64 = 0.2;
/// Log-odds: a pair that gives no row more than this is left out.
const IDLE: f64 = 1e-3;

/// What a logistic regression makes of tables: `intercept + of_start · start + Σ of_terms · table`.
#[derive(Debug, Clone)]
pub struct Weights {
    /// Log-odds.
    pub intercept: f64,
    /// Times the tables' own intercept.
    pub of_start: f64,
    /// Times each table, features first, then pairs; never below 0.
    pub of_terms: Vec<f64>,
}

/// Tables over the fine bins, in log-odds.
#[derive(Debug, Clone)]
pub struct Tables {
    /// Added to every row.
    pub intercept: f64,
    /// One a feature, the missing bin last.
    pub mains: Vec<Vec<f64>>,
    /// One a pair, row by row.
    pub pairs: Vec<Vec<f64>>,
}

/// Rows of the training data in every bin and in every cell of every pair.
#[derive(Debug, Clone)]
pub struct Support {
    /// One a feature.
    pub mains: Vec<Vec<f64>>,
    /// One a pair, row by row.
    pub pairs: Vec<Vec<f64>>,
}

impl Support {
    /// Counts `rows`.
    pub fn count(columns: &[FineColumn], pairs: &[[usize; 2]], rows: &[usize]) -> Support {
        let main = |column: &FineColumn| {
            let mut counts = vec![0.0; column.bins()];
            rows.iter().for_each(|row| counts[usize::from(column.bin_of_row[*row])] += 1.0);
            counts
        };
        let pair = |[a, b]: &[usize; 2]| {
            let (a, b) = (&columns[*a], &columns[*b]);
            let mut counts = vec![0.0; a.bins() * b.bins()];
            for row in rows {
                counts[usize::from(a.bin_of_row[*row]) * b.bins() + usize::from(b.bin_of_row[*row])] += 1.0;
            }
            counts
        };
        Support { mains: columns.iter().map(main).collect(), pairs: pairs.iter().map(pair).collect() }
    }
}

impl Support {
    /// Weights for averages over the cells of a pair: its rows, and a share of the rows that the cell would hold if the two features
    /// had nothing to do with each other. So a thin cell takes after its neighbours, and an empty one is not nothing.
    pub fn weights_of_pair(&self, pair: usize, [a, b]: [usize; 2]) -> Vec<f64> {
        let (down, across) = (&self.mains[a], &self.mains[b]);
        let rows: f64 = down.iter().sum();
        let expected = |cell: usize| down[cell / across.len()] * across[cell % across.len()] / rows.max(1.0);
        self.pairs[pair].iter().enumerate().map(|(cell, own)| own + BORROWED * expected(cell)).collect()
    }
}

impl Tables {
    /// The tables that the trees of a bag add up to. Pairs are those of `pairs`, smaller feature first.
    pub fn of(boosted: &Boosted, columns: &[FineColumn], pairs: &[[usize; 2]]) -> Tables {
        let place: HashMap<[usize; 2], usize> = pairs.iter().enumerate().map(|(i, pair)| (*pair, i)).collect();
        let mut tables = Tables {
            intercept: boosted.start,
            mains: columns.iter().map(|column| vec![0.0; column.bins()]).collect(),
            pairs: pairs.iter().map(|[a, b]| vec![0.0; columns[*a].bins() * columns[*b].bins()]).collect(),
        };
        for tree in &boosted.trees {
            let root = tree.root.feature;
            for (side, child) in tree.children.iter().enumerate() {
                let steps = [tree.steps[2 * side], tree.steps[2 * side + 1]];
                let on_side = |bin: usize| usize::from(tree.root.right[bin]) == side;
                let inner = child.as_ref().unwrap_or(&tree.root);
                let step = |bin: usize| steps[usize::from(inner.right[bin])];
                if inner.feature == root {
                    let main = &mut tables.mains[root];
                    (0..main.len()).filter(|bin| on_side(*bin)).for_each(|bin| main[bin] += step(bin));
                    continue;
                }
                let pair = [root.min(inner.feature), root.max(inner.feature)];
                let Some(place) = place.get(&pair) else { continue };
                let width = columns[pair[1]].bins();
                for (cell, sum) in tables.pairs[*place].iter_mut().enumerate() {
                    let bins =
                        if pair[0] == root { [cell / width, cell % width] } else { [cell % width, cell / width] };
                    if on_side(bins[0]) {
                        *sum += step(bins[1]);
                    }
                }
            }
        }
        tables
    }

    /// The mean of several tables.
    pub fn mean(all: &[Tables]) -> Option<Tables> {
        let (first, rest) = all.split_first()?;
        let mut mean = first.clone();
        for other in rest {
            mean.intercept += other.intercept;
            let both = mean.mains.iter_mut().zip(&other.mains).chain(mean.pairs.iter_mut().zip(&other.pairs));
            both.flat_map(|(sum, table)| sum.iter_mut().zip(table)).for_each(|(sum, value)| *sum += value);
        }
        mean.scale(1.0 / all.len() as f64);
        Some(mean)
    }

    fn scale(&mut self, by: f64) {
        self.intercept *= by;
        self.mains.iter_mut().chain(&mut self.pairs).flatten().for_each(|value| *value *= by);
    }

    /// What each table gives a row of the data, features first, then pairs.
    pub fn terms<'t>(
        &'t self,
        columns: &'t [FineColumn],
        pairs: &'t [[usize; 2]],
        row: usize,
    ) -> impl Iterator<Item = f64> + 't {
        let bin = move |feature: usize| usize::from(columns[feature].bin_of_row[row]);
        let mains = self.mains.iter().enumerate().map(move |(i, main)| main[bin(i)]);
        let of_pair = move |(pair, [a, b]): (&Vec<f64>, &[usize; 2])| pair[bin(*a) * columns[*b].bins() + bin(*b)];
        mains.chain(self.pairs.iter().zip(pairs).map(of_pair))
    }

    /// Log-odds of a row of the data.
    pub fn sum(&self, columns: &[FineColumn], pairs: &[[usize; 2]], row: usize) -> f64 {
        self.intercept + self.terms(columns, pairs, row).sum::<f64>()
    }

    /// Gives the intercept its place and each table its weight.
    pub fn weigh(&mut self, weights: &Weights) {
        self.intercept = weights.intercept + weights.of_start * self.intercept;
        for (table, weight) in self.mains.iter_mut().chain(&mut self.pairs).zip(&weights.of_terms) {
            table.iter_mut().for_each(|value| *value *= weight);
        }
    }

    /// Takes out the pairs that give nothing.
    pub fn drop_idle_pairs(&mut self, pairs: &mut Vec<[usize; 2]>, support: &mut Support) {
        let idle: Vec<bool> = self.pairs.iter().map(|pair| pair.iter().all(|value| value.abs() < IDLE)).collect();
        let mut places = idle.iter();
        self.pairs.retain(|_| !places.next().copied().unwrap_or(false));
        let mut places = idle.iter();
        support.pairs.retain(|_| !places.next().copied().unwrap_or(false));
        let mut places = idle.iter();
        pairs.retain(|_| !places.next().copied().unwrap_or(false));
    }

    /// Moves what a pair tells about one feature alone into that feature's table, and what a table tells about every row into the
    /// intercept: over the rows of `support`, each row and column of a pair, and each table, then averages to 0. The sum of all
    /// tables stays the same for every row (Lengerich et al. 2020, "Purifying interaction effects").
    pub fn purify(&mut self, columns: &[FineColumn], pairs: &[[usize; 2]], support: &Support) {
        for ((values, [a, b]), weights) in self.pairs.iter_mut().zip(pairs).zip(&support.pairs) {
            let width = columns[*b].bins();
            for _ in 0..ROUNDS_MAX {
                let rows = centre(values, weights, |cell| cell / width, columns[*a].bins());
                let across = centre(values, weights, |cell| cell % width, width);
                add(&mut self.mains[*a], &rows);
                add(&mut self.mains[*b], &across);
                if rows.iter().chain(&across).all(|moved| moved.abs() < RESIDUE_MAX) {
                    break;
                }
            }
        }
        for (values, weights) in self.mains.iter_mut().zip(&support.mains) {
            let mean = mean(values.iter().zip(weights));
            values.iter_mut().for_each(|value| *value -= mean);
            self.intercept += mean;
        }
    }
}

fn add(sums: &mut [f64], values: &[f64]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
}

fn mean<'v>(weighted: impl Iterator<Item = (&'v f64, &'v f64)>) -> f64 {
    let (sum, weight) = weighted.fold((0.0, 0.0), |(sum, all), (value, weight)| (sum + value * weight, all + weight));
    if weight > 0.0 { sum / weight } else { 0.0 }
}

/// Takes the weighted mean of each line from its cells and returns it; a line without weight is left alone.
fn centre(values: &mut [f64], weights: &[f64], line: impl Fn(usize) -> usize, lines: usize) -> Vec<f64> {
    let mut sums = vec![[0.0; 2]; lines];
    for (cell, (value, weight)) in values.iter().zip(weights).enumerate() {
        let sum = &mut sums[line(cell)];
        sum[0] += value * weight;
        sum[1] += weight;
    }
    let means: Vec<f64> = sums.iter().map(|[sum, weight]| if *weight > 0.0 { sum / weight } else { 0.0 }).collect();
    values.iter_mut().enumerate().for_each(|(cell, value)| *value -= means[line(cell)]);
    means
}
