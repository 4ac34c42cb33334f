//! What those on call see.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::Connection;

use crate::support::service::{Sandbox, Service};

async fn text(url: String) -> (u16, String) {
    let response = reqwest::get(url).await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn promtool_finds_nothing_to_say_about_the_metrics() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    for firm in sandbox.firms(5).await {
        bank.decide(&firm).await;
    }
    let (status, metrics) = text(format!("{}/metrics", service.management)).await;
    assert_eq!(status, 200);
    for name in [
        "yuxin_decisions_total{",
        "yuxin_decision_duration_seconds_count",
        "yuxin_http_request_duration_seconds_count{",
        "yuxin_source_requests_total{",
        "yuxin_source_duration_seconds_count{",
        "yuxin_source_breaker_open{",
        "yuxin_evidence_age_seconds{",
        "yuxin_store_commit_seconds_count",
        "yuxin_cases{",
        "yuxin_cases_overdue",
        "yuxin_model_info{",
    ] {
        assert!(metrics.contains(name), "{name} is missing:\n{metrics}");
    }
    if !std::path::Path::new("/usr/bin/promtool").exists() {
        assert!(std::env::var_os("CI").is_none(), "promtool is missing");
        crate::support::say("skipped: promtool is not installed");
        return;
    }
    let mut promtool = Command::new("/usr/bin/promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    promtool.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let said = promtool.wait_with_output().unwrap();
    assert!(said.status.success() && said.stdout.is_empty() && said.stderr.is_empty(), "{said:?}");
}

#[tokio::test]
async fn no_firm_in_logs_or_metrics_and_every_line_stands_alone() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start_with(&sandbox.url, &[("YUXIN_LOG", "debug")]);
    let bank = service.bank("First Bank");
    let firms = sandbox.firms(3).await;
    for firm in &firms {
        bank.decide(firm).await;
        bank.get(&format!("/v1/decisions?uscc={firm}")).send().await.unwrap();
        bank.get(&format!("/v1/firms/{firm}")).header("x-request-id", firm).send().await.unwrap();
    }
    drop(sandbox);
    bank.decide(&firms[0]).await;
    let (_, metrics) = text(format!("{}/metrics", service.management)).await;
    let logs = service.process.said();
    assert!(logs.lines().count() > 10);
    for firm in &firms {
        let organisation = &firm[8..17];
        assert!(!logs.contains(organisation), "a firm in the logs:\n{logs}");
        assert!(!metrics.contains(organisation), "a firm in the metrics:\n{metrics}");
    }
    for line in logs.lines() {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|_| panic!("not JSON: {line}"));
        if line["message"] == "request answered" {
            assert!(line["request_id"].is_string() && line["route"].is_string() && line["status"].is_u64(), "{line}");
        }
        if line["message"] == "evidence missing" {
            assert!(line["span"]["request_id"].is_string(), "what went wrong cannot be tied to its request: {line}");
        }
    }
}

#[tokio::test]
async fn probes_tell_life_and_readiness_and_the_store_that_fails() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let at = |path: &str| format!("{}{path}", service.management);
    assert_eq!(text(at("/livez")).await.0, 200);
    let (status, ready) = text(at("/readyz")).await;
    assert_eq!(status, 200, "{ready}");
    assert!(ready.contains("verified on its golden firms"), "{ready}");
    let version: Value = serde_json::from_str(&text(at("/version")).await.1).unwrap();
    assert_eq!(version["model"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(reqwest::get(format!("{}/metrics", service.url)).await.unwrap().status(), 404, "banks see no metrics");

    // Another process holds the database for writing: not ready, and ready again once it lets go.
    let url = format!("sqlite://{}", service.database().display());
    let mut holder = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut holder).await.unwrap();
    let (status, ready) = text(at("/readyz")).await;
    assert_eq!(status, 503, "{ready}");
    holder.close().await.unwrap();
    let began = Instant::now();
    while text(at("/readyz")).await.0 != 200 {
        assert!(began.elapsed() < Duration::from_secs(20), "it does not heal");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_model_that_was_tampered_with_is_refused_and_the_old_one_serves_on() {
    let sandbox = Sandbox::start(&[]);
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("model.json");
    let shipped = std::fs::read(concat!(env!("CARGO_MANIFEST_DIR"), "/models/district-scorecard.json")).unwrap();
    std::fs::write(&path, &shipped).unwrap();
    let service = Service::start_with(&sandbox.url, &[("YUXIN_MODEL__PATH", path.to_str().unwrap())]);
    let mut artifact: Value = serde_json::from_slice(&shipped).unwrap();
    let points = &mut artifact["characteristics"][0]["bins"][0]["points"];
    *points = (points.as_f64().unwrap() + 1.0).into();
    std::fs::write(&path, serde_json::to_vec(&artifact).unwrap()).unwrap();
    service.process.signal("HUP");
    let began = Instant::now();
    loop {
        let (status, ready) = text(format!("{}/readyz", service.management)).await;
        assert_eq!(status, 200);
        if ready.contains("refused") {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "the refusal is not told: {ready}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let firm = sandbox.firms(1).await.remove(0);
    service.bank("First Bank").decide(&firm).await;
    let refused = service.command(&["config", "check"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("golden"), "{refused:?}");
}
