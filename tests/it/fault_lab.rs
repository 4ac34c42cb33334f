//! Whatever a department does, the answer comes in time and names it: each department with each fault, through the program.

use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::service::{Bank, Sandbox, Service, client};

const DEPARTMENTS: [&str; 3] = ["tax", "social_insurance", "payment_history"];
/// The promise is 2.1 s for the service; the rest is the consent's request and a debug build on a busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_millis(2_600);

/// Each fault, and the statuses that the department may then have in the answer.
const FAULTS: [(&str, &[&str]); 14] = [
    ("fault = 'time_out'", &["unavailable"]),
    ("fault = 'slow', ms = 5000", &["unavailable"]),
    ("fault = 'status', status = 503", &["unavailable"]),
    ("fault = 'reset'", &["unavailable"]),
    ("fault = 'empty'", &["invalid"]),
    ("fault = 'garbage'", &["invalid"]),
    ("fault = 'cut_body'", &["unavailable", "invalid"]),
    ("fault = 'dribble', bytes_per_second = 1", &["unavailable"]),
    ("fault = 'wrong_schema'", &["invalid"]),
    ("fault = 'other_firm'", &["invalid"]),
    ("fault = 'huge', bytes = 3000000000", &["invalid", "unavailable"]),
    ("fault = 'redirect'", &["invalid", "unavailable"]),
    ("fault = 'flapping', period_ms = 3600000", &["unavailable"]),
    ("fault = 'stale', days = 500", &["stale"]),
];

/// A sandbox that plays a script, kept with the folder that the script lies in.
fn sandbox(script: &str) -> (Sandbox, tempfile::TempDir) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("faults.toml");
    std::fs::write(&path, script).unwrap();
    (Sandbox::start(&["--faults", path.to_str().unwrap()]), folder)
}

/// A firm that all departments know.
async fn known(sandbox: &Sandbox) -> String {
    let clean = Sandbox::start(&[]);
    for code in sandbox.firms(50).await {
        let mut all = true;
        for path in ["tax", "social-insurance", "payments"] {
            let url = format!("{}/{path}/v1/firms/{code}", clean.url);
            all &= client().get(url).send().await.unwrap().status() == 200;
        }
        if all {
            return code;
        }
    }
    panic!("no firm among 50 is known everywhere");
}

async fn decided(bank: &Bank, code: &str) -> (Value, Duration) {
    let began = Instant::now();
    (bank.decide(code).await, began.elapsed())
}

fn status<'a>(answer: &'a Value, source: &str) -> &'a str {
    let lines = answer["evidence"].as_array().unwrap();
    lines.iter().find(|line| line["source"] == source).unwrap()["status"].as_str().unwrap()
}

async fn table(department: &str) {
    for (fault, statuses) in FAULTS {
        let (sandbox, _script) = sandbox(&format!("[{department}]\nsteps = [{{{fault}}}]"));
        let service = Service::start(&sandbox.url);
        let code = known(&sandbox).await;
        let (answer, took) = decided(&service.bank("Bank"), &code).await;
        assert!(took < ANSWERED_WITHIN, "{department}, {fault}: {took:?}");
        for source in DEPARTMENTS {
            let expected: &[&str] = if source == department { statuses } else { &["fresh"] };
            assert!(expected.contains(&status(&answer, source)), "{department}, {fault}, {source}: {answer}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tax_department_with_any_fault_is_named_in_time() {
    table("tax").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_social_insurance_department_with_any_fault_is_named_in_time() {
    table("social_insurance").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_payment_history_with_any_fault_is_named_in_time() {
    table("payment_history").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_all_departments_down_the_answer_refers_and_names_each() {
    let all = DEPARTMENTS.map(|name| format!("[{name}]\nsteps = [{{fault = 'time_out'}}]")).join("\n");
    let (sandbox, _script) = sandbox(&all);
    let service = Service::start(&sandbox.url);
    let code = sandbox.firms(1).await.remove(0);
    let (answer, took) = decided(&service.bank("Bank"), &code).await;
    assert!(took < ANSWERED_WITHIN, "{took:?}");
    assert_eq!(answer["outcome"], "refer", "{answer}");
    assert_eq!(DEPARTMENTS.map(|source| status(&answer, source)), ["unavailable"; 3]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failing_department_is_called_at_most_eleven_times_for_ten_firms() {
    let (sandbox, _script) = sandbox("[tax]\nsteps = [{fault = 'status', status = 503}]");
    let service = Service::start(&sandbox.url);
    let bank = service.bank("Bank");
    for code in sandbox.firms(100).await {
        let answer = bank.decide(&code).await;
        assert_eq!(status(&answer, "tax"), "unavailable");
    }
    let calls: Value = client().get(format!("{}/calls", sandbox.url)).send().await.unwrap().json().await.unwrap();
    assert!(calls["tax"].as_u64().unwrap() <= 110, "{calls}");
    assert!(calls["social_insurance"].as_u64().unwrap() >= 100, "{calls}");
}
