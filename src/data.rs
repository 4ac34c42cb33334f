//! Files of rows: CSV (also gzipped), XLSX, and Parquet in builds with that feature; read a part at a time, and written so
//! that a file is there whole or not at all.
//!
//! A workbook is read as the CSV that it would be, so [`text`] is the one place where text is opened. Training and measuring read
//! it row by row ([`rows`]); scoring cuts it into blocks of whole records ([`blocks`], [`records`]) that any number of threads
//! turn into finished output ([`batch`]). Parquet keeps its types all the way ([`columns`]).

pub mod batch;
pub mod blocks;
#[cfg(feature = "parquet")]
pub mod columns;
pub mod encoding;
pub mod faults;
pub mod gzip;
pub mod labelled;
pub mod load;
pub mod numbers;
pub mod output;
#[cfg(feature = "parquet")]
pub mod parquet;
pub mod records;
pub mod rows;
pub mod scored;
pub mod scoring;
pub mod sheet;
pub mod sink;
pub mod text;
pub mod unpacked;
mod workbook;

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
    #[error("{0}: the name must end in .csv, .csv.gz, .xlsx or .parquet")]
    Ending(PathBuf),
    /// Parquet, in a build without it.
    #[error(
        "{0}: this yuxin was built without Parquet: build it with `cargo build --release --features parquet`, or use .csv, .csv.gz \
         or .xlsx"
    )]
    NoParquet(PathBuf),
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
    #[error("{path}: row {row} has {found} cells where the header has {expected}: {}", wrong_width(*lines))]
    Ragged {
        /// The file.
        path: PathBuf,
        /// The row.
        row: u64,
        /// Its cells.
        found: u64,
        /// The header's cells.
        expected: u64,
        /// Whether the row goes over several lines.
        lines: bool,
    },
    /// Bytes that are not UTF-8.
    #[error("{path}: row {row} {}", not_utf8(*gbk))]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// The row.
        row: u64,
        /// Whether the bytes could be GBK.
        gbk: bool,
    },
    /// One column whose name is all columns.
    #[error("{path} looks as if its columns were separated by {separator}, not by commas: save it with commas")]
    Separator {
        /// The file.
        path: PathBuf,
        /// What separates them.
        separator: &'static str,
    },
    /// A line without an end.
    #[error("{0} has a line of more than {max} MiB: is it a CSV file?", max = records::LINE_MAX >> 20)]
    Line(PathBuf),
    /// A few cells that are no dates in a column of dates.
    #[error(
        "{path}: row {row}, column {column}: {value:?} is no date, but {dates} of the {filled} filled cells of this column are dates: \
         mend the cell (2019-07-31), or empty it if the date is not known; or leave the column out with exclude; if it holds words, say \
         so in the specification: [[feature]] with name = {column:?} and type = \"text\""
    )]
    FewNoDates {
        /// The file.
        path: PathBuf,
        /// The row of the first of them.
        row: u64,
        /// The column.
        column: String,
        /// What is no date.
        value: String,
        /// Filled cells that are dates.
        dates: u64,
        /// Filled cells.
        filled: u64,
    },
    /// A column of the file has the name of one that scoring adds.
    #[error("{path} already has a column {name:?}: rename it or leave it out")]
    Taken {
        /// The file.
        path: PathBuf,
        /// The column.
        name: &'static str,
    },
    /// A few words in a column of numbers.
    #[error(
        "{path}: row {row}, column {column}: {value:?} is a word, but {numbers} of the {filled} filled cells of this column are \
         numbers: mend the cell, or empty it if the value is not known; if the numbers are codes, say so in the specification: \
         [[feature]] with name = {column:?} and type = \"text\" (or type = \"numeric\" to be told of every such cell; or leave the \
         column out with exclude)"
    )]
    FewWords {
        /// The file.
        path: PathBuf,
        /// The row of the first of them.
        row: u64,
        /// The column.
        column: String,
        /// The word.
        value: String,
        /// Filled cells that are numbers.
        numbers: u64,
        /// Filled cells.
        filled: u64,
    },
    /// A type of column that is neither numbers nor words.
    #[error("{path}: column {column} has the type {found}: numbers or words are needed there")]
    Type {
        /// The file.
        path: PathBuf,
        /// The column.
        column: String,
        /// Its type.
        found: String,
    },
    /// A workbook that would fill the memory.
    #[error("{path} unpacks to more than {max} bytes: it is no ordinary workbook")]
    Unpacked {
        /// The file.
        path: PathBuf,
        /// The most that it may unpack to.
        max: u64,
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

/// What to do about a row with more or fewer cells than the header.
fn wrong_width(lines: bool) -> &'static str {
    if lines {
        "from an opening quotation mark on, several lines are one row: close the mark, or remove it"
    } else {
        "put cells with a comma in quotation marks, or add the missing cells"
    }
}

/// What to do about bytes that are not UTF-8.
pub(crate) fn not_utf8(gbk: bool) -> &'static str {
    if gbk {
        "is not UTF-8 but looks like GBK: save the file as UTF-8 (in Excel: \"CSV UTF-8\")"
    } else {
        "is not UTF-8: save the file as UTF-8 (in Excel: \"CSV UTF-8\")"
    }
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
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// The format that a file's name says.
    ///
    /// # Errors
    /// [`DataError::Ending`] for any other name, [`DataError::NoParquet`] in a build without it.
    pub fn of(path: &Path) -> Result<Format, DataError> {
        let name = path.file_name().map(|name| name.to_string_lossy().to_ascii_lowercase()).unwrap_or_default();
        match () {
            () if name.ends_with(".csv") => Ok(Format::Csv),
            () if name.ends_with(".csv.gz") => Ok(Format::CsvGz),
            () if name.ends_with(".xlsx") => Ok(Format::Xlsx),
            () if name.ends_with(".parquet") && cfg!(feature = "parquet") => Ok(Format::Parquet),
            () if name.ends_with(".parquet") => Err(DataError::NoParquet(path.to_path_buf())),
            () => Err(DataError::Ending(path.to_path_buf())),
        }
    }
}
