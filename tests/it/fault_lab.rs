//! Whatever a department does, the answer comes in time and names it: each department with each fault, through the program; and
//! the script plays what it says.

use std::process::Output;
use std::time::{Duration, Instant};

use futures_util::{StreamExt, stream};
use serde_json::Value;

use crate::support::service::{Bank, Sandbox, Service, client, yuxin};

const DEPARTMENTS: [&str; 3] = ["tax", "social_insurance", "payment_history"];
/// The promise. What is timed is the request for the decision alone.
const ANSWERED_WITHIN: Duration = Duration::from_millis(2_100);

/// Each fault, and the statuses that the department may then have in the answer.
const FAULTS: [(&str, &[&str]); 15] = [
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
    (CONTRADICTORY, &["fresh"]),
];
/// Of the payment history there is nothing that another department says, too.
const CONTRADICTORY: &str = "fault = 'contradictory'";

/// A sandbox that plays a script, kept with the folder that the script lies in.
fn sandbox(script: &str) -> (Sandbox, tempfile::TempDir) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("faults.toml");
    std::fs::write(&path, script).unwrap();
    (Sandbox::start(&["--faults", path.to_str().unwrap()]), folder)
}

/// A firm that all departments know and nothing is said against: the first of the reserved ones, which is approved.
async fn sound(sandbox: &Sandbox) -> String {
    let url = format!("{}/firms?reserved=1", sandbox.url);
    let firms: Value = client().get(url).send().await.unwrap().json().await.unwrap();
    assert_eq!(firms[0]["expected"]["outcome"], "approve");
    firms[0]["uscc"].as_str().unwrap().to_owned()
}

/// A decision, and how long it took: the consent was there before.
async fn decided(bank: &Bank, code: &str) -> (Value, Duration) {
    let consent = bank.consent(code).await;
    let began = Instant::now();
    let response = bank.ask(code, &consent).await;
    let took = began.elapsed();
    assert_eq!(response.status(), 201);
    (response.json().await.unwrap(), took)
}

fn status<'a>(answer: &'a Value, source: &str) -> &'a str {
    let lines = answer["evidence"].as_array().unwrap();
    lines.iter().find(|line| line["source"] == source).unwrap()["status"].as_str().unwrap()
}

