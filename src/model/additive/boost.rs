//! Boosting of one bag: trees of two levels on the log-odds of the bad outcome, until rows held out get no better.

use std::collections::BTreeMap;

use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::axes::FineColumn;
use super::tree::{BINS, Growth, Sign, Split, Sums, Tree, best_split};

/// What boosting is given.
pub struct Course<'a> {
    /// The features.
    pub columns: &'a [FineColumn],
    /// Outcome of each row of the data.
    pub bad: &'a [bool],
    /// The direction of each feature.
    pub signs: &'a [Sign],
    /// For each feature, the features that it may stand in a pair with.
    pub partners: &'a [Vec<usize>],
    /// How trees are grown.
    pub growth: Growth,
    /// Share of the features that a tree chooses its root from.
    pub feature_share: f64,
    /// Share of the bag's rows that a tree is grown on.
    pub row_share: f64,
    /// Trees, at most.
    pub trees_max: usize,
    /// Trees without a better held-out loss before boosting ends.
    pub patience: usize,
}

/// The trees of one bag.
#[derive(Debug, Clone)]
pub struct Boosted {
    /// Log-odds of the bad outcome before any tree.
    pub start: f64,
    /// Up to the one with the best held-out loss.
    pub trees: Vec<Tree>,
}

/// Rows of a bag, copied together in a random order, so that a window of them is a random part.
struct Rows {
    bins: Vec<Vec<u8>>,
    bad: Vec<bool>,
    score: Vec<f32>,
}

impl Rows {
    fn of(rows: &[usize], course: &Course<'_>, start: f64) -> Rows {
        let bins = course.columns.iter().map(|c| rows.iter().map(|row| c.bin_of_row[*row]).collect()).collect();
        let bad = rows.iter().map(|row| course.bad[*row]).collect();
        Rows { bins, bad, score: vec![start as f32; rows.len()] }
    }

    fn add(&mut self, tree: &Tree) {
        let root = &self.bins[tree.root.feature];
        let steps = tree.steps.map(|step| step as f32);
        // A side without a cut of its own is cut by the root again: its two steps are the same.
        let child = |side: usize| tree.children[side].as_ref().unwrap_or(&tree.root);
        let (left, right) = (child(0), child(1));
        let (left_bins, right_bins) = (&self.bins[left.feature], &self.bins[right.feature]);
        for (i, score) in self.score.iter_mut().enumerate() {
            let side = tree.root.right[usize::from(root[i])];
            let a = left.right[usize::from(left_bins[i])];
            let b = right.right[usize::from(right_bins[i])];
            let leaf = if side == 0 { a } else { 2 + b };
            *score += steps[usize::from(leaf)];
        }
    }

    fn loss(&self) -> f64 {
        let of = |(score, bad): (&f32, &bool)| {
            let towards = if *bad { -score } else { *score };
            f64::from(towards.max(0.0) + (-towards.abs()).exp().ln_1p())
        };
        self.score.iter().zip(&self.bad).map(of).sum::<f64>() / self.bad.len() as f64
    }
}

/// Boosts trees on the rows `inside`, stopped by the rows `outside`. The same arguments give the same trees.
pub fn boost(course: &Course<'_>, inside: &[usize], outside: &[usize], seed: u64) -> Boosted {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let mut inside = inside.to_vec();
    inside.shuffle(&mut random);
    let bads = inside.iter().filter(|row| course.bad[**row]).count() as f64;
    let start = (bads / (inside.len() as f64 - bads)).ln();
    let mut rows = Rows::of(&inside, course, start);
    let mut held_out = Rows::of(outside, course, start);
    let mut grower = Grower::new(course, inside.len());
    let (mut trees, mut best, mut fruitless) = (Vec::new(), (held_out.loss(), 0), 0);
    while trees.len() < course.trees_max && trees.len() < best.1 + course.patience {
        let Some(tree) = grower.grow(&rows, &mut random) else {
            // The features of this turn cannot be cut; those of the next may.
            fruitless += 1;
            if fruitless > course.patience {
                break;
            }
            continue;
        };
        fruitless = 0;
        rows.add(&tree);
        held_out.add(&tree);
        trees.push(tree);
        let loss = held_out.loss();
        if loss < best.0 {
            best = (loss, trees.len());
        }
    }
    trees.truncate(best.1);
    Boosted { start, trees }
}

/// Grows one tree after the other, with memory of its own.
struct Grower<'a> {
    course: &'a Course<'a>,
    gradients: Vec<[f32; 2]>,
    side: Vec<u8>,
    sampled: Vec<usize>,
}

