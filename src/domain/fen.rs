//! Money in integer fen (1 yuan = 100 fen).

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, Sub};

use serde::{Deserialize, Serialize};

/// An amount of money in fen. Sums saturate: no amount of bad input can wrap around into a good one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fen(pub i64);

impl Fen {
    /// Nothing.
    pub const ZERO: Fen = Fen(0);

    /// An amount of whole yuan.
    pub const fn from_yuan(yuan: i64) -> Fen {
        Fen(yuan.saturating_mul(100))
    }

    /// The amount in yuan, for ratios and for reading; not for adding up.
    pub fn yuan(self) -> f64 {
        self.0 as f64 / 100.0
    }

    /// The amount in 万元 (10,000 yuan), the unit of the size-class table and of loan officers.
    pub fn wan_yuan(self) -> f64 {
        self.0 as f64 / 1_000_000.0
    }

    /// `share` of this amount, rounded down to whole fen; `share` is a ratio of one, not a percentage.
    pub fn share(self, share: f64) -> Fen {
        Fen((self.0 as f64 * share).floor() as i64)
    }
}

impl Add for Fen {
    type Output = Fen;
    fn add(self, other: Fen) -> Fen {
        Fen(self.0.saturating_add(other.0))
    }
}

impl Sub for Fen {
    type Output = Fen;
    fn sub(self, other: Fen) -> Fen {
        Fen(self.0.saturating_sub(other.0))
    }
}

impl Sum for Fen {
    fn sum<I: Iterator<Item = Fen>>(amounts: I) -> Fen {
        amounts.fold(Fen::ZERO, Add::add)
    }
}

impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let fen = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", fen / 100, fen % 100)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_print_in_yuan_with_two_decimals() {
        assert_eq!(Fen(123_456).to_string(), "1234.56");
        assert_eq!(Fen(-5).to_string(), "-0.05");
    }

    #[test]
    fn sums_saturate_instead_of_wrapping() {
        assert_eq!([Fen(i64::MAX), Fen(1)].into_iter().sum::<Fen>(), Fen(i64::MAX));
    }
}
