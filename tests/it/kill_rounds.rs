//! Rounds of kill -9 under load, and a kill at each of the first fsyncs: nothing acknowledged is lost, nothing doubled, the chain
//! holds, the service is back in time. KILL_ROUNDS and KILL_FSYNCS say how many (3 and 6 where they are not set).

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::service::{Bank, Sandbox, Service, ask};

fn many(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |text| text.parse().expect("a number"))
}

/// One request as it was sent, and its answer where one came.
struct Sent {
    key: String,
    firm: String,
    consent: String,
    answer: Option<String>,
}

/// Asks until it is told to stop, or the service dies.
async fn keep_asking(bank: Bank, firm: String, consent: String, caller: usize, stop: Arc<AtomicBool>) -> Vec<Sent> {
    let mut sent = Vec::new();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("caller-{caller}-{n}");
        let request = bank.post("/v1/decisions").header("idempotency-key", &key).json(&ask(&firm, &consent));
        let answer = match request.send().await {
            Ok(response) if response.status() == 201 => response.text().await.ok(),
            _ => None,
        };
        let died = answer.is_none();
        sent.push(Sent { key, firm: firm.clone(), consent: consent.clone(), answer });
        if died {
            break;
        }
    }
    sent
}

/// Starts a few callers on firms with consents; gives what they sent once the service is dead, or `stop` is set.
async fn load(bank: &Bank, firms: &[(String, String)], stop: &Arc<AtomicBool>) -> Vec<Sent> {
    let callers: Vec<_> = firms
        .iter()
        .enumerate()
        .map(|(n, (firm, consent))| {
            tokio::spawn(keep_asking(bank.clone(), firm.clone(), consent.clone(), n, stop.clone()))
        })
        .collect();
    let mut sent = Vec::new();
    for caller in callers {
        sent.extend(caller.await.unwrap());
    }
    sent
}

/// The same keys again: what was acknowledged is answered byte for byte, the rest is decided now or was before; each once.
async fn reconcile(bank: &Bank, sent: &[Sent]) {
    let mut ids = BTreeMap::new();
    for Sent { key, firm, consent, answer } in sent {
        let request = bank.post("/v1/decisions").header("idempotency-key", key).json(&ask(firm, consent));
        let response = request.send().await.unwrap();
        let (status, replayed) = (response.status(), response.headers().contains_key("idempotent-replayed"));
        let body = response.text().await.unwrap();
        assert_eq!(status, 201, "{key}: {body}");
        if let Some(answer) = answer {
            assert!(replayed, "{key} was acknowledged and is lost");
            assert_eq!(&body, answer, "{key}");
        }
        let id = serde_json::from_str::<Value>(&body).unwrap()["id"].as_str().unwrap().to_owned();
        assert!(ids.insert(id, key).is_none(), "two keys have one decision");
    }
    let mut cursor = String::new();
    loop {
        let page: Value = bank.get(&format!("/v1/decisions{cursor}")).send().await.unwrap().json().await.unwrap();
        for decision in page["decisions"].as_array().unwrap() {
            let id = decision["id"].as_str().unwrap();
            assert!(ids.remove(id).is_some(), "{id} is stored and nobody's: a request was decided twice");
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("?cursor={next}"),
            None => break,
        }
    }
    assert!(ids.is_empty(), "answered and not stored: {ids:?}");
}

fn verified(service: &Service) {
    let audit = service.command(&["audit", "verify"]);
    assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stderr));
}

async fn consents(bank: &Bank, firms: &[String]) -> Vec<(String, String)> {
    let mut with = Vec::new();
    for firm in firms {
        with.push((firm.clone(), bank.consent(firm).await));
    }
    with
}

