//! Where the records of a CSV text end.
//!
//! The rules are those of the csv crate: a line feed or a carriage return ends a record, a quotation mark counts where a cell
//! begins, blank lines are no records. One is stricter: after the closing mark there must be a comma or the record's end.
//! Whatever else is there says that a mark is broken, and then only the line on which the record began is lost.

use memchr::{memchr, memchr2, memchr3, memrchr2};

/// Bytes that a record with quotation marks may have. One that is not closed by then was never meant to be.
pub const QUOTED_MAX: usize = 1 << 20;
/// Bytes that a line may have.
pub const LINE_MAX: usize = 64 << 20;

/// A record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Record<'a> {
    /// Without a quotation mark: the cells are what lies between the commas.
    Plain(&'a [u8]),
    /// With quotation marks, and whole.
    Quoted(&'a [u8]),
    /// A line with a quotation mark that is not closed as it should be.
    Broken(&'a [u8]),
}

/// The records of a text that begins with one and ends with one.
#[derive(Debug, Clone)]
pub struct Records<'a> {
    rest: &'a [u8],
}

impl<'a> Records<'a> {
    /// The records of `text`.
    pub fn new(text: &'a [u8]) -> Records<'a> {
        Records { rest: text }
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Record<'a>;

    #[inline]
    fn next(&mut self) -> Option<Record<'a>> {
        while let [b'\n' | b'\r', rest @ ..] = self.rest {
            self.rest = rest;
        }
        if self.rest.is_empty() {
            return None;
        }
        let (kind, end) = match end_of_record(self.rest, true) {
            End::At(kind, end) => (kind, end),
            // Not in a whole text; but if so, the rest is one record.
            End::Beyond => (Kind::Broken, self.rest.len()),
        };
        let (record, rest) = self.rest.split_at(end);
        self.rest = rest;
        Some(match kind {
            Kind::Plain => Record::Plain(record),
            Kind::Quoted => Record::Quoted(record),
            Kind::Broken => Record::Broken(record),
        })
    }
}

/// The length of the longest front of `text` that ends with a record; 0 where not one ends in it. More text follows.
pub fn whole_records(text: &[u8]) -> usize {
    if memchr(b'"', text).is_none() {
        return memrchr2(b'\n', b'\r', text).map_or(0, |last| last + 1);
    }
    let mut whole = 0;
    while whole < text.len() {
        if matches!(text[whole], b'\n' | b'\r') {
            whole += 1;
            continue;
        }
        match end_of_record(&text[whole..], false) {
            End::At(_, end) => whole += end,
            End::Beyond => break,
        }
    }
    whole
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Plain,
    Quoted,
    Broken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Before the byte that ends it, or at the end of the text.
    At(Kind, usize),
    /// Not in this text.
    Beyond,
}

/// The end of the record that `text` begins with. `last` says that no text follows.
#[inline]
fn end_of_record(text: &[u8], last: bool) -> End {
    let mut from = 0;
    let mut kind = Kind::Plain;
    loop {
        match memchr3(b'\n', b'\r', b'"', &text[from..]).map(|at| at + from) {
            None if last => return End::At(kind, text.len()),
            None => return End::Beyond,
            Some(at) if text[at] != b'"' => return End::At(kind, at),
            Some(at) if at == 0 || text[at - 1] == b',' => return end_of_quoted(text, at, last),
            // A mark within a cell is a character like any other, but written it needs quoting.
            Some(at) => (from, kind) = (at + 1, Kind::Quoted),
        }
    }
}

/// The end of a record whose first quoted cell opens at `open`.
fn end_of_quoted(text: &[u8], open: usize, last: bool) -> End {
    let within = &text[..text.len().min(QUOTED_MAX)];
    let cut = within.len() == QUOTED_MAX;
    let broken = || match memchr2(b'\n', b'\r', text) {
        Some(end) => End::At(Kind::Broken, end),
        None if last => End::At(Kind::Broken, text.len()),
        None => End::Beyond,
    };
    let beyond = || if cut || last { broken() } else { End::Beyond };
    let mut at = open;
    loop {
        let Some(closed) = after_closing_mark(within, at) else { return beyond() };
        at = match within.get(closed) {
            None if last && !cut => return End::At(Kind::Quoted, closed),
            None => return beyond(),
            Some(b'\n' | b'\r') => return End::At(Kind::Quoted, closed),
            Some(b',') => closed,
            Some(_) => return broken(),
        };
        // Cells without marks, up to the next cell that opens with one.
        while within.get(at + 1) != Some(&b'"') {
            match memchr3(b',', b'\n', b'\r', &within[at + 1..]).map(|next| at + 1 + next) {
                None if last && !cut => return End::At(Kind::Quoted, within.len()),
                None => return beyond(),
                Some(next) if within[next] == b',' => at = next,
                Some(next) => return End::At(Kind::Quoted, next),
            }
        }
        at += 1;
    }
}

/// The place after the mark that closes the cell that opens at `open`; doubled marks are part of the cell.
fn after_closing_mark(text: &[u8], open: usize) -> Option<usize> {
    let mut at = open + 1;
    loop {
        at += memchr(b'"', text.get(at..)?)? + 1;
        if text.get(at) != Some(&b'"') {
            return Some(at);
        }
        at += 1;
    }
}

/// Takes a record with quotation marks apart: `text` gets the cells' characters, `ends` the end of each cell in it.
pub fn unquote(record: &str, text: &mut String, ends: &mut Vec<usize>) {
    text.clear();
    ends.clear();
    let mut rest = record;
    loop {
        let more = match rest.strip_prefix('"') {
            Some(opened) => quoted_cell(opened, text),
            None => rest.split_once(',').map_or((rest, None), |(cell, more)| (cell, Some(more))),
        };
        if !rest.starts_with('"') {
            text.push_str(more.0);
        }
        ends.push(text.len());
        match more.1 {
            Some(next) => rest = next,
            None => return,
        }
    }
}

/// The rest after a quoted cell, whose characters go to `text`.
fn quoted_cell<'a>(opened: &'a str, text: &mut String) -> (&'a str, Option<&'a str>) {
    let mut rest = opened;
    while let Some((part, after)) = rest.split_once('"') {
        text.push_str(part);
        match after.strip_prefix('"') {
            Some(doubled) => {
                text.push('"');
                rest = doubled;
            }
            None => return ("", after.strip_prefix(',')),
        }
    }
    text.push_str(rest);
    ("", None)
}

/// Writes a cell as a CSV has it: in quotation marks where it needs them.
#[inline]
pub fn push_cell(out: &mut Vec<u8>, cell: &str) {
    let bytes = cell.as_bytes();
    if memchr3(b',', b'\n', b'\r', bytes).is_none() && memchr(b'"', bytes).is_none() {
        out.extend_from_slice(bytes);
        return;
    }
    out.push(b'"');
    for part in bytes.split_inclusive(|byte| *byte == b'"') {
        out.extend_from_slice(part);
        if part.last() == Some(&b'"') {
            out.push(b'"');
        }
    }
    out.push(b'"');
}

/// Whether bytes that are not UTF-8 could be GBK: every byte above ASCII begins or ends a pair of that encoding.
pub fn could_be_gbk(bytes: &[u8]) -> bool {
    let (mut rest, mut pairs) = (bytes, 0);
    while let [first, tail @ ..] = rest {
        rest = match (first, tail) {
            (0x00..=0x7f, _) => tail,
            (0x81..=0xfe, [0x40..=0x7e | 0x80..=0xfe, tail @ ..]) => {
                pairs += 1;
                tail
            }
            _ => return false,
        };
    }
    pairs > 0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The records of a text that arrives in parts, as the reader of a file cuts it.
    fn cut(text: &[u8], size: usize) -> Vec<(u8, Vec<u8>)> {
        let (mut found, mut held) = (Vec::new(), Vec::new());
        let mut take = |text: &[u8]| {
            found.extend(Records::new(text).map(|record| match record {
                Record::Plain(bytes) => (b'p', bytes.to_vec()),
                Record::Quoted(bytes) => (b'q', bytes.to_vec()),
                Record::Broken(bytes) => (b'b', bytes.to_vec()),
            }));
        };
        for part in text.chunks(size) {
            held.extend_from_slice(part);
            let whole = whole_records(&held);
            take(&held[..whole]);
            held.drain(..whole);
        }
        take(&held);
        found
    }

    proptest! {
        #[test]
        fn however_a_text_is_cut_its_records_are_the_same(text in "[a,\"\\n\\r百]{0,60}", size in 1_usize..20) {
            let text = text.as_bytes();
            prop_assert_eq!(cut(text, size), cut(text, text.len().max(1)));
        }

        #[test]
        fn what_the_csv_crate_writes_is_read_as_it_was(
            rows in prop::collection::vec(prop::collection::vec("[a,\"\\n\\r 百]{0,5}", 2..5), 1..8), always in any::<bool>()
        ) {
            let style = if always { csv::QuoteStyle::Always } else { csv::QuoteStyle::Necessary };
            let mut writer = csv::WriterBuilder::new().quote_style(style).flexible(true).from_writer(Vec::new());
            rows.iter().for_each(|row| writer.write_record(row).unwrap());
            let text = writer.into_inner().unwrap();
            let (mut cells, mut ends, mut found, mut written) = (String::new(), Vec::new(), Vec::new(), Vec::new());
            for record in Records::new(&text) {
                let (Record::Plain(bytes) | Record::Quoted(bytes) | Record::Broken(bytes)) = record;
                prop_assert!(!matches!(record, Record::Broken(_)));
                unquote(std::str::from_utf8(bytes).unwrap(), &mut cells, &mut ends);
                let starts = [0].into_iter().chain(ends.iter().copied());
                let row: Vec<String> = starts.zip(&ends).map(|(start, end)| cells[start..*end].to_owned()).collect();
                for (place, cell) in row.iter().enumerate() {
                    if place > 0 { written.push(b','); }
                    push_cell(&mut written, cell);
                }
                written.push(b'\n');
                found.push(row);
            }
            prop_assert_eq!(found, rows);
            if !always { prop_assert_eq!(written, text); }
        }
    }

    #[test]
    fn a_mark_that_is_not_closed_costs_its_line() {
        let kinds = |text: &str| cut(text.as_bytes(), 5).into_iter().map(|(kind, _)| kind as char).collect::<String>();
        assert_eq!(kinds("\"百,,百\"a,a\nb"), "bp");
        assert_eq!(kinds("a,b\n\"a\",b\n\"a,b\nc,d\n"), "pqbp");
        assert_eq!(kinds("\"a\"b,c\nd,e"), "bp");
        assert_eq!(kinds("a,5\" pipe\nb,c"), "qp");
        assert_eq!(kinds("\"a\n\"\"b\nc\",d\ne,f"), "qp");
    }

    #[test]
    fn gbk_is_told_from_other_bytes() {
        assert!(could_be_gbk(b"a,\xb0\xd9\xb9\xd9"));
        assert!(!could_be_gbk(b"abc") && !could_be_gbk(b"\xff") && !could_be_gbk(b"\xb0"));
    }
}
