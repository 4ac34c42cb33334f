//! Files of rows: CSV (also gzipped) and XLSX, read row by row, and written so that a file is there whole or not at all.

pub mod load;
pub mod rows;
pub mod sink;

use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file of rows that cannot be used. Rows are counted as a spreadsheet does: the header is row 1.
#[derive(Debug, Error)]
pub enum DataError {
    /// The file cannot be opened or read to its end.
    #[error("{path} cannot be read: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file cannot be written.
    #[error("{path} cannot be written: {message}")]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        message: String,
    },
    /// An ending other than those known.
    #[error("{0}: the name must end in .csv, .csv.gz or .xlsx")]
    Ending(PathBuf),
    /// Not a line.
    #[error("{0} is empty: it needs a header and rows")]
    Empty(PathBuf),
    /// A header alone.
    #[error("{0} has a header and no rows")]
    NoRows(PathBuf),
    /// Two columns of one name.
    #[error("{path} has the column {name:?} twice: rename one of them")]
    Twice {
        /// The file.
        path: PathBuf,
        /// The name.
        name: String,
    },
    /// A row with more or fewer cells than the header.
    #[error("{path}: row {row} has {found} cells where the header has {expected}")]
    Ragged {
        /// The file.
        path: PathBuf,
        /// The row.
        row: u64,
        /// Its cells.
        found: u64,
        /// The header's cells.
        expected: u64,
    },
    /// Bytes that are not UTF-8.
    #[error("{path}: row {row} is not UTF-8: save the file as UTF-8 (in Excel: \"CSV UTF-8\")")]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The row.
        row: u64,
    },
    /// Broken CSV or XLSX.
    #[error("{path} is damaged: {message}")]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What the reader found.
        message: String,
    },
    /// Columns that are needed and not there.
    #[error("{path} does not have the column{} {}; it has: {}", if names.len() > 1 { "s" } else { "" }, listed(names, 20), listed(found, 40))]
    NoColumn {
        /// The file.
        path: PathBuf,
        /// The missing ones.
        names: Vec<String>,
        /// Those that are there.
        found: Vec<String>,
    },
    /// A cell with a value that its column cannot have.
    #[error("{path}: row {row}, column {column}: {message}")]
    Cell {
        /// The file.
        path: PathBuf,
        /// The row.
        row: u64,
        /// The column.
        column: String,
        /// What is wrong, with the value.
        message: String,
    },
}

/// The first `most` names, and how many more there are.
fn listed(names: &[String], most: usize) -> String {
    let mut text = names.iter().take(most).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > most {
        text.push_str(&format!(" and {} more", names.len() - most));
    }
    text
}

/// The formats that are read and written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated, UTF-8.
    Csv,
    /// The same, gzipped.
    CsvGz,
    /// An Excel workbook; its first sheet.
    Xlsx,
}

impl Format {
    /// The format that a file's name says.
    ///
    /// # Errors
    /// [`DataError::Ending`] for any other name.
    pub fn of(path: &Path) -> Result<Format, DataError> {
        let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        match () {
            () if name.ends_with(".csv") => Ok(Format::Csv),
            () if name.ends_with(".csv.gz") => Ok(Format::CsvGz),
            () if name.ends_with(".xlsx") => Ok(Format::Xlsx),
            () => Err(DataError::Ending(path.to_path_buf())),
        }
    }
}
