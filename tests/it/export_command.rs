//! What `yuxin export` promises: a document that is there whole or not at all, and a reason where there can be none.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::json;
use yuxin::model::Model;
use yuxin::model::export::ExportError;
use yuxin::model::export::pmml::pmml;
use yuxin::model::export::sql::{Dialect, Target, sql};

use crate::support::exported::{characteristic, model, shipped};

fn yuxin(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_yuxin")).arg("export").args(args).output().unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn written(folder: &Path, name: &str, model: &Model) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, model.artifact().to_bytes().unwrap()).unwrap();
    path
}

/// A model with features of these names.
fn named(names: &[&str]) -> Model {
    let shape = json!({"type": "numeric", "edges": [1.0]});
    let table = |name: &&str| characteristic(name, shape.clone(), &[1.0, 2.0], 0.0, 1.5);
    model("named", 500.0, names.iter().map(table).collect(), Vec::new())
}

fn target(dialect: Dialect) -> Target<'static> {
    Target { dialect, table: "firms", prefix: "" }
}

const DIALECTS: [Dialect; 4] = [Dialect::Postgres, Dialect::Sqlite, Dialect::DuckDb, Dialect::Spark];

#[test]
fn the_command_writes_each_format_names_the_model_and_the_same_model_gives_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let shipped = shipped();
    let model = written(folder.path(), "model.json", &shipped);
    for (format, dialect) in [
        ("pmml", None),
        ("sql", Some("postgres")),
        ("sql", Some("sqlite")),
        ("sql", Some("duckdb")),
        ("sql", Some("spark")),
    ] {
        let write = |name: &str| {
            let out = folder.path().join(name);
            let mut args = vec!["--model", text(&model), "--format", format, "--out", text(&out)];
            dialect.iter().for_each(|dialect| args.extend(["--dialect", dialect]));
            let output = yuxin(&args);
            assert!(output.status.success() && output.stdout.is_empty(), "{}", stderr(&output));
            assert!(stderr(&output).contains(shipped.sha256()), "{}", stderr(&output));
            std::fs::read_to_string(out).unwrap()
        };
        let document = write("out");
        assert_eq!(document, write("again"));
        assert!(document.contains(shipped.sha256()) && document.contains(shipped.id()));
        assert!(shipped.columns().iter().all(|name| document.contains(name.as_str())));
    }
}

#[test]
fn a_table_and_a_prefix_are_taken_up() {
    let target = Target { dialect: Dialect::Postgres, table: "risk.Firms", prefix: "yx_" };
    let query = sql(&shipped(), target).unwrap();
    assert!(query.contains("FROM \"risk\".\"Firms\" AS"));
    assert!(query.contains("AS \"yx_points\"") && query.contains("AS \"yx_points_tax_revenue\""));
    assert!(pmml(&shipped(), "yx_").unwrap().contains("<OutputField name=\"yx_reason_4\""));
}

#[test]
fn a_feature_with_the_name_of_an_added_column_is_refused_unless_a_prefix_parts_them() {
    let model = named(&["late", "Score"]);
    for dialect in DIALECTS {
        assert_eq!(sql(&model, target(dialect)).unwrap_err(), ExportError::Taken("score".to_owned()));
        sql(&model, Target { prefix: "x_", ..target(dialect) }).unwrap();
    }
    let error = pmml(&model, "").unwrap_err();
    assert!(error.to_string().contains("\"score\"") && error.to_string().contains("--prefix"), "{error}");
    pmml(&model, "x_").unwrap();
    // The points of one feature under the name of another.
    assert_eq!(
        sql(&named(&["late", "points_late"]), target(Dialect::Sqlite)).unwrap_err(),
        ExportError::Taken("points_late".to_owned())
    );
}

#[test]
fn names_that_a_format_cannot_keep_apart_are_refused() {
    let model = named(&["late", "Late"]);
    let codes = pmml(&model, "").unwrap_err().to_string();
    assert!(codes.contains("\"late\"") && codes.contains("\"Late\"") && codes.contains("\"LATE\""), "{codes}");
    for dialect in [Dialect::Sqlite, Dialect::DuckDb, Dialect::Spark] {
        let columns = sql(&model, target(dialect)).unwrap_err().to_string();
        assert!(columns.contains("\"Late\"") && columns.contains(dialect.name()), "{columns}");
    }
    sql(&model, target(Dialect::Postgres)).unwrap();
}

#[test]
fn characters_that_a_format_has_no_way_to_write_are_refused() {
    let control = pmml(&named(&["la\u{1}te"]), "").unwrap_err().to_string();
    assert!(control.contains("XML") && control.contains("\\u{1}"), "{control}");
    for dialect in DIALECTS {
        assert!(matches!(sql(&named(&["la\0te"]), target(dialect)), Err(ExportError::Character { format: "SQL", .. })));
    }
    let words = json!({"type": "text", "levels": [["a\u{ffff}"], []], "other": 1});
    let words = model("words", 500.0, vec![characteristic("w", words, &[1.0, 2.0], 0.0, 1.5)], Vec::new());
    assert!(matches!(pmml(&words, ""), Err(ExportError::Character { format: "XML", .. })));
}

#[test]
fn what_cannot_be_exported_leaves_the_output_as_it_was_and_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let model = written(folder.path(), "model.json", &named(&["score"]));
    let out = folder.path().join("out.pmml");
    std::fs::write(&out, "what was there before").unwrap();
    let cases: [(&[&str], &str); 3] = [
        (&["--model", text(&model), "--format", "pmml", "--out", text(&out)], "--prefix"),
        (&["--model", "/nowhere.json", "--format", "pmml", "--out", text(&out)], "/nowhere.json"),
        (
            &[
                "--model",
                text(&model),
                "--format",
                "sql",
                "--dialect",
                "spark",
                "--table",
                "a..b",
                "--prefix",
                "x",
                "--out",
                text(&out),
            ],
            "a..b",
        ),
    ];
    for (args, named) in cases {
        let output = yuxin(args);
        assert_eq!(output.status.code(), Some(1));
        assert!(stderr(&output).contains(named), "{}", stderr(&output));
        assert_eq!(std::fs::read_to_string(&out).unwrap(), "what was there before");
    }
}

#[test]
fn sql_without_a_dialect_and_a_table_for_pmml_are_wrong_usage() {
    for args in [
        &["--model", "m.json", "--format", "sql", "--out", "o"][..],
        &["--model", "m.json", "--format", "sql", "--dialect", "oracle", "--out", "o"],
        &["--model", "m.json", "--format", "pmml", "--dialect", "spark", "--out", "o"],
        &["--model", "m.json", "--format", "pmml", "--table", "firms", "--out", "o"],
        &["--model", "m.json", "--out", "o"],
    ] {
        let output = yuxin(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", stderr(&output));
    }
}
