//! Messages are tried until they are taken, whatever happens to the receiver or to the service, and a slow bank delays no other.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};

use crate::support::receiver::{Answering, OK, Received, Receiver};
use crate::support::service::Bank;
use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::firm;
use crate::webhooks::{SOON, get, happens, post, register, service, wait_for_state};

fn ids(messages: &[Received]) -> BTreeSet<String> {
    messages.iter().map(|message| message.id().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_not_taken_comes_again_under_the_same_id_until_it_is() {
    let Some((service, _place)) = service(Sqlite, &[("YUXIN_WEBHOOKS__TIMEOUT_MS", "1000")]).await else { return };
    let bank = service.bank("First Bank");
    let (receiver, elsewhere) = (Receiver::start(OK).await, Receiver::start(OK).await);
    let redirect: &'static str = Box::leak(format!("location: {}\r\n", elsewhere.url()).into_boxed_str());
    receiver.next([
        Answering::Status(500, ""),
        Answering::Close,
        Answering::Status(307, redirect),
        Answering::Hang,
        Answering::Status(503, "retry-after: 3\r\n"),
        // A status is an answer, however long its body.
        Answering::Flood,
    ]);
    let (hook, _) = register(&bank, &receiver.url()).await;
    happens(&bank).await;
    let tries = receiver.wait(6, Duration::from_secs(40)).await;
    assert_eq!(ids(&tries).len(), 1, "one event, one id");
    assert!(tries.iter().all(|message| message.body == tries[0].body));
    assert_ne!(tries[5].headers["webhook-timestamp"], tries[0].headers["webhook-timestamp"], "each try has its time");
    assert_ne!(tries[5].headers["webhook-signature"], tries[0].headers["webhook-signature"]);
    assert!(tries[5].at - tries[4].at >= Duration::from_secs(3), "Retry-After is heeded");
    let delivery = wait_for_state(&bank, &hook, "delivered").await;
    assert_eq!((&delivery["attempts"], &delivery["next_attempt_at"]), (&json!(6), &json!(null)));
    assert_eq!(get(&bank, &hook, 200).await["failing_since"], json!(null), "it is well again");
    assert_eq!(elsewhere.received().len(), 0, "no redirect is followed");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(receiver.received().len(), 6);
    let metrics = reqwest::get(format!("{}/metrics", service.management)).await.unwrap().text().await.unwrap();
    for (result, count) in [("status", 2), ("closed", 1), ("redirect", 1), ("timeout", 1), ("delivered", 1)] {
        let line = format!("yuxin_webhook_deliveries_total{{result=\"{result}\"}} {count}");
        assert!(metrics.contains(&line), "{line}:\n{metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn after_the_last_try_a_message_is_given_up_and_can_be_asked_for() {
    let schedule = ("YUXIN_WEBHOOKS__RETRY_SCHEDULE", "1s 1s");
    let Some((service, _place)) = service(Sqlite, &[schedule]).await else { return };
    let bank = service.bank("First Bank");
    let receiver = Receiver::start(Answering::Status(404, "")).await;
    let (hook, _) = register(&bank, &receiver.url()).await;
    happens(&bank).await;
    let delivery = wait_for_state(&bank, &hook, "failed").await;
    assert_eq!((&delivery["attempts"], &delivery["last_status"]), (&json!(3), &json!(404)));
    assert!(get(&bank, &hook, 200).await["failing_since"].is_string());
    receiver.then(OK);
    let event = delivery["event_id"].clone();
    post(&bank, &format!("{hook}/replay"), json!({"event_id": event}), 202).await;
    assert_eq!(json!(receiver.wait(4, SOON).await[3].id()), event);
    wait_for_state(&bank, &hook, "delivered").await;
}

#[rstest]
#[case(Sqlite)]
#[case(Postgresql)]
#[tokio::test(flavor = "multi_thread")]
async fn a_bank_that_hangs_delays_no_other(#[case] engine: Engine) {
    let Some((service, _place)) = service(engine, &[]).await else { return };
    let (slow, quick) = (service.bank("Slow Bank"), service.bank("Quick Bank"));
    let (hangs, answers) = (Receiver::start(Answering::Hang).await, Receiver::start(OK).await);
    for _ in 0..10 {
        register(&slow, &hangs.url()).await;
    }
    register(&quick, &answers.url()).await;
    for _ in 0..10 {
        happens(&slow).await;
    }
    // All that may be under way to the slow bank is, and hangs for 15 seconds.
    hangs.wait(40, SOON).await;
    let began = Instant::now();
    for _ in 0..20 {
        happens(&quick).await;
    }
    answers.wait(20, Duration::from_secs(10)).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_eq!(hangs.received().len(), 40, "at most four to each webhook at once");
    assert_eq!(ids(&answers.received()).len(), 20);
}

#[tokio::test(flavor = "multi_thread")]
async fn however_many_webhooks_fail_there_is_room_for_those_that_do_not() {
    let settings = [("YUXIN_WEBHOOKS__CONCURRENT_MAX", "4"), ("YUXIN_WEBHOOKS__TIMEOUT_MS", "10000")];
    let Some((service, _place)) = service(Sqlite, &settings).await else { return };
    let (slow, quick) = (service.bank("Slow Bank"), service.bank("Quick Bank"));
    let (hangs, answers) = (Receiver::start(Answering::Hang).await, Receiver::start(OK).await);
    for _ in 0..4 {
        register(&slow, &hangs.url()).await;
    }
    register(&quick, &answers.url()).await;
    happens(&slow).await;
    // The first round fails in all four; in the second they are known to fail.
    hangs.wait(6, Duration::from_secs(30)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let began = Instant::now();
    happens(&quick).await;
    answers.wait(1, SOON).await;
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert_eq!(hangs.received().len(), 6, "two of four places are theirs");
}

#[rstest]
#[case(Sqlite)]
#[case(Postgresql)]
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_in_a_delivery_leads_to_the_same_message_once_more_and_loses_none(#[case] engine: Engine) {
    let Some((mut service, _place)) = service(engine, &[("YUXIN_WEBHOOKS__TIMEOUT_MS", "3000")]).await else { return };
    let bank = service.bank("First Bank");
    let receiver = Receiver::start(Answering::Hang).await;
    let (hook, _) = register(&bank, &receiver.url()).await;
    for _ in 0..6 {
        happens(&bank).await;
    }
    receiver.wait(1, SOON).await;
    service.process.kill();
    let in_flight = ids(&receiver.received());
    assert!(!in_flight.is_empty());
    receiver.then(OK);
    let before = receiver.received().len();
    let service = service.restart();
    let bank = Bank { url: service.url.clone(), ..bank };
    let began = Instant::now();
    loop {
        let page = get(&bank, &format!("{hook}/deliveries"), 200).await;
        let deliveries = page["deliveries"].as_array().unwrap();
        assert_eq!(deliveries.len(), 6);
        if deliveries.iter().all(|delivery| delivery["status"] == "delivered") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(40), "{page:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let after = ids(&receiver.received()[before..]);
    assert_eq!(after.len(), 6, "all came after the crash");
    assert!(in_flight.is_subset(&after), "what was under way came again under its id");
    assert!(service.command(&["audit", "verify"]).status.success());
}

/// Revokes consents until the service is gone; gives those whose revocation was acknowledged.
async fn revokes(bank: Bank) -> Vec<String> {
    let mut acknowledged = Vec::new();
    loop {
        let ask = json!({"uscc": firm(1), "purposes": ["equipment"], "valid_until": "2099-01-01T00:00:00Z"});
        let Ok(made) = bank.post("/v1/consents").json(&ask).send().await else { return acknowledged };
        let Ok(made) = made.json::<Value>().await else { return acknowledged };
        let id = made["id"].as_str().unwrap().to_owned();
        match bank.delete(&format!("/v1/consents/{id}")).send().await {
            Ok(revoked) if revoked.status() == 200 => acknowledged.push(id),
            _ => return acknowledged,
        }
    }
}

#[rstest]
#[case(Sqlite)]
#[case(Postgresql)]
#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_acknowledged_before_a_crash_is_told_after_it(#[case] engine: Engine) {
    let Some((mut service, _place)) = service(engine, &[("YUXIN_WEBHOOKS__TIMEOUT_MS", "1000")]).await else { return };
    let mut bank = service.bank("First Bank");
    let receiver = Receiver::start(Answering::Late(Duration::from_millis(20))).await;
    register(&bank, &receiver.url()).await;
    let mut acknowledged = BTreeSet::new();
    for round in 0..4 {
        let callers: Vec<_> = (0..4).map(|_| tokio::spawn(revokes(bank.clone()))).collect();
        tokio::time::sleep(Duration::from_millis(700 + 230 * round)).await;
        service.process.kill();
        for caller in callers {
            acknowledged.extend(caller.await.unwrap());
        }
        service = service.restart();
        bank.url.clone_from(&service.url);
    }
    assert!(acknowledged.len() > 20, "only {} were acknowledged", acknowledged.len());
    let began = Instant::now();
    loop {
        let received = receiver.received();
        let told: BTreeSet<String> =
            received.iter().map(|m| m.json()["data"]["consent_id"].as_str().unwrap().to_owned()).collect();
        let missing: Vec<&String> = acknowledged.difference(&told).collect();
        if missing.is_empty() {
            // Each event has one id, however often it came.
            assert_eq!(ids(&received).len(), told.len());
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{} were not told", missing.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(service.command(&["audit", "verify"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_a_delivery_finish_and_gives_back_one_that_does_not() {
    let Some((mut service, _place)) = service(Sqlite, &[]).await else { return };
    let bank = service.bank("First Bank");
    let (late, hangs) =
        (Receiver::start(Answering::Late(Duration::from_secs(2))).await, Receiver::start(Answering::Hang).await);
    let (late_hook, _) = register(&bank, &late.url()).await;
    let (hanging_hook, _) = register(&bank, &hangs.url()).await;
    happens(&bank).await;
    late.wait(1, SOON).await;
    let id = hangs.wait(1, SOON).await[0].id().to_owned();
    service.process.signal("TERM");
    assert_eq!(service.process.wait(), Some(0));
    hangs.then(OK);
    let service = service.restart();
    let began = Instant::now();
    let bank = Bank { url: service.url.clone(), ..bank };
    assert_eq!(wait_for_state(&bank, &late_hook, "delivered").await["attempts"], 1, "it was let finish");
    assert_eq!(hangs.wait(2, SOON).await[1].id(), id);
    assert!(began.elapsed() < Duration::from_secs(10), "it waited for no claim to run out: {:?}", began.elapsed());
    assert_eq!(
        wait_for_state(&bank, &hanging_hook, "delivered").await["attempts"],
        1,
        "what was cut off does not count"
    );
    assert_eq!(late.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_share_the_work_and_send_each_message_once() {
    let Some((service, _place)) = service(Postgresql, &[]).await else { return };
    let replica = service.replica();
    let bank = service.bank("First Bank");
    let receiver = Receiver::start(Answering::Late(Duration::from_millis(30))).await;
    let (hook, _) = register(&bank, &receiver.url()).await;
    let through = [bank.clone(), Bank { url: replica.url.clone(), ..bank.clone() }];
    for n in 0..40 {
        happens(&through[n % 2]).await;
    }
    receiver.wait(40, Duration::from_secs(40)).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!((receiver.received().len(), ids(&receiver.received()).len()), (40, 40));
    let pending = get(&bank, &format!("{hook}/deliveries?status=pending"), 200).await;
    assert_eq!(pending["deliveries"], json!([]));
    // Pages go on where the last one ended.
    let page = get(&bank, &format!("{hook}/deliveries"), 200).await;
    assert_eq!((page["deliveries"].as_array().unwrap().len(), &page["next_cursor"]), (40, &json!(null)));
    // Both had a part in it.
    for process in [&service, &replica] {
        let metrics = reqwest::get(format!("{}/metrics", process.management)).await.unwrap().text().await.unwrap();
        assert!(metrics.contains("yuxin_webhook_deliveries_total{result=\"delivered\"}"), "one of two did nothing");
    }
}
