//! Departments that fill what the main ones do not share, end to end: whose word a point rests on, how old it may be, and who has to
//! agree before they are asked.

use jiff::{ToSpan, Zoned};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::department::{Behaviour, Department};
use crate::support::service::{Bank, Sandbox, Service, ask, client};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/models/district-scorecard.json");
const POLICY: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config/policy.toml");
/// A reserved firm of the sandbox with good records everywhere.
const GOOD: &str = "91330604MAX0000154";

/// The sandbox's departments for the good firm, of which two leave parts out, and three optional ones that have those.
struct District {
    _sandbox: Sandbox,
    _folder: TempDir,
    _main: [Department; 2],
    registry: Department,
    court: Department,
    utilities: Department,
    service: Service,
}

fn days_ago(days: i32) -> String {
    Zoned::now().date().saturating_sub(days.days()).to_string()
}

async fn of_sandbox(sandbox: &Sandbox, department: &str) -> Value {
    client().get(format!("{}/{department}/v1/firms/{GOOD}", sandbox.url)).send().await.unwrap().json().await.unwrap()
}

/// What a court says as of that many days ago: an enforcement opened long before, or none.
fn court(days: i32, open: bool) -> Behaviour {
    let one = json!({"opened_on": "2019-05-01", "closed_on": null, "amount_fen": 5_000_000});
    let rows = if open { vec![one] } else { vec![] };
    let reply = json!({"uscc": GOOD, "as_of": days_ago(days), "enforcements": rows, "wage_arrears": []});
    Behaviour::json(reply.to_string())
}

impl District {
    async fn start() -> District {
        let sandbox = Sandbox::start(&[]);
        let (mut tax, mut payments) = (of_sandbox(&sandbox, "tax").await, of_sandbox(&sandbox, "payments").await);
        let registry = json!({"uscc": GOOD, "as_of": days_ago(0), "status": "normal"});
        let utilities = json!({"uscc": GOOD, "as_of": payments["as_of"], "bills": payments["bills"]});
        tax["status"] = Value::Null;
        ["enforcements", "wage_arrears", "bills"].iter().for_each(|part| payments[*part] = Value::Null);
        let start = async |reply: Value| Department::start(Behaviour::json(reply.to_string())).await;
        let main = [start(tax).await, start(payments).await];
        let (registry, utilities) = (start(registry).await, start(utilities).await);
        let court = Department::start(court(0, false)).await;
        let table = |name: &str, department: &Department| {
            format!(
                "[{name}]\nbase_url = \"{}\"\npath = \"/{name}/{{uscc}}\"\nstale_after_days = 400\ncache_seconds = 0\n",
                department.base_url()
            )
        };
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("sources.toml");
        let tables = [table("registry", &registry), table("court", &court), table("utilities", &utilities)];
        std::fs::write(&file, tables.concat()).unwrap();
        let urls = main.each_ref().map(Department::base_url);
        let service = Service::start_with(
            &sandbox.url,
            &[
                ("YUXIN_SOURCES__CONNECTORS", file.to_str().unwrap()),
                ("YUXIN_SOURCES__TAX__BASE_URL", &urls[0]),
                ("YUXIN_SOURCES__PAYMENT_HISTORY__BASE_URL", &urls[1]),
                ("YUXIN_SOURCES__CACHE_SECONDS", "0"),
            ],
        );
        District { _sandbox: sandbox, _folder: folder, _main: main, registry, court, utilities, service }
    }

    fn calls(&self) -> [usize; 3] {
        [&self.registry, &self.court, &self.utilities].map(|department| department.requests().len())
    }
}

fn codes(decision: &Value) -> Vec<(&str, &str)> {
    let of = |reason: &'_ Value, key: &str| reason[key].as_str().unwrap_or("-").to_owned().leak() as &str;
    decision["refer_reasons"]
        .as_array()
        .unwrap()
        .iter()
        .map(|reason| (of(reason, "code"), of(reason, "source")))
        .collect()
}

