//! Reading a file of rows, one row at a time.

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use calamine::{Data, Range, Reader as _, Xlsx};
use csv::StringRecord;

use super::{DataError, Format};

/// What stands between the file and its reader, for instance a progress bar that counts bytes.
pub type Watch<'a> = &'a dyn Fn(Box<dyn Read>) -> Box<dyn Read>;

/// Watches nothing.
pub fn unwatched(file: Box<dyn Read>) -> Box<dyn Read> {
    file
}

/// An open file of rows.
pub struct Rows {
    path: PathBuf,
    header: Vec<String>,
    row: u64,
    source: Source,
}

enum Source {
    Csv(Box<csv::Reader<Box<dyn Read>>>),
    Sheet { range: Range<Data>, next: usize, width: usize },
}

impl Rows {
    /// Opens `path` and reads its header.
    ///
    /// # Errors
    /// [`DataError`], also for an empty file and for a column that is there twice.
    pub fn open(path: &Path, watch: Watch<'_>) -> Result<Rows, DataError> {
        let format = Format::of(path)?;
        let read = |source| DataError::Read { path: path.to_path_buf(), source };
        let file = watch(Box::new(File::open(path).map_err(read)?));
        let (header, source) = match format {
            Format::Csv => csv_source(file, path)?,
            Format::CsvGz => csv_source(Box::new(flate2::read::MultiGzDecoder::new(BufReader::new(file))), path)?,
            Format::Xlsx => sheet_source(file, path)?,
        };
        if header.is_empty() {
            return Err(DataError::Empty(path.to_path_buf()));
        }
        let mut names = HashSet::new();
        if let Some(name) = header.iter().find(|name| !name.is_empty() && !names.insert(name.as_str())) {
            return Err(DataError::Twice { path: path.to_path_buf(), name: name.clone() });
        }
        Ok(Rows { path: path.to_path_buf(), header, row: 1, source })
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
        let place = |name: &str| self.header.iter().position(|column| column == name);
        let missing: Vec<String> =
            names.iter().map(|n| n.as_ref()).filter(|n| place(n).is_none()).map(str::to_owned).collect();
        if !missing.is_empty() {
            let (path, found) = (self.path.clone(), self.header.clone());
            return Err(DataError::NoColumn { path, names: missing, found });
        }
        Ok(names.iter().filter_map(|name| place(name.as_ref())).collect())
    }

    /// Reads the next row into `cells`; false at the end.
    ///
    /// # Errors
    /// A row with another number of cells than the header, or one that cannot be read.
    pub fn read(&mut self, cells: &mut StringRecord) -> Result<bool, DataError> {
        match &mut self.source {
            Source::Csv(reader) => {
                let more = reader.read_record(cells).map_err(|e| csv_error(e, &self.path, self.row + 1))?;
                self.row += u64::from(more);
                Ok(more)
            }
            Source::Sheet { range, next, width } => {
                loop {
                    if *next >= range.height() {
                        return Ok(false);
                    }
                    let row = *next;
                    *next += 1;
                    cells.clear();
                    (0..*width).for_each(|column| cells.push_field(&cell_text(range.get((row, column)))));
                    if cells.iter().any(|cell| !cell.is_empty()) {
                        break;
                    }
                }
                self.row += 1;
                Ok(true)
            }
        }
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

fn csv_source(file: Box<dyn Read>, path: &Path) -> Result<(Vec<String>, Source), DataError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(true).from_reader(file);
    let header = reader.headers().map_err(|e| csv_error(e, path, 1))?;
    let header = header.iter().map(|name| name.trim().to_owned()).collect();
    Ok((header, Source::Csv(Box::new(reader))))
}

fn csv_error(error: csv::Error, path: &Path, row: u64) -> DataError {
    let path = path.to_path_buf();
    match error.into_kind() {
        csv::ErrorKind::Io(source) => DataError::Read { path, source },
        csv::ErrorKind::Utf8 { .. } => DataError::NotUtf8 { path, row },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            DataError::Ragged { path, row, found: len, expected: expected_len }
        }
        other => DataError::Damaged { path, message: format!("{other:?}") },
    }
}

fn sheet_source(mut file: Box<dyn Read>, path: &Path) -> Result<(Vec<String>, Source), DataError> {
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|source| DataError::Read { path: path.to_path_buf(), source })?;
    let damaged = |message: String| DataError::Damaged { path: path.to_path_buf(), message };
    let mut book: Xlsx<_> = Xlsx::new(Cursor::new(bytes)).map_err(|e| damaged(e.to_string()))?;
    let range = match book.worksheet_range_at(0) {
        None => return Err(DataError::Empty(path.to_path_buf())),
        Some(range) => range.map_err(|e| damaged(e.to_string()))?,
    };
    let mut header: Vec<String> =
        (0..range.width()).map(|column| cell_text(range.get((0, column))).trim().to_owned()).collect();
    while header.last().is_some_and(String::is_empty) && is_blank(&range, header.len() - 1) {
        header.pop();
    }
    let width = header.len();
    Ok((header, Source::Sheet { range, next: 1, width }))
}

fn is_blank(range: &Range<Data>, column: usize) -> bool {
    (0..range.height()).all(|row| cell_text(range.get((row, column))).is_empty())
}

/// A cell as the text that a CSV of the sheet would have.
fn cell_text(cell: Option<&Data>) -> String {
    match cell {
        None | Some(Data::Empty) => String::new(),
        Some(Data::Int(n)) => n.to_string(),
        Some(Data::Float(x)) => x.to_string(),
        Some(Data::String(text) | Data::DateTimeIso(text) | Data::DurationIso(text)) => text.clone(),
        Some(Data::Bool(yes)) => if *yes { "TRUE" } else { "FALSE" }.to_owned(),
        Some(Data::DateTime(at)) if at.is_datetime() => {
            let (year, month, day, hour, minute, second, _) = at.to_ymd_hms_milli();
            match (hour, minute, second) {
                (0, 0, 0) => format!("{year:04}-{month:02}-{day:02}"),
                _ => format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"),
            }
        }
        Some(Data::DateTime(duration)) => duration.as_f64().to_string(),
        Some(Data::Error(error)) => format!("{error}"),
    }
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("path", &self.path).field("row", &self.row).finish_non_exhaustive()
    }
}
