//! The commands with which an operator connects a department: check, sample, probe.

use std::process::Output;

use serde_json::{Value, json};

use crate::support::department::sample;
use crate::support::gathering::FIRM;
use crate::support::program::{Folder, command};
use crate::support::service::{Sandbox, Service};
use yuxin::domain::SourceKind;

fn check(folder: &Folder, arguments: &[&str]) -> Output {
    let mut check = command(&["config", "check"]);
    check.args(arguments).env("YUXIN_SOURCES__CONNECTORS", folder.path("sources.toml"));
    check.output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

const CONNECTORS: &str = r#"
[court_and_bank]
kind = "payment_history"
path = "/q/{uscc}"
[court_and_bank.auth]
scheme = "bearer"
token = "hunter2"
[court_and_bank.map]
uscc = "/firm"
as_of = { from = "/day", format = "%Y年%m月%d日" }
[court_and_bank.map.enforcements]
from = "/cases/case"
each = { opened_on = "/opened", closed_on = "/closed", amount_fen = { from = "/sum", unit = "wan_yuan" } }
[[court_and_bank.rules]]
at = "/enforcements/*/amount_fen"
min = 1
"#;

fn reply(case: &Value) -> String {
    json!({"firm": FIRM, "day": "2026年10月31日", "cases": {"case": case}}).to_string()
}

#[test]
fn a_sample_is_mapped_offline_and_a_value_that_does_not_fit_is_shown_with_its_pointer() {
    let folder = Folder::new();
    folder.write("sources.toml", CONNECTORS);
    let mapped = |case: &Value, more: &[&str]| {
        let file = folder.write("reply.json", reply(case));
        let arguments = [&["--sample", file.to_str().unwrap(), "--source", "court_and_bank"], more].concat();
        check(&folder, &arguments)
    };
    let case = json!({"opened": "2026-01-05", "closed": null, "sum": "1.5"});
    let output = mapped(&case, &[]);
    assert!(output.status.success(), "{}", said(&output));
    let record: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        record["enforcements"],
        json!([{"opened_on": "2026-01-05", "closed_on": null, "amount_fen": 1_500_000}])
    );
    assert!(record["bills"].is_null());

    for (pointer, value, place, found) in [
        ("/sum", json!("about 2"), "/cases/case/0/sum is not a number", "found: \"about 2\""),
        (
            "/opened",
            json!("5.1.2026"),
            "/cases/case/0/opened is not a date of the format %Y-%m-%d",
            "found: \"5.1.2026\"",
        ),
        ("/sum", json!("0"), "as mapped: /enforcements/0/amount_fen is below 1", "found: 0"),
    ] {
        let mut case = case.clone();
        *case.pointer_mut(pointer).unwrap() = value;
        let output = mapped(&case, &[]);
        let said = said(&output);
        assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{said}");
        assert!(said.contains(place) && said.contains(found), "{said}");
    }
    let output = mapped(&case, &["--uscc", "91330604MA2D7K3P92"]);
    assert!(
        output.status.code() == Some(1) && said(&output).contains("/firm is about another firm"),
        "{}",
        said(&output)
    );
    assert!(said(&output).contains("warning: court_and_bank.auth.token") && !said(&output).contains("hunter2"));
}

#[test]
fn a_sample_whose_code_says_that_there_is_no_record_makes_none_as_in_the_service() {
    let folder = Folder::new();
    let envelope = "[court_and_bank.envelope]\ncode = \"/rc\"\nsuccess = [\"0\"]\nabsent = [\"404\"]\nabsent_if_empty = \"/cases\"\n\
                    [court_and_bank.map]";
    folder.write("sources.toml", CONNECTORS.replace("[court_and_bank.map]\n", &format!("{envelope}\n")));
    let mapped = |rc: Value, cases: Value| {
        let reply = json!({"rc": rc, "firm": FIRM, "day": "2026年10月31日", "cases": cases});
        let file = folder.write("reply.json", reply.to_string());
        check(&folder, &["--sample", file.to_str().unwrap(), "--source", "court_and_bank"])
    };
    let cases = json!({"case": {"opened": "2026-01-05", "closed": null, "sum": "1.5"}});
    let good = mapped(json!(0), cases.clone());
    assert!(good.status.success() && !good.stdout.is_empty(), "{}", said(&good));
    for (rc, cases, told, found) in [
        (json!(99), cases.clone(), "neither as success nor as absent: the evidence would be unavailable", "found: 99"),
        (json!("404"), cases.clone(), "does not know the firm: the evidence would be absent", "found: \"404\""),
        (json!(0), json!({}), "does not know the firm: the evidence would be absent", "found: 0"),
        (Value::Null, cases, "/rc is not there", "found: null"),
    ] {
        let output = mapped(rc, cases);
        let said = said(&output);
        assert!(output.status.code() == Some(1) && output.stdout.is_empty(), "{said}");
        assert!(said.contains(told) && said.contains(found), "{said}");
    }
}

