//! No grant, no call; a grant is not stretched; and every look can be accounted for.

use serde_json::{Value, json};
use yuxin::decide::{Asker, Decider};
use yuxin::domain::decision::DecisionRequest;
use yuxin::domain::{Consent, Fen, LookEnd, SourceKind};
use yuxin::settings::Settings;

use crate::support::department::{Behaviour, Department};
use crate::support::gathering::FIRM;
use crate::support::service::{Bank, Service, ask};

async fn body(response: reqwest::Response, status: u16) -> Value {
    let got = response.status();
    let body: Value = response.json().await.unwrap();
    assert_eq!(got, status, "{body}");
    body
}

/// The service with three departments that count.
struct District {
    departments: [Department; 3],
    service: Service,
}

impl District {
    async fn start(behaviours: [Behaviour; 3]) -> District {
        let [a, b, c] = behaviours;
        let departments = [Department::start(a).await, Department::start(b).await, Department::start(c).await];
        let urls = [departments[0].base_url(), departments[1].base_url(), departments[2].base_url()];
        let service = Service::start_with(
            &urls[0],
            &[
                ("YUXIN_SOURCES__SOCIAL_INSURANCE__BASE_URL", urls[1].as_str()),
                ("YUXIN_SOURCES__PAYMENT_HISTORY__BASE_URL", urls[2].as_str()),
                // The samples are as of a fixed day.
                ("YUXIN_SOURCES__TAX__STALE_AFTER_DAYS", "3650"),
                ("YUXIN_SOURCES__SOCIAL_INSURANCE__STALE_AFTER_DAYS", "3650"),
                ("YUXIN_SOURCES__PAYMENT_HISTORY__STALE_AFTER_DAYS", "3650"),
            ],
        );
        District { departments, service }
    }

    async fn well() -> District {
        District::start(SourceKind::ALL.map(Behaviour::well)).await
    }

    fn calls(&self) -> [usize; 3] {
        [0, 1, 2].map(|i| self.departments[i].requests().len())
    }

    fn said(&self, arguments: &[&str]) -> String {
        let done = self.service.command(arguments);
        assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
        String::from_utf8(done.stdout).unwrap()
    }
}

async fn grant(bank: &Bank, more: Value) -> Value {
    let mut asked = json!({"uscc": FIRM, "purposes": ["working_capital"], "valid_until": "2099-01-01T00:00:00Z"});
    asked.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body(bank.post("/v1/consents").json(&asked).send().await.unwrap(), 201).await
}

fn id(of: &Value) -> &str {
    of["id"].as_str().unwrap()
}

