//! Fine bins: every feature cut into at most [`BINS_MAX`] bins without a look at the outcome, so that bags share them.

use std::collections::HashMap;

use super::super::artifact::Shape;
use super::super::bins::{fine_bins, round_edge};
use super::super::dataset::{Column, MISSING_CODE, Values};

/// Bins of a feature with values, at most; one more is for missing values. A row's bin fits in a byte.
pub const BINS_MAX: usize = 254;

/// Pairs, at most: beyond, a model is no longer read by anybody.
pub const PAIRS_MAX: usize = 200;

/// A feature's fine bins, and the bin of every row of the data.
#[derive(Debug, Clone)]
pub struct FineColumn {
    /// The feature's index in the data.
    pub column: usize,
    /// How a value finds its bin.
    pub shape: Shape,
    /// One a row of the data; [`FineColumn::missing`] where there is no value.
    pub bin_of_row: Vec<u8>,
    /// The bin of missing values: the number of bins with values.
    pub missing: usize,
}

impl FineColumn {
    /// Cuts a column by its values in `rows` into about `bins` bins of equal rows, words into one bin each, those with fewer than
    /// `level_rows_min` rows (and all beyond the most frequent ones) together.
    pub fn cut(index: usize, column: &Column, rows: &[usize], bins: usize, level_rows_min: u64) -> FineColumn {
        match &column.values {
            Values::Numeric(numbers) => cut_numbers(index, numbers, rows, bins),
            Values::Text { levels, codes } => cut_words(index, levels, codes, rows, level_rows_min),
        }
    }

    /// Whether its bins have an order.
    pub fn is_ordered(&self) -> bool {
        matches!(self.shape, Shape::Numeric { .. })
    }

    /// Bins, that of missing values included.
    pub fn bins(&self) -> usize {
        self.missing + 1
    }
}

fn cut_numbers(index: usize, numbers: &[f64], rows: &[usize], bins: usize) -> FineColumn {
    let mut sorted: Vec<(f64, bool)> =
        rows.iter().map(|row| numbers[*row]).filter(|x| x.is_finite()).map(|x| (x + 0.0, false)).collect();
    sorted.sort_by(|a, b| a.0.total_cmp(&b.0));
    // Ties can double the number of bins that are asked for.
    let fine = fine_bins(&sorted, bins.min(BINS_MAX / 2));
    let edges: Vec<f64> = fine.windows(2).map(|pair| round_edge(pair[0].last, pair[1].first)).collect();
    let missing = edges.len() + 1;
    let bin = |x: &f64| if x.is_nan() { missing } else { edges.partition_point(|edge| *edge <= *x) };
    let bin_of_row = numbers.iter().map(|x| bin(x) as u8).collect();
    FineColumn { column: index, shape: Shape::Numeric { edges }, bin_of_row, missing }
}

fn cut_words(index: usize, levels: &[String], codes: &[u32], rows: &[usize], level_rows_min: u64) -> FineColumn {
    let mut rows_of = vec![0_u64; levels.len()];
    for row in rows {
        if let Some(count) = rows_of.get_mut(codes[*row] as usize) {
            *count += 1;
        }
    }
    let mut common: Vec<usize> = (0..levels.len()).filter(|level| rows_of[*level] >= level_rows_min.max(1)).collect();
    common.sort_by(|a, b| rows_of[*b].cmp(&rows_of[*a]).then_with(|| levels[*a].cmp(&levels[*b])));
    common.truncate(BINS_MAX - 1);
    common.sort_by(|a, b| levels[*a].cmp(&levels[*b]));
    let mut words: Vec<Vec<String>> = common.iter().map(|level| vec![levels[*level].clone()]).collect();
    // Rare words and those never seen share the last bin.
    let other = words.len();
    words.push(Vec::new());
    let bin_of: HashMap<usize, usize> = common.iter().enumerate().map(|(bin, level)| (*level, bin)).collect();
    let missing = words.len();
    let bin = |code: &u32| match *code {
        MISSING_CODE => missing,
        code => bin_of.get(&(code as usize)).copied().unwrap_or(other),
    };
    let bin_of_row = codes.iter().map(|code| bin(code) as u8).collect();
    FineColumn { column: index, shape: Shape::Text { levels: words, other }, bin_of_row, missing }
}
