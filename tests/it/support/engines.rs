//! The engines that exported models are scored by: a Python environment with DuckDB, Spark, JPMML-Evaluator and SQLite.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value as Json, json};
use yuxin::model::{Model, Value};

use super::say;

/// The type of a column of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    Double,
    Text,
    Integer,
    Decimal,
}

/// What stands in a table.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    Null,
    Double(f64),
    Text(String),
    Integer(i64),
    Decimal(String),
}

/// A document, and the rows that an engine is to score by it.
#[derive(Debug, Clone)]
pub struct Job {
    pub document: PathBuf,
    pub table: String,
    pub prefix: String,
    pub features: Vec<String>,
    pub columns: Vec<(String, Type)>,
    pub rows: Vec<Vec<Cell>>,
}

/// What an engine made of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    pub points: f64,
    pub score: i64,
    pub pd: f64,
    pub grade: String,
    pub reasons: Vec<String>,
    /// Points of each feature; empty where the engine does not tell.
    pub parts: Vec<f64>,
}

impl Cell {
    /// The cell as the model takes it, read as `yuxin score` reads files.
    pub fn value(&self) -> Value<'_> {
        match self {
            Cell::Null => Value::Missing,
            Cell::Double(x) => Value::Number(*x),
            Cell::Text(text) if yuxin::model::dataset::is_missing(text) => Value::Missing,
            Cell::Text(text) => Value::Text(text),
            Cell::Integer(n) => Value::Number(*n as f64),
            Cell::Decimal(text) => Value::Number(text.parse().unwrap()),
        }
    }

    fn json(&self) -> Json {
        match self {
            Cell::Null => Json::Null,
            Cell::Double(x) => json!({"bits": format!("{:016x}", x.to_bits())}),
            Cell::Text(text) => json!(text),
            Cell::Integer(n) => json!({ "integer": n }),
            Cell::Decimal(text) => json!({ "decimal": text }),
        }
    }
}

impl Job {
    fn json(&self) -> Json {
        let kind = |kind: Type| format!("{kind:?}").to_lowercase();
        let columns: Vec<Json> =
            self.columns.iter().map(|(name, of)| json!({"name": name, "type": kind(*of)})).collect();
        let rows: Vec<Vec<Json>> = self.rows.iter().map(|row| row.iter().map(Cell::json).collect()).collect();
        json!({"document": self.document, "table": self.table, "prefix": self.prefix, "features": self.features,
               "columns": columns, "rows": rows})
    }

    /// Holds what an engine made of the rows against what the model makes of them.
    pub fn assert_scored(&self, engine: &str, model: &Model, scored: &[Scored]) {
        assert_eq!(scored.len(), self.rows.len(), "{engine}: rows");
        let bits = |x: f64| (x + 0.0).to_bits();
        for (row, found) in self.rows.iter().zip(scored) {
            let values: Vec<Value<'_>> = row.iter().map(Cell::value).collect();
            let at = format!("{engine}, {}: {row:?}: {found:?}", self.document.display());
            let expected = model.score(&values);
            assert_eq!(bits(found.points), bits(expected.total), "{} is not {}: {at}", found.points, expected.total);
            assert_eq!(found.score, expected.score, "score: {at}");
            assert!((found.pd - expected.pd).abs() <= 1e-12, "{} is not {}: {at}", found.pd, expected.pd);
            assert_eq!(found.grade, expected.grade, "grade: {at}");
            let reasons: Vec<String> =
                model.points_lost(&values).iter().take(4).map(|of| model.columns()[of.column].to_uppercase()).collect();
            assert_eq!(found.reasons, reasons, "reasons: {at}");
            if !found.parts.is_empty() {
                let parts: Vec<u64> = found.parts.iter().map(|x| bits(*x)).collect();
                let expected: Vec<u64> = model.points(&values).iter().map(|of| bits(of.points)).collect();
                assert_eq!(parts, expected, "points of the features: {at}");
            }
        }
    }
}

/// Runs `jobs` by the script of an engine. `None`, said on stderr, where the engines are not installed; where the variable CI is
/// set that is a failure, so that the tests are not skipped unseen.
pub fn run(script: &str, jobs: &[Job]) -> Option<Vec<Result<Vec<Scored>, String>>> {
    let python = python()?;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.json");
    let list: Vec<Json> = jobs.iter().map(Job::json).collect();
    std::fs::write(&path, Json::from(list).to_string()).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/engines").join(script);
    let output = Command::new(python).arg("-B").arg(&script).arg(&path).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Result<Vec<Scored>, String>> = text.lines().filter(|l| l.starts_with('{')).map(answer).collect();
    let log = String::from_utf8_lossy(&output.stderr);
    assert_eq!(answers.len(), jobs.len(), "{}: {}\n{text}{log}", script.display(), output.status);
    Some(answers)
}

fn answer(line: &str) -> Result<Vec<Scored>, String> {
    let answer: Json = serde_json::from_str(line).unwrap();
    if let Some(error) = answer["error"].as_str() {
        return Err(error.to_owned());
    }
    let double = |json: &Json| f64::from_bits(u64::from_str_radix(json.as_str().unwrap(), 16).unwrap());
    let texts = |json: &Json| json.as_array().unwrap().iter().map(|t| t.as_str().unwrap().to_owned()).collect();
    let scored = |row: &Json| Scored {
        points: double(&row["points"]),
        score: row["score"].as_i64().unwrap(),
        pd: double(&row["pd"]),
        grade: row["grade"].as_str().unwrap().to_owned(),
        reasons: texts(&row["reasons"]),
        parts: row["parts"].as_array().unwrap().iter().map(double).collect(),
    };
    Ok(answer["rows"].as_array().unwrap().iter().map(scored).collect())
}

/// The Python with the engines: that of `YUXIN_ENGINES`, or the one that `tests/run` installs.
fn python() -> Option<PathBuf> {
    let own = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/engines/bin/python");
    let python = std::env::var_os("YUXIN_ENGINES").map_or(own, PathBuf::from);
    let java = Command::new("java").arg("-version").output().is_ok_and(|output| output.status.success());
    if python.exists() && java {
        return Some(python);
    }
    let message = format!(
        "{} or java is not there: tests of exported models are SKIPPED (tests/run installs both; or: apt install \
         python3-venv default-jre-headless, python3 -m venv target/engines, target/engines/bin/pip install --no-deps \
         -r tests/engines/requirements.txt)",
        python.display()
    );
    assert!(std::env::var_os("CI").is_none(), "{message}");
    say(&message);
    None
}
