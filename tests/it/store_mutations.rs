//! Random changes past the service, of every kind, in every column that the chain covers: each is found. MUTATIONS says how many
//! (150 where it is not set), MUTATION_SEED which.

use std::path::Path;

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use sqlx::{AssertSqlSafe, Connection, SqliteConnection};
use yuxin::observe::Metrics;
use yuxin::store::{Checkpoint, SigningKey, Store};

use crate::support::store::Engine::Sqlite;
use crate::support::store::{Place, now};

/// What the chain does not hold: it passes, or follows from what is in the chain (docs/audit.md).
const NOT_COVERED: &[&str] = &[
    "_sqlx_migrations",
    "sessions",
    "log_in_failures",
    "idempotency",
    "rejected_replies",
    "rejected_kept",
    "probe",
    "source_dates",
    "fact_ends",
    "webhook_events",
    "webhook_deliveries",
    "batches",
    "batch_rows",
    "jobs",
];
const COLUMNS_NOT_COVERED: &[(&str, &str)] = &[("notices", "seen_at")];

/// A table with something in it: its columns with their types, and how many rows.
struct Table {
    name: String,
    columns: Vec<(String, String)>,
    rows: i64,
}

async fn tables(connection: &mut SqliteConnection) -> Vec<Table> {
    let names: Vec<String> = sqlx::query_scalar("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        .fetch_all(&mut *connection)
        .await
        .unwrap();
    let mut found = Vec::new();
    for name in names.into_iter().filter(|name| !NOT_COVERED.contains(&name.as_str())) {
        let columns: Vec<(String, String)> = sqlx::query_as("SELECT name, type FROM pragma_table_info($1)")
            .bind(&name)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
        let columns = columns.into_iter().filter(|(c, _)| !COLUMNS_NOT_COVERED.contains(&(&name, c))).collect();
        let count = AssertSqlSafe(format!("SELECT COUNT(*) FROM {name}"));
        let rows = sqlx::query_scalar(count).fetch_one(&mut *connection).await.unwrap();
        if rows > 0 {
            found.push(Table { name, columns, rows });
        }
    }
    found
}

/// SQL that changes something at random, by kind of change; it may fail, or change nothing.
fn mutation(dice: &mut StdRng, tables: &[Table], end: i64) -> (&'static str, String) {
    let table = &tables[dice.gen_range(0..tables.len())];
    let name = &table.name;
    let (column, of) = &table.columns[dice.gen_range(0..table.columns.len())];
    let row =
        |dice: &mut StdRng| format!("(SELECT rowid FROM {name} LIMIT 1 OFFSET {})", dice.gen_range(0..table.rows));
    match dice.gen_range(0..6) {
        0 | 1 => {
            let row = row(dice);
            let changed = if of == "TEXT" {
                let at = dice.gen_range(1..40);
                // Another character in one place; where there is nothing, something.
                format!(
                    "COALESCE(substr({column}, 1, {at} % MAX(length({column}), 1)) || \
                     CASE substr({column}, {at} % MAX(length({column}), 1) + 1, 1) WHEN 'a' THEN 'b' ELSE 'a' END || \
                     substr({column}, {at} % MAX(length({column}), 1) + 2), 'a')"
                )
            } else {
                let bit = 1_i64 << dice.gen_range(0..40);
                format!("COALESCE(({column} | {bit}) - ({column} & {bit}), {bit})")
            };
            ("flip", format!("UPDATE {name} SET {column} = {changed} WHERE rowid = {row}"))
        }
        2 => ("delete", format!("DELETE FROM {name} WHERE rowid = {}", row(dice))),
        3 => {
            let (a, b) = (row(dice), row(dice));
            let aside = if of == "TEXT" { "'aside'" } else { "-7777" };
            let sql = format!(
                "CREATE TEMP TABLE two AS SELECT {a} AS a, {b} AS b, \
                 (SELECT {column} FROM {name} WHERE rowid = {a}) AS of_a, (SELECT {column} FROM {name} WHERE rowid = {b}) AS of_b; \
                 UPDATE {name} SET {column} = {aside} WHERE rowid = (SELECT a FROM two WHERE of_a IS NOT of_b); \
                 UPDATE {name} SET {column} = (SELECT of_a FROM two) WHERE rowid = (SELECT b FROM two WHERE of_a IS NOT of_b); \
                 UPDATE {name} SET {column} = (SELECT of_b FROM two) WHERE rowid = (SELECT a FROM two WHERE of_a IS NOT of_b)"
            );
            ("swap", sql)
        }
        4 => {
            // A copy under other names: what must be unique is made so.
            let values: Vec<String> = table
                .columns
                .iter()
                .map(|(c, of)| match (c.as_str(), of.as_str()) {
                    ("id" | "name" | "name_folded" | "secret_sha256" | "sha256", "TEXT") => format!("'p' || {c}"),
                    ("on_date", _) => "'2031-01-01'".to_owned(),
                    ("number", _) => format!("{c} + 1000"),
                    ("decision_id", _) if name == "cases" => {
                        "(SELECT id FROM decisions WHERE id NOT IN (SELECT decision_id FROM cases))".to_owned()
                    }
                    ("seq" | "id", "BIGINT") => format!("{c} + {end}"),
                    _ => c.clone(),
                })
                .collect();
            let columns: Vec<&str> = table.columns.iter().map(|(c, _)| c.as_str()).collect();
            let sql = format!(
                "INSERT INTO {name} ({}) SELECT {} FROM {name} WHERE rowid = {}",
                columns.join(", "),
                values.join(", "),
                row(dice)
            );
            ("insert", sql)
        }
        _ => {
            let left = dice.gen_range(0..end);
            let head = format!(
                "UPDATE audit_head SET seq = {left}, hash = COALESCE((SELECT hash FROM audit WHERE seq = {left}), hash)"
            );
            let cut = format!("DELETE FROM audit WHERE seq > {left}");
            ("cut", if dice.gen_bool(0.5) { format!("{cut}; {head}") } else { cut })
        }
    }
}

async fn opened(path: &Path) -> Store {
    Store::open(&format!("sqlite://{}", path.display()), Metrics::new().unwrap()).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_random_mutation_of_what_the_chain_covers_is_found() {
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().expect("a number"));
    let (wanted, seed) = (number("MUTATIONS", 150), number("MUTATION_SEED", 20_261_102));
    let place = Place::on(Sqlite).await.unwrap();
    let store = crate::store_audit::filled(&place).await;
    crate::disputes::resolve_and_open_one(&store).await;
    let report = store.verify_audit().await.unwrap();
    assert!(report.intact(), "{:?}", report.problems);
    let signed: Vec<Checkpoint> = vec![SigningKey::generate().unwrap().sign(report.head_seq, &report.head_hash, now())];
    store.close().await;
    let pristine = std::path::PathBuf::from(place.url.strip_prefix("sqlite://").unwrap());
    let work = pristine.with_file_name("mutated.db");
    let mut dice = StdRng::seed_from_u64(seed);
    let mut found = std::collections::BTreeMap::<&str, u64>::new();
    let mut columns = std::collections::BTreeSet::new();
    let mut done = 0;
    while done < wanted {
        std::fs::copy(&pristine, &work).unwrap();
        let mut connection = SqliteConnection::connect(&format!("sqlite://{}", work.display())).await.unwrap();
        sqlx::raw_sql("PRAGMA foreign_keys = OFF; PRAGMA journal_mode = DELETE")
            .execute(&mut connection)
            .await
            .unwrap();
        let of = tables(&mut connection).await;
        let rebuild = done % 7 == 6;
        let (kind, what) = if rebuild {
            let first = dice.gen_range(1..=report.head_seq);
            crate::checkpoints::rebuild_from(&mut connection, first).await;
            ("rebuild", format!("rebuilt from {first}"))
        } else {
            let (kind, sql) = mutation(&mut dice, &of, report.head_seq);
            let before: i64 = sqlx::query_scalar("SELECT total_changes()").fetch_one(&mut connection).await.unwrap();
            let outcome = sqlx::raw_sql(AssertSqlSafe(sql.clone())).execute(&mut connection).await;
            let after: i64 = sqlx::query_scalar("SELECT total_changes()").fetch_one(&mut connection).await.unwrap();
            // The database itself refuses some, and a swap of equals changes nothing but the table on the side.
            let least = if kind == "swap" { 2 } else { 1 };
            if outcome.is_err() || after - before < least {
                connection.close().await.unwrap();
                continue;
            }
            columns.insert(sql.chars().take(40).collect::<String>());
            (kind, sql)
        };
        connection.close().await.unwrap();
        let store = opened(&work).await;
        let after = store.verify_audit_against(&signed).await.unwrap();
        assert!(!after.intact(), "mutation {done} of seed {seed} was not found: {what}");
        store.close().await;
        *found.entry(kind).or_default() += 1;
        done += 1;
    }
    crate::support::say(&format!("{done} mutations, all found: {found:?}; {} different beginnings", columns.len()));
}
