//! From the bytes of a reply to a checked record, or to what is wrong with them. Never to a part of a record.

use std::io::Read;

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_path_to_error::{Path, Segment};

use super::bounds::Bounds;
use super::failure::Failure;
use crate::domain::{SourceKind, Uscc};

/// A record of one kind of department.
pub(super) trait Record: DeserializeOwned {
    /// The kind.
    const SOURCE: SourceKind;

    /// The date that the data are as of.
    fn as_of(&self) -> Date;

    /// Checks everything that can be impossible in the record. `bounds` know its `as_of`.
    fn check(&self, bounds: &Bounds) -> Result<(), Breach>;
}

/// What is wrong with a reply, and where. Values are never quoted: a reply is about a firm and its people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Breach {
    /// JSON pointer (RFC 6901) of the offending value; empty for the whole reply.
    pub(super) pointer: String,
    /// What is wrong.
    pub(super) problem: String,
}

impl Breach {
    /// The value at `pointer` is wrong.
    pub(super) fn at(pointer: impl Into<String>, problem: impl Into<String>) -> Breach {
        Breach { pointer: pointer.into(), problem: problem.into() }
    }
}

/// The text for the evidence's `detail`.
impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.pointer.is_empty() {
            write!(f, "the department's reply {}", self.problem)
        } else {
            write!(f, "the department's reply: {} {}", self.pointer, self.problem)
        }
    }
}

/// The firm that a reply is about.
#[derive(Deserialize)]
struct About {
    uscc: String,
}

/// The record in `body`, if it is about the firm `uscc` and everything in it is possible. `today` is the day in China.
pub(super) fn read<R: Record>(body: &[u8], uscc: &Uscc, today: Date) -> Result<R, Breach> {
    // Many systems begin their JSON with a byte order mark; RFC 8259 lets a reader skip it.
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => return Err(Breach::at("", "is empty")),
        Some(b'<') => return Err(Breach::at("", "is not JSON; it looks like a web page")),
        Some(b'{') => {}
        Some(_) => return Err(Breach::at("", "is not a JSON object")),
    }
    let about: About = parse(body)?;
    match about.uscc.parse::<Uscc>() {
        Ok(named) if named == *uscc => {}
        Ok(_) => return Err(Breach::at("/uscc", "is about another firm")),
        Err(_) => return Err(Breach::at("/uscc", "is not a unified social credit code")),
    }
    let record: R = parse(body)?;
    let bounds = Bounds::new(record.as_of(), today)?;
    record.check(&bounds)?;
    Ok(record)
}

fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Breach> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| Breach::at(pointer(error.path()), problem(error.inner())))?;
    json.end().map_err(|_| Breach::at("", "goes on after the end of its JSON"))?;
    Ok(value)
}

/// The path as a JSON pointer. A key that no field of ours can have is left out: it might be anything.
fn pointer(path: &Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        match segment {
            Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
            Segment::Map { key } if key.len() <= 32 && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') => {
                pointer.push('/');
                pointer.push_str(key);
            }
            Segment::Map { .. } => pointer.push_str("/?"),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    pointer
}

/// The problem in the words of serde, without the value that they quote.
fn problem(error: &serde_json::Error) -> String {
    use serde_json::error::Category;
    match error.classify() {
        Category::Eof => "ends in the middle of its JSON".into(),
        Category::Syntax => {
            format!("is not JSON, or a number is too large, at line {} column {}", error.line(), error.column())
        }
        Category::Io => "cannot be read".into(),
        Category::Data => data_problem(&error.to_string()),
    }
}

fn data_problem(text: &str) -> String {
    // Names of fields and what was expected are ours; all else may quote the reply.
    for (start, said) in [("missing field `", "lacks"), ("duplicate field `", "repeats")] {
        if let Some(field) = text.strip_prefix(start).and_then(|rest| rest.split('`').next()) {
            return format!("{said} the field {field}");
        }
    }
    let quoting = ["invalid type: ", "invalid value: ", "invalid length ", "unknown variant `"];
    if quoting.iter().any(|start| text.starts_with(start))
        && let Some((_, expected)) = text.rsplit_once(", expected ")
    {
        let expected = expected.split(" at line ").next().unwrap_or(expected);
        return format!("is of the wrong kind, expected {expected}");
    }
    "cannot be read (a date is YYYY-MM-DD, a month YYYY-MM, an amount whole fen)".into()
}

/// Decompresses a gzip body, and stops as soon as it yields more than `limit` bytes.
pub(super) fn unzip(body: &[u8], limit: usize) -> Result<Vec<u8>, Failure> {
    let mut plain = Vec::new();
    let taken = flate2::read::MultiGzDecoder::new(body).take(limit as u64 + 1).read_to_end(&mut plain);
    match taken {
        Ok(_) if plain.len() > limit => Err(Failure::TooLarge { limit }),
        Ok(_) => Ok(plain),
        Err(_) => Err(Failure::Encoding),
    }
}
