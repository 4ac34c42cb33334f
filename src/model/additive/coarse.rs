//! Neighbouring bins that hardly differ become one: fewer lines to read, and the same order of firms.

use super::axes::FineColumn;
use super::tables::{Support, Tables};

/// Log-odds: how far values may move by joining, root mean square over the training rows.
const MOVED_MAIN: f64 = 0.005;
const MOVED_PAIR: f64 = 0.002;
/// Groups on one side of a pair, at most.
const GROUPS_MAX: usize = 16;

/// Which fine bins have become one. Values of fine bins in one group are equal.
#[derive(Debug, Clone)]
pub struct Joined {
    /// For each feature, the group of each fine bin; the last group is that of missing values alone.
    pub mains: Vec<Vec<usize>>,
    /// For each pair and side, the group of each fine bin; likewise.
    pub pairs: Vec<[Vec<usize>; 2]>,
}

/// Joins the bins of all tables.
pub fn join_bins(tables: &mut Tables, columns: &[FineColumn], pairs: &[[usize; 2]], support: &Support) -> Joined {
    let mut mains = Vec::new();
    for ((values, weights), column) in tables.mains.iter_mut().zip(&support.mains).zip(columns) {
        let lines = Lines { values, weights, width: 1, ordered: column.is_ordered() };
        let group_of = lines.join(MOVED_MAIN, usize::MAX);
        average(values, weights, |cell| group_of[cell]);
        mains.push(group_of);
    }
    let mut joined = Vec::new();
    for (place, (values, [a, b])) in tables.pairs.iter_mut().zip(pairs).enumerate() {
        let weights = &support.weights_of_pair(place, [*a, *b]);
        let (height, width) = (columns[*a].bins(), columns[*b].bins());
        let lines = Lines { values, weights, width, ordered: columns[*a].is_ordered() };
        let rows = lines.join(MOVED_PAIR, GROUPS_MAX);
        average(values, weights, |cell| rows[cell / width] * width + cell % width);
        let turned =
            |cells: &[f64]| (0..cells.len()).map(|i| cells[i % height * width + i / height]).collect::<Vec<f64>>();
        let (values_turned, weights_turned) = (turned(values), turned(weights));
        let ordered = columns[*b].is_ordered();
        let lines = Lines { values: &values_turned, weights: &weights_turned, width: height, ordered };
        let across = lines.join(MOVED_PAIR, GROUPS_MAX);
        average(values, weights, |cell| rows[cell / width] * width + across[cell % width]);
        joined.push([rows, across]);
    }
    Joined { mains, pairs: joined }
}

/// Gives all cells of a group their weighted mean; 0 where the group has no rows.
fn average(values: &mut [f64], weights: &[f64], group: impl Fn(usize) -> usize) {
    let groups = (0..values.len()).map(&group).max().map_or(0, |most| most + 1);
    let mut sums = vec![[0.0; 2]; groups];
    for (cell, (value, weight)) in values.iter().zip(weights).enumerate() {
        let sum = &mut sums[group(cell)];
        sum[0] += value * weight;
        sum[1] += weight;
    }
    let mean = |[sum, weight]: [f64; 2]| if weight > 0.0 { sum / weight } else { 0.0 };
    values.iter_mut().enumerate().for_each(|(cell, value)| *value = mean(sums[group(cell)]));
}

/// A table as lines of cells; the last line is that of missing values.
struct Lines<'a> {
    values: &'a [f64],
    weights: &'a [f64],
    width: usize,
    ordered: bool,
}

/// Lines that have become one: their mean and weight, cell by cell.
struct Group {
    lines: Vec<usize>,
    values: Vec<f64>,
    weights: Vec<f64>,
}

impl Lines<'_> {
    /// The group of each line: neighbours are joined, those that differ least first, while values move by at most `moved` (root
    /// mean square), or there are more than `groups_max`.
    fn join(&self, moved: f64, groups_max: usize) -> Vec<usize> {
        let count = self.values.len() / self.width;
        let rows: f64 = self.weights.iter().sum();
        let missing = count - 1;
        // Lines without rows have no value to compare: words that training never saw stay apart.
        let (mut inner, apart): (Vec<usize>, Vec<usize>) =
            (0..missing).partition(|line| self.ordered || self.weight(*line).iter().sum::<f64>() > 0.0);
        if !self.ordered {
            self.line_up(&mut inner);
        }
        let group = |line: usize| Group {
            lines: vec![line],
            values: self.value(line).to_vec(),
            weights: self.weight(line).to_vec(),
        };
        let mut groups: Vec<Group> = inner.into_iter().map(group).collect();
        let mut spent = 0.0;
        while groups.len() > 1 {
            let costs = groups.windows(2).map(|pair| distance(&pair[0], &pair[1])).enumerate();
            let Some((place, cost)) = costs.min_by(|a, b| a.1.total_cmp(&b.1)) else { break };
            if groups.len() < groups_max && spent + cost > moved * moved * rows {
                break;
            }
            spent += cost;
            let other = groups.remove(place + 1);
            groups[place].take(other);
        }
        let mut group_of = vec![0; count];
        let lines = groups.into_iter().map(|group| group.lines);
        let all = lines.chain(apart.into_iter().map(|line| vec![line])).chain([vec![missing]]);
        for (group, lines) in all.enumerate() {
            lines.into_iter().for_each(|line| group_of[line] = group);
        }
        group_of
    }

    fn value(&self, line: usize) -> &[f64] {
        &self.values[line * self.width..(line + 1) * self.width]
    }

    fn weight(&self, line: usize) -> &[f64] {
        &self.weights[line * self.width..(line + 1) * self.width]
    }

    /// Words have no order: they stand by how much they are like the line that tells most.
    fn line_up(&self, lines: &mut [usize]) {
        let told = |line: usize| self.value(line).iter().zip(self.weight(line)).map(|(v, w)| v * v * w).sum::<f64>();
        let Some(most) = lines.iter().copied().max_by(|a, b| told(*a).total_cmp(&told(*b))) else { return };
        let likeness = |line: usize| self.value(line).iter().zip(self.value(most)).map(|(a, b)| a * b).sum::<f64>();
        lines.sort_by(|a, b| likeness(*a).total_cmp(&likeness(*b)).then(a.cmp(b)));
    }
}

/// What joining adds to the sum of squares.
fn distance(a: &Group, b: &Group) -> f64 {
    let cells = a.values.iter().zip(&a.weights).zip(b.values.iter().zip(&b.weights));
    let of = |((x, v), (y, w)): ((&f64, &f64), (&f64, &f64))| {
        if v + w > 0.0 { v * w / (v + w) * (x - y) * (x - y) } else { 0.0 }
    };
    cells.map(of).sum()
}

impl Group {
    fn take(&mut self, other: Group) {
        self.lines.extend(other.lines);
        let cells = self.values.iter_mut().zip(&mut self.weights).zip(other.values.iter().zip(&other.weights));
        for ((value, weight), (other, more)) in cells {
            if *weight + more > 0.0 {
                *value = (*value * *weight + other * more) / (*weight + more);
            }
            *weight += more;
        }
    }
}
