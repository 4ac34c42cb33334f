//! What the SQL export promises: each engine gives the points, score, probability, grade and reasons of the service.

use std::path::Path;

use yuxin::model::Model;
use yuxin::model::export::sql::Dialect;

use crate::support::engines::{Job, assert_scored};
use crate::support::exported::{awkward, large, shipped, typed_job, with_sql};

fn jobs<'m>(models: &'m [Model], dialect: Dialect, folder: &Path) -> Vec<(Job, &'m Model)> {
    let counts = [100, 300, 300, 20];
    let job = |(i, model): (usize, &'m Model)| {
        let job = typed_job(model, counts[i], i as u64);
        (with_sql(job, model, dialect, folder, &format!("model{i}")), model)
    };
    models.iter().enumerate().map(job).collect()
}

fn models() -> Vec<Model> {
    vec![shipped(), awkward(550.015625), awkward(-300.5), large()]
}

#[test]
fn duckdb_scores_like_the_service() {
    let (folder, models) = (tempfile::tempdir().unwrap(), models());
    assert_scored("DuckDB", "in_duckdb.py", &jobs(&models, Dialect::DuckDb, folder.path()));
}

#[test]
fn sqlite_scores_like_the_service() {
    let (folder, models) = (tempfile::tempdir().unwrap(), models());
    assert_scored("SQLite", "in_sqlite.py", &jobs(&models, Dialect::Sqlite, folder.path()));
}

#[test]
fn spark_scores_like_the_service() {
    let (folder, models) = (tempfile::tempdir().unwrap(), models());
    assert_scored("Spark", "in_spark.py", &jobs(&models, Dialect::Spark, folder.path()));
}
