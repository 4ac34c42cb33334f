//! From typed columns to the text of a CSV, and back.

use std::sync::Arc;

use arrow_array::builder::{Float64Builder, Int64Builder, StringBuilder};
use arrow_array::{ArrayRef, RecordBatch};
use arrow_schema::{DataType, SchemaRef};

use super::cells::each_word;
use crate::data::records::push_cell;

/// The rows of `batch` as records of a CSV; no value is an empty cell.
///
/// # Errors
/// A description, where cells of a type have no form in text.
pub fn text_of_batch(batch: &RecordBatch) -> Result<Vec<u8>, String> {
    // Column by column into one buffer, then row by row out of it.
    let (mut cells, mut columns) = (Vec::new(), Vec::with_capacity(batch.num_columns()));
    for array in batch.columns() {
        let mut ends = Vec::with_capacity(array.len());
        let start = cells.len();
        each_word(array, &mut |_, word| {
            push_cell(&mut cells, word.unwrap_or_default());
            ends.push(cells.len());
        })?;
        columns.push((start, ends));
    }
    let mut text = Vec::with_capacity(cells.len() + batch.num_rows() * batch.num_columns());
    for row in 0..batch.num_rows() {
        for (place, (start, ends)) in columns.iter().enumerate() {
            if place > 0 {
                text.push(b',');
            }
            let from = if row == 0 { *start } else { ends[row - 1] };
            text.extend_from_slice(&cells[from..ends[row]]);
        }
        text.push(b'\n');
    }
    Ok(text)
}

/// A column under way.
enum Builder {
    Words(StringBuilder),
    Numbers(Float64Builder),
    Whole(Int64Builder),
}

/// The records of `text` as columns of `schema`: words, floating-point or whole numbers; an empty cell is no value.
///
/// # Errors
/// A description, where the text does not fit the schema.
pub fn batch_of_text(text: &[u8], schema: &SchemaRef) -> Result<RecordBatch, String> {
    let builder = |field: &Arc<arrow_schema::Field>| match field.data_type() {
        DataType::Float64 => Builder::Numbers(Float64Builder::new()),
        DataType::Int64 => Builder::Whole(Int64Builder::new()),
        _ => Builder::Words(StringBuilder::new()),
    };
    let mut builders: Vec<Builder> = schema.fields().iter().map(builder).collect();
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text);
    let mut cells = csv::StringRecord::new();
    while reader.read_record(&mut cells).map_err(|e| e.to_string())? {
        for (cell, builder) in cells.iter().zip(&mut builders) {
            let cell = Some(cell).filter(|cell| !cell.is_empty());
            match builder {
                Builder::Words(words) => words.append_option(cell),
                Builder::Numbers(numbers) => numbers.append_option(cell.and_then(|cell| cell.parse().ok())),
                Builder::Whole(numbers) => numbers.append_option(cell.and_then(|cell| cell.parse().ok())),
            }
        }
    }
    let columns = builders.into_iter().map(|builder| -> ArrayRef {
        match builder {
            Builder::Words(mut words) => Arc::new(words.finish()),
            Builder::Numbers(mut numbers) => Arc::new(numbers.finish()),
            Builder::Whole(mut numbers) => Arc::new(numbers.finish()),
        }
    });
    RecordBatch::try_new(schema.clone(), columns.collect()).map_err(|e| e.to_string())
}
