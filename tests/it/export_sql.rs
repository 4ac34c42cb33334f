//! What the SQL export promises: each engine gives the points, score, probability, grade and reasons of the service, whatever the
//! types of the table's columns.

use std::path::Path;

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rstest::rstest;
use yuxin::model::Model;
use yuxin::model::artifact::Shape;
use yuxin::model::export::sql::{Dialect, Target, sql};

use crate::support::engines::{self, Cell, Job, Scored, Type};
use crate::support::exported::{as_text, awkward, awkward_cells, job, large, shipped, typed_job, with_sql};
use crate::support::{engines_postgres, postgres};

/// Runs the jobs on an engine; nothing where it is not there.
async fn run(dialect: Dialect, jobs: &[Job]) -> Vec<Result<Vec<Scored>, String>> {
    let script = match dialect {
        Dialect::Postgres => {
            let mut answers = Vec::new();
            for job in jobs {
                if let Some(url) = postgres::fresh_database().await {
                    answers.push(engines_postgres::run(&url, job).await);
                }
            }
            return answers;
        }
        Dialect::DuckDb => "in_duckdb.py",
        Dialect::Sqlite => "in_sqlite.py",
        Dialect::Spark => "in_spark.py",
    };
    engines::run(script, jobs).unwrap_or_default()
}

/// A column of texts for everything.
fn texts(model: &Model) -> Job {
    let mut random = ChaCha8Rng::seed_from_u64(11);
    job(model, 150, &vec![Type::Text; model.columns().len()], |_, shape| {
        let cell = awkward_cells(shape, &mut random);
        as_text(cell, &mut random)
    })
}

/// Columns of whole numbers, and of words that are whole numbers.
fn integers(model: &Model) -> Job {
    let mut random = ChaCha8Rng::seed_from_u64(12);
    job(model, 60, &vec![Type::Integer; model.columns().len()], |_, _| match random.gen_range(0..5) {
        0 => Cell::Null,
        1 => Cell::Integer(*[i64::MAX, i64::MIN, 12345678901234567, 12345678901234568, -123456789].choose(&mut random)),
        _ => Cell::Integer(random.gen_range(-2..9)),
    })
}

/// Columns of decimals, and of words that are written as decimals.
fn decimals(model: &Model) -> Job {
    let mut random = ChaCha8Rng::seed_from_u64(13);
    job(model, 60, &vec![Type::Decimal; model.columns().len()], |_, _| match random.gen_range(0..5) {
        0 => Cell::Null,
        1 => {
            Cell::Decimal(["0.100000", "0.099999", "0.500000", "1.000000", "7.000000"].choose(&mut random).to_string())
        }
        _ => Cell::Decimal(format!("{:.6}", random.gen_range(-9.0..9.0))),
    })
}

/// Words that came as doubles, as a column of whole numbers with gaps often does.
fn doubles(model: &Model) -> Job {
    let mut random = ChaCha8Rng::seed_from_u64(14);
    job(model, 60, &vec![Type::Double; model.columns().len()], |_, shape| match (shape, random.gen_range(0..6)) {
        (Shape::Text { .. }, 0) => Cell::Double(f64::NAN),
        (Shape::Text { .. }, _) => Cell::Double(*[0.5, 1.0, 0.25, 1e15, -1.0].choose(&mut random)),
        (shape, _) => awkward_cells(shape, &mut random),
    })
}

trait Choose<T> {
    fn choose(&self, random: &mut ChaCha8Rng) -> &T;
}

impl<T, const N: usize> Choose<T> for [T; N] {
    fn choose(&self, random: &mut ChaCha8Rng) -> &T {
        &self[random.gen_range(0..N)]
    }
}

/// A word in a column of numbers, in the last row.
fn refused(model: &Model) -> Job {
    let mut job = texts(model);
    job.rows[149][0] = Cell::Text("many".to_owned());
    job
}

