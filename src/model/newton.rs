//! Newton's method for a penalised logistic regression: a start from which linfa's solver has next to nothing left to do.
//!
//! L-BFGS takes dozens of passes over the rows where a few steps with the exact curvature suffice, as long as the columns are
//! few: a step costs `rows · columns²`. Training a scorecard fits some twenty regressions, and nearly all of its time was that.

use ndarray::{Array1, Array2, Axis};

/// Steps at most; from a start of zeros about six are taken.
const STEPS_MAX: usize = 25;
/// How often a step that makes the loss larger is halved.
const HALVINGS_MAX: usize = 12;
/// Rows of the sample that the first steps are taken on, about, and how near they go: its optimum is not the one that is wanted.
const SAMPLE_ROWS: usize = 2500;
const SAMPLE_GRADIENT: f64 = 1e-3;
/// Columns of which the curvature of all rows is worth its cost.
const COLUMNS_MAX: usize = 64;
/// On the diagonal of the curvature even where there is no penalty, for columns that tell the same.
const RIDGE: f64 = 1e-9;

/// What is fitted: the loss is `Σ log(1 + exp(−y · (intercept + x·w)))`, `y` being 1 or −1, plus `l2 / 2 · Σ w²`.
pub(super) struct Problem<'a> {
    /// Rows by columns.
    pub records: Array2<f64>,
    /// 1 for rows of the positive class, else 0.
    pub positive: &'a Array1<f64>,
    /// The penalty.
    pub l2: f64,
}

/// Some of a problem's rows.
struct Sample {
    records: Array2<f64>,
    positive: Array1<f64>,
    l2: f64,
}

impl Sample {
    fn solve(self, start: Vec<f64>) -> Vec<f64> {
        let gradient_max = SAMPLE_GRADIENT * self.positive.len() as f64;
        Problem { records: self.records, positive: &self.positive, l2: self.l2 }.steps(start, gradient_max)
    }
}

/// Where the parameters stand; the intercept is the last.
struct Place {
    parameters: Vec<f64>,
    /// Probability of the positive class, a row each.
    probability: Array1<f64>,
    loss: f64,
}

impl Problem<'_> {
    /// Steps from `start` (the intercept last) until the gradient's norm is at most `gradient_max`, or no step helps any more.
    ///
    /// From `anywhere`, the first steps are taken on a sample of many rows: they only find the neighbourhood, and a sample finds it
    /// as well. With many columns nothing more is done: the curvature of all rows would cost more than the passes that it saves.
    pub fn solve(&self, start: Vec<f64>, gradient_max: f64, anywhere: bool) -> Vec<f64> {
        let every = self.positive.len() / SAMPLE_ROWS;
        if every < 2 {
            return self.steps(start, gradient_max);
        }
        let many = self.records.ncols() > COLUMNS_MAX;
        let near = if anywhere { self.sampled(every).solve(start) } else { start };
        if many { near } else { self.steps(near, gradient_max) }
    }

    fn sampled(&self, every: usize) -> Sample {
        let chosen: Vec<usize> = (0..self.positive.len()).step_by(every).collect();
        Sample {
            records: self.records.select(Axis(0), &chosen),
            positive: self.positive.select(Axis(0), &chosen),
            l2: self.l2 / every as f64,
        }
    }

    fn steps(&self, start: Vec<f64>, gradient_max: f64) -> Vec<f64> {
        let mut place = self.place(start);
        for _ in 0..STEPS_MAX {
            let gradient = self.gradient(&place);
            if gradient.iter().map(|slope| slope * slope).sum::<f64>().sqrt() <= gradient_max {
                break;
            }
            match self.step(&place, gradient) {
                Some(next) => place = next,
                None => break,
            }
        }
        place.parameters
    }

    fn place(&self, parameters: Vec<f64>) -> Place {
        let (intercept, weights) = parts(&parameters);
        let mut probability = self.records.dot(&Array1::from_iter(weights.iter().copied()));
        let mut loss = 0.5 * self.l2 * weights.iter().map(|w| w * w).sum::<f64>();
        for (logit, positive) in probability.iter_mut().zip(self.positive) {
            let z = *logit + intercept;
            // log(1 + exp(z)) − y·z, without overflow.
            let away = (-z.abs()).exp();
            loss += z.max(0.0) + away.ln_1p() - positive * z;
            *logit = if z >= 0.0 { 1.0 / (1.0 + away) } else { away / (1.0 + away) };
        }
        Place { parameters, probability, loss }
    }

    fn gradient(&self, place: &Place) -> Vec<f64> {
        let residuals = &place.probability - self.positive;
        let (_, weights) = parts(&place.parameters);
        let slopes = self.records.t().dot(&residuals);
        slopes.iter().zip(weights).map(|(slope, w)| slope + self.l2 * w).chain([residuals.sum()]).collect()
    }

    /// A better place along Newton's direction, if there is one.
    fn step(&self, place: &Place, gradient: Vec<f64>) -> Option<Place> {
        let direction = solved(self.curvature(place), gradient)?;
        let mut share = 1.0;
        for _ in 0..HALVINGS_MAX {
            let along = |(from, by): (&f64, &f64)| from - share * by;
            let next = self.place(place.parameters.iter().zip(&direction).map(along).collect());
            if next.loss < place.loss {
                return Some(next);
            }
            share /= 2.0;
        }
        None
    }

    /// The lower triangle of the second derivatives, row by row.
    fn curvature(&self, place: &Place) -> Vec<Vec<f64>> {
        let of_row = place.probability.mapv(|p| p * (1.0 - p));
        let all = of_row.sum();
        let weighted = &self.records * &of_row.insert_axis(Axis(1));
        let inner = weighted.t().dot(&self.records);
        let border = weighted.sum_axis(Axis(0));
        let row = |(i, row): (usize, ndarray::ArrayView1<'_, f64>)| {
            let mut row: Vec<f64> = row.iter().take(i + 1).copied().collect();
            row[i] += self.l2 + RIDGE;
            row
        };
        let mut rows: Vec<Vec<f64>> = inner.rows().into_iter().enumerate().map(row).collect();
        rows.push(border.iter().copied().chain([all + RIDGE]).collect());
        rows
    }
}

