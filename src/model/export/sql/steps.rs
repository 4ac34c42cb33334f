//! The steps of the query. Columns are named by what they hold and the place of their feature, counted from 1: `n` a number,
//! `w` a word, `b` a bin (the last number is the bin of missing values), `h` half of a pair's points, `p` points, `l` points lost,
//! `r` the losses in their order.

use super::dialect::Entry;
use super::{Dialect, FIRM, Target, points_of, quoted};
use crate::model::Model;
use crate::model::artifact::{Artifact, Axis, Characteristic, Pair, Shape};
use crate::model::export::{
    MISSING_WORDS, REASONS, TIE_PARTS, baselines, digits, groups, pair_features, reason_codes, words_met,
};

/// Terms of a sum on one line.
const TERMS_A_LINE: usize = 8;
/// Columns that are handed on, on one line.
const COLUMNS_A_LINE: usize = 16;

/// One step: a query with a name.
pub(super) struct Step {
    name: String,
    about: &'static str,
    columns: Vec<Column>,
    from: String,
}

struct Column {
    expression: String,
    name: String,
    about: Option<String>,
}

impl Step {
    fn new(name: impl Into<String>, about: &'static str, from: impl Into<String>) -> Step {
        Step { name: name.into(), about, columns: Vec::new(), from: from.into() }
    }

    fn add(&mut self, expression: impl Into<String>, name: impl Into<String>, about: Option<&str>) {
        self.columns.push(Column { expression: expression.into(), name: name.into(), about: about.map(quoted) });
    }

    /// Columns of the step before, as they are.
    fn keep(&mut self, names: impl IntoIterator<Item = String>) {
        names.into_iter().for_each(|name| self.add(name.clone(), name, None));
    }

    pub fn written(&self, dialect: Dialect) -> String {
        let (open, close) = dialect.step();
        let query = select(&self.columns, &self.from);
        format!("-- {}\n{} {open}\n{query}{close}\n)", self.about, self.name)
    }
}

/// A query, indented. Columns that are only handed on share lines.
fn select(columns: &[Column], from: &str) -> String {
    let mut text = String::from("  SELECT");
    let mut on_line = 0;
    for (i, column) in columns.iter().enumerate() {
        let handed_on = column.expression == column.name && column.about.is_none();
        let same_line = handed_on && (1..COLUMNS_A_LINE).contains(&on_line);
        on_line = if handed_on { on_line % COLUMNS_A_LINE + 1 } else { 0 };
        text.push_str(if same_line { " " } else { "\n    " });
        text.push_str(&column.expression);
        if !handed_on {
            text.push_str(&format!(" AS {}", column.name));
        }
        if i + 1 < columns.len() {
            text.push(',');
        }
        if let Some(about) = &column.about {
            text.push_str(&format!(" -- {about}"));
        }
    }
    format!("{text}\n  FROM {from}")
}

fn numbered(letter: char, count: usize) -> impl Iterator<Item = String> {
    (1..=count).map(move |i| format!("{letter}{i}"))
}

/// All steps but the last.
pub(super) fn steps(model: &Model, dialect: Dialect, table: &str) -> Vec<Step> {
    let artifact = model.artifact();
    let mut steps = vec![cells(artifact, dialect, table), values(artifact, dialect), bins(artifact, dialect)];
    if !artifact.pairs.is_empty() {
        steps.push(halves(artifact, dialect));
    }
    steps.push(points(artifact, dialect));
    steps.push(losses(model, dialect));
    steps.extend((1..=REASONS).map(|rank| worst(artifact, dialect, rank)));
    steps
}

fn is_text(of: &Characteristic) -> bool {
    matches!(of.shape, Shape::Text { .. })
}

fn cells(artifact: &Artifact, dialect: Dialect, table: &str) -> Step {
    let from = format!("{table} AS {FIRM}\n  CROSS JOIN (SELECT {} AS chars) AS blank", dialect.white_space());
    let mut step =
        Step::new("cells", "What the columns hold: n is a number, w a text without white space at its ends.", from);
    let row = match dialect {
        Dialect::Postgres | Dialect::DuckDb => FIRM.to_owned(),
        Dialect::Sqlite => format!("{FIRM}._rowid_"),
        Dialect::Spark => format!("struct({FIRM}.*)"),
    };
    step.add(row, "firm", None);
    for (i, of) in artifact.characteristics.iter().enumerate() {
        let column = format!("{FIRM}.{}", dialect.identifier(&of.feature));
        let is_number = match is_text(of) {
            true => dialect.is_fraction(&column),
            false => dialect.is_number(&column),
        };
        let number = format!("CASE WHEN {is_number} THEN {} END", dialect.as_double(&column));
        let word = format!("CASE WHEN NOT {is_number} THEN {} END", dialect.trimmed(&column));
        step.add(number, format!("n{}", i + 1), None);
        step.add(word, format!("w{}", i + 1), Some(&of.feature));
    }
    step
}