#[tokio::test]
async fn no_department_is_called_under_a_grant_that_does_not_cover_the_look() {
    let district = District::well().await;
    let (bank, other) = (district.service.bank("First Bank"), district.service.bank("Second Bank"));
    let soon = (jiff::Timestamp::now() + jiff::SignedDuration::from_millis(300)).to_string();
    let expired = grant(&bank, json!({"valid_until": soon})).await;
    let revoked = grant(&bank, json!({})).await;
    body(bank.delete(&format!("/v1/consents/{}", id(&revoked))).send().await.unwrap(), 200).await;
    let foreign = grant(&other, json!({})).await;
    let other_purpose = grant(&bank, json!({"purposes": ["equipment"]})).await;
    let other_firm = grant(&bank, json!({"uscc": "91330604MA2D7K3P92"})).await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    for (consent, code) in [
        ("0192f0c1-2b4a-7000-8000-000000000000", "CONSENT_UNKNOWN"),
        (id(&expired), "CONSENT_EXPIRED"),
        (id(&revoked), "CONSENT_REVOKED"),
        (id(&foreign), "CONSENT_UNKNOWN"),
        (id(&other_purpose), "CONSENT_OTHER_PURPOSE"),
        (id(&other_firm), "CONSENT_OTHER_FIRM"),
    ] {
        assert_eq!(body(bank.ask(FIRM, consent).await, 403).await["code"], code);
    }
    assert_eq!(district.calls(), [0, 0, 0], "no grant, no call");
    let once = grant(&bank, json!({"one_time": true})).await;
    assert_eq!((once["one_time"].as_bool(), once["status"].as_str()), (Some(true), Some("active")));
    body(bank.ask(FIRM, id(&once)).await, 201).await;
    assert_eq!(district.calls(), [1, 1, 1]);
    assert_eq!(body(bank.ask(FIRM, id(&once)).await, 403).await["code"], "CONSENT_USED");
    assert_eq!(district.calls(), [1, 1, 1], "a used-up grant calls nobody");
    let used = body(bank.get(&format!("/v1/consents/{}", id(&once))).send().await.unwrap(), 200).await;
    assert_eq!(used["status"], "used");
    let only_tax = grant(&bank, json!({"sources": ["tax"]})).await;
    let decision = body(bank.ask(FIRM, id(&only_tax)).await, 201).await;
    assert_eq!(district.calls(), [2, 1, 1], "a department that the grant leaves out is not called");
    let statuses: Vec<&str> =
        decision["evidence"].as_array().unwrap().iter().map(|line| line["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["fresh", "not_covered", "not_covered"]);
    assert!(decision["score_interval"].is_object(), "what is not covered is missing, not zero: {decision}");
}

#[tokio::test]
async fn a_one_time_grant_gives_one_decision_however_many_ask_at_once_and_the_same_request_is_answered_again() {
    let district = District::well().await;
    let bank = district.service.bank("First Bank");
    let once = grant(&bank, json!({"one_time": true})).await;
    let answers = futures_util::future::join_all((0..8).map(|_| bank.ask(FIRM, id(&once)))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status().as_u16()).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 403, 403, 403, 403, 403, 403, 403]);
    assert_eq!(district.calls(), [1, 1, 1], "only the first asks the departments");
    let again = grant(&bank, json!({"one_time": true})).await;
    let send = async || {
        let request = bank.post("/v1/decisions").header("idempotency-key", "one-look").json(&ask(FIRM, id(&again)));
        body(request.send().await.unwrap(), 201).await
    };
    assert_eq!(send().await, send().await, "a retry gets the first answer, though the grant is used up");
}

#[tokio::test]
async fn parts_that_a_grant_leaves_out_are_dropped_and_count_as_missing() {
    let district = District::well().await;
    let bank = district.service.bank("First Bank");
    let whole = body(bank.ask(FIRM, id(&grant(&bank, json!({})).await)).await, 201).await;
    let fields = ["tax.status", "tax.invoices", "social_insurance.months", "payment_history.enforcements"];
    let narrow = grant(&bank, json!({"fields": fields})).await;
    assert_eq!(narrow["sources"], json!(["tax", "social_insurance", "payment_history"]));
    let decision = body(bank.ask(FIRM, id(&narrow)).await, 201).await;
    let not_covered = decision["evidence"][0]["not_covered"].as_array().unwrap();
    assert!(not_covered.contains(&json!("filings")) && !not_covered.contains(&json!("invoices")), "{not_covered:?}");
    assert_eq!((&whole["evidence"][0]["not_covered"], &whole["score_interval"]), (&json!([]), &Value::Null));
    assert!(decision["score_interval"].is_object(), "{decision}");
    let record = bank.get(&format!("/v1/decisions/{}/record", id(&decision)));
    let record = body(record.send().await.unwrap(), 200).await;
    assert_eq!(record["features"]["tax_late_filings_24m"], Value::Null, "{}", record["features"]);
    let file = district.said(&["decisions", "export", id(&decision)]);
    let full: Value = serde_json::from_str(&file).unwrap();
    assert_eq!(full["dossier"]["tax"]["record"]["filings"], Value::Null, "nothing uncovered is stored");
    assert!(full["dossier"]["tax"]["record"]["invoices"].is_array());
    for (wrong, pointer) in [
        (json!({"sources": ["police"]}), "/sources/0"),
        (json!({"sources": []}), "/sources"),
        (json!({"fields": ["tax.status", "tax.secret"]}), "/fields/1"),
        (json!({"sources": ["tax"], "fields": ["payment_history.loans", "tax.status"]}), "/fields"),
        (json!({"fields": ["social_insurance.arrears"]}), "/fields"),
    ] {
        let mut asked = json!({"uscc": FIRM, "purposes": ["a"], "valid_until": "2099-01-01T00:00:00Z"});
        asked.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let problem = body(bank.post("/v1/consents").json(&asked).send().await.unwrap(), 422).await;
        assert_eq!(problem["errors"][0]["pointer"], pointer, "{problem}");
    }
}

