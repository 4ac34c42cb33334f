//! The tables of the model as the report shows them: bins with their names, rates and points.

use serde::Serialize;

use super::share;
use crate::model::artifact::{Artifact, Axis, Bin, Characteristic, Pair, Shape, Sign};
use crate::model::chance::wilson;

/// Words of a bin that are written out; of the others only the number.
const WORDS_MAX: usize = 30;

/// The table of a feature.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CharacteristicTable {
    /// The feature.
    pub feature: String,
    /// The direction that its points keep.
    pub sign: Sign,
    /// Information value on the training rows.
    pub iv: f64,
    /// Mean distance of a training row's points from the average, pairs apart.
    pub importance: f64,
    /// Fewest and most points among the bins with training rows.
    pub range: [f64; 2],
    /// Average points of the training rows.
    pub baseline: f64,
    /// Variance inflation factor of its points, 1000 at most; `None` where the points do not vary.
    pub vif: Option<f64>,
    /// Its bins; the last is that of missing values.
    pub bins: Vec<BinRow>,
}

/// A bin.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BinRow {
    /// What it holds.
    pub holds: Span,
    /// Points.
    pub points: f64,
    /// Training rows.
    pub rows: u64,
    /// Bad ones.
    pub bads: u64,
    /// Share of the training rows; `None` where there are none.
    pub share: Option<f64>,
    /// Share of bad rows; `None` in an empty bin.
    pub bad_rate: Option<f64>,
    /// Its 95 % interval (Wilson).
    pub interval: Option<[f64; 2]>,
    /// Weight of evidence, smoothed.
    pub woe: f64,
}

/// What a bin holds.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Span {
    /// `from <= value < below`; `None` is without end.
    Numbers {
        /// The lowest value.
        from: Option<f64>,
        /// The lowest value of the next bin.
        below: Option<f64>,
    },
    /// Words.
    Words {
        /// Some of them.
        words: Vec<String>,
        /// How many more there are.
        more: usize,
        /// Whether every word that is in no other bin belongs here, too.
        other: bool,
    },
    /// Values that are not there.
    Missing,
}

/// The table of two features.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PairTable {
    /// The feature of its rows.
    pub first: String,
    /// The feature of its columns.
    pub second: String,
    /// Mean distance of a training row's points from the average.
    pub importance: f64,
    /// Fewest and most points among the cells with training rows.
    pub range: [f64; 2],
    /// Its rows.
    pub rows: Vec<Group>,
    /// Its columns.
    pub columns: Vec<Group>,
    /// Points: `points[row][column]`.
    pub points: Vec<Vec<f64>>,
    /// Training rows of each cell.
    pub counts: Vec<Vec<u64>>,
}

/// Bins of a feature's own table that a pair takes together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Group {
    /// What they hold, neighbours joined.
    pub spans: Vec<Span>,
}

/// The tables, most important first.
pub fn characteristics(artifact: &Artifact) -> Vec<CharacteristicTable> {
    let mut tables: Vec<CharacteristicTable> = artifact.characteristics.iter().map(table).collect();
    tables.sort_by(|a, b| b.importance.total_cmp(&a.importance).then(a.feature.cmp(&b.feature)));
    tables
}

fn table(of: &Characteristic) -> CharacteristicTable {
    let bins: Vec<&Bin> = of.bins.iter().chain([&of.missing]).collect();
    let all: u64 = bins.iter().map(|bin| bin.count).sum();
    let row = |(place, bin): (usize, &&Bin)| BinRow {
        holds: span(&of.shape, of.bins.len(), place),
        points: bin.points,
        rows: bin.count,
        bads: bin.bads,
        share: share(bin.count, all),
        bad_rate: share(bin.bads, bin.count),
        interval: (bin.count > 0).then(|| wilson(bin.bads, bin.count)),
        woe: bin.woe,
    };
    let (importance, range) = spread(bins.iter().map(|bin| (bin.points, bin.count)), of.baseline);
    CharacteristicTable {
        feature: of.feature.clone(),
        sign: of.sign,
        iv: of.iv,
        importance,
        range,
        baseline: of.baseline,
        vif: None,
        bins: bins.iter().enumerate().map(row).collect(),
    }
}

/// Mean distance from `average`, and the fewest and most points, of points with their rows; empty cells do not count.
fn spread(cells: impl Iterator<Item = (f64, u64)>, average: f64) -> (f64, [f64; 2]) {
    let (mut rows, mut distance, mut range) = (0, 0.0, None);
    for (points, count) in cells.filter(|cell| cell.1 > 0) {
        rows += count;
        distance += count as f64 * (points - average).abs();
        let [low, high] = range.unwrap_or([points, points]);
        range = Some([points.min(low), points.max(high)]);
    }
    (if rows == 0 { 0.0 } else { distance / rows as f64 }, range.unwrap_or([average, average]))
}

