//! Numbers as departments write them, read without any rounding: as digits and a power of ten.

/// A decimal number: `digits` x 10^-`places`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    digits: i128,
    places: u32,
}

/// The most digits and the most places that are read; no amount that is possible needs more.
const DIGITS_MAX: usize = 30;
const EXPONENT_MAX: i32 = 30;

impl Decimal {
    /// Reads `1234`, `-1,234.50`, `+3`, `.5`, `1e3`; also in full-width signs. `None` where it is no number.
    pub(super) fn parse(text: &str) -> Option<Decimal> {
        let plain: String = text.chars().filter_map(narrow).collect();
        let (mantissa, exponent) = match plain.split_once(['e', 'E']) {
            Some((mantissa, exponent)) => (mantissa, exponent.parse::<i32>().ok()?),
            None => (plain.as_str(), 0),
        };
        if exponent.abs() > EXPONENT_MAX {
            return None;
        }
        let (negative, unsigned) = match mantissa.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, mantissa.strip_prefix('+').unwrap_or(mantissa)),
        };
        let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
        let whole = without_separators(whole)?;
        let fraction = fraction.trim_end_matches('0');
        let all = format!("{whole}{fraction}");
        let digits_given = !unsigned.trim_matches('.').is_empty();
        if !digits_given || all.len() > DIGITS_MAX || !all.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let digits: i128 = if all.is_empty() { 0 } else { all.parse().ok()? };
        let digits = if negative { -digits } else { digits };
        let number = Decimal { digits, places: u32::try_from(fraction.len()).ok()? };
        number.shifted(exponent)
    }

    /// The number times 10^`power`.
    pub(super) fn shifted(self, power: i32) -> Option<Decimal> {
        let places = i64::from(self.places) - i64::from(power);
        match u32::try_from(places) {
            Ok(places) => Some(Decimal { places, ..self }),
            Err(_) => {
                let factor = 10i128.checked_pow(u32::try_from(-places).ok()?)?;
                Some(Decimal { digits: self.digits.checked_mul(factor)?, places: 0 })
            }
        }
    }

    /// The whole number that this is, if it is one.
    pub(super) fn whole(self) -> Option<i64> {
        let unit = 10i128.checked_pow(self.places)?;
        (self.digits % unit == 0).then(|| i64::try_from(self.digits / unit).ok())?
    }

    /// Whether even its whole part is more than a whole number here can be.
    pub(super) fn is_too_large(self) -> bool {
        10i128.checked_pow(self.places).is_some_and(|unit| i64::try_from(self.digits / unit).is_err())
    }

    /// The nearest whole number; halves go away from zero.
    pub(super) fn rounded(self) -> Option<i64> {
        let unit = 10i128.checked_pow(self.places)?;
        let half = if self.digits < 0 { -(unit / 2) } else { unit / 2 };
        i64::try_from((self.digits + half) / unit).ok()
    }

    /// The nearest floating-point number.
    pub(super) fn float(self) -> Option<f64> {
        format!("{}e-{}", self.digits, self.places).parse().ok()
    }
}

/// Full-width digits and signs as the usual ones; spaces are left out.
fn narrow(c: char) -> Option<char> {
    match c {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0),
        c if c.is_whitespace() => None,
        c => Some(c),
    }
}

/// Digits without the commas between groups of three or, as some write, of four.
fn without_separators(whole: &str) -> Option<String> {
    let groups: Vec<&str> = whole.split(',').collect();
    let Some((first, rest)) = groups.split_first() else { return Some(String::new()) };
    let of = |size: usize| (1..=size).contains(&first.len()) && rest.iter().all(|group| group.len() == size);
    (rest.is_empty() || of(3) || of(4)).then(|| groups.concat())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_are_read_as_they_are_written_and_nothing_else_is_read() {
        for (text, fen_of_yuan) in [
            ("1,234.50", 123_450),
            ("-0.01", -1),
            ("１２，３４５．６０", 1_234_560),
            ("12,3456.7", 12_345_670),
            ("1.5e3", 150_000),
            ("+3", 300),
            (".5", 50),
            ("5.", 500),
            ("0.00", 0),
        ] {
            let number = Decimal::parse(text).unwrap_or_else(|| panic!("{text}"));
            assert_eq!(number.shifted(2).unwrap().whole(), Some(fen_of_yuan), "{text}");
        }
        for text in ["", ".", "-", "12a", "1,23", "1,2345,678", "NaN", "1e99", "0x10", "1.2.3", "--1", "٣", "1e"] {
            assert_eq!(Decimal::parse(text), None, "{text}");
        }
        assert_eq!(Decimal::parse("1.005").unwrap().shifted(2).unwrap().whole(), None);
        assert_eq!(Decimal::parse("-1.005").unwrap().shifted(2).unwrap().rounded(), Some(-101));
    }

    proptest! {
        #[test]
        fn fen_written_as_wan_yuan_come_back_to_the_fen(fen in -1_000_000_000_000_000i64..=1_000_000_000_000_000) {
            let sign = if fen < 0 { "-" } else { "" };
            let text = format!("{sign}{}.{:06}", fen.abs() / 1_000_000, fen.abs() % 1_000_000);
            prop_assert_eq!(Decimal::parse(&text).unwrap().shifted(6).unwrap().whole(), Some(fen));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "\\PC{0,40}") {
            if let Some(number) = Decimal::parse(&text) {
                let _ = (number.whole(), number.rounded(), number.float(), number.shifted(20));
            }
        }
    }
}
