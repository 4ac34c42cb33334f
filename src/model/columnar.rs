//! Many rows: the tables laid out for passes over rows and columns, so that a row costs a fraction of a microsecond.
//!
//! What comes out is [`Model::score`] and the first of [`Model::points_lost`], bit for bit: points are multiples of 1/64, so
//! their sums are exact in any order.

use std::collections::HashMap;
use std::fmt::Write;

use rustc_hash::FxBuildHasher;

use super::artifact::{Axis, Characteristic, Pair, Shape};
use super::{Model, Score};

/// Reasons that are told of a row, at most.
pub const REASONS_MAX: usize = 4;
/// Rows whose bins are held at a time: few enough to stay in the nearest cache.
const ROWS_AT_A_TIME: usize = 128;
/// A number as the word that it is in a column of words is at most this long; a longer one is a word that no table has.
const WRITTEN_MAX: usize = 32;

/// The tables of a model, for many rows.
#[derive(Debug, Clone)]
pub struct Lookups<'m> {
    model: &'m Model,
    tables: Vec<Table>,
    pairs: Vec<PairTable>,
    offset: f64,
    factor: f64,
}

/// The table of one feature.
#[derive(Debug, Clone)]
struct Table {
    lookup: Lookup,
    /// One a bin; the last is the bin of missing values.
    cells: Vec<Cell>,
}

#[derive(Debug, Clone)]
enum Lookup {
    Edges(Vec<f64>),
    Levels { bin_of: HashMap<String, u32, FxBuildHasher>, other: u32 },
}

/// What a bin gives.
#[derive(Debug, Clone, Copy)]
struct Cell {
    points: f64,
    /// Baseline less points.
    lost: f64,
}

/// The table of two features.
#[derive(Debug, Clone)]
struct PairTable {
    columns: [usize; 2],
    /// For each bin of the first feature, where its row of `cells` begins; the last is that of missing values.
    row_at: Vec<usize>,
    /// For each bin of the second feature, its place in a row.
    place: Vec<usize>,
    /// `lost` is the half that each of the two features bears.
    cells: Vec<Cell>,
}

/// The features that cost a row most against the average, most first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reasons {
    columns: [u32; REASONS_MAX],
    count: u32,
}

impl Reasons {
    /// Their places in [`Model::columns`].
    pub fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.columns.iter().take(self.count as usize).map(|column| *column as usize)
    }
}

/// A column of values, as long as the others.
#[derive(Debug, Clone, Copy)]
pub enum ColumnValues<'a> {
    /// Numbers; NaN is missing.
    Numbers(&'a [f64]),
    /// Words, each by its place in `levels`; a code past its end is missing.
    Words {
        /// The different words.
        levels: &'a [&'a str],
        /// One a row.
        codes: &'a [u32],
    },
    /// Bins that were looked up before.
    Bins(&'a [u32]),
}

impl<'m> Lookups<'m> {
    /// The tables of `model`.
    pub fn new(model: &'m Model) -> Lookups<'m> {
        let artifact = model.artifact();
        let tables: Vec<Table> = artifact.characteristics.iter().map(Table::new).collect();
        let pairs = artifact.pairs.iter().filter_map(|pair| PairTable::new(pair, model.columns())).collect();
        Lookups { model, tables, pairs, offset: artifact.scaling.offset(), factor: artifact.scaling.factor() }
    }

    /// The model.
    pub fn model(&self) -> &'m Model {
        self.model
    }

    /// Whether a feature's table is one of numbers; else it is one of words.
    pub fn is_numeric(&self, column: usize) -> bool {
        matches!(self.tables[column].lookup, Lookup::Edges(_))
    }

    /// The bin of a value that is not there.
    pub fn missing_bin(&self, column: usize) -> u32 {
        self.tables[column].cells.len() as u32 - 1
    }

    /// The bin of a number; NaN is missing. In a table of words, the number as it is written.
    #[inline]
    pub fn bin_of_number(&self, column: usize, x: f64) -> u32 {
        match &self.tables[column].lookup {
            Lookup::Edges(edges) => bin_of_number(edges, x),
            Lookup::Levels { .. } if x.is_nan() => self.missing_bin(column),
            Lookup::Levels { .. } => {
                let mut written = String::new();
                // Writing to a String does not fail.
                let _ = write!(written, "{x}");
                if written.len() > WRITTEN_MAX { self.other_bin(column) } else { self.bin_of_word(column, &written) }
            }
        }
    }

