//! Banks register webhooks, are told what happens, signed, and can verify, rotate, look, and have it sent again.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use jiff::Timestamp;
use rstest::rstest;
use secrecy::SecretString;
use serde_json::{Value, json};
use yuxin::domain::{Fen, Review, Role, Verdict};
use yuxin::observe::Metrics;
use yuxin::store::Store;

use crate::support::receiver::{Answering, OK, Received, Receiver};
use crate::support::service::{Bank, Service};
use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, firm, referred};

/// Departments at a port that is never given to anybody: none is asked here.
const NOBODY: &str = "http://127.0.0.1:1";
pub const SOON: Duration = Duration::from_secs(20);

/// The service on this engine, which may call this machine; `None` where the engine is not installed.
pub async fn service(engine: Engine, more: &[(&str, &str)]) -> Option<(Service, Place)> {
    let place = Place::on(engine).await?;
    let mut settings = vec![
        ("YUXIN_STORE__URL", place.url.as_str()),
        ("YUXIN_WEBHOOKS__ALLOW_HTTP", "true"),
        ("YUXIN_WEBHOOKS__ALLOW_PRIVATE", "127.0.0.0/8"),
        ("YUXIN_WEBHOOKS__RETRY_SCHEDULE", "1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s 1s"),
    ];
    settings.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
    settings.extend(more);
    let service = Service::start_with(NOBODY, &settings);
    Some((service, place))
}

pub async fn body(response: reqwest::Response, status: u16) -> Value {
    let got = response.status();
    let text = response.text().await.unwrap();
    assert_eq!(got, status, "{text}");
    if text.is_empty() { Value::Null } else { serde_json::from_str(&text).unwrap() }
}

pub async fn post(bank: &Bank, path: &str, ask: Value, status: u16) -> Value {
    body(bank.post(path).json(&ask).send().await.unwrap(), status).await
}

pub async fn get(bank: &Bank, path: &str, status: u16) -> Value {
    body(bank.get(path).send().await.unwrap(), status).await
}

async fn patch(bank: &Bank, path: &str, ask: Value, status: u16) -> Value {
    let request = bank.client.patch(format!("{}{path}", bank.url)).bearer_auth(&bank.key);
    body(request.header("accept-language", "en").json(&ask).send().await.unwrap(), status).await
}

/// Registers a webhook for everything; gives its path and its secret.
pub async fn register(bank: &Bank, url: &str) -> (String, String) {
    let made = post(bank, "/v1/webhooks", json!({"url": url}), 201).await;
    (format!("/v1/webhooks/{}", made["id"].as_str().unwrap()), made["secret"].as_str().unwrap().to_owned())
}

/// Something happens that the bank is told: a consent is revoked. Gives the consent.
pub async fn happens(bank: &Bank) -> String {
    let consent = bank.consent(firm(1).as_str()).await;
    body(bank.delete(&format!("/v1/consents/{consent}")).send().await.unwrap(), 200).await;
    consent
}

