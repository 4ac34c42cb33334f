//! Columns cut finely once, for all the fits that follow.
//!
//! A scorecard is fitted to all rows and to those of each fold, and its penalty to further parts. Sorting every column for each of
//! these was a good part of the time. The fine bins are quantiles: they do not look at the outcome, so sharing them tells no fold
//! anything of the rows that it leaves out.

use std::borrow::Cow;

use crate::model::bins::{FineBin, fine_bins};
use crate::model::dataset::{Dataset, MISSING_CODE, Values};

/// A column with the fine bin of each row.
#[derive(Debug, Clone)]
pub struct FineColumn<'a> {
    /// Its index in the data.
    pub column: usize,
    /// For each row of the data its fine bin, or its word; [`MISSING_CODE`] where there is none.
    pub codes: Cow<'a, [u32]>,
    /// What the codes stand for.
    pub cut: FineCut<'a>,
}

/// What the codes of a column stand for.
#[derive(Debug, Clone)]
pub enum FineCut<'a> {
    /// Bins of numbers, ascending.
    Numbers(Vec<FineBin>),
    /// Words, as they are in the data.
    Words(&'a [String]),
}

impl<'a> FineColumn<'a> {
    /// Cuts a column of the data by its values in `rows`; only these get codes.
    pub fn cut(data: &'a Dataset, column: usize, rows: &[usize], bins_max: usize) -> FineColumn<'a> {
        match &data.columns[column].values {
            Values::Text { levels, codes } => {
                FineColumn { column, codes: Cow::Borrowed(codes), cut: FineCut::Words(levels) }
            }
            Values::Numeric(numbers) => {
                let (codes, bins) = cut_numbers(numbers, &data.bad, rows, bins_max);
                FineColumn { column, codes: Cow::Owned(codes), cut: FineCut::Numbers(bins) }
            }
        }
    }
}

fn cut_numbers(numbers: &[f64], bad: &[bool], rows: &[usize], bins_max: usize) -> (Vec<u32>, Vec<FineBin>) {
    let finite = rows.iter().map(|row| numbers[*row]).filter(|x| x.is_finite());
    let (least, most) = finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
    let mut codes = vec![MISSING_CODE; numbers.len()];
    if least > most {
        return (codes, Vec::new());
    }
    let filled = rows.iter().filter(|row| !numbers[**row].is_nan());
    // Infinities count as the outermost finite values: edges are finite, and so are their bins.
    let mut filled: Vec<(f64, usize)> = filled.map(|row| (numbers[*row].clamp(least, most) + 0.0, *row)).collect();
    filled.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
    let bins = fine_bins(&filled.iter().map(|(x, row)| (*x, bad[*row])).collect::<Vec<_>>(), bins_max);
    let mut bin = 0;
    for (x, row) in filled {
        while x > bins[bin].last {
            bin += 1;
        }
        codes[row] = bin as u32;
    }
    (codes, bins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::dataset::Column;

    #[test]
    fn every_row_has_the_code_of_the_bin_that_holds_its_value_and_infinities_that_of_the_outermost() {
        let numbers = vec![5.0, f64::NAN, 1.0, f64::INFINITY, 3.0, f64::NEG_INFINITY, 5.0, 2.0];
        let columns = vec![Column { name: "x".into(), values: Values::Numeric(numbers.clone()) }];
        let data = Dataset { columns, bad: vec![false; numbers.len()] };
        // The last row is none of those cut by.
        let fine = FineColumn::cut(&data, 0, &[0, 1, 2, 3, 4, 5, 6], 3);
        let FineCut::Numbers(bins) = &fine.cut else { panic!("{fine:?}") };
        assert_eq!([fine.codes[1], fine.codes[7]], [MISSING_CODE; 2]);
        for row in [0, 2, 4, 6] {
            let bin = &bins[fine.codes[row] as usize];
            assert!(bin.first <= numbers[row] && numbers[row] <= bin.last, "{row}: {bin:?}");
        }
        assert_eq!(fine.codes[3], bins.len() as u32 - 1);
        assert_eq!(fine.codes[5], 0);
    }

    #[test]
    fn a_column_without_a_finite_number_is_all_missing() {
        let columns = vec![Column { name: "x".into(), values: Values::Numeric(vec![f64::NAN, f64::INFINITY]) }];
        let data = Dataset { columns, bad: vec![false, true] };
        let fine = FineColumn::cut(&data, 0, &[0, 1], 10);
        assert_eq!(*fine.codes, [MISSING_CODE; 2]);
    }
}
