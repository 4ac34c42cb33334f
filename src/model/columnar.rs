//! Many rows: the tables laid out for passes over rows and columns, so that a row costs a fraction of a microsecond.
//!
//! What comes out is [`Model::score`] and the first of [`Model::points_lost`], bit for bit: points are multiples of 1/64, so
//! their sums are exact in any order.

use std::collections::HashMap;

use rustc_hash::FxBuildHasher;

use super::artifact::{Axis, Characteristic, Pair, Shape};
use super::scaling::PARTS_OF_A_POINT;
use super::{Model, Score};

/// Reasons that are told of a row, at most.
pub const REASONS_MAX: usize = 4;
/// Rows whose bins are held at a time: few enough to stay in the nearest cache.
const ROWS_AT_A_TIME: usize = 128;
/// A number as the word that it is in a column of words is at most this long; a longer one is a word that no table has.
const WRITTEN_MAX: usize = 32;

/// Parts of a point that points are whole multiples of.
const PARTS: f64 = PARTS_OF_A_POINT;
/// More than the features of any model. Losses in 128ths times this are whole numbers far below 2^53.
const PLACES: f64 = 1_048_576.0;

/// The tables of a model, for many rows. Its bins are numbered through all tables, so that a row is one number a feature.
#[derive(Debug, Clone)]
pub struct Lookups<'m> {
    model: &'m Model,
    tables: Vec<Table>,
    /// What each bin gives.
    cells: Vec<Cell>,
    pairs: Vec<PairTable>,
    intercept: i64,
    offset: f64,
    factor: f64,
}

/// The table of one feature.
#[derive(Debug, Clone)]
struct Table {
    lookup: Lookup,
    /// Its first bin.
    first: u32,
    /// The bin of missing values, its last.
    missing: u32,
}

#[derive(Debug, Clone)]
enum Lookup {
    /// Ascending.
    Edges(Vec<f64>),
    /// The bins of words, and that of all others.
    Levels { bin_of: HashMap<String, u32, FxBuildHasher>, other: u32 },
}

/// What a bin gives, in whole parts: their sums are exact.
#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Baseline less points, in 128ths (the half of a pair that each of its features bears is a whole number of them), times
    /// [`PLACES`]; of a feature's own bin, with its place added, so that of equal losses that of the first feature is the largest.
    lost: f64,
    /// Points, in 64ths.
    points: i32,
}

/// The table of two features.
#[derive(Debug, Clone)]
struct PairTable {
    columns: [usize; 2],
    /// The first bin of each feature's own table.
    first: [u32; 2],
    /// For each bin of the first feature, where its row of `cells` begins; the last is that of missing values.
    row_at: Vec<usize>,
    /// For each bin of the second feature, its place in a row.
    place: Vec<usize>,
    cells: Vec<Cell>,
}

/// The sum of a row's points and the intercept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Total(i64);

impl Total {
    /// In 64ths of a point.
    pub fn parts(self) -> i64 {
        self.0
    }

