//! What departments said is on record, can be recomputed, and does not go back in time.

use rstest::rstest;
use serde_json::{Value, json};
use yuxin::domain::{RejectedReply, SourceKind};
use yuxin::store::RejectedLimits;

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

/// Bytes that do not pack.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    use rand::{RngCore, SeedableRng};
    let mut bytes = vec![0; length];
    rand::rngs::StdRng::seed_from_u64(seed).fill_bytes(&mut bytes);
    bytes
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn rejected_replies_take_no_more_than_the_settings_say_and_the_oldest_leave_first(
    #[values(Sqlite, Postgresql)] engine: Engine,
) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    store.limit_rejected(RejectedLimits { reply_bytes: 1000, firm_bytes: 6000, total_bytes: 14_000 });
    let reply = |number, seed: u64| RejectedReply {
        source: SourceKind::Tax,
        uscc: firm(number),
        at: now() + jiff::SignedDuration::from_secs(i64::try_from(seed).unwrap()),
        pointer: String::new(),
        problem: seed.to_string(),
        digest: "ab".repeat(32),
        body: Some(noise(seed, 5000)),
    };
    // Each takes about 2,600 bytes: two of a firm, five of all.
    for seed in 0..5 {
        store.keep_rejected(reply(1, seed));
    }
    store.keep_rejected(reply(2, 5));
    store.keep_rejected(reply(3, 6));
    store.close().await;
    let store = place.open().await;
    store.limit_rejected(RejectedLimits { reply_bytes: 1000, firm_bytes: 6000, total_bytes: 14_000 });
    let kept = |lines: &[yuxin::store::RejectedLine]| lines.iter().map(|l| l.problem.clone()).collect::<Vec<_>>();
    let lines = store.rejected_replies().await.unwrap();
    assert_eq!(kept(&lines), ["6", "5", "4", "3"], "of one firm the two newest");
    assert_eq!(lines[0].body_bytes, Some(5000));
    assert_eq!(store.rejected_body(lines[0].id).await.unwrap().unwrap(), noise(6, 5000)[..1000]);
    for number in 4..7 {
        store.keep_rejected(reply(number, 6 + u64::from(number)));
    }
    store.close().await;
    let store = place.open().await;
    assert_eq!(kept(&store.rejected_replies().await.unwrap()), ["12", "11", "10", "6", "5"], "of all the five newest");
    assert_eq!(store.purge_rejected(30, days_later(31)).await.unwrap(), 5);
    // The count of what lies there has kept up: there is room for five again.
    store.limit_rejected(RejectedLimits { reply_bytes: 1000, firm_bytes: 6000, total_bytes: 14_000 });
    for number in 1..8 {
        store.keep_rejected(reply(number, 20 + u64::from(number)));
    }
    store.close().await;
    let store = place.open().await;
    assert_eq!(store.rejected_replies().await.unwrap().len(), 5);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_revocation_no_copy_of_a_rejected_reply_lies_in_the_file_or_its_log() {
    use std::io::Write;
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("yuxin.db");
    let url = format!("sqlite://{}", file.display());
    let store = yuxin::store::Store::open(&url, yuxin::observe::Metrics::new().unwrap()).await.unwrap();
    let own = bank(&store, "Bank A").await;
    let given = consent(own);
    store.insert_consent(&given).await.unwrap();
    let body = noise(7, 3000);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(&body).unwrap();
    let packed = hex::encode(encoder.finish().unwrap());
    store.keep_rejected(RejectedReply {
        source: SourceKind::Tax,
        uscc: given.uscc.clone(),
        at: now(),
        pointer: "/a-pointer-to-look-for".into(),
        problem: "is negative".into(),
        digest: "ab".repeat(32),
        body: Some(body),
    });
    let holds = |text: &str| {
        let of = |suffix: &str| std::fs::read(format!("{}{suffix}", file.display())).unwrap_or_default();
        ["", "-wal"].iter().any(|suffix| memchr::memmem::find(&of(suffix), text.as_bytes()).is_some())
    };
    // A large body lies in pieces of a page each; a page is found by some of its bytes.
    let pieces: Vec<&str> = (0..packed.len() / 200).map(|i| &packed[i * 200..i * 200 + 100]).collect();
    let asked = std::time::Instant::now();
    while store.rejected_replies().await.unwrap().is_empty() {
        assert!(asked.elapsed().as_secs() < 20);
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert!(holds("/a-pointer-to-look-for") && pieces.iter().any(|piece| holds(piece)));
    store.revoke_consent(given.id, own, days_later(1)).await.unwrap().unwrap();
    // The log beside the file is emptied behind the answer, once nobody reads from it.
    let revoked = std::time::Instant::now();
    while holds("/a-pointer-to-look-for") || pieces.iter().any(|piece| holds(piece)) {
        assert!(revoked.elapsed().as_secs() < 10, "it is in the file or in the log still");
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_date_that_a_department_stated_by_mistake_is_forgotten_by_a_command_while_the_service_runs() {
    use crate::support::department::{Behaviour, Department, sample};
    let reply = |days: i64| {
        let mut reply: Value = serde_json::from_str(sample(SourceKind::PaymentHistory)).unwrap();
        let today = yuxin::domain::china_date(jiff::Timestamp::now());
        reply["as_of"] = json!(today.saturating_sub(jiff::ToSpan::days(days)));
        reply.to_string()
    };
    let payments = Department::start(Behaviour::json(reply(0))).await;
    let url = payments.base_url();
    let patient = [
        ("YUXIN_SOURCES__CONNECT_TIMEOUT_MS", "5000"),
        ("YUXIN_SOURCES__PAYMENT_HISTORY__BASE_URL", url.as_str()),
        ("YUXIN_SOURCES__TRY_TIMEOUT_MS", "5000"),
        ("YUXIN_SOURCES__GATHER_TIMEOUT_MS", "10000"),
    ];
    let service = Service::start_with("http://127.0.0.1:1", &patient);
    let bank = service.bank("First Bank");
    let status = async || bank.decide(FIRM).await["evidence"][2]["status"].as_str().unwrap().to_owned();
    assert_eq!(status().await, "fresh");
    payments.behave(Behaviour::json(reply(3)));
    assert_eq!(status().await, "invalid");
    let forget = |source: &str, firm: &str, reason: &str| {
        let command = ["sources", "forget-date", source, firm, "--reason", reason, "--by", "Li Na"];
        let done = service.command(&command);
        (done.status.code(), String::from_utf8_lossy(&[done.stdout, done.stderr].concat()).into_owned())
    };
    let why = "the department's clock was wrong; confirmed by phone";
    for (source, firm, reason, code, told) in [
        ("police", FIRM, why, 2, "must be one of"),
        ("payment_history", "nonsense", why, 2, "invalid value"),
        ("payment_history", FIRM, " ", 2, "2 to 500 characters"),
        ("tax", FIRM, why, 1, "no as-of date of tax is on record"),
    ] {
        let (exit, said) = forget(source, firm, reason);
        assert!(exit == Some(code) && said.contains(told), "{said}");
    }
    assert_eq!(status().await, "invalid", "nothing was forgotten");
    let (exit, said) = forget("payment_history", FIRM, why);
    assert!(exit == Some(0) && said.contains("its next reply may be as of any day") && !said.contains(FIRM), "{said}");
    assert_eq!(status().await, "fresh");

    // A kept copy of the wrong reply must not bring the date back.
    let kept = |days| {
        Behaviour::with_headers(200, &["content-type: application/json", "cache-control: max-age=600"], reply(days))
    };
    payments.behave(kept(0));
    assert_eq!((status().await, status().await), ("fresh".to_owned(), "cached".to_owned()));
    payments.behave(kept(3));
    assert_eq!(forget("payment_history", FIRM, why).0, Some(0));
    assert_eq!(status().await, "fresh", "asked anew");

    assert!(service.command(&["audit", "verify"]).status.success());
    let url = format!("sqlite://{}", service.database().display());
    let tampering = sqlx::SqlitePool::connect(&url).await.unwrap();
    sqlx::query("UPDATE forgotten_dates SET reason = 'x'").execute(&tampering).await.unwrap();
    let found = service.command(&["audit", "verify"]);
    assert!(
        !found.status.success()
            && String::from_utf8_lossy(&[found.stdout, found.stderr].concat()).contains("date_forgotten")
    );
}
