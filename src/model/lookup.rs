//! Tables as they are looked up: the bin of a value, the points of a bin.

use std::collections::HashMap;
use std::io::Write;

use rustc_hash::FxBuildHasher;

use super::Value;
use super::artifact::{Characteristic, Pair, Shape};

/// The table of one feature.
#[derive(Debug, Clone)]
pub(super) struct Table {
    lookup: Lookup,
    /// Points of each bin; the last is the bin of missing values.
    pub points: Vec<f64>,
    /// Average points of the training rows.
    pub baseline: f64,
}

/// The table of two features.
#[derive(Debug, Clone)]
pub(super) struct PairTable {
    /// The features, by the places of their tables.
    pub columns: [usize; 2],
    /// For each of the two features, the group of each of its bins; the last is that of missing values.
    pub groups: [Vec<usize>; 2],
    /// Row by row, `width` cells each.
    points: Vec<f64>,
    width: usize,
    /// Average points of the training rows.
    pub baseline: f64,
}

#[derive(Debug, Clone)]
enum Lookup {
    Edges(Vec<f64>),
    Levels { bin_of: HashMap<String, usize, FxBuildHasher>, other: usize },
}

impl Table {
    pub fn new(of: &Characteristic) -> Table {
        let lookup = match &of.shape {
            Shape::Numeric { edges } => Lookup::Edges(edges.clone()),
            Shape::Text { levels, other } => {
                let pairs =
                    levels.iter().enumerate().flat_map(|(bin, words)| words.iter().map(move |w| (w.clone(), bin)));
                Lookup::Levels { bin_of: pairs.collect(), other: *other }
            }
        };
        let points = of.bins.iter().chain([&of.missing]).map(|bin| bin.points).collect();
        Table { lookup, points, baseline: of.baseline }
    }

    /// Whether a cell that holds `text` can be looked up.
    pub fn takes(&self, text: &str) -> bool {
        matches!(self.lookup, Lookup::Levels { .. }) || number(text).is_some()
    }

    /// The bin of a value: its place in `points`, of which the last is for missing values.
    pub fn bin_of(&self, value: Value<'_>) -> usize {
        let missing = self.points.len() - 1;
        match (&self.lookup, value) {
            (_, Value::Missing) => missing,
            (Lookup::Edges(edges), Value::Number(x)) => bin_of_number(edges, x),
            (Lookup::Edges(edges), Value::Text(text)) => number(text).map_or(missing, |x| bin_of_number(edges, x)),
            (Lookup::Levels { bin_of, other }, Value::Text(text)) => *bin_of.get(text.trim()).unwrap_or(other),
            (Lookup::Levels { .. }, Value::Number(x)) if x.is_nan() => missing,
            (Lookup::Levels { bin_of, other }, Value::Number(x)) => {
                let mut buffer = [0_u8; 32];
                written(x, &mut buffer).and_then(|text| bin_of.get(text)).copied().unwrap_or(*other)
            }
        }
    }
}

impl PairTable {
    /// The table of `pair` beside the `tables` of the model; `None` where one of its features has none.
    pub fn new(pair: &Pair, tables: &[Characteristic]) -> Option<PairTable> {
        let place = |name: &str| tables.iter().position(|table| table.feature == name);
        let columns = [place(&pair.first.feature)?, place(&pair.second.feature)?];
        let groups = [&pair.first, &pair.second].map(|axis| {
            let with_missing = axis.groups.iter().copied().chain([axis.missing]);
            with_missing.collect::<Vec<usize>>()
        });
        let points = pair.points.iter().flatten().copied().collect();
        Some(PairTable { columns, groups, points, width: pair.second.len(), baseline: pair.baseline })
    }

    /// The points of a cell.
    pub fn cell(&self, row: usize, column: usize) -> f64 {
        self.points[row * self.width + column]
    }

    /// The points of a row whose features fall into `bins`.
    pub fn points_of(&self, bins: &[usize]) -> f64 {
        let [first, second] = self.columns;
        self.cell(self.groups[0][bins[first]], self.groups[1][bins[second]])
    }
}

/// The number that `text` writes out, if it does.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok()
}

/// Edges are left-closed: bin `i` holds `edges[i-1] <= x < edges[i]`. NaN has no bin: it is missing.
fn bin_of_number(edges: &[f64], x: f64) -> usize {
    if x.is_nan() { edges.len() + 1 } else { edges.partition_point(|edge| *edge <= x) }
}

/// A number as the word that it is in a column of words ("1", "0.5"), without allocating; `None` where it is too long for one.
fn written(x: f64, buffer: &mut [u8; 32]) -> Option<&str> {
    let mut rest: &mut [u8] = buffer;
    write!(rest, "{}", x + 0.0).ok()?;
    let unused = rest.len();
    std::str::from_utf8(buffer.get(..32 - unused)?).ok()
}
