//! PMML 4.4: a `Scorecard` with a characteristic a feature.
//!
//! The standard wants the predicates of a characteristic to speak of one field, and leaves the ranking of characteristics that
//! share a reason code to the engine. So a pair is no characteristic: its points are a derived field, and each of its two
//! features gets half of them through a `ComplexPartialScore`. Every reason code is there once.
//!
//! The order of equal losses is the engine's own. Baselines are therefore lowered by less than any two losses can differ (see
//! [`super::TIE_PARTS`]). The standard ranks gains too, after the losses; some engines leave them out, and some of those
//! take a loss of nothing for a reason. A last characteristic that loses nothing ever parts the one from the other: what
//! is ranked after it is no reason.
//! (Data Mining Group, PMML 4.4, "Scorecard".)

mod characteristics;
mod fields;
mod xml;

use self::xml::Element;
use super::{ExportError, added_names, alike, digits, writable};
use crate::model::artifact::{Artifact, Shape};
use crate::model::{Model, reason_code};

/// The namespace of PMML 4.4.
const NAMESPACE: &str = "http://www.dmg.org/PMML-4_4";

/// The PMML document of `model`. The fields that it puts out are called `points`, `score`, `pd`, `grade` and `reason_1` to
/// `reason_4`, with `prefix` before each.
///
/// # Errors
/// [`ExportError`] where names are in each other's way or cannot be written in XML.
pub fn pmml(model: &Model, prefix: &str) -> Result<String, ExportError> {
    let names = added_names(model, prefix)?;
    writable(model, &[prefix], "XML", xml::is_unwritable)?;
    if let Some((code, first, second)) = alike(model, reason_code) {
        return Err(ExportError::SameCode { code, first, second });
    }
    let artifact = model.artifact();
    let fields = fields::Fields::new(model, &names);
    let scorecard = Element::new("Scorecard")
        .with("modelName", artifact.id.as_str())
        .with("functionName", "regression")
        .with("algorithmName", "Yuxin")
        .with("initialScore", digits(artifact.intercept))
        .with("useReasonCodes", "true")
        .with("reasonCodeAlgorithm", "pointsBelow")
        .with("baselineMethod", "mean")
        .holding(mining_schema(model))
        .holding(output(artifact, &names, &fields))
        .holding_all(fields.transformations())
        .holding(characteristics::characteristics(model, &fields));
    let header = Element::new("Header")
        .with("description", format!("Yuxin model {}, SHA-256 of the artifact {}", model.id(), model.sha256()))
        .with("modelVersion", model.sha256())
        .holding(Element::new("Application").with("name", "Yuxin").with("version", env!("CARGO_PKG_VERSION")));
    Element::new("PMML")
        .with("xmlns", NAMESPACE)
        .with("version", "4.4")
        .holding(header)
        .holding(data_dictionary(artifact))
        .holding(scorecard)
        .document()
}

fn data_dictionary(artifact: &Artifact) -> Element {
    let field = |feature: &str, shape: &Shape| match shape {
        // Engines compare NaN in ways of their own: it has to be missing before anything compares it.
        Shape::Numeric { .. } => data_field(feature, "continuous", "double")
            .holding(Element::new("Value").with("value", "NaN").with("property", "missing")),
        Shape::Text { .. } => data_field(feature, "categorical", "string"),
    };
    Element::new("DataDictionary")
        .with("numberOfFields", artifact.characteristics.len().to_string())
        .holding_all(artifact.characteristics.iter().map(|of| field(&of.feature, &of.shape)))
}

fn data_field(name: &str, optype: &str, data_type: &str) -> Element {
    Element::new("DataField").with("name", name).with("optype", optype).with("dataType", data_type)
}

/// What is no number, in a field of numbers, is refused, as everywhere.
fn mining_schema(model: &Model) -> Element {
    let field = |name: &String| Element::new("MiningField").with("name", name.as_str());
    Element::new("MiningSchema").holding_all(model.columns().iter().map(field))
}

