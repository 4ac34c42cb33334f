//! From the bytes of a reply to a checked record, or to what is wrong with them. Never to a part of a record.

use std::io::Read;

use jiff::civil::Date;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use super::bounds::Bounds;
use super::failure::Failure;
use super::once::Once;
use crate::domain::{SourceKind, Uscc};

/// A record of one kind of department.
pub(super) trait Record: DeserializeOwned + Clone + Send + Sync + 'static {
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
    /// The pointer is one into the record that a mapping made, not into the reply.
    pub(super) mapped: bool,
}

impl Breach {
    /// The value at `pointer` is wrong.
    pub(super) fn at(pointer: impl Into<String>, problem: impl Into<String>) -> Breach {
        Breach { pointer: pointer.into(), problem: problem.into(), mapped: false }
    }

    /// The same of a record that a mapping made.
    pub(super) fn in_record(self) -> Breach {
        Breach { mapped: true, ..self }
    }
}

/// The text for the evidence's `detail`.
impl std::fmt::Display for Breach {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let what = if self.mapped { "the department's reply, as mapped" } else { "the department's reply" };
        if self.pointer.is_empty() {
            write!(f, "{what} {}", self.problem)
        } else {
            write!(f, "{what}: {} {}", self.pointer, self.problem)
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
    let body = without_mark(body);
    match first_byte(body)? {
        b'{' => in_utf8(body)?,
        _ => return Err(Breach::at("", "is not a JSON object")),
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

/// The record, unless it is as of an earlier day than one that the department stated before: then it is an old copy, or the
/// department's dates cannot be relied on.
pub(super) fn not_before<R: Record>(record: R, latest: Option<&Date>) -> Result<R, Breach> {
    match latest {
        Some(latest) if record.as_of() < *latest => {
            let as_of = record.as_of();
            Err(Breach::at("/as_of", format!("goes back in time: it says {as_of} now and said {latest} before")))
        }
        _ => Ok(record),
    }
}

/// The whole reply as JSON, for what a mapping finds in it. A key that comes twice is refused here as well.
pub(super) fn json(body: &[u8]) -> Result<Value, Breach> {
    let body = without_mark(body);
    first_byte(body)?;
    in_utf8(body)?;
    parse::<Once>(body).map(|once| once.0)
}

/// JSON is UTF-8, whole: what the reader skips is not read more leniently than what it takes.
fn in_utf8(body: &[u8]) -> Result<(), Breach> {
    match std::str::from_utf8(body) {
        Ok(_) => Ok(()),
        Err(_) => {
            Err(Breach::at("", "is not in UTF-8; where the department writes in another encoding, say so with charset"))
        }
    }
}

/// Many systems begin their JSON with a byte order mark; RFC 8259 lets a reader skip it.
fn without_mark(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body)
}

fn first_byte(body: &[u8]) -> Result<u8, Breach> {
    match body.iter().find(|byte| !byte.is_ascii_whitespace()) {
        None => Err(Breach::at("", "is empty")),
        Some(b'<') => Err(Breach::at("", "is not JSON; it looks like a web page")),
        Some(byte) => Ok(*byte),
    }
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
    if text.starts_with(super::once::REPEATED) {
        return "repeats a field".into();
    }
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

#[cfg(test)]
mod tests {
    use super::super::samples::{PAYMENT_HISTORY, SOCIAL_INSURANCE, TAX, TODAY, breach_of, firm, with};
    use super::*;
    use crate::domain::evidence::{PaymentHistoryRecord, SocialInsuranceRecord, TaxRecord};
    use proptest::prelude::*;

    #[test]
    fn leaving_out_a_date_is_not_the_same_as_saying_that_it_never_came() {
        fn lacks<R: Record>(sample: &str, row: &str, field: &str) {
            let mut reply: Value = serde_json::from_str(sample).unwrap();
            reply.pointer_mut(row).unwrap().as_object_mut().unwrap().remove(field).unwrap();
            assert_eq!(breach_of::<R>(&reply), format!("the department's reply: {row} lacks the field {field}"));
        }
        lacks::<TaxRecord>(TAX, "/filings/0", "filed_on");
        lacks::<PaymentHistoryRecord>(PAYMENT_HISTORY, "/bills/0", "paid_on");
        lacks::<PaymentHistoryRecord>(PAYMENT_HISTORY, "/wage_arrears/0", "repaired_on");
        lacks::<PaymentHistoryRecord>(PAYMENT_HISTORY, "/enforcements/0", "closed_on");
    }

    #[test]
    fn a_reply_in_which_every_field_was_renamed_is_refused_instead_of_scored_as_nothing_known() {
        let bare = serde_json::json!({"uscc": firm(), "as_of": "2026-10-31", "Filings": [], "name": "x"});
        assert!(breach_of::<TaxRecord>(&bare).contains("shares nothing"));
        assert!(breach_of::<PaymentHistoryRecord>(&bare).contains("shares nothing"));
        assert!(breach_of::<SocialInsuranceRecord>(&bare).contains("lacks the field months"));
    }

    #[test]
    fn a_key_that_comes_twice_is_refused() {
        for key in ["uscc", "as_of", "filings"] {
            let value: Value = serde_json::from_str(TAX).unwrap();
            let again = format!("{{\"{key}\": {}, {}", value[key], TAX.trim_start().strip_prefix('{').unwrap());
            let breach = read::<TaxRecord>(again.as_bytes(), &firm(), TODAY).unwrap_err();
            assert_eq!(breach.problem, format!("repeats the field {key}"));
        }
    }

    #[test]
    fn a_code_in_other_letters_is_the_same_firm_and_a_byte_order_mark_is_skipped() {
        let text = format!("\u{feff}{}", TAX.replace("91330604MA2XY0014W", " 91330604ma2xy0014w"));
        assert!(read::<TaxRecord>(text.as_bytes(), &firm(), TODAY).is_ok());
    }

    #[test]
    fn bytes_that_are_no_text_are_refused_wherever_they_stand() {
        for field in
            [&b"{\"new\": \"\xff\xfe\", "[..], b"{\"new\xc0\": 1, ", b"{\"new\": {\"deep\": [\"\xed\xa0\x80\"]}, "]
        {
            let reply = [field, TAX.trim_start().strip_prefix('{').unwrap().as_bytes()].concat();
            let breach = read::<TaxRecord>(&reply, &firm(), TODAY).unwrap_err();
            assert!(breach.problem.starts_with("is not in UTF-8"), "{breach}");
            assert!(json(&reply).is_err());
        }
    }

    #[test]
    fn new_fields_of_a_department_do_not_disturb() {
        let text = TAX.replacen('{', "{\"new\": {\"deep\": [1, null]}, ", 1);
        assert!(read::<TaxRecord>(text.as_bytes(), &firm(), TODAY).is_ok());
    }

    #[test]
    fn the_problem_never_quotes_the_reply() {
        for text in [
            "invalid type: string \"张三, expected 李四\", expected u32 at line 1 column 9",
            "unknown variant `张三`, expected `vat` or `income_tax` at line 1 column 9",
            "\"张三, expected 李四\" is not a month; write it as YYYY-MM at line 1 column 9",
        ] {
            let problem = data_problem(text);
            assert!(!problem.contains('三') && !problem.contains('四') && !problem.contains("line"), "{problem}");
        }
    }

    #[test]
    fn decompression_stops_at_the_limit() {
        use std::io::Write;
        let mut archive = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        archive.write_all(&[b' '; 1 << 20]).unwrap();
        let mut archive = archive.finish().unwrap();
        archive.extend(b"no archive");
        // Whoever read on to the end would find it broken.
        assert_eq!(unzip(&archive, 1000), Err(Failure::TooLarge { limit: 1000 }));
        assert_eq!(unzip(&archive, 2 << 20), Err(Failure::Encoding));
    }

    fn mutated(sample: &'static str) -> impl Strategy<Value = Vec<u8>> {
        let edit = (0..sample.len(), 0usize..3, any::<u8>());
        prop::collection::vec(edit, 1..4).prop_map(move |edits| {
            let mut bytes = sample.as_bytes().to_vec();
            for (at, how, byte) in edits {
                let at = at.min(bytes.len() - 1);
                match how {
                    0 => bytes[at] = byte,
                    1 => bytes.insert(at, byte),
                    _ => drop(bytes.remove(at)),
                }
            }
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn arbitrary_bytes_never_make_a_record(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read::<TaxRecord>(&bytes, &firm(), TODAY).is_err());
        }

        #[test]
        fn what_is_read_from_a_damaged_reply_is_possible_and_of_this_firm(
            tax in mutated(TAX), social in mutated(SOCIAL_INSURANCE), payments in mutated(PAYMENT_HISTORY),
        ) {
            fn holds<R: Record + serde::Serialize>(bytes: &[u8]) {
                let Ok(record) = read::<R>(bytes, &firm(), TODAY) else { return };
                // What was read reads the same again: nothing in it depended on the damage.
                let mut again = serde_json::to_value(&record).unwrap();
                again["uscc"] = serde_json::to_value(firm()).unwrap();
                let same = read::<R>(&serde_json::to_vec(&again).unwrap(), &firm(), TODAY).unwrap();
                assert_eq!(serde_json::to_value(&same).unwrap(), serde_json::to_value(&record).unwrap());
                assert!(record.as_of() <= TODAY);
            }
            holds::<TaxRecord>(&tax);
            holds::<SocialInsuranceRecord>(&social);
            holds::<PaymentHistoryRecord>(&payments);
        }

        #[test]
        fn a_reply_about_any_other_firm_is_refused(head in "[0-9A-HJ-NPQRTUWXY]{8}", body in "[0-9A-HJ-NPQRTUWXY]{8}") {
            let other = Uscc::with_checks(&head, &body).unwrap();
            prop_assume!(other != firm());
            let breach = breach_of::<SocialInsuranceRecord>(&with(
                SOCIAL_INSURANCE, "/uscc", &other.as_str().into(),
            ));
            prop_assert!(breach.contains("another firm"));
        }

        #[test]
        fn no_damaged_archive_makes_the_reader_panic_or_exceed_its_limit(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let archive = [b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03".as_slice(), &bytes].concat();
            if let Ok(plain) = unzip(&archive, 1000) {
                prop_assert!(plain.len() <= 1000);
            }
        }
    }
}
