//! Scoring blocks of text: each row is looked up cell by cell as it is read, and written out with its score.

use std::ops::Range;

use memchr::{memchr, memchr_iter};

use super::faults::{BadRow, Fault};
use super::numbers::{leading_number, short_number};
use super::records::{Record, Records, could_be_gbk, push_cell, unquote};
use super::scored::Tails;
use crate::model::columnar::{Lookups, Reasons, Total};
use crate::model::dataset::is_missing;

/// What the model does with each column of a file.
#[derive(Debug, Clone)]
pub struct Layout {
    uses: Vec<Use>,
    /// The first column after which the model uses none.
    used: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    Nothing,
    /// The feature's place in the model.
    Number(usize),
    Word(usize),
}

impl Layout {
    /// For files of `width` columns, where the model's features are at `places`.
    pub fn new(lookups: &Lookups<'_>, places: &[usize], width: usize) -> Layout {
        let mut uses = vec![Use::Nothing; width];
        for (column, place) in places.iter().enumerate() {
            uses[*place] = if lookups.is_numeric(column) { Use::Number(column) } else { Use::Word(column) };
        }
        let used = uses.iter().rposition(|of| *of != Use::Nothing).map_or(0, |last| last + 1);
        Layout { uses, used }
    }

    /// Columns of the file.
    pub fn width(&self) -> usize {
        self.uses.len()
    }
}

/// What is wrong with a row, and where: the cell, or the line.
type Told = (Fault, String);

/// Rows that were scored, and those that could not be.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Rows, bad ones and all.
    pub rows: u64,
    /// Bad rows, in their order.
    pub bad: Vec<BadRow>,
}

/// Rows that are under way at a time: few enough for their bins to stay in the nearest cache.
const ROWS_AT_A_TIME: usize = 64;

/// Scores text. Each thread has one.
#[derive(Debug)]
pub struct TextScorer<'l> {
    lookups: &'l Lookups<'l>,
    layout: &'l Layout,
    tails: Tails<'l>,
    /// Features of the model.
    width: usize,
    /// A place for each feature of each row under way: its number, and its bin.
    numbers: Vec<f64>,
    bins: Vec<u32>,
    results: Vec<(Total, Reasons)>,
    lost: Vec<f64>,
    /// Rows under way that had quotation marks, as they are written.
    written: Vec<u8>,
    /// The cells of the row under way, if it has quotation marks.
    text: String,
    ends: Vec<usize>,
    /// Cells of the row under way that should be numbers and are not.
    words: Vec<(usize, String)>,
}

/// Whether a row's cells could be read.
enum Read {
    Whole,
    /// This many cells, which is not as many as the header has.
    Cells(usize),
}

/// A row under way.
#[derive(Debug, Clone)]
struct Row<'t> {
    cells: Cells<'t>,
    /// Whether it can be scored.
    sound: bool,
}

/// Where the cells of a row stand, as they are written.
#[derive(Debug, Clone)]
enum Cells<'t> {
    AsRead(&'t [u8]),
    Written(Range<usize>),
    /// They could not be told.
    Unknown,
}