    /// The bin of a word without spaces around it. In a table of numbers, the word is missing unless it writes out a number.
    #[inline]
    pub fn bin_of_word(&self, column: usize, word: &str) -> u32 {
        match &self.tables[column].lookup {
            Lookup::Levels { bin_of, other } => *bin_of.get(word).unwrap_or(other),
            Lookup::Edges(edges) => word.parse().map_or(self.missing_bin(column), |x| bin_of_number(edges, x)),
        }
    }

    fn other_bin(&self, column: usize) -> u32 {
        match &self.tables[column].lookup {
            Lookup::Levels { other, .. } => *other,
            Lookup::Edges(_) => self.missing_bin(column),
        }
    }

    /// Intercept and points together of the row whose features fall into `bins`, one a column.
    #[inline]
    pub fn total(&self, bins: &[u32]) -> f64 {
        let own = self.tables.iter().zip(bins).map(|(table, bin)| table.cells[*bin as usize].points);
        let total = self.model.artifact().intercept + own.sum::<f64>();
        if self.pairs.is_empty() {
            return total;
        }
        total + self.pairs.iter().map(|pair| pair.cell(bins).points).sum::<f64>()
    }

    /// The reasons of the row whose features fall into `bins`; `lost` is a buffer.
    #[inline]
    pub fn reasons(&self, bins: &[u32], lost: &mut Vec<f64>) -> Reasons {
        if self.pairs.is_empty() {
            return largest(self.tables.iter().zip(bins).map(|(table, bin)| table.cells[*bin as usize].lost));
        }
        lost.clear();
        lost.extend(self.tables.iter().zip(bins).map(|(table, bin)| table.cells[*bin as usize].lost));
        for pair in &self.pairs {
            let half = pair.cell(bins).lost;
            pair.columns.iter().for_each(|column| lost[*column] += half);
        }
        largest(lost.iter().copied())
    }

    /// The score of a total.
    pub fn score(&self, total: f64) -> Score<'m> {
        let score = total.round() as i64;
        let pd = 1.0 / (1.0 + ((total - self.offset) / self.factor).exp());
        let bands = self.model.grades();
        let band = bands.iter().find(|band| band.score_at_least.is_none_or(|least| score >= least)).or(bands.last());
        Score { total, score, pd, grade: band.map_or("", |band| band.grade.as_str()) }
    }

    /// Scores rows whose columns lie in memory, in the order of [`Model::columns`]; `each` gets every row's total and reasons,
    /// first to last. A column that is too short is missing past its end.
    pub fn score_columns(&self, columns: &[ColumnValues<'_>], rows: usize, mut each: impl FnMut(f64, Reasons)) {
        let width = self.tables.len();
        let word_bins: Vec<Vec<u32>> =
            (0..width).map(|column| self.bins_of_levels(column, columns.get(column))).collect();
        let (mut bins, mut lost) = (vec![0; width * ROWS_AT_A_TIME], Vec::with_capacity(width));
        for from in (0..rows).step_by(ROWS_AT_A_TIME) {
            let count = ROWS_AT_A_TIME.min(rows - from);
            for column in 0..width {
                self.fill(column, columns.get(column), &word_bins[column], from, &mut bins[column..], count);
            }
            for row in bins.chunks_exact(width).take(count) {
                each(self.total(row), self.reasons(row, &mut lost));
            }
        }
    }

    /// The bin of each word of a column.
    fn bins_of_levels(&self, column: usize, values: Option<&ColumnValues<'_>>) -> Vec<u32> {
        match values {
            Some(ColumnValues::Words { levels, .. }) => {
                levels.iter().map(|word| self.bin_of_word(column, word.trim())).collect()
            }
            _ => Vec::new(),
        }
    }

    /// Writes the bins of `count` rows of a column, `width` apart.
    fn fill(
        &self,
        column: usize,
        values: Option<&ColumnValues<'_>>,
        word_bins: &[u32],
        from: usize,
        bins: &mut [u32],
        count: usize,
    ) {
        let missing = self.missing_bin(column);
        let bins = bins.iter_mut().step_by(self.tables.len()).take(count);
        match (values, &self.tables[column].lookup) {
            (Some(ColumnValues::Numbers(numbers)), Lookup::Edges(edges)) => {
                bins.zip(past_end(numbers, from, f64::NAN)).for_each(|(bin, x)| *bin = bin_of_number(edges, x));
            }
            (Some(ColumnValues::Numbers(numbers)), Lookup::Levels { .. }) => {
                bins.zip(past_end(numbers, from, f64::NAN)).for_each(|(bin, x)| *bin = self.bin_of_number(column, x));
            }
            (Some(ColumnValues::Words { codes, .. }), _) => {
                let bin_of = |code: u32| word_bins.get(code as usize).copied().unwrap_or(missing);
                bins.zip(past_end(codes, from, u32::MAX)).for_each(|(bin, code)| *bin = bin_of(code));
            }
            (Some(ColumnValues::Bins(known)), _) => {
                bins.zip(past_end(known, from, missing)).for_each(|(bin, known)| *bin = known.min(missing));
            }
            (None, _) => bins.for_each(|bin| *bin = missing),
        }
    }
}

