//! What the training says, in the reader's language. The artifact says it in English; a sentence that is not known here stays so.

use super::said::Said;

/// Sentences of the training with `{}` for what differs, and what they are in Chinese, in the same order.
const PHRASES: &[(&str, &str)] = &[
    ("excluded by the specification", "训练说明中已排除"),
    ("the column has no name", "该列没有列名"),
    ("all its values are infinite", "全部取值为无穷大"),
    ("all its values are missing", "全部取值缺失"),
    ("it is constant", "取值恒定不变"),
    ("it looks like an identifier: {} different words in {} rows", "疑似标识列：有 {} 个不同的词，共 {} 行"),
    ("its information value is {}, below {}", "信息价值为 {}，低于 {}"),
    (
        "its coefficient has the wrong sign beside the others (its information value is {})",
        "与其他列一同拟合时系数方向相反（信息价值为 {}）",
    ),
    (
        "{}: information value {} is above {}: make sure that it is known at the time of scoring and does not leak the outcome",
        "{}：信息价值 {} 高于 {}，请确认评分时已知该值，且不会泄露结果",
    ),
    ("only {} bad rows: bins and measures are uncertain", "坏样本只有 {} 个：分箱和各项指标都不够可靠"),
    (
        "the calibration slope is {}, far from 1: the tables fit rows that they had not seen much less well than their own",
        "校准斜率为 {}，与 1 相差较大：模型在未见过的样本上明显不如在训练样本上",
    ),
];

/// `sentence` in both languages.
pub fn said(sentence: &str) -> Said {
    let known = PHRASES.iter().find_map(|(en, zh)| Some(filled(zh, &parts(sentence, en)?)));
    match known {
        Some(zh) => Said::new(zh, sentence.to_owned()),
        None => Said::same(sentence.to_owned()),
    }
}

/// What stands in the holes of `pattern`; `None` where the sentence is another one.
fn parts<'s>(sentence: &'s str, pattern: &str) -> Option<Vec<&'s str>> {
    let mut fixed = pattern.split("{}");
    let mut rest = sentence.strip_prefix(fixed.next()?)?;
    let (mut parts, fixed) = (Vec::new(), fixed.collect::<Vec<_>>());
    for (i, next) in fixed.iter().enumerate() {
        // The last fixed part ends the sentence; the others end at their first place, so names with such words stay whole only
        // where nothing follows that looks alike.
        let end = if i + 1 == fixed.len() { rest.len().checked_sub(next.len())? } else { rest.find(next)? };
        parts.push(rest.get(..end)?);
        rest = rest.get(end..)?.strip_prefix(next)?;
    }
    rest.is_empty().then_some(parts)
}

fn filled(pattern: &str, parts: &[&str]) -> String {
    let mut parts = parts.iter();
    let mut out = String::new();
    for (i, fixed) in pattern.split("{}").enumerate() {
        if i > 0 {
            out.push_str(parts.next().unwrap_or(&""));
        }
        out.push_str(fixed);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_of_the_training_are_said_in_chinese_with_their_figures() {
        let zh = |sentence: &str| said(sentence).zh.into_owned();
        assert_eq!(zh("its information value is 0.0123, below 0.02"), "信息价值为 0.0123，低于 0.02");
        assert_eq!(zh("it is constant"), "取值恒定不变");
        assert_eq!(
            zh("only 12 bad rows: bins and measures are uncertain"),
            "坏样本只有 12 个：分箱和各项指标都不够可靠"
        );
        assert_eq!(zh("something new"), "something new");
        assert_eq!(zh("it is constant indeed"), "it is constant indeed");
        assert_eq!(zh(""), "");
    }

    #[test]
    fn every_phrase_has_as_many_holes_in_both_languages() {
        for (en, zh) in PHRASES {
            assert_eq!(en.matches("{}").count(), zh.matches("{}").count(), "{en}");
        }
    }
}