    /// In points; exact.
    pub fn points(self) -> f64 {
        self.0 as f64 / PARTS
    }
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
        let (mut tables, mut cells): (Vec<Table>, Vec<Cell>) = (Vec::new(), Vec::new());
        for of in &artifact.characteristics {
            let place = PLACES - 1.0 - tables.len() as f64;
            tables.push(Table::new(of, cells.len() as u32));
            let bins = of.bins.iter().chain([&of.missing]);
            cells.extend(bins.map(|bin| Cell::new(bin.points, of.baseline - bin.points, place)));
        }
        let pairs = artifact.pairs.iter().filter_map(|pair| PairTable::new(pair, model.columns(), &tables)).collect();
        let intercept = (artifact.intercept * PARTS) as i64;
        let (offset, factor) = (artifact.scaling.offset(), artifact.scaling.factor());
        Lookups { model, tables, cells, pairs, intercept, offset, factor }
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
        self.tables[column].missing
    }

    /// The bin of a number; NaN is missing. In a table of words, the number as it is written.
    #[inline]
    pub fn bin_of_number(&self, column: usize, x: f64) -> u32 {
        let table = &self.tables[column];
        match &table.lookup {
            Lookup::Edges(edges) => table.bin_of_number(edges, x),
            Lookup::Levels { bin_of, other } => table.bin_of_written(bin_of, *other, x),
        }
    }

    /// The bin of a word without spaces around it. In a table of numbers, the word is missing unless it writes out a number.
    #[inline]
    pub fn bin_of_word(&self, column: usize, word: &str) -> u32 {
        let table = &self.tables[column];
        match &table.lookup {
            Lookup::Levels { bin_of, other } => *bin_of.get(word).unwrap_or(other),
            Lookup::Edges(edges) => word.parse().map_or(table.missing, |x| table.bin_of_number(edges, x)),
        }
    }

    /// Looks up numbers of whole rows, NaN where there is none, and writes their bins at the same places; both have a place for
    /// each feature of a row, and those of words stay as they are. A feature at a time, because lookups of a kind overlap.
    pub fn look_up_numbers(&self, numbers: &[f64], bins: &mut [u32]) {
        let width = self.tables.len();
        for (column, table) in self.tables.iter().enumerate() {
            let Lookup::Edges(edges) = &table.lookup else { continue };
            let bins = bins.iter_mut().skip(column).step_by(width);
            let numbers = numbers.iter().skip(column).step_by(width);
            bins.zip(numbers).for_each(|(bin, x)| *bin = table.bin_of_number(edges, *x));
        }
    }

    /// Total and reasons of the row whose features fall into `bins`, one a column; `lost` is a buffer.
    #[inline]
    pub fn look_up(&self, bins: &[u32], lost: &mut Vec<f64>) -> (Total, Reasons) {
        let mut total = self.intercept;
        let own = bins.iter().map(|bin| {
            let cell = self.cells[*bin as usize];
            total += i64::from(cell.points);
            cell.lost
        });
        if self.pairs.is_empty() {
            let reasons = Reasons::of(own);
            return (Total(total), reasons);
        }
        lost.clear();
        lost.extend(own);
        for pair in &self.pairs {
            let cell = pair.cell(bins);
            total += i64::from(cell.points);
            pair.columns.iter().for_each(|column| lost[*column] += cell.lost);
        }
        (Total(total), Reasons::of(lost.iter().copied()))
    }

    /// The score of a total.
    pub fn score(&self, total: Total) -> Score<'m> {
        let total = total.points();
        let score = total.round() as i64;
        let pd = 1.0 / (1.0 + ((total - self.offset) / self.factor).exp());
        let bands = self.model.grades();
        let band = bands.iter().find(|band| band.score_at_least.is_none_or(|least| score >= least)).or(bands.last());
        Score { total, score, pd, grade: band.map_or("", |band| band.grade.as_str()) }
    }

    /// Scores rows whose columns lie in memory, in the order of [`Model::columns`]; `each` gets every row's total and reasons,
    /// first to last. A column that is too short is missing past its end.
    pub fn score_columns(&self, columns: &[ColumnValues<'_>], rows: usize, mut each: impl FnMut(Total, Reasons)) {
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
                let (total, reasons) = self.look_up(row, &mut lost);
                each(total, reasons);
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
        let table = &self.tables[column];
        let bins = bins.iter_mut().step_by(self.tables.len()).take(count);
        match (values, &table.lookup) {
            (Some(ColumnValues::Numbers(numbers)), Lookup::Edges(edges)) => {
                bins.zip(past_end(numbers, from, f64::NAN)).for_each(|(bin, x)| *bin = table.bin_of_number(edges, x));
            }
            (Some(ColumnValues::Numbers(numbers)), Lookup::Levels { .. }) => {
                bins.zip(past_end(numbers, from, f64::NAN)).for_each(|(bin, x)| *bin = self.bin_of_number(column, x));
            }
            (Some(ColumnValues::Words { codes, .. }), _) => {
                let bin_of = |code: u32| word_bins.get(code as usize).copied().unwrap_or(table.missing);
                bins.zip(past_end(codes, from, u32::MAX)).for_each(|(bin, code)| *bin = bin_of(code));
            }
            (Some(ColumnValues::Bins(known)), _) => {
                let known = past_end(known, from, table.missing);
                bins.zip(known).for_each(|(bin, known)| *bin = known.clamp(table.first, table.missing));
            }
            (None, _) => bins.for_each(|bin| *bin = table.missing),
        }
    }
}

