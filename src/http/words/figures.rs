//! Amounts, dates and numbers as people write them in each language.

use jiff::Timestamp;
use jiff::civil::Date;

use crate::domain::{Fen, Language, china, china_date};

/// Fen of 1 万元.
const WAN: i64 = 1_000_000;

/// The digits of `whole` in groups of three.
fn grouped(whole: u64) -> String {
    let digits = whole.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn sign(negative: bool) -> &'static str {
    if negative { "−" } else { "" }
}

/// An amount, exact to the fen: in 万元 where it is whole to 0.01 万元, else in yuan.
pub fn money(amount: Fen, language: Language) -> String {
    let (minus, fen) = (sign(amount.0 < 0), amount.0.unsigned_abs());
    if language == Language::ZhCn && fen >= WAN as u64 && fen.is_multiple_of(10_000) {
        let (whole, hundredths) = (fen / WAN as u64, fen % WAN as u64 / 10_000);
        let decimals = match hundredths {
            0 => String::new(),
            n if n.is_multiple_of(10) => format!(".{}", n / 10),
            n => format!(".{n:02}"),
        };
        return format!("{minus}{}{decimals} 万元", grouped(whole));
    }
    let decimals = if fen.is_multiple_of(100) { String::new() } else { format!(".{:02}", fen % 100) };
    let yuan = grouped(fen / 100);
    match language {
        Language::ZhCn => format!("{minus}{yuan}{decimals} 元"),
        Language::En => format!("{minus}CNY {yuan}{decimals}"),
    }
}

/// A figure that is an amount: a whole number is fen, a number with a decimal point yuan; anything else stays as it is.
pub fn money_text(figure: &str, language: Language) -> String {
    let fen = match figure.split_once('.') {
        None => figure.parse().ok(),
        Some((yuan, decimals)) if decimals.len() == 2 => format!("{yuan}{decimals}").parse().ok(),
        Some(_) => None,
    };
    fen.map_or_else(|| figure.to_owned(), |fen| money(Fen(fen), language))
}

/// An amount rounded for reading beside others: two decimals of 万元, or whole yuan.
pub fn money_rounded(amount: Fen, language: Language) -> String {
    let unit = match language {
        Language::ZhCn if amount.0.unsigned_abs() >= WAN as u64 => 10_000,
        _ => 100,
    };
    let half = if amount.0 < 0 { -unit / 2 } else { unit / 2 };
    money(Fen(amount.0.saturating_add(half) / unit * unit), language)
}

/// The unit in which the language gives amounts along an axis, as a number of fen.
pub fn axis_unit(language: Language) -> f64 {
    match language {
        Language::ZhCn => WAN as f64,
        Language::En => 100_000.0,
    }
}

/// A day.
pub fn date(date: Date) -> String {
    date.to_string()
}

/// An instant to the minute, in China's time.
pub fn instant(at: Timestamp) -> String {
    at.to_zoned(china()).strftime("%Y-%m-%d %H:%M").to_string()
}

/// The day of an instant in China.
pub fn day(at: Timestamp) -> String {
    china_date(at).to_string()
}

/// Days from the day of `from` to the day of `to`, by the calendar in China; negative when `to` is earlier.
pub fn days_between(from: Timestamp, to: Timestamp) -> i64 {
    let day = china_date;
    i64::from(day(from).until(day(to)).map_or(0, |span| span.get_days()))
}

/// A number to at most `decimals` places, without trailing zeros, in groups of three.
pub fn number(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "—".to_owned();
    }
    // Halves go away from zero, as in `points`; what is written out is the rounded number.
    let scale = 10.0_f64.powi(decimals as i32);
    let scaled = (value.abs() * scale).round();
    let rounded = if scaled.is_finite() { scaled / scale } else { value.abs() };
    let written = format!("{rounded:.decimals$}");
    let (whole, rest) = written.split_once('.').unwrap_or((&written, ""));
    let rest = rest.trim_end_matches('0');
    let whole = whole.parse().map_or_else(|_| whole.to_owned(), grouped);
    let minus = sign(value < 0.0 && !(whole == "0" && rest.is_empty()));
    if rest.is_empty() { format!("{minus}{whole}") } else { format!("{minus}{whole}.{rest}") }
}

/// A share of one as a percentage with two decimals.
pub fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

/// Points to one decimal with their sign.
pub fn points(value: f64) -> String {
    let rounded = (value * 10.0).round() / 10.0;
    let sign = if rounded > 0.0 {
        "+"
    } else if rounded < 0.0 {
        "−"
    } else {
        "±"
    };
    format!("{sign}{:.1}", rounded.abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_exact_in_both_languages() {
        for (fen, zh, en) in [
            (500_000_000, "500 万元", "CNY 5,000,000"),
            (1_234_560_000, "1,234.56 万元", "CNY 12,345,600"),
            (3_500_000, "3.5 万元", "CNY 35,000"),
            (1_000_001, "10,000.01 元", "CNY 10,000.01"),
            (850_000, "8,500 元", "CNY 8,500"),
            (0, "0 元", "CNY 0"),
            (-500_000_000, "−500 万元", "−CNY 5,000,000"),
        ] {
            assert_eq!(money(Fen(fen), Language::ZhCn), zh);
            assert_eq!(money(Fen(fen), Language::En), en);
        }
        assert_eq!(money(Fen(i64::MIN), Language::En), "−CNY 92,233,720,368,547,758.08");
    }

    #[test]
    fn rounded_amounts_round_half_away_from_zero() {
        assert_eq!(money_rounded(Fen(123_456_789), Language::ZhCn), "123.46 万元");
        assert_eq!(money_rounded(Fen(-123_456_789), Language::ZhCn), "−123.46 万元");
        assert_eq!(money_rounded(Fen(12_345_650), Language::En), "CNY 123,457");
    }

    #[test]
    fn amounts_in_figures_are_read_as_fen_or_as_yuan() {
        assert_eq!(money_text("500000000", Language::ZhCn), "500 万元");
        assert_eq!(money_text("5000000.00", Language::ZhCn), "500 万元");
        assert_eq!(money_text("much", Language::ZhCn), "much");
    }

    #[test]
    fn numbers_and_points_are_written_for_people() {
        assert_eq!(number(1234567.891, 2), "1,234,567.89");
        assert_eq!(number(-0.001, 2), "0");
        assert_eq!((number(18.25, 1), points(18.25)), ("18.3".to_owned(), "+18.3".to_owned()));
        assert_eq!(number(12.0, 2), "12");
        assert_eq!(number(f64::NAN, 2), "—");
        assert_eq!(points(-12.34), "−12.3");
        assert_eq!(points(0.01), "±0.0");
        assert_eq!(percent(0.01234), "1.23%");
    }

    #[test]
    fn instants_are_told_in_chinas_time() {
        let at: Timestamp = "2026-11-22T18:43:59Z".parse().unwrap();
        assert_eq!(instant(at), "2026-11-23 02:43");
        assert_eq!(day(at), "2026-11-23");
        let same_day: Timestamp = "2026-11-23T15:59:00Z".parse().unwrap();
        let next_day: Timestamp = "2026-11-23T16:00:00Z".parse().unwrap();
        assert_eq!(days_between(at, same_day), 0);
        assert_eq!(days_between(at, next_day), 1);
        assert_eq!(days_between(next_day, at), -1);
    }
}
