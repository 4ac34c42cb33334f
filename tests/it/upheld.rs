//! A dispute that the office upholds has an effect for as long as the department states the fact: it is left out, and said so.

use serde_json::{Value, json};
use yuxin::decide::{NOT_CHECKED, RecordFile};
use yuxin::domain::{Dispute, DisputeId, DisputeVerdict, DisputedFact, Resolution, Role, SourceKind, china_date};
use yuxin::model::Model;
use yuxin::observe::Metrics;
use yuxin::policy::{DEFAULT_POLICY, Policy};
use yuxin::store::Store;

use jiff::{Timestamp, ToSpan};
use secrecy::SecretString;
use uuid::Uuid;

use crate::disputes::{FIRM, about, body, dispute, reply, service, shown};
use crate::support::department::Behaviour;
use crate::support::service::{Bank, Service};
use crate::support::store::{Place, bank, days_later, decision, firm, now};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/district-scorecard.json");
const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/policy.toml");

/// The service's store, opened by another process, and an officer.
async fn office(service: &Service) -> Store {
    let url = format!("sqlite://{}", service.database().display());
    let store = Store::open(&url, Metrics::new().unwrap()).await.unwrap();
    let password = SecretString::from("a long test password");
    store.create_user("officer", Role::Officer, &password, Timestamp::now()).await.unwrap();
    store
}

async fn answer(store: &Store, opened: &Value, verdict: DisputeVerdict) {
    let users = store.list_users().await.unwrap();
    let resolution = Resolution {
        verdict,
        answer: "法院已确认".to_owned(),
        user: users[0].user.id,
        user_name: "officer".to_owned(),
        at: Timestamp::now(),
    };
    let id: DisputeId = opened["id"].as_str().unwrap().parse().unwrap();
    store.resolve_dispute(id, &resolution).await.unwrap();
}

/// An enforcement that began so many days ago.
fn enforcement(days: i64, closed: bool) -> Value {
    let on = |days: i64| china_date(Timestamp::now()).saturating_sub(days.days());
    json!({"opened_on": on(days), "closed_on": closed.then(|| on(days / 2)), "amount_fen": 8_000_000 + days})
}

fn courts(rows: &[Value]) -> Behaviour {
    Behaviour::json(reply(SourceKind::PaymentHistory, json!({ "enforcements": rows })))
}

fn codes(decision: &Value) -> Vec<&str> {
    let of = |key: &str| decision[key].as_array().unwrap().iter().map(|reason| reason["code"].as_str().unwrap());
    of("reasons").chain(of("refer_reasons")).collect()
}