#[tokio::test]
async fn revoking_tells_the_bank_that_relied_on_the_grant_and_leaves_other_banks_alone() {
    let district = District::well().await;
    let (bank, other) = (district.service.bank("First Bank"), district.service.bank("Second Bank"));
    let (given, others) = (grant(&bank, json!({})).await, grant(&other, json!({})).await);
    let decision = body(bank.ask(FIRM, id(&given)).await, 201).await;
    let empty = body(bank.get("/v1/notices").send().await.unwrap(), 200).await;
    assert_eq!((&empty["notices"], &empty["next_cursor"]), (&json!([]), &Value::Null));
    // The firm came to the office; the service runs on.
    let revoked = district.service.command(&["consents", "revoke", id(&given)]);
    assert!(revoked.status.success(), "{}", String::from_utf8_lossy(&revoked.stderr));
    assert_eq!(body(bank.ask(FIRM, id(&given)).await, 403).await["code"], "CONSENT_REVOKED");
    let page = body(bank.get("/v1/notices").send().await.unwrap(), 200).await;
    let notice = &page["notices"][0];
    assert_eq!(notice["kind"], "consent_revoked");
    assert_eq!(
        notice["about"],
        json!({"consent_id": id(&given), "decision_ids": [id(&decision)], "decision_count": 1})
    );
    assert_eq!(notice["seen_at"], Value::Null);
    let next = format!("/v1/notices?cursor={}", page["next_cursor"]);
    assert_eq!(body(bank.get(&next).send().await.unwrap(), 200).await["notices"], json!([]));
    let again = body(bank.get("/v1/notices").send().await.unwrap(), 200).await;
    assert!(again["notices"][0]["seen_at"].is_string(), "asking for what follows marks it as seen");
    assert_eq!(body(other.get("/v1/notices").send().await.unwrap(), 200).await["notices"], json!([]));
    assert_eq!(body(other.ask(FIRM, id(&others)).await, 201).await["uscc"], FIRM, "another bank's grant stands");
    body(bank.get("/v1/notices?cursor=x").send().await.unwrap(), 422).await;
    let unknown = district.service.command(&["consents", "revoke", "0192f0c1-2b4a-7000-8000-000000000000"]);
    assert_eq!(unknown.status.code(), Some(1));
}