impl<'a> Grower<'a> {
    fn new(course: &'a Course<'a>, rows: usize) -> Grower<'a> {
        let window = ((rows as f64 * course.row_share).ceil() as usize).clamp(1, rows);
        Grower {
            course,
            gradients: vec![[0.0; 2]; window],
            side: vec![0; window],
            sampled: (0..course.columns.len()).collect(),
        }
    }

    fn grow(&mut self, rows: &Rows, random: &mut ChaCha8Rng) -> Option<Tree> {
        let window = self.look(rows, random);
        let course = self.course;
        let features = course.columns.len();
        let wanted = ((features as f64 * course.feature_share).ceil() as usize).clamp(1, features);
        let (chosen, _) = self.sampled.partial_shuffle(random, wanted);
        chosen.sort_unstable();
        let mut root: Option<Split> = None;
        for feature in chosen.iter() {
            let bins = window.root_sums(&rows.bins[*feature], &self.gradients, course.columns[*feature].bins());
            let found = split(course, *feature, &bins);
            if found.as_ref().is_some_and(|found| found.gain > root.as_ref().map_or(0.0, |root| root.gain)) {
                root = found;
            }
        }
        let root = root?;
        for (side, bin) in self.side.iter_mut().zip(window.of(&rows.bins[root.feature])) {
            *side = root.right[usize::from(*bin)];
        }
        let mut children: [Option<Split>; 2] = [None, None];
        for feature in course.partners[root.feature].iter().chain([&root.feature]) {
            let count = course.columns[*feature].bins();
            let sums = window.child_sums(&rows.bins[*feature], &self.side, &self.gradients, count);
            for (child, sums) in children.iter_mut().zip(&sums) {
                let found = split(course, *feature, sums);
                if found.as_ref().is_some_and(|found| found.gain > child.as_ref().map_or(0.0, |child| child.gain)) {
                    *child = found;
                }
            }
        }
        let mut tree = Tree::new(root, children, &course.growth);
        // On one feature that keeps a direction, the steps of both sides together must keep it as well.
        if let Some(sign) = course.signs[tree.root.feature]
            && sign * (tree.steps[2].min(tree.steps[3]) - tree.steps[0].max(tree.steps[1])) < 0.0
        {
            tree = Tree::new(tree.root, [None, None], &course.growth);
        }
        Some(tree)
    }

    /// Chooses the rows of the next tree and takes their gradients.
    fn look(&mut self, rows: &Rows, random: &mut ChaCha8Rng) -> Window {
        let count = rows.bad.len();
        let from = random.gen_range(0..count);
        let to = from + self.gradients.len();
        let window = Window { parts: [from..to.min(count), 0..to.saturating_sub(count)] };
        let scored = window.of(&rows.score).zip(window.of(&rows.bad));
        for (gradient, (score, bad)) in self.gradients.iter_mut().zip(scored) {
            let p = 1.0 / (1.0 + (-score).exp());
            *gradient = [p - f32::from(u8::from(*bad)), p * (1.0 - p)];
        }
        window
    }
}

/// A run of rows that goes on at the beginning where it meets the end: every row is as likely in it as every other.
struct Window {
    parts: [std::ops::Range<usize>; 2],
}

impl Window {
    fn of<'v, T>(&self, values: &'v [T]) -> impl Iterator<Item = &'v T> {
        let [first, second] = &self.parts;
        values[first.clone()].iter().chain(&values[second.clone()])
    }

    fn root_sums(&self, bins: &[u8], gradients: &[[f32; 2]], count: usize) -> Vec<Sums> {
        let mut sums = [[0.0_f64; 3]; BINS];
        let mut gradients = gradients.iter();
        for part in &self.parts {
            for (bin, [gradient, curvature]) in bins[part.clone()].iter().zip(gradients.by_ref()) {
                let sum = &mut sums[usize::from(*bin)];
                sum[0] += f64::from(*gradient);
                sum[1] += f64::from(*curvature);
                sum[2] += 1.0;
            }
        }
        sums[..count].iter().map(as_sums).collect()
    }

    fn child_sums(&self, bins: &[u8], side: &[u8], gradients: &[[f32; 2]], count: usize) -> [Vec<Sums>; 2] {
        let mut sums = [[0.0_f64; 3]; 2 * BINS];
        let mut sided = side.iter().zip(gradients);
        for part in &self.parts {
            for (bin, (side, [gradient, curvature])) in bins[part.clone()].iter().zip(sided.by_ref()) {
                let sum = &mut sums[usize::from(*side & 1) * BINS + usize::from(*bin)];
                sum[0] += f64::from(*gradient);
                sum[1] += f64::from(*curvature);
                sum[2] += 1.0;
            }
        }
        [&sums[..count], &sums[BINS..BINS + count]].map(|sums| sums.iter().map(as_sums).collect())
    }
}

fn split(course: &Course<'_>, feature: usize, bins: &[Sums]) -> Option<Split> {
    best_split(feature, bins, course.columns[feature].is_ordered(), course.signs[feature], &course.growth)
}

fn as_sums(sum: &[f64; 3]) -> Sums {
    Sums { gradient: sum[0], curvature: sum[1], rows: sum[2] }
}

/// Adds up the gains of cuts below a root on another feature, by pair, smaller feature first.
pub fn pair_gains(trees: &[Tree], gains: &mut BTreeMap<[usize; 2], f64>) {
    for tree in trees {
        for child in tree.children.iter().flatten().filter(|child| child.feature != tree.root.feature) {
            let pair = [child.feature.min(tree.root.feature), child.feature.max(tree.root.feature)];
            *gains.entry(pair).or_default() += child.gain;
        }
    }
}
