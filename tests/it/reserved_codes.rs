//! The reserved codes of the sandbox do what their list and their document say, through the real service, whatever is served
//! beside them.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp, ToSpan};
use serde_json::{Value, json};
use yuxin::decide::{Engine, RescoreCounts, rescore_due};
use yuxin::domain::china_date;
use yuxin::model::Model;
use yuxin::observe::Metrics;
use yuxin::policy::{DEFAULT_POLICY, Policy};
use yuxin::store::Store;

use crate::support::service::{Bank, Sandbox, Service, client, yuxin};

/// What every answer keeps to.
const ANSWERED_WITHIN: Duration = Duration::from_millis(2_100);
const DOCUMENT: &str = include_str!("../../docs/reserved-codes.md");

async fn get(url: String) -> (u16, Value) {
    let response = client().get(url).send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

async fn listed(departments: &str) -> Vec<Value> {
    let (status, list) = get(format!("{departments}/firms?reserved=1")).await;
    assert_eq!(status, 200, "{list}");
    list.as_array().unwrap().clone()
}

/// Values of one field of a list, sorted, each once.
fn fields(list: &Value, field: &str) -> Vec<String> {
    let mut values: Vec<String> =
        list.as_array().unwrap().iter().map(|item| item[field].as_str().unwrap().to_owned()).collect();
    values.sort();
    values.dedup();
    values
}

fn texts(list: &Value) -> Vec<String> {
    list.as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_owned()).collect()
}

/// Asks about a reserved firm as a bank would, and how long the answer took.
async fn decided(bank: &Bank, firm: &Value) -> (Value, Duration) {
    let code = firm["uscc"].as_str().unwrap();
    let consent = bank.consent(code).await;
    let ask = json!({
        "uscc": code, "consent_id": consent, "purpose": "working_capital", "amount_fen": firm["amount_fen"], "term_months": 12,
    });
    let began = Instant::now();
    let response = bank.post("/v1/decisions").json(&ask).send().await.unwrap();
    let (took, status) = (began.elapsed(), response.status());
    let answer: Value = response.json().await.unwrap();
    assert_eq!(status, 201, "{code}: {answer}");
    (answer, took)
}

fn assert_expected(firm: &Value, answer: &Value) {
    let (told, expected) = (format!("{}: {answer}", firm["what"]["en"]), &firm["expected"]);
    assert_eq!(answer["outcome"], expected["outcome"], "{told}");
    assert_eq!(answer["limit_fen"], expected["limit_fen"], "{told}");
    assert_eq!(answer["score_interval"].is_object(), expected["interval"].as_bool().unwrap(), "{told}");
    let mut refer_reasons = texts(&expected["refer_reasons"]);
    refer_reasons.sort();
    assert_eq!(fields(&answer["refer_reasons"], "code"), refer_reasons, "{told}");
    let reasons = fields(&answer["reasons"], "code");
    for code in texts(&expected["reasons"]) {
        assert!(reasons.contains(&code), "{code}: {told}");
    }
    let statuses: Vec<&Value> = answer["evidence"].as_array().unwrap().iter().map(|line| &line["status"]).collect();
    assert_eq!(statuses, expected["evidence"].as_array().unwrap().iter().collect::<Vec<_>>(), "{told}");
}

