//! The outbox as the store keeps it: claims, the disabling of what fails for days, what is thrown away, and the audit chain over webhooks.

use jiff::{SignedDuration, Timestamp};
use rstest::rstest;
use uuid::Uuid;
use yuxin::domain::{BankId, DeliveryState, Disabled, EventKind, NoticeKind, WebhookId};
use yuxin::store::{Claimed, Ended, NewWebhook, Queued, Registered, Replay, Store, Then, WebhookChange};

use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, bank, consent, days_later, now};

const FIVE_DAYS: SignedDuration = SignedDuration::from_hours(5 * 24);

async fn webhook(store: &Store, bank: BankId, kinds: Vec<EventKind>) -> WebhookId {
    let id = WebhookId(Uuid::now_v7());
    let (url, sealed_secret) = ("https://bank.example/".to_owned(), "plain:whsec_x".to_owned());
    let made = store.create_webhook(NewWebhook { id, bank, url, kinds, sealed_secret }, None, now()).await.unwrap();
    assert!(matches!(made, Registered::Stored(_)), "{made:?}");
    id
}

/// A consent of the bank is revoked.
async fn happens(store: &Store, bank: BankId, at: Timestamp) {
    let consent = consent(bank);
    store.insert_consent(&consent).await.unwrap();
    store.revoke_consent(consent.id, bank, at).await.unwrap().unwrap();
}

async fn claim(store: &Store, webhook: WebhookId, count: u32, at: Timestamp) -> Vec<Claimed> {
    store.claim_deliveries(vec![(webhook, count)], at, later(at, 30)).await.unwrap()
}

fn later(at: Timestamp, seconds: i64) -> Timestamp {
    at + SignedDuration::from_secs(seconds)
}

fn ended(then: Then, at: Timestamp) -> Ended {
    let delivered = then == Then::Delivered;
    let (status, word) = if delivered { (Some(204), "delivered") } else { (Some(500), "status") };
    Ended { tried_at: at, status, word, then }
}

async fn end(store: &Store, claimed: &Claimed, then: Then, at: Timestamp) -> Option<Disabled> {
    store.end_delivery(claimed, ended(then, at), FIVE_DAYS, at).await.unwrap()
}

#[rstest]
#[case(Sqlite)]
#[case(Postgresql)]
#[tokio::test]
async fn a_claim_is_one_callers_until_it_runs_out_and_who_lost_it_has_nothing_to_say(#[case] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let (store, replica) = (place.open().await, place.open().await);
    let bank = bank(&store, "First Bank").await;
    let hook = webhook(&store, bank, Vec::new()).await;
    for _ in 0..5 {
        happens(&store, bank, now()).await;
    }
    // Both at once: each delivery goes to one of them.
    let (one, two) = tokio::join!(claim(&store, hook, 4, now()), claim(&replica, hook, 4, now()));
    let mut events: Vec<String> = one.iter().chain(&two).map(|claimed| claimed.event.to_string()).collect();
    events.sort();
    events.dedup();
    assert_eq!((events.len(), one.len() + two.len()), (5, 5));
    assert!(store.webhooks_due(now()).await.unwrap().is_empty(), "nothing is left to claim");
    assert!(claim(&store, hook, 4, later(now(), 29)).await.is_empty());

    let lost = one.into_iter().chain(two).next().unwrap();
    assert_eq!(store.webhooks_due(later(now(), 30)).await.unwrap().len(), 1);
    let again = claim(&replica, hook, 5, later(now(), 30)).await;
    assert_eq!(again.len(), 5);
    let same = again.iter().find(|claimed| claimed.event == lost.event).unwrap();
    assert_eq!((same.attempts, same.holder == lost.holder), (2, false));
    // The first one wakes up, and says that it failed for good.
    assert_eq!(end(&store, &lost, Then::Gone, later(now(), 31)).await, None);
    assert_eq!(store.webhook(hook, bank).await.unwrap().unwrap().disabled, None);
    end(&replica, same, Then::Delivered, later(now(), 31)).await;
    let delivered = store.deliveries(hook, Some(DeliveryState::Delivered), None, 10).await.unwrap();
    assert_eq!(delivered.iter().map(|delivery| delivery.event).collect::<Vec<_>>(), [lost.event]);
    store.close().await;
    replica.close().await;
}