fn trained(folder: &Path) -> Model {
    let (data, out) = (folder.join("train.csv"), folder.join("trained.json"));
    let mut random = ChaCha8Rng::seed_from_u64(15);
    let mut csv = String::from("late,town,ratio,y\n");
    for _ in 0..1500 {
        let (late, town, ratio) = (random.gen_range(0..6), random.gen_range(0..3_usize), random.gen_range(-1.0..1.0));
        let z = -2.0 + 0.6 * f64::from(late) + 0.7 * town as f64 - ratio;
        let bad = u8::from(random.gen_bool(1.0 / (1.0 + f64::exp(-z))));
        let late = if random.gen_bool(0.1) { "NA".to_owned() } else { late.to_string() };
        csv.push_str(&format!("{late},{},{ratio},{bad}\n", ["上虞", "Songxia", "O'Hara \\ co"][town]));
    }
    std::fs::write(&data, csv).unwrap();
    let yuxin = std::process::Command::new(env!("CARGO_BIN_EXE_yuxin"))
        .args(["train", "--target", "y", "--data"])
        .arg(&data)
        .arg("--out")
        .arg(&out)
        .output()
        .unwrap();
    assert!(yuxin.status.success(), "{}", String::from_utf8_lossy(&yuxin.stderr));
    Model::load(&out).unwrap()
}

#[rstest]
#[case::postgres(Dialect::Postgres)]
#[case::sqlite(Dialect::Sqlite)]
#[case::duckdb(Dialect::DuckDb)]
#[case::spark(Dialect::Spark)]
#[tokio::test]
async fn an_engine_scores_like_the_service_whatever_the_types_of_the_columns(#[case] dialect: Dialect) {
    let folder = tempfile::tempdir().unwrap();
    let (shipped, awkward, below, large) = (shipped(), awkward(550.015625), awkward(-300.5), large());
    let trained = trained(folder.path());
    let mut renamed = typed_job(&below, 300, 3);
    // Spark has no such names for tables.
    let table = if dialect == Dialect::Spark { "Firms_of_2024" } else { "Firms \"of\" `2024`; --" };
    (renamed.table, renamed.prefix) = (table.to_owned(), "yuxin ".to_owned());
    let cases = [
        ("shipped", &shipped, typed_job(&shipped, 100, 1)),
        ("trained", &trained, typed_job(&trained, 100, 2)),
        ("trained, texts", &trained, texts(&trained)),
        ("awkward", &awkward, typed_job(&awkward, 300, 2)),
        ("below zero", &below, renamed),
        ("texts", &awkward, texts(&awkward)),
        ("integers", &awkward, integers(&awkward)),
        ("decimals", &awkward, decimals(&awkward)),
        ("doubles", &awkward, doubles(&awkward)),
        ("large", &large, typed_job(&large, 20, 5)),
        ("refused", &awkward, refused(&awkward)),
    ];
    let jobs: Vec<Job> =
        cases.iter().map(|(name, model, job)| with_sql(job.clone(), model, dialect, folder.path(), name)).collect();
    for (((name, model, _), job), answer) in cases.iter().zip(&jobs).zip(run(dialect, &jobs).await) {
        match answer {
            Ok(_) if *name == "refused" => panic!("{dialect:?} took a word for a number"),
            Ok(scored) => job.assert_scored(&format!("{dialect:?}, {name}"), model, &scored),
            Err(error) if *name == "refused" => {
                assert!(error.contains("late days: this is not a number: many"), "{dialect:?}: {error}");
            }
            Err(error) => panic!("{dialect:?}, {name}: {error}"),
        }
    }
}

#[test]
fn the_query_is_one_statement_that_can_fill_a_table() {
    let query = sql(&shipped(), Target { dialect: Dialect::Postgres, table: "firms", prefix: "" }).unwrap();
    assert!(query.ends_with(";\n") && query.matches(';').count() == 1);
    assert!(query.lines().find(|line| !line.starts_with("--")).unwrap().starts_with("WITH"));
}
