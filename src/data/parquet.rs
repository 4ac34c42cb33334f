//! Parquet files: read batch by batch, written in row groups.

mod training;

use std::path::{Path, PathBuf};

use arrow_array::RecordBatch;
use arrow_schema::SchemaRef;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::DataError;
use super::sink::{WholeFile, write_error};
use super::text::Watch;
pub use training::{load, read_labelled};

/// Cells of a batch, about.
const CELLS: usize = 1 << 18;
/// Rows of a batch, at most.
const ROWS_MAX: usize = 8192;
/// Rows and bytes of a row group, at most: it is in memory until it is whole.
const GROUP_ROWS: usize = 1 << 17;
const GROUP_BYTES: usize = 64 << 20;

/// A Parquet file that is read batch by batch.
pub struct Batches {
    path: PathBuf,
    schema: SchemaRef,
    reader: ParquetRecordBatchReader,
    count: Box<dyn Fn(u64) + Send>,
    rows: u64,
    rows_read: u64,
    bytes: u64,
    bytes_told: u64,
}

impl Batches {
    /// Opens a file.
    ///
    /// # Errors
    /// [`DataError`], where it cannot be read or is no Parquet.
    pub fn open(path: &Path, watch: Watch<'_>) -> Result<Batches, DataError> {
        let read = |source| DataError::Read { path: path.to_path_buf(), source };
        let damaged = |e: &dyn ToString| DataError::Damaged { path: path.to_path_buf(), message: e.to_string() };
        let (file, count) = watch(std::fs::File::open(path).map_err(read)?).into_parts();
        let bytes = file.metadata().map_err(read)?.len();
        if bytes == 0 {
            return Err(DataError::Empty(path.to_path_buf()));
        }
        let builder = ParquetRecordBatchReaderBuilder::try_new(file).map_err(|e| damaged(&e))?;
        let schema = builder.schema().clone();
        let rows = u64::try_from(builder.metadata().file_metadata().num_rows()).unwrap_or_default();
        let batch_rows = (CELLS / schema.fields().len().max(1)).clamp(64, ROWS_MAX);
        let reader = builder.with_batch_size(batch_rows).build().map_err(|e| damaged(&e))?;
        Ok(Batches { path: path.to_path_buf(), schema, reader, count, rows, rows_read: 0, bytes, bytes_told: 0 })
    }

    /// The types of the columns.
    pub fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The names of the columns, without the spaces around them.
    pub fn header(&self) -> Vec<String> {
        self.schema.fields().iter().map(|field| field.name().trim().to_owned()).collect()
    }

    /// The next rows; `None` at the end.
    ///
    /// # Errors
    /// [`DataError::Damaged`].
    pub fn next_batch(&mut self) -> Result<Option<RecordBatch>, DataError> {
        let Some(batch) = self.reader.next() else { return Ok(None) };
        let batch = batch.map_err(|e| DataError::Damaged { path: self.path.clone(), message: e.to_string() })?;
        self.rows_read += batch.num_rows() as u64;
        let told = (self.bytes as f64 * (self.rows_read as f64 / self.rows.max(1) as f64)) as u64;
        (self.count)(told.saturating_sub(self.bytes_told));
        self.bytes_told = told.max(self.bytes_told);
        Ok(Some(batch))
    }
}

impl std::fmt::Debug for Batches {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Batches").field("path", &self.path).finish_non_exhaustive()
    }
}

/// A Parquet file under way. Dropped without [`ParquetFile::finish`], it leaves nothing behind.
pub struct ParquetFile {
    path: PathBuf,
    writer: ArrowWriter<WholeFile>,
}

impl ParquetFile {
    /// Starts the file.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn create(path: &Path, schema: SchemaRef) -> Result<ParquetFile, DataError> {
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_max_row_group_row_count(Some(GROUP_ROWS))
            .set_max_row_group_bytes(Some(GROUP_BYTES))
            .build();
        let writer = ArrowWriter::try_new(WholeFile::create(path)?, schema, Some(properties));
        Ok(ParquetFile { path: path.to_path_buf(), writer: writer.map_err(|e| write_error(path, e))? })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn add(&mut self, batch: &RecordBatch) -> Result<(), DataError> {
        self.writer.write(batch).map_err(|e| write_error(&self.path, e))
    }

    /// Puts the whole file in its place.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn finish(self) -> Result<(), DataError> {
        self.writer.into_inner().map_err(|e| write_error(&self.path, e))?.finish()
    }
}

impl std::fmt::Debug for ParquetFile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ParquetFile").field("path", &self.path).finish_non_exhaustive()
    }
}
