//! From a file of rows to training data: types, target, digest.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use csv::StringRecord;
use sha2::{Digest, Sha256};

use super::DataError;
use super::rows::{Rows, Watch};
use crate::model::dataset::{Column, Dataset, MISSING_CODE, Values, is_missing, parse_number};
use crate::model::spec::{ColumnType, TrainingSpec};

/// Reads training data: each column is numeric when all its filled cells are numbers (or the specification says so), else words.
/// The file is read twice, first for the types, so that only typed values are ever in memory.
///
/// # Errors
/// [`DataError`], also for a target other than 0 and 1.
pub fn load(path: &Path, target: &str, spec: &TrainingSpec, watch: Watch<'_>) -> Result<Dataset, DataError> {
    let mut rows = Rows::open(path, watch)?;
    let target = rows.places(&[target])?[0];
    let mut types: Vec<ColumnType> = vec![ColumnType::Numeric; rows.header().len()];
    let forced: Vec<Option<ColumnType>> =
        rows.header().iter().map(|name| spec.rule(name).and_then(|rule| rule.column_type)).collect();
    let (mut cells, mut bad) = (StringRecord::new(), Vec::new());
    while rows.read(&mut cells)? {
        bad.push(outcome(&rows, &cells, target)?);
        for (place, cell) in cells.iter().enumerate() {
            match forced[place] {
                Some(ColumnType::Text) => types[place] = ColumnType::Text,
                _ if types[place] == ColumnType::Text || is_missing(cell) || parse_number(cell).is_some() => {}
                Some(ColumnType::Numeric) => {
                    return Err(rows.cell_error(place, format!("the specification says numbers, but this is {cell:?}")));
                }
                None => types[place] = ColumnType::Text,
            }
        }
    }
    if bad.is_empty() {
        return Err(DataError::NoRows(path.to_path_buf()));
    }
    let columns = typed_columns(path, &types, target, bad.len(), watch)?;
    Ok(Dataset { columns, bad })
}

/// Whether the row read last is bad.
///
/// # Errors
/// A target that is neither 0 nor 1.
pub fn outcome(rows: &Rows, cells: &StringRecord, target: usize) -> Result<bool, DataError> {
    let cell = cells.get(target).unwrap_or_default();
    match parse_number(cell) {
        Some(0.0) => Ok(false),
        Some(1.0) => Ok(true),
        _ if is_missing(cell) => Err(rows.cell_error(
            target,
            "the target is missing; it must be 1 (bad) or 0 (good): leave out rows whose outcome is not known"
                .to_owned(),
        )),
        _ => Err(rows.cell_error(target, format!("the target is {cell:?}; it must be 1 (bad) or 0 (good)"))),
    }
}

fn typed_columns(
    path: &Path,
    types: &[ColumnType],
    target: usize,
    count: usize,
    watch: Watch<'_>,
) -> Result<Vec<Column>, DataError> {
    let mut rows = Rows::open(path, watch)?;
    let mut columns: Vec<Column> = Vec::with_capacity(types.len());
    for (name, column_type) in rows.header().iter().zip(types) {
        let values = match column_type {
            ColumnType::Numeric => Values::Numeric(Vec::with_capacity(count)),
            ColumnType::Text => Values::Text { levels: Vec::new(), codes: Vec::with_capacity(count) },
        };
        columns.push(Column { name: name.clone(), values });
    }
    let mut code_of: Vec<HashMap<String, u32>> = vec![HashMap::new(); types.len()];
    let mut cells = StringRecord::new();
    while rows.read(&mut cells)? {
        for ((place, cell), column) in cells.iter().enumerate().zip(&mut columns) {
            match &mut column.values {
                Values::Numeric(numbers) if is_missing(cell) => numbers.push(f64::NAN),
                Values::Numeric(numbers) => numbers.push(parse_number(cell).unwrap_or(f64::NAN)),
                Values::Text { codes, .. } if is_missing(cell) => codes.push(MISSING_CODE),
                Values::Text { levels, codes } => codes.push(code(&mut code_of[place], levels, cell.trim())),
            }
        }
    }
    columns.remove(target);
    let whole = |column: &Column| match &column.values {
        Values::Numeric(numbers) => numbers.len() == count,
        Values::Text { codes, .. } => codes.len() == count,
    };
    if columns.iter().all(whole) {
        Ok(columns)
    } else {
        let message = "it changed while it was read".to_owned();
        Err(DataError::Damaged { path: path.to_path_buf(), message })
    }
}

fn code(code_of: &mut HashMap<String, u32>, levels: &mut Vec<String>, word: &str) -> u32 {
    if let Some(code) = code_of.get(word) {
        return *code;
    }
    let code = levels.len() as u32;
    levels.push(word.to_owned());
    code_of.insert(word.to_owned(), code);
    code
}

/// SHA-256 of a file's bytes, hex.
///
/// # Errors
/// [`DataError::Read`].
pub fn sha256(path: &Path) -> Result<String, DataError> {
    let read = |source| DataError::Read { path: path.to_path_buf(), source };
    let mut file = File::open(path).map_err(read)?;
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 16]);
    loop {
        match file.read(&mut buffer).map_err(read)? {
            0 => return Ok(hex::encode(hash.finalize())),
            n => hash.update(&buffer[..n]),
        }
    }
}