#[rstest]
#[case(Sqlite)]
#[case(Postgresql)]
#[tokio::test]
async fn a_webhook_that_has_failed_for_days_is_disabled_and_its_bank_told(#[case] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "First Bank").await;
    let (failing, well) =
        (webhook(&store, bank, Vec::new()).await, webhook(&store, bank, vec![EventKind::FactExpired]).await);
    happens(&store, bank, now()).await;
    let mut at = now();
    // Ten failures within a day: not yet.
    for _ in 0..10 {
        let claimed = claim(&store, failing, 1, at).await.remove(0);
        at = later(at, 3600);
        assert_eq!(end(&store, &claimed, Then::Retry { due_at: at, rest_until: None }, at).await, None);
    }
    let standing = store.webhook(failing, bank).await.unwrap().unwrap();
    assert_eq!(standing.failing_since, Some(later(now(), 3600)));
    // One success, and it begins anew.
    let claimed = claim(&store, failing, 1, at).await.remove(0);
    end(&store, &claimed, Then::Delivered, at).await;
    assert_eq!(store.webhook(failing, bank).await.unwrap().unwrap().failing_since, None);

    happens(&store, bank, at).await;
    happens(&store, bank, at).await;
    for n in 0..10 {
        let claimed = claim(&store, failing, 1, at).await.remove(0);
        at = later(at, 16 * 3600);
        let because = end(&store, &claimed, Then::Retry { due_at: at, rest_until: None }, at).await;
        assert_eq!(because, (n == 9).then_some(Disabled::Failing), "failure {n}");
    }
    let standing = store.webhook(failing, bank).await.unwrap().unwrap();
    assert_eq!(standing.disabled, Some(Disabled::Failing));
    assert!(store.webhooks_due(days_later(100)).await.unwrap().is_empty(), "what waited was given up");
    assert_eq!(store.deliveries(failing, Some(DeliveryState::Failed), None, 10).await.unwrap().len(), 2);
    let notices = store.notices_to(bank, 0, 10, at).await.unwrap();
    let told = notices.last().unwrap();
    assert_eq!((told.kind, told.about.webhook_id), (NoticeKind::WebhookDisabled, Some(failing)));
    assert_eq!(store.webhook(well, bank).await.unwrap().unwrap().disabled, None);
    // While it is disabled nothing is queued for it; what happened meanwhile can be had.
    happens(&store, bank, at).await;
    assert!(store.webhooks_due(days_later(100)).await.unwrap().is_empty());
    let since = Replay::Since { since: now(), delivered: false };
    assert_eq!(store.replay(failing, bank, since, at).await.unwrap(), Queued::Disabled);
    let enable = WebhookChange::Set { url: None, kinds: None, enabled: Some(true) };
    let standing = store.change_webhook(failing, bank, enable, at).await.unwrap().unwrap();
    assert_eq!((standing.disabled, standing.failing_since), (None, None));
    // Two that failed, the notice's own event, and the one while it was disabled.
    assert_eq!(store.replay(failing, bank, since, later(at, 1)).await.unwrap(), Queued::Yes(4));
    assert!(store.verify_audit().await.unwrap().intact());
    store.close().await;
}

#[rstest]
#[case(Sqlite)]
#[case(Postgresql)]
#[tokio::test]
async fn a_webhook_that_asks_for_rest_gets_it_and_others_do_not_wait(#[case] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "First Bank").await;
    let (busy, well) = (webhook(&store, bank, Vec::new()).await, webhook(&store, bank, Vec::new()).await);
    happens(&store, bank, now()).await;
    happens(&store, bank, now()).await;
    let claimed = claim(&store, busy, 1, now()).await.remove(0);
    let then = Then::Retry { due_at: later(now(), 60), rest_until: Some(later(now(), 60)) };
    end(&store, &claimed, then, now()).await;
    let due = |at| {
        let store = store.clone();
        async move { store.webhooks_due(at).await.unwrap().into_iter().map(|due| (due.id, due.failing)).collect::<Vec<_>>() }
    };
    assert_eq!(due(later(now(), 59)).await, [(well, false)]);
    let mut all = due(later(now(), 60)).await;
    all.sort();
    assert_eq!(all, [(busy, true), (well, false)]);
    store.close().await;
}

#[rstest]
#[case(Sqlite)]
#[case(Postgresql)]
#[tokio::test]
async fn old_events_are_thrown_away_but_none_that_waits(#[case] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let (first, second) = (bank(&store, "First Bank").await, bank(&store, "Second Bank").await);
    let hook = webhook(&store, first, Vec::new()).await;
    happens(&store, first, now()).await;
    happens(&store, second, now()).await;
    happens(&store, first, days_later(20)).await;
    assert_eq!(place.count("webhook_events").await, 3, "an event is kept although its bank has no webhook yet");
    assert_eq!(store.purge_outbox(days_later(1)).await.unwrap(), 1);
    let claimed = claim(&store, hook, 1, now()).await.remove(0);
    end(&store, &claimed, Then::Delivered, now()).await;
    assert_eq!(store.purge_outbox(days_later(1)).await.unwrap(), 1);
    assert_eq!(store.purge_outbox(days_later(1)).await.unwrap(), 0);
    assert_eq!((place.count("webhook_events").await, place.count("webhook_deliveries").await), (1, 1));
    assert!(store.verify_audit().await.unwrap().intact());
    store.close().await;
}