/// The values from a place on, and `beyond` without end.
fn past_end<T: Copy>(values: &[T], from: usize, beyond: T) -> impl Iterator<Item = T> {
    values.get(from..).unwrap_or_default().iter().copied().chain(std::iter::repeat(beyond))
}

impl Table {
    fn new(of: &Characteristic) -> Table {
        let lookup = match &of.shape {
            Shape::Numeric { edges } => Lookup::Edges(edges.clone()),
            Shape::Text { levels, other } => {
                let words = (0_u32..).zip(levels).flat_map(|(bin, words)| words.iter().map(move |w| (w.clone(), bin)));
                Lookup::Levels { bin_of: words.collect(), other: *other as u32 }
            }
        };
        let cell = |points: f64| Cell { points, lost: of.baseline - points };
        Table { lookup, cells: of.bins.iter().chain([&of.missing]).map(|bin| cell(bin.points)).collect() }
    }
}

impl PairTable {
    fn new(of: &Pair, columns: &[String]) -> Option<PairTable> {
        let place = |name: &str| columns.iter().position(|column| column == name);
        let groups = |axis: &Axis, step: usize| -> Vec<usize> {
            axis.groups.iter().chain([&axis.missing]).map(|group| group * step).collect()
        };
        let cell = |points: &f64| Cell { points: *points, lost: of.baseline / 2.0 - points / 2.0 };
        Some(PairTable {
            columns: [place(&of.first.feature)?, place(&of.second.feature)?],
            row_at: groups(&of.first, of.second.len()),
            place: groups(&of.second, 1),
            cells: of.points.iter().flatten().map(cell).collect(),
        })
    }

    #[inline]
    fn cell(&self, bins: &[u32]) -> Cell {
        let [first, second] = self.columns;
        self.cells[self.row_at[bins[first] as usize] + self.place[bins[second] as usize]]
    }
}

/// Edges are left-closed: bin `i` holds `edges[i-1] <= x < edges[i]`. NaN has no bin: it is missing, the last.
#[inline]
fn bin_of_number(edges: &[f64], x: f64) -> u32 {
    if x.is_nan() { edges.len() as u32 + 1 } else { edges.partition_point(|edge| *edge <= x) as u32 }
}

/// The largest of `lost` above zero, most first; of equals, the first column first.
#[inline]
fn largest(lost: impl Iterator<Item = f64>) -> Reasons {
    let (mut top, mut columns) = ([0.0_f64; REASONS_MAX], [u32::MAX; REASONS_MAX]);
    for (column, lost) in (0_u32..).zip(lost) {
        if lost > top[REASONS_MAX - 1] {
            let mut at = REASONS_MAX - 1;
            while at > 0 && lost > top[at - 1] {
                (top[at], columns[at]) = (top[at - 1], columns[at - 1]);
                at -= 1;
            }
            (top[at], columns[at]) = (lost, column);
        }
    }
    let count = columns.iter().filter(|column| **column != u32::MAX).count() as u32;
    Reasons { columns, count }
}
