//! An additive model in points: fine bins that have become one are one bin of a table.

use std::collections::BTreeMap;

use super::super::artifact::{Axis, Bin, Characteristic, LeftOut, Pair, Shape, Sign as ArtifactSign};
use super::super::dataset::Dataset;
use super::super::scaling::round_points;
use super::super::woe::{Counts, Population};
use super::Additive;
use super::axes::FineColumn;

/// The tables of a model, and the features that none of them needs.
pub struct InPoints {
    /// One a feature that is used.
    pub characteristics: Vec<Characteristic>,
    /// Tables over two of them.
    pub pairs: Vec<Pair>,
    /// Features whose tables are flat and that stand in no pair.
    pub left_out: Vec<LeftOut>,
}

/// The bins of one feature's table: for each fine bin its bin, and for each bin one of its fine bins. The last is for missing values.
struct Bins {
    of_fine: Vec<usize>,
    example: Vec<usize>,
}

impl Additive {
    /// The tables at `points_per_unit` points a unit of log-odds of the good outcome, with counts of `rows`.
    pub fn in_points(&self, data: &Dataset, rows: &[usize], population: &Population, points_per_unit: f64) -> InPoints {
        let bins: Vec<Bins> = (0..self.columns.len()).map(|feature| self.bins(feature)).collect();
        let pairs: Vec<(usize, Pair)> = (0..self.pairs.len())
            .map(|place| (place, self.pair(place, data, &bins, points_per_unit)))
            .filter(|(_, pair)| pair.points.iter().flatten().any(|points| *points != 0.0))
            .collect();
        let paired = |feature: usize| pairs.iter().any(|(place, _)| self.pairs[*place].contains(&feature));
        let (mut characteristics, mut left_out) = (Vec::new(), Vec::new());
        for (feature, bins) in bins.iter().enumerate() {
            let table = self.characteristic(feature, data, rows, population, bins, points_per_unit);
            if paired(feature) || table.bins.iter().chain([&table.missing]).any(|bin| bin.points != 0.0) {
                characteristics.push(table);
            } else {
                let reason = "the boosted shapes make nothing of it".to_owned();
                left_out.push(LeftOut { column: table.feature, reason });
            }
        }
        InPoints { characteristics, pairs: pairs.into_iter().map(|(_, pair)| pair).collect(), left_out }
    }

    /// Fine bins that no table of the feature tells apart are one: neighbours, or words wherever they stand.
    fn bins(&self, feature: usize) -> Bins {
        let column = &self.columns[feature];
        let key = |fine: usize| {
            let mut key = vec![self.joined.mains[feature][fine]];
            for (pair, sides) in self.pairs.iter().zip(&self.joined.pairs) {
                let side = pair.iter().position(|of| *of == feature);
                key.extend(side.map(|side| sides[side][fine]));
            }
            key
        };
        let (mut of_fine, mut example) = (vec![0; column.bins()], Vec::new());
        let mut place_of: BTreeMap<Vec<usize>, usize> = BTreeMap::new();
        let mut before: Option<Vec<usize>> = None;
        for (fine, bin) in of_fine.iter_mut().enumerate().take(column.missing) {
            let key = key(fine);
            // Numbers come back to a key only as a new bin: a bin is an interval.
            let known = if column.is_ordered() { before.as_ref() == Some(&key) } else { place_of.contains_key(&key) };
            if !known {
                place_of.insert(key.clone(), example.len());
                example.push(fine);
            }
            *bin = place_of[&key];
            before = Some(key);
        }
        of_fine[column.missing] = example.len();
        example.push(column.missing);
        Bins { of_fine, example }
    }