impl<'l> TextScorer<'l> {
    /// A scorer for files of one layout.
    pub fn new(lookups: &'l Lookups<'l>, layout: &'l Layout) -> TextScorer<'l> {
        let width = lookups.model().columns().len();
        let missing = (0..width).map(|column| lookups.missing_bin(column)).cycle();
        TextScorer {
            lookups,
            layout,
            tails: Tails::new(lookups),
            width,
            numbers: vec![f64::NAN; width * ROWS_AT_A_TIME],
            bins: missing.take(width * ROWS_AT_A_TIME).collect(),
            results: Vec::with_capacity(ROWS_AT_A_TIME),
            lost: Vec::new(),
            written: Vec::new(),
            text: String::new(),
            ends: Vec::new(),
            words: Vec::new(),
        }
    }

    /// Scores the rows of `block` and adds them to `out`.
    pub fn score(&mut self, block: &[u8], out: &mut Vec<u8>) -> Outcome {
        let (mut outcome, mut records) = (Outcome::default(), Records::new(block));
        let mut rows = Vec::with_capacity(ROWS_AT_A_TIME);
        loop {
            rows.clear();
            self.written.clear();
            for record in records.by_ref().take(ROWS_AT_A_TIME) {
                let fault = match self.read(record, rows.len() * self.width) {
                    Ok((cells, fault)) => {
                        rows.push(Row { cells, sound: fault.is_none() });
                        fault
                    }
                    Err(fault) => {
                        rows.push(Row { cells: Cells::Unknown, sound: false });
                        Some(fault)
                    }
                };
                if let Some((fault, value)) = fault {
                    outcome.bad.push(BadRow::new(outcome.rows, fault, &value));
                }
                outcome.rows += 1;
            }
            if rows.is_empty() {
                return outcome;
            }
            self.finish(&rows, out);
        }
    }

    /// Looks the rows up that were read, and writes them.
    fn finish(&mut self, rows: &[Row<'_>], out: &mut Vec<u8>) {
        let places = rows.len() * self.width;
        self.lookups.look_up_numbers(&self.numbers[..places], &mut self.bins[..places]);
        self.results.clear();
        for bins in self.bins[..places].chunks_exact(self.width) {
            self.results.push(self.lookups.look_up(bins, &mut self.lost));
        }
        self.tails.prepare(rows.iter().zip(&self.results).filter(|(row, _)| row.sound).map(|(_, (total, _))| *total));
        for (row, (total, reasons)) in rows.iter().zip(&self.results) {
            match &row.cells {
                Cells::AsRead(text) => out.extend_from_slice(text),
                Cells::Written(range) => out.extend_from_slice(&self.written[range.clone()]),
                Cells::Unknown => continue,
            }
            if row.sound {
                self.tails.push(out, *total, *reasons);
            } else {
                Tails::push_nothing(out);
            }
        }
    }

    /// Reads a record into the places from `first` on: its cells, and what keeps it from being scored. An error says why its cells
    /// cannot be told.
    #[inline]
    fn read<'t>(&mut self, record: Record<'t>, first: usize) -> Result<(Cells<'t>, Option<Told>), Told> {
        let (Record::Plain(bytes) | Record::Quoted(bytes) | Record::Broken(bytes)) = record;
        let Ok(line) = simdutf8::basic::from_utf8(bytes) else {
            let fault = Fault::NotUtf8 { gbk: could_be_gbk(bytes) };
            return Err((fault, String::from_utf8_lossy(bytes).into_owned()));
        };
        let read = match record {
            Record::Plain(_) => self.read_plain(line, first),
            Record::Quoted(_) => self.read_quoted(line, first),
            Record::Broken(_) => return Err((Fault::Quote, line.to_owned())),
        };
        if let Read::Cells(found) = read {
            self.words.clear();
            let lines = line.contains(['\n', '\r']);
            return Err((Fault::Cells { found, expected: self.layout.width(), lines }, line.to_owned()));
        }
        let cells = match record {
            Record::Plain(_) => Cells::AsRead(bytes),
            _ => Cells::Written(self.write_quoted()),
        };
        if self.words.is_empty() {
            return Ok((cells, None));
        }
        let more = self.words.len() - 1;
        let word = self.words.drain(..).next();
        Ok((cells, word.map(|(place, word)| (Fault::NotANumber { place, more }, word))))
    }

    /// Looks the cells of a row without quotation marks up as they are read.
    #[inline]
    fn read_plain(&mut self, line: &str, first: usize) -> Read {
        let (bytes, width) = (line.as_bytes(), self.layout.width());
        let mut at = 0;
        for place in 0..self.layout.used {
            let rest = &bytes[at..];
            let length = match self.layout.uses[place] {
                Use::Nothing => memchr(b',', rest).unwrap_or(rest.len()),
                Use::Number(column) => match short_number(rest).or_else(|| leading_number(rest)) {
                    Some((x, length)) if matches!(rest.get(length), None | Some(b',')) => {
                        self.numbers[first + column] = x;
                        length
                    }
                    _ => {
                        let length = memchr(b',', rest).unwrap_or(rest.len());
                        self.number(place, first + column, &line[at..at + length]);
                        length
                    }
                },
                Use::Word(column) => {
                    let length = rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len());
                    self.word(column, first, &line[at..at + length]);
                    length
                }
            };
            at += length + 1;
            if at > bytes.len() && place + 1 < width {
                return Read::Cells(place + 1);
            }
        }
        // What is left begins after a comma, unless the last column was used.
        let left = bytes.get(at..).map_or(0, |rest| memchr_iter(b',', rest).count() + 1);
        match self.layout.used + left {
            found if found == width => Read::Whole,
            found => Read::Cells(found),
        }
    }

