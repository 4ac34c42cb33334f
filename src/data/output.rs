//! Where scored rows go: each format's part is made by the threads that score, and put in its place in order.

use std::io::Write;
use std::path::Path;

use super::gzip::{GzipFile, Packed, pack};
use super::records::push_cell;
use super::scored::ADDED;
use super::sink::{RowSink, WholeFile, write_error};
use super::{DataError, Format};

/// A finished part of the output.
#[derive(Debug)]
pub enum Part {
    /// Text of a CSV.
    Text(Vec<u8>),
    /// The same, packed.
    Packed(Packed),
    /// Typed columns.
    #[cfg(feature = "parquet")]
    Columns(arrow_array::RecordBatch),
}

/// An output under way. Dropped without [`Output::finish`], it leaves nothing behind.
#[derive(Debug)]
pub struct Output {
    path: std::path::PathBuf,
    target: Target,
}

#[derive(Debug)]
enum Target {
    Csv(WholeFile),
    CsvGz(GzipFile),
    Xlsx(Box<RowSink>),
    #[cfg(feature = "parquet")]
    Parquet(Box<super::parquet::ParquetFile>),
}

/// What turns text into parts of one format.
#[derive(Debug, Clone)]
pub enum Maker {
    /// Text stays as it is.
    Text,
    /// Text is packed.
    Packed,
    /// Text becomes columns.
    #[cfg(feature = "parquet")]
    Columns(arrow_schema::SchemaRef),
}

impl Maker {
    /// The maker of `format`; `schema` is that of the output, if it has one.
    pub fn of(format: Format, #[cfg(feature = "parquet")] schema: &arrow_schema::SchemaRef) -> Maker {
        match format {
            Format::CsvGz => Maker::Packed,
            #[cfg(feature = "parquet")]
            Format::Parquet => Maker::Columns(schema.clone()),
            _ => Maker::Text,
        }
    }

    /// The part that `text`, whole records, becomes.
    ///
    /// # Errors
    /// A description.
    pub fn part_of_text(&self, text: Vec<u8>) -> Result<Part, String> {
        match self {
            Maker::Text => Ok(Part::Text(text)),
            Maker::Packed => pack(&text).map(Part::Packed).map_err(|e| e.to_string()),
            #[cfg(feature = "parquet")]
            Maker::Columns(schema) => super::columns::batch_of_text(&text, schema).map(Part::Columns),
        }
    }
}

impl Output {
    /// Starts the file, and writes the header: that of the input and the added columns.
    ///
    /// # Errors
    /// [`DataError`].
    pub fn create(
        path: &Path,
        header: &[String],
        #[cfg(feature = "parquet")] schema: &arrow_schema::SchemaRef,
    ) -> Result<Output, DataError> {
        let mut line = Vec::new();
        for name in header.iter().map(String::as_str).chain(ADDED) {
            push_cell(&mut line, name);
            line.push(b',');
        }
        line.pop();
        line.push(b'\n');
        let target = match Format::of(path)? {
            Format::Csv => Target::Csv(WholeFile::create(path)?),
            Format::CsvGz => Target::CsvGz(GzipFile::create(path)?),
            Format::Xlsx => Target::Xlsx(Box::new(RowSink::create(path)?)),
            #[cfg(feature = "parquet")]
            Format::Parquet => Target::Parquet(Box::new(super::parquet::ParquetFile::create(path, schema.clone())?)),
            #[cfg(not(feature = "parquet"))]
            Format::Parquet => return Err(DataError::NoParquet(path.to_path_buf())),
        };
        let mut output = Output { path: path.to_path_buf(), target };
        match &mut output.target {
            Target::CsvGz(file) => file.add(&pack(&line).map_err(|e| write_error(path, e))?)?,
            #[cfg(feature = "parquet")]
            Target::Parquet(_) => {}
            Target::Csv(_) | Target::Xlsx(_) => output.add(Part::Text(line))?,
        }
        Ok(output)
    }

    /// Adds the next part.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn add(&mut self, part: Part) -> Result<(), DataError> {
        match (&mut self.target, part) {
            (Target::Csv(file), Part::Text(text)) => file.write_all(&text).map_err(|e| write_error(&self.path, e)),
            (Target::CsvGz(file), Part::Packed(packed)) => file.add(&packed),
            (Target::Xlsx(rows), Part::Text(text)) => add_rows(rows, &text, &self.path),
            #[cfg(feature = "parquet")]
            (Target::Parquet(file), Part::Columns(batch)) => file.add(&batch),
            _ => Err(write_error(&self.path, "a part of another format")),
        }
    }

    /// Puts the whole file in its place.
    ///
    /// # Errors
    /// [`DataError::Write`]; then the target is as it was.
    pub fn finish(self) -> Result<(), DataError> {
        match self.target {
            Target::Csv(file) => file.finish(),
            Target::CsvGz(file) => file.finish(),
            Target::Xlsx(rows) => rows.finish(),
            #[cfg(feature = "parquet")]
            Target::Parquet(file) => file.finish(),
        }
    }
}

fn add_rows(rows: &mut RowSink, text: &[u8], path: &Path) -> Result<(), DataError> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text);
    let mut cells = csv::StringRecord::new();
    while reader.read_record(&mut cells).map_err(|e| write_error(path, e))? {
        rows.write(cells.iter())?;
    }
    Ok(())
}