    fn characteristic(
        &self,
        feature: usize,
        data: &Dataset,
        rows: &[usize],
        population: &Population,
        bins: &Bins,
        points_per_unit: f64,
    ) -> Characteristic {
        let column = &self.columns[feature];
        let mut counts = vec![Counts::default(); bins.example.len()];
        for row in rows {
            counts[bins.of_fine[usize::from(column.bin_of_row[*row])]] += Counts::of(data.bad[*row]);
        }
        let bin = |(counts, fine): (&Counts, &usize)| Bin {
            points: round_points(-points_per_unit * self.tables.mains[feature][*fine]),
            count: counts.rows(),
            bads: counts.bads,
            woe: population.woe(*counts),
        };
        let mut table: Vec<Bin> = counts.iter().zip(&bins.example).map(bin).collect();
        let points: f64 = table.iter().map(|bin| bin.count as f64 * bin.points).sum();
        let baseline = round_points(points / rows.len().max(1) as f64);
        // No experience is no merit: see `models/README.md`.
        table.iter_mut().filter(|bin| bin.count == 0).for_each(|bin| bin.points = baseline.min(0.0));
        let missing = table.pop().unwrap_or(Bin { points: 0.0, count: 0, bads: 0, woe: 0.0 });
        Characteristic {
            feature: data.columns[column.column].name.clone(),
            sign: match self.signs[feature] {
                None => ArtifactSign::Free,
                Some(sign) if sign > 0.0 => ArtifactSign::Plus,
                Some(_) => ArtifactSign::Minus,
            },
            iv: counts.iter().map(|counts| population.iv(*counts)).sum(),
            points_per_woe: None,
            baseline,
            shape: shape(column, bins),
            bins: table,
            missing,
        }
    }

    fn pair(&self, place: usize, data: &Dataset, bins: &[Bins], points_per_unit: f64) -> Pair {
        let [a, b] = self.pairs[place];
        let [down, across] = &self.joined.pairs[place];
        let (width, groups) =
            (self.columns[b].bins(), [down, across].map(|groups| groups.iter().max().map_or(0, |g| g + 1)));
        let mut counts = vec![vec![0.0; groups[1]]; groups[0]];
        let mut points = vec![vec![0.0; groups[1]]; groups[0]];
        for (cell, (value, rows)) in self.tables.pairs[place].iter().zip(&self.support.pairs[place]).enumerate() {
            let (row, column) = (down[cell / width], across[cell % width]);
            counts[row][column] += rows;
            points[row][column] = round_points(-points_per_unit * value);
        }
        // A value that was never missing in training gains nothing by being withheld.
        let never = |feature: usize| self.support.mains[feature][self.columns[feature].missing] == 0.0;
        for (i, line) in points.iter_mut().enumerate() {
            for (j, points) in line.iter_mut().enumerate() {
                let unseen = never(a) && i + 1 == groups[0] || never(b) && j + 1 == groups[1];
                if unseen {
                    *points = points.min(0.0);
                }
            }
        }
        let cells = points.iter().flatten().zip(counts.iter().flatten());
        let (sum, rows) = cells.fold((0.0, 0.0), |(sum, all), (points, rows)| (sum + points * rows, all + rows));
        let axis = |feature: usize, group_of: &[usize]| {
            let of_bins: Vec<usize> = bins[feature].example.iter().map(|fine| group_of[*fine]).collect();
            let (missing, groups) = of_bins.split_last().map_or((0, &[][..]), |(last, rest)| (*last, rest));
            let feature = data.columns[self.columns[feature].column].name.clone();
            Axis { feature, groups: groups.to_vec(), missing }
        };
        Pair {
            first: axis(a, down),
            second: axis(b, across),
            baseline: round_points(sum / f64::max(rows, 1.0)),
            counts: counts.iter().map(|line| line.iter().map(|rows| *rows as u64).collect()).collect(),
            points,
        }
    }
}

fn shape(column: &FineColumn, bins: &Bins) -> Shape {
    match &column.shape {
        Shape::Numeric { edges } => {
            let kept = edges.iter().enumerate().filter(|(i, _)| bins.of_fine[*i] != bins.of_fine[i + 1]);
            Shape::Numeric { edges: kept.map(|(_, edge)| *edge).collect() }
        }
        Shape::Text { levels, other } => {
            let mut words = vec![Vec::new(); bins.example.len() - 1];
            for (fine, level) in levels.iter().enumerate() {
                words[bins.of_fine[fine]].extend(level.iter().cloned());
            }
            words.iter_mut().for_each(|words: &mut Vec<String>| words.sort());
            Shape::Text { levels: words, other: bins.of_fine[*other] }
        }
    }
}
