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

/// The plain decimal number of up to seven characters before a comma that `bytes` begin with, and how many bytes it takes; `None`
/// for anything else. Eight bytes are one number here and no step depends on what they are: numbers of changing length are slow
/// digit by digit, because every end is a surprise. (Lemire 2021 reads eight digits like this.)
#[inline]
pub fn short_number(bytes: &[u8]) -> Option<(f64, usize)> {
    const TENS: u64 = 0x0a;
    let chunk = u64::from_le_bytes(*bytes.first_chunk()?);
    let commas = places_of(chunk, b',');
    if commas == 0 {
        return None;
    }
    let length = commas.trailing_zeros() / 8;
    let minus = u32::from(chunk as u8 == b'-');
    let (text, count) = (chunk >> (8 * minus), length - minus);
    // Where there is no point, it is after the last digit.
    let point = (places_of(text, b'.') | 0x80 << (8 * count)).trailing_zeros() / 8;
    let digits = count - u32::from(point < count);
    if digits == 0 {
        return None;
    }
    let without_point = (text & below(point)) | (text >> 8 & !below(point) & below(digits));
    let text = without_point << (64 - 8 * digits) | every(b'0') >> (8 * digits);
    // Every byte is 30 to 39, and so it is when 6 is added.
    let sixes = text.wrapping_add(every(6));
    if text & every(0xf0) | (sixes & every(0xf0)) >> 4 != every(0x33) {
        return None;
    }
    let pairs = text - every(b'0');
    let pairs = pairs * TENS + (pairs >> 8);
    let hundreds = (pairs & 0xff_0000_00ff).wrapping_mul(100 + (1_000_000 << 32));
    let ones = (pairs >> 16 & 0xff_0000_00ff).wrapping_mul(1 + (10_000 << 32));
    let number = (hundreds.wrapping_add(ones) >> 32) as f64 / POWERS[(digits - point) as usize];
    Some((f64::from_bits(number.to_bits() | u64::from(minus) << 63), length as usize))
}

/// Eight times the same byte.
const fn every(byte: u8) -> u64 {
    byte as u64 * 0x0101_0101_0101_0101
}

/// The lowest `count` bytes, at most seven.
fn below(count: u32) -> u64 {
    (1 << (8 * count)) - 1
}

/// The highest bit of each byte that is `byte`, up to the first at least; what is set above the first may be wrong.
fn places_of(chunk: u64, byte: u8) -> u64 {
    let zero_where_equal = chunk ^ every(byte);
    zero_where_equal.wrapping_sub(every(1)) & !zero_where_equal & every(0x80)
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

    #[test]
    fn short_numbers_are_taken_and_nothing_else() {
        for text in [
            ",1234567",
            "-,123456",
            ".,123456",
            "-.,12345",
            "1.2.3,45",
            "1 ,23456",
            "1e5,2345",
            "12345678,",
            "1,2",
            "--1,2345",
            "1-,23456",
        ] {
            assert_eq!(short_number(text.as_bytes()), None, "{text:?}");
        }
        for (text, number) in
            [("1,xxxxxx", 1.0), ("-12.25,x", -12.25), ("1234567,", 1_234_567.0), ("-.5,1.5,", -0.5), ("5.,.....", 5.0)]
        {
            assert_eq!(short_number(text.as_bytes()), Some((number, text.find(',').unwrap())), "{text:?}");
        }
        assert!(short_number(b"-0,12345").is_some_and(|(zero, _)| zero.is_sign_negative()));
    }

    proptest! {
        #[test]
        fn a_short_number_is_the_one_that_the_standard_library_reads(text in "[-0-9.,: /\u{80}]{0,9}", plain in "-?[0-9]{0,6}\\.?[0-9]{0,4},[0-9]{8}") {
            for text in [text, plain] {
                if let Some((number, length)) = short_number(text.as_bytes()) {
                    prop_assert_eq!(text.as_bytes()[length], b',');
                    prop_assert_eq!(number.to_bits(), text[..length].parse::<f64>().unwrap().to_bits());
                }
            }
        }

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
