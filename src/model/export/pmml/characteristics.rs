//! The characteristics: the bins of each feature with their points.

use super::fields::Fields;
use super::xml::Element;
use super::{apply, field_ref, number};
use crate::model::Model;
use crate::model::artifact::{Characteristic, Shape};
use crate::model::export::{TIE_PARTS, baselines, digits, reason_codes, words_met};

pub(super) fn characteristics(model: &Model, fields: &Fields<'_>) -> Element {
    let (codes, baselines) = (reason_codes(model), baselines(model));
    let features = model.artifact().characteristics.iter().enumerate();
    let end = Element::new("Characteristic")
        .with("name", "the end of the reasons")
        .with("reasonCode", fields.end.as_str())
        .with("baselineScore", "0")
        .holding(Element::new("Attribute").with("partialScore", "0").holding(Element::new("True")));
    let characteristic = |(i, of): (usize, &Characteristic)| {
        let lowered = baselines[i] - (i + 1) as f64 / f64::from(TIE_PARTS);
        let average = Element::new("Extension")
            .with("extender", "Yuxin")
            .with("name", "average points, not lowered for ties")
            .with("value", digits(baselines[i]));
        Element::new("Characteristic")
            .with("name", of.feature.as_str())
            .with("reasonCode", codes[i].as_str())
            .with("baselineScore", digits(lowered))
            .holding(average)
            .holding_all(attributes(of, i, fields))
    };
    Element::new("Characteristics").holding_all(features.map(characteristic)).holding(end)
}

/// One attribute a bin. The first that holds counts, so the missing bin comes first and the bin of all other words last.
fn attributes(of: &Characteristic, feature: usize, fields: &Fields<'_>) -> Vec<Element> {
    let field = fields.tested(feature);
    let attribute = |predicate: Element, points: f64| match fields.of_pairs(feature) {
        None => Element::new("Attribute").with("partialScore", digits(points)).holding(predicate),
        Some(pairs) => {
            let sum = apply("+", [number(points), field_ref(pairs)]);
            Element::new("Attribute").holding(predicate).holding(Element::new("ComplexPartialScore").holding(sum))
        }
    };
    let missing = Element::new("SimplePredicate").with("field", field).with("operator", "isMissing");
    let mut attributes = vec![attribute(missing, of.missing.points)];
    match &of.shape {
        Shape::Numeric { edges } => {
            for (i, bin) in of.bins.iter().enumerate() {
                let from = i.checked_sub(1).and_then(|below| edges.get(below));
                attributes.push(attribute(between(field, from.copied(), edges.get(i).copied()), bin.points));
            }
        }
        Shape::Text { levels, other } => {
            for (i, (bin, words)) in of.bins.iter().zip(levels).enumerate() {
                if i != *other && words_met(words).next().is_some() {
                    attributes.push(attribute(one_of(field, words), bin.points));
                }
            }
            attributes.push(attribute(Element::new("True"), of.bins[*other].points));
        }
    }
    attributes
}

/// `from <= field < to`
fn between(field: &str, from: Option<f64>, to: Option<f64>) -> Element {
    let compared = |operator: &str, x: f64| {
        Element::new("SimplePredicate").with("field", field).with("operator", operator).with("value", digits(x))
    };
    let (from, to) = (from.map(|x| compared("greaterOrEqual", x)), to.map(|x| compared("lessThan", x)));
    match (from, to) {
        (Some(from), Some(to)) => {
            Element::new("CompoundPredicate").with("booleanOperator", "and").holding(from).holding(to)
        }
        (Some(one), None) | (None, Some(one)) => one,
        (None, None) => Element::new("True"),
    }
}

fn one_of(field: &str, words: &[String]) -> Element {
    let equal =
        |word: &str| Element::new("SimplePredicate").with("field", field).with("operator", "equal").with("value", word);
    let mut predicates: Vec<Element> = words_met(words).map(equal).collect();
    match predicates.pop() {
        Some(only) if predicates.is_empty() => only,
        last => {
            Element::new("CompoundPredicate").with("booleanOperator", "or").holding_all(predicates).holding_all(last)
        }
    }
}
