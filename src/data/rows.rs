//! Reading a file of rows, one row at a time.

use std::io::Read;
use std::path::{Path, PathBuf};

use csv::StringRecord;

use super::records::could_be_gbk;
use super::text::{self, Watch, check_header, read_error};
use super::{DataError, Format};

/// An open file of rows: any format but Parquet.
pub struct Rows {
    path: PathBuf,
    header: Vec<String>,
    row: u64,
    reader: csv::Reader<Box<dyn Read + Send>>,
    bytes: csv::ByteRecord,
}

impl Rows {
    /// Opens `path` and reads its header.
    ///
    /// # Errors
    /// [`DataError`], also for an empty file and for a column that is there twice.
    pub fn open(path: &Path, watch: Watch<'_>) -> Result<Rows, DataError> {
        let text = text::open(path, watch)?;
        let mut reader = csv::ReaderBuilder::new().has_headers(false).buffer_capacity(1 << 16).from_reader(text);
        let mut bytes = csv::ByteRecord::new();
        if !reader.read_byte_record(&mut bytes).map_err(|e| csv_error(e, path, 1))? {
            return Err(DataError::Empty(path.to_path_buf()));
        }
        let header = StringRecord::from_byte_record(bytes.clone()).map_err(|_| not_utf8(&bytes, path, 1))?;
        let header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
        check_header(&header, path)?;
        Ok(Rows { path: path.to_path_buf(), header, row: 1, reader, bytes })
    }

    /// The names of the columns, without the spaces around them.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The number of the row read last; the header is row 1. Blank lines do not count.
    pub fn row(&self) -> u64 {
        self.row
    }

    /// The places of `names` in the header, in their order.
    ///
    /// # Errors
    /// [`DataError::NoColumn`] names all that are not there.
    pub fn places<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<usize>, DataError> {
        text::places(&self.header, names, &self.path)
    }

    /// Reads the next row into `cells`; false at the end.
    ///
    /// # Errors
    /// A row with another number of cells than the header, or one that cannot be read.
    pub fn read(&mut self, cells: &mut StringRecord) -> Result<bool, DataError> {
        let mut bytes = std::mem::take(&mut self.bytes);
        let more =
            self.reader.read_byte_record(&mut bytes).map_err(|e| match csv_error(e, &self.path, self.row + 1) {
                DataError::Ragged { path, row, found, expected, .. } => {
                    let lines = bytes.as_slice().contains(&b'\n');
                    DataError::Ragged { path, row, found, expected, lines }
                }
                other => other,
            })?;
        if more {
            self.row += 1;
            // The buffers change places, so that none is allocated.
            let spare = std::mem::take(cells).into_byte_record();
            *cells = StringRecord::from_byte_record(bytes)
                .map_err(|e| not_utf8(&e.into_byte_record(), &self.path, self.row))?;
            self.bytes = spare;
        }
        Ok(more)
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// An error about a cell of the row read last.
    pub fn cell_error(&self, place: usize, message: String) -> DataError {
        let column = self.header.get(place).cloned().unwrap_or_default();
        DataError::Cell { path: self.path.clone(), row: self.row, column, message }
    }
}

fn not_utf8(cells: &csv::ByteRecord, path: &Path, row: u64) -> DataError {
    DataError::NotUtf8 { path: path.to_path_buf(), row, gbk: could_be_gbk(cells.as_slice()) }
}

fn csv_error(error: csv::Error, path: &Path, row: u64) -> DataError {
    let path = path.to_path_buf();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => read_error(source, &path),
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            DataError::Ragged { path, row, found: len, expected: expected_len, lines: false }
        }
        other => DataError::Damaged { path, message: format!("{other:?}") },
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("path", &self.path).field("row", &self.row).finish_non_exhaustive()
    }
}

/// Whether a file is Parquet, which is read by columns.
///
/// # Errors
/// As [`Format::of`].
pub fn is_parquet(path: &Path) -> Result<bool, DataError> {
    Ok(Format::of(path)? == Format::Parquet)
}
