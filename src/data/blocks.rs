//! A file of rows cut into blocks of whole rows, each of which can be scored on its own.

use std::io::Read;
use std::path::{Path, PathBuf};

use super::records::{LINE_MAX, Record, Records, could_be_gbk, unquote, whole_records};
use super::text::{self, Watch, check_header, read_error};
use super::{DataError, Format};

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whole rows.
#[derive(Debug, Clone)]
pub enum Block {
    /// Whole records of a CSV.
    Text(Vec<u8>),
    /// Typed columns.
    #[cfg(feature = "parquet")]
    Columns(arrow_array::RecordBatch),
}

/// A file that is read block by block.
#[derive(Debug)]
pub struct Blocks {
    path: PathBuf,
    header: Vec<String>,
    source: Source,
}

#[derive(Debug)]
enum Source {
    Text(TextBlocks),
    #[cfg(feature = "parquet")]
    Columns(super::parquet::Batches),
}

impl Blocks {
    /// Opens `path` and reads its header. A block of text has about `block_bytes`.
    ///
    /// # Errors
    /// [`DataError`], also for an empty file and for a column that is there twice.
    pub fn open(path: &Path, watch: Watch<'_>, block_bytes: usize) -> Result<Blocks, DataError> {
        let (header, source) = match Format::of(path)? {
            #[cfg(feature = "parquet")]
            Format::Parquet => {
                let batches = super::parquet::Batches::open(path, watch)?;
                (batches.header(), Source::Columns(batches))
            }
            _ => {
                let mut text = TextBlocks {
                    path: path.to_path_buf(),
                    source: text::open(path, watch)?,
                    rest: Vec::new(),
                    block_bytes: block_bytes.max(1),
                    ended: false,
                };
                (text.header()?, Source::Text(text))
            }
        };
        check_header(&header, path)?;
        Ok(Blocks { path: path.to_path_buf(), header, source })
    }

    /// The names of the columns, without the spaces around them.
    pub fn header(&self) -> &[String] {
        &self.header
    }

    /// The places of `names` in the header, in their order.
    ///
    /// # Errors
    /// As [`text::places`].
    pub fn places<S: AsRef<str>>(&self, names: &[S]) -> Result<Vec<usize>, DataError> {
        text::places(&self.header, names, &self.path)
    }

    /// The types of the columns, where the file has any.
    #[cfg(feature = "parquet")]
    pub fn schema(&self) -> Option<arrow_schema::SchemaRef> {
        match &self.source {
            Source::Text(_) => None,
            Source::Columns(batches) => Some(batches.schema()),
        }
    }

    /// The next block; `None` at the end. A block may turn out to hold no row, where there were only blank lines.
    ///
    /// # Errors
    /// [`DataError`], where the file cannot be read on.
    pub fn next_block(&mut self) -> Result<Option<Block>, DataError> {
        match &mut self.source {
            Source::Text(text) => Ok(text.next_block()?.map(Block::Text)),
            #[cfg(feature = "parquet")]
            Source::Columns(batches) => Ok(batches.next_batch()?.map(Block::Columns)),
        }
    }
}

/// Text cut after records.
struct TextBlocks {
    path: PathBuf,
    source: Box<dyn Read + Send>,
    /// What was read and not handed out.
    rest: Vec<u8>,
    block_bytes: usize,
    ended: bool,
}

impl TextBlocks {
    /// Takes the first record off the text.
    fn header(&mut self) -> Result<Vec<String>, DataError> {
        let mut bytes = loop {
            match self.first_record() {
                Some(record) => break record,
                None if self.ended => return Err(DataError::Empty(self.path.clone())),
                None => self.fill(self.rest.len() + self.block_bytes)?,
            }
        };
        if bytes.starts_with(BYTE_ORDER_MARK) {
            bytes.drain(..BYTE_ORDER_MARK.len());
        }
        let gbk = could_be_gbk(&bytes);
        let Ok(line) = String::from_utf8(bytes) else {
            return Err(DataError::NotUtf8 { path: self.path.clone(), row: 1, gbk });
        };
        let (mut text, mut ends) = (String::new(), Vec::new());
        unquote(&line, &mut text, &mut ends);
        let starts = [0].into_iter().chain(ends.iter().copied());
        Ok(starts.zip(&ends).map(|(start, end)| text[start..*end].trim().to_owned()).collect())
    }

    /// The first record, if it is whole in what was read.
    fn first_record(&mut self) -> Option<Vec<u8>> {
        let marked = if self.rest.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
        let text = &self.rest[marked..];
        let whole = if self.ended { text.len() } else { whole_records(text) };
        let record = match Records::new(&text[..whole]).next()? {
            Record::Plain(record) | Record::Quoted(record) | Record::Broken(record) => record.to_vec(),
        };
        let blank = text.iter().take_while(|byte| matches!(byte, b'\n' | b'\r')).count();
        self.rest.drain(..marked + blank + record.len());
        Some(record)
    }

    /// Reads until `size` bytes are there, or the end.
    fn fill(&mut self, size: usize) -> Result<(), DataError> {
        if self.rest.len() > LINE_MAX {
            return Err(DataError::Line(self.path.clone()));
        }
        let wanted = size.saturating_sub(self.rest.len());
        self.rest.reserve(wanted);
        let read = self.source.by_ref().take(wanted as u64).read_to_end(&mut self.rest);
        self.ended = read.map_err(|e| read_error(e, &self.path))? < wanted;
        Ok(())
    }

    fn next_block(&mut self) -> Result<Option<Vec<u8>>, DataError> {
        let mut size = self.block_bytes;
        loop {
            if !self.ended && self.rest.len() < size {
                self.fill(size)?;
            }
            if self.ended {
                return Ok(Some(std::mem::take(&mut self.rest)).filter(|rest| !rest.is_empty()));
            }
            let whole = whole_records(&self.rest);
            if whole > 0 {
                let mut rest = Vec::with_capacity(self.block_bytes + self.rest.len() - whole);
                rest.extend_from_slice(&self.rest[whole..]);
                self.rest.truncate(whole);
                return Ok(Some(std::mem::replace(&mut self.rest, rest)));
            }
            size = self.rest.len() + self.block_bytes;
        }
    }
}

impl std::fmt::Debug for TextBlocks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextBlocks").field("path", &self.path).finish_non_exhaustive()
    }
}
