//! How the features go together: correlations of their points, variance inflation.

use serde::Serialize;

use super::placed::Placed;
use super::rounded;
use super::tables::CharacteristicTable;
use crate::model::artifact::Artifact;
use crate::model::collinear;

/// Features of the matrix, at most.
const MATRIX_MAX: usize = 60;
/// Pairs of features in the list of the strongest.
const STRONGEST: usize = 20;

/// How the points of the features go together over the training rows. Each feature counts with the points of its own table.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Dependence {
    /// The features of the matrix: the sixty most important ones, most important first.
    pub features: Vec<String>,
    /// Pearson correlations of their points; `None` where points do not vary.
    pub matrix: Vec<Vec<Option<f64>>>,
    /// The strongest correlations, by size.
    pub strongest: Vec<Correlation>,
    /// Variance inflation, in the order of the artifact's tables.
    #[serde(skip)]
    pub vif: Vec<Option<f64>>,
}

/// Two features and how far their points go together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Correlation {
    /// One feature.
    pub first: String,
    /// The other.
    pub second: String,
    /// Pearson correlation of their points.
    pub correlation: f64,
}

/// Correlations and variance inflation of the points of `rows`.
pub fn of_points(artifact: &Artifact, placed: &[Placed], rows: &[usize]) -> Dependence {
    let names: Vec<String> = artifact.characteristics.iter().map(|of| of.feature.clone()).collect();
    let matrix = correlations(placed, rows);
    let mut strongest = Vec::new();
    for i in 0..names.len() {
        for j in i + 1..names.len() {
            if let Some(correlation) = matrix[i][j] {
                strongest.push(Correlation { first: names[i].clone(), second: names[j].clone(), correlation });
            }
        }
    }
    strongest.sort_by(|a, b| b.correlation.abs().total_cmp(&a.correlation.abs()));
    strongest.truncate(STRONGEST);
    Dependence { vif: variance_inflation(&matrix), features: names, matrix, strongest }
}

impl Dependence {
    /// Orders the matrix as `tables` are, and cuts it.
    pub fn keep_most_important(&mut self, tables: &[CharacteristicTable]) {
        let place = |table: &CharacteristicTable| self.features.iter().position(|name| *name == table.feature);
        let kept: Vec<usize> = tables.iter().filter_map(place).take(MATRIX_MAX).collect();
        self.matrix = kept.iter().map(|i| kept.iter().map(|j| self.matrix[*i][*j]).collect()).collect();
        self.features = kept.iter().map(|i| self.features[*i].clone()).collect();
    }
}

fn correlations(placed: &[Placed], rows: &[usize]) -> Vec<Vec<Option<f64>>> {
    let n = rows.len() as f64;
    let points = |of: &Placed, row: usize| of.bins.get(row).map_or(0.0, |bin| of.points[*bin as usize]);
    let mean = |of: &Placed| rows.iter().map(|row| points(of, *row)).sum::<f64>() / n;
    let means: Vec<f64> = placed.iter().map(mean).collect();
    let features = placed.len();
    let mut products = vec![0.0; features * features];
    let mut row_points = vec![0.0; features];
    for row in rows {
        for (i, of) in placed.iter().enumerate() {
            row_points[i] = points(of, *row) - means[i];
        }
        for i in 0..features {
            let (own, others) = (row_points[i], &row_points[i..]);
            let sums = &mut products[i * features + i..(i + 1) * features];
            sums.iter_mut().zip(others).for_each(|(sum, other)| *sum += own * other);
        }
    }
    let cell = |i: usize, j: usize| {
        let (i, j) = (i.min(j), i.max(j));
        let variance = products[i * features + i] * products[j * features + j];
        let flat = products[i * features + i] <= 1e-9 * n || products[j * features + j] <= 1e-9 * n;
        (!flat).then(|| rounded((products[i * features + j] / variance.sqrt()).clamp(-1.0, 1.0)))
    };
    (0..features).map(|i| (0..features).map(|j| cell(i, j)).collect()).collect()
}

fn variance_inflation(matrix: &[Vec<Option<f64>>]) -> Vec<Option<f64>> {
    collinear::variance_inflation(matrix).into_iter().map(|vif| vif.map(rounded)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn placed(points: &[f64], bins: impl Iterator<Item = u32>) -> Placed {
        Placed { bins: bins.collect(), points: points.to_vec() }
    }

    #[test]
    fn correlations_and_inflation_are_those_of_the_textbook() {
        // Two columns with r = 0.6 by hand: (1, -1) patterns, 8 of 10 alike.
        let a = placed(&[-1.0, 1.0], (0..1000).map(|i| i % 2));
        let b = placed(&[-3.0, 3.0], (0..1000).map(|i| if i / 2 % 5 == 0 { 1 - i % 2 } else { i % 2 }));
        let flat = placed(&[2.0], (0..1000).map(|_| 0));
        let rows: Vec<usize> = (0..1000).collect();
        let matrix = correlations(&[a, b, flat], &rows);
        assert!((matrix[0][1].unwrap() - 0.6).abs() < 1e-6 && matrix[0][1] == matrix[1][0]);
        assert_eq!((matrix[0][0], matrix[2][2], matrix[0][2]), (Some(1.0), None, None));
        let vif = variance_inflation(&matrix);
        assert!((vif[0].unwrap() - 1.0 / (1.0 - 0.36)).abs() < 1e-5, "{vif:?}");
        assert_eq!(vif[2], None);
    }

    #[test]
    fn a_copy_of_a_feature_is_as_inflated_as_can_be_and_leaves_the_others_alone() {
        let column = |period: u32| placed(&[0.0, 1.0, 5.0], (0..900).map(move |i| i / period % 3));
        let rows: Vec<usize> = (0..900).collect();
        let vif = variance_inflation(&correlations(&[column(1), column(1), column(3)], &rows));
        assert_eq!((vif[0], vif[1]), (Some(1000.0), Some(1000.0)));
        assert!((vif[2].unwrap() - 1.0).abs() < 1e-3, "{vif:?}");
        assert!(variance_inflation(&[]).is_empty());
    }

    #[test]
    fn no_rows_have_no_correlations() {
        let matrix = correlations(&[placed(&[0.0, 1.0], [].into_iter())], &[]);
        assert_eq!(matrix, [[None]]);
    }
}
