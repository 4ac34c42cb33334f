//! Fields between what comes in and what goes out: words without the spaces around them, the points of pairs, ranks.

use std::collections::HashSet;

use super::xml::Element;
use super::{apply, field_ref, interval, number, word};
use crate::model::Model;
use crate::model::artifact::{Artifact, Axis, Pair, Shape};
use crate::model::export::{
    MISSING_WORDS, REASONS, digits, groups, known_missing_words, pair_features, reason_codes, words_met,
};

/// A word between white space: `\s` and what else Unicode counts to it. What is kept is the group: engines take an empty text, to
/// be put in the place of the space, for none.
const BETWEEN_SPACE: &str = "^[\\s\u{85}\u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}]*\
                             ([\\s\\S]*?)\
                             [\\s\u{85}\u{a0}\u{1680}\u{2000}-\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}]*$";

/// The names of the fields in between, none of which is a name of something else.
pub(super) struct Fields<'m> {
    artifact: &'m Artifact,
    /// Of each feature: the field with its spaces taken off, and the one that is missing where the word says so. Words only.
    words: Vec<Option<[String; 2]>>,
    /// Of each feature: the points of its pairs.
    of_pairs: Vec<Option<String>>,
    /// Of each pair: the groups of its two sides, and half of its points.
    pairs: Vec<[String; 3]>,
    /// The reason code after which there are no reasons.
    pub end: String,
    /// Of each rank: the reason code there, be it a reason or not.
    pub ranks: [String; REASONS],
}

