//! A text in both languages of the page, and numbers as the page writes them.

use std::borrow::{Borrow, Cow};
use std::fmt::{Display, Formatter, Result};

use askama::filters::{Html, HtmlSafe, escape};

/// A text in both languages. Written out, it is HTML: escaped, each language marked, and the style sheet shows one of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// zh-CN.
    pub zh: Cow<'static, str>,
    /// English.
    pub en: Cow<'static, str>,
}

impl Said {
    pub fn new(zh: impl Into<Cow<'static, str>>, en: impl Into<Cow<'static, str>>) -> Said {
        Said { zh: zh.into(), en: en.into() }
    }

    /// What is the same in both languages: a number, a name from the data.
    pub fn same(text: impl Into<Cow<'static, str>>) -> Said {
        let text = text.into();
        Said { zh: text.clone(), en: text }
    }
}

impl Display for Said {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        if self.zh == self.en {
            return write!(out, "{}", escaped(&self.en));
        }
        let (zh, en) = (escaped(&self.zh), escaped(&self.en));
        write!(out, "<span lang=\"zh-CN\">{zh}</span><span lang=\"en\">{en}</span>")
    }
}

impl HtmlSafe for Said {}

/// `text` as HTML writes it.
pub fn escaped(text: &str) -> impl Display + '_ {
    let Ok(safe) = escape(text, Html);
    safe.0
}

/// Texts of the templates.
#[derive(Clone, Copy)]
pub struct Words;

impl Words {
    pub fn t(self, zh: &'static str, en: &'static str) -> Said {
        Said::new(zh, en)
    }
}

/// Numbers of the templates, which hand them over by reference. What is not defined is a dash.
#[derive(Clone, Copy)]
pub struct Figures;

const UNDEFINED: &str = "–";

impl Figures {
    /// A number of things, in groups of three digits.
    pub fn count(self, count: impl Borrow<u64>) -> String {
        let digits = count.borrow().to_string();
        let mut out = String::new();
        for (i, digit) in digits.chars().enumerate() {
            if i > 0 && (digits.len() - i).is_multiple_of(3) {
                out.push(',');
            }
            out.push(digit);
        }
        out
    }

    /// A number with `decimals` digits after the point and a proper minus.
    pub fn fixed(self, x: impl Borrow<f64>, decimals: usize) -> String {
        let x = *x.borrow();
        if !x.is_finite() {
            return UNDEFINED.to_owned();
        }
        let written = format!("{:.decimals$}", x.abs());
        let zero = written.bytes().all(|b| matches!(b, b'0' | b'.'));
        if x < 0.0 && !zero { format!("−{written}") } else { written }
    }

    /// [`Figures::fixed`] of what may not be defined.
    pub fn maybe(self, x: impl Borrow<Option<f64>>, decimals: usize) -> String {
        x.borrow().map_or_else(|| UNDEFINED.to_owned(), |x| self.fixed(x, decimals))
    }

    /// A share as a percentage: more digits for small ones.
    pub fn percent(self, share: impl Borrow<f64>) -> String {
        let share = *share.borrow();
        let decimals = if share != 0.0 && share.abs() < 0.01 { 2 } else { 1 };
        let written = self.fixed(100.0 * share, decimals);
        if share.is_finite() { format!("{written}%") } else { written }
    }

    /// [`Figures::percent`] of what may not be defined.
    pub fn maybe_percent(self, share: impl Borrow<Option<f64>>) -> String {
        share.borrow().map_or_else(|| UNDEFINED.to_owned(), |share| self.percent(share))
    }

    /// An interval of percentages.
    pub fn percents(self, interval: impl Borrow<[f64; 2]>) -> String {
        let [low, high] = *interval.borrow();
        format!("{} – {}", self.percent(low), self.percent(high))
    }

    /// An interval of percentages that may not be defined.
    pub fn maybe_percents(self, interval: impl Borrow<Option<[f64; 2]>>) -> String {
        interval.borrow().map_or_else(|| UNDEFINED.to_owned(), |interval| self.percents(interval))
    }

    /// An interval.
    pub fn interval(self, interval: impl Borrow<[f64; 2]>, decimals: usize) -> String {
        let [low, high] = *interval.borrow();
        format!("{} – {}", self.fixed(low, decimals), self.fixed(high, decimals))
    }

    /// A p-value.
    pub fn p(self, p: impl Borrow<f64>) -> String {
        let p = *p.borrow();
        if p < 0.001 { "< 0.001".to_owned() } else { self.fixed(p, 3) }
    }

    /// Points: to two digits, without trailing zeros.
    pub fn points(self, points: impl Borrow<f64>) -> String {
        let written = self.fixed(points, 2);
        match written.split_once('.') {
            Some(_) => written.trim_end_matches('0').trim_end_matches('.').to_owned(),
            None => written,
        }
    }

    /// From the fewest to the most points.
    pub fn range(self, range: impl Borrow<[f64; 2]>) -> String {
        let [low, high] = *range.borrow();
        format!("{} … {}", self.points(low), self.points(high))
    }

    /// A value of the data, with all its digits.
    pub fn value(self, x: f64) -> String {
        let size = x.abs();
        if size != 0.0 && !(1e-4..1e12).contains(&size) {
            return format!("{x:e}").replace('-', "−");
        }
        let written = size.to_string();
        let (whole, rest) = written.split_once('.').unwrap_or((&written, ""));
        let whole = whole.parse::<u64>().map_or_else(|_| whole.to_owned(), |whole| self.count(whole));
        let sign = if x < 0.0 { "−" } else { "" };
        if rest.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{rest}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_from_the_data_is_escaped_in_both_languages() {
        let said = Said::new(format!("列 {}", "<b>"), format!("column {}", "<b>")).to_string();
        assert_eq!(said.matches("<b>").count(), 0);
        assert!(said.starts_with("<span lang=\"zh-CN\">列 &#60;b&#62;</span><span lang=\"en\">"), "{said}");
        assert_eq!(Said::same("a&b").to_string(), "a&#38;b");
    }

    #[test]
    fn numbers_are_written_as_people_write_them() {
        let f = Figures;
        assert_eq!([f.count(0), f.count(999), f.count(1_234_567)], ["0", "999", "1,234,567"]);
        assert_eq!([f.fixed(-0.001, 2), f.fixed(-1.5, 1), f.fixed(f64::NAN, 1)], ["0.00", "−1.5", "–"]);
        assert_eq!(
            [f.percent(0.0), f.percent(0.0042), f.percent(0.123), f.percent(1.0)],
            ["0.0%", "0.42%", "12.3%", "100.0%"]
        );
        assert_eq!([f.points(12.0), f.points(-3.25), f.points(10.0 / 64.0)], ["12", "−3.25", "0.16"]);
        assert_eq!([f.value(1234.5), f.value(-0.3), f.value(1e15), f.value(0.0)], ["1,234.5", "−0.3", "1e15", "0"]);
        assert_eq!([f.p(0.0002), f.p(0.0421)], ["< 0.001", "0.042"]);
        assert_eq!(f.maybe(None, 3), "–");
    }
}
