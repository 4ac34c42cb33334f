//! The sandbox's two departments of other shapes, connected by `config/strange-sources.toml` alone: what they say makes the same
//! decisions, and whoever they do not let in is told so.

use std::path::PathBuf;
use std::process::Output;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde_json::{Value, json};
use sm3::{Digest, Sm3};
use tempfile::TempDir;

use crate::support::program::{command, stderr};
use crate::support::service::{Bank, Sandbox, Service, client};

/// The file that is shipped, and the secrets that it asks the environment for.
const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/strange-sources.toml");
const SECRETS: [(&str, &str); 2] =
    [("STRANGE_TAX_SECRET", "sandbox-secret-for-signing"), ("STRANGE_SOCIAL_SECRET", "sandbox-client-secret")];

/// The shipped connectors for a sandbox at another address, in a file that a test may change.
struct Connectors {
    _folder: TempDir,
    path: PathBuf,
    text: String,
}

impl Connectors {
    fn to(url: &str) -> Connectors {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("sources.toml");
        let text = std::fs::read_to_string(SHIPPED).unwrap().replace("http://127.0.0.1:8090", url);
        let connectors = Connectors { _folder: folder, path, text };
        connectors.change(&[]);
        connectors
    }

    /// Writes the file anew, as shipped but with these replacements, each of which must find something.
    fn change(&self, replacements: &[(&str, &str)]) {
        let text = replacements.iter().fold(self.text.clone(), |text, (from, to)| {
            assert!(text.contains(from), "{from}");
            text.replace(from, to)
        });
        std::fs::write(&self.path, text).unwrap();
    }

    fn service(&self, url: &str) -> Service {
        let connectors = [("YUXIN_SOURCES__CONNECTORS", self.path.to_str().unwrap())];
        Service::start_with(url, &[connectors.as_slice(), SECRETS.as_slice()].concat())
    }

    /// `yuxin config check` with this file.
    fn check(&self, arguments: &[&str]) -> Output {
        let mut check = command(&["config", "check"]);
        check.args(arguments).env("YUXIN_SOURCES__CONNECTORS", &self.path).envs(SECRETS);
        check.output().unwrap()
    }
}

fn standing<'a>(answer: &'a Value, source: &str) -> &'a Value {
    answer["evidence"].as_array().unwrap().iter().find(|line| line["source"] == source).unwrap()
}

/// Leaves out what differs between any two decisions on a firm: ids, instants, and the digests of the bytes that came.
fn without_circumstances(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for name in ["id", "case_id", "consent_id", "decided_at", "valid_until", "fetched_at", "digest"] {
                fields.remove(name);
            }
            fields.values_mut().for_each(without_circumstances);
        }
        Value::Array(items) => items.iter_mut().for_each(without_circumstances),
        _ => {}
    }
}

async fn record(bank: &Bank, decision: &Value) -> Value {
    let path = format!("/v1/decisions/{}/record", decision["id"].as_str().unwrap());
    let mut record: Value = bank.get(&path).send().await.unwrap().json().await.unwrap();
    without_circumstances(&mut record);
    record
}

#[tokio::test(flavor = "multi_thread")]
async fn every_firm_gets_the_same_decision_record_through_departments_of_other_shapes() {
    let sandbox = Sandbox::start(&[]);
    let connectors = Connectors::to(&sandbox.url);
    let (plain, strange) = (Service::start(&sandbox.url), connectors.service(&sandbox.url));
    let (bank, other) = (plain.bank("First Bank"), strange.bank("First Bank"));
    let (mut not_shared, mut unknown) = (0, 0);
    for code in sandbox.firms(64).await {
        let (expected, found) = (bank.decide(&code).await, other.decide(&code).await);
        let tax = standing(&expected, "tax");
        let lacks = |part: &str| tax["not_shared"].as_array().unwrap().iter().any(|name| name == part);
        not_shared += usize::from(lacks("filings") || lacks("invoices"));
        unknown += usize::from(tax["status"] == "absent");
        let (expected, found) = (record(&bank, &expected).await, record(&other, &found).await);
        assert!(expected["features"].as_object().is_some_and(|features| !features.is_empty()), "{expected}");
        assert_eq!(found, expected);
    }
    assert!(not_shared >= 1, "no firm was tried whose declarations or invoices are not shared; {unknown} were unknown");
}

