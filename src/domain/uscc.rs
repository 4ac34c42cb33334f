//! The unified social credit code, 统一社会信用代码 (GB 32100-2015).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The 31 symbols of the code; a symbol's value is its index. I, O, S, V and Z are left out.
const SYMBOLS: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";
/// Weights of positions 9 to 16 in the organisation code's own check (GB 11714).
const INNER_WEIGHTS: [u32; 8] = [3, 7, 9, 10, 5, 8, 4, 2];

/// A unified social credit code that may stand for a firm: normalised, 18 symbols, verdict `valid` or `suspect`.
///
/// The code identifies a firm, so `Debug` masks it; write it out only where its reader may know the firm.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Uscc {
    code: [u8; 18],
    verdict: UsccVerdict,
}

/// How far a code can be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UsccVerdict {
    /// Both check characters are right.
    Valid,
    /// The organisation code's check is right, the outer one is not: some registrations before 2016 look like this, and
    /// so does a mistyped code. Such a firm is referred, never decided silently.
    Suspect,
}

/// Why a text cannot be a unified social credit code.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum UsccError {
    /// It does not have 18 characters once blanks are taken out.
    #[error("a unified social credit code has 18 characters, this has {0}")]
    Length(usize),
    /// A character that the standard does not use.
    #[error(
        "character {position} ({found:?}) cannot stand in a unified social credit code (I, O, S, V and Z are not used)"
    )]
    Symbol {
        /// Its position, from 1.
        position: usize,
        /// What stands there, normalised.
        found: char,
    },
    /// The organisation code inside (positions 9 to 17) fails its check.
    #[error("the check character of the organisation code (position 17) is wrong")]
    Inner,
    /// Neither check character is right.
    #[error("the check characters (positions 17 and 18) are wrong")]
    Both,
}

impl UsccError {
    /// The same in Chinese.
    pub fn zh(&self) -> String {
        match self {
            UsccError::Length(found) => format!("统一社会信用代码为18位，此处为{found}位"),
            UsccError::Symbol { position, found } => {
                format!("第{position}位的“{found}”不能出现在统一社会信用代码中（不使用 I、O、S、V、Z）")
            }
            UsccError::Inner => "组织机构代码的校验位（第17位）不符".to_owned(),
            UsccError::Both => "校验位（第17、18位）不符".to_owned(),
        }
    }
}

impl Uscc {
    /// Whether the code is valid or only suspect.
    pub fn verdict(&self) -> UsccVerdict {
        self.verdict
    }

    /// The 18 characters.
    pub fn as_str(&self) -> &str {
        // The code holds symbols of SYMBOLS only, all ASCII.
        std::str::from_utf8(&self.code).unwrap_or_default()
    }

    /// The code with its organisation part hidden, for people who need not know the firm: `91330604****4W`.
    pub fn masked(&self) -> String {
        let code = self.as_str();
        format!("{}****{}", &code[..8], &code[16..])
    }

    /// The code whose first eight symbols are `head` and whose organisation code begins with the eight symbols `body`;
    /// both check characters are computed. Fails on symbols that the standard does not use.
    pub fn with_checks(head: &str, body: &str) -> Result<Uscc, UsccError> {
        let mut code: Vec<u8> = head.bytes().chain(body.bytes()).collect();
        if code.len() != 16 {
            return Err(UsccError::Length(code.len()));
        }
        check_symbols(&code)?;
        code.push(inner_check(&code[8..16]));
        code.push(outer_check(&code));
        let text: String = code.iter().map(|&b| char::from(b)).collect();
        text.parse()
    }
}

fn value(symbol: u8) -> Option<u32> {
    SYMBOLS.iter().position(|&s| s == symbol).map(|i| i as u32)
}

fn check_symbols(code: &[u8]) -> Result<(), UsccError> {
    match code.iter().position(|&b| value(b).is_none()) {
        None => Ok(()),
        Some(i) => Err(UsccError::Symbol { position: i + 1, found: char::from(code[i]) }),
    }
}

/// C18 = (31 − Σ value·3^(i−1) mod 31) mod 31 over the first 17 symbols.
fn outer_check(code: &[u8]) -> u8 {
    let (mut sum, mut weight) = (0, 1);
    for &symbol in &code[..17] {
        sum += value(symbol).unwrap_or(0) * weight;
        weight = weight * 3 % 31;
    }
    SYMBOLS[((31 - sum % 31) % 31) as usize]
}

/// c = 11 − Σ mod 11 with A–Z as 10–35; 10 is written X and 11 is written 0.
fn inner_check(organisation: &[u8]) -> u8 {
    let sum: u32 = organisation
        .iter()
        .zip(INNER_WEIGHTS)
        .map(|(&symbol, weight)| char::from(symbol).to_digit(36).unwrap_or(0) * weight)
        .sum();
    match 11 - sum % 11 {
        10 => b'X',
        11 => b'0',
        c => b'0' + c as u8,
    }
}

/// Upper case, half width, no blanks. A letter is never guessed: I stays I and is refused.
fn normalise(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\u{ff01}'..='\u{ff5e}' => char::from_u32(c as u32 - 0xfee0).unwrap_or(c),
            _ => c,
        })
        .filter(|c| !c.is_whitespace() && !matches!(c, '\u{200b}' | '\u{feff}'))
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

