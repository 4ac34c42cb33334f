//! What departments said is on record, can be recomputed, and does not go back in time.

use rstest::rstest;
use serde_json::{Value, json};
use yuxin::domain::{RejectedReply, SourceKind};

use crate::support::gathering::FIRM;
use crate::support::service::{Sandbox, Service};
use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, bank, consent, days_later, decision, firm, now};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/district-scorecard.json");
const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/policy.toml");

/// Saves a decision's record, in both forms: the bank's, the office's.
async fn records(service: &Service, url: &str) -> (Value, String, String) {
    let bank = service.bank("First Bank");
    let firm: Vec<Value> = crate::support::service::client().get(url).send().await.unwrap().json().await.unwrap();
    let decision = bank.decide(firm.last().unwrap()["uscc"].as_str().unwrap()).await;
    let id = decision["id"].as_str().unwrap();
    let record = bank.get(&format!("/v1/decisions/{id}/record")).send().await.unwrap();
    assert_eq!(record.status(), 200);
    let file = |name: &str| service.folder.path().join(name).to_str().unwrap().to_owned();
    let (copy, export) = (file("copy.json"), file("export.json"));
    std::fs::write(&copy, record.bytes().await.unwrap()).unwrap();
    assert!(service.command(&["decisions", "export", id, "--out", &export]).status.success());
    let foreign = service.bank("Second Bank").get(&format!("/v1/decisions/{id}/record")).send().await.unwrap();
    assert_eq!(foreign.status(), 404);
    (decision, copy, export)
}

#[tokio::test]
async fn a_decision_is_recomputed_offline_and_each_point_names_the_reply_that_moved_it() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let (decision, copy, export) = records(&service, &format!("{}/firms?limit=3", sandbox.url)).await;
    let bytes = std::fs::read_to_string(&copy).unwrap();
    let shown: Value = serde_json::from_str(&bytes).unwrap();
    for raw in ["dossier", "indicated_limit"] {
        assert!(!bytes.contains(raw), "a bank's copy holds no {raw}");
    }
    for (file, policy) in [(&copy, false), (&export, false), (&export, true)] {
        let mut arguments = vec!["verify", file.as_str(), "--model", MODEL];
        if policy {
            arguments.extend(["--policy", POLICY]);
        }
        let done = service.command(&arguments);
        let stdout = String::from_utf8(done.stdout).unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let points: Vec<&Value> = shown["points"].as_array().unwrap().iter().collect();
        assert_eq!(stdout.lines().count(), points.len() + 1, "{stdout}");
        for of in points {
            let line =
                stdout.lines().find(|l| l.starts_with(&format!("{}\t", of["feature"].as_str().unwrap()))).unwrap();
            let digest = of["provenance"]["digest"].as_str().unwrap();
            assert!(line.ends_with(digest) && digest.len() == 64, "{line}");
            let source = of["provenance"]["source"].as_str().unwrap();
            assert!(decision["evidence"].as_array().unwrap().iter().any(|e| e["source"] == source));
            assert!(line.contains(of["provenance"]["as_of"].as_str().unwrap()));
        }
    }
    let refused = service.command(&["verify", &copy, "--model", MODEL, "--policy", POLICY]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("decisions export"));
}

