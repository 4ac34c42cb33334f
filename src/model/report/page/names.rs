//! What bins are called.

use super::said::{Figures, Said};
use crate::model::report::{Group, Span};

/// Characters of a word that are written out.
const LETTERS_MAX: usize = 40;
/// Words in a short name.
const WORDS_SHORT: usize = 2;

/// The short name of a bin.
pub fn span_name(span: &Span) -> Said {
    let value = |x: f64| Figures.value(x);
    match span {
        Span::Missing => Said::new("缺失", "missing"),
        Span::Numbers { from: None, below: None } => Said::new("全部数值", "all numbers"),
        Span::Numbers { from: None, below: Some(below) } => Said::same(format!("< {}", value(*below))),
        Span::Numbers { from: Some(from), below: None } => Said::same(format!("≥ {}", value(*from))),
        Span::Numbers { from: Some(from), below: Some(below) } => {
            Said::same(format!("{} ≤ x < {}", value(*from), value(*below)))
        }
        Span::Words { words, more, other } => {
            let mut shown: Vec<String> = words.iter().take(WORDS_SHORT).map(|word| shortened(word)).collect();
            let hidden = words.len().saturating_sub(WORDS_SHORT) + more;
            if hidden > 0 {
                shown.push(format!("+{hidden}"));
            }
            let with = |others: &str| {
                let all = shown.iter().map(String::as_str).chain(other.then_some(others));
                all.collect::<Vec<_>>().join(" · ")
            };
            Said::new(with("其他"), with("all others"))
        }
    }
}

/// The short name of a group of bins.
pub fn group_name(group: &Group) -> Said {
    let names: Vec<Said> = group.spans.iter().map(span_name).collect();
    let join = |of: fn(&Said) -> &str| names.iter().map(of).collect::<Vec<_>>().join(" · ");
    Said::new(join(|name| &name.zh), join(|name| &name.en))
}

/// A word of the data, cut where it is very long.
pub fn shortened(word: &str) -> String {
    match word.char_indices().nth(LETTERS_MAX) {
        Some((end, _)) => format!("{}…", &word[..end]),
        None => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_are_called_by_what_they_hold() {
        let numbers = |from, below| span_name(&Span::Numbers { from, below }).en.into_owned();
        assert_eq!(numbers(None, Some(1.5)), "< 1.5");
        assert_eq!(numbers(Some(1.5), Some(2000.0)), "1.5 ≤ x < 2,000");
        assert_eq!(numbers(Some(-3.0), None), "≥ −3");
        let words = vec!["a".to_owned(), "b".to_owned(), "c".repeat(60)];
        let said = span_name(&Span::Words { words, more: 4, other: true });
        assert_eq!((said.zh.as_ref(), said.en.as_ref()), ("a · b · +5 · 其他", "a · b · +5 · all others"));
        assert_eq!(shortened(&"字".repeat(60)).chars().count(), 41);
    }
}
