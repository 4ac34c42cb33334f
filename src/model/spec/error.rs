//! What is said of a specification that cannot be used.

use thiserror::Error;

/// A specification that cannot be used.
#[derive(Debug, Error)]
pub enum SpecError {
    /// Not TOML, an unknown key, a value of the wrong kind.
    #[error("the specification cannot be read: {0}")]
    Toml(#[from] toml::de::Error),
    /// A value out of its range.
    #[error("the specification's {key} is {value}: {hint}")]
    Value {
        /// The key.
        key: &'static str,
        /// The value.
        value: String,
        /// What it must be.
        hint: &'static str,
    },
    /// A column that the data does not have.
    #[error("the specification names the column {0:?}, which the data does not have")]
    NoSuchColumn(String),
    /// A date column with something else in it.
    #[error("the specification names {column:?} as the date, but {value:?} in it is none: write dates as 2019-07-31")]
    NoDate {
        /// The column.
        column: String,
        /// What is no date.
        value: String,
    },
    /// A direction for words.
    #[error("the specification gives {0:?} a direction, but it is a column of words")]
    SignOfText(String),
    /// A decision about the target.
    #[error(
        "the specification names {column:?} under {key}, but that is the target, which is no feature: leave it out there"
    )]
    Target {
        /// The key.
        key: &'static str,
        /// The target.
        column: String,
    },
}
