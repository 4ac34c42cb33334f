//! The file of a backup: written whole or not at all, and read only after it was found whole.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::super::audit::Head;
use super::{BackupError, FORMAT, Line, file_error};

/// No line is longer: a record has some ten kilobytes.
const LINE_BYTES_MAX: usize = 256 << 20;

/// A backup under way, beside its place; dropped unfinished, it leaves nothing behind.
pub(super) struct BackupWriter {
    lines: Option<GzEncoder<BufWriter<File>>>,
    digest: Sha256,
    temporary: PathBuf,
    path: PathBuf,
}

impl BackupWriter {
    pub(super) fn create(path: &Path) -> Result<BackupWriter, BackupError> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let temporary = path.with_file_name(format!(".{name}.{}.tmp", std::process::id()));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        // It holds what departments said of firms.
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&temporary).map_err(file_error(path))?;
        let lines = Some(GzEncoder::new(BufWriter::with_capacity(1 << 20, file), Compression::fast()));
        Ok(BackupWriter { lines, digest: Sha256::new(), temporary, path: path.to_owned() })
    }

    /// A row, as a JSON array.
    pub(super) fn row(&mut self, row: &str) -> Result<(), BackupError> {
        // PostgreSQL sets blanks between values, and no line feed.
        self.digest.update(row.as_bytes());
        self.digest.update(b"\n");
        let lines = self.lines.as_mut().ok_or_else(|| closed(&self.path))?;
        lines.write_all(row.as_bytes()).and_then(|()| lines.write_all(b"\n")).map_err(file_error(&self.path))
    }

    /// A line that is no row.
    pub(super) fn control(&mut self, line: &Line) -> Result<(), BackupError> {
        // Texts and integers: writing them as JSON cannot fail.
        self.row(&serde_json::to_string(line).unwrap_or_default())
    }

    /// Writes the last line, puts everything on disk and the file in its place.
    pub(super) fn finish(mut self, head: &Head) -> Result<(), BackupError> {
        let sha256 = hex::encode(self.digest.clone().finalize());
        self.control(&Line::Whole { seq: head.seq, hash: head.hash.clone(), sha256 })?;
        let lines = self.lines.take().ok_or_else(|| closed(&self.path))?;
        let put = || -> std::io::Result<()> {
            let file = lines.finish()?.into_inner().map_err(std::io::IntoInnerError::into_error)?;
            file.sync_all()?;
            // Unlike a rename this overwrites nothing that came meanwhile.
            std::fs::hard_link(&self.temporary, &self.path)?;
            sync_folder(&self.path)
        };
        put().map_err(file_error(&self.path))
    }
}

impl Drop for BackupWriter {
    fn drop(&mut self) {
        // Nothing more can be done about a temporary file that does not go away.
        let _ = std::fs::remove_file(&self.temporary);
    }
}

fn closed(path: &Path) -> BackupError {
    file_error(path)(std::io::ErrorKind::BrokenPipe.into())
}

/// Puts on disk which files the folder of `path` holds.
pub(super) fn sync_folder(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

/// What is known of a backup that is whole.
#[derive(Debug)]
pub(super) struct Whole {
    pub(super) schema: i64,
    pub(super) at: Timestamp,
    pub(super) seq: i64,
    pub(super) hash: String,
}

/// A line of a backup.
pub(super) enum Read {
    Control(Line),
    /// A row, as a JSON array.
    Row(String),
}

/// Reads a backup line by line.
pub(super) struct BackupReader {
    lines: BufReader<GzDecoder<BufReader<File>>>,
    digest: Sha256,
    path: PathBuf,
}

impl BackupReader {
    pub(super) fn open(path: &Path) -> Result<BackupReader, BackupError> {
        let file = File::open(path).map_err(file_error(path))?;
        let lines = BufReader::with_capacity(1 << 20, GzDecoder::new(BufReader::with_capacity(1 << 20, file)));
        Ok(BackupReader { lines, digest: Sha256::new(), path: path.to_owned() })
    }

    pub(super) fn damaged(&self, what: impl Into<String>) -> BackupError {
        BackupError::Damaged { path: self.path.display().to_string(), what: what.into() }
    }

    /// The next line; `None` after the last. The last line of a backup is checked against all before it.
    pub(super) fn next(&mut self) -> Result<Option<Read>, BackupError> {
        let mut text = String::new();
        let read = std::io::Read::take(&mut self.lines, LINE_BYTES_MAX as u64).read_line(&mut text);
        let bytes = read.map_err(|error| self.damaged(format!("it cannot be unpacked ({error})")))?;
        if bytes == 0 {
            return Ok(None);
        }
        if !text.ends_with('\n') {
            return Err(self.damaged("a line is cut"));
        }
        let before = self.digest.clone();
        self.digest.update(text.as_bytes());
        text.pop();
        if text.starts_with('[') {
            return Ok(Some(Read::Row(text)));
        }
        let line: Line = serde_json::from_str(&text).map_err(|_| self.damaged("a line is none of a backup"))?;
        if let Line::Whole { sha256, .. } = &line
            && *sha256 != hex::encode(before.finalize())
        {
            return Err(self.damaged("its content is not what was written"));
        }
        Ok(Some(Read::Control(line)))
    }
}

/// Reads the whole file once: it must be complete and as it was written.
pub(super) fn check_whole(path: &Path) -> Result<Whole, BackupError> {
    let mut reader = BackupReader::open(path)?;
    let (schema, at) = match reader.next()? {
        Some(Read::Control(Line::Header { format, schema, at })) if format == FORMAT => (schema, at),
        Some(Read::Control(Line::Header { format, .. })) => {
            return Err(reader.damaged(format!("its format is {format}, this program reads {FORMAT}")));
        }
        _ => return Err(reader.damaged("it does not begin like a backup")),
    };
    // The number of rows since the name of a table.
    let mut rows = None;
    loop {
        match (reader.next()?, rows) {
            (Some(Read::Row(_)), Some(count)) => rows = Some(count + 1),
            (Some(Read::Control(Line::Table { .. })), None) => rows = Some(0),
            (Some(Read::Control(Line::End { rows: written })), Some(count)) if written == count => rows = None,
            (Some(Read::Control(Line::Whole { seq, hash, .. })), None) => {
                return match reader.next()? {
                    None => Ok(Whole { schema, at, seq, hash }),
                    Some(_) => Err(reader.damaged("something follows its end")),
                };
            }
            (None, _) => return Err(reader.damaged("its end is missing")),
            _ => return Err(reader.damaged("its lines do not follow one another")),
        }
    }
}