#[tokio::test]
async fn every_look_is_in_the_ledger_and_a_bank_sees_its_own_only() {
    let district = District::well().await;
    let (bank, other) = (district.service.bank("First Bank"), district.service.bank("Second Bank"));
    let given = grant(&bank, json!({"sources": ["tax", "payment_history"]})).await;
    let decision = body(bank.ask(FIRM, id(&given)).await, 201).await;
    // A look that leads to nothing: the consent goes while the departments are asked.
    let second = grant(&bank, json!({})).await;
    let slow = Behaviour::After(std::time::Duration::from_millis(600), Box::new(Behaviour::well(SourceKind::Tax)));
    district.departments[0].behave(slow);
    let asking = tokio::spawn({
        let (bank, consent) = (bank.clone(), id(&second).to_owned());
        async move { bank.ask(FIRM, &consent).await.status().as_u16() }
    });
    tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    body(bank.delete(&format!("/v1/consents/{}", id(&second))).send().await.unwrap(), 200).await;
    assert_eq!(asking.await.unwrap(), 403);
    let looks = body(bank.get(&format!("/v1/looks?uscc={FIRM}")).send().await.unwrap(), 200).await;
    let looks = looks["looks"].as_array().unwrap();
    let results: Vec<&str> = looks.iter().map(|look| look["result"].as_str().unwrap()).collect();
    assert_eq!(results, ["consent_revoked", "decided"], "newest first");
    assert_eq!(looks[1]["decision_id"], decision["id"]);
    assert_eq!(looks[1]["consent_id"], given["id"]);
    let asked: Vec<(&str, &str)> = looks[1]["sources"]
        .as_array()
        .unwrap()
        .iter()
        .map(|of| (of["source"].as_str().unwrap(), of["status"].as_str().unwrap()))
        .collect();
    assert_eq!(asked, [("tax", "fresh"), ("payment_history", "fresh")], "what was not asked is not in it");
    assert_eq!(looks[0]["sources"][0]["digest"].as_str().unwrap().len(), 64);
    let foreign = body(other.get(&format!("/v1/looks?uscc={FIRM}")).send().await.unwrap(), 200).await;
    assert_eq!(foreign["looks"], json!([]));
    body(bank.get("/v1/looks").send().await.unwrap(), 422).await;
    // The office's export is a look too.
    district.said(&["decisions", "export", id(&decision)]);
    let ledger = district.said(&["ledger", FIRM]);
    let rows: Vec<&str> = ledger.lines().collect();
    assert!(rows[0].starts_with("look,at,who,office,consent,purpose,result,decision,source"), "{ledger}");
    assert!(rows[1].contains("yuxin decisions export") && rows[1].contains(id(&decision)), "{ledger}");
    assert_eq!(rows.iter().filter(|row| row.contains("First Bank")).count(), 3 + 2, "{ledger}");
    let file = district.service.folder.path().join("ledger.json");
    district.said(&["ledger", FIRM, "--out", file.to_str().unwrap()]);
    let json: Vec<Value> = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    assert_eq!(json.len(), rows.len() - 1);
    assert_eq!(district.service.command(&["ledger", "nonsense"]).status.code(), Some(1));
    district.said(&["audit", "verify"]);
    let log = district.service.process.said();
    assert!(!log.contains(FIRM), "the log names the firm:\n{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_that_is_given_up_while_departments_are_asked_is_in_the_ledger_too() {
    use crate::support::gathering;
    use crate::support::store::{self, Engine, Place};
    let place = Place::on(Engine::Sqlite).await.unwrap();
    let kept = place.open().await;
    let bank = store::bank(&kept, "Bank A").await;
    let given = Consent { uscc: FIRM.parse().unwrap(), ..store::consent(bank) };
    kept.insert_consent(&given).await.unwrap();
    let district = gathering::District::with(SourceKind::Tax, Behaviour::Silent).await;
    let engine = yuxin::app::load_engine(&Settings::with_overrides("").unwrap()).unwrap();
    let decider = Decider::new(kept.clone(), district.sources, district.metrics, engine);
    let request = DecisionRequest {
        uscc: given.uscc.clone(),
        consent_id: given.id,
        purpose: "working_capital".into(),
        amount: Fen(100_000_000),
        term_months: 12,
    };
    let asker = Asker { bank, name: "Bank A".into() };
    let deciding = decider.decide(&asker, request, store::now(), |_| None);
    assert!(tokio::time::timeout(std::time::Duration::from_millis(150), deciding).await.is_err());
    let mut ledger = Vec::new();
    while ledger.is_empty() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        ledger = kept.ledger_of(&given.uscc).await.unwrap();
    }
    let look = &ledger[0].look;
    assert_eq!((look.end, look.asked.len(), look.decision), (LookEnd::Abandoned, 3, None));
    assert_eq!((look.consent, ledger[0].bank_name.as_deref()), (Some(given.id), Some("Bank A")));
    assert!(kept.verify_audit().await.unwrap().intact());
}
