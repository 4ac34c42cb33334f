//! Limits as officers type them.

use crate::domain::{Fen, Language};

/// The unit in which a limit is typed; it travels with the form, since the language may change meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// 万元, 10,000 yuan.
    WanYuan,
    /// Yuan.
    Yuan,
}

impl Unit {
    /// The unit of the language.
    pub fn of(language: Language) -> Unit {
        match language {
            Language::ZhCn => Unit::WanYuan,
            Language::En => Unit::Yuan,
        }
    }

    /// The name in the form.
    pub fn as_str(self) -> &'static str {
        match self {
            Unit::WanYuan => "wan_yuan",
            Unit::Yuan => "yuan",
        }
    }

    /// Decimal places that make a fen.
    fn decimals(self) -> usize {
        match self {
            Unit::WanYuan => 6,
            Unit::Yuan => 2,
        }
    }

    /// `amount` as the field shows it: exact, without trailing zeros.
    pub fn write(self, amount: Fen) -> String {
        let scale = 10_i64.pow(self.decimals() as u32);
        let decimals = format!("{:0width$}", amount.0 % scale, width = self.decimals());
        let decimals = decimals.trim_end_matches('0');
        let whole = amount.0 / scale;
        if decimals.is_empty() { whole.to_string() } else { format!("{whole}.{decimals}") }
    }

    /// Reads an amount, exactly; `None` where the text is no amount in this unit.
    ///
    /// Full-width digits, blanks, grouping commas and a currency sign are understood.
    pub fn read(self, text: &str) -> Option<Fen> {
        let plain: String = text
            .chars()
            .map(|c| match c {
                '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
                '。' => '.',
                c => c,
            })
            .filter(|c| !c.is_whitespace() && !matches!(c, ',' | '¥' | '￥'))
            .collect();
        let plain = match self {
            Unit::WanYuan => plain.trim_end_matches('元').trim_end_matches('万'),
            Unit::Yuan => plain.trim_start_matches("CNY").trim_end_matches('元'),
        };
        let (whole, decimals) = plain.split_once('.').unwrap_or((plain, ""));
        let digits = |part: &str| part.bytes().all(|b| b.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(decimals) || decimals.len() > self.decimals() {
            return None;
        }
        format!("{whole}{decimals:0<width$}", width = self.decimals()).parse().ok().map(Fen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn amounts_are_read_exactly_as_people_write_them() {
        for (unit, text, fen) in [
            (Unit::WanYuan, "300", 300_000_000),
            (Unit::WanYuan, " 1,200.5 ", 1_200_500_000),
            (Unit::WanYuan, "３００．２５万元", 300_250_000),
            (Unit::WanYuan, "0.000001", 1),
            (Unit::Yuan, "3000000", 300_000_000),
            (Unit::Yuan, "CNY 3,000,000.05", 300_000_005),
            (Unit::Yuan, "¥100", 10_000),
        ] {
            assert_eq!(unit.read(text), Some(Fen(fen)), "{text}");
        }
        for text in ["", "abc", "-5", "1e9", "1.2.3", ".5", "0.0000001", "99999999999999999999", "万", "+3"] {
            assert_eq!(Unit::WanYuan.read(text), None, "{text}");
        }
        assert_eq!(Unit::Yuan.read("1.001"), None, "there is nothing smaller than a fen");
        assert_eq!(Unit::Yuan.read("300万"), None, "another unit is not guessed");
    }

    proptest! {
        #[test]
        fn a_written_amount_reads_back_as_the_same_amount(fen in 0..i64::MAX) {
            for unit in [Unit::WanYuan, Unit::Yuan] {
                prop_assert_eq!(unit.read(&unit.write(Fen(fen))), Some(Fen(fen)));
            }
        }

        #[test]
        fn no_text_makes_the_reader_of_amounts_panic(text in "\\PC{0,24}") {
            let _ = (Unit::WanYuan.read(&text), Unit::Yuan.read(&text));
        }
    }
}