fn standing<'d>(decision: &'d Value, source: &str) -> &'d Value {
    decision["evidence"].as_array().unwrap().iter().find(|line| line["source"] == source).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_verifies_and_points_name_the_optional_department_that_they_rest_on() {
    let district = District::start().await;
    let bank = district.service.bank("First Bank");
    let decision = bank.decide(GOOD).await;
    assert_eq!(decision["outcome"], "approve", "{decision}");
    let id = decision["id"].as_str().unwrap();
    let export = district.service.folder.path().join("export.json").to_str().unwrap().to_owned();
    assert!(district.service.command(&["decisions", "export", id, "--out", &export]).status.success());
    for policy in [&[][..], &["--policy", POLICY]] {
        let done = district.service.command(&[&["verify", &export, "--model", MODEL], policy].concat());
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let said = String::from_utf8(done.stdout).unwrap();
        let bills = said.lines().filter(|line| line.contains("utilities")).count();
        assert!(bills > 0, "no point names the utility that the bills come from: {said}");
    }
    let record: Value = serde_json::from_slice(&std::fs::read(&export).unwrap()).unwrap();
    let digest = |source: &str| standing(&record["decision"], source)["digest"].as_str().unwrap().to_owned();
    assert_ne!(digest("utilities"), digest("payment_history"));
    let named = |part: &Value| {
        let of_bills = ["pay_late_bills", "pay_kwh_trend", "pay_kwh_change", "pay_bill_delay"];
        of_bills.contains(&part["feature"].as_str().unwrap())
    };
    for point in record["points"].as_array().unwrap() {
        let source = point["provenance"]["source"].as_str().unwrap();
        assert_eq!(point["provenance"]["digest"], digest(source).as_str(), "{point}");
        assert!(!named(point) || source == "utilities", "{point}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_optional_department_clears_no_knock_out_with_old_facts_and_declines_nobody_by_them() {
    let district = District::start().await;
    let bank = district.service.bank("First Bank");
    for (days, open, outcome, reason) in [
        (2000, false, "refer", Some(("EVIDENCE_STALE", "court"))),
        (100, true, "refer", Some(("RECHECK_BEFORE_DECLINE", "payment_history"))),
        (2, true, "decline", None),
        (1, false, "approve", None),
        // Its dates are on record like those of any other: an earlier one is not believed.
        (3, false, "refer", Some(("KNOCK_OUT_UNCHECKED", "payment_history"))),
    ] {
        district.court.behave(court(days, open));
        let decision = bank.decide(GOOD).await;
        assert_eq!(decision["outcome"], outcome, "{days} {open}: {decision}");
        match reason {
            Some(reason) => assert!(codes(&decision).contains(&reason), "{days} {open}: {decision}"),
            None => assert_eq!(codes(&decision), [], "{days} {open}: {decision}"),
        }
        assert_eq!(standing(&decision, "court")["status"] == "invalid", days == 3, "{decision}");
    }
    // Taken back by an operator, the later date stands against nothing any more.
    let forgotten = district.service.command(&[
        "sources",
        "forget-date",
        "court",
        GOOD,
        "--reason",
        "the court's clock ran ahead; confirmed by phone",
        "--by",
        "Li Na",
    ]);
    assert!(forgotten.status.success(), "{}", String::from_utf8_lossy(&forgotten.stderr));
    let decision = bank.decide(GOOD).await;
    assert_eq!(standing(&decision, "court")["status"], "fresh", "{decision}");
    assert_eq!((decision["outcome"].as_str(), codes(&decision)), (Some("approve"), vec![]));
    assert!(district.service.command(&["audit", "verify"]).status.success());
    let rejected = district.service.command(&["sources", "rejected"]);
    let listed = String::from_utf8(rejected.stdout).unwrap();
    assert!(
        rejected.status.success() && listed.lines().any(|line| line.contains("court") && line.contains("/as_of")),
        "{listed}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_optional_department_is_seen_in_the_answer_and_referred_where_the_policy_says_so() {
    let mut district = District::start().await;
    let policy = std::fs::read_to_string(POLICY).unwrap();
    let strict = policy.replace("utilities = \"interval\"", "utilities = \"refer\"");
    assert_ne!(policy, strict);
    let file = district._folder.path().join("policy.toml");
    std::fs::write(&file, strict).unwrap();
    for refers in [false, true] {
        if refers {
            district.service = district.service.restart_with(&[("YUXIN_POLICY__PATH", file.to_str().unwrap())]);
        }
        let bank = district.service.bank("First Bank");
        for (behaviour, status) in [
            (Behaviour::status(503, ""), "unavailable"),
            (Behaviour::json("{}"), "invalid"),
            (Behaviour::status(404, "{}"), "absent"),
        ] {
            district.utilities.behave(behaviour);
            let decision = bank.decide(GOOD).await;
            assert_eq!(standing(&decision, "utilities")["status"], status, "{decision}");
            assert_eq!(codes(&decision).contains(&("EVIDENCE_MISSING", "utilities")), refers, "{status}: {decision}");
        }
    }
}

async fn decide_under(bank: &Bank, limits: Value) -> Value {
    let mut consent = json!({"uscc": GOOD, "purposes": ["working_capital"], "valid_until": "2099-01-01T00:00:00Z"});
    consent.as_object_mut().unwrap().extend(limits.as_object().unwrap().clone());
    let granted = bank.post("/v1/consents").json(&consent).send().await.unwrap();
    let (status, granted): (u16, Value) = (granted.status().as_u16(), granted.json().await.unwrap());
    assert_eq!(status, 201, "{granted}");
    for (limit, names) in limits.as_object().unwrap() {
        assert_eq!(granted[limit].as_array().unwrap().len(), names.as_array().unwrap().len(), "{granted}");
    }
    let decision = bank.post("/v1/decisions").json(&ask(GOOD, granted["id"].as_str().unwrap())).send().await.unwrap();
    let decision: Value = decision.json().await.unwrap();
    let path = format!("/v1/decisions/{}/record", decision["id"].as_str().unwrap());
    bank.get(&path).send().await.unwrap().json::<Value>().await.unwrap()["decision"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_optional_department_is_asked_where_the_consent_names_it_and_fills_only_what_that_covers() {
    let district = District::start().await;
    let bank = district.service.bank("First Bank");
    let main = ["tax", "social_insurance", "payment_history"];
    let decision = decide_under(&bank, json!({"sources": main})).await;
    assert_eq!(
        district.calls(),
        [0, 0, 0],
        "a list without them leaves them out, as it did before they could be named"
    );
    assert_eq!(standing(&decision, "court")["status"], "not_covered");
    let decision = decide_under(&bank, json!({"sources": ["court"]})).await;
    assert_eq!(district.calls(), [0, 1, 0]);
    assert_eq!(standing(&decision, "payment_history")["status"], "not_covered");
    let decision =
        decide_under(&bank, json!({"sources": ["tax", "social_insurance", "payment_history", "court"]})).await;
    assert_eq!(district.calls(), [0, 2, 0]);
    assert_eq!(standing(&decision, "court")["filled"], json!(["enforcements", "wage_arrears"]));
    let fields = ["tax.filings", "social_insurance.months", "payment_history.loans", "court.enforcements"];
    let decision = decide_under(&bank, json!({"fields": fields})).await;
    assert_eq!(district.calls(), [0, 3, 0]);
    let (court, payments) = (standing(&decision, "court"), standing(&decision, "payment_history"));
    assert_eq!((&court["filled"], &court["not_covered"]), (&json!(["enforcements"]), &json!(["wage_arrears"])));
    assert_eq!(payments["not_covered"], json!(["bills", "supplier_delays", "wage_arrears"]), "{payments}");
    let decision = decide_under(&bank, json!({"fields": ["social_insurance.months", "payment_history.loans"]})).await;
    assert_eq!(district.calls(), [0, 3, 0], "parts of a main department are no leave to ask the one that fills it");
    assert!(standing(&decision, "payment_history")["not_covered"].as_array().unwrap().contains(&json!("enforcements")));
    bank.decide(GOOD).await;
    assert_eq!(district.calls(), [1, 4, 1], "a consent without limits covers all that are connected");
    let ledger = district.service.command(&["ledger", GOOD]);
    let ledger = String::from_utf8(ledger.stdout).unwrap();
    assert_eq!(ledger.lines().filter(|line| line.contains("court")).count(), 4, "{ledger}");
}