/// Waits until the only delivery of a webhook stands like this.
pub async fn wait_for_state(bank: &Bank, hook: &str, state: &str) -> Value {
    let began = std::time::Instant::now();
    loop {
        let page = get(bank, &format!("{hook}/deliveries"), 200).await;
        if page["deliveries"][0]["status"] == state {
            return page["deliveries"][0].clone();
        }
        assert!(began.elapsed() < SOON, "{page:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Runs the snippet of the documentation on messages; gives what it says of each.
fn verified_by_the_snippet(secret: &str, messages: &[Received]) -> Option<Vec<bool>> {
    let docs = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/webhooks.md")).unwrap();
    let snippet = docs.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let script = format!(
        "{snippet}\nimport json, sys\nasked = json.load(sys.stdin)\n\
         print(json.dumps([verify(asked['secret'], m['headers'], m['body'].encode()) for m in asked['messages']]))\n"
    );
    let python = Command::new("python3").args(["-c", &script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut python) = python else {
        assert!(std::env::var_os("CI").is_none(), "python3 is missing");
        crate::support::say("skipped: python3 is not installed");
        return None;
    };
    let messages: Vec<Value> = messages.iter().map(|m| json!({"headers": m.headers, "body": m.body})).collect();
    let asked = json!({"secret": secret, "messages": messages}).to_string();
    python.stdin.take().unwrap().write_all(asked.as_bytes()).unwrap();
    let said = python.wait_with_output().unwrap();
    Some(serde_json::from_slice(&said.stdout).unwrap())
}

#[test]
fn the_snippet_of_the_readme_signs_as_the_reference_libraries_do() {
    let readme = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let snippet = readme.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let script = format!(
        "{snippet}\nheaders = {{'webhook-id': 'msg_p5jXN8AQM9LWM0D4loKWxJek', 'webhook-timestamp': '1614265330'}}\n\
         print(signature('whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw', headers, b'{{\"test\": 2432232314}}'))\n"
    );
    let Ok(said) = Command::new("python3").args(["-c", &script]).output() else {
        assert!(std::env::var_os("CI").is_none(), "python3 is missing");
        crate::support::say("skipped: python3 is not installed");
        return;
    };
    let said = format!("{}{}", String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert_eq!(said.trim(), "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

#[rstest]
#[case(Sqlite)]
#[case(Postgresql)]
#[tokio::test(flavor = "multi_thread")]
async fn what_happens_is_told_once_signed_and_only_to_the_bank_that_it_concerns(#[case] engine: Engine) {
    let Some((service, place)) = service(engine, &[]).await else { return };
    let (bank, other) = (service.bank("First Bank"), service.bank("Second Bank"));
    let (receiver, others) = (Receiver::start(OK).await, Receiver::start(OK).await);
    let (hook, secret) = register(&bank, &receiver.url()).await;
    register(&other, &others.url()).await;

    let consent = happens(&bank).await;
    let message = receiver.wait(1, SOON).await.remove(0);
    assert_eq!((message.path.as_str(), message.headers["content-type"].as_str()), ("/hook", "application/json"));
    let told = message.json();
    assert_eq!((&told["type"], &told["data"]["consent_id"]), (&json!("consent.revoked"), &json!(consent)));
    let happened: Timestamp = told["timestamp"].as_str().unwrap().parse().unwrap();
    assert!((Timestamp::now().as_second() - happened.as_second()).abs() < 60);
    let notice = &get(&bank, "/v1/notices", 200).await["notices"][0];
    assert_eq!((&told["data"]["notice_id"], &told["data"]["cursor"]), (&notice["id"], &notice["cursor"]));
    let delivery = wait_for_state(&bank, &hook, "delivered").await;
    assert_eq!((&delivery["event_id"], &delivery["last_status"]), (&json!(message.id()), &json!(204)));
    assert_eq!((&delivery["attempts"], &delivery["last_result"]), (&json!(1), &json!("delivered")));

    let mut forged = message.clone();
    forged.body = forged.body.replace("consent.revoked", "consent.granted");
    let mut old = message.clone();
    old.headers.insert("webhook-timestamp".into(), (Timestamp::now().as_second() - 3600).to_string());
    let mut unsigned = message.clone();
    unsigned.headers.insert("webhook-signature".into(), "v1,AAAA".into());
    let messages = [message.clone(), forged, old, unsigned];
    if let Some(verdicts) = verified_by_the_snippet(&secret, &messages) {
        assert_eq!(verdicts, [true, false, false, false]);
        assert_eq!(verified_by_the_snippet("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", &messages).unwrap(), [false; 4]);
    }
    assert!(!message.body.contains(firm(1).as_str()), "a message names no firm");

    // The office decides, in another process over the same store.
    let store = Store::open(&place.url, Metrics::new().unwrap()).await.unwrap();
    let owner = store.bank_of_key(&bank.key).await.unwrap().unwrap().bank;
    let entry = referred(owner, firm(2));
    store.commit_decision(entry.clone()).await.unwrap();
    let user =
        store.create_user("chen", Role::Officer, &SecretString::from("a long test password"), Timestamp::now()).await;
    let mut review = Review {
        user: user.unwrap().id,
        user_name: "chen".into(),
        verdict: Verdict::Ask,
        reason: "请补充近三个月的纳税申报表".into(),
        limit: None,
        at: Timestamp::now(),
    };
    let case = entry.case.unwrap().id;
    store.review_case(case, &review).await.unwrap();
    (review.verdict, review.limit) = (Verdict::Approve, Some(Fen(30_000_000)));
    store.review_case(case, &review).await.unwrap();
    let mut messages = receiver.wait(3, SOON).await.split_off(1);
    messages.sort_by_key(Received::kind);
    let (asked, closed) = (messages[0].json(), messages[1].json());
    let id = json!(entry.record.decision.id);
    assert_eq!((&asked["type"], &asked["data"]["decision_id"]), (&json!("case.asked"), &id));
    assert_eq!(
        closed["data"],
        json!({"case_id": case, "decision_id": id, "outcome": "approve", "limit_fen": 30_000_000})
    );
    assert!(!messages[0].body.contains("纳税"), "what the officer wrote is read from the decision");

    happens(&other).await;
    let foreign = others.wait(1, SOON).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!((receiver.received().len(), others.received().len()), (3, 1), "each once, and to its bank alone");
    assert_ne!(foreign[0].id(), message.id());
    assert!(store.verify_audit().await.unwrap().intact());
    store.close().await;

    let metrics = reqwest::get(format!("{}/metrics", service.management)).await.unwrap().text().await.unwrap();
    for line in [
        "yuxin_webhook_deliveries_total{result=\"delivered\"} 4",
        "yuxin_webhook_delivery_duration_seconds_count 4",
        "yuxin_webhook_pending 0",
        "yuxin_webhook_pending_age_seconds 0",
        "yuxin_webhooks{state=\"enabled\"} 2",
    ] {
        assert!(metrics.contains(line), "{line}:\n{metrics}");
    }
}

#[rstest]
#[case(Sqlite)]
#[case(Postgresql)]
#[tokio::test(flavor = "multi_thread")]
async fn gone_disables_and_what_was_missed_comes_once_the_bank_asks_for_it(#[case] engine: Engine) {
    let Some((service, _place)) = service(engine, &[]).await else { return };
    let bank = service.bank("First Bank");
    let (gone, second) = (Receiver::start(Answering::Status(410, "")).await, Receiver::start(OK).await);
    let since = Timestamp::now();
    let (hook, _) = register(&bank, &gone.url()).await;
    register(&bank, &second.url()).await;
    let first = happens(&bank).await;
    gone.wait(1, SOON).await;
    // The bank's other webhook and its notices tell that this one is disabled.
    let told = second.wait(2, SOON).await;
    let disabled = told.iter().map(Received::json).find(|told| told["type"] == "webhook.disabled").unwrap();
    assert!(hook.ends_with(disabled["data"]["webhook_id"].as_str().unwrap()));
    assert_eq!(disabled["data"]["figures"], json!({"because": "gone"}));
    assert_eq!(get(&bank, "/v1/notices", 200).await["notices"][1]["kind"], "webhook_disabled");
    let shown = get(&bank, &hook, 200).await;
    assert_eq!((&shown["status"], &shown["disabled_because"]), (&json!("disabled"), &json!("gone")));
    assert_eq!(wait_for_state(&bank, &hook, "failed").await["last_status"], 410);

    let missed = happens(&bank).await;
    second.wait(3, SOON).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(gone.received().len(), 1, "nothing is sent to what is gone");
    assert_eq!(post(&bank, &format!("{hook}/test"), json!({}), 409).await["code"], "WEBHOOK_DISABLED");
    let ask = json!({"since": since});
    assert_eq!(post(&bank, &format!("{hook}/replay"), ask.clone(), 409).await["code"], "WEBHOOK_DISABLED");

    gone.then(OK);
    assert_eq!(patch(&bank, &hook, json!({"enabled": true}), 200).await["status"], "enabled");
    assert_eq!(post(&bank, &format!("{hook}/replay"), ask.clone(), 202).await["queued"], 3);
    let again = gone.wait(4, SOON).await.split_off(1);
    let consents: Vec<Value> = again.iter().map(|m| m.json()["data"]["consent_id"].clone()).collect();
    assert!(consents.contains(&json!(first)) && consents.contains(&json!(missed)), "{consents:?}");
    let ids = |messages: &[Received]| {
        let mut ids: Vec<String> = messages.iter().map(|m| m.id().to_owned()).collect();
        ids.sort();
        ids
    };
    assert_eq!(ids(&again), ids(&second.received()), "an event has one id wherever it is sent");
    let failed = format!("{hook}/deliveries?status=failed");
    assert_eq!(get(&bank, &failed, 200).await["deliveries"], json!([]));

    // Nothing failed any more; one that was delivered, or all of them, come again only where that is asked for.
    wait_for_state(&bank, &hook, "delivered").await;
    assert_eq!(post(&bank, &format!("{hook}/replay"), ask, 202).await["queued"], 0);
    let event = again[0].id().to_owned();
    assert_eq!(post(&bank, &format!("{hook}/replay"), json!({"event_id": event}), 202).await["queued"], 1);
    assert_eq!(gone.wait(5, SOON).await[4].id(), event);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let ask = json!({"since": since, "include_delivered": true});
    assert_eq!(post(&bank, &format!("{hook}/replay"), ask, 202).await["queued"], 3);
    gone.wait(8, SOON).await;
    assert!(service.command(&["audit", "verify"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_rotation_both_secrets_sign() {
    let Some((service, _place)) = service(Sqlite, &[]).await else { return };
    let bank = service.bank("First Bank");
    let receiver = Receiver::start(OK).await;
    let (hook, old) = register(&bank, &receiver.url()).await;
    let rotated = post(&bank, &format!("{hook}/rotate-secret"), json!({}), 200).await;
    let new = rotated["secret"].as_str().unwrap().to_owned();
    assert_ne!(new, old);
    let until: Timestamp = rotated["previous_secret_until"].as_str().unwrap().parse().unwrap();
    let hours = until.duration_since(Timestamp::now()).as_hours();
    assert!((23..=24).contains(&hours), "{hours}");
    assert_eq!(get(&bank, &hook, 200).await["secret"], Value::Null, "a secret is shown once");
    let event = post(&bank, &format!("{hook}/test"), json!({}), 202).await;
    let message = receiver.wait(1, SOON).await.remove(0);
    assert_eq!((json!(message.id()), message.kind().as_str()), (event["event_id"].clone(), "webhook.ping"));
    assert_eq!(message.headers["webhook-signature"].split(' ').count(), 2);
    for secret in [&old, &new] {
        if let Some(verdicts) = verified_by_the_snippet(secret, std::slice::from_ref(&message)) {
            assert_eq!(verdicts, [true]);
        }
    }
    // Rotated once more: the oldest one is over.
    post(&bank, &format!("{hook}/rotate-secret"), json!({}), 200).await;
    post(&bank, &format!("{hook}/test"), json!({}), 202).await;
    let message = receiver.wait(2, SOON).await.remove(1);
    if let Some(verdicts) = verified_by_the_snippet(&old, std::slice::from_ref(&message)) {
        assert_eq!(verdicts, [false]);
        assert_eq!(verified_by_the_snippet(&new, &[message]).unwrap(), [true]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_sees_and_changes_its_own_webhooks_only_and_what_it_asks_is_checked() {
    let Some((service, _place)) = service(Sqlite, &[]).await else { return };
    let (bank, other) = (service.bank("First Bank"), service.bank("Second Bank"));
    let receiver = Receiver::start(OK).await;
    let chosen = json!({"url": receiver.url(), "events": ["dispute.resolved", "case.closed", "case.closed"]});
    let made = post(&bank, "/v1/webhooks", chosen, 201).await;
    assert_eq!((&made["events"], &made["status"]), (&json!(["case.closed", "dispute.resolved"]), &json!("enabled")));
    let hook = format!("/v1/webhooks/{}", made["id"].as_str().unwrap());

    assert_eq!(get(&other, "/v1/webhooks", 200).await["webhooks"], json!([]));
    get(&other, &hook, 404).await;
    patch(&other, &hook, json!({"enabled": false}), 404).await;
    body(other.delete(&hook).send().await.unwrap(), 404).await;
    get(&other, &format!("{hook}/deliveries"), 404).await;
    for (path, ask) in
        [("rotate-secret", json!({})), ("test", json!({})), ("replay", json!({"since": "2026-01-01T00:00:00Z"}))]
    {
        post(&other, &format!("{hook}/{path}"), ask, 404).await;
    }
    // Not subscribed: the event is kept, but not sent; once everything is wanted it can be had.
    happens(&bank).await;
    post(&bank, &format!("{hook}/test"), json!({}), 202).await;
    assert_eq!(receiver.wait(1, SOON).await[0].kind(), "webhook.ping");
    let everything = json!({"since": "2026-01-01T00:00:00Z"});
    assert_eq!(post(&bank, &format!("{hook}/replay"), everything.clone(), 202).await["queued"], 0);
    assert_eq!(patch(&bank, &hook, json!({"events": []}), 200).await["events"], json!([]));
    assert_eq!(post(&bank, &format!("{hook}/replay"), everything, 202).await["queued"], 1);
    let event = receiver.wait(2, SOON).await[1].id().to_owned();
    // Another bank's event is not to be had.
    let (others_hook, _) = register(&other, &receiver.url()).await;
    post(&other, &format!("{others_hook}/replay"), json!({"event_id": event}), 404).await;

    for (ask, pointer) in [
        (json!({"url": "not an address"}), "/url"),
        (json!({"url": "https://user:word@bank.example/"}), "/url"),
        (json!({"url": "https://10.0.0.1/"}), "/url"),
        (json!({"url": receiver.url(), "events": ["case.closed", "case.opened"]}), "/events/1"),
        (json!({"url": receiver.url(), "events": ["webhook.ping"]}), "/events/0"),
        (json!({"url": receiver.url(), "secret": "whsec_AAAA"}), "/secret"),
    ] {
        let refused = post(&bank, "/v1/webhooks", ask, 422).await;
        assert_eq!(refused["errors"][0]["pointer"], pointer, "{refused}");
    }
    for ask in [json!({}), json!({"event_id": event, "since": "2026-01-01T00:00:00Z"}), json!({"event_id": "x"})] {
        assert_eq!(post(&bank, &format!("{hook}/replay"), ask, 422).await["code"], "INVALID");
    }
    assert_eq!(get(&bank, &format!("{hook}/deliveries?status=lost"), 422).await["code"], "INVALID");
    get(&bank, "/v1/webhooks/not-an-id", 404).await;
    assert_eq!(patch(&bank, "/v1/webhooks", json!({}), 405).await["code"], "METHOD_NOT_ALLOWED");

    for _ in 1..10 {
        register(&bank, &receiver.url()).await;
    }
    assert_eq!(post(&bank, "/v1/webhooks", json!({"url": receiver.url()}), 409).await["code"], "WEBHOOK_LIMIT");
    body(bank.delete(&hook).send().await.unwrap(), 204).await;
    get(&bank, &hook, 404).await;
    register(&bank, &receiver.url()).await;
    assert_eq!(get(&bank, "/v1/webhooks", 200).await["webhooks"].as_array().unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn signing_secrets_lie_sealed_in_the_store_and_a_key_that_is_gone_is_told() {
    let keys = ("YUXIN_WEBHOOKS__SECRET_KEYS", "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=");
    let Some((service, _place)) = service(Sqlite, &[keys]).await else { return };
    let bank = service.bank("First Bank");
    let receiver = Receiver::start(OK).await;
    let (hook, secret) = register(&bank, &receiver.url()).await;
    happens(&bank).await;
    let message = receiver.wait(1, SOON).await;
    if let Some(verdicts) = verified_by_the_snippet(&secret, &message) {
        assert_eq!(verdicts, [true]);
    }
    wait_for_state(&bank, &hook, "delivered").await;
    let url = service.store_url();
    let mut service = service;
    service.process.signal("TERM");
    assert_eq!(service.process.wait(), Some(0));
    for part in ["", "-wal"] {
        let file = std::fs::read(format!("{}{part}", url.trim_start_matches("sqlite://"))).unwrap_or_default();
        let secret = secret.trim_start_matches("whsec_").as_bytes();
        assert!(!file.windows(secret.len()).any(|window| window == secret), "the secret lies open in the store");
    }
    let service = service.restart_with(&[("YUXIN_WEBHOOKS__SECRET_KEYS", "")]);
    let bank = Bank { url: service.url.clone(), ..bank };
    happens(&bank).await;
    let began = std::time::Instant::now();
    loop {
        let page = get(&bank, &format!("{hook}/deliveries"), 200).await;
        if page["deliveries"][0]["last_result"] == "secret" {
            break;
        }
        assert!(began.elapsed() < SOON, "{page:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(receiver.received().len(), 1, "nothing is sent unsigned");
    assert!(service.process.said().contains("secret_keys"));
}
