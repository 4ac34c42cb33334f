//! What scoring adds to a row, as text.

use std::io::Write;

use super::DataError;
use super::records::push_cell;
pub use crate::model::SCORED_COLUMNS as ADDED;
use crate::model::columnar::{Lookups, REASONS_MAX, Reasons, Total};
use crate::model::reason_code;

/// The cells of a row that could not be scored.
const NOTHING: &[u8] = b",,,,,,,\n";
/// Totals whose text is kept. Totals are multiples of 1/64: this many are 256 points in a row, which is where most firms are.
const KEPT: i64 = 1 << 14;
/// Text that is longer is not kept.
const TEXT_MAX: usize = 55;

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

/// One line of the cache.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Kept {
    total: i64,
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
        Tails { lookups, codes, kept: vec![Kept { total: i64::MAX, length: 0, text: [0; TEXT_MAX] }; KEPT as usize] }
    }

    /// Sees to it that the text of these totals is there: going through many at once, waiting for memory overlaps.
    pub fn prepare(&mut self, totals: impl Iterator<Item = Total>) {
        totals.for_each(|total| _ = self.kept(total));
    }

    /// The kept text of a total, now that of this one; its length is 0 where it is too long to be kept.
    #[inline]
    fn kept(&mut self, total: Total) -> &Kept {
        let kept = &mut self.kept[total.parts().rem_euclid(KEPT) as usize];
        if kept.total != total.parts() {
            let mut text = Vec::with_capacity(TEXT_MAX);
            push_score(&mut text, self.lookups, total);
            kept.length = 0;
            if let Some(room) = kept.text.get_mut(..text.len()) {
                room.copy_from_slice(&text);
                kept.length = text.len() as u8;
            }
            kept.total = total.parts();
        }
        kept
    }

    /// Ends the row in `out` with the cells of its score.
    #[inline]
    pub fn push(&mut self, out: &mut Vec<u8>, total: Total, reasons: Reasons) {
        let kept = self.kept(total);
        match kept.text.get(..usize::from(kept.length)) {
            Some(text) if !text.is_empty() => out.extend_from_slice(text),
            _ => push_score(out, self.lookups, total),
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
fn push_score(out: &mut Vec<u8>, lookups: &Lookups<'_>, total: Total) {
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