/// The intercept, and the weights before it.
fn parts(parameters: &[f64]) -> (f64, &[f64]) {
    parameters.split_last().map_or((0.0, parameters), |(intercept, weights)| (*intercept, weights))
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(x, y)| x * y).sum()
}

/// `x` of `matrix · x = right`, by Cholesky's decomposition of the lower triangle; `None` where the matrix is not positive definite.
fn solved(mut lower: Vec<Vec<f64>>, mut right: Vec<f64>) -> Option<Vec<f64>> {
    let n = right.len();
    for j in 0..n {
        let (above, below) = lower.split_at_mut(j + 1);
        let row_j = &mut above[j];
        let pivot = row_j[j] - dot(&row_j[..j], &row_j[..j]);
        // Also refuses NaN.
        if !(pivot > 0.0 && pivot.is_finite()) {
            return None;
        }
        row_j[j] = pivot.sqrt();
        for row in below {
            row[j] = (row[j] - dot(&row[..j], &row_j[..j])) / row_j[j];
        }
    }
    for i in 0..n {
        right[i] = (right[i] - dot(&lower[i][..i], &right[..i])) / lower[i][i];
    }
    for i in (0..n).rev() {
        let later: f64 = (i + 1..n).map(|k| lower[k][i] * right[k]).sum();
        right[i] = (right[i] - later) / lower[i][i];
    }
    Some(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_solved_and_one_that_is_not_definite_refused() {
        let lower = vec![vec![4.0], vec![2.0, 5.0], vec![0.0, 1.0, 3.0]];
        let found = solved(lower, vec![8.0, 15.0, 11.0]).unwrap();
        for (found, expected) in found.iter().zip([1.0, 2.0, 3.0]) {
            assert!((found - expected).abs() < 1e-12, "{found}");
        }
        assert_eq!(solved(vec![vec![1.0], vec![2.0, 1.0]], vec![1.0, 1.0]), None);
        assert_eq!(solved(vec![vec![f64::NAN]], vec![1.0]), None);
    }

    #[test]
    fn the_gradient_vanishes_where_it_stops_also_beside_a_copy_of_a_column_and_a_separation() {
        let positive = Array1::from_iter((0..400).map(|i| f64::from(u8::from(i >= 200))));
        for slope in [0.0, 1.0] {
            let x = |row: usize| (row % 17) as f64 - 8.0;
            let records = Array2::from_shape_fn((400, 2), |(row, column)| x(row) + slope * (column * row) as f64);
            let problem = Problem { records, positive: &positive, l2: 1e-3 };
            let place = problem.place(problem.solve(vec![0.0; 3], 1e-6, true));
            let gradient = problem.gradient(&place);
            assert!(gradient.iter().all(|slope| slope.abs() < 1e-5), "{gradient:?}");
        }
    }
}
