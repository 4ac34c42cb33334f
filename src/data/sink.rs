//! Writing files that are there whole or not at all: a temporary file beside the target, synced, then renamed over it.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use rust_xlsxwriter::Workbook;

use super::workbook::unpanicked;
use super::{DataError, Format};

/// Excel keeps 15 digits; a longer number is written as text, so that no code loses its last digits.
const DIGITS_OF_EXCEL: usize = 15;

/// Rows of a sheet, its header among them.
const SHEET_ROWS_MAX: u32 = 1_048_576;

/// A file under way. Dropped without [`WholeFile::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct WholeFile {
    file: BufWriter<File>,
    temporary: PathBuf,
    target: PathBuf,
    finished: bool,
}

impl WholeFile {
    /// Starts the temporary file beside `target`.
    ///
    /// # Errors
    /// [`DataError::Write`], for instance where the folder is not there.
    pub fn create(target: &Path) -> Result<WholeFile, DataError> {
        // What a link points to is replaced, not the link; what is no ordinary file, a device for instance, is not touched.
        let resolved = target.canonicalize();
        let target = resolved.as_deref().unwrap_or(target);
        if std::fs::metadata(target).is_ok_and(|found| !found.is_file()) {
            return Err(write_error(target, "there is something that is not an ordinary file"));
        }
        let temporary = temporary(target);
        let file = File::create(&temporary).map_err(|e| write_error(target, e))?;
        Ok(WholeFile { file: BufWriter::new(file), temporary, target: target.to_path_buf(), finished: false })
    }

    /// Puts the whole file in its place.
    ///
    /// # Errors
    /// [`DataError::Write`]; then the target is as it was.
    pub fn finish(mut self) -> Result<(), DataError> {
        let done = self.file.flush().and_then(|()| self.file.get_ref().sync_all());
        done.and_then(|()| std::fs::rename(&self.temporary, &self.target)).map_err(|e| write_error(&self.target, e))?;
        self.finished = true;
        Ok(())
    }
}

/// The temporary file that [`WholeFile::create`] makes for `target`: in its folder, named after it and this process.
pub fn temporary_of(target: &Path) -> PathBuf {
    temporary(target.canonicalize().as_deref().unwrap_or(target))
}

fn temporary(resolved: &Path) -> PathBuf {
    let name = resolved.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    resolved.with_file_name(format!(".{name}.{}.tmp", std::process::id()))
}

impl Write for WholeFile {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.file.write(bytes)
    }
    fn flush(&mut self) -> std::io::Result<()> {
        self.file.flush()
    }
}

