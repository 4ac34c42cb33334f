//! A look is on disk before a department is asked: whatever ends the process, the ledger has it.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use tempfile::TempDir;
use uuid::Uuid;
use yuxin::decide::{Asker, DecideError, Decided, Decider};
use yuxin::domain::decision::DecisionRequest;
use yuxin::domain::{Consent, Fen, Look, LookBy, LookEnd, LookId, SourceKind};
use yuxin::settings::Settings;
use yuxin::store::Store;
use yuxin::store::backup::{back_up, restore};

use crate::support::department::{Behaviour, Department};
use crate::support::gathering::{self, FIRM};
use crate::support::service::{Service, ask};
use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, bank, consent, decision, firm, now};

/// A look of a bank as it begins.
fn begun(store_bank: yuxin::domain::BankId, at: Timestamp) -> Look {
    Look {
        id: LookId(Uuid::now_v7()),
        uscc: firm(1),
        by: LookBy::Bank(store_bank),
        consent: None,
        purpose: "working_capital".into(),
        at,
        end: LookEnd::Abandoned,
        decision: None,
        asked: SourceKind::ALL.to_vec(),
        answers: Vec::new(),
    }
}

fn seconds_later(seconds: i64) -> Timestamp {
    now() + SignedDuration::from_secs(seconds)
}

async fn within<T>(what: &str, mut found: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = found().await {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(15), "{what} did not come");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_kill_9_cut_off_is_in_the_ledger_after_the_restart(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    // Makes the tables, so that they can be counted.
    place.open().await.close().await;
    let [tax, others] = [Department::start(Behaviour::Silent).await, Department::start(Behaviour::knowing()).await];
    let (tax_url, others_url) = (tax.base_url(), others.base_url());
    let environment = [
        ("YUXIN_STORE__URL", place.url.as_str()),
        ("YUXIN_SOURCES__SOCIAL_INSURANCE__BASE_URL", others_url.as_str()),
        ("YUXIN_SOURCES__PAYMENT_HISTORY__BASE_URL", others_url.as_str()),
    ];
    let mut service = Service::start_with(&tax_url, &environment);
    let bank = service.bank("First Bank");
    let consent = bank.consent(FIRM).await;
    let asking = tokio::spawn(bank.post("/v1/decisions").json(&ask(FIRM, &consent)).send());
    within("the call", async || (!tax.requests().is_empty()).then_some(())).await;
    assert_eq!(place.count("looks_begun").await, 1, "a department was asked before the look was on disk");
    service.process.kill();
    drop(asking.await);
    assert_eq!(place.count("looks").await, 0);

    // Begun a moment ago, it may be another process's that lives.
    let service = service.restart();
    let ledger = |service: &Service| {
        let said = service.command(&["ledger", FIRM]);
        assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
        String::from_utf8(said.stdout).unwrap()
    };
    assert_eq!(ledger(&service).lines().count(), 1, "only the heading");
    assert_eq!(place.tamper("UPDATE looks_begun SET begun_at = begun_at - 61000").await, 1);
    let service = service.restart();
    within("the end of the look", async || (place.count("looks_begun").await == 0).then_some(())).await;
    let said = ledger(&service);
    let rows: Vec<&str> = said.lines().skip(1).collect();
    assert_eq!(rows.len(), 3, "one look, three departments: {said}");
    assert!(rows.iter().all(|row| row.contains("abandoned") && row.contains(&consent)), "{said}");
    assert!(rows[0].contains("First Bank"), "{said}");
    let verified = service.command(&["audit", "verify"]);
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stderr));
    let log = service.process.said();
    assert!(log.contains("without ending its looks") && !log.contains(FIRM), "{log}");
}

/// A bank with a consent of the samples' firm, and what it asks.
async fn asker(store: &Store) -> (Asker, DecisionRequest) {
    let bank = bank(store, "Bank A").await;
    let given = Consent { uscc: FIRM.parse().unwrap(), ..consent(bank) };
    store.insert_consent(&given).await.unwrap();
    let request = DecisionRequest {
        uscc: given.uscc,
        consent_id: given.id,
        purpose: "working_capital".into(),
        amount: Fen(100_000_000),
        term_months: 12,
    };
    (Asker { bank, name: "Bank A".into() }, request)
}