/// The decision's export, as a file.
fn export(service: &Service, decision: &Value) -> std::path::PathBuf {
    let file = service.folder.path().join("decision.json");
    let id = decision["id"].as_str().unwrap();
    let done = service.command(&["decisions", "export", id, "--out", file.to_str().unwrap()]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    file
}

/// What `yuxin verify` says of the office's export and of the bank's copy; both must hold.
async fn verified(service: &Service, bank: &Bank, decision: &Value) -> [String; 2] {
    let file = export(service, decision);
    let path = format!("/v1/decisions/{}/record", decision["id"].as_str().unwrap());
    let copy = service.folder.path().join("copy.json");
    std::fs::write(&copy, bank.get(&path).send().await.unwrap().bytes().await.unwrap()).unwrap();
    let said = |arguments: &[&str]| {
        let done = service.command(arguments);
        let said = String::from_utf8_lossy(&done.stderr).into_owned();
        assert!(done.status.success(), "{said}");
        said
    };
    let policy = ["verify", file.to_str().unwrap(), "--model", MODEL, "--policy", POLICY];
    [said(&policy), said(&["verify", copy.to_str().unwrap(), "--model", MODEL])]
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upheld_fact_is_left_out_until_the_department_states_something_else_and_the_answer_says_so() {
    let (service, departments) = service().await;
    let (first, second) = (service.bank("First Bank"), service.bank("Second Bank"));
    let store = office(&service).await;
    let old = enforcement(200, false);
    departments[2].behave(courts(std::slice::from_ref(&old)));
    let decision = first.decide(FIRM).await;
    assert_eq!(
        (&decision["outcome"], &decision["reasons"][0]["code"]),
        (&json!("decline"), &json!("ENFORCEMENT_OPEN"))
    );
    let fact = json!({"source": "payment_history", "pointer": "/enforcements/0"});
    let opened = dispute(&first, &decision, fact, 201).await;
    assert_eq!(second.decide(FIRM).await["outcome"], "decline", "while it is open the fact counts");
    answer(&store, &opened, DisputeVerdict::Upheld).await;

    let later = second.decide(FIRM).await;
    assert!(!codes(&later).contains(&"ENFORCEMENT_OPEN") && later["outcome"] != "decline", "{later}");
    assert!(!codes(&later).contains(&"KNOCK_OUT_UNCHECKED"), "the other rows, none here, were looked at: {later}");
    assert_eq!(later["evidence"][2]["left_out"], json!(["enforcements/0"]));
    assert_eq!((&later["evidence"][2]["not_shared"], &later["evidence"][2]["disputed"]), (&json!([]), &json!(false)));
    let told = &later["disputes"][0];
    assert_eq!((&told["state"], &told["id"]), (&json!("upheld"), &Value::Null), "not by way of whom");
    assert!(told["note"].as_str().unwrap().contains("found the firm right"), "{told}");
    let path = format!("/v1/decisions/{}", later["id"].as_str().unwrap());
    let chinese = body(second.get(&path).header("accept-language", "zh-CN").send().await.unwrap(), 200).await;
    let asked_in_chinese = second.client.get(format!("{}{path}", second.url)).bearer_auth(&second.key);
    let shown_chinese = body(asked_in_chinese.send().await.unwrap(), 200).await;
    assert!(shown_chinese["disputes"][0]["note"].as_str().unwrap().contains("异议成立"), "{chinese}");
    let [office, copy] = verified(&service, &second, &later).await;
    assert!(office.contains("row") && copy.contains("/decision/outcome"), "{office}{copy}");
    // What was decided before stays as it was.
    assert_eq!(shown(&first, &decision).await["outcome"], "decline");

    // Another enforcement counts; the one that was upheld does not, wherever it stands.
    departments[2].behave(courts(&[enforcement(100, false), old.clone()]));
    let another = second.decide(FIRM).await;
    assert_eq!(
        (&another["outcome"], &another["evidence"][2]["left_out"]),
        (&json!("decline"), &json!(["enforcements/1"]))
    );
    verified(&service, &second, &another).await;

    // The department puts it right: as usual, without a word on the dispute.
    let mut corrected = old.clone();
    corrected["closed_on"] = json!(china_date(Timestamp::now()).saturating_sub(30.days()));
    departments[2].behave(courts(&[corrected]));
    let right = second.decide(FIRM).await;
    assert!(!codes(&right).contains(&"ENFORCEMENT_OPEN"), "{right}");
    assert_eq!((&right["evidence"][2]["left_out"], &right["disputes"]), (&json!([]), &json!([])));
    // Or it states something else that still speaks against the firm: then that counts.
    let mut changed = old;
    changed["amount_fen"] = json!(9_999_999);
    departments[2].behave(courts(&[changed]));
    assert_eq!(second.decide(FIRM).await["reasons"][0]["code"], "ENFORCEMENT_OPEN");
    assert!(store.verify_audit().await.unwrap().intact());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_that_was_upheld_by_mistake_is_taken_back_by_rejecting_a_later_one_about_the_same_fact() {
    let (service, departments) = service().await;
    let bank = service.bank("First Bank");
    let store = office(&service).await;
    let (wrong, another) = (enforcement(200, false), enforcement(100, false));
    departments[2].behave(courts(std::slice::from_ref(&wrong)));
    let mut decision = bank.decide(FIRM).await;
    // The latest answer holds, whatever was answered before it.
    for (verdict, outcome_is_decline) in [
        (DisputeVerdict::Rejected, true),
        (DisputeVerdict::Upheld, false),
        (DisputeVerdict::Corrected, false),
        (DisputeVerdict::Rejected, true),
        (DisputeVerdict::Upheld, false),
    ] {
        let fact = json!({"source": "payment_history", "pointer": "/enforcements/0"});
        let opened = dispute(&bank, &decision, fact, 201).await;
        answer(&store, &opened, verdict).await;
        decision = bank.decide(FIRM).await;
        assert_eq!(decision["outcome"] == "decline", outcome_is_decline, "{verdict}: {decision}");
        let left_out = if outcome_is_decline { json!([]) } else { json!(["enforcements/0"]) };
        assert_eq!(decision["evidence"][2]["left_out"], left_out, "{verdict}");
        verified(&service, &bank, &decision).await;
    }
    // A rejection about another enforcement takes nothing back, wherever the rows stand.
    departments[2].behave(courts(&[another, wrong.clone()]));
    decision = bank.decide(FIRM).await;
    let fact = json!({"source": "payment_history", "pointer": "/enforcements/0"});
    let opened = dispute(&bank, &decision, fact, 201).await;
    answer(&store, &opened, DisputeVerdict::Rejected).await;
    decision = bank.decide(FIRM).await;
    assert_eq!(decision["evidence"][2]["left_out"], json!(["enforcements/1"]));
    // And one about this one does, seen at another place than the one that was upheld.
    let fact = json!({"source": "payment_history", "pointer": "/enforcements/1"});
    let opened = dispute(&bank, &decision, fact, 201).await;
    answer(&store, &opened, DisputeVerdict::Rejected).await;
    departments[2].behave(courts(&[wrong]));
    let last = bank.decide(FIRM).await;
    assert_eq!((&last["outcome"], &last["evidence"][2]["left_out"]), (&json!("decline"), &json!([])));
    assert!(store.verify_audit().await.unwrap().intact());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rejected_dispute_changes_nothing() {
    let (service, _departments) = service().await;
    let bank = service.bank("First Bank");
    let store = office(&service).await;
    let decision = bank.decide(FIRM).await;
    let fact = json!({"source": "payment_history", "pointer": "/enforcements/0"});
    let opened = dispute(&bank, &decision, fact, 201).await;
    answer(&store, &opened, DisputeVerdict::Rejected).await;
    let later = bank.decide(FIRM).await;
    assert_eq!((&later["outcome"], &later["score"]), (&decision["outcome"], &decision["score"]));
    assert_eq!((&later["disputes"], &later["evidence"][2]["left_out"]), (&json!([]), &json!([])));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_a_feature_a_row_of_a_month_and_a_whole_source_can_be_left_out_and_the_decision_is_verified() {
    let (service, _departments) = service().await;
    let bank = service.bank("First Bank");
    let store = office(&service).await;
    let mut decision = bank.decide(FIRM).await;
    let lost = |decision: &Value| {
        let reasons = decision["reasons"].as_array().unwrap().clone();
        reasons.into_iter().find(|reason| reason["points_lost"].as_f64().unwrap() > 0.0).unwrap()
    };
    let reason = lost(&decision);
    let feature = reason["code"].as_str().unwrap().to_ascii_lowercase();
    let at = ["tax", "social_insurance", "payment_history"].iter().position(|s| reason["source"] == *s).unwrap();
    for (fact, of, place) in [
        (json!({"source": reason["source"], "feature": reason["code"]}), at, feature.as_str()),
        (json!({"source": "payment_history", "pointer": "/enforcements"}), 2, "enforcements"),
        (json!({"source": "tax", "pointer": "/filings/0"}), 0, "filings"),
        (json!({"source": "social_insurance"}), 1, "record"),
    ] {
        let opened = dispute(&bank, &decision, fact, 201).await;
        answer(&store, &opened, DisputeVerdict::Upheld).await;
        decision = bank.decide(FIRM).await;
        let left_out = decision["evidence"][of]["left_out"].as_array().unwrap();
        assert!(left_out.contains(&json!(place)), "{place}: {decision}");
        let interval = &decision["score_interval"];
        assert!(
            interval["low"].as_i64().unwrap() < interval["high"].as_i64().unwrap(),
            "missing, not zero: {decision}"
        );
        verified(&service, &bank, &decision).await;
    }
    assert_eq!(decision["disputes"].as_array().unwrap().len(), 4);
    // The ledger and the answer tell what the department has answered, used or not.
    assert_eq!(decision["evidence"][1]["status"], "fresh");
    let social =
        decision["refer_reasons"].as_array().unwrap().iter().find(|r| r["code"] == "EVIDENCE_MISSING").unwrap();
    assert!(social["text"].as_str().unwrap().contains("a dispute was upheld"), "{social}");
    assert!(codes(&decision).contains(&"KNOCK_OUT_UNCHECKED") || codes(&decision).contains(&"EVIDENCE_MISSING"));
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_enforcements_only_the_disputed_one_is_left_out_of_the_score_without_it() {
    let (service, departments) = service().await;
    departments[2].behave(courts(&[enforcement(400, true), enforcement(100, false)]));
    let bank = service.bank("First Bank");
    let decision = bank.decide(FIRM).await;
    assert_eq!(decision["outcome"], "decline");
    let row = |row: usize| json!({"source": "payment_history", "pointer": format!("/enforcements/{row}")});
    let closed = dispute(&bank, &decision, row(0), 201).await;
    assert_eq!(closed["without_fact"]["outcome"], "decline", "the other one is open: {closed}");
    let open = dispute(&bank, &decision, row(1), 201).await;
    assert_ne!(open["without_fact"]["outcome"], "decline", "{open}");
    assert_eq!(open["without_fact"]["score_interval"], decision["score_interval"], "nothing is missing: {open}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_fact_is_disputed_once_and_no_more_are_open_on_a_part_than_the_settings_say() {
    let (service, departments) = service().await;
    let service = service.restart_with(&[("YUXIN_DISPUTES__OPEN_MAX", "3")]);
    let rows: Vec<Value> = (1..=6).map(|i| enforcement(100 * i, false)).collect();
    departments[2].behave(courts(&rows));
    let (bank, other) = (service.bank("First Bank"), service.bank("Second Bank"));
    let fact = |row: usize| json!({"source": "payment_history", "pointer": format!("/enforcements/{row}")});
    let decision = bank.decide(FIRM).await;
    let first = dispute(&bank, &decision, fact(0), 201).await;
    // Through another decision, in whose record the row stands elsewhere.
    let mut turned = rows.clone();
    turned.reverse();
    departments[2].behave(courts(&turned));
    let later = bank.decide(FIRM).await;
    let refused = dispute(&bank, &later, fact(5), 409).await;
    assert_eq!(refused["code"], "DISPUTE_OPEN");
    assert!(refused["detail"].as_str().unwrap().contains(first["id"].as_str().unwrap()), "{refused}");
    // Another bank is not told of it, and has a bound of its own.
    let theirs = other.decide(FIRM).await;
    dispute(&other, &theirs, fact(5), 201).await;
    for row in [0, 1] {
        dispute(&bank, &later, fact(row), 201).await;
    }
    assert_eq!(dispute(&bank, &later, fact(2), 409).await["code"], "DISPUTE_LIMIT");
    for row in [1, 2] {
        dispute(&other, &theirs, fact(row), 201).await;
    }
    assert_eq!(dispute(&other, &theirs, fact(3), 409).await["code"], "DISPUTE_LIMIT");
    dispute(&bank, &later, json!({"source": "tax", "pointer": "/arrears"}), 201).await;
    assert_eq!(bank.decide(FIRM).await["disputes"].as_array().unwrap().len(), 7, "all that are open are told");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_open_and_an_upheld_dispute_are_found_however_many_came_after_them() {
    let place = Place::on(crate::support::store::Engine::Sqlite).await.unwrap();
    let store = place.open().await;
    let own = bank(&store, "Bank A").await;
    let entry = decision(own, firm(1));
    let id = entry.record.decision.id;
    store.commit_decision(entry).await.unwrap();
    let user = store.create_user("officer", Role::Officer, &SecretString::from("a long test password"), now()).await;
    let user = user.unwrap();
    let mut disputes = Vec::new();
    for number in 0..207 {
        let fact = DisputedFact { value_sha256: Some(number.to_string()), ..about(own, id).fact };
        let fact =
            DisputedFact { pointer: Some(format!("/filings/{number}")), part: Some("filings".to_owned()), ..fact };
        let opened = Dispute { id: DisputeId(Uuid::now_v7()), fact, ..about(own, id) };
        store.open_dispute_once(&opened, None, 5).await.unwrap();
        let verdict = if number == 1 { DisputeVerdict::Upheld } else { DisputeVerdict::Rejected };
        if number > 0 {
            let (answer, user_name) = ("经核实".to_owned(), user.name.clone());
            let resolution = Resolution { verdict, answer, user: user.id, user_name, at: days_later(1) };
            store.resolve_dispute(opened.id, &resolution).await.unwrap();
        }
        disputes.push(opened.id);
    }
    let found: Vec<DisputeId> =
        store.disputes_about(&firm(1)).await.unwrap().iter().map(|dispute| dispute.id).collect();
    assert_eq!(found[..2], disputes[..2]);
    assert_eq!(found[2], disputes[206]);
    assert!(found.contains(&disputes[2]), "it may take back the one that was upheld");
    store.close().await;
}

/// Every leaf of a JSON value, by its pointer.
fn leaves(value: &Value, pointer: String, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            fields.iter().for_each(|(name, value)| leaves(value, format!("{pointer}/{name}"), found));
        }
        Value::Array(rows) if !rows.is_empty() => {
            rows.iter().enumerate().for_each(|(row, value)| leaves(value, format!("{pointer}/{row}"), found));
        }
        _ => found.push(pointer),
    }
}

/// Another value of the same kind: a date stays a date, an instant an instant, hexadecimal stays that.
fn flipped(value: &Value) -> Value {
    match value {
        Value::Null => json!(1),
        Value::Bool(is) => json!(!is),
        Value::Number(number) => {
            number.as_i64().map_or_else(|| json!(number.as_f64().unwrap() + 1.0), |n| json!(n + 1))
        }
        Value::String(text) => {
            if let Ok(at) = text.parse::<Timestamp>() {
                return json!(at + jiff::SignedDuration::from_secs(1));
            }
            if let Ok(day) = text.parse::<jiff::civil::Date>() {
                return json!(day.saturating_add(1.day()));
            }
            let last = text.chars().last().unwrap_or('a');
            let other = if last == '1' { '2' } else { '1' };
            let mut text = text.clone();
            text.pop();
            json!(format!("{text}{other}"))
        }
        Value::Array(_) => json!(["x"]),
        Value::Object(_) => json!({"x": 1}),
    }
}

/// The leaves whose change is not noticed.
fn unnoticed(whole: &Value, verify: impl Fn(&[u8]) -> bool) -> Vec<String> {
    assert!(verify(whole.to_string().as_bytes()), "the file itself holds");
    let mut found = Vec::new();
    leaves(whole, String::new(), &mut found);
    assert!(found.len() > 50);
    let changed = |pointer: &str| {
        let mut changed = whole.clone();
        let place = changed.pointer_mut(pointer).unwrap();
        *place = flipped(place);
        changed.to_string()
    };
    found.retain(|pointer| verify(changed(pointer).as_bytes()));
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn any_value_that_is_changed_in_an_export_is_noticed_and_a_banks_copy_says_what_is_not_checked() {
    let (service, departments) = service().await;
    let bank = service.bank("First Bank");
    let store = office(&service).await;
    departments[2].behave(courts(&[enforcement(400, true), enforcement(100, false)]));
    let decision = bank.decide(FIRM).await;
    let fact = |pointer: &str| json!({"source": "payment_history", "pointer": pointer});
    let upheld = dispute(&bank, &decision, fact("/enforcements/0"), 201).await;
    answer(&store, &upheld, DisputeVerdict::Upheld).await;
    dispute(&bank, &decision, fact("/enforcements/1"), 201).await;
    let decision = bank.decide(FIRM).await;
    assert_eq!(decision["disputes"].as_array().unwrap().len(), 2);

    let (model, policy) = (Model::load(MODEL.as_ref()).unwrap(), Policy::from_toml(DEFAULT_POLICY).unwrap());
    let verify = |bytes: &[u8], policy: Option<&Policy>| {
        RecordFile::from_json(bytes).is_ok_and(|file| file.verify(model.clone(), policy.cloned()).is_ok())
    };
    let whole: Value = serde_json::from_slice(&std::fs::read(export(&service, &decision)).unwrap()).unwrap();
    for policy in [Some(&policy), None] {
        assert_eq!(unnoticed(&whole, |bytes| verify(bytes, policy)), [] as [&str; 0]);
    }
    // Without the row of the chain what a bank asked follows from nothing in the file; the firm's code does.
    let mut bare = whole.clone();
    bare.as_object_mut().unwrap().remove("chain");
    let missed = unnoticed(&bare, |bytes| verify(bytes, Some(&policy)));
    assert!(missed.contains(&"/decision/request/term_months".to_owned()), "{missed:?}");
    assert!(missed.iter().all(|pointer| !pointer.contains("uscc")), "{missed:?}");

    let path = format!("/v1/decisions/{}/record", decision["id"].as_str().unwrap());
    let copy: Value = bank.get(&path).send().await.unwrap().json().await.unwrap();
    assert_eq!(copy["not_checked"].as_array().unwrap().len(), NOT_CHECKED.len());
    let listed = |pointer: &str| {
        let numberless: Vec<&str> = pointer
            .split('/')
            .map(|step| if step.bytes().all(|b| b.is_ascii_digit()) && !step.is_empty() { "*" } else { step })
            .collect();
        let numberless = numberless.join("/");
        let feature = pointer.strip_prefix("/features/");
        NOT_CHECKED.iter().any(|place| numberless == *place || numberless.starts_with(&format!("{place}/")))
            || feature.is_some_and(|name| !model.columns().iter().any(|column| column == name))
            || (pointer.starts_with("/decision/reasons/0/") && copy["decision"]["reasons"][0]["points_lost"] == 0.0)
    };
    let missed = unnoticed(&copy, |bytes| verify(bytes, None));
    let unlisted: Vec<&String> = missed.iter().filter(|pointer| !listed(pointer)).collect();
    assert!(unlisted.is_empty(), "{unlisted:?}");
    assert!(missed.iter().any(|pointer| pointer == "/decision/limit" || pointer == "/decision/outcome"), "{missed:?}");
    store.close().await;
}