/// What the bin at `place` of `bins` (the missing one follows them) holds.
fn span(shape: &Shape, bins: usize, place: usize) -> Span {
    match shape {
        _ if place >= bins => Span::Missing,
        Shape::Numeric { edges } => Span::Numbers {
            from: place.checked_sub(1).and_then(|before| edges.get(before)).copied(),
            below: edges.get(place).copied(),
        },
        Shape::Text { levels, other } => {
            words(levels.get(place).map(Vec::as_slice).unwrap_or_default().iter(), *other == place)
        }
    }
}

fn words<'a>(all: impl ExactSizeIterator<Item = &'a String>, other: bool) -> Span {
    let more = all.len().saturating_sub(WORDS_MAX);
    Span::Words { words: all.take(WORDS_MAX).cloned().collect(), more, other }
}

/// The tables over two features, most important first.
pub fn pairs(artifact: &Artifact) -> Vec<PairTable> {
    let mut tables: Vec<PairTable> = artifact.pairs.iter().map(|pair| pair_table(pair, artifact)).collect();
    tables
        .sort_by(|a, b| b.importance.total_cmp(&a.importance).then((&a.first, &a.second).cmp(&(&b.first, &b.second))));
    tables
}

fn pair_table(pair: &Pair, artifact: &Artifact) -> PairTable {
    let cells = pair.points.iter().flatten().copied().zip(pair.counts.iter().flatten().copied());
    let (importance, range) = spread(cells, pair.baseline);
    PairTable {
        first: pair.first.feature.clone(),
        second: pair.second.feature.clone(),
        importance,
        range,
        rows: groups(&pair.first, artifact),
        columns: groups(&pair.second, artifact),
        points: pair.points.clone(),
        counts: pair.counts.clone(),
    }
}

fn groups(axis: &Axis, artifact: &Artifact) -> Vec<Group> {
    let table = artifact.characteristics.iter().find(|of| of.feature == axis.feature);
    let Some(table) = table else { return vec![Group { spans: Vec::new() }; axis.len()] };
    let of_group = |group: usize| {
        let mut spans: Vec<Span> = Vec::new();
        for (place, _) in axis.groups.iter().enumerate().filter(|(_, of)| **of == group) {
            let next = span(&table.shape, table.bins.len(), place);
            match spans.last_mut().and_then(|last| joined(last, &next)) {
                Some(both) => *spans.last_mut().unwrap_or(&mut Span::Missing) = both,
                None => spans.push(next),
            }
        }
        if axis.missing == group {
            spans.push(Span::Missing);
        }
        Group { spans }
    };
    (0..axis.len()).map(of_group).collect()
}

/// Two spans as one, where they are neighbours or both words.
fn joined(a: &Span, b: &Span) -> Option<Span> {
    match (a, b) {
        (Span::Numbers { from, below: Some(end) }, Span::Numbers { from: Some(start), below }) if end == start => {
            Some(Span::Numbers { from: *from, below: *below })
        }
        (
            Span::Words { words: a, more: more_a, other: other_a },
            Span::Words { words: b, more: more_b, other: other_b },
        ) => {
            let Span::Words { words, more, .. } = words(a.iter().chain(b).collect::<Vec<_>>().into_iter(), false)
            else {
                return None;
            };
            Some(Span::Words { words, more: more + more_a + more_b, other: *other_a || *other_b })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(from: Option<f64>, below: Option<f64>) -> Span {
        Span::Numbers { from, below }
    }

    #[test]
    fn neighbours_join_and_others_do_not() {
        let (a, b, c) = (numbers(None, Some(1.0)), numbers(Some(1.0), Some(2.0)), numbers(Some(3.0), None));
        assert_eq!(joined(&a, &b), Some(numbers(None, Some(2.0))));
        assert_eq!(joined(&b, &c), None);
        let many: Vec<String> = (0..40).map(|i| format!("w{i}")).collect();
        let (one, two) = (words(many.iter(), false), words(many[..5].iter(), true));
        let Some(Span::Words { words, more, other }) = joined(&one, &two) else { panic!("words join") };
        assert_eq!((words.len(), more, other), (30, 15, true));
    }

    #[test]
    fn empty_cells_count_neither_in_importance_nor_in_range() {
        let cells = [(10.0, 3), (-90.0, 0), (-2.0, 1)];
        assert_eq!(spread(cells.into_iter(), 4.0), (6.0 * 4.0 / 4.0, [-2.0, 10.0]));
        assert_eq!(spread([].into_iter(), 4.0), (0.0, [4.0, 4.0]));
    }
}