async fn decider(store: &Store, tax: Behaviour) -> (Decider, [Department; 3]) {
    let keeping = || Behaviour::keepable("max-age=600");
    let district = gathering::District::of([tax, keeping(), keeping()], |_| {}).await;
    let engine = yuxin::app::load_engine(&Settings::with_overrides("").unwrap()).unwrap();
    (Decider::new(store.clone(), district.sources, district.metrics, engine), district.departments)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_ends_leaves_nothing_behind_as_begun(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let (asker, request) = asker(&store).await;
    let (decider, departments) = decider(&store, Behaviour::keepable("no-store").after_ms(400)).await;
    let ask = || decider.decide(&asker, request.clone(), now(), |_| None);
    let (decided, ()) = tokio::join!(ask(), async {
        within("the call", async || (!departments[0].requests().is_empty()).then_some(())).await;
        assert_eq!(place.count("looks_begun").await, 1);
    });
    assert!(matches!(decided, Ok(Decided::Recorded(_))), "{decided:?}");
    assert_eq!(place.count("looks_begun").await, 0);
    // The bank hangs up.
    assert!(tokio::time::timeout(Duration::from_millis(100), ask()).await.is_err());
    let looks = within("the second look", async || {
        Some(store.ledger_of(&request.uscc).await.unwrap()).filter(|looks| looks.len() == 2)
    });
    let ends: Vec<LookEnd> = looks.await.iter().map(|line| line.look.end).collect();
    assert_eq!(ends, [LookEnd::Abandoned, LookEnd::Decided]);
    assert_eq!(place.count("looks_begun").await, 0);
    assert_eq!(store.enter_cut_off_looks(seconds_later(3600)).await.unwrap(), 0);
    assert!(store.verify_audit().await.unwrap().intact());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn no_department_is_asked_where_the_look_cannot_be_noted(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let (asker, request) = asker(&store).await;
    let (decider, departments) = decider(&store, Behaviour::keepable("max-age=600")).await;
    let calls = || departments.iter().map(|department| department.requests().len()).sum::<usize>();
    place.tamper("ALTER TABLE looks_begun RENAME TO away").await;
    let refused = decider.decide(&asker, request.clone(), now(), |_| None).await;
    assert!(matches!(refused, Err(DecideError::Store(_))), "{refused:?}");
    assert_eq!(calls(), 0);
    assert_eq!(store.ledger_of(&request.uscc).await.unwrap(), [], "nobody was asked: there was no look");
    place.tamper("ALTER TABLE away RENAME TO looks_begun").await;
    within("a store that heals", async || store.check_writable().await.ok()).await;
    let decided = decider.decide(&asker, request.clone(), now(), |_| None).await;
    assert!(matches!(decided, Ok(Decided::Recorded(_))), "{decided:?}");
    assert_eq!(calls(), 3);
    // With all at hand there is nothing to note.
    place.tamper("ALTER TABLE looks_begun RENAME TO away").await;
    let decided = decider.decide(&asker, request, now(), |_| None).await;
    assert!(matches!(decided, Ok(Decided::Recorded(_))), "{decided:?}");
    assert_eq!(calls(), 3);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_look_is_entered_once_whoever_comes_first(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let (store, other) = (place.open().await, place.open().await);
    let bank = bank(&store, "Bank A").await;
    let looks: Vec<Look> = (0..300).map(|_| begun(bank, now())).collect();
    for noted in futures_util::future::join_all(looks.iter().map(|look| store.begin_look(look))).await {
        noted.unwrap();
    }
    let younger = begun(bank, seconds_later(2));
    store.begin_look(&younger).await.unwrap();
    assert_eq!(store.enter_cut_off_looks(seconds_later(59)).await.unwrap(), 0);
    let at = seconds_later(61);
    let (here, there) = tokio::join!(store.enter_cut_off_looks(at), other.enter_cut_off_looks(at));
    assert_eq!(here.unwrap() + there.unwrap(), 300);
    let ledger = store.ledger_of(&firm(1)).await.unwrap();
    assert_eq!(ledger.len(), 300);
    assert!(looks.iter().all(|look| ledger.iter().any(|line| line.look == *look)));
    // One that was thought dead, and ends after all.
    store.end_look(Look { end: LookEnd::ConsentRevoked, ..looks[0].clone() }).await.unwrap();
    store.end_look(Look { end: LookEnd::ConsentRevoked, ..younger.clone() }).await.unwrap();
    let ledger = store.ledger_of(&firm(1)).await.unwrap();
    assert_eq!(ledger.iter().filter(|line| line.look.end == LookEnd::ConsentRevoked).count(), 1);
    assert_eq!((ledger.len(), place.count("looks_begun").await), (301, 0));
    assert!(store.verify_audit().await.unwrap().intact());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_note_that_cannot_be_read_holds_nothing_else_up(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let [spoilt, whole] = [begun(bank, now()), begun(bank, now())];
    store.begin_look(&spoilt).await.unwrap();
    store.begin_look(&whole).await.unwrap();
    place.tamper(&format!("UPDATE looks_begun SET look = 'x' WHERE id = '{}'", spoilt.id)).await;
    assert_eq!(store.enter_cut_off_looks(seconds_later(61)).await.unwrap(), 1);
    assert_eq!(store.ledger_of(&firm(1)).await.unwrap()[0].look, whole);
    assert_eq!(place.count("looks_begun").await, 1, "nothing is thrown away");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn looks_under_way_and_decisions_of_one_group_are_all_written(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let each = (0..60).map(|n| {
        let (store, look) = (store.clone(), begun(bank, now()));
        async move {
            store.begin_look(&look).await.unwrap();
            let mut entry = decision(bank, firm(n));
            // Every third ends otherwise.
            if n % 3 == 0 {
                return store.end_look(look).await.unwrap();
            }
            entry.look = Some(look.id);
            store.commit_decision(entry).await.unwrap();
        }
    });
    futures_util::future::join_all(each).await;
    assert_eq!((place.count("looks_begun").await, place.count("looks").await), (0, 60));
    assert!(store.verify_audit().await.unwrap().intact());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_look_under_way_is_in_a_backup_and_accounted_for_after_a_restore(
    #[values(Sqlite, Postgresql)] from: Engine,
    #[values(Sqlite, Postgresql)] to: Engine,
) {
    let (Some(source), Some(target)) = (Place::on(from).await, Place::on(to).await) else { return };
    let folder = TempDir::new().unwrap();
    let store = source.open().await;
    let look = begun(bank(&store, "Bank A").await, now());
    store.begin_look(&look).await.unwrap();
    let made = back_up(&source.url, folder.path(), now()).await.unwrap();
    assert_eq!(made.rows["looks_begun"], 1);
    restore(&target.url, &made.path, false, now()).await.unwrap();
    let copy = target.open().await;
    assert_eq!(copy.enter_cut_off_looks(seconds_later(61)).await.unwrap(), 1);
    assert_eq!(copy.ledger_of(&firm(1)).await.unwrap()[0].look, look);
    assert!(copy.verify_audit().await.unwrap().intact());
}