impl<'m> Fields<'m> {
    pub fn new(model: &'m Model, taken: &[String]) -> Fields<'m> {
        let artifact = model.artifact();
        let mut taken: HashSet<String> = model.columns().iter().chain(taken).cloned().collect();
        let mut fresh = |name: String| {
            let mut name = name;
            while !taken.insert(name.clone()) {
                name.push('\'');
            }
            name
        };
        let mut words = Vec::new();
        for of in &artifact.characteristics {
            let is_text = matches!(of.shape, Shape::Text { .. });
            words.push(
                is_text.then(|| [format!("{} trimmed", of.feature), format!("word of {}", of.feature)].map(&mut fresh)),
            );
        }
        let mut pairs = Vec::new();
        for (i, pair) in artifact.pairs.iter().enumerate() {
            let side = |axis: &Axis| format!("group of {} in pair {}", axis.feature, i + 1);
            let half = format!("half of {} with {}", pair.first.feature, pair.second.feature);
            pairs.push([side(&pair.first), side(&pair.second), half].map(&mut fresh));
        }
        let paired: HashSet<usize> = pair_features(artifact).into_iter().flatten().collect();
        let names = artifact.characteristics.iter().enumerate();
        let of_pairs =
            names.map(|(i, of)| paired.contains(&i).then(|| fresh(format!("pairs of {}", of.feature)))).collect();
        let ranks = std::array::from_fn(|i| fresh(format!("ranked {}", i + 1)));
        let codes = reason_codes(model);
        let mut end = String::from("NO FURTHER REASON");
        while codes.contains(&end) {
            end.push('\'');
        }
        Fields { artifact, words, of_pairs, pairs, end, ranks }
    }

    /// The field that the predicates of a feature test.
    pub fn tested(&self, feature: usize) -> &str {
        match &self.words[feature] {
            Some([_, word]) => word,
            None => &self.artifact.characteristics[feature].feature,
        }
    }

    /// The field with the points that a feature gets from its pairs.
    pub fn of_pairs(&self, feature: usize) -> Option<&str> {
        self.of_pairs[feature].as_deref()
    }

    /// The element with all of them, if there is one.
    pub fn transformations(&self) -> Option<Element> {
        let mut fields = Vec::new();
        for (i, names) in self.words.iter().enumerate() {
            if let Some([trimmed, word]) = names {
                fields.extend(self.word_fields(i, trimmed, word));
            }
        }
        let features = pair_features(self.artifact);
        for ((pair, names), features) in self.artifact.pairs.iter().zip(&self.pairs).zip(&features) {
            let [first, second, half] = names;
            fields.push(derived(first, "categorical", "string", self.group(&pair.first, features[0])));
            fields.push(derived(second, "categorical", "string", self.group(&pair.second, features[1])));
            fields.push(derived(half, "continuous", "double", half_points(pair, first, second)));
        }
        for (i, name) in self.of_pairs.iter().enumerate() {
            let mine = features.iter().zip(&self.pairs).filter(|(of, _)| of.contains(&i));
            let halves: Vec<Element> = mine.map(|(_, names)| field_ref(&names[2])).collect();
            fields.extend(name.iter().map(|name| derived(name, "continuous", "double", sum(halves.clone()))));
        }
        (!fields.is_empty()).then(|| Element::new("LocalTransformations").holding_all(fields))
    }

    /// A missing word has no ends to trim, and a word that says that it is missing is made so, unless the model knows it.
    fn word_fields(&self, feature: usize, trimmed: &str, name: &str) -> [Element; 2] {
        let raw = &self.artifact.characteristics[feature].feature;
        let replace = apply("replace", [field_ref(raw), word(BETWEEN_SPACE), word("$1")]);
        let when_there = |field: &str, then: Element| {
            apply("if", [apply("isNotMissing", [field_ref(field)]), then]) // without an else part: missing
        };
        let lower = apply("lowercase", [field_ref(trimmed)]);
        let missing = MISSING_WORDS.into_iter().filter(|text| !text.is_empty()).map(word);
        let mut is_word = apply("isNotIn", [lower].into_iter().chain(missing));
        let known = known_missing_words(self.artifact, feature);
        let blank_is_known = known.contains(&"");
        if !known.is_empty() {
            let is_known = apply("isIn", [field_ref(trimmed)].into_iter().chain(known.into_iter().map(word)));
            is_word = apply("or", [is_word, is_known]);
        }
        let mut kept = apply("if", [is_word, field_ref(trimmed)]);
        if !blank_is_known {
            let length = apply("stringLength", [field_ref(trimmed)]);
            kept = apply("if", [apply("greaterThan", [length, number(0.0)]), kept]);
        }
        [
            derived(trimmed, "categorical", "string", when_there(raw, replace)),
            derived(name, "categorical", "string", when_there(trimmed, kept)),
        ]
    }

    /// The group of a value, as a number written out.
    fn group(&self, axis: &Axis, feature: usize) -> Element {
        let field = self.tested(feature);
        match &self.artifact.characteristics[feature].shape {
            Shape::Numeric { edges } if edges.is_empty() => {
                let (present, missing) = (word(&axis.groups[0].to_string()), word(&axis.missing.to_string()));
                apply("if", [apply("isMissing", [field_ref(field)]), missing, present])
            }
            Shape::Numeric { edges } => {
                let runs = runs(&axis.groups);
                let bins = runs.iter().map(|(group, from, to)| {
                    let left = from.checked_sub(1).map(|below| digits(edges[below]));
                    let right = edges.get(*to).map(|x| digits(*x));
                    let bin = Element::new("DiscretizeBin").with("binValue", group.to_string());
                    // One group for all values has no ends: zero parts it, for an interval must have one.
                    match (&left, &right) {
                        (None, None) => vec![
                            bin.clone().holding(interval(None, Some(digits(0.0)))),
                            bin.holding(interval(Some(digits(0.0)), None)),
                        ],
                        _ => vec![bin.holding(interval(left, right))],
                    }
                });
                Element::new("Discretize")
                    .with("field", field)
                    .with("mapMissingTo", axis.missing.to_string())
                    .with("dataType", "string")
                    .holding_all(bins.flatten())
            }
            Shape::Text { levels, other } => self.group_of_word(axis, levels, *other, field),
        }
    }

    fn group_of_word(&self, axis: &Axis, levels: &[Vec<String>], other: usize, field: &str) -> Element {
        let mut chosen = word(&axis.groups[other].to_string());
        for group in (0..axis.len()).filter(|group| *group != axis.groups[other]) {
            let inside = levels.iter().zip(&axis.groups).filter(|(_, of)| **of == group);
            let words: Vec<Element> = inside.flat_map(|(words, _)| words_met(words)).map(word).collect();
            if !words.is_empty() {
                let is_in = apply("isIn", [field_ref(field)].into_iter().chain(words));
                chosen = apply("if", [is_in, word(&group.to_string()), chosen]);
            }
        }
        apply("if", [apply("isMissing", [field_ref(field)]), word(&axis.missing.to_string()), chosen])
    }
}

/// Neighbouring bins of one group: the group, its first and its last bin.
fn runs(bins: &[usize]) -> Vec<(usize, usize, usize)> {
    let mut runs: Vec<(usize, usize, usize)> = Vec::new();
    for (bin, group) in bins.iter().enumerate() {
        match runs.last_mut() {
            Some((of, _, last)) if of == group => *last = bin,
            _ => runs.push((*group, bin, bin)),
        }
    }
    runs
}

fn half_points(pair: &Pair, first: &str, second: &str) -> Element {
    let (rows, columns) = (groups(&pair.first), groups(&pair.second));
    let met = |group: usize, of: &[usize]| of.contains(&group);
    let mut table = Element::new("InlineTable");
    for (i, row) in pair.points.iter().enumerate().filter(|(i, _)| met(*i, &rows)) {
        for (j, points) in row.iter().enumerate().filter(|(j, _)| met(*j, &columns)) {
            table = table.holding(
                Element::new("row")
                    .holding(Element::text("first", i.to_string()))
                    .holding(Element::text("second", j.to_string()))
                    .holding(Element::text("half", digits(points / 2.0))),
            );
        }
    }
    let side = |field: &str, column: &str| Element::new("FieldColumnPair").with("field", field).with("column", column);
    Element::new("MapValues")
        .with("outputColumn", "half")
        .with("dataType", "double")
        .holding(side(first, "first"))
        .holding(side(second, "second"))
        .holding(table)
}

fn sum(mut terms: Vec<Element>) -> Element {
    match (terms.pop(), terms.is_empty()) {
        (Some(only), true) => only,
        (last, _) => apply("sum", terms.into_iter().chain(last)),
    }
}

fn derived(name: &str, optype: &str, data_type: &str, expression: Element) -> Element {
    Element::new("DerivedField")
        .with("name", name)
        .with("optype", optype)
        .with("dataType", data_type)
        .holding(expression)
}
