//! Training and measuring on Parquet: the file's types say which columns are numbers, unless the specification does.

use std::collections::HashMap;
use std::path::Path;

use arrow_array::{Array, ArrayRef};

use super::Batches;
use crate::data::DataError;
use crate::data::columns::cells::{each_word, is_numeric, numbers};
use crate::data::columns::look_up;
use crate::data::labelled::{Labelled, Measured, no_probability, probability};
use crate::data::load::{code, no_outcome, outcome_of};
use crate::data::text::{Watch, check_header, places};
use crate::model::columnar::Lookups;
use crate::model::dataset::{Column, Dataset, MISSING_CODE, Values, is_missing, parse_number};
use crate::model::spec::{ColumnType, TrainingSpec};

/// An open file with its header checked.
struct Opened<'a> {
    path: &'a Path,
    header: Vec<String>,
    batches: Batches,
    /// Rows of the batches before.
    rows: usize,
}

impl Opened<'_> {
    fn open<'a>(path: &'a Path, watch: Watch<'_>) -> Result<Opened<'a>, DataError> {
        let batches = Batches::open(path, watch)?;
        let header = batches.header();
        check_header(&header, path)?;
        Ok(Opened { path, header, batches, rows: 0 })
    }

    /// An error about a cell of the batch read last. The header would be row 1.
    fn cell_error(&self, row: usize, place: usize, message: String) -> DataError {
        let column = self.header[place].clone();
        DataError::Cell { path: self.path.to_path_buf(), row: (self.rows + row + 2) as u64, column, message }
    }

    fn unreadable(&self, place: usize, array: &ArrayRef) -> impl Fn(String) -> DataError + use<> {
        let (path, column, found) =
            (self.path.to_path_buf(), self.header[place].clone(), array.data_type().to_string());
        move |_| DataError::Type { path: path.clone(), column: column.clone(), found: found.clone() }
    }

    /// What `read` makes of each cell of a column, which it gets as a word.
    fn each_cell<T>(
        &self,
        place: usize,
        array: &ArrayRef,
        read: impl Fn(&str) -> Result<T, String>,
    ) -> Result<Vec<T>, DataError> {
        let (mut found, mut first) = (Vec::with_capacity(array.len()), None);
        each_word(array, &mut |row, word| match read(word.unwrap_or_default()) {
            Ok(cell) => found.push(cell),
            Err(message) => drop(first.get_or_insert((row, message))),
        })
        .map_err(self.unreadable(place, array))?;
        match first {
            Some((row, message)) => Err(self.cell_error(row, place, message)),
            None => Ok(found),
        }
    }

    /// The outcomes of a batch; true is bad.
    fn outcomes(&self, target: usize, array: &ArrayRef) -> Result<Vec<bool>, DataError> {
        self.each_cell(target, array, |cell| match cell {
            "true" => Ok(true),
            "false" => Ok(false),
            cell => outcome_of(cell).ok_or_else(|| no_outcome(cell)),
        })
    }
}

/// Reads training data.
///
/// # Errors
/// [`DataError`].
pub fn load(path: &Path, target: &str, spec: &TrainingSpec, watch: Watch<'_>) -> Result<Dataset, DataError> {
    let mut opened = Opened::open(path, watch)?;
    let target = places(&opened.header, &[target], path)?[0];
    let schema = opened.batches.schema();
    let column_type = |(name, field): (&String, &std::sync::Arc<arrow_schema::Field>)| {
        let of_file = if is_numeric(field.data_type()) { ColumnType::Numeric } else { ColumnType::Text };
        spec.rule(name).and_then(|rule| rule.column_type).unwrap_or(of_file)
    };
    let types: Vec<ColumnType> = opened.header.iter().zip(schema.fields()).map(column_type).collect();
    let mut columns: Vec<Column> = (opened.header.iter().zip(&types))
        .map(|(name, column_type)| {
            let values = match column_type {
                ColumnType::Numeric => Values::Numeric(Vec::new()),
                ColumnType::Text => Values::Text { levels: Vec::new(), codes: Vec::new() },
            };
            Column { name: name.clone(), values }
        })
        .collect();
    let (mut bad, mut code_of) = (Vec::new(), vec![HashMap::new(); columns.len()]);
    while let Some(batch) = opened.batches.next_batch()? {
        bad.extend(opened.outcomes(target, batch.column(target))?);
        for (place, (array, column)) in
            batch.columns().iter().zip(&mut columns).enumerate().filter(|(i, _)| *i != target)
        {
            append(&opened, place, array, &mut column.values, &mut code_of[place])?;
        }
        opened.rows += batch.num_rows();
    }
    columns.remove(target);
    Ok(Dataset { columns, bad })
}

/// Adds a batch's cells to a column.
fn append(
    opened: &Opened<'_>,
    place: usize,
    array: &ArrayRef,
    values: &mut Values,
    code_of: &mut HashMap<String, u32>,
) -> Result<(), DataError> {
    match values {
        Values::Numeric(found) => match numbers(array) {
            Some(numbers) => found.extend(numbers),
            None => found.extend(opened.each_cell(place, array, |cell| match parse_number(cell) {
                _ if is_missing(cell) => Ok(f64::NAN),
                Some(x) => Ok(x),
                None => Err(format!("the specification says numbers, but this is {cell:?}")),
            })?),
        },
        Values::Text { levels, codes } => {
            each_word(array, &mut |_, word| match word.filter(|word| !is_missing(word)) {
                None => codes.push(MISSING_CODE),
                Some(word) => codes.push(code(code_of, levels, word.trim())),
            })
            .map_err(opened.unreadable(place, array))?;
        }
    }
    Ok(())
}

/// Reads outcomes and probabilities.
///
/// # Errors
/// [`DataError`].
pub fn read_labelled(
    path: &Path,
    target: &str,
    measured: Measured<'_>,
    watch: Watch<'_>,
) -> Result<Labelled, DataError> {
    let mut opened = Opened::open(path, watch)?;
    let target = places(&opened.header, &[target], path)?[0];
    let mut labelled = Labelled::default();
    let (features, lookups) = match measured {
        Measured::Model(model) => (places(&opened.header, model.columns(), path)?, Some(Lookups::new(model))),
        Measured::Column(name) => (places(&opened.header, &[name], path)?, None),
    };
    while let Some(batch) = opened.batches.next_batch()? {
        labelled.bad.extend(opened.outcomes(target, batch.column(target))?);
        match &lookups {
            Some(lookups) => {
                let cells = look_up(lookups, &features, &batch, |total, _| labelled.pd.push(lookups.score(total).pd));
                let cells = cells.map_err(opened.unreadable(features[0], batch.column(features[0])))?;
                if let Some(cell) = cells.first() {
                    let message = format!("the model needs a number here, not {:?}", cell.word);
                    return Err(opened.cell_error(cell.row, cell.place, message));
                }
            }
            None => {
                let read = |cell: &str| probability(cell).ok_or_else(|| no_probability(cell));
                labelled.pd.extend(opened.each_cell(features[0], batch.column(features[0]), read)?);
            }
        }
        opened.rows += batch.num_rows();
    }
    Ok(labelled)
}