async fn rounds_of_kills(url: Option<&str>, engine: &str) {
    let sandbox = Sandbox::start(&[]);
    let more: Vec<(&str, &str)> = url.map(|url| ("YUXIN_STORE__URL", url)).into_iter().collect();
    let mut service = Service::start_with(&sandbox.url, &more);
    let firms = sandbox.firms(8).await;
    let (mut acknowledged, mut sent_in_all, mut slowest) = (0, 0, Duration::ZERO);
    let rounds = many("KILL_ROUNDS", 3);
    for round in 0..rounds {
        let mut bank = service.bank(&format!("Bank {round}"));
        let firms = consents(&bank, &firms).await;
        let stop = Arc::new(AtomicBool::new(false));
        let loading = tokio::spawn({
            let (bank, stop) = (bank.clone(), stop.clone());
            async move { load(&bank, &firms, &stop).await }
        });
        tokio::time::sleep(Duration::from_millis(150 + (round * 37) % 400)).await;
        service.process.kill();
        stop.store(true, Ordering::Relaxed);
        let sent = loading.await.unwrap();
        acknowledged += sent.iter().filter(|one| one.answer.is_some()).count();
        sent_in_all += sent.len();
        let began = Instant::now();
        service = service.restart();
        slowest = slowest.max(began.elapsed());
        bank.url.clone_from(&service.url);
        reconcile(&bank, &sent).await;
        verified(&service);
    }
    crate::support::say(&format!(
        "{engine}: {rounds} kills, {sent_in_all} sent, {acknowledged} acknowledged, 0 lost, 0 doubled; back within {slowest:?}"
    ));
    assert!(acknowledged > 0, "nothing was acknowledged");
    // A debug build on a busy machine takes its time to start.
    assert!(slowest < Duration::from_secs(if cfg!(debug_assertions) { 20 } else { 2 }), "{slowest:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_of_kill_9_under_load_lose_and_double_nothing_on_sqlite() {
    rounds_of_kills(None, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_of_kill_9_under_load_lose_and_double_nothing_on_postgresql() {
    let Some(url) = crate::support::postgres::fresh_database().await else { return };
    rounds_of_kills(Some(&url), "PostgreSQL").await;
}

/// Kills what strace has started.
fn kill_children(of: u32) {
    let children = std::fs::read_to_string(format!("/proc/{of}/task/{of}/children")).unwrap_or_default();
    for child in children.split_whitespace() {
        let _ = Command::new("kill").args(["-KILL", child]).status();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_at_each_of_the_first_fsyncs_loses_and_doubles_nothing() {
    if !crate::store_faults::strace_is_there() {
        return;
    }
    let sandbox = Sandbox::start(&[]);
    let mut service = Service::start(&sandbox.url);
    let firms = sandbox.firms(4).await;
    let (mut killed, mut acknowledged) = (0, 0);
    let fsyncs = many("KILL_FSYNCS", 6);
    for n in 1..=fsyncs {
        let mut bank = service.bank(&format!("Bank {n}"));
        let firms = consents(&bank, &firms).await;
        let inject = format!("inject=fsync,fdatasync:signal=KILL:when={n}");
        let arguments = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync,fdatasync", "-e", &inject];
        let (traced, start_again) = service.restart_under(&arguments);
        let mut sent = Vec::new();
        if let Some(mut traced) = traced {
            bank.url.clone_from(&traced.url);
            let stop = Arc::new(AtomicBool::new(false));
            let loading = tokio::spawn({
                let (bank, stop) = (bank.clone(), stop.clone());
                async move { load(&bank, &firms, &stop).await }
            });
            let began = Instant::now();
            while !traced.process.ended() && began.elapsed() < Duration::from_secs(20) {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            killed += usize::from(traced.process.ended());
            stop.store(true, Ordering::Relaxed);
            kill_children(traced.process.id());
            sent = loading.await.unwrap();
        } else {
            killed += 1;
        }
        acknowledged += sent.iter().filter(|one| one.answer.is_some()).count();
        service = start_again();
        bank.url.clone_from(&service.url);
        reconcile(&bank, &sent).await;
        verified(&service);
    }
    crate::support::say(&format!(
        "killed at {killed} of the first {fsyncs} fsyncs, {acknowledged} acknowledged, 0 lost, 0 doubled"
    ));
    assert_eq!(killed as u64, fsyncs, "not every fsync was reached");
}