#[tokio::test]
async fn whatever_was_changed_in_a_record_is_the_difference_that_verification_names() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let (_, copy, export) = records(&service, &format!("{}/firms?limit=5", sandbox.url)).await;
    let model: Value = serde_json::from_slice(&std::fs::read(MODEL).unwrap()).unwrap();
    let feature = model["characteristics"][0]["feature"].as_str().unwrap();
    let changes = [
        (&copy, "/decision/score".to_owned(), json!(999)),
        (&copy, "/decision/grade".to_owned(), json!("Z")),
        (&copy, "/decision/probability_of_default".to_owned(), json!(0.5)),
        (&copy, "/decision/model/sha256".to_owned(), json!("00")),
        (&copy, "/points/0/points".to_owned(), json!(1.5)),
        (&copy, "/points/0/provenance/digest".to_owned(), json!("00")),
        (&copy, "/points/0/provenance/as_of".to_owned(), json!("2020-01-01")),
        (&export, format!("/features/{feature}"), json!(-1234.5)),
        (&export, "/decision/outcome".to_owned(), json!("nothing")),
        (&export, "/decision/indicated_limit".to_owned(), json!(1)),
        (&export, "/decision/evidence/0/digest".to_owned(), json!("00")),
        (&export, "/decision/policy/sha256".to_owned(), json!("00")),
    ];
    for (file, pointer, value) in changes {
        let mut record: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        *record.pointer_mut(&pointer).unwrap_or_else(|| panic!("{pointer}")) = value.clone();
        let changed = service.folder.path().join("changed.json").to_str().unwrap().to_owned();
        std::fs::write(&changed, record.to_string()).unwrap();
        let mut arguments = vec!["verify", &changed, "--model", MODEL];
        if file == &export {
            arguments.extend(["--policy", POLICY]);
        }
        let done = service.command(&arguments);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert_eq!(done.status.code(), Some(1), "{pointer} changed and verified all the same");
        // An outcome that there is not cannot even be read.
        assert!(said.contains(&pointer) || value == "nothing", "{pointer}: {said}");
        assert!(done.stdout.is_empty());
    }
}

