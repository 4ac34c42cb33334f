//! Scoring blocks of text: each row is looked up cell by cell as it is read, and written out with its score.

use memchr::{memchr, memchr_iter};

use super::faults::{BadRow, Fault};
use super::numbers::leading_number;
use super::records::{Record, Records, could_be_gbk, push_cell, unquote};
use super::scored::Tails;
use crate::model::columnar::{Lookups, Reasons};
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

/// Rows that were scored, and those that could not be.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Rows, bad ones and all.
    pub rows: u64,
    /// Bad rows, in their order.
    pub bad: Vec<BadRow>,
}

/// Scores text. Each thread has one.
#[derive(Debug)]
pub struct TextScorer<'l> {
    lookups: &'l Lookups<'l>,
    layout: &'l Layout,
    tails: Tails<'l>,
    bins: Vec<u32>,
    lost: Vec<f64>,
    /// The cells of a row with quotation marks.
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

impl<'l> TextScorer<'l> {
    /// A scorer for files of one layout.
    pub fn new(lookups: &'l Lookups<'l>, layout: &'l Layout) -> TextScorer<'l> {
        let bins = vec![0; lookups.model().columns().len()];
        let (lost, words) = (Vec::new(), Vec::new());
        TextScorer {
            lookups,
            layout,
            tails: Tails::new(lookups),
            bins,
            lost,
            text: String::new(),
            ends: Vec::new(),
            words,
        }
    }

    /// Scores the rows of `block` and adds them to `out`.
    pub fn score(&mut self, block: &[u8], out: &mut Vec<u8>) -> Outcome {
        let mut outcome = Outcome::default();
        for record in Records::new(block) {
            if let Some((fault, value)) = self.record(record, out) {
                outcome.bad.push(BadRow::new(outcome.rows, fault, &value));
            }
            outcome.rows += 1;
        }
        outcome
    }

    /// Scores a record, or says why not. It is in the output unless its cells cannot be told.
    #[inline]
    fn record(&mut self, record: Record<'_>, out: &mut Vec<u8>) -> Option<(Fault, String)> {
        let (Record::Plain(bytes) | Record::Quoted(bytes) | Record::Broken(bytes)) = record;
        let Ok(line) = std::str::from_utf8(bytes) else {
            let fault = Fault::NotUtf8 { gbk: could_be_gbk(bytes) };
            return Some((fault, String::from_utf8_lossy(bytes).into_owned()));
        };
        let read = match record {
            Record::Plain(_) => self.read_plain(line),
            Record::Quoted(_) => self.read_quoted(line),
            Record::Broken(_) => return Some((Fault::Quote, line.to_owned())),
        };
        if let Read::Cells(found) = read {
            self.words.clear();
            let lines = line.contains(['\n', '\r']);
            return Some((Fault::Cells { found, expected: self.layout.width(), lines }, line.to_owned()));
        }
        match record {
            Record::Plain(_) => out.extend_from_slice(bytes),
            _ => self.write_quoted(out),
        }
        if self.words.is_empty() {
            let (total, reasons) = self.looked_up();
            self.tails.push(out, total, reasons);
            return None;
        }
        Tails::push_nothing(out);
        let more = self.words.len() - 1;
        let first = self.words.drain(..).next();
        first.map(|(place, word)| (Fault::NotANumber { place, more }, word))
    }

    #[inline]
    fn looked_up(&mut self) -> (f64, Reasons) {
        (self.lookups.total(&self.bins), self.lookups.reasons(&self.bins, &mut self.lost))
    }

    /// Looks the cells of a row without quotation marks up as they are read.
    #[inline]
    fn read_plain(&mut self, line: &str) -> Read {
        let (bytes, width) = (line.as_bytes(), self.layout.width());
        let mut at = 0;
        for place in 0..self.layout.used {
            let rest = &bytes[at..];
            let length = match self.layout.uses[place] {
                Use::Nothing => memchr(b',', rest).unwrap_or(rest.len()),
                Use::Number(column) => match leading_number(rest) {
                    Some((x, length)) if matches!(rest.get(length), None | Some(b',')) => {
                        self.bins[column] = self.lookups.bin_of_number(column, x);
                        length
                    }
                    _ => {
                        let length = memchr(b',', rest).unwrap_or(rest.len());
                        self.number(place, column, &line[at..at + length]);
                        length
                    }
                },
                Use::Word(column) => {
                    let length = rest.iter().position(|byte| *byte == b',').unwrap_or(rest.len());
                    self.word(column, &line[at..at + length]);
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
    fn read_quoted(&mut self, line: &str) -> Read {
        let (mut text, mut ends) = (std::mem::take(&mut self.text), std::mem::take(&mut self.ends));
        unquote(line, &mut text, &mut ends);
        let whole = ends.len() == self.layout.width();
        if whole {
            let mut start = 0;
            for (place, end) in ends.iter().enumerate() {
                match self.layout.uses[place] {
                    Use::Nothing => {}
                    Use::Number(column) => self.number(place, column, &text[start..*end]),
                    Use::Word(column) => self.word(column, &text[start..*end]),
                }
                start = *end;
            }
        }
        let found = ends.len();
        (self.text, self.ends) = (text, ends);
        if whole { Read::Whole } else { Read::Cells(found) }
    }

    fn write_quoted(&self, out: &mut Vec<u8>) {
        let mut start = 0;
        for (place, end) in self.ends.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            push_cell(out, &self.text[start..*end]);
            start = *end;
        }
    }

    /// A cell that may be a number, written in any way.
    fn number(&mut self, place: usize, column: usize, cell: &str) {
        self.bins[column] = match cell.trim().parse::<f64>() {
            _ if is_missing(cell) => self.lookups.missing_bin(column),
            Ok(x) => self.lookups.bin_of_number(column, x),
            Err(_) => {
                self.words.push((place, cell.to_owned()));
                self.lookups.missing_bin(column)
            }
        };
    }

    #[inline]
    fn word(&mut self, column: usize, cell: &str) {
        self.bins[column] = if is_missing(cell) {
            self.lookups.missing_bin(column)
        } else {
            self.lookups.bin_of_word(column, cell.trim())
        };
    }
}