/// The fields that come out: the total, and what follows from it.
fn output(artifact: &Artifact, names: &[String; 8], fields: &fields::Fields<'_>) -> Element {
    let [points, score, pd, grade, reasons @ ..] = names;
    Element::new("Output")
        .holding(output_field(points, "continuous", "double", "predictedValue"))
        .holding(output_field(score, "continuous", "integer", "transformedValue").holding(rounded(points)))
        .holding(output_field(pd, "continuous", "double", "transformedValue").holding(probability(artifact, points)))
        .holding(output_field(grade, "categorical", "string", "transformedValue").holding(grade_of(artifact, score)))
        .holding_all(ranked_reasons(reasons, fields))
}

fn output_field(name: &str, optype: &str, data_type: &str, feature: &str) -> Element {
    Element::new("OutputField")
        .with("name", name)
        .with("optype", optype)
        .with("dataType", data_type)
        .with("feature", feature)
}

/// The codes in their order, and those of them that are reasons: all before the end, if the reason before is one.
fn ranked_reasons(reasons: &[String], fields: &fields::Fields<'_>) -> Vec<Element> {
    let mut ranked = Vec::new();
    let mut found = Vec::new();
    for (i, (reason, rank)) in reasons.iter().zip(&fields.ranks).enumerate() {
        let code = output_field(rank, "categorical", "string", "reasonCode").with("rank", (i + 1).to_string());
        ranked.push(code.with("isFinalResult", "false"));
        let is_reason = apply("notEqual", [field_ref(rank), word(&fields.end)]);
        let mut chosen = apply("if", [is_reason, field_ref(rank)]); // without an else part: missing
        if let Some(before) = i.checked_sub(1).and_then(|before| reasons.get(before)) {
            chosen = apply("if", [apply("isNotMissing", [field_ref(before)]), chosen]);
        }
        found.push(output_field(reason, "categorical", "string", "transformedValue").holding(chosen));
    }
    ranked.into_iter().chain(found).collect()
}

/// `round` of the standard goes half up; scores go half away from zero.
fn rounded(points: &str) -> Element {
    let half = |function: &'static str, towards: &'static str| {
        apply(function, [apply(towards, [field_ref(points), number(0.5)])])
    };
    apply("if", [apply("lessThan", [field_ref(points), number(0.0)]), half("ceil", "-"), half("floor", "+")])
}

/// `1 / (1 + exp((points − offset) / factor))`
fn probability(artifact: &Artifact, points: &str) -> Element {
    let scaling = artifact.scaling;
    let distance = apply("-", [field_ref(points), number(scaling.offset())]);
    let odds = apply("exp", [apply("/", [distance, number(scaling.factor())])]);
    apply("/", [number(1.0), apply("+", [number(1.0), odds])])
}

/// The band that the score falls into.
fn grade_of(artifact: &Artifact, score: &str) -> Element {
    let mut above: Option<i64> = None;
    let mut bins = Vec::new();
    for band in &artifact.grades {
        let interval = interval(band.score_at_least.map(|s| s.to_string()), above.map(|s| s.to_string()));
        bins.push(Element::new("DiscretizeBin").with("binValue", band.grade.as_str()).holding(interval));
        above = band.score_at_least;
    }
    let one_for_all = bins.len() == 1;
    match artifact.grades.first() {
        // An interval must have an end.
        Some(band) if one_for_all => Element::text("Constant", band.grade.as_str()).with("dataType", "string"),
        _ => Element::new("Discretize").with("field", score).with("dataType", "string").holding_all(bins),
    }
}

/// From `left`, included, to `right`, excluded.
fn interval(left: Option<String>, right: Option<String>) -> Element {
    let element = Element::new("Interval").with("closure", if left.is_some() { "closedOpen" } else { "openOpen" });
    let element = left.into_iter().fold(element, |element, left| element.with("leftMargin", left));
    right.into_iter().fold(element, |element, right| element.with("rightMargin", right))
}

fn apply(function: &'static str, arguments: impl IntoIterator<Item = Element>) -> Element {
    Element::new("Apply").with("function", function).holding_all(arguments)
}

fn field_ref(name: &str) -> Element {
    Element::new("FieldRef").with("field", name)
}

fn number(x: f64) -> Element {
    Element::text("Constant", digits(x)).with("dataType", "double")
}

fn word(text: &str) -> Element {
    Element::text("Constant", text).with("dataType", "string")
}
