//! The queue shows what waits, most urgent first, and a case is closed once.

use futures_util::future::join_all;
use rstest::rstest;
use uuid::Uuid;
use yuxin::domain::{BankId, Case, CaseId, CaseState, Fen, Review, Role, User, UserId, Verdict};
use yuxin::store::{CaseCounts, CaseFilter, Store, StoreError};

use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, bank, days_later, firm, now, referred};

async fn officer(store: &Store) -> User {
    store.create_user("wang", Role::Officer, &"correct horse battery".into(), now()).await.unwrap()
}

fn review(user: &User, verdict: Verdict, day: i64) -> Review {
    Review {
        user: user.id,
        user_name: user.name.clone(),
        verdict,
        reason: "查过纳税记录，\n情况属实。".into(),
        limit: (verdict == Verdict::Approve).then_some(Fen(80_000_000)),
        at: days_later(day),
    }
}

/// A case on firm `number`, due `due` days from now.
async fn open_case(store: &Store, bank: BankId, number: u32, due: i64, change: impl Fn(&mut Case)) -> Case {
    let mut entry = referred(bank, firm(number));
    let case = entry.case.as_mut().unwrap();
    case.due_at = days_later(due);
    change(case);
    let case = case.clone();
    store.commit_decision(entry).await.unwrap();
    case
}

