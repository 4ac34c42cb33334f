//! The lowest and the highest points that a row can get while some of its features are open.
//!
//! Without pairs, each open feature takes its best and its worst bin by itself. Pairs tie features together; the extremes over all
//! combinations are found by variable elimination (Dechter 1999, "Bucket elimination"): features leave one by one, each replaced
//! by a table of its best choice for every combination of the features tied to it. Where such a table would grow beyond
//! [`CELLS_MAX`], ties are relaxed ("mini-buckets"): the result then still holds every score that the row can get, and may be wider.

use super::lookup::{PairTable, Table};

/// Cells of an intermediate table.
const CELLS_MAX: usize = 1 << 16;

/// Points by the groups of some open features: `points[Σ choice · stride]`, the last feature fastest.
#[derive(Debug, Clone)]
struct Factor {
    features: Vec<usize>,
    points: Vec<f64>,
}

/// Lowest and highest sum of `tables` and `pairs` over all bins of the features whose bin is `None`.
pub(super) fn extremes(tables: &[Table], pairs: &[PairTable], bins: &[Option<usize>]) -> (f64, f64) {
    let lowest = highest(tables, pairs, bins, -1.0);
    (-lowest, highest(tables, pairs, bins, 1.0))
}

/// The highest sum of all points times `sign`.
fn highest(tables: &[Table], pairs: &[PairTable], bins: &[Option<usize>], sign: f64) -> f64 {
    let mut fixed = 0.0;
    // What an open feature can be is one of its bins; bins that no pair tells apart differ in the feature's own points only.
    let mut own: Vec<Vec<f64>> = vec![Vec::new(); tables.len()];
    for (i, table) in tables.iter().enumerate() {
        match bins[i] {
            Some(bin) => fixed += sign * table.points[bin],
            None => own[i] = table.points.iter().map(|points| sign * points).collect(),
        }
    }
    let mut open_pairs = Vec::new();
    for pair in pairs {
        let [first, second] = pair.columns;
        match (bins[first], bins[second]) {
            (Some(a), Some(b)) => fixed += sign * pair.cell(pair.groups[0][a], pair.groups[1][b]),
            (None, Some(b)) => {
                let column = pair.groups[1][b];
                own[first]
                    .iter_mut()
                    .zip(&pair.groups[0])
                    .for_each(|(sum, row)| *sum += sign * pair.cell(*row, column));
            }
            (Some(a), None) => {
                let row = pair.groups[0][a];
                own[second]
                    .iter_mut()
                    .zip(&pair.groups[1])
                    .for_each(|(sum, column)| *sum += sign * pair.cell(row, *column));
            }
            (None, None) => open_pairs.push(pair),
        }
    }
    let classes: Vec<Classes> = (0..tables.len()).map(|i| Classes::of(i, &own[i], &open_pairs)).collect();
    let mut factors: Vec<Factor> = Vec::new();
    for (i, of) in classes.iter().enumerate() {
        match of.best.len() {
            0 => {}
            1 => fixed += of.best[0],
            _ => factors.push(Factor { features: vec![i], points: of.best.clone() }),
        }
    }
    factors.extend(open_pairs.iter().map(|pair| pair_factor(pair, &classes, sign)));
    fixed + eliminate(factors, &classes)
}

/// The bins of an open feature, told apart as far as open pairs do.
struct Classes {
    /// For each class, one of its bins.
    example: Vec<usize>,
    /// For each class, the highest own points among its bins.
    best: Vec<f64>,
}

impl Classes {
    fn of(feature: usize, own: &[f64], open_pairs: &[&PairTable]) -> Classes {
        let mut seen: Vec<(Vec<usize>, usize, f64)> = Vec::new();
        for (bin, points) in own.iter().enumerate() {
            let sides = open_pairs.iter().flat_map(|pair| (0..2).map(move |side| (pair, side)));
            let group = |(pair, side): (&&PairTable, usize)| pair.groups[side][bin];
            let key: Vec<usize> = sides.filter(|(pair, side)| pair.columns[*side] == feature).map(group).collect();
            match seen.iter_mut().find(|class| class.0 == key) {
                Some(class) => class.2 = class.2.max(*points),
                None => seen.push((key, bin, *points)),
            }
        }
        Classes {
            example: seen.iter().map(|class| class.1).collect(),
            best: seen.iter().map(|class| class.2).collect(),
        }
    }
}

