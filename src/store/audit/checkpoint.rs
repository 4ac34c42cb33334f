//! Checkpoints: heads of the audit chain, signed with Ed25519 and kept in a file outside the database, one JSON line each.
//!
//! What is signed is the text `yuxin-checkpoint/1`, `seq`, `hash` and `at` with line feeds between. Keys are PEM files as
//! OpenSSL reads them, so that a checkpoint can be checked without Yuxin.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::encoding::AsBigEndian;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::sha256;

const FORMAT: &str = "yuxin-checkpoint/1";
/// What stands before the 32 bytes of an Ed25519 key in the DER of a public key (RFC 8410).
const PUBLIC_PREFIX: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
/// The same before the 32 bytes of the seed in the DER of a private key.
const PRIVATE_PREFIX: [u8; 16] =
    [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
/// Hexadecimal digits of a key's id.
const ID_CHARS: usize = 16;

/// Why a key or a file of checkpoints cannot be used.
#[derive(Debug, Error)]
pub enum CheckpointError {
    /// The file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
    /// The file holds no such key.
    #[error("{path} is not {what} in PEM; `yuxin audit key FILE` makes one")]
    NoKey {
        /// The file.
        path: String,
        /// What it should be.
        what: &'static str,
    },
    /// Others may read the private key.
    #[error("{0} can be read by others than its owner: whoever reads it can sign; chmod 600 it, or make a new key")]
    Open(String),
    /// No key could be made.
    #[error("no key could be made: the system gives no random bytes")]
    NoRandom,
    /// A line of the file is no checkpoint, or its signature does not hold.
    #[error("line {line} of {path}: {what}")]
    Line {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// The file holds no checkpoint.
    #[error("{0} holds no checkpoint")]
    Empty(String),
    /// The chain in the database does not hold the last head that was signed.
    #[error(
        "the audit chain no longer holds row {0} as it was signed: it was rebuilt or cut; nothing is signed any more"
    )]
    Rebuilt(i64),
    /// The store.
    #[error(transparent)]
    Store(#[from] crate::store::StoreError),
}

fn file_error(path: &Path) -> impl FnOnce(std::io::Error) -> CheckpointError + '_ {
    |source| CheckpointError::File { path: path.display().to_string(), source }
}

/// A head of the chain that was signed. Since the chain has no gap, its number is also the count of its rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    format: String,
    /// The number of the chain's last row.
    pub seq: i64,
    /// Its hash.
    pub hash: String,
    /// When it was signed, by the clock of the signing machine.
    pub at: Timestamp,
    /// The id of the key.
    pub key: String,
    /// The signature in base64.
    signature: String,
}

fn signed_text(seq: i64, hash: &str, at: Timestamp) -> String {
    format!("{FORMAT}\n{seq}\n{hash}\n{at}")
}

/// The private key that signs checkpoints.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    id: String,
}

impl SigningKey {
    /// A new key.
    ///
    /// # Errors
    /// [`CheckpointError::NoRandom`].
    pub fn generate() -> Result<SigningKey, CheckpointError> {
        Ed25519KeyPair::generate().map(SigningKey::of).map_err(|_| CheckpointError::NoRandom)
    }

    fn of(pair: Ed25519KeyPair) -> SigningKey {
        let id = id_of(pair.public_key().as_ref());
        SigningKey { pair, id }
    }

    /// Reads a key that only its owner may read.
    ///
    /// # Errors
    /// [`CheckpointError::File`]; [`CheckpointError::NoKey`]; [`CheckpointError::Open`].
    pub fn load(path: &Path) -> Result<SigningKey, CheckpointError> {
        let mut file = File::open(path).map_err(file_error(path))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            if file.metadata().map_err(file_error(path))?.permissions().mode() & 0o077 != 0 {
                return Err(CheckpointError::Open(path.display().to_string()));
            }
        }
        let mut text = String::new();
        let no_key = || CheckpointError::NoKey { path: path.display().to_string(), what: "an Ed25519 private key" };
        file.read_to_string(&mut text).map_err(|_| no_key())?;
        let seed = pem_body(&text, "PRIVATE KEY").and_then(|der| der.strip_prefix(&PRIVATE_PREFIX).map(<[u8]>::to_vec));
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed.ok_or_else(no_key)?).map_err(|_| no_key())?;
        Ok(SigningKey::of(pair))
    }

    /// Its id: the first digits of the SHA-256 of the public key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The key in PEM, to be kept secret.
    ///
    /// # Errors
    /// [`CheckpointError::NoRandom`] where the library does not give the key out.
    pub fn private_pem(&self) -> Result<String, CheckpointError> {
        let seed = self.pair.seed().map_err(|_| CheckpointError::NoRandom)?;
        let seed: aws_lc_rs::encoding::Curve25519SeedBin<'_> =
            seed.as_be_bytes().map_err(|_| CheckpointError::NoRandom)?;
        Ok(pem(&[PRIVATE_PREFIX.as_slice(), seed.as_ref()].concat(), "PRIVATE KEY"))
    }

    /// Its public half in PEM, for whoever checks.
    pub fn public_pem(&self) -> String {
        pem(&[PUBLIC_PREFIX.as_slice(), self.pair.public_key().as_ref()].concat(), "PUBLIC KEY")
    }

    /// Signs a head of the chain.
    pub fn sign(&self, seq: i64, hash: &str, at: Timestamp) -> Checkpoint {
        let signature = STANDARD.encode(self.pair.sign(signed_text(seq, hash, at).as_bytes()));
        Checkpoint { format: FORMAT.to_owned(), seq, hash: hash.to_owned(), at, key: self.id.clone(), signature }
    }
}