fn ids(cases: &[Case]) -> Vec<CaseId> {
    cases.iter().map(|case| case.id).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_question_keeps_a_case_waiting_and_a_verdict_closes_it_for_good(
    #[values(Sqlite, Postgresql)] engine: Engine,
) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let officer = officer(&store).await;
    let case = open_case(&store, bank, 1, 30, |_| ()).await;
    let acts = [review(&officer, Verdict::Ask, 1), review(&officer, Verdict::Ask, 2)];
    for act in &acts {
        assert_eq!(store.review_case(case.id, act).await.unwrap().state, CaseState::Asked);
    }
    let closing = review(&officer, Verdict::Approve, 3);
    let closed = store.review_case(case.id, &closing).await.unwrap();
    let expected = Case {
        state: CaseState::Closed,
        reviews: vec![acts[0].clone(), acts[1].clone(), closing.clone()],
        ..case.clone()
    };
    assert_eq!(closed, expected);
    assert_eq!(store.case(case.id).await.unwrap().unwrap().0, expected);
    assert_eq!(store.decision(case.decision, bank).await.unwrap().unwrap().1, Some(expected));
    for verdict in [Verdict::Ask, Verdict::Decline, Verdict::Approve] {
        let late = store.review_case(case.id, &review(&officer, verdict, 4)).await;
        assert!(matches!(late, Err(StoreError::CaseClosed)), "{late:?}");
    }
    assert_eq!(place.count("reviews").await, 3);
    let unknown = store.review_case(CaseId(Uuid::now_v7()), &closing).await;
    assert!(matches!(unknown, Err(StoreError::NoSuchCase)));
    assert!(store.verify_audit().await.unwrap().intact());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn of_verdicts_at_the_same_time_one_closes_the_case(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let (store, replica) = (place.open().await, place.open().await);
    let bank = bank(&store, "Bank A").await;
    let officer = officer(&store).await;
    let case = open_case(&store, bank, 1, 30, |_| ()).await;
    let acts: Vec<_> =
        (0..10).map(|n| review(&officer, if n % 2 == 0 { Verdict::Approve } else { Verdict::Decline }, n)).collect();
    let tries = acts.iter().enumerate().map(|(n, act)| if n < 5 { &store } else { &replica }.review_case(case.id, act));
    let outcomes = join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|o| o.is_ok()).count(), 1);
    assert!(outcomes.iter().all(|o| matches!(o, Ok(_) | Err(StoreError::CaseClosed))), "{outcomes:?}");
    assert_eq!(place.count("reviews").await, 1);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn somebody_unknown_or_disabled_reviews_nothing(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let officer = officer(&store).await;
    let case = open_case(&store, bank, 1, 30, |_| ()).await;
    store.disable_user("wang", now()).await.unwrap();
    let stranger = User { id: UserId(Uuid::now_v7()), ..officer.clone() };
    for user in [officer, stranger] {
        let refused = store.review_case(case.id, &review(&user, Verdict::Approve, 1)).await;
        assert!(matches!(refused, Err(StoreError::NoSuchUser)), "{refused:?}");
    }
    assert_eq!(store.case(case.id).await.unwrap().unwrap().0, case);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_filtered_searched_and_paged_most_urgent_first(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let officer = officer(&store).await;
    let later = open_case(&store, bank, 1, 20, |_| ()).await;
    let soon = open_case(&store, bank, 2, 5, |c| c.firm_name = Some("Yuhong Machinery 100%_Ltd".into())).await;
    let nameless = open_case(&store, bank, 3, 10, |c| {
        c.firm_name = None;
        c.refer_codes = vec!["HEADS-DIFFER".into(), "CODE_SUSPECT".into()];
    })
    .await;
    let asked = open_case(&store, bank, 4, 7, |_| ()).await;
    store.review_case(asked.id, &review(&officer, Verdict::Ask, 1)).await.unwrap();
    let mut closed = Vec::new();
    for (number, due) in [(5, 1), (6, 2)] {
        let case = open_case(&store, bank, number, due, |_| ()).await;
        store.review_case(case.id, &review(&officer, Verdict::Decline, 1)).await.unwrap();
        closed.push(case.id);
    }
    let find = async |filter: CaseFilter| {
        let page = store.cases(&filter).await.unwrap();
        assert_eq!(page.total, page.cases.len() as u64, "{filter:?}");
        ids(&page.cases)
    };
    let all = [soon.id, asked.id, nameless.id, later.id, closed[1], closed[0]];
    let any = CaseFilter::default;
    assert_eq!(find(any()).await, all);
    assert_eq!(find(CaseFilter { states: vec![CaseState::Closed], ..any() }).await, all[4..]);
    let waiting = vec![CaseState::Asked, CaseState::Open];
    assert_eq!(find(CaseFilter { states: waiting, ..any() }).await, all[..4]);
    assert_eq!(find(CaseFilter { overdue_at: Some(days_later(7)), ..any() }).await, [soon.id]);
    assert_eq!(find(CaseFilter { overdue_at: Some(days_later(8)), ..any() }).await, [soon.id, asked.id]);
    let code = |code: &str| CaseFilter { refer_code: Some(code.into()), ..any() };
    assert_eq!(find(code("CODE_SUSPECT")).await, [nameless.id]);
    for unlike in ["HEADS_DIFFER_", "CODE", "SUSPECT\",\"", "%", "\"", "code_suspect"] {
        let found = find(code(unlike)).await;
        // SQLite's LIKE takes upper and lower case of ASCII as the same; codes are upper case by definition.
        assert!(found.is_empty() || unlike == "code_suspect", "{unlike}: {found:?}");
    }
    assert_eq!(find(code("HEADS_DIFFER")).await.len(), 5, "the underscore is no wildcard");
    let search = |text: &str| CaseFilter { search: Some(text.into()), ..any() };
    assert_eq!(find(search(firm(3).as_str())).await, [nameless.id]);
    assert_eq!(find(search(&format!(" {} ", firm(3).as_str()[8..].to_lowercase()))).await, [nameless.id]);
    assert_eq!(find(search("yuhong MACH")).await, [soon.id]);
    assert_eq!(find(search("ＹＵＨＯＮＧ")).await, [soon.id]);
    assert_eq!(find(search("100%_")).await, [soon.id]);
    assert_eq!(find(search("虞舜纺织")).await.len(), 4);
    assert_eq!(find(search("")).await, all);
    for nothing in ["_", "虞%织", "!", "' OR 1=1 --", "W|y\0"] {
        let found = find(search(nothing)).await;
        assert!(found.is_empty() || (nothing == "_" && found == [soon.id]), "{nothing}: {found:?}");
    }
    for (page, expected) in [(0, &all[..4]), (1, &all[..4]), (2, &all[4..]), (3, &[])] {
        let got = store.cases(&CaseFilter { page, per_page: 4, ..any() }).await.unwrap();
        assert_eq!((ids(&got.cases).as_slice(), got.total), (expected, 6), "page {page}");
    }
    let counts = CaseCounts { open: 3, asked: 1, closed: 2, overdue: 1 };
    assert_eq!(store.count_cases(days_later(7)).await.unwrap(), counts);
}