/// Numbers out of texts; a text that is none stops the query.
fn values(artifact: &Artifact, dialect: Dialect) -> Step {
    let mut step =
        Step::new("given", "Numbers, also those that are written out in a column of texts. NULL is missing.", "cells");
    step.keep(["firm".to_owned()]);
    for (i, of) in artifact.characteristics.iter().enumerate() {
        let (number, word) = (format!("n{}", i + 1), format!("w{}", i + 1));
        if is_text(of) {
            step.add(dialect.without_nan(&number), number, None);
            step.add(word.clone(), word, Some(&of.feature));
            continue;
        }
        let refusal = dialect.refusal(&format!("{}: this is not a number: ", of.feature), &word);
        let expression = format!(
            "CASE WHEN {word} IS NULL THEN {}\n      WHEN lower({word}) IN ({}, '+nan') THEN NULL\n      {}\n      ELSE {refusal} END",
            dialect.without_nan(&number),
            missing_words(),
            dialect.readings(&word).join("\n      "),
        );
        step.add(expression, number, Some(&of.feature));
    }
    step
}

fn missing_words() -> String {
    MISSING_WORDS.map(|word| format!("'{word}'")).join(", ")
}

fn bins(artifact: &Artifact, dialect: Dialect) -> Step {
    let mut step = Step::new(
        "bins",
        "The bin of each value, counted from 0, of which the last is that of missing values.",
        "given",
    );
    step.keep(["firm".to_owned()]);
    for (i, of) in artifact.characteristics.iter().enumerate() {
        let expression = match &of.shape {
            Shape::Numeric { edges } => bin_of_number(&format!("n{}", i + 1), edges, dialect),
            Shape::Text { levels, other } => bin_of_word(i + 1, levels, *other, dialect),
        };
        step.add(expression, format!("b{}", i + 1), Some(&of.feature));
    }
    step
}

fn bin_of_number(number: &str, edges: &[f64], dialect: Dialect) -> String {
    let missing = edges.len() + 1;
    let below = |(bin, edge): (usize, &f64)| format!("\n      WHEN {number} < {} THEN {bin}", dialect.exact(*edge));
    let cases: String = edges.iter().enumerate().map(below).collect();
    format!("CASE WHEN {number} IS NULL THEN {missing}{cases}\n      ELSE {} END", edges.len())
}

/// A number in a column of words is the word that it is written as; which texts engines write for fractions does not matter.
fn bin_of_word(place: usize, levels: &[Vec<String>], other: usize, dialect: Dialect) -> String {
    let (number, word) = (format!("n{place}"), format!("w{place}"));
    let mut cases = String::new();
    for (bin, words) in levels.iter().enumerate().filter(|(bin, _)| *bin != other) {
        let texts: Vec<String> = words_met(words).map(|word| dialect.text(word)).collect();
        let numbers: Vec<String> = words_met(words).filter_map(written_number).map(|x| dialect.exact(x)).collect();
        let mut conditions = Vec::new();
        if !texts.is_empty() {
            conditions.push(format!("{word} IN ({})", texts.join(", ")));
        }
        if !numbers.is_empty() {
            conditions.push(format!("{number} IN ({})", numbers.join(", ")));
        }
        if !conditions.is_empty() {
            cases.push_str(&format!("\n      WHEN {} THEN {bin}", conditions.join(" OR ")));
        }
    }
    let known: Vec<String> = (levels[other].iter().filter(|word| crate::model::dataset::is_missing(word)))
        .map(|word| dialect.text(word))
        .collect();
    if !known.is_empty() {
        cases.push_str(&format!("\n      WHEN {word} IN ({}) THEN {other}", known.join(", ")));
    }
    let missing = levels.len();
    cases.push_str(&format!("\n      WHEN lower({word}) IN ({}) THEN {missing}", missing_words()));
    format!("CASE WHEN {number} IS NULL AND {word} IS NULL THEN {missing}{cases}\n      ELSE {other} END")
}

/// The number that serving would write as this word.
fn written_number(word: &str) -> Option<f64> {
    word.parse::<f64>().ok().filter(|x| x.is_finite() && x.to_string() == word)
}

