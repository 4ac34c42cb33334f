//! A bank gets decisions, and only what is its own.

use serde_json::{Value, json};

use crate::support::service::{Sandbox, Service, ask};

const UNKNOWN_FIRM: &str = "91330604MA2D7K3P92";

async fn body(response: reqwest::Response, status: u16) -> Value {
    let got = response.status();
    let body: Value = response.json().await.unwrap();
    assert_eq!(got, status, "{body}");
    body
}

#[tokio::test]
async fn a_bank_gets_a_whole_decision_and_finds_it_again() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    let mut outcomes = std::collections::BTreeSet::new();
    for firm in sandbox.firms(12).await {
        let decision = bank.decide(&firm).await;
        assert_eq!(decision["uscc"], firm.as_str());
        let outcome = decision["outcome"].as_str().unwrap();
        outcomes.insert(outcome.to_owned());
        assert_eq!(decision["limit_fen"].is_i64(), outcome == "approve", "{decision}");
        assert_eq!(decision["case_id"].is_string(), !decision["refer_reasons"].as_array().unwrap().is_empty());
        let pd = decision["probability_of_default"].as_f64().unwrap();
        assert!(pd > 0.0 && pd < 1.0);
        let sources: Vec<&str> =
            decision["evidence"].as_array().unwrap().iter().map(|line| line["source"].as_str().unwrap()).collect();
        assert_eq!(sources, ["tax", "social_insurance", "payment_history"]);
        assert!(decision["reasons"].as_array().unwrap().len() <= 4);
        assert!(decision["notice"].as_str().unwrap().contains("not a credit-bureau report"));
        let found =
            body(bank.get(&format!("/v1/decisions/{}", decision["id"].as_str().unwrap())).send().await.unwrap(), 200)
                .await;
        assert_eq!(found, decision);
    }
    assert!(outcomes.len() >= 2, "every firm got the same outcome: {outcomes:?}");
    let listed = body(bank.get("/v1/decisions").send().await.unwrap(), 200).await;
    assert_eq!(listed["decisions"].as_array().unwrap().len(), 12);
}

#[tokio::test]
async fn no_consent_no_decision_and_no_call_to_a_department() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    let firms = sandbox.firms(2).await;
    let consent = bank.consent(&firms[0]).await;
    let refused = |code: &'static str, ask: Value| {
        let bank = bank.clone();
        async move {
            let problem = body(bank.post("/v1/decisions").json(&ask).send().await.unwrap(), 403).await;
            assert_eq!(problem["code"], code);
            assert!(problem["request_id"].is_string());
        }
    };
    let mut without = ask(&firms[0], &consent);
    without.as_object_mut().unwrap().remove("consent_id");
    refused("CONSENT_MISSING", without).await;
    refused("CONSENT_UNKNOWN", ask(&firms[0], "0192f0c1-2b4a-7000-8000-000000000000")).await;
    refused("CONSENT_OTHER_FIRM", ask(&firms[1], &consent)).await;
    let mut purpose = ask(&firms[0], &consent);
    purpose["purpose"] = json!("equipment");
    refused("CONSENT_OTHER_PURPOSE", purpose).await;
    let soon = jiff::Timestamp::now() + jiff::SignedDuration::from_millis(600);
    let short = json!({"uscc": firms[0], "purposes": ["working_capital"], "valid_until": soon});
    let short = body(bank.post("/v1/consents").json(&short).send().await.unwrap(), 201).await;
    tokio::time::sleep(std::time::Duration::from_millis(700)).await;
    refused("CONSENT_EXPIRED", ask(&firms[0], short["id"].as_str().unwrap())).await;
    let revoked = body(bank.delete(&format!("/v1/consents/{consent}")).send().await.unwrap(), 200).await;
    assert_eq!(revoked["status"], "revoked");
    refused("CONSENT_REVOKED", ask(&firms[0], &consent)).await;
    let metrics = reqwest::get(format!("{}/metrics", service.management)).await.unwrap().text().await.unwrap();
    assert!(!metrics.contains("yuxin_source_requests_total{"), "a department was asked without consent:\n{metrics}");
}

#[tokio::test]
async fn a_consent_revoked_while_departments_are_asked_gives_no_decision() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    let firm = sandbox.firms(1).await.remove(0);
    let consent = bank.consent(&firm).await;
    sandbox.process.signal("STOP");
    let asking = tokio::spawn({
        let (bank, firm, consent) = (bank.clone(), firm.clone(), consent.clone());
        async move { body(bank.ask(&firm, &consent).await, 403).await }
    });
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    body(bank.delete(&format!("/v1/consents/{consent}")).send().await.unwrap(), 200).await;
    assert_eq!(asking.await.unwrap()["code"], "CONSENT_REVOKED");
    sandbox.process.signal("CONT");
    let listed = body(bank.get("/v1/decisions").send().await.unwrap(), 200).await;
    assert_eq!(listed["decisions"], json!([]));
}

