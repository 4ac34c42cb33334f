//! The sandbox's two departments of other shapes, connected by configuration alone: what they say scores the same.

use serde_json::Value;

use crate::support::service::{Sandbox, Service};

/// The connectors' file for a sandbox at `url`.
fn connectors(url: &str, secret: &str) -> (tempfile::TempDir, String) {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("sources.toml");
    let text = include_str!("support/strange-sources.toml").replace("http://127.0.0.1:8090", url);
    std::fs::write(&path, text.replace("sandbox-secret-for-signing", secret)).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (folder, path)
}

/// What must not depend on the shape of a reply.
fn judged(answer: &Value) -> Vec<&Value> {
    ["score", "score_interval", "probability_of_default", "grade", "outcome", "limit_fen", "reasons", "refer_reasons"]
        .iter()
        .map(|field| &answer[field])
        .collect()
}

fn standing<'a>(answer: &'a Value, source: &str) -> &'a Value {
    answer["evidence"].as_array().unwrap().iter().find(|line| line["source"] == source).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn firms_get_the_same_score_through_departments_of_other_shapes() {
    let sandbox = Sandbox::start(&[]);
    let (_folder, path) = connectors(&sandbox.url, "sandbox-secret-for-signing");
    let plain = Service::start(&sandbox.url);
    let strange = Service::start_with(&sandbox.url, &[("YUXIN_SOURCES__CONNECTORS", &path)]);
    let (bank, other) = (plain.bank("First Bank"), strange.bank("First Bank"));
    let (mut same, mut unknown) = (0, 0);
    for code in sandbox.firms(40).await {
        let (expected, found) = (bank.decide(&code).await, other.decide(&code).await);
        let of_tax = standing(&expected, "tax");
        let parts = of_tax["not_shared"].as_array().unwrap();
        if parts.iter().any(|part| part == "filings" || part == "invoices") {
            // This department answers with a code of its own where it does not share its rows: named, never scored as none.
            assert_eq!(standing(&found, "tax")["status"], "unavailable", "{found}");
            continue;
        }
        for source in ["tax", "social_insurance", "payment_history"] {
            assert_eq!(standing(&found, source)["status"], standing(&expected, source)["status"], "{found}");
        }
        unknown += usize::from(of_tax["status"] == "absent");
        assert_eq!(judged(&found), judged(&expected));
        same += 1;
    }
    assert!(same >= 25, "{same} firms compared, {unknown} of them unknown to the tax department");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_secret_is_named_and_never_scored() {
    let sandbox = Sandbox::start(&[]);
    let (_folder, path) = connectors(&sandbox.url, "not the secret");
    let strange = Service::start_with(&sandbox.url, &[("YUXIN_SOURCES__CONNECTORS", &path)]);
    let code = sandbox.firms(1).await.remove(0);
    let answer = strange.bank("First Bank").decide(&code).await;
    assert_eq!(standing(&answer, "tax")["status"], "unavailable");
    assert_eq!(answer["outcome"], "refer");
    assert!(!strange.process.said().contains("not the secret"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_shows_each_step_and_enters_the_ledger() {
    let sandbox = Sandbox::start(&[]);
    let (_folder, path) = connectors(&sandbox.url, "sandbox-secret-for-signing");
    let strange = Service::start_with(&sandbox.url, &[("YUXIN_SOURCES__CONNECTORS", &path)]);
    let bank = strange.bank("First Bank");
    let code = sandbox.firms(1).await.remove(0);
    let consent = bank.consent(&code).await;
    let probed = strange.command(&["sources", "probe", "social_insurance", &code, "--consent", &consent]);
    let said = String::from_utf8_lossy(&probed.stdout).into_owned();
    assert!(probed.status.success() && said.contains("mapping") && said.contains("auth"), "{probed:?}");
    assert!(!said.contains("sandbox-secret"), "{said}");
    let ledger = strange.command(&["ledger", &code]);
    assert!(String::from_utf8_lossy(&ledger.stdout).contains("yuxin sources probe"), "{ledger:?}");
}
