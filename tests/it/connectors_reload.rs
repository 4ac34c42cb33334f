//! SIGHUP reads the connectors anew: the next decision is made through them, and a file that cannot be used changes nothing.

use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::service::{Sandbox, Service, client};

/// A connector of the social insurance bureau in the standard shape, through a mapping in which `unit` is the unit of what was paid.
fn connectors(url: &str, unit: &str) -> String {
    format!(
        "[social_insurance]\nbase_url = \"{url}\"\n\
         [social_insurance.map]\nuscc = \"/uscc\"\nas_of = \"/as_of\"\n\
         minimum_base_fen = {{ from = \"/minimum_base_fen\", unit = \"fen\", optional = true }}\n\
         [social_insurance.map.months]\nfrom = \"/months\"\n\
         [social_insurance.map.months.each]\nmonth = \"/month\"\nheads = \"/heads\"\n\
         base_fen = {{ from = \"/base_fen\", unit = \"fen\" }}\ndue_fen = {{ from = \"/due_fen\", unit = \"fen\" }}\n\
         paid_fen = {{ from = \"/paid_fen\", unit = \"{unit}\" }}\n"
    )
}

/// Sends SIGHUP and waits until `/readyz` says, or no longer says, that it was refused, and the log has told it.
async fn reload(service: &Service, refused: bool) -> String {
    let word = if refused { "reload refused" } else { "connectors reloaded" };
    let told = || service.process.said().matches(word).count();
    let (before, began) = (told(), Instant::now());
    service.process.signal("HUP");
    while told() == before {
        assert!(began.elapsed() < Duration::from_secs(20), "{}", service.process.said());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let response = client().get(format!("{}/readyz", service.management)).send().await.unwrap();
    assert_eq!(response.status(), 200);
    let ready = response.text().await.unwrap();
    assert_eq!(ready.contains("refused"), refused, "{ready}");
    ready
}

fn social(answer: &Value) -> &Value {
    let lines = answer["evidence"].as_array().unwrap();
    lines.iter().find(|line| line["source"] == "social_insurance").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_connectors_serve_the_next_decision_after_a_sighup_and_broken_ones_are_refused() {
    let sandbox = Sandbox::start(&[]);
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("sources.toml");
    std::fs::write(&file, connectors(&sandbox.url, "fen")).unwrap();
    // Answers are kept for long: what the old connectors kept must not answer in place of the new ones.
    let keep = ("YUXIN_SOURCES__CACHE_SECONDS", "3600");
    let service = Service::start_with(&sandbox.url, &[("YUXIN_SOURCES__CONNECTORS", file.to_str().unwrap()), keep]);
    let bank = service.bank("First Bank");
    let mut code = String::new();
    for firm in sandbox.firms(20).await {
        if social(&bank.decide(&firm).await)["status"] == "fresh" {
            code = firm;
            break;
        }
    }
    assert_eq!(social(&bank.decide(&code).await)["status"], "cached");

    // A rule that no firm meets.
    let strict = "[[social_insurance.rules]]\nat = \"/months\"\nrows_min = 1000\n";
    std::fs::write(&file, connectors(&sandbox.url, "fen") + strict).unwrap();
    assert_eq!(social(&bank.decide(&code).await)["status"], "cached", "nothing is read before the signal");
    reload(&service, false).await;
    let answer = bank.decide(&code).await;
    assert_eq!(social(&answer)["status"], "invalid", "{answer}");
    let path = format!("/v1/decisions/{}/record", answer["id"].as_str().unwrap());
    let record: Value = bank.get(&path).send().await.unwrap().json().await.unwrap();
    let detail = social(&record["decision"])["detail"].as_str().unwrap();
    assert!(detail.contains("fewer rows than 1000"), "{detail}");

    std::fs::write(&file, connectors(&sandbox.url, "gold")).unwrap();
    let ready = reload(&service, true).await;
    assert!(ready.contains("social_insurance.map.months.each.paid_fen"), "{ready}");
    let answer = bank.decide(&code).await;
    assert_eq!(social(&answer)["status"], "invalid", "the connectors from before the broken file serve on: {answer}");
    // A reply that breaks a rule is kept for inspection by the connectors that replaced the first ones, too.
    let rejected = service.command(&["sources", "rejected"]);
    assert!(String::from_utf8_lossy(&rejected.stdout).contains("/months"), "{rejected:?}");

    std::fs::write(&file, connectors(&sandbox.url, "fen")).unwrap();
    reload(&service, false).await;
    assert_eq!(social(&bank.decide(&code).await)["status"], "fresh");
    let metrics = client().get(format!("{}/metrics", service.management)).send().await.unwrap().text().await.unwrap();
    assert!(metrics.contains("yuxin_source_breaker_open{source=\"social_insurance\"} 0"), "{metrics}");
}
