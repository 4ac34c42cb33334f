//! What several features tell together: pairs of nearly the same column, and columns that the others give away.

use ndarray::Array2;

/// Variance inflation is not told apart beyond this.
pub const INFLATION_MAX: f64 = 1000.0;

/// Pearson correlation of columns of equal length; `None` where one does not vary.
pub fn correlations(columns: &[Vec<f64>]) -> Vec<Vec<Option<f64>>> {
    let rows = columns.first().map_or(0, Vec::len);
    let mut centred = Array2::zeros((columns.len(), rows));
    for (column, mut row) in columns.iter().zip(centred.rows_mut()) {
        let mean = column.iter().sum::<f64>() / rows.max(1) as f64;
        row.iter_mut().zip(column).for_each(|(to, x)| *to = x - mean);
    }
    let products = centred.dot(&centred.t());
    let norms: Vec<f64> = products.diag().iter().map(|square| square.sqrt()).collect();
    let mut matrix = vec![vec![None; columns.len()]; columns.len()];
    for i in (0..columns.len()).filter(|i| norms[*i] > 1e-12) {
        for j in (0..=i).filter(|j| norms[*j] > 1e-12) {
            let correlation = (products[[i, j]] / (norms[i] * norms[j])).clamp(-1.0, 1.0);
            (matrix[i][j], matrix[j][i]) = (Some(correlation), Some(correlation));
        }
    }
    matrix
}

/// Variance inflation of each column beside the others, the diagonal of the inverse of the correlation matrix (Marquardt 1970);
/// `None` where a column does not vary.
pub fn variance_inflation(matrix: &[Vec<Option<f64>>]) -> Vec<Option<f64>> {
    let varying: Vec<usize> = (0..matrix.len()).filter(|i| matrix[*i][*i].is_some()).collect();
    let n = varying.len();
    let entry = |i: usize, j: usize| matrix[varying[i]][varying[j]].unwrap_or(0.0);
    // A little on the diagonal keeps copies of a column from making the matrix singular.
    let ridge = 1e-9;
    let mut left: Vec<Vec<f64>> =
        (0..n).map(|i| (0..n).map(|j| entry(i, j) + if i == j { ridge } else { 0.0 }).collect()).collect();
    let mut inverse: Vec<Vec<f64>> = (0..n).map(|i| (0..n).map(|j| if i == j { 1.0 } else { 0.0 }).collect()).collect();
    for pivot in 0..n {
        // Correlations with a ridge are positive definite: no pivot is 0, but for rounding, which then shows in the result.
        let scale = 1.0 / left[pivot][pivot];
        left[pivot].iter_mut().chain(&mut inverse[pivot]).for_each(|x| *x *= scale);
        let (left_pivot, inverse_pivot) = (left[pivot].clone(), inverse[pivot].clone());
        for row in (0..n).filter(|row| *row != pivot) {
            let factor = left[row][pivot];
            left[row].iter_mut().zip(&left_pivot).for_each(|(x, p)| *x -= factor * p);
            inverse[row].iter_mut().zip(&inverse_pivot).for_each(|(x, p)| *x -= factor * p);
        }
    }
    let mut found = vec![None; matrix.len()];
    varying.iter().enumerate().for_each(|(i, place)| found[*place] = Some(inflation(inverse[i][i])));
    found
}

/// A matrix that rounding made singular is as collinear as can be.
fn inflation(diagonal: f64) -> f64 {
    if (1.0 - 1e-6..INFLATION_MAX).contains(&diagonal) { diagonal.max(1.0) } else { INFLATION_MAX }
}

/// Why a column is pruned.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pruned {
    /// It is correlated with a column that tells more.
    Correlated {
        /// That column.
        with: usize,
        /// Their correlation.
        correlation: f64,
    },
    /// The others together give it away.
    Inflated {
        /// Its variance inflation.
        inflation: f64,
    },
}

/// Which columns to leave out, by `worth` (what each tells alone): first those correlated beyond `correlation_max` with one of more
/// worth, then, while any variance is inflated beyond `inflation_max`, the most inflated one.
pub fn prune(columns: &[Vec<f64>], worth: &[f64], correlation_max: f64, inflation_max: f64) -> Vec<Option<Pruned>> {
    let matrix = correlations(columns);
    let mut pruned = vec![None; columns.len()];
    let mut order: Vec<usize> = (0..columns.len()).collect();
    order.sort_by(|a, b| worth[*b].total_cmp(&worth[*a]).then(a.cmp(b)));
    let mut kept: Vec<usize> = Vec::new();
    for i in order {
        let twin = kept.iter().find(|j| matrix[i][**j].is_some_and(|r| r.abs() > correlation_max));
        match twin {
            Some(j) => pruned[i] = Some(Pruned::Correlated { with: *j, correlation: matrix[i][*j].unwrap_or(1.0) }),
            None => kept.push(i),
        }
    }
    kept.sort_unstable();
    while kept.len() > 1 {
        let part: Vec<Vec<Option<f64>>> = kept.iter().map(|i| kept.iter().map(|j| matrix[*i][*j]).collect()).collect();
        let inflation = variance_inflation(&part);
        let most = inflation.iter().enumerate().filter_map(|(place, vif)| Some((place, (*vif)?)));
        match most.max_by(|a, b| a.1.total_cmp(&b.1)) {
            Some((place, inflation)) if inflation > inflation_max => {
                pruned[kept.remove(place)] = Some(Pruned::Inflated { inflation });
            }
            _ => break,
        }
    }
    pruned
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(step: usize, period: usize) -> Vec<f64> {
        (0..400).map(|i| (i * step % period) as f64).collect()
    }

    #[test]
    fn of_two_copies_the_one_that_tells_less_is_left_out_and_named_with_its_twin() {
        let columns = [column(7, 101), column(7, 101), column(13, 97)];
        let found = prune(&columns, &[0.1, 0.4, 0.2], 0.95, 10.0);
        assert!(matches!(found[0], Some(Pruned::Correlated { with: 1, correlation }) if correlation > 0.999));
        assert_eq!([found[1], found[2]], [None, None]);
    }

    #[test]
    fn a_sum_of_two_others_is_inflated_and_one_of_the_three_goes() {
        let (a, b) = (column(7, 101), column(13, 97));
        let sum: Vec<f64> = a.iter().zip(&b).map(|(x, y)| x + y).collect();
        let found = prune(&[a, b, sum], &[0.3, 0.2, 0.1], 0.95, 10.0);
        assert_eq!(found.iter().flatten().count(), 1);
        assert!(found.iter().flatten().all(|why| matches!(why, Pruned::Inflated { inflation } if *inflation > 100.0)));
    }

    #[test]
    fn inflation_of_two_columns_follows_from_their_correlation_and_a_constant_has_none() {
        let mixed: Vec<f64> = column(7, 101).iter().zip(column(13, 97)).map(|(x, y)| 2.0 * x + y).collect();
        let matrix = correlations(&[column(7, 101), mixed, vec![3.0; 400]]);
        let r = matrix[0][1].unwrap();
        let found = variance_inflation(&matrix);
        assert!((found[0].unwrap() - 1.0 / (1.0 - r * r)).abs() < 0.05);
        assert_eq!(found[2], None);
        assert!(prune(&[], &[], 0.9, 5.0).is_empty());
    }
}