fn halves(artifact: &Artifact, dialect: Dialect) -> Step {
    let about = "Half of the points of each pair of features: that half which each of the two gets.";
    let mut step = Step::new("halves", about, "bins");
    step.keep(["firm".to_owned()].into_iter().chain(numbered('b', artifact.characteristics.len())));
    for ((i, pair), [first, second]) in artifact.pairs.iter().enumerate().zip(pair_features(artifact)) {
        let expression = half(pair, &format!("b{}", first + 1), &format!("b{}", second + 1), dialect);
        let about = format!("{} with {}", pair.first.feature, pair.second.feature);
        step.add(expression, format!("h{}", i + 1), Some(&about));
    }
    step
}

fn half(pair: &Pair, first: &str, second: &str, dialect: Dialect) -> String {
    let cells: Vec<String> = pair.points.iter().flatten().map(|points| digits(points / 2.0)).collect();
    let group = |axis: &Axis, bin: &str| {
        let groups: Vec<String> = groups(axis).iter().map(ToString::to_string).collect();
        dialect.entry(&groups, Entry::Group, bin)
    };
    let place = match (group(&pair.first, first), group(&pair.second, second)) {
        (Some(row), Some(column)) => format!("{row} * {} + {column}", pair.second.len()),
        _ => String::new(),
    };
    dialect.entry(&cells, Entry::Points, &place).unwrap_or_else(|| half_by_cases(pair, first, second))
}

fn half_by_cases(pair: &Pair, first: &str, second: &str) -> String {
    let columns = groups(&pair.second);
    let row = |group: &usize| {
        let cells: Vec<String> = columns.iter().map(|column| digits(pair.points[*group][*column] / 2.0)).collect();
        ranges(second, &cells, " ")
    };
    let rows: Vec<String> = groups(&pair.first).iter().map(row).collect();
    ranges(first, &rows, "\n      ")
}

/// A CASE over a bin with one branch for neighbours of equal value.
fn ranges(bin: &str, values: &[String], gap: &str) -> String {
    let mut cases = String::new();
    for (i, pair) in values.windows(2).enumerate() {
        if pair[0] != pair[1] {
            cases.push_str(&format!("{gap}WHEN {bin} < {} THEN {}", i + 1, pair[0]));
        }
    }
    let last = values.last().cloned().unwrap_or_default();
    if cases.is_empty() { last } else { format!("CASE{cases}{gap}ELSE {last} END") }
}

fn points(artifact: &Artifact, dialect: Dialect) -> Step {
    let from = if artifact.pairs.is_empty() { "bins" } else { "halves" };
    let mut step =
        Step::new("points", "The points of each feature: those of its own bin, and its halves of pairs.", from);
    step.keep(["firm".to_owned()]);
    let features = pair_features(artifact);
    for (i, of) in artifact.characteristics.iter().enumerate() {
        let own = own_points(of, &format!("b{}", i + 1), dialect);
        let halves =
            features.iter().enumerate().filter(|(_, of)| of.contains(&i)).map(|(pair, _)| format!("h{}", pair + 1));
        step.add(sum([own].into_iter().chain(halves)), format!("p{}", i + 1), Some(&of.feature));
    }
    step
}

fn own_points(of: &Characteristic, bin: &str, dialect: Dialect) -> String {
    let points: Vec<String> = of.bins.iter().chain([&of.missing]).map(|bin| digits(bin.points)).collect();
    dialect.entry(&points, Entry::Points, bin).unwrap_or_else(|| {
        let cases: String = points.iter().enumerate().map(|(i, points)| format!(" WHEN {i} THEN {points}")).collect();
        format!("CASE {bin}{cases} END")
    })
}

/// Terms in groups, so that no expression is deeper than engines read.
fn sum(terms: impl IntoIterator<Item = String>) -> String {
    let terms: Vec<String> = terms.into_iter().collect();
    if terms.len() <= TERMS_A_LINE {
        return terms.join(" + ");
    }
    let lines: Vec<String> = terms.chunks(TERMS_A_LINE).map(|line| format!("({})", line.join(" + "))).collect();
    lines.join("\n      + ")
}

fn losses(model: &Model, dialect: Dialect) -> Step {
    let about = "The total, and what each feature lost against the average. The fractions set ties in the order of the columns.";
    let mut step = Step::new("losses", about, "points");
    let count = model.columns().len();
    step.keep(["firm".to_owned()].into_iter().chain(numbered('p', count)));
    let total = sum([dialect.as_double(&digits(model.artifact().intercept))].into_iter().chain(numbered('p', count)));
    step.add(total, "total", None);
    for (i, (baseline, name)) in baselines(model).iter().zip(model.columns()).enumerate() {
        let parts = dialect.exact(f64::from(TIE_PARTS));
        let lost = format!("{} - p{} - {} / {parts}", dialect.as_double(&digits(*baseline)), i + 1, i + 1);
        step.add(lost, format!("l{}", i + 1), Some(name));
    }
    step
}

