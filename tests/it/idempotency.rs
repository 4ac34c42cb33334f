//! Under one key a thing is done once, by whichever route and replica it comes, and every repetition gets the first answer.

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::support::department::{Behaviour, Department};
use crate::support::service::{Bank, Sandbox, Service, ask};

const FIRM: &str = "91330604MA2XY0014W";

/// Status, whether it says that it is a repetition, and body.
async fn post(bank: &Bank, path: &str, key: &str, body: &Value) -> (u16, bool, String) {
    let answer = bank.post(path).header("idempotency-key", key).json(body).send().await.unwrap();
    let replayed = answer.headers().get("idempotent-replayed").is_some_and(|value| value == "true");
    (answer.status().as_u16(), replayed, answer.text().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn consents_and_disputes_are_made_once_under_a_key_also_after_a_crash() {
    let sandbox = Sandbox::start(&[]);
    let mut service = Service::start(&sandbox.url);
    let mut bank = service.bank("First Bank");
    let other = service.bank("Second Bank");
    let firm = sandbox.firms(1).await.remove(0);
    let decision = bank.decide(&firm).await;
    let consent = |purpose: &str| json!({"uscc": firm, "purposes": [purpose], "valid_until": "2099-01-01T00:00:00Z"});
    let dispute = |text: &str| json!({"decision_id": decision["id"], "statement": text});
    let firsts = [
        ("/v1/consents", consent("working_capital"), consent("equipment")),
        ("/v1/disputes", dispute("该笔执行已经履行完毕"), dispute("情况不符，请核实")),
    ];
    let mut first_answers = Vec::new();
    for (path, body, another) in &firsts {
        let answers = join_all((0..30).map(|_| post(&bank, path, "the-key", body))).await;
        assert!(answers.iter().all(|(status, _, text)| *status == 201 && *text == answers[0].2), "{answers:?}");
        assert_eq!(answers.iter().filter(|(_, replayed, _)| !replayed).count(), 1, "{path}");
        let (status, _, text) = post(&bank, path, "the-key", another).await;
        assert!(status == 422 && text.contains("IDEMPOTENCY_KEY_REUSED"), "{text}");
        first_answers.push(answers[0].2.clone());
    }
    // The key is the bank's own, and one route's.
    assert!(!post(&other, "/v1/consents", "the-key", &firsts[0].1).await.1);
    service.process.kill();
    service = service.restart();
    bank.url.clone_from(&service.url);
    for ((path, body, _), first) in firsts.iter().zip(first_answers) {
        assert_eq!(post(&bank, path, "the-key", body).await, (201, true, first));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_requests_under_one_key_at_two_replicas_make_one_decision_and_one_set_of_calls() {
    let Some(url) = crate::support::postgres::fresh_database().await else { return };
    let departments = [
        Department::start(Behaviour::knowing().after_ms(300)).await,
        Department::start(Behaviour::knowing().after_ms(300)).await,
        Department::start(Behaviour::knowing().after_ms(300)).await,
    ];
    let at: Vec<String> = departments.iter().map(Department::base_url).collect();
    let more = [
        ("YUXIN_STORE__URL", url.as_str()),
        ("YUXIN_SOURCES__SOCIAL_INSURANCE__BASE_URL", at[1].as_str()),
        ("YUXIN_SOURCES__PAYMENT_HISTORY__BASE_URL", at[2].as_str()),
    ];
    let (first, second) = (Service::start_with(&at[0], &more), Service::start_with(&at[0], &more));
    let bank = first.bank("First Bank");
    let replica = Bank { url: second.url.clone(), ..bank.clone() };
    let consent = bank.consent(FIRM).await;
    let body = ask(FIRM, &consent);
    let asked = (0..100).map(|n| post(if n % 2 == 0 { &bank } else { &replica }, "/v1/decisions", "loan-1", &body));
    let answers = join_all(asked).await;
    assert!(answers.iter().all(|(status, _, text)| *status == 201 && *text == answers[0].2), "{answers:?}");
    assert_eq!(answers.iter().filter(|(_, replayed, _)| !replayed).count(), 1);
    let calls: Vec<usize> = departments.iter().map(|department| department.requests().len()).collect();
    assert_eq!(calls, [1, 1, 1]);
    let page: Value = replica.get("/v1/decisions").send().await.unwrap().json().await.unwrap();
    assert_eq!(page["decisions"].as_array().unwrap().len(), 1);
}