#[test]
fn the_connectors_that_are_shipped_are_in_order_and_lack_nothing_but_their_secrets() {
    let check = |secrets: &[(&str, &str)]| {
        let mut check = command(&["config", "check"]);
        for (name, _) in SECRETS {
            check.env_remove(name);
        }
        check.env("YUXIN_SOURCES__CONNECTORS", SHIPPED).envs(secrets.iter().copied()).output().unwrap()
    };
    let output = check(&SECRETS);
    let said = stderr(&output);
    assert!(output.status.success() && said.contains("tax (tax, mapped)"), "{said}");
    assert!(said.contains("social_insurance (social_insurance, mapped)") && !said.contains("warning"), "{said}");
    let output = check(&[]);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("tax.auth.secret: the environment variable that `env` names is not set"), "{said}");
    assert!(
        said.contains("social_insurance.auth.client_secret: the environment variable that `env` names is not set"),
        "{said}"
    );
}

#[test]
fn a_wrong_mapping_is_told_by_its_key_and_a_value_that_does_not_fit_by_its_pointer() {
    let connectors = Connectors::to("http://127.0.0.1:9");
    connectors.change(&[
        ("from = \"/payable\", unit = \"yuan\"", "from = \"payable\", unit = \"gold\""),
        ("format = \"%Y%m%d\" }\nname", "format = \"YYYYMMDD\" }\nname"),
    ]);
    let said = stderr(&connectors.check(&[]));
    for part in ["tax.map.filings.each.due_fen: \"payable\" is not a JSON pointer", "\"gold\" is no unit", "YYYYMMDD"] {
        assert!(said.contains(part), "{part}: {said}");
    }
    connectors.change(&[("format = \"%Y%m%d\" }\nname", "format = \"%Y/%m/%d\" }\nname")]);
    let sample = connectors.path.with_file_name("reply.json");
    let reply = json!({"code": "0000", "data": {
        "creditCode": "91330604MA2XY0014W", "asOf": "20261031", "state": "正常", "total": 0,
        "list": {"declarations": null, "invoices": null},
    }});
    std::fs::write(&sample, reply.to_string()).unwrap();
    let sample = ["--sample", sample.to_str().unwrap(), "--source", "tax"];
    let output = connectors.check(&sample);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1));
    assert!(said.contains("/data/asOf is not a date of the format %Y/%m/%d; found: \"20261031\""), "{said}");
    connectors.change(&[]);
    let output = connectors.check(&sample);
    let record: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", stderr(&output)));
    assert_eq!(record["status"], "normal");
    assert!(record["filings"].is_null() && record["invoices"].is_null(), "{record}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_shows_every_page_and_step_and_enters_the_ledger() {
    let sandbox = Sandbox::start(&[]);
    let strange = Connectors::to(&sandbox.url).service_kept(&sandbox.url);
    let (service, _connectors) = &strange;
    let bank = service.bank("First Bank");
    for code in sandbox.firms(6).await {
        let tax = standing(&bank.decide(&code).await, "tax").clone();
        if tax["status"] != "fresh" || !tax["not_shared"].as_array().unwrap().is_empty() {
            continue;
        }
        let consent = bank.consent(&code).await;
        let probed = service.command(&["sources", "probe", "tax", &code, "--consent", &consent, "--by", "Li Na"]);
        let said = String::from_utf8_lossy(&probed.stdout).into_owned();
        assert!(probed.status.success(), "{said}");
        let pages = said.lines().filter(|line| line.starts_with("ok    address: GET ")).count();
        assert!(pages > 1, "{said}");
        for number in 1..=pages {
            assert!(said.contains(&format!("pageNo={number}&")), "{said}");
        }
        for step in ["auth", "status", "envelope"] {
            assert_eq!(
                said.lines().filter(|line| line.starts_with(&format!("ok    {step}: "))).count(),
                pages,
                "{said}"
            );
        }
        assert!(said.contains(&format!("ok    paging: {pages} pages, ")), "{said}");
        assert!(said.contains("ok    mapping: ") && said.contains("ok    record: "), "{said}");
        assert!(!said.contains("sandbox-secret"), "{said}");
        let probed =
            service.command(&["sources", "probe", "social_insurance", &code, "--consent", &consent, "--by", "Li Na"]);
        let said = String::from_utf8_lossy(&probed.stdout).into_owned();
        assert!(said.contains("mapping") && said.contains("auth") && !said.contains("client-secret"), "{said}");
        let ledger = service.command(&["ledger", &code]);
        assert!(String::from_utf8_lossy(&ledger.stdout).contains("yuxin sources probe"), "{ledger:?}");
        return;
    }
    panic!("no firm of the first shares all with the tax department");
}

impl Connectors {
    /// The service together with the file, which goes away with it.
    fn service_kept(self, url: &str) -> (Service, Connectors) {
        (self.service(url), self)
    }
}