fn pair_factor(pair: &PairTable, classes: &[Classes], sign: f64) -> Factor {
    let [first, second] = pair.columns;
    let mut points = Vec::with_capacity(classes[first].best.len() * classes[second].best.len());
    for a in &classes[first].example {
        for b in &classes[second].example {
            points.push(sign * pair.cell(pair.groups[0][*a], pair.groups[1][*b]));
        }
    }
    Factor { features: vec![first, second], points }
}

/// The highest sum of `factors`.
fn eliminate(mut factors: Vec<Factor>, classes: &[Classes]) -> f64 {
    let mut sum = 0.0;
    let cells = |features: &[usize]| features.iter().map(|f| classes[*f].best.len()).product::<usize>();
    loop {
        let mut left: Vec<usize> = factors.iter().flat_map(|factor| factor.features.iter().copied()).collect();
        left.sort_unstable();
        left.dedup();
        // The feature whose replacement is the smallest table goes first.
        let Some(feature) = left.into_iter().min_by_key(|f| (cells(&neighbours(&factors, *f)), *f)) else { return sum };
        let (with, without): (Vec<Factor>, Vec<Factor>) =
            factors.into_iter().partition(|factor| factor.features.contains(&feature));
        factors = without;
        for bucket in buckets(with, feature, &cells) {
            let replaced = maximised(&bucket, feature, classes);
            if replaced.features.is_empty() { sum += replaced.points[0] } else { factors.push(replaced) }
        }
    }
}

/// The features that share a factor with `feature`.
fn neighbours(factors: &[Factor], feature: usize) -> Vec<usize> {
    let with = factors.iter().filter(|factor| factor.features.contains(&feature));
    let mut found: Vec<usize> = with.flat_map(|f| f.features.iter().copied()).filter(|f| *f != feature).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// The factors of one feature, in as few groups as keep every replacement small. More than one group lets the feature choose
/// differently for each: never lower than the truth.
fn buckets(with: Vec<Factor>, feature: usize, cells: &dyn Fn(&[usize]) -> usize) -> Vec<Vec<Factor>> {
    let mut buckets: Vec<Vec<Factor>> = Vec::new();
    for factor in with {
        let fits = buckets.iter_mut().find(|bucket| {
            let mut all = (*bucket).clone();
            all.push(factor.clone());
            cells(&neighbours(&all, feature)) <= CELLS_MAX
        });
        match fits {
            Some(bucket) => bucket.push(factor),
            None => buckets.push(vec![factor]),
        }
    }
    buckets
}

/// The sum of `bucket`, at the best choice of `feature` for each combination of the others.
fn maximised(bucket: &[Factor], feature: usize, classes: &[Classes]) -> Factor {
    let features = neighbours(bucket, feature);
    let sizes: Vec<usize> = features.iter().map(|f| classes[*f].best.len()).collect();
    let mut choice = vec![0; features.len()];
    let mut points = Vec::with_capacity(sizes.iter().product());
    loop {
        let at = |of: usize, own: usize| features.iter().position(|f| *f == of).map_or(own, |place| choice[place]);
        let sum_at = |own: usize| {
            let place =
                |factor: &Factor| factor.features.iter().fold(0, |p, f| p * classes[*f].best.len() + at(*f, own));
            bucket.iter().map(|factor| factor.points[place(factor)]).sum::<f64>()
        };
        points.push((0..classes[feature].best.len()).map(sum_at).fold(f64::NEG_INFINITY, f64::max));
        // Count up, the last feature fastest.
        let Some(turn) = (0..features.len()).rev().find(|i| choice[*i] + 1 < sizes[*i]) else { break };
        choice[turn] += 1;
        choice[turn + 1..].fill(0);
    }
    Factor { features, points }
}
