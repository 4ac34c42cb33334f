//! A disputed fact is marked wherever it is used, is answered in writing, and nobody who relied on it is left untold.

use jiff::{SignedDuration, Timestamp, ToSpan};
use rstest::rstest;
use secrecy::SecretString;
use serde_json::{Value, json};
use uuid::Uuid;
use yuxin::domain::{
    BankId, DecisionId, Dispute, DisputeId, DisputeVerdict, DisputedFact, NoticeKind, Outcome, Resolution, Role,
    SourceKind, Standing, china_date,
};
use yuxin::observe::Metrics;
use yuxin::store::{DisputeCounts, Store, StoreError};

use crate::support::department::{Behaviour, Department, sample};
use crate::support::service::{Bank, Service};
use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, bank, days_later, decision, firm, now};

pub(crate) const FIRM: &str = "91330604MA2XY0014W";

/// The sample of a department as of yesterday, with some of its parts replaced.
pub(crate) fn reply(source: SourceKind, parts: Value) -> String {
    let mut reply: Value = serde_json::from_str(sample(source)).unwrap();
    let fields = reply.as_object_mut().unwrap();
    fields.insert("as_of".to_owned(), json!(china_date(Timestamp::now()).yesterday().unwrap()));
    fields.extend(parts.as_object().unwrap().clone());
    reply.to_string()
}

/// A service whose three departments know the firm, against which there is an open enforcement.
pub(crate) async fn service() -> (Service, [Department; 3]) {
    let opened = china_date(Timestamp::now()).saturating_sub(200.days());
    let courts = json!({"enforcements": [{"opened_on": opened, "closed_on": null, "amount_fen": 8_000_000}]});
    let tax = Department::start(Behaviour::json(reply(SourceKind::Tax, json!({})))).await;
    let social = Department::start(Behaviour::json(reply(SourceKind::SocialInsurance, json!({})))).await;
    let payments = Department::start(Behaviour::json(reply(SourceKind::PaymentHistory, courts))).await;
    let (social_url, payments_url) = (social.base_url(), payments.base_url());
    let urls = [
        ("YUXIN_SOURCES__SOCIAL_INSURANCE__BASE_URL", social_url.as_str()),
        ("YUXIN_SOURCES__PAYMENT_HISTORY__BASE_URL", payments_url.as_str()),
    ];
    (Service::start_with(&tax.base_url(), &urls), [tax, social, payments])
}

pub(crate) async fn body(response: reqwest::Response, status: u16) -> Value {
    let got = response.status();
    let body: Value = response.json().await.unwrap();
    assert_eq!(got, status, "{body}");
    body
}

pub(crate) async fn dispute(bank: &Bank, decision: &Value, fact: Value, status: u16) -> Value {
    let ask = json!({"decision_id": decision["id"], "fact": fact, "statement": "该笔执行已经履行完毕"});
    body(bank.post("/v1/disputes").json(&ask).send().await.unwrap(), status).await
}

pub(crate) async fn shown(bank: &Bank, decision: &Value) -> Value {
    body(bank.get(&format!("/v1/decisions/{}", decision["id"].as_str().unwrap())).send().await.unwrap(), 200).await
}