/// The largest loss below the one of the rank before; 0 where there is none.
fn worst(artifact: &Artifact, dialect: Dialect, rank: usize) -> Step {
    let from = if rank == 1 { "losses".to_owned() } else { format!("worst_{}", rank - 1) };
    let mut step = Step::new(format!("worst_{rank}"), "The next largest loss, or 0 where there is none.", from);
    let count = artifact.characteristics.len();
    step.keep(
        ["firm".to_owned()]
            .into_iter()
            .chain(numbered('p', count))
            .chain(["total".to_owned()])
            .chain(numbered('l', count)),
    );
    if rank == 1 {
        step.add(dialect.rounded("total"), "score", None);
    } else {
        step.keep(["score".to_owned()].into_iter().chain(numbered('r', rank - 1)));
    }
    let nothing = [dialect.as_double("0")].into_iter();
    let below = |loss: String| {
        if rank == 1 { loss } else { format!("CASE WHEN {loss} < r{} THEN {loss} ELSE 0 END", rank - 1) }
    };
    let losses: Vec<String> = nothing.chain(numbered('l', count).map(below)).collect();
    step.add(dialect.largest(&losses), format!("r{rank}"), None);
    step
}

/// The last step: what the table holds, and what is added.
pub(super) fn last(model: &Model, target: Target<'_>, table: &str, names: &[String; 8]) -> String {
    let dialect = target.dialect;
    let [points, score, pd, grade, reasons @ ..] = names;
    let row = match dialect {
        Dialect::Postgres => "(firm).*".to_owned(),
        Dialect::DuckDb | Dialect::Spark => "firm.*".to_owned(),
        Dialect::Sqlite => format!("{FIRM}.*"),
    };
    let from = match dialect {
        Dialect::Sqlite => format!("{table} AS {FIRM}\nJOIN worst_{REASONS} ON worst_{REASONS}.firm = {FIRM}._rowid_"),
        _ => format!("worst_{REASONS}"),
    };
    let mut columns = vec![
        ("total".to_owned(), points.clone()),
        ("score".to_owned(), score.clone()),
        (probability(model, dialect), pd.clone()),
        (grade_of(model, dialect), grade.clone()),
    ];
    let codes = reason_codes(model);
    for (i, name) in reasons.iter().enumerate() {
        let loss = format!("r{}", i + 1);
        let named = |(place, code): (usize, &String)| format!(" WHEN l{} THEN {}", place + 1, dialect.text(code));
        let cases: String = codes.iter().enumerate().map(named).collect();
        columns.push((format!("CASE WHEN {loss} > 0 THEN CASE {loss}{cases} END END"), name.clone()));
    }
    for (i, feature) in model.columns().iter().enumerate() {
        columns.push((format!("p{}", i + 1), points_of(feature, target.prefix)));
    }
    let columns: Vec<String> =
        columns.iter().map(|(expression, name)| format!("  {expression} AS {}", dialect.identifier(name))).collect();
    format!("SELECT\n  {row},\n{}\nFROM {from};\n", columns.join(",\n"))
}

/// Where the exponential would leave the range of doubles, the probability is 0 or 1 to the last bit.
fn probability(model: &Model, dialect: Dialect) -> String {
    let scaling = model.artifact().scaling;
    let odds = format!("(total - {}) / {}", dialect.exact(scaling.offset()), dialect.exact(scaling.factor()));
    let (high, low) = (dialect.exact(709.75), dialect.exact(-700.0));
    let [none, all] = ["0", "1"].map(|x| dialect.as_double(x));
    format!("CASE WHEN {odds} > {high} THEN {none} WHEN {odds} < {low} THEN {all} ELSE 1 / (1 + exp({odds})) END")
}

fn grade_of(model: &Model, dialect: Dialect) -> String {
    let mut cases = String::new();
    let mut lowest = String::new();
    for band in model.grades() {
        match band.score_at_least {
            Some(least) => cases.push_str(&format!(" WHEN score >= {least} THEN {}", dialect.text(&band.grade))),
            None => lowest = dialect.text(&band.grade),
        }
    }
    if cases.is_empty() { lowest } else { format!("CASE{cases} ELSE {lowest} END") }
}
