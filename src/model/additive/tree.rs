//! Trees of two levels, grown greedily on histograms of gradients (as in Chen & Guestrin 2016), each over one feature or over a root
//! feature and one partner a side: sums of them are tables over features and pairs.

use super::axes::BINS_MAX;

/// Room for the bins of a feature, the missing one included.
pub const BINS: usize = BINS_MAX + 2;

/// How trees are grown.
#[derive(Debug, Clone, Copy)]
pub struct Growth {
    /// Share of a tree's step that is taken.
    pub rate: f64,
    /// Added to the curvature of a leaf: draws thin leaves towards 0.
    pub l2: f64,
    /// Added to the curvature of words when they are put in order, and of their leaves.
    pub l2_words: f64,
    /// Fewest rows of a leaf.
    pub rows_min: f64,
}

/// Sums over the rows of a bin.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sums {
    /// Of gradients.
    pub gradient: f64,
    /// Of curvatures.
    pub curvature: f64,
    /// Rows.
    pub rows: f64,
}

impl Sums {
    fn plus(self, other: Sums) -> Sums {
        Sums {
            gradient: self.gradient + other.gradient,
            curvature: self.curvature + other.curvature,
            rows: self.rows + other.rows,
        }
    }

    fn less(self, other: Sums) -> Sums {
        Sums {
            gradient: self.gradient - other.gradient,
            curvature: self.curvature - other.curvature,
            rows: self.rows - other.rows,
        }
    }

    fn worth(self, l2: f64) -> f64 {
        self.gradient * self.gradient / (self.curvature + l2)
    }

    /// The step that a leaf of these rows takes.
    pub fn step(self, growth: &Growth) -> f64 {
        -growth.rate * self.gradient / (self.curvature + growth.l2)
    }
}

/// A cut of a feature's bins in two.
#[derive(Debug, Clone)]
pub struct Split {
    /// The feature, by its place among the fine columns.
    pub feature: usize,
    /// 1 for each bin that goes right.
    pub right: Box<[u8; BINS]>,
    /// By how much it lowers twice the loss.
    pub gain: f64,
    /// Rows left and right.
    pub sides: [Sums; 2],
}

/// The direction of risk (log-odds of the bad outcome) that a feature keeps.
pub type Sign = Option<f64>;

/// The best cut of one node by one feature, if any gains. `bins[..known]` are bins of values, `bins[known]` the missing ones.
pub fn best_split(feature: usize, bins: &[Sums], ordered: bool, sign: Sign, growth: &Growth) -> Option<Split> {
    let known = bins.len() - 1;
    let missing = bins[known];
    let all = bins.iter().fold(Sums::default(), |a, b| a.plus(*b));
    let mut order: Vec<usize> = (0..known).filter(|bin| bins[*bin].rows > 0.0).collect();
    let l2 = if ordered { growth.l2 } else { growth.l2_words };
    if !ordered {
        // With words, missing is a word like the others.
        if missing.rows > 0.0 {
            order.push(known);
        }
        let place = |bin: usize| bins[bin].gradient / (bins[bin].curvature + growth.l2_words);
        order.sort_by(|a, b| place(*a).total_cmp(&place(*b)).then(a.cmp(b)));
    }
    let worth_of_all = all.worth(l2);
    let mut best: Option<(f64, usize, bool)> = None;
    let with_missing = if ordered && missing.rows > 0.0 { &[false, true][..] } else { &[false][..] };
    for missing_left in with_missing {
        let mut left = if *missing_left { missing } else { Sums::default() };
        // The last cut leaves only missing values on the right, where there are any.
        let cuts =
            if ordered && missing.rows > 0.0 && !missing_left { order.len() } else { order.len().saturating_sub(1) };
        for (cut, bin) in order.iter().take(cuts).enumerate() {
            left = left.plus(bins[*bin]);
            let right = all.less(left);
            if left.rows < growth.rows_min || right.rows < growth.rows_min {
                continue;
            }
            let turned = |sign: f64| cut + 1 < order.len() && sign * (right.step(growth) - left.step(growth)) < 0.0;
            if sign.is_some_and(turned) {
                continue;
            }
            let gain = left.worth(l2) + right.worth(l2) - worth_of_all;
            if gain > best.map_or(1e-9, |best| best.0) {
                best = Some((gain, cut, *missing_left));
            }
        }
    }
    let (gain, cut, missing_left) = best?;
    let mut right = Box::new([1_u8; BINS]);
    for bin in &order[..=cut] {
        right[*bin] = 0;
    }
    if ordered {
        // Bins without rows go with their lower neighbours.
        let mut side = 0;
        for bin in 0..known {
            if bins[bin].rows > 0.0 {
                side = right[bin];
            }
            right[bin] = side;
        }
        right[known] = if missing.rows > 0.0 { u8::from(!missing_left) } else { larger_side(all, bins, &right) };
    } else {
        let larger = larger_side(all, bins, &right);
        for bin in (0..=known).filter(|bin| bins[*bin].rows == 0.0) {
            right[bin] = larger;
        }
    }
    let left = (0..=known).filter(|bin| right[*bin] == 0).fold(Sums::default(), |sum, bin| sum.plus(bins[bin]));
    Some(Split { feature, right, gain, sides: [left, all.less(left)] })
}

/// The side with more rows: where values go that the node has never seen.
fn larger_side(all: Sums, bins: &[Sums], right: &[u8; BINS]) -> u8 {
    let on_right = bins.iter().zip(right).filter(|(_, side)| **side == 1).fold(0.0, |rows, (bin, _)| rows + bin.rows);
    u8::from(2.0 * on_right > all.rows)
}

/// A tree: a root, a further cut on either side, four steps.
#[derive(Debug, Clone)]
pub struct Tree {
    /// The first cut.
    pub root: Split,
    /// The second cut of the left and of the right side.
    pub children: [Option<Split>; 2],
    /// Steps: `[2 · side + side of the child]`; both the same where there is no child.
    pub steps: [f64; 4],
}

impl Tree {
    /// Puts cuts together.
    pub fn new(root: Split, children: [Option<Split>; 2], growth: &Growth) -> Tree {
        let mut steps = [0.0; 4];
        for (side, child) in children.iter().enumerate() {
            let sides = child.as_ref().map_or([root.sides[side]; 2], |child| child.sides);
            for (i, sums) in sides.into_iter().enumerate() {
                steps[2 * side + i] = sums.step(growth);
            }
        }
        Tree { root, children, steps }
    }
}
