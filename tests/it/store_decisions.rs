//! A decision is stored once, whole, and for its bank only.

use jiff::{Span, Timestamp};
use rstest::rstest;
use uuid::Uuid;
use yuxin::domain::{BankId, CaseId, Fen};
use yuxin::store::{Committed, StoreError};

use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, bank, days_later, decision, firm, kept, now, referred};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_comes_back_bit_by_bit_with_its_case(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    for entry in [decision(bank, firm(1)), referred(bank, firm(2))] {
        assert_eq!(store.commit_decision(entry.clone()).await.unwrap(), Committed::Stored);
        let found = store.decision(entry.record.decision.id, bank).await.unwrap().unwrap();
        assert_eq!(found, (entry.record.clone(), entry.case.clone()));
        if let Some(case) = entry.case {
            assert_eq!(store.case(case.id).await.unwrap().unwrap(), (case, entry.record));
        }
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_bank_finds_nothing(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let (own, foreign) = (bank(&store, "Bank A").await, bank(&store, "Bank B").await);
    let mut entry = referred(own, firm(1));
    entry.idempotency = kept("k");
    let id = entry.record.decision.id;
    store.commit_decision(entry).await.unwrap();
    for stranger in [foreign, BankId(Uuid::now_v7())] {
        assert_eq!(store.decision(id, stranger).await.unwrap(), None);
        assert_eq!(store.decisions_of(stranger, None, None, 10).await.unwrap(), vec![]);
        assert_eq!(store.decisions_of(stranger, Some(&firm(1)), None, 10).await.unwrap(), vec![]);
        assert_eq!(store.idempotent_reply(stranger, "POST /v1/decisions", "k", now()).await.unwrap(), None);
    }
    assert_eq!(store.decisions_of(own, Some(&firm(1)), None, 10).await.unwrap().len(), 1);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn decisions_are_listed_newest_first_page_by_page_and_by_firm(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let mut ids = Vec::new();
    for number in 0..7 {
        let entry = if number % 2 == 0 { referred(bank, firm(0)) } else { decision(bank, firm(1)) };
        ids.push(entry.record.decision.id);
        store.commit_decision(entry).await.unwrap();
    }
    ids.reverse();
    let (mut seen, mut after) = (Vec::new(), None);
    loop {
        let page = store.decisions_of(bank, None, after, 3).await.unwrap();
        assert!(page.len() <= 3);
        for (record, case) in &page {
            assert_eq!(case.as_ref().map(|c| c.id), record.decision.case_id, "each has its own case or none");
        }
        let Some((last, _)) = page.last() else { break };
        after = Some(last.decision.id);
        seen.extend(page.iter().map(|(record, _)| record.decision.id));
    }
    assert_eq!(seen, ids);
    let of_firm = store.decisions_of(bank, Some(&firm(1)), None, 10).await.unwrap();
    assert_eq!(of_firm.len(), 3);
    assert!(of_firm.iter().all(|(record, _)| record.decision.request.uscc == firm(1)));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_is_answered_with_the_first_answer_and_nothing_is_written(
    #[values(Sqlite, Postgresql)] engine: Engine,
) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let (own, other) = (bank(&store, "Bank A").await, bank(&store, "Bank B").await);
    let mut first = decision(own, firm(1));
    first.idempotency = kept("key-1");
    assert_eq!(store.commit_decision(first).await.unwrap(), Committed::Stored);

    let mut again = referred(own, firm(1));
    again.idempotency = kept("key-1").map(|k| yuxin::store::IdempotencyEntry { body: "another".into(), ..k });
    let id = again.record.decision.id;
    let before = place.count("audit").await;
    let Committed::Replayed(reply) = store.commit_decision(again).await.unwrap() else { panic!("stored twice") };
    assert_eq!((reply.status, reply.body.as_str()), (201, r#"{"under":"key-1"}"#));
    assert_eq!(store.decision(id, own).await.unwrap(), None);
    assert_eq!((place.count("cases").await, place.count("audit").await), (0, before));
    assert_eq!(store.idempotent_reply(own, "POST /v1/decisions", "key-1", now()).await.unwrap(), Some(reply));

    // The same key of another bank, or on another route, is another key.
    let mut of_other = decision(other, firm(1));
    of_other.idempotency = kept("key-1");
    assert_eq!(store.commit_decision(of_other).await.unwrap(), Committed::Stored);
    let mut on_other = decision(own, firm(1));
    on_other.idempotency = kept("key-1").map(|k| yuxin::store::IdempotencyEntry { route: "POST /v1/x".into(), ..k });
    assert_eq!(store.commit_decision(on_other).await.unwrap(), Committed::Stored);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_kept_for_72_hours_and_then_thrown_away(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let commit = async |key: &str, at: Timestamp| {
        let mut entry = decision(bank, firm(1));
        entry.record.decision.decided_at = at;
        entry.idempotency = kept(key);
        store.commit_decision(entry).await.unwrap()
    };
    let moment = Span::new().milliseconds(1);
    assert_eq!(commit("a", now()).await, Committed::Stored);
    assert_eq!(commit("b", now()).await, Committed::Stored);
    assert!(matches!(commit("a", days_later(3) - moment).await, Committed::Replayed(_)));
    let reply = async |at| store.idempotent_reply(bank, "POST /v1/decisions", "a", at).await.unwrap();
    assert!(reply(days_later(3) - moment).await.is_some());
    assert!(reply(days_later(3)).await.is_none());
    assert_eq!(commit("a", days_later(3)).await, Committed::Stored);
    assert!(reply(days_later(3)).await.is_some());
    assert_eq!(place.count("idempotency").await, 1, "the other answer was thrown away in passing");
    assert_eq!(place.count("decisions").await, 3);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_contradicts_fails_alone_and_names_no_firm(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let first = decision(bank, firm(7));
    store.commit_decision(first.clone()).await.unwrap();
    let good: Vec<_> = (0..20).map(|n| decision(bank, firm(n))).collect();
    let bad = [first.clone(), decision(BankId(Uuid::now_v7()), firm(7))];
    let mut all = good.clone();
    all.splice(5..5, bad);
    let outcomes = futures_util::future::join_all(all.into_iter().map(|entry| store.commit_decision(entry))).await;
    let (stored, failed): (Vec<_>, Vec<_>) = outcomes.into_iter().partition(Result::is_ok);
    assert_eq!((stored.len(), failed.len()), (20, 2));
    for error in failed {
        let error = error.unwrap_err();
        assert!(matches!(error, StoreError::Conflict(_)), "{error}");
        assert!(!format!("{error} {error:?}").contains(firm(7).as_str()), "{error:?}");
    }
    assert_eq!(place.count("decisions").await, 21);
    assert!(store.verify_audit().await.unwrap().intact());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_case_about_something_else_is_refused(#[values(Sqlite)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let own = bank(&store, "Bank A").await;
    let other = bank(&store, "Bank B").await;
    let mut wrong_firm = referred(own, firm(1));
    wrong_firm.case.as_mut().unwrap().uscc = firm(2);
    let mut wrong_bank = referred(own, firm(1));
    wrong_bank.case.as_mut().unwrap().bank = other;
    let mut wrong_id = referred(own, firm(1));
    wrong_id.case.as_mut().unwrap().id = CaseId(Uuid::now_v7());
    let mut no_case = referred(own, firm(1));
    no_case.case = None;
    for entry in [wrong_firm, wrong_bank, wrong_id, no_case] {
        assert!(matches!(store.commit_decision(entry).await, Err(StoreError::Conflict(_))));
    }
    assert_eq!(place.count("decisions").await, 0);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_record_that_cannot_be_read_says_which_and_names_no_firm(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let mut entry = decision(bank, firm(7));
    entry.record.decision.limit = Some(Fen(1));
    let id = entry.record.decision.id;
    store.commit_decision(entry).await.unwrap();
    let other_shape = format!("{{\"decision\":\"{}\"}}", firm(7));
    place.tamper(&format!("UPDATE decisions SET record = '{other_shape}'")).await;
    let error = store.decision(id, bank).await.unwrap_err();
    let text = format!("{error} {error:?}");
    assert!(text.contains(&id.to_string()) && !text.contains(firm(7).as_str()), "{text}");
}
