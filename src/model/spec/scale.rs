//! The scale as a specification may state it: a key that is left out takes its default. An artifact states all three.

use serde::{Deserialize, Deserializer};

use crate::model::Scaling;

#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Keys {
    base: f64,
    odds: f64,
    pdo: f64,
}

impl Default for Keys {
    fn default() -> Keys {
        let Scaling { base, odds, pdo } = Scaling::default();
        Keys { base, odds, pdo }
    }
}

/// Reads the table `[scaling]`.
///
/// # Errors
/// An unknown key, or a value that is no number.
pub fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Scaling, D::Error> {
    Keys::deserialize(from).map(|Keys { base, odds, pdo }| Scaling { base, odds, pdo })
}
