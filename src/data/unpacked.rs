//! How much a workbook unpacks to: a few kilobytes can unpack to gigabytes.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use zip::ZipArchive;

use super::DataError;

/// The most parts that a workbook has.
const PARTS_MAX: usize = 10_000;

/// Unpacks every part of the workbook at `path`, keeping nothing, as far as `max` bytes: what the file itself says of its size need
/// not be true.
///
/// # Errors
/// [`DataError::Unpacked`] where it is more; [`DataError::Damaged`] where it is no workbook; [`DataError::Read`].
pub fn check_unpacked(path: &Path, max: u64) -> Result<(), DataError> {
    let damaged = |message: String| DataError::Damaged { path: path.to_path_buf(), message };
    let file = File::open(path).map_err(|source| DataError::Read { path: path.to_path_buf(), source })?;
    let mut archive = ZipArchive::new(BufReader::new(file)).map_err(|e| damaged(e.to_string()))?;
    let too_much = || DataError::Unpacked { path: path.to_path_buf(), max };
    if archive.len() > PARTS_MAX {
        return Err(too_much());
    }
    let mut rest = max;
    for part in 0..archive.len() {
        let part = archive.by_index(part).map_err(|e| damaged(e.to_string()))?;
        let count = io::copy(&mut part.take(rest + 1), &mut io::sink()).map_err(|e| damaged(e.to_string()))?;
        rest = rest.checked_sub(count).ok_or_else(too_much)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn a_bomb_is_refused_and_an_ordinary_workbook_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bomb.xlsx");
        let mut writer = zip::ZipWriter::new(File::create(&path).unwrap());
        writer.start_file("xl/sharedStrings.xml", zip::write::SimpleFileOptions::default()).unwrap();
        for _ in 0..64 {
            writer.write_all(&[b' '; 1 << 16]).unwrap();
        }
        writer.finish().unwrap();
        assert!(std::fs::metadata(&path).unwrap().len() < 1 << 16);
        assert!(matches!(check_unpacked(&path, 1 << 20), Err(DataError::Unpacked { max: 1_048_576, .. })));
        check_unpacked(&path, 4 << 20).unwrap();
        assert!(matches!(check_unpacked(&path, (4 << 20) - 1), Err(DataError::Unpacked { .. })));
        std::fs::write(&path, b"row,column\n").unwrap();
        assert!(matches!(check_unpacked(&path, 1 << 20), Err(DataError::Damaged { .. })));
    }
}
