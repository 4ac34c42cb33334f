//! Text in another encoding than UTF-8, rewritten: what Excel in China saves as CSV is GBK.

use std::fs::File;
use std::io::{self, BufWriter, Read, Write};
use std::path::Path;

use encoding_rs::{DecoderResult, Encoding, GB18030, UTF_8};

/// Bytes that are read at a time.
const PART: usize = 1 << 16;

/// Writes the text of `from` as UTF-8 to `to`, where it is anything else; gives the name of the encoding, `None` where it is
/// UTF-8 already and nothing was written.
///
/// The encoding is the one that the file begins with a mark of, else the `declared` one where it is known, else UTF-8 where the file
/// is, else GB18030, which GBK and GB2312 are parts of, unless that fits even less. What does not fit becomes U+FFFD.
///
/// # Errors
/// Where a file cannot be read or written.
pub fn to_utf8(from: &Path, to: &Path, declared: Option<&str>) -> io::Result<Option<&'static str>> {
    let mut start = Vec::new();
    File::open(from)?.take(3).read_to_end(&mut start)?;
    let declared = declared.and_then(|label| Encoding::for_label(label.as_bytes()));
    // Whoever declares UTF-8 says what programs say by default: it is looked at all the same.
    let said = Encoding::for_bom(&start).map(|(of, _)| of).or(declared).filter(|of| *of != UTF_8);
    let encoding = match said {
        Some(said) => said,
        None => match decode(from, UTF_8, &mut io::sink())? {
            0 => return Ok(None),
            strange if decode(from, GB18030, &mut io::sink())? < strange => GB18030,
            _ => UTF_8,
        },
    };
    let mut out = BufWriter::new(File::create(to)?);
    decode(from, encoding, &mut out)?;
    out.flush()?;
    Ok(Some(encoding.name()))
}

/// Decodes a file; gives the number of places that do not fit.
fn decode(path: &Path, encoding: &'static Encoding, out: &mut dyn Write) -> io::Result<u64> {
    let (mut file, mut decoder) = (File::open(path)?, encoding.new_decoder_with_bom_removal());
    let (mut input, mut output) = (vec![0; PART], vec![0; 4 * PART]);
    let mut strange = 0;
    loop {
        let count = file.read(&mut input)?;
        let mut rest = &input[..count];
        loop {
            let (result, read, written) = decoder.decode_to_utf8_without_replacement(rest, &mut output, count == 0);
            out.write_all(&output[..written])?;
            rest = &rest[read..];
            match result {
                DecoderResult::InputEmpty => break,
                DecoderResult::OutputFull => {}
                DecoderResult::Malformed(..) => {
                    strange += 1;
                    out.write_all("\u{fffd}".as_bytes())?;
                }
            }
        }
        if count == 0 {
            return Ok(strange);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], declared: Option<&str>) -> (Option<&'static str>, String) {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        std::fs::write(&from, bytes).unwrap();
        let encoding = to_utf8(&from, &to, declared).unwrap();
        let text = std::fs::read(if encoding.is_some() { to } else { from }).unwrap();
        (encoding, String::from_utf8(text).unwrap())
    }

    #[test]
    fn gbk_is_found_by_itself_and_utf_8_stays_as_it_is() {
        let gbk = GB18030.encode("用途,上虞").0.into_owned();
        assert_eq!(read(&gbk, None), (Some("gb18030"), "用途,上虞".to_owned()));
        assert_eq!(read(&gbk, Some("utf-8")).1, "用途,上虞");
        assert_eq!(read("用途".as_bytes(), None), (None, "用途".to_owned()));
        // Two characters of GBK that are UTF-8 as well: only who sent them knows.
        let both = GB18030.encode("联通").0.into_owned();
        assert_eq!(read(&both, Some("GBK")).1, "联通");
    }

    #[test]
    fn text_with_a_mark_of_utf_16_is_read_and_one_bad_byte_does_not_make_utf_8_gbk() {
        assert_eq!(read(b"\xff\xfea\x00\x0a\x4e", None).1, "a上");
        let mut text = "上虞区".repeat(20).into_bytes();
        text.push(0xff);
        let (encoding, read) = read(&text, None);
        assert_eq!(encoding, Some("UTF-8"));
        assert!(read.starts_with("上虞区上虞区") && read.ends_with('\u{fffd}'));
    }

    #[test]
    fn a_text_longer_than_a_part_is_whole() {
        let text = "虞".repeat(PART);
        assert_eq!(read(&GB18030.encode(&text).0, None).1, text);
    }
}