async fn all_do_as_listed(arguments: &[&str]) {
    let sandbox = Sandbox::start(arguments);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("Bank");
    let firms = listed(&sandbox.url).await;
    assert!(firms.len() >= 20, "{}", firms.len());
    for firm in &firms {
        let (answer, took) = decided(&bank, firm).await;
        assert_expected(firm, &answer);
        assert!(took < ANSWERED_WITHIN, "{}: {took:?}", firm["what"]["en"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reserved_code_does_what_the_list_says() {
    all_do_as_listed(&[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_do_so_beside_any_district_of_any_date_and_under_a_script_of_faults() {
    let folder = tempfile::TempDir::new().unwrap();
    let script = folder.path().join("faults.toml");
    std::fs::write(&script, "[tax]\nsteps = [{fault = 'slow', ms = 30}]").unwrap();
    let script = script.to_str().unwrap();
    all_do_as_listed(&["--seed", "9", "--firms", "1", "--as-of", "2001-05-20", "--faults", script]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_bank_learns_from_a_reserved_code_is_not_said_of_any_firm_of_the_district() {
    let sandbox = Sandbox::start(&[]);
    let district = sandbox.firms(10_000).await;
    for firm in listed(&sandbox.url).await {
        let code = firm["uscc"].as_str().unwrap();
        assert!(!district.iter().any(|other| other == code), "{code} is a firm of the district");
        assert!(firm["name"].as_str().unwrap().contains("保留"), "{firm}");
    }
    for nonsense in ["reserved=2", "reserved=", "reserved=true", "reserved=1&limit=3"] {
        let (status, body) = get(format!("{}/firms?{nonsense}", sandbox.url)).await;
        assert_eq!(status, 400, "{nonsense}: {body}");
        assert!(body["error"].as_str().unwrap().contains("reserved"), "{nonsense}: {body}");
    }
    assert_eq!(get(format!("{}/firms?reserved=0&limit=2", sandbox.url)).await.1.as_array().unwrap().len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_of_real_firms_has_them_beside_its_own() {
    let folder = crate::sandbox_replay::folder();
    let sandbox = Sandbox::start(&["--replay", folder.path().to_str().unwrap()]);
    assert_eq!(sandbox.firms(100).await.len(), 2);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("Bank");
    for firm in listed(&sandbox.url).await.iter().take(5) {
        assert_expected(firm, &decided(&bank, firm).await.0);
    }
}

/// A row of the document.
fn row(firm: &Value) -> String {
    let expected = &firm["expected"];
    let yuan = |fen: &Value| {
        let digits = (fen.as_i64().unwrap() / 100).to_string();
        let groups: Vec<&str> = digits.as_bytes().rchunks(3).rev().map(|g| std::str::from_utf8(g).unwrap()).collect();
        groups.join(",")
    };
    let outcome = expected["outcome"].as_str().unwrap();
    let outcome = match &expected["limit_fen"] {
        Value::Null => outcome.to_owned(),
        limit => format!("{outcome} {}", yuan(limit)),
    };
    let codes = [texts(&expected["reasons"]), texts(&expected["refer_reasons"])].concat();
    let codes: Vec<String> = codes.iter().map(|code| format!("`{code}`")).collect();
    let interval = if expected["interval"] == true { ", interval" } else { "" };
    format!(
        "| `{}` | {}<br>{} | {} | {outcome}{interval} | {} | {} |",
        firm["uscc"].as_str().unwrap(),
        firm["what"]["en"].as_str().unwrap(),
        firm["what"]["zh"].as_str().unwrap(),
        yuan(&firm["amount_fen"]),
        codes.join(" "),
        texts(&expected["evidence"]).join(", "),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_lists_what_the_sandbox_lists() {
    let sandbox = Sandbox::start(&[]);
    let rows: Vec<String> = listed(&sandbox.url).await.iter().map(row).collect();
    let documented: Vec<&str> = DOCUMENT.lines().filter(|line| line.starts_with("| `9")).collect();
    assert_eq!(documented, rows, "docs/reserved-codes.md should hold these rows:\n{}", rows.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reserved_fact_that_ends_soon_has_left_the_score_on_the_fourth_day() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let firms = listed(&sandbox.url).await;
    let ends_soon = firms.iter().find(|firm| firm["what"]["en"].as_str().unwrap().contains("three more days")).unwrap();
    let (url, today) = (
        format!("{}/payments/v1/firms/{}", sandbox.url, ends_soon["uscc"].as_str().unwrap()),
        china_date(Timestamp::now()),
    );
    let (_, payments) = get(url).await;
    let left = today.saturating_add(3.days()).to_string();
    assert_eq!(payments["enforcements"][0]["display_end"], left.as_str());

    let bank = service.bank("Bank");
    let (answer, _) = decided(&bank, ends_soon).await;
    assert_eq!(answer["outcome"], "decline");
    let id = answer["id"].as_str().unwrap();
    let store =
        Store::open(&format!("sqlite://{}", service.database().display()), Metrics::new().unwrap()).await.unwrap();
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/models/district-scorecard.json");
    let engine = Engine::new(Model::load(model.as_ref()).unwrap(), Policy::from_toml(DEFAULT_POLICY).unwrap()).unwrap();
    let later = |days: i64| Timestamp::now() + SignedDuration::from_hours(24 * days);
    let idle = RescoreCounts::default();
    assert_eq!(rescore_due(&store, &engine, later(3)).await.unwrap(), idle, "the last day on which it may be shown");
    let done = RescoreCounts { rescored: 1, revoked: 0 };
    assert_eq!(rescore_due(&store, &engine, later(4)).await.unwrap(), done);
    let shown: Value = bank.get(&format!("/v1/decisions/{id}")).send().await.unwrap().json().await.unwrap();
    assert_eq!(shown["rescore"]["standing"]["outcome"], "approve", "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_says_where_the_reserved_codes_are_and_decides_on_them() {
    let folder = tempfile::TempDir::new().unwrap();
    let mut command = yuxin();
    command.args(["demo", "--data"]).arg(folder.path()).current_dir(folder.path());
    let mut demo = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let out = BufReader::new(demo.stdout.take().unwrap());
    let said: Vec<String> = out.lines().map_while(Result::ok).take_while(|line| !line.starts_with("Serving")).collect();
    let said = said.join("\n");
    let between = |before: &str, after: char| {
        let at = said.find(before).unwrap_or_else(|| panic!("no {before:?} in:\n{said}"));
        said[at + before.len()..].split(after).next().unwrap().to_owned()
    };
    let departments = between("For your own tests:             ", '?');
    let url = format!("http://{}", between("curl -sS http://", '/'));
    let bank = Bank { client: client(), url, key: between("Bearer ", '\'') };
    let firms = listed(departments.trim_end_matches("/firms")).await;
    for firm in firms.iter().take(5) {
        assert_expected(firm, &decided(&bank, firm).await.0);
    }
    demo.kill().unwrap();
    demo.wait().unwrap();
}