#[tokio::test]
async fn one_bank_never_sees_another_by_any_door() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let (first, second) = (service.bank("First Bank"), service.bank("Second Bank"));
    let firm = sandbox.firms(1).await.remove(0);
    let consent = first.consent(&firm).await;
    let decision = body(first.ask(&firm, &consent).await, 201).await;
    let id = decision["id"].as_str().unwrap();
    body(second.get(&format!("/v1/decisions/{id}")).send().await.unwrap(), 404).await;
    body(second.get(&format!("/v1/consents/{consent}")).send().await.unwrap(), 404).await;
    body(second.delete(&format!("/v1/consents/{consent}")).send().await.unwrap(), 404).await;
    let problem = body(second.ask(&firm, &consent).await, 403).await;
    assert_eq!(problem["code"], "CONSENT_UNKNOWN", "a foreign consent is answered like none");
    for path in ["/v1/decisions".to_owned(), format!("/v1/decisions?uscc={firm}"), format!("/v1/decisions?cursor={id}")]
    {
        let listed = body(second.get(&path).send().await.unwrap(), 200).await;
        assert_eq!(listed["decisions"], json!([]), "{path}");
    }
    let same_key = |bank: &crate::support::service::Bank| bank.post("/v1/decisions").header("idempotency-key", "k-1");
    let mine = body(same_key(&first).json(&ask(&firm, &consent)).send().await.unwrap(), 201).await;
    let other_consent = second.consent(&firm).await;
    let theirs = body(same_key(&second).json(&ask(&firm, &other_consent)).send().await.unwrap(), 201).await;
    assert_ne!(mine["id"], theirs["id"], "an idempotency key is the bank's own");
    assert_eq!(
        body(first.get(&format!("/v1/consents/{consent}")).send().await.unwrap(), 200).await["status"],
        "active"
    );
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_byte_for_byte() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    let firm = sandbox.firms(1).await.remove(0);
    let consent = bank.consent(&firm).await;
    let send = |body: Value| {
        let request = bank.post("/v1/decisions").header("idempotency-key", "loan-77").json(&body);
        async move { request.send().await.unwrap() }
    };
    let asked = ask(&firm, &consent);
    let answers = futures_util::future::join_all((0..20).map(|_| send(asked.clone()))).await;
    let mut bodies = std::collections::BTreeSet::new();
    let mut replayed = 0;
    for answer in answers {
        assert_eq!(answer.status(), 201);
        replayed += usize::from(answer.headers().contains_key("idempotent-replayed"));
        bodies.insert(answer.text().await.unwrap());
    }
    assert_eq!((bodies.len(), replayed), (1, 19));
    let metrics = reqwest::get(format!("{}/metrics", service.management)).await.unwrap().text().await.unwrap();
    let calls: f64 = metrics
        .lines()
        .filter(|line| line.starts_with("yuxin_source_requests_total{"))
        .map(|line| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap())
        .sum();
    assert_eq!(calls, 3.0, "one set of calls");
    let mut other = asked;
    other["amount_fen"] = json!(1);
    assert_eq!(body(send(other).await, 422).await["code"], "IDEMPOTENCY_KEY_REUSED");
}

#[tokio::test]
async fn keys_that_are_wrong_revoked_or_missing_are_refused() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    let with = |header: Option<&str>| {
        let mut request = bank.client.get(format!("{}/v1/decisions", bank.url));
        if let Some(value) = header {
            request = request.header("authorization", value);
        }
        async move { request.send().await.unwrap() }
    };
    for header in
        [None, Some(""), Some("Bearer "), Some("Bearer yx_test_wrong"), Some("Basic YWJj"), Some(bank.key.as_str())]
    {
        let answer = with(header).await;
        assert!(answer.headers().contains_key("www-authenticate"));
        assert_eq!(body(answer, 401).await["code"], "UNAUTHORIZED", "{header:?}");
    }
    assert_eq!(with(Some(&format!("bearer {}", bank.key))).await.status(), 200);
    let listed = String::from_utf8(service.command(&["keys", "list"]).stdout).unwrap();
    let id = listed.split_whitespace().find(|word| word.len() == 36 && word.contains('-')).unwrap().to_owned();
    assert!(service.command(&["keys", "revoke", &id]).status.success());
    assert_eq!(with(Some(&format!("Bearer {}", bank.key))).await.status(), 401, "a revoked key works on");
}

#[tokio::test]
async fn a_firm_that_no_department_knows_is_referred_and_nothing_is_zero() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let decision = service.bank("First Bank").decide(UNKNOWN_FIRM).await;
    assert_eq!(decision["outcome"], "refer");
    let named: Vec<_> = decision["refer_reasons"].as_array().unwrap().iter().map(|r| r["source"].clone()).collect();
    for source in ["tax", "social_insurance", "payment_history"] {
        assert!(named.contains(&json!(source)), "{named:?}");
    }
    for line in decision["evidence"].as_array().unwrap() {
        assert_eq!(line["status"], "absent");
    }
    let interval = &decision["score_interval"];
    assert!(interval["low"].as_i64().unwrap() < interval["high"].as_i64().unwrap());
    assert_eq!(decision["firm_size"], "undetermined");
}

#[tokio::test]
async fn a_suspect_code_is_referred_and_an_invalid_one_refused() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    let suspect = bank.decide("91350203M0001QKT19").await;
    assert_eq!((suspect["outcome"].as_str(), suspect["uscc_verdict"].as_str()), (Some("refer"), Some("suspect")));
    let consent = bank.consent(UNKNOWN_FIRM).await;
    for code in ["91350100M000100Y4Z", "111111111111111111", "362322198709086409", "", "91330604MA2XY0014"] {
        let problem = body(bank.ask(code, &consent).await, 422).await;
        assert_eq!(
            (problem["code"].as_str(), problem["errors"][0]["pointer"].as_str()),
            (Some("CODE_INVALID"), Some("/uscc"))
        );
    }
    let spaced = body(bank.ask(" 9133 0604 ma2d 7k3p 92 ", &consent).await, 201).await;
    assert_eq!(spaced["uscc"], UNKNOWN_FIRM);
}
