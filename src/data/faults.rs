//! Rows that cannot be scored, and the file that they are listed in.

use std::fmt;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::records::push_cell;
use super::sink::{WholeFile, write_error};
use super::{DataError, not_utf8};

/// The columns of the file of bad rows.
pub const HEADER: &str = "row,column,value,message\n";
/// Characters of a value that are listed; the file has the rest.
const VALUE_MAX: usize = 200;

/// A row that cannot be scored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    /// Rows of the block before it.
    pub row: u64,
    /// What is wrong.
    pub fault: Fault,
    /// The cell, or the line where it is the line that is wrong.
    pub value: String,
}

/// What keeps a row from being scored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// A cell whose column the model knows as numbers.
    NotANumber {
        /// The place of the column.
        place: usize,
        /// Further such cells of the row.
        more: usize,
    },
    /// More or fewer cells than the header.
    Cells {
        /// The row's.
        found: usize,
        /// The header's.
        expected: usize,
        /// Whether the row goes over several lines.
        lines: bool,
    },
    /// Bytes that are not UTF-8.
    NotUtf8 {
        /// Whether they could be GBK.
        gbk: bool,
    },
    /// A quotation mark that is not closed as it should be.
    Quote,
}

impl BadRow {
    /// A bad row; the value is shortened.
    pub fn new(row: u64, fault: Fault, value: &str) -> BadRow {
        let end = value.char_indices().nth(VALUE_MAX).map_or(value.len(), |(at, _)| at);
        let more = if end < value.len() { "…" } else { "" };
        BadRow { row, fault, value: format!("{}{more}", &value[..end]) }
    }

    /// The name of its column in `header`; empty where the whole line is wrong.
    pub fn column<'h>(&self, header: &'h [String]) -> &'h str {
        match self.fault {
            Fault::NotANumber { place, .. } => header.get(place).map_or("", String::as_str),
            _ => "",
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NotANumber { more, .. } => {
                f.write_str("the model needs a number here: write one, or empty the cell if the value is not known")?;
                match more {
                    0 => Ok(()),
                    1 => f.write_str(" (one more cell of this row has no number)"),
                    more => write!(f, " ({more} more cells of this row have no number)"),
                }
            }
            Fault::Cells { found, expected, lines: false } => write!(
                f,
                "the row has {found} cells where the header has {expected}: put cells with a comma in quotation marks, or add \
                 the missing cells"
            ),
            Fault::Cells { found, expected, lines: true } => write!(
                f,
                "from an opening quotation mark on, several lines are one row of {found} cells where the header has {expected}: \
                 close the mark, or remove it"
            ),
            Fault::NotUtf8 { gbk } => write!(f, "the row {}", not_utf8(*gbk)),
            Fault::Quote => f.write_str(
                "a quotation mark is not closed before a comma or the end of the line: close it, double it if it is part of the \
                 text, or remove it",
            ),
        }
    }
}

/// The file of bad rows. It is begun with the first of them, so it exists only where there are any.
#[derive(Debug)]
pub struct Faults {
    path: PathBuf,
    file: Option<WholeFile>,
    count: u64,
}

impl Faults {
    /// The file at `path`, not yet begun.
    pub fn new(path: &Path) -> Faults {
        Faults { path: path.to_path_buf(), file: None, count: 0 }
    }

    /// Lists a row.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn add(&mut self, row: u64, column: &str, value: &str, fault: &Fault) -> Result<(), DataError> {
        let mut line = format!("{row},").into_bytes();
        for cell in [column, value, &fault.to_string()] {
            push_cell(&mut line, cell);
            line.push(b',');
        }
        line.pop();
        line.push(b'\n');
        let mut file = match self.file.take() {
            Some(file) => file,
            None => {
                line.splice(0..0, HEADER.bytes());
                WholeFile::create(&self.path)?
            }
        };
        file.write_all(&line).map_err(|e| write_error(&self.path, e))?;
        self.file = Some(file);
        self.count += 1;
        Ok(())
    }

    /// How many were listed.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// Puts the file in its place; where no row was listed, a list that an earlier run left there goes away.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn finish(self) -> Result<(), DataError> {
        match self.file {
            Some(file) => file.finish(),
            None if is_list(&self.path) => std::fs::remove_file(&self.path).map_err(|e| write_error(&self.path, e)),
            None => Ok(()),
        }
    }
}

/// Whether the file at `path` begins as a list of bad rows does: nothing else is ever removed.
fn is_list(path: &Path) -> bool {
    use std::io::Read;
    let mut begin = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(HEADER.len() as u64).read_to_end(&mut begin));
    read.is_ok() && begin == HEADER.as_bytes()
}