impl FromStr for Uscc {
    type Err = UsccError;

    fn from_str(text: &str) -> Result<Uscc, UsccError> {
        let text = normalise(text);
        let length = text.chars().count();
        if length != 18 {
            return Err(UsccError::Length(length));
        }
        if let Some((i, found)) = text.chars().enumerate().find(|(_, c)| !c.is_ascii()) {
            return Err(UsccError::Symbol { position: i + 1, found });
        }
        let code: [u8; 18] = text.as_bytes().try_into().map_err(|_| UsccError::Length(text.len()))?;
        check_symbols(&code)?;
        let outer = outer_check(&code) == code[17];
        let inner = inner_check(&code[8..16]) == code[16];
        match (outer, inner) {
            (true, true) => Ok(Uscc { code, verdict: UsccVerdict::Valid }),
            (false, true) => Ok(Uscc { code, verdict: UsccVerdict::Suspect }),
            (true, false) => Err(UsccError::Inner),
            (false, false) => Err(UsccError::Both),
        }
    }
}

impl fmt::Display for Uscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Uscc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.masked())
    }
}

impl Serialize for Uscc {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Uscc {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Uscc, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const VALID: [&str; 7] = [
        "91330604MA2XY0014W",
        "91330604MA2D7K3P92",
        "92330604MA2GT00110",
        "93330604MF0TE5T14Q",
        "913306047410012389",
        "91330604MA200006XC",
        "91350100M000100Y43",
    ];

    #[test]
    fn the_vectors_of_valid_codes_are_valid() {
        for code in VALID {
            assert_eq!(code.parse::<Uscc>().unwrap().verdict(), UsccVerdict::Valid, "{code}");
        }
    }

    #[test]
    fn the_misprint_in_the_standard_and_other_numbers_are_refused() {
        assert_eq!("91350100M000100Y4Z".parse::<Uscc>(), Err(UsccError::Symbol { position: 18, found: 'Z' }));
        assert_eq!("111111111111111111".parse::<Uscc>(), Err(UsccError::Both));
        assert_eq!("362322198709086409".parse::<Uscc>(), Err(UsccError::Inner));
        assert_eq!("".parse::<Uscc>(), Err(UsccError::Length(0)));
        assert_eq!("９１３３０６０４中文字".parse::<Uscc>(), Err(UsccError::Length(11)));
    }

    #[test]
    fn a_code_with_a_right_inner_and_a_wrong_outer_check_is_suspect() {
        assert_eq!("91350203M0001QKT19".parse::<Uscc>().unwrap().verdict(), UsccVerdict::Suspect);
    }

    #[test]
    fn case_blanks_and_full_width_are_normalised_and_letters_never_guessed() {
        let plain: Uscc = VALID[0].parse().unwrap();
        for text in [" 91330604ma2xy0014w\n", "9133 0604 MA2X Y001 4W", "９１３３０６０４ＭＡ２ＸＹ００１４Ｗ"]
        {
            assert_eq!(text.parse::<Uscc>().unwrap(), plain, "{text}");
        }
        assert_eq!("9I330604MA2XY0014W".parse::<Uscc>(), Err(UsccError::Symbol { position: 2, found: 'I' }));
        assert!("9133O604MA2XY0014W".parse::<Uscc>().is_err());
    }

    #[test]
    fn debug_output_does_not_show_the_firm() {
        let code: Uscc = VALID[0].parse().unwrap();
        assert!(!format!("{code:?}").contains("MA2XY001"));
    }

    fn any_code() -> impl Strategy<Value = Uscc> {
        ("[0-9A-HJ-NPQRTUWXY]{8}", "[0-9A-HJ-NPQRTUWXY]{8}")
            .prop_map(|(head, body)| Uscc::with_checks(&head, &body).unwrap())
    }

    proptest! {
        #[test]
        fn computed_check_characters_make_valid_codes(code in any_code()) {
            prop_assert_eq!(code.verdict(), UsccVerdict::Valid);
            prop_assert_eq!(code.as_str().parse::<Uscc>().unwrap(), code);
        }

        #[test]
        fn a_single_wrong_symbol_is_never_valid(code in any_code(), at in 0usize..18, to in 0usize..31) {
            let mut bytes = code.as_str().as_bytes().to_vec();
            prop_assume!(bytes[at] != SYMBOLS[to]);
            bytes[at] = SYMBOLS[to];
            let verdict = String::from_utf8(bytes).unwrap().parse::<Uscc>().map(|c| c.verdict());
            prop_assert_ne!(verdict, Ok(UsccVerdict::Valid));
        }

        #[test]
        fn two_swapped_neighbours_are_never_valid(code in any_code(), at in 0usize..17) {
            let mut bytes = code.as_str().as_bytes().to_vec();
            prop_assume!(bytes[at] != bytes[at + 1]);
            bytes.swap(at, at + 1);
            let verdict = String::from_utf8(bytes).unwrap().parse::<Uscc>().map(|c| c.verdict());
            prop_assert_ne!(verdict, Ok(UsccVerdict::Valid));
        }

        #[test]
        fn no_text_makes_the_parser_panic(text in "\\PC{0,24}") {
            let _ = text.parse::<Uscc>();
        }
    }
}