#[test]
fn a_sample_of_the_standard_shape_is_read_as_well_and_an_unknown_connector_is_named() {
    let folder = Folder::new();
    folder.write("sources.toml", "");
    let file = folder.write("reply.json", sample(SourceKind::Tax));
    let output = check(&folder, &["--sample", file.to_str().unwrap(), "--source", "tax"]);
    assert!(output.status.success(), "{}", said(&output));
    let output = check(&folder, &["--sample", file.to_str().unwrap(), "--source", "taxes"]);
    assert!(output.status.code() == Some(1) && said(&output).contains("no connector taxes"), "{}", said(&output));
}

#[test]
fn config_check_tells_every_mistake_of_the_connectors_and_serving_refuses_them_too() {
    let folder = Folder::new();
    folder.write("sources.toml", "[tax.map]\nas_of = \"on\"\n[[social_insurance.rules]]\nat = \"/months\"\n");
    for output in [
        check(&folder, &[]),
        command(&["serve"])
            .env("YUXIN_SOURCES__CONNECTORS", folder.path("sources.toml"))
            .env("YUXIN_STORE__URL", format!("sqlite://{}", folder.path("yuxin.db").display()))
            .output()
            .unwrap(),
    ] {
        let said = said(&output);
        assert_eq!(output.status.code(), Some(1));
        for mistake in
            ["tax.map: uscc must be", "tax.map.as_of: \"on\" is not a JSON pointer", "social_insurance.rules, number 1"]
        {
            assert!(said.contains(mistake), "{mistake}: {said}");
        }
    }
    folder.write("sources.toml", CONNECTORS);
    let output = check(&folder, &[]);
    assert!(
        output.status.success() && said(&output).contains("court_and_bank (payment_history, mapped)"),
        "{}",
        said(&output)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_shows_each_step_and_asks_nobody_without_a_consent_of_that_firm() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("Bank A");
    let firms = sandbox.firms(2).await;
    let consent = bank.consent(&firms[0]).await;
    let probe = |name: &str, firm: &str, consent: &str| {
        service.command(&["sources", "probe", name, firm, "--consent", consent, "--by", "Li Na"])
    };

    let output = probe("tax", &firms[0], &consent);
    let steps = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{steps}{}", said(&output));
    for step in [
        "ok    address: GET http://127.0.0.1:",
        "ok    auth: none",
        "ok    status: 200, ",
        "ok    mapping: ",
        "ok    record: ",
    ] {
        assert!(steps.contains(step), "{step}: {steps}");
    }

    let ledger = String::from_utf8(service.command(&["ledger", &firms[0]]).stdout).unwrap();
    assert!(
        ledger.contains("Li Na (yuxin sources probe),true") && ledger.contains(",working_capital,probed,"),
        "{ledger}"
    );
    let two =
        json!({"uscc": firms[0], "purposes": ["working_capital", "equipment"], "valid_until": "2099-01-01T00:00:00Z"});
    let two: Value = bank.post("/v1/consents").json(&two).send().await.unwrap().json().await.unwrap();
    let two = two["id"].as_str().unwrap();
    let for_purpose = |purpose: &str| {
        let arguments = ["sources", "probe", "tax", &firms[0], "--consent", two, "--by", "Li Na", "--purpose", purpose];
        service.command(&arguments)
    };
    let output = probe("tax", &firms[0], two);
    assert!(
        output.status.code() == Some(1) && said(&output).contains("--purpose must say what for"),
        "{}",
        said(&output)
    );
    assert_eq!(for_purpose("post_loan").status.code(), Some(1), "no purpose of the grant");
    assert!(for_purpose("equipment").status.success());
    let ledger = String::from_utf8(service.command(&["ledger", &firms[0]]).stdout).unwrap();
    assert!(ledger.contains(",equipment,probed,"), "{ledger}");

    for (name, firm, consent, reason) in [
        ("tax", &firms[1], consent.as_str(), "given by another firm"),
        ("tax", &firms[0], "019a0000-0000-7000-8000-000000000000", "there is no consent"),
        ("taxes", &firms[0], consent.as_str(), "no connector taxes"),
    ] {
        let output = probe(name, firm, consent);
        assert!(
            output.status.code() == Some(1) && output.stdout.is_empty() && said(&output).contains(reason),
            "{}",
            said(&output)
        );
    }
    assert_eq!(bank.delete(&format!("/v1/consents/{consent}")).send().await.unwrap().status().as_u16() / 100, 2);
    let output = probe("tax", &firms[0], &consent);
    assert!(output.status.code() == Some(1) && said(&output).contains("revoked"), "{}", said(&output));

    let consent = bank.consent(&firms[0]).await;
    drop(sandbox);
    let output = probe("tax", &firms[0], &consent);
    let steps = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.code() == Some(1) && steps.contains("FAIL  failure: the department cannot be reached"),
        "{steps}"
    );
}