async fn table(department: &str) {
    for (fault, statuses) in FAULTS {
        if (department, fault) == ("payment_history", CONTRADICTORY) {
            continue;
        }
        let (sandbox, _script) = sandbox(&format!("[{department}]\nsteps = [{{{fault}}}]"));
        let service = Service::start(&sandbox.url);
        let code = sound(&sandbox).await;
        let (answer, took) = decided(&service.bank("Bank"), &code).await;
        assert!(took < ANSWERED_WITHIN, "{department}, {fault}: {took:?}");
        for source in DEPARTMENTS {
            let expected: &[&str] = if source == department { statuses } else { &["fresh"] };
            assert!(expected.contains(&status(&answer, source)), "{department}, {fault}, {source}: {answer}");
        }
        let told = answer["refer_reasons"].as_array().unwrap().iter().find(|told| told["code"] == "HEADS_CONTRADICT");
        assert_eq!(told.is_some(), fault == CONTRADICTORY, "{department}, {fault}: {answer}");
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
    for (department, fault) in [
        ("tax", "fault = 'status', status = 503"),
        ("tax", "fault = 'flapping', period_ms = 700"),
        ("social_insurance", "fault = 'reset'"),
        ("social_insurance", "fault = 'garbage'"),
        ("payment_history", "fault = 'slow', ms = 5000"),
        ("payment_history", "fault = 'empty', share = 0.5"),
    ] {
        let (sandbox, _script) = sandbox(&format!("[{department}]\nsteps = [{{{fault}}}]"));
        let service = Service::start(&sandbox.url);
        let (bank, firms) = (service.bank("Bank"), sandbox.firms(100).await);
        // Whether each answer says that the department failed.
        let failed: Vec<bool> = stream::iter(&firms)
            .map(|code| async { !["fresh", "absent"].contains(&status(&bank.decide(code).await, department)) })
            .buffer_unordered(8)
            .collect()
            .await;
        let always = !fault.contains("flapping") && !fault.contains("share");
        assert!(
            failed.iter().filter(|failed| **failed).count() >= if always { 100 } else { 10 },
            "{department}, {fault}"
        );
        let calls: Value = client().get(format!("{}/calls", sandbox.url)).send().await.unwrap().json().await.unwrap();
        for source in DEPARTMENTS {
            assert!(calls[source].as_u64().unwrap() <= 110, "{department}, {fault}: {calls}");
            let spared = source == department;
            assert!(spared || calls[source].as_u64().unwrap() >= 100, "{department}, {fault}: {calls}");
        }
    }
}

/// What the tax department answers to so many requests, one after the other.
async fn answers(sandbox: &Sandbox, requests: usize) -> Vec<u16> {
    let url = format!("{}/tax/v1/firms/{}", sandbox.url, sound(sandbox).await);
    let client = client();
    let mut answers = Vec::new();
    for _ in 0..requests {
        answers.push(client.get(&url).send().await.unwrap().status().as_u16());
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_share_of_the_requests_is_met_and_the_same_ones_in_every_run() {
    let script = "seed = 7\n[tax]\nsteps = [{fault = 'status', status = 503, share = 0.3}, {fault = 'status', status = 500, share = 0.5}]";
    let ((first, _script), (second, _again)) = (sandbox(script), sandbox(script));
    let met = answers(&first, 400).await;
    assert_eq!(met, answers(&second, 400).await);
    let share = |status: u16| met.iter().filter(|met| **met == status).count();
    // 120, 140 and 140 are expected.
    assert!((85..155).contains(&share(503)), "{}", share(503));
    assert!((100..180).contains(&share(500)), "{}", share(500));
    assert_eq!(share(200), 400 - share(503) - share(500));
    let (other, _other) = sandbox(&script.replace("seed = 7", "seed = 8"));
    assert_ne!(met, answers(&other, 400).await);
}

/// The different answers of the tax department one after the other, until they are as many as wanted.
async fn phases(sandbox: &Sandbox, wanted: usize) -> Vec<u16> {
    let url = format!("{}/tax/v1/firms/{}", sandbox.url, sound(sandbox).await);
    let (client, began) = (client(), Instant::now());
    let mut phases = Vec::new();
    while phases.len() < wanted {
        assert!(began.elapsed() < Duration::from_secs(60), "{phases:?}");
        let status = client.get(&url).send().await.unwrap().status().as_u16();
        if phases.last() != Some(&status) {
            phases.push(status);
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    phases
}

#[tokio::test(flavor = "multi_thread")]
async fn steps_follow_each_other_and_the_script_begins_again() {
    let (sandbox, _script) = sandbox(
        "[tax]\nrepeat_seconds = 4.5\nsteps = [{fault = 'status', status = 501, for_seconds = 1.5}, \
         {fault = 'status', status = 502, after_seconds = 1.5, for_seconds = 1.5}]",
    );
    let phases = phases(&sandbox, 7).await;
    for pair in phases.windows(2) {
        assert!([[501, 502], [502, 200], [200, 501]].contains(&[pair[0], pair[1]]), "{phases:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flapping_department_is_down_for_half_of_each_period_and_well_for_the_other() {
    let (sandbox, _script) = sandbox("[tax]\nsteps = [{fault = 'flapping', period_ms = 2000}]");
    let began = Instant::now();
    let phases = phases(&sandbox, 5).await;
    assert!(phases.iter().all(|status| [200, 503].contains(status)), "{phases:?}");
    // Between the first change and the last lie three halves.
    assert!(began.elapsed() > Duration::from_millis(2_900), "{:?}", began.elapsed());
    let service = Service::start(&sandbox.url);
    let (bank, code) = (service.bank("Bank"), sound(&sandbox).await);
    let began = Instant::now();
    while status(&bank.decide(&code).await, "tax") != "fresh" {
        assert!(began.elapsed() < Duration::from_secs(60), "never well");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

fn refused(script: &str) -> Output {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("faults.toml");
    std::fs::write(&path, script).unwrap();
    yuxin().args(["sandbox", "--listen", "127.0.0.1:0", "--faults", path.to_str().unwrap()]).output().unwrap()
}

#[test]
fn a_script_that_cannot_be_played_ends_the_program_with_department_step_and_key() {
    for (script, says) in [
        (
            "[tax]\nsteps = [{fault = 'reset'}, {fault = 'slow', ms = 0}]",
            &["step 2 of tax", "ms must be a whole number from 1 to 600000"][..],
        ),
        (
            "[social_insurance]\nsteps = [{fault = 'status', status = 200}]",
            &["step 1 of social_insurance", "status must be from 400 to 599"],
        ),
        (
            "[payment_history]\nrepeat_seconds = 5\nsteps = [{fault = 'reset', after_seconds = 5}]",
            &["step 1 of payment_history", "after_seconds must be below repeat_seconds (5)"],
        ),
        ("[tax]\nrepeat_seconds = -1\nsteps = []", &["[tax]", "repeat_seconds must be above 0"]),
        ("[tax]\nsteps = [{fault = 'reset', wait = 3}]", &["line 2", "unknown field `wait`"]),
        ("[court]\nsteps = []", &["line 1", "unknown field `court`"]),
    ] {
        let output = refused(script);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{script}: {said}");
        for part in says {
            assert!(said.contains(part), "{script}: {said} does not say {part:?}");
        }
    }
    let nowhere = yuxin().args(["sandbox", "--listen", "127.0.0.1:0", "--faults", "nowhere.toml"]).output().unwrap();
    assert_eq!(nowhere.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&nowhere.stderr).contains("nowhere.toml"));
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_counted_without_a_script_and_the_start_says_whether_one_plays() {
    let plain = Sandbox::start(&[]);
    let (failing, _script) =
        sandbox("[tax]\nsteps = [{fault = 'status', status = 503}]\n[payment_history]\nsteps = []");
    assert_eq!(answers(&plain, 3).await, [200; 3]);
    assert_eq!(answers(&failing, 2).await, [503; 2]);
    for (sandbox, tax) in [(&plain, 3), (&failing, 2)] {
        let calls: Value = client().get(format!("{}/calls", sandbox.url)).send().await.unwrap().json().await.unwrap();
        let told = ["tax", "social_insurance", "payment_history", "strange_tax", "strange_social"];
        assert_eq!(told.map(|name| calls[name].as_u64()), [tax, 0, 0, 0, 0].map(Some), "{calls}");
    }
    assert!(!plain.process.said().contains("faults"), "{}", plain.process.said());
    assert!(failing.process.said().contains("a script of faults plays for tax"), "{}", failing.process.said());
}