/// The public half of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    bytes: Vec<u8>,
    id: String,
}

impl PublicKey {
    /// Reads a public key.
    ///
    /// # Errors
    /// [`CheckpointError::File`]; [`CheckpointError::NoKey`].
    pub fn load(path: &Path) -> Result<PublicKey, CheckpointError> {
        let text = std::fs::read_to_string(path).map_err(file_error(path))?;
        PublicKey::from_pem(&text)
            .ok_or_else(|| CheckpointError::NoKey { path: path.display().to_string(), what: "an Ed25519 public key" })
    }

    /// The key that stands in `text`.
    pub fn from_pem(text: &str) -> Option<PublicKey> {
        let der = pem_body(text, "PUBLIC KEY")?;
        let bytes = der.strip_prefix(&PUBLIC_PREFIX).filter(|bytes| bytes.len() == 32)?.to_vec();
        Some(PublicKey { id: id_of(&bytes), bytes })
    }

    /// Whether this key has signed the checkpoint.
    pub fn has_signed(&self, checkpoint: &Checkpoint) -> bool {
        let text = signed_text(checkpoint.seq, &checkpoint.hash, checkpoint.at);
        let key = UnparsedPublicKey::new(&ED25519, &self.bytes);
        checkpoint.format == FORMAT
            && STANDARD.decode(&checkpoint.signature).is_ok_and(|s| key.verify(text.as_bytes(), &s).is_ok())
    }
}

fn id_of(public_key: &[u8]) -> String {
    let mut id = sha256(public_key);
    id.truncate(ID_CHARS);
    id
}

fn pem(der: &[u8], label: &str) -> String {
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", STANDARD.encode(der))
}

fn pem_body(text: &str, label: &str) -> Option<Vec<u8>> {
    let (_, rest) = text.split_once(&format!("-----BEGIN {label}-----"))?;
    let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
    STANDARD.decode(body.split_whitespace().collect::<String>()).ok()
}

/// Reads a file of checkpoints; every line must be signed by one of `keys`.
///
/// # Errors
/// [`CheckpointError::Line`] for the first line that is not; [`CheckpointError::Empty`]; [`CheckpointError::File`].
pub(super) fn read(path: &Path, keys: &[PublicKey]) -> Result<Vec<Checkpoint>, CheckpointError> {
    let text = std::fs::read_to_string(path).map_err(file_error(path))?;
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = |what: String| {
            let (path, line) = (path.display().to_string(), number + 1);
            CheckpointError::Line { path, line, what }
        };
        let checkpoint: Checkpoint =
            serde_json::from_str(line).map_err(|_| wrong("it is not a checkpoint, or was damaged".to_owned()))?;
        if !keys.iter().any(|key| key.has_signed(&checkpoint)) {
            let known = keys.iter().any(|key| key.id == checkpoint.key);
            let what = if known { "it was changed" } else { "it was signed by another key" };
            return Err(wrong(format!("its signature does not hold: {what} (key {})", checkpoint.key)));
        }
        found.push(checkpoint);
    }
    if found.is_empty() { Err(CheckpointError::Empty(path.display().to_string())) } else { Ok(found) }
}

impl Checkpoint {
    /// Reads a file of checkpoints; every line must be signed by one of `keys`.
    ///
    /// # Errors
    /// [`CheckpointError::Line`] for the first line that is not; [`CheckpointError::Empty`]; [`CheckpointError::File`].
    pub fn read_all(path: &Path, keys: &[PublicKey]) -> Result<Vec<Checkpoint>, CheckpointError> {
        read(path, keys)
    }
}

