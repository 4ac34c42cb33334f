//! From the average firm's score to this firm's, characteristic by characteristic.

use super::characteristic;
use crate::domain::decision::DecisionRecord;
use crate::http::words::{Words, figures};

/// Characteristics that get a row of their own; the others are added up in one.
const ROWS_MAX: usize = 14;
/// Width of the bars' view box.
const WIDTH: f64 = 200.0;
/// Width of the mark of a score. The axis does not begin at zero, so a score is a mark and not a bar.
const MARK: f64 = 2.4;

/// A row of the waterfall.
pub struct Step {
    /// The characteristic.
    pub label: String,
    /// The firm's value, where the row has one.
    pub value: String,
    /// Points won or lost, or the score in the first and last row.
    pub points: String,
    /// Left edge of the bar.
    pub x: String,
    /// Width of the bar.
    pub width: String,
    /// A class of the stylesheet: `total`, `gain` or `loss`.
    pub class: &'static str,
}

/// The rows, from the average firm to this firm; empty where no points were recorded.
pub fn steps(record: &DecisionRecord, words: Words) -> Vec<Step> {
    if record.grounds.points.is_empty() {
        return Vec::new();
    }
    let mut parts: Vec<(String, String, f64)> = record
        .grounds
        .points
        .iter()
        .map(|p| {
            let value = characteristic::value(&p.feature, p.value, words);
            (characteristic::label(&p.feature, words), value, p.points - p.baseline)
        })
        .collect();
    let score = record.decision.score as f64;
    let start = score - parts.iter().map(|(_, _, delta)| delta).sum::<f64>();
    parts.sort_by(|a, b| b.2.abs().total_cmp(&a.2.abs()));
    if parts.len() > ROWS_MAX {
        let rest = parts.split_off(ROWS_MAX);
        let name = words.with("case-waterfall-rest", &[("count", rest.len().into())]);
        parts.push((name, String::new(), rest.iter().map(|(_, _, delta)| delta).sum()));
    }
    lay_out(&parts, start, score, words)
}

fn lay_out(parts: &[(String, String, f64)], start: f64, score: f64, words: Words) -> Vec<Step> {
    let mut at = start;
    let (mut low, mut high) = (start.min(score), start.max(score));
    for (_, _, delta) in parts {
        at += delta;
        (low, high) = (low.min(at), high.max(at));
    }
    let margin = ((high - low) * 0.06).max(1.0);
    let x = |points: f64| (points - low + margin) / (high - low + 2.0 * margin) * WIDTH;
    let total = |label: String, points: f64| Step {
        label,
        value: String::new(),
        points: figures::number(points, 1),
        x: format!("{:.1}", x(points) - MARK / 2.0),
        width: format!("{MARK:.1}"),
        class: "total",
    };
    let mut steps = vec![total(words.t("case-waterfall-start"), start)];
    let mut at = start;
    for (label, value, delta) in parts {
        let (from, to) = (x(at.min(at + delta)), x(at.max(at + delta)));
        steps.push(Step {
            label: label.clone(),
            value: value.clone(),
            points: figures::points(*delta),
            x: format!("{from:.1}"),
            width: format!("{:.1}", (to - from).max(0.8)),
            class: if *delta < 0.0 { "loss" } else { "gain" },
        });
        at += delta;
    }
    steps.push(total(words.t("case-waterfall-end"), score));
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Language;

    #[test]
    fn the_steps_lead_from_the_average_firm_to_this_one() {
        let parts = [("a".to_owned(), String::new(), -20.0), ("b".to_owned(), String::new(), 5.0)];
        let steps = lay_out(&parts, 600.0, 585.0, Words(Language::En));
        let left = |s: &Step| s.x.parse::<f64>().unwrap();
        let right = |s: &Step| left(s) + s.width.parse::<f64>().unwrap();
        let middle = |s: &Step| (left(s) + right(s)) / 2.0;
        assert_eq!(steps.len(), 4);
        assert_eq!((steps[0].points.as_str(), steps[3].points.as_str()), ("600", "585"));
        assert!((right(&steps[1]) - middle(&steps[0])).abs() < 0.2, "the first step hangs on the average firm");
        assert!((right(&steps[2]) - middle(&steps[3])).abs() < 0.2, "the last step ends at this firm");
        assert_eq!((steps[1].class, steps[2].class), ("loss", "gain"));
    }
}
