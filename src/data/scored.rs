//! What scoring adds to a row, as text.

use std::io::Write;

use super::DataError;
use super::records::push_cell;
use crate::model::columnar::{Lookups, REASONS_MAX, Reasons};
use crate::model::reason_code;

/// The columns that scoring adds.
pub const ADDED: [&str; 7] = ["pd", "score", "grade", "reason_1", "reason_2", "reason_3", "reason_4"];
/// The cells of a row that could not be scored.
const NOTHING: &[u8] = b",,,,,,,\n";
/// Totals whose text is kept. Totals are multiples of 1/64: this many are 256 points in a row, which is where most firms are.
const KEPT: usize = 1 << 14;
/// Text that is longer is not kept.
const TEXT_MAX: usize = 47;

/// Checks that a file has none of the columns that scoring adds.
///
/// # Errors
/// [`DataError::Taken`].
pub fn check_free(header: &[String], path: &std::path::Path) -> Result<(), DataError> {
    match ADDED.into_iter().find(|name| header.iter().any(|column| column == name)) {
        Some(name) => Err(DataError::Taken { path: path.to_path_buf(), name }),
        None => Ok(()),
    }
}

/// Writes the cells of scored rows. The text of a total is kept: the next row with that total costs neither an exponential nor
/// the search for the shortest digits.
pub struct Tails<'l> {
    lookups: &'l Lookups<'l>,
    /// A comma and the reason code of each feature.
    codes: Vec<Vec<u8>>,
    kept: Vec<Kept>,
}

#[derive(Clone, Copy)]
struct Kept {
    total: f64,
    length: u8,
    text: [u8; TEXT_MAX],
}

impl<'l> Tails<'l> {
    /// For scores of `lookups`.
    pub fn new(lookups: &'l Lookups<'l>) -> Tails<'l> {
        let code = |feature: &String| {
            let mut text = vec![b','];
            push_cell(&mut text, &reason_code(feature));
            text
        };
        let codes = lookups.model().columns().iter().map(code).collect();
        Tails { lookups, codes, kept: vec![Kept { total: f64::NAN, length: 0, text: [0; TEXT_MAX] }; KEPT] }
    }

    /// Ends the row in `out` with the cells of its score.
    #[inline]
    pub fn push(&mut self, out: &mut Vec<u8>, total: f64, reasons: Reasons) {
        let kept = &mut self.kept[(total * 64.0) as i64 as usize % KEPT];
        if kept.total == total {
            out.extend_from_slice(&kept.text[..usize::from(kept.length)]);
        } else {
            let start = out.len();
            push_score(out, self.lookups, total);
            let text = &out[start..];
            if let Some(room) = kept.text.get_mut(..text.len()) {
                room.copy_from_slice(text);
                (kept.total, kept.length) = (total, text.len() as u8);
            }
        }
        let mut told = 0;
        for column in reasons.columns() {
            out.extend_from_slice(&self.codes[column]);
            told += 1;
        }
        out.extend_from_slice(&NOTHING[told + ADDED.len() - REASONS_MAX..]);
    }

    /// Ends the row in `out` as one that could not be scored.
    pub fn push_nothing(out: &mut Vec<u8>) {
        out.extend_from_slice(NOTHING);
    }
}

/// Probability, score and grade, each after a comma.
fn push_score(out: &mut Vec<u8>, lookups: &Lookups<'_>, total: f64) {
    let score = lookups.score(total);
    // Writing to memory does not fail. `{}` gives the fewest digits that read back as the same number.
    let _ = write!(out, ",{},{},", score.pd, score.score);
    push_cell(out, score.grade);
}

impl std::fmt::Debug for Tails<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tails").finish_non_exhaustive()
    }
}
