//! What is acknowledged is on disk, once; what fails is refused aloud; the writer goes on.

use std::time::Duration;

use futures_util::future::join_all;
use rand::distributions::{Alphanumeric, DistString};
use rstest::rstest;
use sqlx::{Connection, SqliteConnection};
use yuxin::domain::DecisionId;
use yuxin::store::{Committed, StoreError};

use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, bank, decision, firm, kept, referred};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_decisions_at_once_are_all_stored(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let entries: Vec<_> = (0..200).map(|n| referred(bank, firm(n))).collect();
    let tasks = entries.iter().cloned().map(|entry| {
        let store = store.clone();
        tokio::spawn(async move { store.commit_decision(entry).await })
    });
    for outcome in join_all(tasks).await {
        assert_eq!(outcome.unwrap().unwrap(), Committed::Stored);
    }
    for entry in entries {
        let (record, case) = store.decision(entry.record.decision.id, bank).await.unwrap().unwrap();
        assert_eq!((record, case), (entry.record, entry.case));
    }
    let report = store.verify_audit().await.unwrap();
    assert_eq!((report.intact(), report.entries), (true, 2 + 600));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_requests_under_one_key_store_one_decision(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    // Half of them by another replica, with a writer of its own.
    let (store, replica) = (place.open().await, place.open().await);
    let bank = bank(&store, "Bank A").await;
    let tasks = (0..100).map(|n| {
        let store = if n % 2 == 0 { store.clone() } else { replica.clone() };
        let mut entry = referred(bank, firm(1));
        entry.idempotency = kept("the one key");
        tokio::spawn(async move { store.commit_decision(entry).await })
    });
    let outcomes: Vec<_> = join_all(tasks).await.into_iter().map(|o| o.unwrap().unwrap()).collect();
    assert_eq!(outcomes.iter().filter(|o| **o == Committed::Stored).count(), 1);
    assert_eq!((place.count("decisions").await, place.count("cases").await), (1, 1));
    assert!(store.verify_audit().await.unwrap().intact());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn replicas_over_one_database_keep_one_chain(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let first = place.open().await;
    let bank = bank(&first, "Bank A").await;
    let replicas = [first.clone(), place.open().await, place.open().await];
    let tasks = (0..150).map(|n| {
        let (store, entry) = (replicas[n % 3].clone(), decision(bank, firm(n as u32)));
        tokio::spawn(async move { store.commit_decision(entry).await })
    });
    for outcome in join_all(tasks).await {
        assert_eq!(outcome.unwrap().unwrap(), Committed::Stored);
    }
    let report = first.verify_audit().await.unwrap();
    assert_eq!((report.problems, report.entries), (vec![], 302));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_was_acknowledged_is_there_after_a_drop_without_a_close(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let mut ids: Vec<DecisionId> = Vec::new();
    for n in 0..20 {
        let entry = referred(bank, firm(n));
        ids.push(entry.record.decision.id);
        store.commit_decision(entry).await.unwrap();
    }
    drop(store);
    let store = place.open().await;
    for id in ids {
        assert!(store.decision(id, bank).await.unwrap().is_some());
    }
    assert!(store.verify_audit().await.unwrap().intact());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_goes_away_leaves_a_whole_decision_or_none(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let mut begun = 0;
    for n in 0..60_u64 {
        let mut entry = referred(bank, firm(n as u32));
        entry.idempotency = kept(&n.to_string());
        let commit = store.commit_decision(entry);
        if n % 3 == 0 {
            drop(commit);
            continue;
        }
        begun += 1;
        // Polled once at least, then given up at some moment on the way.
        let _ = tokio::time::timeout(Duration::from_micros(n * 40), commit).await;
    }
    store.close().await;
    let store = place.open().await;
    let counts = [place.count("decisions").await, place.count("cases").await, place.count("idempotency").await];
    assert_eq!(counts, [begun; 3]);
    assert!(store.verify_audit().await.unwrap().intact());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn closing_writes_what_waits_and_then_refuses(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    store.check_writable().await.unwrap();
    let waiting = join_all((0..500).map(|n| store.commit_decision(decision(bank, firm(n)))));
    let (outcomes, ()) = tokio::join!(waiting, store.close());
    assert!(outcomes.iter().all(Result::is_ok), "joined in this order, all of them were queued before the close");
    assert_eq!(place.count("decisions").await, 500);
    let late = store.commit_decision(decision(bank, firm(1))).await;
    assert!(matches!(late, Err(StoreError::Unavailable(_))), "{late:?}");
    assert!(matches!(store.check_writable().await, Err(StoreError::Unavailable(_))));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_fails_refuses_every_write_and_works_again_afterwards(
    #[values(Sqlite, Postgresql)] engine: Engine,
) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    place.tamper("ALTER TABLE audit RENAME TO away").await;
    let outcomes = join_all((0..50).map(|n| store.commit_decision(referred(bank, firm(n))))).await;
    assert!(outcomes.iter().all(|o| matches!(o, Err(StoreError::Unavailable(_)))), "{:?}", outcomes[0]);
    assert_eq!((place.count("decisions").await, place.count("cases").await), (0, 0), "not even a part of one");
    place.tamper("ALTER TABLE away RENAME TO audit").await;
    assert_eq!(store.commit_decision(referred(bank, firm(1))).await.unwrap(), Committed::Stored);
    assert!(store.verify_audit().await.unwrap().intact());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_at_its_very_end_is_not_acknowledged(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    // Checked when the transaction commits, and not before.
    place
        .tamper(match engine {
            Sqlite => {
                "CREATE TABLE late (n BIGINT REFERENCES banks (name) DEFERRABLE INITIALLY DEFERRED); \
                 CREATE TRIGGER trap AFTER INSERT ON decisions BEGIN INSERT INTO late VALUES (99); END"
            }
            Postgresql => {
                "CREATE FUNCTION refuse() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'no'; END $$ LANGUAGE plpgsql; \
                 CREATE CONSTRAINT TRIGGER trap AFTER INSERT ON decisions DEFERRABLE INITIALLY DEFERRED \
                 FOR EACH ROW EXECUTE FUNCTION refuse()"
            }
        })
        .await;
    let outcomes = join_all((0..10).map(|n| store.commit_decision(referred(bank, firm(n))))).await;
    assert!(outcomes.iter().all(Result::is_err), "{outcomes:?}");
    assert_eq!((place.count("decisions").await, place.count("audit").await), (0, 2));
    place.tamper(if engine == Sqlite { "DROP TRIGGER trap" } else { "DROP TRIGGER trap ON decisions" }).await;
    assert_eq!(store.commit_decision(referred(bank, firm(1))).await.unwrap(), Committed::Stored);
    assert!(store.verify_audit().await.unwrap().intact());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn values_that_a_database_refuses_harm_no_other_write(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let mut endless_key = decision(bank, firm(50));
    // Random, or PostgreSQL compresses it until it fits its index.
    let key = Alphanumeric.sample_string(&mut rand::thread_rng(), 18_000);
    endless_key.idempotency = kept(&key);
    let mut nul = referred(bank, firm(51));
    nul.case.as_mut().unwrap().firm_name = Some("Yu\0hong".into());
    let nul_id = nul.record.decision.id;
    let mut all: Vec<_> = (0..20).map(|n| referred(bank, firm(n))).collect();
    all.splice(7..7, [endless_key, nul]);
    let outcomes = join_all(all.into_iter().map(|entry| store.commit_decision(entry))).await;
    let refused = outcomes.iter().filter(|o| matches!(o, Err(StoreError::Conflict(_)))).count();
    let stored = outcomes.iter().filter(|o| matches!(o, Ok(Committed::Stored))).count();
    // SQLite's indexes take keys of any length.
    assert_eq!((stored, refused), if engine == Sqlite { (22, 0) } else { (21, 1) }, "{outcomes:?}");
    let (_, case) = store.decision(nul_id, bank).await.unwrap().unwrap();
    assert_eq!(case.unwrap().firm_name.as_deref(), Some("Yuhong"));
    assert!(store.verify_audit().await.unwrap().intact());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn first_starts_at_the_same_time_make_one_store(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let stores = join_all((0..4).map(|_| place.open())).await;
    for (n, store) in stores.iter().enumerate() {
        bank(store, &format!("Bank {n}")).await;
    }
    assert_eq!(stores[0].verify_audit().await.unwrap().entries, 8);
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_break_lose_nothing_that_was_acknowledged() {
    let Some(place) = Place::on(Postgresql).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let tasks: Vec<_> = (0..8)
        .map(|caller| {
            let store = store.clone();
            tokio::spawn(async move {
                let mut outcomes = Vec::new();
                for n in 0..60 {
                    let entry = referred(bank, firm(caller * 100 + n));
                    let id = entry.record.decision.id;
                    let outcome = store.commit_decision(entry).await;
                    if outcome.is_err() {
                        // As a caller does who is told to try again later: refusals come at once.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    outcomes.push((id, outcome));
                }
                outcomes
            })
        })
        .collect();
    while !tasks.iter().all(tokio::task::JoinHandle::is_finished) {
        let all_but_this = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
            WHERE datname = current_database() AND pid <> pg_backend_pid()";
        place.tamper(all_but_this).await;
        // Some of them must have the time to store a few decisions.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    let mut acknowledged = 0;
    for task in tasks {
        for (id, outcome) in task.await.unwrap() {
            match outcome {
                Ok(_) => {
                    acknowledged += 1;
                    assert!(store.decision(id, bank).await.unwrap().is_some_and(|(_, case)| case.is_some()));
                }
                Err(error) => assert!(matches!(error, StoreError::Unavailable(_)), "{error}"),
            }
        }
    }
    assert!(acknowledged > 0, "the connections broke all the time");
    store.check_writable().await.unwrap();
    assert!(store.verify_audit().await.unwrap().intact());
}

#[tokio::test(flavor = "multi_thread")]
async fn more_writes_than_can_wait_are_refused_and_exactly_what_is_acknowledged_is_stored() {
    let place = Place::on(Sqlite).await.unwrap();
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let mut blocking = SqliteConnection::connect(&place.url).await.unwrap();
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut blocking).await.unwrap();
    let tasks: Vec<_> = (0..5000)
        .map(|n| {
            let (store, entry) = (store.clone(), decision(bank, firm(n)));
            tokio::spawn(async move { store.commit_decision(entry).await })
        })
        .collect();
    // The queue is full, or the lock was waited for long enough, whichever comes first on this machine.
    let began = std::time::Instant::now();
    while !tasks.iter().any(tokio::task::JoinHandle::is_finished) {
        assert!(began.elapsed() < Duration::from_secs(4), "nobody is refused");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    sqlx::raw_sql("ROLLBACK").execute(&mut blocking).await.unwrap();
    let outcomes: Vec<_> = join_all(tasks).await.into_iter().map(Result::unwrap).collect();
    let stored = outcomes.iter().filter(|o| o.is_ok()).count();
    assert!(stored < 5000, "{stored}");
    assert!(outcomes.iter().all(|o| matches!(o, Ok(_) | Err(StoreError::Unavailable(_)))));
    assert_eq!(place.count("decisions").await, stored as i64);
    let began = std::time::Instant::now();
    while store.commit_decision(decision(bank, firm(9000))).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(5), "it does not heal");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(store.verify_audit().await.unwrap().intact());
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_says_why_without_the_password() {
    let metrics = || yuxin::observe::Metrics::new().unwrap();
    for url in [
        "mysql://a:hunter2@localhost/x",
        "sqlite::memory:",
        "sqlite:///proc/nowhere/yuxin.db",
        "postgres://a:hunter2@127.0.0.1:1/x",
        "",
    ] {
        let Err(error) = yuxin::store::Store::open(url, metrics()).await else { panic!("{url} was opened") };
        assert!(matches!(error, StoreError::Open(_)), "{url}: {error}");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }
}

#[cfg(unix)]
#[tokio::test]
async fn the_file_can_be_read_by_its_owner_only() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::on(Sqlite).await.unwrap();
    let store = place.open().await;
    bank(&store, "Bank A").await;
    let file = std::path::PathBuf::from(place.url.strip_prefix("sqlite://").unwrap());
    for suffix in ["", "-wal"] {
        let file = format!("{}{suffix}", file.display());
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o077, 0, "{file}");
    }
}