#[tokio::test]
async fn a_rating_that_is_left_out_opens_the_scores_interval_and_one_said_to_be_none_does_not() {
    use crate::support::department::{Behaviour, Department};
    const GOOD: &str = "91330604MAX0000154";
    let sandbox = Sandbox::start(&[]);
    let url = format!("{}/tax/v1/firms/{GOOD}", sandbox.url);
    let full: Value = crate::support::service::client().get(url).send().await.unwrap().json().await.unwrap();
    assert!(full["rating"]["grade"].is_string(), "{full}");
    let tax = Department::start(Behaviour::json(full.to_string())).await;
    let service = Service::start_with(&sandbox.url, &[("YUXIN_SOURCES__TAX__BASE_URL", &tax.base_url())]);
    let bank = service.bank("First Bank");
    let decide = async |rating: Option<Value>| {
        let mut reply = full.clone();
        reply.as_object_mut().unwrap().remove("rating");
        reply.as_object_mut().unwrap().extend(rating.map(|rating| ("rating".to_owned(), rating)));
        tax.behave(Behaviour::json(reply.to_string()));
        bank.decide(GOOD).await
    };
    let not_shared = |decision: &Value| decision["evidence"][0]["not_shared"].clone();
    let unrated = decide(Some(Value::Null)).await;
    assert_eq!((&unrated["score_interval"], not_shared(&unrated)), (&Value::Null, json!([])), "{unrated}");
    let silent = decide(None).await;
    assert_eq!(not_shared(&silent), json!(["rating"]));
    let [low, high] = ["low", "high"].map(|end| silent["score_interval"][end].as_i64().unwrap());
    let rated = decide(Some(full["rating"].clone())).await;
    for decision in [&unrated, &rated] {
        let score = decision["score"].as_i64().unwrap();
        assert!((low..=high).contains(&score), "{score} is a possible score of {low} to {high}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_dates_on_record_only_move_on_and_a_revocation_is_on_record(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let uscc = firm(1);
    assert_eq!(store.history_of(&uscc).await.unwrap(), Default::default());
    for as_of in ["2026-09-30", "2026-10-31", "2026-08-31"] {
        let mut entry = decision(bank, uscc.clone());
        entry.record.decision.evidence[0].as_of = as_of.parse().ok();
        store.commit_decision(entry).await.unwrap();
    }
    let history = store.history_of(&uscc).await.unwrap();
    assert_eq!(history.latest_as_of, [(SourceKind::Tax, "2026-10-31".parse().unwrap())].into());
    assert_eq!(store.history_of(&firm(2)).await.unwrap(), Default::default());
    let given = consent(bank);
    store.insert_consent(&given).await.unwrap();
    store.revoke_consent(given.id, bank, days_later(1)).await.unwrap();
    assert_eq!(store.history_of(&given.uscc).await.unwrap().revoked_at, Some(days_later(1)));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn rejected_replies_are_kept_byte_for_byte_until_too_old_or_the_firm_revokes(
    #[values(Sqlite, Postgresql)] engine: Engine,
) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let reply = |number, body: Option<Vec<u8>>, at| RejectedReply {
        source: SourceKind::Tax,
        uscc: firm(number),
        at,
        pointer: "/filings/3/due_fen".into(),
        problem: "is negative".into(),
        digest: "ab".repeat(32),
        body,
    };
    let odd = b"\x00\xff{\"not\": \"text\"".to_vec();
    store.keep_rejected(reply(1, Some(odd.clone()), now()));
    store.keep_rejected(reply(2, Some(vec![b'x'; 300 << 10]), days_later(1)));
    store.keep_rejected(reply(2, None, days_later(2)));
    // Closing writes what was queued.
    store.close().await;
    let store = place.open().await;
    let kept = store.rejected_replies().await.unwrap();
    assert_eq!(kept.iter().map(|line| line.body_bytes).collect::<Vec<_>>(), [None, Some(300 << 10), Some(16)]);
    assert_eq!((kept[2].pointer.as_str(), kept[2].problem.as_str()), ("/filings/3/due_fen", "is negative"));
    assert_eq!(store.rejected_body(kept[2].id).await.unwrap(), Some(odd));
    assert_eq!(store.rejected_body(kept[1].id).await.unwrap().unwrap().len(), 256 << 10, "only the beginning");
    assert_eq!(store.rejected_body(kept[0].id).await.unwrap(), None);
    assert_eq!(store.purge_rejected(30, days_later(31)).await.unwrap(), 1);
    let given = yuxin::domain::Consent { uscc: firm(2), ..consent(bank) };
    store.insert_consent(&given).await.unwrap();
    store.revoke_consent(given.id, bank, days_later(3)).await.unwrap();
    assert_eq!(store.rejected_replies().await.unwrap(), []);
}

#[tokio::test]
async fn a_department_that_goes_back_in_time_is_not_believed_and_its_reply_is_kept() {
    use crate::support::department::{Behaviour, Department, sample};
    let departments = [SourceKind::Tax, SourceKind::SocialInsurance, SourceKind::PaymentHistory]
        .map(|s| Department::start(Behaviour::well(s)));
    let departments = futures_util::future::join_all(departments).await;
    let [tax, social, payments] = [0, 1, 2].map(|i: usize| departments[i].base_url());
    let service = Service::start_with(
        &tax,
        &[
            ("YUXIN_SOURCES__SOCIAL_INSURANCE__BASE_URL", social.as_str()),
            ("YUXIN_SOURCES__PAYMENT_HISTORY__BASE_URL", payments.as_str()),
        ],
    );
    let bank = service.bank("First Bank");
    assert!(bank.decide(FIRM).await["evidence"][0]["as_of"].is_string());
    let mut older: Value = serde_json::from_str(sample(SourceKind::PaymentHistory)).unwrap();
    assert_eq!(older["as_of"], "2026-10-31");
    older["as_of"] = json!("2026-10-30");
    departments[2].behave(Behaviour::json(older.to_string()));
    let decision = bank.decide(FIRM).await;
    assert_eq!(decision["evidence"][2]["status"], "invalid", "{decision}");
    let listed = String::from_utf8(service.command(&["sources", "rejected"]).stdout).unwrap();
    let line = listed.lines().nth(1).unwrap_or_else(|| panic!("{listed}"));
    assert!(line.contains("2026-10-30") && line.contains("2026-10-31") && line.contains("/as_of"), "{line}");
    assert!(!listed.contains(FIRM), "the list names the firm");
    let id = line.split('\t').next().unwrap();
    let body = service.command(&["sources", "rejected", "--body", id]).stdout;
    assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), older);
    departments[2].behave(Behaviour::well(SourceKind::PaymentHistory));
    let consent = bank.consent(FIRM).await;
    let decision: Value = bank.ask(FIRM, &consent).await.json().await.unwrap();
    assert!(decision["evidence"][2]["as_of"].is_string(), "once it is back, so is the evidence: {decision}");
    bank.delete(&format!("/v1/consents/{consent}")).send().await.unwrap();
    let listed = String::from_utf8(service.command(&["sources", "rejected"]).stdout).unwrap();
    assert_eq!(listed.lines().count(), 1, "a revocation throws kept replies away");
}