/// The values from a place on, and `beyond` without end.
fn past_end<T: Copy>(values: &[T], from: usize, beyond: T) -> impl Iterator<Item = T> {
    values.get(from..).unwrap_or_default().iter().copied().chain(std::iter::repeat(beyond))
}

impl Cell {
    /// Exact: points are multiples of 1/64 of at most 2^20, which a checked artifact has.
    fn new(points: f64, lost: f64, place: f64) -> Cell {
        Cell { lost: lost * 2.0 * PARTS * PLACES + place, points: (points * PARTS) as i32 }
    }
}

impl Table {
    fn new(of: &Characteristic, first: u32) -> Table {
        let lookup = match &of.shape {
            Shape::Numeric { edges } => Lookup::Edges(edges.clone()),
            Shape::Text { levels, other } => {
                let words = (first..).zip(levels).flat_map(|(bin, words)| words.iter().map(move |w| (w.clone(), bin)));
                Lookup::Levels { bin_of: words.collect(), other: first + *other as u32 }
            }
        };
        Table { lookup, first, missing: first + of.bins.len() as u32 }
    }

    /// Edges are left-closed: bin `i` holds `edges[i-1] <= x < edges[i]`. NaN has no bin: it is missing.
    #[inline]
    fn bin_of_number(&self, edges: &[f64], x: f64) -> u32 {
        if x.is_nan() { self.missing } else { self.first + edges.partition_point(|edge| *edge <= x) as u32 }
    }

    /// The bin of a number in a table of words.
    fn bin_of_written(&self, bin_of: &HashMap<String, u32, FxBuildHasher>, other: u32, x: f64) -> u32 {
        if x.is_nan() {
            return self.missing;
        }
        let written = x.to_string();
        if written.len() > WRITTEN_MAX { other } else { *bin_of.get(&written).unwrap_or(&other) }
    }
}

impl PairTable {
    fn new(of: &Pair, columns: &[String], tables: &[Table]) -> Option<PairTable> {
        let place = |name: &str| columns.iter().position(|column| column == name);
        let groups = |axis: &Axis, step: usize| -> Vec<usize> {
            axis.groups.iter().chain([&axis.missing]).map(|group| group * step).collect()
        };
        let columns = [place(&of.first.feature)?, place(&of.second.feature)?];
        Some(PairTable {
            columns,
            first: columns.map(|column| tables[column].first),
            row_at: groups(&of.first, of.second.len()),
            place: groups(&of.second, 1),
            cells: of
                .points
                .iter()
                .flatten()
                .map(|points| Cell::new(*points, (of.baseline - points) / 2.0, 0.0))
                .collect(),
        })
    }

    #[inline]
    fn cell(&self, bins: &[u32]) -> Cell {
        let [row, place] = [0, 1].map(|side| (bins[self.columns[side]] - self.first[side]) as usize);
        self.cells[self.row_at[row] + self.place[place]]
    }
}

impl Reasons {
    /// The largest of `lost` above zero, most first. A step is a few comparisons without a branch that could not be foreseen.
    #[inline]
    fn of(lost: impl Iterator<Item = f64>) -> Reasons {
        const NONE: f64 = PLACES - 1.0;
        let mut top = [NONE; REASONS_MAX];
        for mut next in lost {
            for best in &mut top {
                // Not `f64::max`, which costs more because it knows NaN.
                (*best, next) = if *best > next { (*best, next) } else { (next, *best) };
            }
        }
        let columns = top.map(|best| (NONE as u64 - best as u64 % PLACES as u64) as u32);
        Reasons { columns, count: top.iter().filter(|best| **best > NONE).count() as u32 }
    }
}
