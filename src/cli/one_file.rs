//! No output may replace a file that the same command reads, or another of its outputs.

use std::path::{Path, PathBuf};

use thiserror::Error;

/// A file and the option that names it.
pub type Named<'a> = (&'static str, &'a Path);

/// Two options name one file.
#[derive(Debug, Error)]
#[error("{path} cannot be both {first} and {second}: it would be overwritten")]
pub struct OneFile {
    path: PathBuf,
    first: &'static str,
    second: &'static str,
}

/// Checks that no output is an input or an output before it, however their paths are written.
///
/// # Errors
/// [`OneFile`] for the first that is.
pub fn apart(inputs: &[Named<'_>], outputs: &[Named<'_>]) -> Result<(), OneFile> {
    for (i, (second, path)) in outputs.iter().enumerate() {
        let place = place(path);
        if let Some((first, _)) = inputs.iter().chain(&outputs[..i]).find(|(_, other)| self::place(other) == place) {
            return Err(OneFile { path: path.to_path_buf(), first, second });
        }
    }
    Ok(())
}

/// Where a path leads: what a link points to, and for a file that is not there yet its name in the folder that is.
fn place(path: &Path) -> PathBuf {
    let of_folder = || {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Some(folder.canonicalize().ok()?.join(path.file_name()?))
    };
    path.canonicalize().ok().or_else(of_folder).unwrap_or_else(|| path.to_path_buf())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_file_is_one_file_however_its_path_is_written() {
        let folder = tempfile::tempdir().unwrap();
        let there = folder.path().join("there.csv");
        std::fs::write(&there, "a").unwrap();
        let (link, dotted) = (folder.path().join("link.csv"), folder.path().join(".").join("there.csv"));
        std::os::unix::fs::symlink(&there, &link).unwrap();
        for out in [&there, &link, &dotted] {
            let message = apart(&[("--data", &there)], &[("--out", out)]).unwrap_err().to_string();
            assert!(message.contains("cannot be both --data and --out"), "{message}");
        }
        let (new, again) = (folder.path().join("new.csv"), folder.path().join(".").join("new.csv"));
        apart(&[("--data", &there)], &[("--out", &new), ("--errors", &folder.path().join("list.csv"))]).unwrap();
        apart(&[], &[("--out", &new), ("--errors", &again)]).unwrap_err();
    }
}
