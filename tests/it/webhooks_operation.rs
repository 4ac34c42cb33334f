//! What those who run the service do for webhooks, requests that are sent again, and messages that stay small.

use serde_json::json;

use crate::support::receiver::{OK, Receiver};
use crate::support::service::{Bank, Service};
use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{consent, decision, firm, now};
use crate::webhooks::{SOON, body, get, happens, post, register, service, wait_for_state};
use rstest::rstest;
use yuxin::domain::BankId;

const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const NEW_KEY: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

/// What a command says on stdout; it must end well.
fn said(service: &Service, arguments: &[&str]) -> String {
    let done = service.command(arguments);
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

/// What it says on stderr; it must end ill.
fn refused(service: &Service, arguments: &[&str]) -> String {
    let done = service.command(arguments);
    assert_eq!(done.status.code(), Some(1), "{arguments:?}");
    String::from_utf8(done.stderr).unwrap()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_registered_once_under_a_key_and_its_answer_comes_again_byte_for_byte(
    #[values(Sqlite, Postgresql)] engine: Engine,
) {
    let keys = ("YUXIN_WEBHOOKS__SECRET_KEYS", KEY);
    let Some((service, place)) = service(engine, &[keys]).await else { return };
    let bank = service.bank("First Bank");
    let ask = json!({"url": "https://bank.example/yuxin"});
    let send = |ask: &serde_json::Value| bank.post("/v1/webhooks").header("idempotency-key", "hook-1").json(ask).send();
    // At once, and once more afterwards.
    let answers = futures_util::future::join_all((0..8).map(|_| send(&ask))).await;
    let mut bodies = Vec::new();
    for answer in answers {
        let answer = answer.unwrap();
        assert_eq!(answer.status(), 201);
        bodies.push(answer.text().await.unwrap());
    }
    let again = send(&ask).await.unwrap();
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    bodies.push(again.text().await.unwrap());
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "{bodies:?}");
    assert_eq!(get(&bank, "/v1/webhooks", 200).await["webhooks"].as_array().unwrap().len(), 1);
    assert_eq!(send(&json!({"url": "https://bank.example/other"})).await.unwrap().status(), 422);
    let shown = serde_json::from_str::<serde_json::Value>(&bodies[0]).unwrap()["secret"].as_str().unwrap().to_owned();
    let open = format!("UPDATE idempotency SET body = body WHERE body LIKE '%{shown}%'");
    assert_eq!(place.tamper(&open).await, 0, "the secret lies open beside the answer");
    // Without a key each is one of its own.
    post(&bank, "/v1/webhooks", ask.clone(), 201).await;
    assert_eq!(get(&bank, "/v1/webhooks", 200).await["webhooks"].as_array().unwrap().len(), 2);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_lists_rotates_disables_enables_and_replays(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some((service, _place)) = service(engine, &[]).await else { return };
    let bank = service.bank("First Bank");
    let receiver = Receiver::start(OK).await;
    let (hook, secret) = register(&bank, &receiver.url()).await;
    let id = hook.rsplit('/').next().unwrap();
    let listed = said(&service, &["webhooks", "list"]);
    let line = listed.lines().find(|line| line.starts_with(id)).unwrap();
    assert_eq!(
        line.split('\t').collect::<Vec<_>>(),
        [id, "First Bank", "enabled", "-", "not sealed", "all", receiver.url().as_str()]
    );
    let rotated = said(&service, &["webhooks", "rotate", id]);
    assert!(rotated.starts_with("whsec_") && rotated.trim() != secret, "{rotated}");
    happens(&bank).await;
    let message = receiver.wait(1, SOON).await.remove(0);
    assert_eq!(message.headers["webhook-signature"].split(' ').count(), 2, "the old secret signs too");
    wait_for_state(&bank, &hook, "delivered").await;

    said(&service, &["webhooks", "disable", id]);
    assert_eq!(get(&bank, &hook, 200).await["status"], "disabled");
    happens(&bank).await;
    assert!(
        refused(&service, &["webhooks", "replay", id, "--since", "2026-01-01T00:00:00Z"]).contains("enable it first")
    );
    said(&service, &["webhooks", "enable", id]);
    said(&service, &["webhooks", "replay", id, "--since", "2026-01-01T00:00:00Z"]);
    let missed = receiver.wait(2, SOON).await;
    assert_ne!(missed[0].id(), missed[1].id());
    said(&service, &["webhooks", "replay", id, "--event", missed[0].id()]);
    assert_eq!(receiver.wait(3, SOON).await[2].id(), missed[0].id());

    let nobody = "0192f0c1-2b4a-7000-8000-000000000000";
    for arguments in [["webhooks", "rotate", nobody], ["webhooks", "enable", nobody]] {
        assert!(refused(&service, &arguments).contains("there is no webhook"));
    }
    assert!(refused(&service, &["webhooks", "replay", id, "--event", nobody]).contains("there is no event"));
    assert!(refused(&service, &["webhooks", "reseal"]).contains("secret_keys is empty"));
    assert!(service.command(&["audit", "verify"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_are_sealed_under_a_new_key_and_the_old_one_is_not_needed_any_more() {
    let Some((service, _place)) = service(Sqlite, &[("YUXIN_WEBHOOKS__SECRET_KEYS", KEY)]).await else { return };
    let bank = service.bank("First Bank");
    let receiver = Receiver::start(OK).await;
    let (hook, _) = register(&bank, &receiver.url()).await;
    let id = hook.rsplit('/').next().unwrap().to_owned();
    said(&service, &["webhooks", "rotate", &id]);

    // A key that opens nothing: told, and nothing changed.
    let service = service.restart_with(&[("YUXIN_WEBHOOKS__SECRET_KEYS", NEW_KEY)]);
    assert!(refused(&service, &["webhooks", "reseal"]).contains("1 webhooks have a secret that opens with no key"));
    assert!(said(&service, &["webhooks", "list"]).contains("key missing"));

    let both = format!("{NEW_KEY} {KEY}");
    let service = service.restart_with(&[("YUXIN_WEBHOOKS__SECRET_KEYS", &both)]);
    assert!(said(&service, &["webhooks", "list"]).contains("to be resealed"));
    said(&service, &["webhooks", "reseal"]);
    let twice = service.command(&["webhooks", "reseal"]);
    assert!(String::from_utf8_lossy(&twice.stderr).contains("0 sealed anew, 1 were already"));

    let service = service.restart_with(&[("YUXIN_WEBHOOKS__SECRET_KEYS", NEW_KEY)]);
    let bank = Bank { url: service.url.clone(), ..bank };
    happens(&bank).await;
    let message = receiver.wait(1, SOON).await.remove(0);
    assert_eq!(message.headers["webhook-signature"].split(' ').count(), 2, "the secret before it was sealed anew, too");
    assert!(service.command(&["audit", "verify"]).status.success());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_names_a_hundred_decisions_and_where_all_of_them_are(
    #[values(Sqlite, Postgresql)] engine: Engine,
) {
    let Some((service, place)) = service(engine, &[]).await else { return };
    let (bank, other) = (service.bank("First Bank"), service.bank("Second Bank"));
    let receiver = Receiver::start(OK).await;
    register(&bank, &receiver.url()).await;
    let uscc = firm(1);
    let given = bank.consent(uscc.as_str()).await;
    let store = place.open().await;
    let owner: BankId = store.list_keys().await.unwrap().iter().find(|key| key.bank_name == "First Bank").unwrap().bank;
    assert_ne!(consent(owner).id.to_string(), given);
    let mut made = Vec::new();
    for _ in 0..130 {
        let mut entry = decision(owner, uscc.clone());
        let decision = &mut entry.record.decision;
        decision.request.consent_id = given.parse().unwrap();
        decision.decided_at = now();
        made.push(decision.id.to_string());
        store.commit_decision(entry).await.unwrap();
    }
    store.close().await;
    made.sort();
    body(bank.delete(&format!("/v1/consents/{given}")).send().await.unwrap(), 200).await;
    let message = receiver.wait(1, SOON).await.remove(0);
    assert!(message.body.len() < 8192, "{} bytes", message.body.len());
    let data = &message.json()["data"];
    let named: Vec<&str> = data["decision_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap()).collect();
    assert_eq!(named, made[..100].iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(data["decision_count"], 130);
    let list = data["decisions_at"].as_str().unwrap();
    assert_eq!(list, format!("/v1/consents/{given}/decisions"));
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = get(&bank, &format!("{list}{cursor}"), 200).await;
        found.extend(page["decision_ids"].as_array().unwrap().iter().map(|id| id.as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("?cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, made);
    get(&other, list, 404).await;
    assert_eq!(get(&bank, &format!("{list}?cursor=x"), 422).await["code"], "INVALID");
}
