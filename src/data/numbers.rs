//! Numbers at the front of text, read quickly.

/// Powers of ten that are exact in `f64`.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
    1e21, 1e22,
];
/// Digits that surely fit `u64`.
const DIGITS_MAX: usize = 19;
/// Whole numbers up to here are exact in `f64`.
const EXACT_MAX: u64 = 1 << 53;

/// The plain decimal number (`-12.5`) that `bytes` begin with, and how many bytes it takes; `None` for anything unusual, which is
/// then for `str::parse`. What comes out is what `str::parse` gives: digits below 2^53 and a power of ten up to 10^22 are both
/// exact, so one division rounds once (Clinger 1990).
#[inline]
pub fn leading_number(bytes: &[u8]) -> Option<(f64, usize)> {
    let negative = bytes.first() == Some(&b'-');
    let start = usize::from(negative);
    let (mut at, mut digits) = (start, 0_u64);
    while let Some(digit) = digit_at(bytes, at) {
        digits = digits.wrapping_mul(10).wrapping_add(digit);
        at += 1;
    }
    let mut count = at - start;
    let mut decimals = 0;
    if bytes.get(at) == Some(&b'.') {
        at += 1;
        let point = at;
        while let Some(digit) = digit_at(bytes, at) {
            digits = digits.wrapping_mul(10).wrapping_add(digit);
            at += 1;
        }
        decimals = at - point;
        count += decimals;
    }
    if count == 0 || count > DIGITS_MAX || digits > EXACT_MAX {
        return None;
    }
    let number = digits as f64 / POWERS[decimals];
    Some((if negative { -number } else { number }, at))
}

#[inline]
fn digit_at(bytes: &[u8], at: usize) -> Option<u64> {
    let digit = bytes.get(at)?.wrapping_sub(b'0');
    (digit < 10).then_some(u64::from(digit))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_unusual_is_left_to_the_standard_library() {
        for text in ["", "-", ".", "-.", "+5", "inf", "NaN", "x", "12345678901234567890", "0.00000000000000000001"] {
            assert_eq!(leading_number(text.as_bytes()), None, "{text:?}");
        }
        assert_eq!(leading_number(b"12.5,x"), Some((12.5, 4)));
        assert_eq!(leading_number(b"5.,"), Some((5.0, 2)));
        assert_eq!(leading_number(b"-.5"), Some((-0.5, 3)));
        assert_eq!(leading_number(b"1e5"), Some((1.0, 1)), "the rest is for the caller to see");
        assert!(leading_number(b"-0").is_some_and(|(zero, _)| zero.is_sign_negative()));
    }

    proptest! {
        #[test]
        fn a_number_is_the_one_that_the_standard_library_reads(text in "-?[0-9]{0,12}(\\.[0-9]{0,10})?") {
            if let Some((number, length)) = leading_number(text.as_bytes()) {
                prop_assert_eq!(length, text.len());
                prop_assert_eq!(number.to_bits(), text.parse::<f64>().unwrap().to_bits());
            }
        }

        #[test]
        fn shortest_digits_come_back_as_the_same_bits(x in any::<f64>()) {
            let text = x.to_string();
            if let Some((number, length)) = leading_number(text.as_bytes()) && length == text.len() {
                prop_assert_eq!(number.to_bits(), x.to_bits());
            }
        }
    }
}