impl Drop for WholeFile {
    fn drop(&mut self) {
        if !self.finished {
            // Nothing more can be done about a temporary file that does not go away.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// An error about writing `path`.
pub(super) fn write_error(path: &Path, error: impl std::fmt::Display) -> DataError {
    DataError::Write { path: path.to_path_buf(), message: error.to_string() }
}

/// Writes `bytes` to `path`, whole or not at all.
///
/// # Errors
/// [`DataError::Write`].
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), DataError> {
    let mut file = WholeFile::create(path)?;
    file.write_all(bytes).map_err(|e| write_error(path, e))?;
    file.finish()
}

/// Rows going to a CSV, gzipped CSV or XLSX file, by its name.
pub struct RowSink {
    path: PathBuf,
    target: Target,
}

enum Target {
    Csv(Box<csv::Writer<WholeFile>>),
    CsvGz(Box<csv::Writer<GzEncoder<WholeFile>>>),
    Xlsx { book: Box<Workbook>, row: u32, file: WholeFile },
}

impl RowSink {
    /// Starts the file.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn create(path: &Path) -> Result<RowSink, DataError> {
        let format = Format::of(path)?;
        let file = WholeFile::create(path)?;
        let target = match format {
            Format::Csv => Target::Csv(Box::new(csv::Writer::from_writer(file))),
            Format::CsvGz => {
                Target::CsvGz(Box::new(csv::Writer::from_writer(GzEncoder::new(file, Compression::default()))))
            }
            Format::Xlsx => {
                let mut book = Box::new(Workbook::new());
                // Rows wait beside the target, where there is room for it: the folder for temporary files may lie in memory.
                let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
                book.set_tempdir(folder).map_err(|e| write_error(path, e))?;
                book.add_worksheet_with_constant_memory().map_err(|e| write_error(path, e))?;
                Target::Xlsx { book, row: 0, file }
            }
            Format::Parquet => {
                return Err(write_error(path, "rows of text cannot go to Parquet: use .csv, .csv.gz or .xlsx"));
            }
        };
        Ok(RowSink { path: path.to_path_buf(), target })
    }

    /// Adds a row. In a workbook, cells that are numbers become numbers.
    ///
    /// # Errors
    /// [`DataError::Write`], also past the last row of a sheet.
    pub fn write<'a>(&mut self, cells: impl Iterator<Item = &'a str>) -> Result<(), DataError> {
        let path = &self.path;
        match &mut self.target {
            Target::Csv(csv) => csv.write_record(cells).map_err(|e| write_error(path, e)),
            Target::CsvGz(csv) => csv.write_record(cells).map_err(|e| write_error(path, e)),
            Target::Xlsx { book, row, .. } => {
                if *row >= SHEET_ROWS_MAX {
                    return Err(write_error(path, "a sheet has room for 1,048,576 rows: write to .csv or .csv.gz"));
                }
                unpanicked(|| {
                    let sheet = book.worksheet_from_index(0)?;
                    for (column, cell) in (0_u16..).zip(cells) {
                        match excel_number(cell) {
                            _ if cell.is_empty() => continue,
                            Some(number) if *row > 0 => sheet.write_number(*row, column, number)?,
                            _ => sheet.write_string(*row, column, cell)?,
                        };
                    }
                    Ok(())
                })
                .map_err(|e| write_error(path, e))?;
                *row += 1;
                Ok(())
            }
        }
    }

    /// Puts the whole file in its place.
    ///
    /// # Errors
    /// [`DataError::Write`]; then the target is as it was.
    pub fn finish(self) -> Result<(), DataError> {
        let path = self.path;
        match self.target {
            Target::Csv(csv) => csv.into_inner().map_err(|e| write_error(&path, e))?.finish(),
            Target::CsvGz(csv) => {
                let gz = csv.into_inner().map_err(|e| write_error(&path, e))?;
                gz.finish().map_err(|e| write_error(&path, e))?.finish()
            }
            Target::Xlsx { mut book, mut file, .. } => {
                unpanicked(|| book.save_to_writer(&mut file)).map_err(|e| write_error(&path, e))?;
                file.finish()
            }
        }
    }
}

impl std::fmt::Debug for RowSink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RowSink").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The number that a cell can become in a workbook without losing anything: leading zeros, a plus sign or digits.
fn excel_number(cell: &str) -> Option<f64> {
    let number: f64 = cell.parse().ok()?;
    let digits = cell.bytes().filter(u8::is_ascii_digit).count();
    let fraction = cell.contains('.') && number.abs() < 1e6;
    let as_written = number.to_string() == cell || (fraction && !cell.starts_with('+'));
    (number.is_finite() && as_written && (digits <= DIGITS_OF_EXCEL || fraction)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_not_finished_leaves_the_old_one_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        write_whole(&path, b"old").unwrap();
        let mut file = WholeFile::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        drop(file);
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
        assert!(WholeFile::create(&folder.path().join("nowhere").join("out.csv")).is_err());
    }

    #[test]
    fn codes_stay_text_in_a_workbook_and_numbers_become_numbers() {
        assert_eq!(excel_number("913306047410012389"), None);
        assert_eq!(excel_number("007"), None);
        assert_eq!(excel_number("1e5"), None);
        assert_eq!(excel_number("inf"), None);
        assert_eq!(excel_number("12.50"), Some(12.5));
        assert_eq!(excel_number("-3"), Some(-3.0));
        assert_eq!(excel_number("0.012345678901234567"), Some(0.012345678901234567));
    }
}
