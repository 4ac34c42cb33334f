//! Columns back into the words of the trade. Errors name the row and the column, never the value.

use std::str::FromStr;

use jiff::Timestamp;
use serde::de::DeserializeOwned;

use super::StoreError;

/// The row that is being read.
#[derive(Clone, Copy)]
pub(super) struct Row<'a> {
    pub(super) what: &'static str,
    pub(super) id: &'a str,
}

impl Row<'_> {
    /// What to say of a column that cannot be read.
    pub(super) fn corrupt(self, column: &str) -> StoreError {
        StoreError::Corrupt { what: self.what, id: self.id.to_owned(), why: format!("bad {column}") }
    }

    /// A text column that is an id, a code or a name of a fixed set.
    pub(super) fn parse<T: FromStr>(self, column: &str, text: &str) -> Result<T, StoreError> {
        text.parse().map_err(|_| self.corrupt(column))
    }

    /// A column of JSON text.
    pub(super) fn json<T: DeserializeOwned>(self, column: &str, text: &str) -> Result<T, StoreError> {
        // serde_json quotes the value in its messages; only the place is told.
        serde_json::from_str(text).map_err(|e| {
            let why = format!("bad {column}, line {} column {}", e.line(), e.column());
            StoreError::Corrupt { what: self.what, id: self.id.to_owned(), why }
        })
    }

    /// A column of unix milliseconds.
    pub(super) fn instant(self, column: &str, at: i64) -> Result<Timestamp, StoreError> {
        Timestamp::from_millisecond(at).map_err(|_| self.corrupt(column))
    }

    /// A column of unix milliseconds that may be empty.
    pub(super) fn instant_if_any(self, column: &str, at: Option<i64>) -> Result<Option<Timestamp>, StoreError> {
        at.map(|at| self.instant(column, at)).transpose()
    }
}
