//! Training data in memory: typed columns and the outcome of each row.

use super::Value;

/// The code of a missing word in [`Values::Text`].
pub const MISSING_CODE: u32 = u32::MAX;

/// Rows with known outcomes.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// The columns, target apart; all as long as `bad`.
    pub columns: Vec<Column>,
    /// Whether each row ended badly.
    pub bad: Vec<bool>,
}

/// A named column.
#[derive(Debug, Clone)]
pub struct Column {
    /// Its name in the header.
    pub name: String,
    /// Its values.
    pub values: Values,
}

/// The values of a column.
#[derive(Debug, Clone)]
pub enum Values {
    /// Numbers; NaN is missing.
    Numeric(Vec<f64>),
    /// Words: an index into `levels` a row, or [`MISSING_CODE`].
    Text {
        /// The different words, in order of appearance.
        levels: Vec<String>,
        /// One a row.
        codes: Vec<u32>,
    },
}

impl Values {
    /// The value in `row`.
    pub fn get(&self, row: usize) -> Value<'_> {
        match self {
            Values::Numeric(numbers) => match numbers.get(row) {
                Some(x) if !x.is_nan() => Value::Number(*x),
                _ => Value::Missing,
            },
            Values::Text { levels, codes } => {
                let level = codes.get(row).and_then(|code| levels.get(*code as usize));
                level.map_or(Value::Missing, |word| Value::Text(word))
            }
        }
    }

    /// How many words of a column of words are of a kind; `None` for numbers.
    pub fn division(&self, is_of_kind: impl Fn(&str) -> bool) -> Option<Division> {
        let Values::Text { levels, codes } = self else { return None };
        let of_kind: Vec<bool> = levels.iter().map(|word| is_of_kind(word)).collect();
        let mut division = Division { of_kind: 0, filled: 0, first_other: None };
        for (row, code) in codes.iter().enumerate() {
            let Some((is, word)) = of_kind.get(*code as usize).zip(levels.get(*code as usize)) else { continue };
            division.filled += 1;
            if *is {
                division.of_kind += 1;
            } else if division.first_other.is_none() {
                division.first_other = Some((row, word.clone()));
            }
        }
        Some(division)
    }

    /// Rows with a value, and different values among them, counted up to `different_max`.
    pub fn filled_and_different(&self, different_max: usize) -> (usize, usize) {
        match self {
            Values::Numeric(numbers) => {
                let mut seen = std::collections::HashSet::new();
                let mut filled = 0;
                for x in numbers.iter().filter(|x| !x.is_nan()) {
                    filled += 1;
                    if seen.len() < different_max {
                        seen.insert((x + 0.0).to_bits());
                    }
                }
                (filled, seen.len())
            }
            Values::Text { levels, codes } => {
                let filled = codes.iter().filter(|code| **code != MISSING_CODE).count();
                (filled, levels.len().min(different_max))
            }
        }
    }
}

/// How many of a column's words are of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Division {
    /// Rows whose word is of the kind.
    pub of_kind: u64,
    /// Rows with a word.
    pub filled: u64,
    /// The first row whose word is not, and the word.
    pub first_other: Option<(usize, String)>,
}

/// Whether a cell says that its value is not known: empty, `NA`, `N/A`, `#N/A`, `NaN`, `-nan`, `null`, `?`, in any case.
pub fn is_missing(cell: &str) -> bool {
    let cell = cell.trim();
    let words = ["na", "n/a", "nan", "-nan", "null", "#n/a"];
    cell.is_empty() || cell == "?" || words.iter().any(|word| cell.eq_ignore_ascii_case(word))
}

/// The number that a cell holds, infinities included; `None` where it is a word.
pub fn parse_number(cell: &str) -> Option<f64> {
    cell.trim().parse::<f64>().ok().filter(|x| !x.is_nan())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_words_for_nothing_are_missing_and_zero_is_not() {
        for cell in ["", "  ", "NA", "n/a", "NaN", "NULL", "?", " na ", "#N/A", "-nan"] {
            assert!(is_missing(cell), "{cell:?}");
        }
        for cell in ["0", "none", "-", "0.0", "v_"] {
            assert!(!is_missing(cell), "{cell:?}");
        }
    }

    #[test]
    fn numbers_are_told_from_words() {
        assert_eq!(parse_number(" 1e3 "), Some(1000.0));
        assert_eq!(parse_number("-inf"), Some(f64::NEG_INFINITY));
        assert_eq!(parse_number("1,5"), None);
        assert_eq!(parse_number("v_1"), None);
    }
}
