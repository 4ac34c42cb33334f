//! Text as all formats but Parquet are read: the bytes of a CSV, whatever the file is.

use std::collections::HashSet;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::Path;

use super::sheet::SheetText;
use super::{DataError, Format};

/// What stands between a file and its reader, for instance a progress bar that counts bytes.
pub type Watch<'a> = &'a dyn Fn(File) -> Counted;

/// A file whose bytes are counted as they are read.
pub struct Counted {
    file: File,
    count: Box<dyn Fn(u64) + Send>,
}

impl Counted {
    /// A file; `count` is told of each number of bytes read.
    pub fn new(file: File, count: impl Fn(u64) + Send + 'static) -> Counted {
        Counted { file, count: Box::new(count) }
    }

    /// The file, and what counts its bytes.
    pub fn into_parts(self) -> (File, Box<dyn Fn(u64) + Send>) {
        (self.file, self.count)
    }
}

/// Watches nothing.
pub fn unwatched(file: File) -> Counted {
    Counted::new(file, |_| ())
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.file.read(buffer)?;
        (self.count)(count as u64);
        Ok(count)
    }
}

impl Seek for Counted {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.file.seek(to)
    }
}

impl std::fmt::Debug for Counted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Counted").field("file", &self.file).finish_non_exhaustive()
    }
}

/// Opens `path`: the bytes of a CSV file as they are, of a gzipped one unpacked, of a workbook's first sheet as the CSV that it would
/// be. A byte order mark is for the reader to skip.
///
/// # Errors
/// [`DataError`]; that a file is damaged may also show only while it is read.
pub fn open(path: &Path, watch: Watch<'_>) -> Result<Box<dyn Read + Send>, DataError> {
    let format = Format::of(path)?;
    let read = |source| DataError::Read { path: path.to_path_buf(), source };
    let file = watch(File::open(path).map_err(read)?);
    Ok(match format {
        Format::Csv => Box::new(file),
        Format::CsvGz => Box::new(flate2::read::MultiGzDecoder::new(BufReader::with_capacity(1 << 16, file))),
        Format::Xlsx => Box::new(SheetText::open(file, path)?),
        // Parquet is not text: who opens it as such is told so by the ending.
        Format::Parquet => return Err(DataError::Ending(path.to_path_buf())),
    })
}

/// Checks the names of the columns.
///
/// # Errors
/// [`DataError::Empty`] for no column, [`DataError::Twice`] for two of one name.
pub fn check_header(header: &[String], path: &Path) -> Result<(), DataError> {
    if header.iter().all(String::is_empty) {
        return Err(DataError::Empty(path.to_path_buf()));
    }
    let mut names = HashSet::new();
    match header.iter().find(|name| !name.is_empty() && !names.insert(name.as_str())) {
        Some(name) => Err(DataError::Twice { path: path.to_path_buf(), name: name.clone() }),
        None => Ok(()),
    }
}

/// The places of `names` in `header`, in their order.
///
/// # Errors
/// [`DataError::NoColumn`] names all that are not there; [`DataError::Separator`] where the one column there is looks like many.
pub fn places<S: AsRef<str>>(header: &[String], names: &[S], path: &Path) -> Result<Vec<usize>, DataError> {
    let place = |name: &str| header.iter().position(|column| column == name);
    let missing: Vec<String> =
        names.iter().map(AsRef::as_ref).filter(|name| place(name).is_none()).map(str::to_owned).collect();
    if missing.is_empty() {
        return Ok(names.iter().filter_map(|name| place(name.as_ref())).collect());
    }
    let path = path.to_path_buf();
    let separators = [(';', "semicolons"), ('\t', "tabs"), ('|', "vertical bars")];
    match (header, separators.into_iter().find(|(c, _)| header.first().is_some_and(|name| name.contains(*c)))) {
        ([_], Some((_, separator))) => Err(DataError::Separator { path, separator }),
        _ => Err(DataError::NoColumn { path, names: missing, found: header.to_vec() }),
    }
}

/// What an error while reading says: of what is wrong with the file itself, or that it cannot be read.
pub fn read_error(error: io::Error, path: &Path) -> DataError {
    let path = path.to_path_buf();
    match error.kind() {
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput | io::ErrorKind::UnexpectedEof => {
            DataError::Damaged { path, message: error.to_string() }
        }
        _ => DataError::Read { path, source: error },
    }
}
