//! Typed columns: what a model takes from them, and the columns that scoring adds.

pub mod cells;
pub mod texts;

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, Field, Schema, SchemaRef};

use super::faults::{BadRow, Fault};
use super::scored::ADDED;
use super::scoring::Outcome;
use crate::model::columnar::{ColumnValues, Lookups, REASONS_MAX, Reasons, Total};
use crate::model::dataset::is_missing;
use crate::model::reason_code;
use cells::{each_word, numbers};
pub use texts::{batch_of_text, text_of_batch};

/// The columns of the output: those of the input with their types, or words where it has none; then the added ones.
pub fn scored_schema(header: &[String], schema: Option<SchemaRef>) -> SchemaRef {
    let words = |name: &String| Arc::new(Field::new(name, DataType::Utf8, true));
    let mut fields: Vec<Arc<Field>> = match &schema {
        Some(schema) => schema.fields().iter().cloned().collect(),
        None => header.iter().map(words).collect(),
    };
    fields.extend(ADDED.iter().enumerate().map(|(i, name)| {
        let added = [DataType::Float64, DataType::Int64];
        Arc::new(Field::new(*name, added.get(i).cloned().unwrap_or(DataType::Utf8), true))
    }));
    let metadata = schema.map(|schema| schema.metadata().clone()).unwrap_or_default();
    Arc::new(Schema::new_with_metadata(fields, metadata))
}

/// How batches of one file are scored.
#[derive(Debug)]
pub struct Plan<'l> {
    lookups: &'l Lookups<'l>,
    /// The places of the model's features.
    places: Vec<usize>,
    /// The columns of the output.
    schema: SchemaRef,
    /// The reason code of each feature.
    codes: Vec<String>,
}

/// A column as the tables take it.
enum Held {
    Numbers(Vec<f64>),
    Bins(Vec<u32>),
}

/// A cell that should be a number and is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadCell {
    /// Its row in the batch.
    pub row: usize,
    /// The place of its column.
    pub place: usize,
    /// What is there.
    pub word: String,
}

impl<'l> Plan<'l> {
    /// For files where the model's features are at `places`; `schema` is that of the output.
    pub fn new(lookups: &'l Lookups<'l>, places: &[usize], schema: SchemaRef) -> Plan<'l> {
        let codes = lookups.model().columns().iter().map(|feature| reason_code(feature)).collect();
        Plan { lookups, places: places.to_vec(), schema, codes }
    }

    /// The rows of `batch` with the added columns.
    ///
    /// # Errors
    /// A description, where a column cannot be read.
    pub fn score(&self, batch: &RecordBatch) -> Result<(RecordBatch, Outcome), String> {
        let mut added = Added::with_capacity(batch.num_rows());
        let mut totals: Vec<(Total, Reasons)> = Vec::with_capacity(batch.num_rows());
        let bad = look_up(self.lookups, &self.places, batch, |total, reasons| totals.push((total, reasons)))?;
        let mut outcome = Outcome { rows: batch.num_rows() as u64, bad: Vec::new() };
        let mut bad = bad.into_iter().peekable();
        for (row, (total, reasons)) in totals.into_iter().enumerate() {
            let Some(first) = bad.next_if(|cell| cell.row == row) else {
                added.push(self.lookups, total, reasons, &self.codes);
                continue;
            };
            let mut more = 0;
            while bad.next_if(|cell| cell.row == row).is_some() {
                more += 1;
            }
            outcome.bad.push(BadRow::new(row as u64, Fault::NotANumber { place: first.place, more }, &first.word));
            added.push_nothing();
        }
        let columns = batch.columns().iter().cloned().chain(added.finish()).collect();
        let scored = RecordBatch::try_new(self.schema.clone(), columns).map_err(|e| e.to_string())?;
        Ok((scored, outcome))
    }
}

/// Looks the rows of `batch` up; `each` gets every row's total and reasons. What is left are cells that should be numbers and are
/// not, by row and place; the results of their rows mean nothing.
///
/// # Errors
/// A description, where a column cannot be read.
pub fn look_up(
    lookups: &Lookups<'_>,
    places: &[usize],
    batch: &RecordBatch,
    each: impl FnMut(Total, Reasons),
) -> Result<Vec<BadCell>, String> {
    let mut bad = Vec::new();
    let held: Vec<Held> = (places.iter().enumerate())
        .map(|(column, place)| held(lookups, column, *place, batch.column(*place), &mut bad))
        .collect::<Result<_, _>>()?;
    let values: Vec<ColumnValues<'_>> = held
        .iter()
        .map(|held| match held {
            Held::Numbers(numbers) => ColumnValues::Numbers(numbers),
            Held::Bins(bins) => ColumnValues::Bins(bins),
        })
        .collect();
    lookups.score_columns(&values, batch.num_rows(), each);
    bad.sort_by_key(|cell| (cell.row, cell.place));
    Ok(bad)
}

fn held(
    lookups: &Lookups<'_>,
    column: usize,
    place: usize,
    array: &ArrayRef,
    bad: &mut Vec<BadCell>,
) -> Result<Held, String> {
    let numeric = lookups.is_numeric(column);
    if numeric && let Some(numbers) = numbers(array) {
        return Ok(Held::Numbers(numbers));
    }
    let mut bins = Vec::with_capacity(array.len());
    each_word(array, &mut |row, word| {
        bins.push(match word.filter(|word| !is_missing(word)) {
            None => lookups.missing_bin(column),
            Some(word) => {
                let trimmed = word.trim();
                if numeric && trimmed.parse::<f64>().is_err() {
                    bad.push(BadCell { row, place, word: word.to_owned() });
                }
                lookups.bin_of_word(column, trimmed)
            }
        });
    })?;
    Ok(Held::Bins(bins))
}

/// The added columns under way.
struct Added {
    pd: Float64Builder,
    score: Int64Builder,
    grade: StringBuilder,
    reasons: [StringBuilder; REASONS_MAX],
}

impl Added {
    fn with_capacity(rows: usize) -> Added {
        Added {
            pd: Float64Builder::with_capacity(rows),
            score: Int64Builder::with_capacity(rows),
            grade: StringBuilder::with_capacity(rows, rows),
            reasons: std::array::from_fn(|_| StringBuilder::with_capacity(rows, rows * 8)),
        }
    }

    fn push(&mut self, lookups: &Lookups<'_>, total: Total, reasons: Reasons, codes: &[String]) {
        let score = lookups.score(total);
        self.pd.append_value(score.pd);
        self.score.append_value(score.score);
        self.grade.append_value(score.grade);
        let mut columns = reasons.columns();
        for reason in &mut self.reasons {
            reason.append_option(columns.next().map(|column| codes[column].as_str()));
        }
    }

    fn push_nothing(&mut self) {
        self.pd.append_null();
        self.score.append_null();
        self.grade.append_null();
        self.reasons.iter_mut().for_each(StringBuilder::append_null);
    }

    fn finish(mut self) -> Vec<ArrayRef> {
        let mut columns: Vec<ArrayRef> =
            vec![Arc::new(self.pd.finish()), Arc::new(self.score.finish()), Arc::new(self.grade.finish())];
        columns.extend(self.reasons.iter_mut().map(|reason| Arc::new(reason.finish()) as ArrayRef));
        columns
    }
}