/// The last checkpoint of the file; `None` where there is no file, or none in it. What a crash left of a line is passed over.
pub(super) fn last_of(path: &Path) -> Result<Option<Checkpoint>, CheckpointError> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let whole = text.rfind('\n').map_or("", |end| &text[..end]);
            let Some((number, line)) = whole.lines().enumerate().last() else { return Ok(None) };
            let what = "it is not a checkpoint, or was damaged".to_owned();
            let wrong = |_| CheckpointError::Line { path: path.display().to_string(), line: number + 1, what };
            serde_json::from_str(line).map(Some).map_err(wrong)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(file_error(path)(error)),
    }
}

/// Appends a checkpoint; when this returns without an error, it is on disk. The file is opened anew each time, so that an error
/// of the disk is not forgotten by a file handle that saw it.
pub(super) fn append(path: &Path, checkpoint: &Checkpoint) -> Result<(), CheckpointError> {
    // Texts and integers: writing them as JSON cannot fail.
    let line = format!("{}\n", serde_json::to_string(checkpoint).unwrap_or_default());
    write_line(path, &line).map_err(file_error(path))
}

fn write_line(path: &Path, line: &str) -> std::io::Result<()> {
    let folder: PathBuf = path.parent().filter(|f| !f.as_os_str().is_empty()).unwrap_or(Path::new(".")).to_owned();
    let fresh = !path.exists();
    if fresh {
        std::fs::create_dir_all(&folder)?;
    }
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    drop_half_line(&mut file)?;
    file.write_all(line.as_bytes())?;
    file.sync_all()?;
    if fresh {
        File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// What a crash left of a line was never acknowledged.
fn drop_half_line(file: &mut File) -> std::io::Result<()> {
    let length = file.metadata()?.len();
    let tail = length.min(4096);
    file.seek(SeekFrom::Start(length - tail))?;
    let mut end = Vec::new();
    file.read_to_end(&mut end)?;
    match end.iter().rposition(|byte| *byte == b'\n') {
        Some(at) if at + 1 == end.len() => Ok(()),
        Some(at) => file.set_len(length - tail + at as u64 + 1),
        None if end.is_empty() => Ok(()),
        None if length == tail => file.set_len(0),
        None => Err(std::io::Error::new(std::io::ErrorKind::InvalidData, "it is not a file of checkpoints")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_holds_for_what_was_signed_and_for_nothing_else() {
        let (key, other) = (SigningKey::generate().unwrap(), SigningKey::generate().unwrap());
        let checkpoint = key.sign(7, &"ab".repeat(32), "2026-11-02T08:30:00Z".parse().unwrap());
        let public = PublicKey::from_pem(&key.public_pem()).unwrap();
        assert!(public.has_signed(&checkpoint));
        assert!(!PublicKey::from_pem(&other.public_pem()).unwrap().has_signed(&checkpoint));
        let changes: [&dyn Fn(&mut Checkpoint); 4] =
            [&|c| c.seq += 1, &|c| c.hash.replace_range(0..1, "0"), &|c| c.at = Timestamp::UNIX_EPOCH, &|c| {
                c.format.push('1')
            }];
        for change in changes {
            let mut changed = checkpoint.clone();
            change(&mut changed);
            assert!(!public.has_signed(&changed), "{changed:?}");
        }
    }

    #[test]
    fn keys_are_read_as_they_are_written_and_a_key_that_others_may_read_is_refused() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("key");
        let key = SigningKey::generate().unwrap();
        std::fs::write(&path, key.private_pem().unwrap()).unwrap();
        let mode = |mode| {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        mode(0o640);
        assert!(matches!(SigningKey::load(&path), Err(CheckpointError::Open(_))));
        mode(0o600);
        assert_eq!(SigningKey::load(&path).unwrap().public_pem(), key.public_pem());
        std::fs::write(&path, key.public_pem()).unwrap();
        assert!(matches!(SigningKey::load(&path), Err(CheckpointError::NoKey { .. })));
        assert!(PublicKey::load(&path).is_ok());
    }

    #[test]
    fn what_a_crash_left_of_a_line_is_gone_with_the_next_one() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("deep/checkpoints");
        let key = SigningKey::generate().unwrap();
        let keys = [PublicKey::from_pem(&key.public_pem()).unwrap()];
        let checkpoint = |seq| key.sign(seq, &"ab".repeat(32), Timestamp::UNIX_EPOCH);
        append(&path, &checkpoint(1)).unwrap();
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"format\":\"yu").unwrap();
        assert_eq!(last_of(&path).unwrap(), Some(checkpoint(1)));
        assert!(matches!(read(&path, &keys), Err(CheckpointError::Line { line: 2, .. })));
        append(&path, &checkpoint(2)).unwrap();
        assert_eq!(read(&path, &keys).unwrap(), [checkpoint(1), checkpoint(2)]);
        assert_eq!(last_of(&path).unwrap(), Some(checkpoint(2)));
    }
}
