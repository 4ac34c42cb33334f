//! Codes of the district's firms: from a firm's index and back by arithmetic, so that nothing has to be kept.

use crate::domain::Uscc;

use super::industries::Form;

/// The symbols of the code, as in GB 32100-2015.
const SYMBOLS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// 31^5: as many codes as five symbols write.
const NUMBERS: u64 = 28_629_151;
/// Spreads neighbours over the numbers. Prime to 31, so that multiplying by it modulo `NUMBERS` is a permutation.
const SPREAD: u64 = 12_345_701;
/// Every so many firms one has a code with a wrong outer check character, as some registrations before 2016 have.
const SUSPECT_EVERY: u32 = 997;
const SUSPECT_AT: u32 = 500;

/// The largest district: every firm has a code of its own.
pub const FIRMS_MAX: u32 = NUMBERS as u32;

/// The organisation codes begin with these. The registry counts up from MA0 and will not be there for decades, so that no
/// code of the sandbox is the code of a firm that exists.
const ORGANISATION: &str = "MAY";

/// Organisation codes of the reserved firms begin with these: as unreal as those of the district, and none of them.
const RESERVED: &str = "MAX000";

/// The code of the reserved firm `number`, which is below 100.
pub(super) fn reserved(number: u32, suspect_code: bool) -> Uscc {
    let body = format!("{RESERVED}{:02}", number % 100);
    let code = match Uscc::with_checks("91330604", &body) {
        Ok(code) => code,
        Err(refusal) => unreachable!("{body} is made of the code's own symbols: {refusal}"),
    };
    if suspect_code { suspect(&code) } else { code }
}

/// Whether a code may be that of a reserved firm.
pub(super) fn may_be_reserved(code: &Uscc) -> bool {
    code.as_str().get(8..16).is_some_and(|body| body.starts_with(RESERVED))
}

/// The code of the firm `index`.
pub(super) fn code(index: u32, form: Form) -> Uscc {
    let head = match form {
        Form::Enterprise => "91330604",
        Form::Household => "92330604",
        Form::Cooperative => "93330604",
    };
    let mut number = u64::from(index) * SPREAD % NUMBERS;
    let mut symbols = [0u8; 5];
    for symbol in symbols.iter_mut().rev() {
        *symbol = SYMBOLS[(number % 31) as usize];
        number /= 31;
    }
    let body: String = ORGANISATION.chars().chain(symbols.map(char::from)).collect();
    let code = match Uscc::with_checks(head, &body) {
        Ok(code) => code,
        Err(refusal) => unreachable!("{body} is made of the code's own symbols: {refusal}"),
    };
    if index % SUSPECT_EVERY == SUSPECT_AT { suspect(&code) } else { code }
}

/// The same code with a wrong outer check character.
fn suspect(code: &Uscc) -> Uscc {
    let text = code.as_str();
    let wrong = if text.ends_with('0') { '1' } else { '0' };
    // Were it refused after all, the valid code would do.
    format!("{}{wrong}", &text[..17]).parse().unwrap_or_else(|_| code.clone())
}

/// The index that a code stands for, if the district's firms can have such a code. The caller makes sure that the firm of
/// this index has this very code: the form and the check characters are not looked at here.
pub(super) fn index(code: &Uscc) -> Option<u32> {
    let body = code.as_str().get(8..16)?.strip_prefix(ORGANISATION)?;
    let mut number = 0u64;
    for symbol in body.bytes() {
        number = number * 31 + SYMBOLS.iter().position(|&s| s == symbol)? as u64;
    }
    u32::try_from(number * inverse(SPREAD) % NUMBERS).ok()
}

/// The inverse of `a` modulo `NUMBERS` by Euler's theorem: a^(φ−1), where φ(31^5) = 30·31^4.
fn inverse(a: u64) -> u64 {
    let (mut base, mut exponent, mut result) = (a % NUMBERS, 30 * 31u64.pow(4) - 1, 1);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = result * base % NUMBERS;
        }
        base = base * base % NUMBERS;
        exponent >>= 1;
    }
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::UsccVerdict;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_index_is_read_back_from_every_code(i in 0..FIRMS_MAX) {
            let code = code(i, Form::Household);
            prop_assert_eq!(index(&code), Some(i));
            let suspect = i % SUSPECT_EVERY == SUSPECT_AT;
            prop_assert_eq!(code.verdict() == UsccVerdict::Suspect, suspect);
        }
    }

    #[test]
    fn reserved_codes_are_codes_outside_the_districts_numbers() {
        for number in 0..100 {
            let (good, doubted) = (reserved(number, false), reserved(number, true));
            assert_eq!([good.verdict(), doubted.verdict()], [UsccVerdict::Valid, UsccVerdict::Suspect]);
            assert_eq!([index(&good), index(&doubted)], [None, None]);
            assert!(may_be_reserved(&good) && may_be_reserved(&doubted));
        }
        assert!(!may_be_reserved(&code(7, Form::Enterprise)));
    }

    #[test]
    fn codes_of_other_registers_have_no_index() {
        assert_eq!(index(&"91330604MA2XY0014W".parse().unwrap()), None);
        assert_eq!(index(&"913306047410012389".parse().unwrap()), None);
    }
}
