//! Gzip in parallel: parts are packed each on its own, by any number of threads, and joined to one ordinary gzip stream.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compress, Compression, Crc, FlushCompress};

use super::DataError;
use super::sink::{WholeFile, write_error};

/// Magic number, deflate, no flags, no time (the same rows give the same bytes), unknown system.
const HEADER: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
/// An empty last block.
const LAST: [u8; 2] = [3, 0];
/// Level: scored rows become little larger than at the default level, in a fraction of the time.
const LEVEL: u32 = 2;

/// A packed part.
#[derive(Debug)]
pub struct Packed {
    bytes: Vec<u8>,
    checksum: Crc,
}

/// Packs a part; it ends on a whole byte and refers to nothing before it.
///
/// # Errors
/// What the compressor says.
pub fn pack(text: &[u8]) -> Result<Packed, std::io::Error> {
    let mut checksum = Crc::new();
    checksum.update(text);
    let mut compress = Compress::new(Compression::new(LEVEL), false);
    let mut bytes = Vec::with_capacity(text.len() / 2 + 64);
    loop {
        let taken = compress.total_in() as usize;
        compress.compress_vec(&text[taken..], &mut bytes, FlushCompress::Sync).map_err(std::io::Error::other)?;
        // All is out when there is room left.
        if compress.total_in() as usize == text.len() && bytes.len() < bytes.capacity() {
            return Ok(Packed { bytes, checksum });
        }
        bytes.reserve(bytes.capacity() / 2 + 64);
    }
}

/// The file that packed parts go to.
#[derive(Debug)]
pub struct GzipFile {
    path: PathBuf,
    file: WholeFile,
    checksum: Crc,
}

impl GzipFile {
    /// Starts the file.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn create(path: &Path) -> Result<GzipFile, DataError> {
        let mut file = WholeFile::create(path)?;
        file.write_all(&HEADER).map_err(|e| write_error(path, e))?;
        Ok(GzipFile { path: path.to_path_buf(), file, checksum: Crc::new() })
    }

    /// Adds the next part.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn add(&mut self, part: &Packed) -> Result<(), DataError> {
        self.checksum.combine(&part.checksum);
        self.file.write_all(&part.bytes).map_err(|e| write_error(&self.path, e))
    }

    /// Puts the whole file in its place.
    ///
    /// # Errors
    /// [`DataError::Write`].
    pub fn finish(mut self) -> Result<(), DataError> {
        let mut end = LAST.to_vec();
        end.extend_from_slice(&self.checksum.sum().to_le_bytes());
        end.extend_from_slice(&self.checksum.amount().to_le_bytes());
        self.file.write_all(&end).map_err(|e| write_error(&self.path, e))?;
        self.file.finish()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    #[test]
    fn parts_join_to_one_stream_that_any_reader_unpacks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv.gz");
        let mut file = GzipFile::create(&path).unwrap();
        let parts: Vec<String> = (0..5).map(|i| format!("{i},some text that repeats\n").repeat(i * 9000)).collect();
        parts.iter().for_each(|part| file.add(&pack(part.as_bytes()).unwrap()).unwrap());
        file.finish().unwrap();
        let mut text = String::new();
        // This reader knows one stream only, and compares length and checksum at its end.
        flate2::read::GzDecoder::new(std::fs::File::open(&path).unwrap()).read_to_string(&mut text).unwrap();
        assert!(text == parts.concat());
    }
}
