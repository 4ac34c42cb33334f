//! From a file of rows to training data: types, target, digest.

use std::collections::HashMap;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use csv::StringRecord;
use sha2::{Digest, Sha256};

use super::DataError;
use super::rows::{Rows, is_parquet};
use super::text::Watch;
use crate::model::dataset::{Column, Dataset, MISSING_CODE, Values, is_missing, parse_number};
use crate::model::period::date_of_word;
use crate::model::spec::{ColumnType, TrainingSpec};

/// A column with fewer filled cells is too small to be told by its cells.
const FILLED_MIN: u64 = 20;
/// Of the filled cells, in a hundred: from here on a column is one of numbers, or of dates, and what else is in it a mistake to be
/// mended.
const OF_KIND_MIN: u64 = 95;

/// Reads training data. A column is numeric when all its filled cells are numbers (or the specification says so), else words; a
/// column of numbers with a few words is refused, because nobody would notice that it has become a column of words, and so is one of
/// dates with a few cells that are none: the rows would not be split by time any more. A Parquet
/// file says itself which columns are numbers. Text is read twice, first for the types, so that only typed values are ever in
/// memory.
///
/// # Errors
/// [`DataError`], also for a target other than 0 and 1.
pub fn load(path: &Path, target: &str, spec: &TrainingSpec, watch: Watch<'_>) -> Result<Dataset, DataError> {
    let data = match is_parquet(path)? {
        #[cfg(feature = "parquet")]
        true => super::parquet::load(path, target, spec, watch)?,
        _ => load_text(path, target, spec, watch)?,
    };
    if data.bad.is_empty() {
        return Err(DataError::NoRows(path.to_path_buf()));
    }
    check_dates(path, &data, spec)?;
    Ok(data)
}

/// Refuses columns of dates with a few cells that are none, unless the specification decides about the column.
fn check_dates(path: &Path, data: &Dataset, spec: &TrainingSpec) -> Result<(), DataError> {
    let decided = |name: &String| {
        spec.exclude.contains(name) || spec.rule(name).is_some_and(|rule| rule.column_type == Some(ColumnType::Text))
    };
    for column in data.columns.iter().filter(|column| !decided(&column.name)) {
        let Some(found) = column.values.division(|word| date_of_word(word).is_some()) else { continue };
        if let Some((row, value)) = found.first_other
            && found.filled >= FILLED_MIN
            && found.of_kind * 100 >= found.filled * OF_KIND_MIN
        {
            return Err(DataError::FewNoDates {
                path: path.to_path_buf(),
                // The header is row 1.
                row: row as u64 + 2,
                column: column.name.clone(),
                value,
                dates: found.of_kind,
                filled: found.filled,
            });
        }
    }
    Ok(())
}

fn load_text(path: &Path, target: &str, spec: &TrainingSpec, watch: Watch<'_>) -> Result<Dataset, DataError> {
    let mut rows = Rows::open(path, watch)?;
    let target = rows.places(&[target])?[0];
    let mut cells_of: Vec<CellsSeen> = rows.header().iter().map(|name| CellsSeen::new(spec, name)).collect();
    let (mut cells, mut bad) = (StringRecord::new(), Vec::new());
    while rows.read(&mut cells)? {
        bad.push(outcome(&rows, &cells, target)?);
        for (place, (cell, seen)) in cells.iter().zip(&mut cells_of).enumerate() {
            if !seen.add(cell, rows.row()) {
                return Err(rows.cell_error(place, format!("the specification says numbers, but this is {cell:?}")));
            }
        }
    }
    let types = rows.header().iter().zip(&cells_of).enumerate().map(|(place, (name, seen))| match seen.column_type() {
        Ok(column_type) => Ok(column_type),
        Err(_) if place == target || spec.exclude.contains(name) => Ok(ColumnType::Text),
        Err((row, value)) => Err(DataError::FewWords {
            path: path.to_path_buf(),
            row,
            column: name.clone(),
            value,
            numbers: seen.numbers,
            filled: seen.filled,
        }),
    });
    let types = types.collect::<Result<Vec<_>, _>>()?;
    let columns = typed_columns(path, &types, target, bad.len(), watch)?;
    Ok(Dataset { columns, bad })
}

/// What a column's cells look like.
#[derive(Debug, Clone)]
struct CellsSeen {
    forced: Option<ColumnType>,
    filled: u64,
    numbers: u64,
    /// The first cell that is a word, and its row.
    word: Option<(u64, String)>,
}

impl CellsSeen {
    fn new(spec: &TrainingSpec, name: &str) -> CellsSeen {
        let forced = spec.rule(name).and_then(|rule| rule.column_type);
        CellsSeen { forced, filled: 0, numbers: 0, word: None }
    }

    /// Looks at a cell; false for a word where there must be numbers.
    fn add(&mut self, cell: &str, row: u64) -> bool {
        if self.forced == Some(ColumnType::Text) || is_missing(cell) {
            return true;
        }
        self.filled += 1;
        if parse_number(cell).is_some() {
            self.numbers += 1;
            return true;
        }
        if self.word.is_none() {
            self.word = Some((row, cell.to_owned()));
        }
        self.forced.is_none()
    }

    /// The type of the column; the first word where it is nearly all numbers.
    fn column_type(&self) -> Result<ColumnType, (u64, String)> {
        match (self.forced, &self.word) {
            (Some(column_type), _) => Ok(column_type),
            (None, None) => Ok(ColumnType::Numeric),
            (None, Some(word)) if self.filled >= FILLED_MIN && self.numbers * 100 >= self.filled * OF_KIND_MIN => {
                Err(word.clone())
            }
            (None, Some(_)) => Ok(ColumnType::Text),
        }
    }
}

/// Whether the row read last is bad.
///
/// # Errors
/// A target that is neither 0 nor 1.
pub fn outcome(rows: &Rows, cells: &StringRecord, target: usize) -> Result<bool, DataError> {
    let cell = cells.get(target).unwrap_or_default();
    outcome_of(cell).ok_or_else(|| rows.cell_error(target, no_outcome(cell)))
}

/// The outcome that a cell holds, if it does.
pub(super) fn outcome_of(cell: &str) -> Option<bool> {
    match parse_number(cell) {
        Some(0.0) => Some(false),
        Some(1.0) => Some(true),
        _ => None,
    }
}

/// What is said of a cell that holds none.
pub(super) fn no_outcome(cell: &str) -> String {
    if is_missing(cell) {
        "the target is missing; it must be 1 (bad) or 0 (good): leave out rows whose outcome is not known".to_owned()
    } else {
        format!("the target is {cell:?}; it must be 1 (bad) or 0 (good)")
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

/// The code of a word; a new one is added to `levels`.
pub(super) fn code(code_of: &mut HashMap<String, u32>, levels: &mut Vec<String>, word: &str) -> u32 {
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