/// The sources whose evidence is marked as disputed.
fn disputed_sources(decision: &Value) -> Vec<&str> {
    let lines = decision["evidence"].as_array().unwrap().iter();
    lines.filter(|line| line["disputed"] == true).map(|line| line["source"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disputed_fact_is_marked_in_every_answer_on_the_firm_until_the_office_has_answered() {
    let (service, _departments) = service().await;
    let (first, second) = (service.bank("First Bank"), service.bank("Second Bank"));
    let decision = first.decide(FIRM).await;
    assert_eq!(decision["outcome"], "decline");
    assert_eq!(decision["reasons"][0]["code"], "ENFORCEMENT_OPEN");
    assert_eq!((&decision["disputes"], &decision["reasons"][0]["disputed"]), (&json!([]), &json!(false)));

    let courts = json!({"source": "payment_history", "pointer": "/enforcements/0"});
    let nowhere = json!({"source": "payment_history", "pointer": "/enforcements/99"});
    dispute(&first, &decision, nowhere, 422).await;
    let opened = dispute(&first, &decision, courts.clone(), 201).await;
    assert_eq!(opened["with_fact"]["outcome"], "decline");
    assert_eq!(opened["with_fact"]["score"], decision["score"]);
    assert_ne!(opened["without_fact"]["outcome"], "decline", "what is missing is no knock-out");
    let due: jiff::civil::Date = opened["due_on"].as_str().unwrap().parse().unwrap();
    assert_eq!(due, china_date(Timestamp::now() + SignedDuration::from_hours(20 * 24)));
    assert_eq!(dispute(&first, &decision, courts, 409).await["code"], "DISPUTE_OPEN");

    let marked = shown(&first, &decision).await;
    assert_eq!((&marked["outcome"], &marked["score"]), (&decision["outcome"], &decision["score"]), "it still counts");
    assert_eq!(marked["reasons"][0]["disputed"], true);
    assert!(marked["reasons"].as_array().unwrap()[1..].iter().all(|reason| reason["disputed"] == false));
    assert_eq!(disputed_sources(&marked), ["payment_history"]);
    assert_eq!(marked["disputes"][0]["id"], opened["id"]);
    assert_eq!(marked["disputes"][0]["without"], opened["without_fact"]);
    assert_eq!(marked["disputes"][0]["state"], "open");

    // Another bank's decision on the firm, made while it is open: marked, without a word on whose dispute it is.
    let later = second.decide(FIRM).await;
    assert_eq!((&later["reasons"][0]["disputed"], disputed_sources(&later)), (&json!(true), vec!["payment_history"]));
    assert_eq!((&later["disputes"][0]["id"], &later["disputes"][0]["state"]), (&Value::Null, &json!("open")));
    assert_eq!(later["disputes"][0]["without"]["outcome"], opened["without_fact"]["outcome"]);
    assert!(!later.to_string().contains("履行完毕"));

    let store =
        Store::open(&format!("sqlite://{}", service.database().display()), Metrics::new().unwrap()).await.unwrap();
    let officer = store.create_user("officer", Role::Officer, &SecretString::from("a long test password"), now()).await;
    let resolution = Resolution {
        verdict: DisputeVerdict::Corrected,
        answer: "法院已确认履行完毕，并更新数据。".to_owned(),
        user: officer.unwrap().id,
        user_name: "officer".to_owned(),
        at: Timestamp::now(),
    };
    let id: DisputeId = opened["id"].as_str().unwrap().parse().unwrap();
    store.resolve_dispute(id, &resolution).await.unwrap();
    let answered = body(first.get(&format!("/v1/disputes/{id}")).send().await.unwrap(), 200).await;
    assert_eq!((&answered["status"], &answered["resolution"]["verdict"]), (&json!("resolved"), &json!("corrected")));
    let marked = shown(&first, &decision).await;
    assert_eq!(
        (&marked["reasons"][0]["disputed"], &marked["disputes"][0]["state"]),
        (&json!(false), &json!("corrected"))
    );
    assert_eq!(shown(&second, &later).await["disputes"], json!([]));
    for (bank, decision, own) in [(&first, &decision, true), (&second, &later, false)] {
        let key = store.bank_of_key(&bank.key).await.unwrap().unwrap();
        let notices = store.notices_to(key.bank, 0, 10, Timestamp::now()).await.unwrap();
        assert_eq!(notices.len(), 1, "each bank that relied on it is told once");
        assert_eq!(notices[0].kind, NoticeKind::DisputeResolved);
        assert_eq!(notices[0].about.decision_ids[0].to_string(), decision["id"].as_str().unwrap());
        assert_eq!(notices[0].about.dispute_id.is_some(), own);
    }
    assert!(store.verify_audit().await.unwrap().intact());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_feature_is_disputed_by_the_code_of_its_reason_and_the_score_without_it_is_an_interval() {
    let (service, _departments) = service().await;
    let bank = service.bank("First Bank");
    let decision = bank.decide(FIRM).await;
    let reasons = decision["reasons"].as_array().unwrap();
    let reason = reasons.iter().find(|reason| reason["points_lost"].as_f64().unwrap() > 0.0).unwrap();
    let fact = json!({"source": reason["source"], "feature": reason["code"]});
    let opened = dispute(&bank, &decision, fact, 201).await;
    let (score, without) = (opened["with_fact"]["score"].as_i64().unwrap(), &opened["without_fact"]);
    let (low, high) = (&without["score_interval"]["low"], &without["score_interval"]["high"]);
    assert!(low.as_i64().unwrap() <= score && score < high.as_i64().unwrap(), "points were lost on it: {opened}");
    let marked = shown(&bank, &decision).await;
    for shown in marked["reasons"].as_array().unwrap() {
        assert_eq!(shown["disputed"], shown["code"] == reason["code"], "{shown}");
    }
    let whole = dispute(&bank, &decision, Value::Null, 201).await;
    assert_eq!((&whole["fact"], &whole["without_fact"]), (&Value::Null, &Value::Null));
    let listed = body(bank.get("/v1/disputes").send().await.unwrap(), 200).await;
    let ids: Vec<&Value> = listed["disputes"].as_array().unwrap().iter().map(|dispute| &dispute["id"]).collect();
    assert_eq!(ids, [&whole["id"], &opened["id"]], "newest first");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_that_names_no_fact_no_decision_or_another_banks_is_refused_and_nothing_is_written() {
    let (service, _departments) = service().await;
    let (first, second) = (service.bank("First Bank"), service.bank("Second Bank"));
    let decision = first.decide(FIRM).await;
    for (fact, pointer) in [
        (json!({"source": "police"}), "/fact/source"),
        (json!({"source": "tax", "feature": "PAY_WAGE_ARREARS"}), "/fact/feature"),
        (json!({"source": "tax", "feature": "NOTHING"}), "/fact/feature"),
        (json!({"source": "tax", "pointer": "/enforcements/0"}), "/fact/pointer"),
        (json!({"source": "tax", "pointer": "arrears"}), "/fact/pointer"),
        (json!({"source": "tax", "pointer": "/arrears", "feature": "TAX_LATE_FILINGS"}), "/fact"),
    ] {
        let problem = dispute(&first, &decision, fact, 422).await;
        assert_eq!(problem["errors"][0]["pointer"], pointer);
    }
    for statement in ["", "  无 ", &"字".repeat(2001), "tab\u{7}bell"] {
        let ask = json!({"decision_id": decision["id"], "statement": statement});
        let problem = body(first.post("/v1/disputes").json(&ask).send().await.unwrap(), 422).await;
        assert_eq!(problem["errors"][0]["pointer"], "/statement");
    }
    let tax = json!({"source": "tax"});
    assert_eq!(dispute(&second, &decision, tax.clone(), 404).await["code"], "NOT_FOUND");
    assert_eq!(dispute(&first, &json!({"id": Uuid::now_v7()}), tax.clone(), 404).await["code"], "NOT_FOUND");
    assert_eq!(body(first.get("/v1/disputes").send().await.unwrap(), 200).await["disputes"], json!([]));

    let own = dispute(&first, &decision, tax, 201).await;
    body(second.get(&format!("/v1/disputes/{}", own["id"].as_str().unwrap())).send().await.unwrap(), 404).await;
    let listed = body(second.get("/v1/disputes").send().await.unwrap(), 200).await;
    assert_eq!(listed["disputes"], json!([]));
    let metrics = reqwest::get(format!("{}/metrics", service.management)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("yuxin_disputes_overdue 0"), "{metrics}");
}

pub(crate) fn about(bank: BankId, decision: DecisionId) -> Dispute {
    let standing = Standing { score: 588, score_interval: None, grade: "B".to_owned(), outcome: Outcome::Refer };
    let text = |text: &str| Some(text.to_owned());
    Dispute {
        id: DisputeId(Uuid::now_v7()),
        decision,
        bank,
        uscc: firm(1),
        fact: DisputedFact {
            source: Some(SourceKind::Tax),
            feature: None,
            part: text("arrears"),
            pointer: text("/arrears"),
            value_sha256: None,
        },
        statement: "已于上月缴清".to_owned(),
        taken_by: None,
        with: standing.clone(),
        without: Some(standing),
        opened_at: now(),
        due_at: Dispute::due_at(now()),
        resolution: None,
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_comes_back_as_it_was_is_answered_once_and_every_change_past_the_store_is_seen(
    #[values(Sqlite, Postgresql)] engine: Engine,
) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let (own, other) = (bank(&store, "Bank A").await, bank(&store, "Bank B").await);
    let entry = decision(own, firm(1));
    let id = entry.record.decision.id;
    store.commit_decision(entry).await.unwrap();
    let theirs = decision(other, firm(1));
    let relied = theirs.record.decision.id;
    store.commit_decision(theirs).await.unwrap();
    store.commit_decision(decision(other, firm(2))).await.unwrap();

    let opened = about(own, id);
    store.open_dispute_once(&opened, None, 5).await.unwrap();
    assert_eq!(store.dispute(opened.id).await.unwrap(), Some(opened.clone()));
    let again = Dispute { id: DisputeId(Uuid::now_v7()), ..opened.clone() };
    assert!(
        matches!(store.open_dispute_once(&again, None, 5).await, Err(StoreError::DisputeOpen(earlier)) if earlier == opened.id)
    );
    let elsewhere = DisputedFact::part(Some(SourceKind::Tax), Some("status"));
    let nowhere = Dispute { fact: elsewhere, ..about(own, DecisionId(Uuid::now_v7())) };
    assert!(matches!(store.open_dispute_once(&nowhere, None, 5).await, Err(StoreError::Conflict(_))));
    assert_eq!(store.count_disputes(days_later(20)).await.unwrap(), DisputeCounts { open: 1, overdue: 0 });
    assert_eq!(store.count_disputes(days_later(21)).await.unwrap(), DisputeCounts { open: 1, overdue: 1 });
    assert_eq!(store.disputes_for_office(true).await.unwrap(), vec![opened.clone()]);

    let password = SecretString::from("a long test password");
    let user = store.create_user("supervisor", Role::Supervisor, &password, now()).await.unwrap();
    let resolution = Resolution {
        verdict: DisputeVerdict::Rejected,
        answer: "税务部门确认欠税未缴".to_owned(),
        user: user.id,
        user_name: user.name,
        at: days_later(3),
    };
    let answered = store.resolve_dispute(opened.id, &resolution).await.unwrap();
    assert_eq!(answered, Dispute { resolution: Some(resolution.clone()), ..opened.clone() });
    assert_eq!(store.dispute(opened.id).await.unwrap(), Some(answered));
    assert!(matches!(store.resolve_dispute(opened.id, &resolution).await, Err(StoreError::DisputeResolved)));
    let unknown = DisputeId(Uuid::now_v7());
    assert!(matches!(store.resolve_dispute(unknown, &resolution).await, Err(StoreError::NoSuchDispute)));
    assert_eq!(store.count_disputes(days_later(21)).await.unwrap(), DisputeCounts::default());
    let told = store.notices_to(other, 0, 10, days_later(4)).await.unwrap();
    assert_eq!(
        (told.len(), &told[0].about.decision_ids),
        (1, &vec![relied]),
        "its own decision on this firm, no other"
    );

    assert!(store.verify_audit().await.unwrap().intact());
    for tampering in [
        "UPDATE disputes SET statement = 'x'",
        "UPDATE disputes SET answer = 'x'",
        "UPDATE disputes SET resolved_at = NULL",
        "UPDATE notices SET about = '{}'",
        "DELETE FROM disputes",
    ] {
        let place = Place::on(engine).await.unwrap();
        let store = place.open().await;
        let own = bank(&store, "Bank A").await;
        let entry = decision(own, firm(1));
        let opened = about(own, entry.record.decision.id);
        store.commit_decision(entry).await.unwrap();
        store.open_dispute_once(&opened, None, 5).await.unwrap();
        let user = store.create_user("supervisor", Role::Supervisor, &password, now()).await.unwrap();
        store.resolve_dispute(opened.id, &Resolution { user: user.id, ..resolution.clone() }).await.unwrap();
        assert_eq!(place.tamper(tampering).await, 1);
        assert!(!store.verify_audit().await.unwrap().intact(), "{tampering}");
        store.close().await;
    }
    store.close().await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn no_bank_keeps_a_firm_from_disputing_by_way_of_another(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    // Each row of a part is a fact of its own.
    let open = async |owner: BankId, decision: DecisionId, row: u32| {
        let mut one = about(owner, decision);
        one.fact.pointer = Some(format!("/arrears/{row}"));
        store.open_dispute_once(&one, None, 2).await
    };
    let decided = async |name: String| {
        let owner = bank(&store, &name).await;
        let entry = decision(owner, firm(1));
        let id = entry.record.decision.id;
        store.commit_decision(entry).await.unwrap();
        (owner, id)
    };
    for n in 0..10 {
        let (owner, id) = decided(format!("Bank {n}")).await;
        for row in 0..2 {
            assert!(open(owner, id, row).await.is_ok(), "{n}: what other banks sent counts against this one");
        }
        assert!(matches!(open(owner, id, 2).await, Err(StoreError::TooManyDisputes(2))), "{n}");
    }
    // Ten times as many of all banks together; a whole decision is its bank's alone.
    let (owner, id) = decided("Bank 10".to_owned()).await;
    assert!(matches!(open(owner, id, 0).await, Err(StoreError::TooManyDisputes(20))));
    let whole = Dispute { fact: DisputedFact::part(None, None), ..about(owner, id) };
    assert!(store.open_dispute_once(&whole, None, 2).await.is_ok());
    let told = store.disputes_about(&firm(1)).await.unwrap();
    assert_eq!(told.len(), 21, "all that are open are told");
    store.close().await;
}

/// The value of the first hidden field `csrf` in a page.
fn token(page: &str) -> String {
    let rest = page.split_once("name=\"csrf\" value=\"").map(|(_, rest)| rest).unwrap_or_default();
    rest.split('"').next().unwrap_or_default().to_owned()
}

/// Somebody at the console of a service.
struct Visitor<'s> {
    service: &'s Service,
    client: reqwest::Client,
    cookies: std::collections::BTreeMap<String, String>,
    csrf: String,
}

impl<'s> Visitor<'s> {
    async fn logged_in(service: &'s Service, name: &str) -> Visitor<'s> {
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let mut visitor = Visitor { service, client, cookies: Default::default(), csrf: String::new() };
        visitor.get("/console/login", 200).await;
        visitor.post("/console/login", &[("name", name), ("password", "a long test password")], 303).await;
        visitor
    }

    async fn send(&mut self, request: reqwest::RequestBuilder, status: u16) -> (String, String) {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        for cookie in answer.headers().get_all("set-cookie") {
            let (name, rest) = cookie.to_str().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
        }
        let location = answer.headers().get("location").map(|to| to.to_str().unwrap().to_owned()).unwrap_or_default();
        let got = answer.status();
        let page = answer.text().await.unwrap();
        assert_eq!(got, status, "{page}");
        if page.contains("name=\"csrf\"") {
            self.csrf = token(&page);
        }
        (page, location)
    }

    async fn get(&mut self, path: &str, status: u16) -> String {
        let request = self.client.get(format!("{}{path}", self.service.url));
        self.send(request, status).await.0
    }

    /// Posts a form with the token of the last page in it.
    async fn post(&mut self, path: &str, fields: &[(&str, &str)], status: u16) -> (String, String) {
        let encode = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
        let csrf = self.csrf.clone();
        let fields = fields.iter().copied().chain([("csrf", csrf.as_str())]);
        let body: Vec<String> = fields.map(|(name, value)| format!("{name}={}", encode(value))).collect();
        let request = self.client.post(format!("{}{path}", self.service.url));
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"));
        self.send(request, status).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_office_takes_a_dispute_in_and_answers_it_in_writing_and_observers_do_not_see_it() {
    let (service, _departments) = service().await;
    let bank = service.bank("First Bank");
    let decision = bank.decide(FIRM).await;
    let url = format!("sqlite://{}", service.database().display());
    let store = Store::open(&url, Metrics::new().unwrap()).await.unwrap();
    for role in [Role::Officer, Role::Observer] {
        store.create_user(role.as_str(), role, &SecretString::from("a long test password"), now()).await.unwrap();
    }
    let mut officer = Visitor::logged_in(&service, "officer").await;
    let id = decision["id"].as_str().unwrap();
    officer.get("/console/disputes", 200).await;
    let missing = [("about", "no id"), ("fact", "NOTHING"), ("statement", "无")];
    let (page, _) = officer.post("/console/disputes", &missing, 422).await;
    for field in ["#about", "#fact", "#statement"] {
        assert!(page.contains(&format!("href=\"{field}\"")), "{field}");
    }
    let right = [("about", id), ("fact", "ENFORCEMENT_OPEN"), ("statement", "<b>已履行完毕</b>")];
    let (_, dispute) = officer.post("/console/disputes", &right, 303).await;
    officer.post("/console/disputes", &right, 409).await;
    let ledger = String::from_utf8(service.command(&["ledger", FIRM]).stdout).unwrap();
    assert!(ledger.lines().any(|line| line.contains("officer,true") && line.contains("dispute_intake")), "{ledger}");
    let page = officer.get(&dispute, 200).await;
    assert!(page.contains("履约") && page.contains("剩 20 天") && !page.contains("<b>"), "{page}");
    assert!(page.contains("id=\"with\"") && page.contains("id=\"without\""));
    assert_eq!(shown(&bank, &decision).await["reasons"][0]["disputed"], true);

    let mut observer = Visitor::logged_in(&service, "observer").await;
    observer.get("/console/disputes", 403).await;
    observer.get(&dispute, 403).await;

    officer.get(&dispute, 200).await;
    officer.post(&dispute, &[("answer", "法院确认已经履行完毕")], 422).await;
    let answer = [("verdict", "upheld"), ("answer", "法院确认已经履行完毕")];
    officer.post(&dispute, &answer, 303).await;
    let (page, _) = officer.post(&dispute, &answer, 409).await;
    assert!(page.contains("异议成立") && page.contains("没有保存"), "{page}");
    assert!(officer.get("/console/disputes?state=answered", 200).await.contains("异议成立"));
    let listed = body(bank.get("/v1/disputes").send().await.unwrap(), 200).await;
    let told = &listed["disputes"][0];
    assert_eq!((&told["taken_in_by"], &told["resolution"]["verdict"]), (&json!("office"), &json!("upheld")));
    assert_eq!(told["resolution"]["answer"], "法院确认已经履行完毕");
    officer.csrf = "0".to_owned();
    officer.post("/console/disputes", &right, 403).await;
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_that_is_late_shows_on_the_page_and_in_the_metrics() {
    let service = Service::start("http://127.0.0.1:1");
    let first = service.bank("First Bank");
    let url = format!("sqlite://{}", service.database().display());
    let store = Store::open(&url, Metrics::new().unwrap()).await.unwrap();
    let own = store.bank_of_key(&first.key).await.unwrap().unwrap().bank;
    let entry = decision(own, firm(1));
    let opened_at = Timestamp::now() - SignedDuration::from_hours(23 * 24);
    let late = Dispute { opened_at, due_at: Dispute::due_at(opened_at), ..about(own, entry.record.decision.id) };
    store.commit_decision(entry).await.unwrap();
    store.open_dispute_once(&late, None, 5).await.unwrap();
    store.create_user("officer", Role::Officer, &SecretString::from("a long test password"), now()).await.unwrap();
    let metrics = reqwest::get(format!("{}/metrics", service.management)).await.unwrap().text().await.unwrap();
    assert!(metrics.contains("yuxin_disputes_overdue 1"), "{metrics}");
    let page = Visitor::logged_in(&service, "officer").await.get("/console/disputes", 200).await;
    assert!(page.contains("class=\"clock over\"") && page.contains("超期 3 天"), "{page}");
    store.close().await;
}

/// One dispute that was answered and one that waits, on the first decision found.
pub(crate) async fn resolve_and_open_one(store: &Store) {
    let own = bank(store, "Bank A").await;
    let entry = decision(own, firm(90));
    let id = entry.record.decision.id;
    store.commit_decision(entry).await.unwrap();
    let user = store.list_users().await.unwrap().into_iter().find(|info| info.disabled_at.is_none()).unwrap().user;
    let answered = about(own, id);
    store.open_dispute_once(&answered, None, 5).await.unwrap();
    let resolution = Resolution {
        verdict: DisputeVerdict::Rejected,
        answer: "经核实，事实无误".to_owned(),
        user: user.id,
        user_name: user.name,
        at: days_later(2),
    };
    store.resolve_dispute(answered.id, &resolution).await.unwrap();
    store.open_dispute_once(&about(own, id), None, 5).await.unwrap();
}
