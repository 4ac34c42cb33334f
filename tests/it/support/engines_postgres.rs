//! Scoring rows by an exported query in the throw-away PostgreSQL.

use sqlx::postgres::PgRow;
use sqlx::{AssertSqlSafe, Column, Connection, PgConnection, Row};

use super::engines::{Cell, Job, Scored, Type};

/// The rows as PostgreSQL scores them, or its error.
pub async fn run(url: &str, job: &Job) -> Result<Vec<Scored>, String> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    fill(&mut connection, job).await;
    let query = std::fs::read_to_string(&job.document).unwrap();
    let rows = sqlx::query(AssertSqlSafe(query)).fetch_all(&mut connection).await.map_err(|e| e.to_string())?;
    let mut rows: Vec<(i64, Scored)> = rows.iter().map(|row| (row.get(0), scored(row, job))).collect();
    rows.sort_by_key(|(id, _)| *id);
    Ok(rows.into_iter().map(|(_, scored)| scored).collect())
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

async fn fill(connection: &mut PgConnection, job: &Job) {
    let kind = |kind: Type| match kind {
        Type::Double => "double precision",
        Type::Text => "text",
        Type::Integer => "bigint",
        Type::Decimal => "numeric(30, 6)",
    };
    let columns: Vec<String> = job.columns.iter().map(|(name, of)| format!("{} {}", quoted(name), kind(*of))).collect();
    let table = quoted(&job.table);
    let create = format!("CREATE TABLE {table} (id bigint, {})", columns.join(", "));
    sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut *connection).await.unwrap();
    let places: Vec<String> =
        job.columns.iter().enumerate().map(|(i, (_, of))| format!("CAST(${} AS {})", i + 2, kind(*of))).collect();
    let insert = format!("INSERT INTO {table} VALUES ($1, {})", places.join(", "));
    for (id, row) in (0_i64..).zip(&job.rows) {
        let mut query = sqlx::query(AssertSqlSafe(insert.clone())).bind(id);
        for (cell, (_, of)) in row.iter().zip(&job.columns) {
            query = match (cell, of) {
                (Cell::Double(x), _) => query.bind(*x),
                (Cell::Integer(n), _) => query.bind(*n),
                (Cell::Text(text) | Cell::Decimal(text), Type::Text) => query.bind(text.clone()),
                (Cell::Decimal(text) | Cell::Text(text), _) => query.bind(text.parse::<f64>().unwrap()),
                (Cell::Null, Type::Double | Type::Decimal) => query.bind(None::<f64>),
                (Cell::Null, Type::Integer) => query.bind(None::<i64>),
                (Cell::Null, Type::Text) => query.bind(None::<String>),
            };
        }
        query.execute(&mut *connection).await.unwrap();
    }
}

fn scored(row: &PgRow, job: &Job) -> Scored {
    let given: Vec<&str> = row.columns().iter().map(Column::name).take(job.columns.len() + 1).collect();
    let expected: Vec<&str> = ["id"].into_iter().chain(job.columns.iter().map(|(name, _)| name.as_str())).collect();
    assert_eq!(given, expected, "the columns of the table come first");
    let name = |name: &str| format!("{}{name}", job.prefix);
    let reason = |i: usize| row.get::<Option<String>, _>(name(&format!("reason_{i}")).as_str());
    Scored {
        points: row.get(name("points").as_str()),
        score: row.get(name("score").as_str()),
        pd: row.get(name("pd").as_str()),
        grade: row.get(name("grade").as_str()),
        reasons: (1..=4).filter_map(reason).collect(),
        parts: job.features.iter().map(|of| row.get(name(&format!("points_{of}")).as_str())).collect(),
    }
}
