//! How fast the audit chain is walked: fills a store with AUDIT_ROWS rows of the chain (a million by default) by the way that
//! decisions take, then walks it, on SQLite and, where it is installed, on PostgreSQL. AUDIT_STORE may name a file to walk instead.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)] // a benchmark that fails may panic
#![allow(dead_code)] // the tests use more of what they share than this does

use std::time::Instant;

use futures_util::future::join_all;
use tokio::runtime::Runtime;
use yuxin::observe::Metrics;
use yuxin::store::Store;

#[path = "../tests/it/support/postgres.rs"]
mod postgres;
#[path = "../tests/it/support/store.rs"]
mod sample;

use sample::{Engine, Place};

/// Decisions that are under way at once.
const CALLERS: u32 = 256;

async fn fill(store: &Store, rows: u32) {
    let bank = sample::bank(store, "Bank A").await;
    // A decision, its look and its case.
    for n in 0..(rows / 3).div_ceil(CALLERS) {
        let entries = (0..CALLERS).map(|k| sample::referred(bank, sample::firm((n * CALLERS + k) % 100_000)));
        let commits = entries.map(|entry| store.commit_decision(entry));
        join_all(commits).await.into_iter().for_each(|outcome| drop(outcome.unwrap()));
    }
}

async fn walk(store: &Store, what: &str) {
    for _ in 0..3 {
        let begun = Instant::now();
        let report = store.verify_audit().await.unwrap();
        let seconds = begun.elapsed().as_secs_f64();
        assert!(report.intact(), "{:?}", report.problems);
        println!(
            "{what}: {} rows in {seconds:.2} s, {:.0} rows a second",
            report.entries,
            report.entries as f64 / seconds
        );
    }
}

fn main() {
    let rows = std::env::var("AUDIT_ROWS").map_or(1_000_000, |rows| rows.parse().expect("AUDIT_ROWS is a number"));
    let runtime = Runtime::new().unwrap();
    if let Ok(file) = std::env::var("AUDIT_STORE") {
        runtime.block_on(async {
            let store = Store::open(&format!("sqlite://{file}"), Metrics::new().unwrap()).await.unwrap();
            walk(&store, &file).await;
        });
        return;
    }
    for engine in [Engine::Sqlite, Engine::Postgresql] {
        runtime.block_on(async {
            let Some(place) = Place::on(engine).await else { return };
            let store = place.open().await;
            let begun = Instant::now();
            fill(&store, rows).await;
            println!("{engine:?}: filled in {:.0} s", begun.elapsed().as_secs_f64());
            walk(&store, &format!("{engine:?}")).await;
            store.close().await;
        });
    }
}