/// One request to the tax bureau, signed with `secret` at `at`.
async fn tax_bureau(sandbox: &Sandbox, secret: &str, at: i64, nonce: &str) -> (u16, Value) {
    let (path, query) = ("/strange/tax/api/enterprise/tax", "creditCode=91330604MA2XY0014W&pageNo=1&pageSize=50");
    let text = format!("GET\n{path}\n{query}\n{}\n{at}\n{nonce}", hex::encode(Sm3::digest(b"")));
    let mac = Hmac::<Sm3>::new_from_slice(secret.as_bytes()).unwrap().chain_update(text).finalize().into_bytes();
    let request = client().get(format!("{}{path}?{query}", sandbox.url)).header("X-App-Id", "sandbox-app");
    let request = request.header("X-Timestamp", at.to_string()).header("X-Nonce", nonce);
    let request = request.header("X-Sign-Algorithm", "SM3").header("X-Sign", hex::encode(mac));
    let response = request.send().await.unwrap();
    (response.status().as_u16(), response.json().await.unwrap())
}

#[tokio::test]
async fn the_tax_bureau_refuses_a_wrong_signature_an_old_timestamp_and_a_nonce_that_was_used() {
    let sandbox = Sandbox::start(&[]);
    let (now, secret) = (Timestamp::now().as_second(), "sandbox-secret-for-signing");
    let (status, _) = tax_bureau(&sandbox, secret, now, "first").await;
    assert_eq!(status, 200);
    for (secret, at, nonce, why) in [
        (secret, now, "first", "X-Nonce has been used"),
        (secret, now - 400, "second", "X-Timestamp is more than 300 seconds"),
        (secret, now + 400, "third", "X-Timestamp is more than 300 seconds"),
        ("another secret", now, "fourth", "X-Sign is not the signature"),
    ] {
        let (status, body) = tax_bureau(&sandbox, secret, at, nonce).await;
        assert_eq!((status, &body["code"]), (401, &json!("40101")), "{body}");
        assert!(body["msg"].as_str().unwrap().contains(why), "{body}");
    }
    // Whoever was refused has not used the nonce up.
    assert_eq!(tax_bureau(&sandbox, secret, now, "fourth").await.0, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_department_that_refuses_the_signature_or_the_secret_is_named_in_the_decision_and_by_a_probe() {
    let sandbox = Sandbox::start(&[]);
    let code = sandbox.firms(1).await.remove(0);
    let wrong_secret = [("{ env = \"STRANGE_TAX_SECRET\" }", "\"not the secret\"")];
    let old_timestamp = [("headers = { signature", "timestamp = \"milliseconds\"\nheaders = { signature")];
    let other_order = [("headers = { signature", "sign = [\"path\", \"method\"]\nheaders = { signature")];
    // The nonce is the same with every request: the second page is refused.
    let same_nonce = [
        ("X-Sign-Algorithm = \"SM3\"", "X-Sign-Algorithm = \"SM3\", X-Nonce = \"sandbox-app\""),
        (
            "headers = { signature",
            "sign = [\"method\", \"path\", \"query\", \"body_digest\", \"timestamp\", \"key_id\"]\n\
             headers = { nonce = \"X-Unread\", signature",
        ),
        ("size = 50", "size = 1"),
    ];
    let wrong_client = [("{ env = \"STRANGE_SOCIAL_SECRET\" }", "\"not the secret\"")];
    for (source, change, detail) in [
        ("tax", wrong_secret.as_slice(), "status 401 (access refused)"),
        ("tax", &old_timestamp, "status 401 (access refused)"),
        ("tax", &other_order, "status 401 (access refused)"),
        ("tax", &same_nonce, "status 401 (access refused)"),
        ("social_insurance", &wrong_client, "token address"),
    ] {
        let connectors = Connectors::to(&sandbox.url);
        connectors.change(change);
        let service = connectors.service(&sandbox.url);
        let bank = service.bank("First Bank");
        let answer = bank.decide(&code).await;
        assert_eq!(standing(&answer, source)["status"], "unavailable", "{change:?}: {answer}");
        let record = record(&bank, &answer).await;
        let line = standing(&record["decision"], source);
        assert!(line["detail"].as_str().unwrap().contains(detail), "{change:?}: {line}");
        assert!(answer["score_interval"].is_object(), "what is missing is told, and never taken for nothing: {answer}");
        let consent = bank.consent(&code).await;
        let probed = service.command(&["sources", "probe", source, &code, "--consent", &consent, "--by", "Li Na"]);
        let said = String::from_utf8_lossy(&probed.stdout).into_owned();
        assert_eq!(probed.status.code(), Some(1), "{change:?}: {said}");
        let last = said.lines().last().unwrap();
        assert!(last.starts_with("FAIL  failure: ") && last.contains(detail), "{change:?}: {said}");
        assert!(last.contains("(unavailable)"), "{said}");
        assert!(!said.contains("not the secret") && !service.process.said().contains("not the secret"), "{said}");
    }
}