#[rstest]
#[case(Sqlite)]
#[case(Postgresql)]
#[tokio::test]
async fn a_replay_of_thousands_is_whole(#[case] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "First Bank").await;
    let mut hooks = Vec::new();
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2300)";
    let insert = format!(
        "INSERT INTO webhook_events (id, bank, kind, body, created_at) {numbers} \
         SELECT '00000000-0000-7000-8000-' || SUBSTR('000000000000' || i, LENGTH('000000000000' || i) - 11), '{bank}', \
         'case.closed', '{{}}', {} + i FROM n",
        now().as_millisecond()
    );
    assert_eq!(place.tamper(&insert).await, 2300);
    hooks.push(webhook(&store, bank, vec![EventKind::CaseClosed]).await);
    hooks.push(webhook(&store, bank, vec![EventKind::CaseAsked]).await);
    let since = Replay::Since { since: now(), delivered: true };
    assert_eq!(store.replay(hooks[0], bank, since, days_later(1)).await.unwrap(), Queued::Yes(2300));
    assert_eq!(store.replay(hooks[1], bank, since, days_later(1)).await.unwrap(), Queued::Yes(0), "not subscribed");
    assert_eq!(store.count_outbox().await.unwrap().pending, 2300);
    place.tamper("UPDATE webhook_deliveries SET state = 'failed', due_at = NULL, finished_at = 1").await;
    assert_eq!(store.replay(hooks[0], bank, since, days_later(2)).await.unwrap(), Queued::Yes(2300));
    store.close().await;
}

#[rstest]
#[case(Sqlite)]
#[case(Postgresql)]
#[tokio::test]
async fn whoever_turns_a_banks_events_elsewhere_in_the_database_is_seen(#[case] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "First Bank").await;
    let hook = webhook(&store, bank, Vec::new()).await;
    let other = webhook(&store, bank, Vec::new()).await;
    store.change_webhook(hook, bank, WebhookChange::Secret("plain:whsec_y".to_owned()), now()).await.unwrap().unwrap();
    store.change_webhook(other, bank, WebhookChange::Delete, now()).await.unwrap().unwrap();
    assert!(store.verify_audit().await.unwrap().intact());
    for column in ["url", "kinds", "secret", "old_secret", "state", "because"] {
        let table = format!("webhooks SET {column}");
        place.tamper(&format!("UPDATE {table} = COALESCE({column}, '') || 'x' WHERE id = '{hook}'")).await;
        let report = store.verify_audit().await.unwrap();
        assert!(report.problems.iter().any(|p| p.kind == "webhook" && p.subject == hook.to_string()), "{column}");
        let restored = match column {
            "because" => "NULL".to_owned(),
            _ => format!("SUBSTR({column}, 1, LENGTH({column}) - 1)"),
        };
        place.tamper(&format!("UPDATE {table} = {restored} WHERE id = '{hook}'")).await;
        assert!(store.verify_audit().await.unwrap().intact(), "{column}");
    }
    // One that was deleted is brought back to life; one is put in; one is taken out.
    place.tamper(&format!("UPDATE webhooks SET state = 'enabled' WHERE id = '{other}'")).await;
    assert!(!store.verify_audit().await.unwrap().intact());
    place.tamper(&format!("UPDATE webhooks SET state = 'deleted' WHERE id = '{other}'")).await;
    let copy = "INSERT INTO webhooks (id, bank, url, kinds, secret, state, created_at) \
         SELECT 'put in', bank, url, kinds, secret, state, created_at FROM webhooks";
    place.tamper(&format!("{copy} WHERE id = '{hook}'")).await;
    assert!(!store.verify_audit().await.unwrap().intact());
    place.tamper("DELETE FROM webhooks WHERE id = 'put in'").await;
    assert!(store.verify_audit().await.unwrap().intact());
    place.tamper(&format!("DELETE FROM webhooks WHERE id = '{other}'")).await;
    assert!(!store.verify_audit().await.unwrap().intact());
    store.close().await;
}
