//! What the group commit is worth: 64 callers who commit at once, against the same calls one after another, each of
//! which is then a transaction of its own. On SQLite always, on PostgreSQL where it is installed.
#![allow(missing_docs, clippy::unwrap_used, clippy::expect_used)] // a benchmark that fails may panic
#![allow(dead_code)] // the tests use more of what they share than this does

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use futures_util::future::join_all;
use tokio::runtime::Runtime;
use yuxin::store::{DecisionEntry, Store};

#[path = "../tests/it/support/postgres.rs"]
mod postgres;
#[path = "../tests/it/support/store.rs"]
mod sample;

use sample::{Engine, Place};

const CALLERS: u32 = 64;

fn entries(bank: yuxin::domain::BankId) -> Vec<DecisionEntry> {
    (0..CALLERS)
        .map(|n| {
            let mut entry = sample::decision(bank, sample::firm(n));
            entry.idempotency = sample::kept(&entry.record.decision.id.to_string());
            entry
        })
        .collect()
}

async fn together(store: &Store, entries: Vec<DecisionEntry>) {
    let tasks = entries.into_iter().map(|entry| {
        let store = store.clone();
        tokio::spawn(async move { store.commit_decision(entry).await.unwrap() })
    });
    for task in join_all(tasks).await {
        task.unwrap();
    }
}

async fn one_by_one(store: &Store, entries: Vec<DecisionEntry>) {
    for entry in entries {
        store.commit_decision(entry).await.unwrap();
    }
}

fn commits(criterion: &mut Criterion) {
    let runtime = Runtime::new().unwrap();
    for engine in [Engine::Sqlite, Engine::Postgresql] {
        let Some(place) = runtime.block_on(Place::on(engine)) else { continue };
        let store = runtime.block_on(place.open());
        let bank = runtime.block_on(sample::bank(&store, "Bank A"));
        let mut group = criterion.benchmark_group(format!("{engine:?}"));
        group.throughput(Throughput::Elements(CALLERS.into())).sample_size(20).measurement_time(Duration::from_secs(8));
        group.bench_function("64 together", |bencher| {
            bencher.iter_custom(|times| {
                let batches: Vec<_> = (0..times).map(|_| entries(bank)).collect();
                let begun = Instant::now();
                runtime.block_on(async {
                    for batch in batches {
                        together(&store, batch).await;
                    }
                });
                begun.elapsed()
            });
        });
        group.bench_function("64 one by one", |bencher| {
            bencher.iter_custom(|times| {
                let batches: Vec<_> = (0..times).map(|_| entries(bank)).collect();
                let begun = Instant::now();
                runtime.block_on(async {
                    for batch in batches {
                        one_by_one(&store, batch).await;
                    }
                });
                begun.elapsed()
            });
        });
        group.finish();
        runtime.block_on(store.close());
    }
}

criterion_group!(benches, commits);
criterion_main!(benches);