    /// Takes a row with quotation marks apart, then looks its cells up.
    fn read_quoted(&mut self, line: &str, first: usize) -> Read {
        let (mut text, mut ends) = (std::mem::take(&mut self.text), std::mem::take(&mut self.ends));
        unquote(line, &mut text, &mut ends);
        let whole = ends.len() == self.layout.width();
        if whole {
            let mut start = 0;
            for (place, end) in ends.iter().enumerate() {
                match self.layout.uses[place] {
                    Use::Nothing => {}
                    Use::Number(column) => self.number(place, first + column, &text[start..*end]),
                    Use::Word(column) => self.word(column, first, &text[start..*end]),
                }
                start = *end;
            }
        }
        let found = ends.len();
        (self.text, self.ends) = (text, ends);
        if whole { Read::Whole } else { Read::Cells(found) }
    }

    /// Writes the cells of a row that had quotation marks.
    fn write_quoted(&mut self) -> Range<usize> {
        let (begin, mut start) = (self.written.len(), 0);
        for (place, end) in self.ends.iter().enumerate() {
            if place > 0 {
                self.written.push(b',');
            }
            push_cell(&mut self.written, &self.text[start..*end]);
            start = *end;
        }
        begin..self.written.len()
    }

    /// A cell that may be a number, written in any way, or missing.
    fn number(&mut self, place: usize, at: usize, cell: &str) {
        self.numbers[at] = if cell.is_empty() || is_missing(cell) {
            f64::NAN
        } else {
            cell.trim().parse().unwrap_or_else(|_| {
                self.words.push((place, cell.to_owned()));
                f64::NAN
            })
        };
    }

    #[inline]
    fn word(&mut self, column: usize, first: usize, cell: &str) {
        let word = if has_bare_ends(cell.as_bytes()) { cell } else { cell.trim() };
        self.bins[first + column] = match word.as_bytes().first() {
            None => self.lookups.missing_bin(column),
            // What says that a value is missing begins with one of these.
            Some(b'N' | b'n' | b'#' | b'?' | b'-') if is_missing(word) => self.lookups.missing_bin(column),
            Some(_) => self.lookups.bin_of_word(column, word),
        };
    }
}

/// Whether a word surely has no space of any script at its ends; `str::trim` is slow where there is nothing to trim.
#[inline]
fn has_bare_ends(word: &[u8]) -> bool {
    // Beyond ASCII, spaces begin with C2, E1, E2 or E3, and have two or three bytes.
    let bare = |lead: u8| !matches!(lead, 0..=b' ' | 0x7f | 0xc2 | 0xe1..=0xe3);
    match word {
        [] => true,
        [first, .., last] if last.is_ascii() => bare(*first) && bare(*last),
        [first, .., third, second, _] => bare(*first) && !matches!(second, 0xc2) && !matches!(third, 0xe1..=0xe3),
        [first, second, _] => bare(*first) && *second != 0xc2,
        [only] => bare(*only),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_word_with_bare_ends_has_nothing_to_trim(word in "[ \u{85}\u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}\ta-c上é]{0,4}") {
            prop_assert!(!has_bare_ends(word.as_bytes()) || word.trim().len() == word.len());
        }
    }

    #[test]
    fn ordinary_words_have_bare_ends() {
        for word in ["", "a", "ab", "百官", "上虞 district", "v_3", "百"] {
            assert!(has_bare_ends(word.as_bytes()), "{word}");
        }
    }
}
