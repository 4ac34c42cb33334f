//! A department of a shape not seen before is connected by configuration alone, and whatever goes wrong on the way has a name.

use std::path::PathBuf;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sm3::{Digest, Sm3};
use tempfile::TempDir;
use yuxin::domain::evidence::{EvidenceLine, TaxRecord};
use yuxin::domain::{Dossier, EvidenceStatus, SourceKind};
use yuxin::observe::Metrics;
use yuxin::settings::{Settings, SourcesSettings};
use yuxin::sources::Sources;

use crate::support::department::{Behaviour, Department, sample};
use crate::support::gathering::{FIRM, firms, line, now, pass, pass_of};

/// The map of a department that speaks Chinese, counts in yuan and pages its returns.
const MAP: &str = include_str!("support/replies/paged-tax-map.toml");

/// Connectors written to a file, and departments of the standard shape for what it does not describe.
pub struct Connected {
    _folder: TempDir,
    pub settings: SourcesSettings,
}

impl Connected {
    pub fn to(connectors: &str) -> Connected {
        let folder = TempDir::new().unwrap();
        let file: PathBuf = folder.path().join("sources.toml");
        std::fs::write(&file, connectors).unwrap();
        let mut settings = Settings::with_overrides("").unwrap().sources;
        settings.connectors = file;
        // Nothing listens there: only the connector under test is of interest.
        for of in [&mut settings.tax, &mut settings.social_insurance, &mut settings.payment_history] {
            of.base_url = "http://127.0.0.1:9".into();
        }
        Connected { _folder: folder, settings }
    }

    pub fn sources(&self) -> Sources {
        Sources::new(&self.settings, Metrics::new().unwrap()).unwrap()
    }

    pub async fn gather(&self) -> Dossier {
        self.sources().gather(&pass(), now()).await
    }

    pub async fn tax(&self) -> EvidenceLine {
        line(&self.gather().await, SourceKind::Tax)
    }
}

fn signed(base_url: &str) -> String {
    format!(
        "[tax]\nbase_url = \"{base_url}/gate\"\npath = \"/api/tax\"\n\
         query = {{ creditCode = \"{{uscc}}\", pageNo = \"{{page}}\", pageSize = \"{{size}}\" }}\n\
         headers = {{ X-Sign-Algorithm = \"SM3\" }}\n\
         [tax.auth]\nscheme = \"hmac_sm3\"\nkey_id = \"yuxin\"\nsecret = \"top secret\"\nheaders = {{ signature = \"X-Sign\" }}\n\
         [tax.envelope]\ncode = \"/code\"\nsuccess = [\"0000\"]\nabsent = [\"40400\"]\n\
         [tax.paging]\nstyle = \"page\"\nitems = \"/data/list\"\nsize = 2\ntotal_items = \"/data/total\"\n{MAP}"
    )
}

fn page(rows: &[Value]) -> Vec<u8> {
    json!({"code": "0000", "msg": "ok", "data": {
        "creditCode": FIRM, "asOf": "20261031", "name": "绍兴上虞某某机械有限公司", "state": "正常", "industry": "C33", "founded": 1_426_089_600_000i64,
        "heads": "41人", "assets": "2,150.00万元", "rating": "2025-B", "owed": "26,000.00", "owedSince": "20261016", "total": 3, "list": rows,
    }})
    .to_string()
    .into_bytes()
}

fn rows() -> [Value; 3] {
    let row = |period: &str, tax: &str, revenue: &str, due: &str, paid: &str, filed: &str| json!({"period": period, "tax": tax, "revenue": revenue, "due": due, "paid": paid, "filed": filed});
    [
        row("202609", "企业所得税", "5,200,000.00", "26,000.00", "0", "-"),
        row("202608", "增值税", "1,800,000.00", "54,000.00", "54,000.00", "20260910"),
        row("202609", "增值税", "1,750,000.00", "52,500.00", "52,500.00", "20261016"),
    ]
}

fn pages() -> Behaviour {
    let rows = rows();
    Behaviour::InTurn(vec![Behaviour::json(page(&rows[..2])), Behaviour::json(page(&rows[2..]))])
}

/// The samples' record, without what the paged department does not share.
pub fn known() -> TaxRecord {
    let mut record: TaxRecord = serde_json::from_str(sample(SourceKind::Tax)).unwrap();
    record.filings.as_mut().unwrap().sort_by_key(|filing| (filing.month, filing.tax as u8 == 0));
    (record.invoices, record.invoices_since) = (None, None);
    record
}

#[tokio::test]
async fn a_paged_and_signed_department_gives_the_same_record_as_one_of_the_standard_shape() {
    let department = Department::start(pages()).await;
    let dossier = Connected::to(&signed(&department.base_url())).gather().await;
    assert_eq!(dossier.tax.status, EvidenceStatus::Fresh, "{:?}", dossier.tax.detail);
    assert_eq!(dossier.tax.record, Some(known()));
    let requests = department.requests();
    assert_eq!(requests.len(), 2);
    let mut nonces = Vec::new();
    for (number, request) in requests.iter().enumerate() {
        let header = |name: &str| {
            let line = request.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}: "))).unwrap();
            line.split_once(": ").unwrap().1.to_owned()
        };
        let query = format!("creditCode={FIRM}&pageNo={}&pageSize=2", number + 1);
        assert!(request.starts_with(&format!("GET /gate/api/tax?{query} ")), "{request}");
        let (timestamp, nonce) = (header("x-timestamp"), header("x-nonce"));
        let digest = hex::encode(Sm3::digest(b""));
        let text = format!("GET\n/gate/api/tax\n{query}\n{digest}\n{timestamp}\n{nonce}");
        let mac = Hmac::<Sm3>::new_from_slice(b"top secret").unwrap().chain_update(text).finalize().into_bytes();
        assert_eq!(header("x-sign"), hex::encode(mac));
        assert_eq!((header("x-app-id"), header("x-sign-algorithm")), ("yuxin".into(), "SM3".into()));
        nonces.push(nonce);
    }
    assert_ne!(nonces[0], nonces[1]);
}

#[tokio::test]
async fn whatever_a_page_says_wrong_has_a_name_and_never_makes_half_a_record() {
    let all = rows();
    let change = |pointer: &str, value: Value| {
        let mut page: Value = serde_json::from_slice(&page(&all[2..])).unwrap();
        *page.pointer_mut(pointer).unwrap() = value;
        Behaviour::json(page.to_string())
    };
    let first = || Behaviour::json(page(&all[..2]));
    let second = |behaviour: Behaviour| Behaviour::InTurn(vec![first(), behaviour]);
    use EvidenceStatus::{Absent, Invalid, Unavailable};
    for (behaviour, status, detail) in [
        (Behaviour::json("{\"code\": \"40400\"}"), Absent, "does not know the firm"),
        (Behaviour::json("{\"code\": \"50000\", \"msg\": \"busy\"}"), Unavailable, "neither as success nor as absent"),
        (Behaviour::json("{\"msg\": \"busy\"}"), Invalid, "/code is not there"),
        (Behaviour::json("{\"code\": \"0000\"}"), Invalid, "page 1"),
        (Behaviour::json("<html>"), Invalid, "web page"),
        (Behaviour::status(403, ""), Unavailable, "status 403"),
        (second(Behaviour::status(500, "")), Unavailable, "status 500"),
        (second(Behaviour::status(404, "")), Invalid, "page 2 of the department's reply is not there"),
        (second(Behaviour::json("{")), Invalid, "page 2 of the department's reply is not JSON"),
        (second(change("/data/creditCode", json!("91330604MA2D7K3P92"))), Invalid, "another firm or date"),
        (second(change("/data/asOf", json!("20261030"))), Invalid, "another firm or date"),
        (second(change("/data/list", json!([]))), Invalid, "page 2 of the department's reply is empty"),
        (second(change("/data/list/0/due", json!("secret"))), Invalid, "/data/list/2/due is not a number"),
        (second(change("/data/list/0/due", json!(null))), Invalid, "/data/list/2/due is null"),
        (second(change("/data/list/0/due", json!("5.25万元"))), Invalid, "/data/list/2/due ends in another unit"),
        (
            second(change("/data/list/0/period", json!("2026-09"))),
            Invalid,
            "/data/list/2/period is not a date of the format",
        ),
        (
            second(change("/data/list/0/period", json!("202611"))),
            Invalid,
            "as mapped: /filings/2/month lies after as_of",
        ),
        (second(change("/data/list/0/tax", json!("印花税"))), Invalid, "/data/list/2/tax is none of the words"),
    ] {
        let department = Department::start(behaviour).await;
        let tax = Connected::to(&signed(&department.base_url())).tax().await;
        let said = tax.detail.unwrap_or_default();
        assert!(tax.status == status && said.contains(detail), "{detail}: {:?} {said}", tax.status);
        assert!(!said.contains("secret") && !said.contains(FIRM), "{said}");
    }
}

#[tokio::test]
async fn rules_of_the_connector_make_a_record_invalid_that_breaks_them() {
    for (rule, broken) in [("rows_min = 3", None), ("rows_min = 4", Some("/filings has fewer rows than 4"))] {
        let department = Department::start(pages()).await;
        let rules = format!("{}\n[[tax.rules]]\nat = \"/filings\"\n{rule}\n", signed(&department.base_url()));
        let tax = Connected::to(&rules).tax().await;
        assert_eq!(tax.status == EvidenceStatus::Invalid, broken.is_some(), "{:?}", tax.detail);
        assert!(tax.detail.unwrap_or_default().contains(broken.unwrap_or("")));
    }
}

/// A department of the standard shape whose rows come by links.
fn linked(base_url: &str) -> String {
    format!(
        "[payments]\nkind = \"payment_history\"\nbase_url = \"{base_url}\"\npath = \"/p/{{uscc}}\"\n\
         [payments.paging]\nstyle = \"next_link\"\nitems = \"/rows\"\nnext = \"/next\"\n\
         [payments.map]\nuscc = \"/code\"\nas_of = \"/on\"\n\
         supplier_delays = {{ from = \"/rows\", each = {{ month = \"/m\", days = \"/d\" }} }}\n"
    )
}

#[tokio::test]
async fn links_to_the_next_page_are_followed_at_the_same_host_and_nowhere_else() {
    let page = |month: &str, next: Value| {
        Behaviour::json(
            json!({"code": FIRM, "on": "2026-10-31", "rows": [{"m": month, "d": "1.5"}], "next": next}).to_string(),
        )
    };
    let elsewhere = Department::start(page("2026-10", Value::Null)).await;
    for (next, followed) in [
        (json!("?after=1"), true),
        (json!("/q"), true),
        (json!(elsewhere.base_url()), false),
        (json!("http://user@127.0.0.1:1/"), false),
    ] {
        let department =
            Department::start(Behaviour::InTurn(vec![page("2026-09", next.clone()), page("2026-10", Value::Null)]))
                .await;
        let dossier = Connected::to(&linked(&department.base_url())).gather().await;
        let line = line(&dossier, SourceKind::PaymentHistory);
        assert_eq!(line.status == EvidenceStatus::Fresh, followed, "{next}: {:?}", line.detail);
        if followed {
            assert_eq!(dossier.payment_history.record.unwrap().supplier_delays.unwrap().len(), 2);
        } else {
            assert!(line.detail.unwrap().contains("another host"));
        }
    }
    assert!(elsewhere.requests().is_empty());
}

fn with_tokens(tokens: &str, department: &str) -> String {
    format!(
        "[social_insurance]\nbase_url = \"{department}\"\n[social_insurance.auth]\nscheme = \"oauth2\"\n\
         token_url = \"{tokens}/oauth/token\"\nclient_id = \"yuxin\"\nclient_secret = \"a b&c\"\nscope = \"query\"\n"
    )
}

fn token(text: &str) -> Behaviour {
    Behaviour::json(json!({"access_token": text, "token_type": "bearer", "expires_in": 300}).to_string())
}

fn social(dossier: &Dossier) -> EvidenceLine {
    line(dossier, SourceKind::SocialInsurance)
}

#[tokio::test]
async fn one_token_serves_many_requests_and_a_refused_one_is_renewed_once() {
    let tokens = Department::start(Behaviour::InTurn(vec![token("one"), token("two")])).await;
    let department = Department::start(Behaviour::knowing()).await;
    let connected = Connected::to(&with_tokens(&tokens.base_url(), &department.base_url()));
    let sources = connected.sources();
    let (pass, pass_too) = (pass(), pass_of(&firms(1)[0]));
    let (a, b) = tokio::join!(sources.gather(&pass, now()), sources.gather(&pass_too, now()));
    assert!([a, b].iter().all(|dossier| social(dossier).status == EvidenceStatus::Fresh));
    assert_eq!(tokens.requests().len(), 1, "two firms at once wait for one token");
    assert!(
        tokens.requests()[0]
            .ends_with("grant_type=client_credentials&scope=query&client_id=yuxin&client_secret=a%20b%26c")
    );
    assert!(department.requests().iter().all(|request| request.contains("authorization: Bearer one\r\n")));

    let well = Behaviour::knowing();
    let turns = vec![well.clone(), well.clone(), Behaviour::status(401, ""), well];
    department.behave(Behaviour::InTurn(turns));
    assert_eq!(social(&sources.gather(&pass, now()).await).status, EvidenceStatus::Fresh);
    assert_eq!(tokens.requests().len(), 2);
    assert!(department.requests()[3].contains("authorization: Bearer two\r\n"));

    department.behave(Behaviour::status(401, ""));
    let refused = social(&sources.gather(&pass, now()).await);
    assert_eq!(refused.status, EvidenceStatus::Unavailable);
    assert!(refused.detail.unwrap().contains("401"));
    assert_eq!(tokens.requests().len(), 3, "renewed once, not for ever");
}

/// A token address that never gives the same token twice.
fn many_tokens() -> Behaviour {
    Behaviour::InTurn((0..500).map(|n| token(&format!("t{n}"))).collect())
}

/// Gathers about a hundred firms, four at once.
async fn a_hundred(connected: &Connected) -> Vec<EvidenceLine> {
    use futures_util::StreamExt;
    let sources = connected.sources();
    let firms = firms(100);
    let one = async |firm| social(&sources.gather(&pass_of(firm), now()).await);
    futures_util::stream::iter(&firms).map(one).buffer_unordered(4).collect().await
}

#[tokio::test]
async fn a_department_that_refuses_every_token_or_every_second_call_costs_a_tenth_more_calls_and_few_tokens() {
    let good = Behaviour::knowing();
    for (department, tokens_max) in [
        (Behaviour::status(401, ""), 4),
        (Behaviour::ByTurns(vec![good.clone(), Behaviour::status(401, "")]), 15),
        (Behaviour::ByTurns(vec![good, Behaviour::status(401, ""), Behaviour::status(401, "")]), 15),
    ] {
        let tokens = Department::start(many_tokens()).await;
        let department = Department::start(department).await;
        let mut connected = Connected::to(&with_tokens(&tokens.base_url(), &department.base_url()));
        // The breaker out of the way, so that only the budget and the pause bound the calls.
        connected.settings.breaker_failures = 1_000_000;
        for line in a_hundred(&connected).await {
            let silent = line.status == EvidenceStatus::Unavailable;
            assert!(silent || line.status == EvidenceStatus::Fresh, "{line:?}");
            assert!(!silent || line.detail.is_some_and(|detail| detail.contains("token")));
        }
        let (asked, renewed) = (department.requests().len(), tokens.requests().len());
        assert!(asked <= 110 && renewed <= tokens_max, "{asked} calls, {renewed} tokens");
    }
}

#[tokio::test]
async fn a_department_that_refuses_also_a_new_token_has_failed_for_its_breaker() {
    let tokens = Department::start(many_tokens()).await;
    let department = Department::start(Behaviour::status(401, "")).await;
    let mut connected = Connected::to(&with_tokens(&tokens.base_url(), &department.base_url()));
    connected.settings.breaker_failures = 1;
    let sources = connected.sources();
    let detail = async || social(&sources.gather(&pass(), now()).await).detail.unwrap();
    let (first, then) = (detail().await, detail().await);
    assert!(first.contains("refuses the token") && then.contains("failed too often"), "{first}; {then}");
    assert_eq!((department.requests().len(), tokens.requests().len()), (2, 2));
}

#[tokio::test]
async fn a_token_address_that_refuses_is_left_alone_for_a_few_seconds_and_then_asked_again() {
    let refused = Behaviour::status(401, "{\"error\": \"invalid_client\"}");
    let tokens = Department::start(refused).await;
    let department = Department::start(Behaviour::knowing()).await;
    let connected = Connected::to(&with_tokens(&tokens.base_url(), &department.base_url()));
    let lines = a_hundred(&connected).await;
    assert!(lines.iter().all(|line| line.status == EvidenceStatus::Unavailable));
    let details: Vec<String> = lines.into_iter().filter_map(|line| line.detail).collect();
    assert!(details.iter().all(|detail| detail.contains("refuses the client's credentials")), "{details:?}");
    assert!(details.iter().filter(|detail| detail.contains("asked again in a few seconds")).count() >= 95);
    assert!((1..=2).contains(&tokens.requests().len()), "{}", tokens.requests().len());
    assert!(department.requests().is_empty());

    let sources = connected.sources();
    assert_eq!(social(&sources.gather(&pass(), now()).await).status, EvidenceStatus::Unavailable);
    tokens.behave(token("good"));
    let began = std::time::Instant::now();
    while social(&sources.gather(&pass(), now()).await).status != EvidenceStatus::Fresh {
        assert!(began.elapsed().as_secs() < 30, "it is never asked again");
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(began.elapsed().as_secs() >= 3, "it was not left alone");
}

#[tokio::test]
async fn a_header_that_cannot_be_read_makes_the_reply_invalid_and_no_list_shorter() {
    let page = |rows: &str, day: &str| format!("{{\"c\": \"{FIRM}\", \"d\": \"{day}\", \"l\": [{rows}]}}");
    let row = |month: &str| format!("{{\"m\": \"{month}\", \"n\": 5, \"b\": 100}}");
    let map = "[social_insurance.map]\nuscc = \"/c\"\n[social_insurance.map.months]\nfrom = \"/l\"\n\
               [social_insurance.map.months.each]\nmonth = \"/m\"\nheads = \"/n\"\n\
               base_fen = { from = \"/b\", unit = \"yuan\" }\ndue_fen = { from = \"/b\", unit = \"yuan\" }\n\
               paid_fen = { from = \"/b\", unit = \"yuan\" }\n";
    let paged = "path = \"/f/{uscc}\"\nquery = { c = \"{cursor}\" }\n[social_insurance.paging]\nstyle = \"cursor\"\nitems = \"/l\"\n\
                 next = \"header:X-Next\"\n";
    let by_header = "as_of = { from = \"header:X-Day\" }";
    let (first, last) = (page(&row("2026-09"), "2026-10-31"), page(&row("2026-10"), "2026-10-31"));
    let with =
        |header: &str, body: &str| Behaviour::with_headers(200, &["content-type: application/json", header], body);
    for (table, as_of, replies, right) in [
        (paged, "as_of = \"/d\"", [with("x-next: two", &first), with("x-other: 1", &last)], true),
        (paged, "as_of = \"/d\"", [with("x-next: 下一页", &first), with("x-other: 1", &last)], false),
        (paged, "as_of = \"/d\"", [with("x-next: two", &first), with("x-next: 三", &last)], false),
        ("path = \"/f/{uscc}\"\n", by_header, [with("x-day: 2026-10-31", &last), with("x-other: 1", &last)], true),
        (
            "path = \"/f/{uscc}\"\n",
            by_header,
            [with("x-day: 2026-10-31\r\nx-day: 十月", &last), with("x-other: 1", &last)],
            false,
        ),
    ] {
        let department = Department::start(Behaviour::InTurn(replies.to_vec())).await;
        let (url, map) = (department.base_url(), map.replacen("uscc", &format!("{as_of}\nuscc"), 1));
        let connectors = format!("[social_insurance]\nbase_url = \"{url}\"\n{table}{map}");
        let line = social(&Connected::to(&connectors).gather().await);
        let expected = if right { EvidenceStatus::Fresh } else { EvidenceStatus::Invalid };
        assert_eq!(line.status, expected, "{as_of}: {:?}", line.detail);
        assert!(right || line.detail.is_some_and(|detail| detail.contains("cannot be read")));
    }
}

#[tokio::test]
async fn without_a_token_the_department_is_not_asked_and_the_deadline_holds() {
    let department = Department::start(Behaviour::well(SourceKind::SocialInsurance)).await;
    for (behaviour, said) in [
        (Behaviour::status(401, "{}"), "refuses the client's credentials"),
        (Behaviour::json("{\"error\": \"a b&c\"}"), "without a token"),
        (Behaviour::status(503, ""), "status 503"),
        (Behaviour::Silent, "did not answer within"),
    ] {
        let tokens = Department::start(behaviour).await;
        let began = std::time::Instant::now();
        let connected = Connected::to(&with_tokens(&tokens.base_url(), &department.base_url()));
        let line = social(&connected.gather().await);
        assert!(began.elapsed() < std::time::Duration::from_millis(2100));
        let detail = line.detail.unwrap();
        assert!(line.status == EvidenceStatus::Unavailable && detail.contains(said), "{detail}");
        assert!(!detail.contains("a b&c"));
    }
    assert!(department.requests().is_empty());
}

#[tokio::test]
async fn keys_go_where_the_department_wants_them_and_a_body_is_posted() {
    for (auth, expected) in [
        ("scheme = \"bearer\"\ntoken = \"t\"", "authorization: Bearer t\r\n"),
        ("scheme = \"basic\"\nusername = \"u\"\npassword = \"p\"", "authorization: Basic dTpw\r\n"),
        ("scheme = \"api_key\"\nkey = \"k\"", "x-api-key: k\r\n"),
        ("scheme = \"api_key\"\nkey = \"k&\"\nquery = \"appkey\"", "?appkey=k%26 HTTP"),
    ] {
        let department = Department::start(Behaviour::well(SourceKind::Tax)).await;
        let connectors = format!("[tax]\nbase_url = \"{}\"\n[tax.auth]\n{auth}\n", department.base_url());
        assert_eq!(Connected::to(&connectors).tax().await.status, EvidenceStatus::Fresh);
        assert!(department.requests()[0].contains(expected), "{}", department.requests()[0]);
    }
    let department = Department::start(Behaviour::well(SourceKind::Tax)).await;
    let connectors = format!(
        "[tax]\nbase_url = \"{}\"\npath = \"/query\"\nmethod = \"POST\"\nbody = '{{\"data\": {{\"code\": \"{{uscc}}\"}}}}'\n",
        department.base_url()
    );
    assert_eq!(Connected::to(&connectors).tax().await.status, EvidenceStatus::Fresh);
    let request = &department.requests()[0];
    assert!(
        request.starts_with("POST /query ") && request.ends_with(&format!("{{\"data\": {{\"code\": \"{FIRM}\"}}}}"))
    );
}

#[tokio::test]
async fn optional_departments_fill_what_the_main_ones_do_not_share_and_never_overrule_them() {
    let bare = |source: SourceKind, parts: &[&str]| {
        let mut reply: Value = serde_json::from_str(sample(source)).unwrap();
        parts.iter().for_each(|part| reply[*part] = Value::Null);
        Behaviour::json(reply.to_string())
    };
    let tax = Department::start(bare(SourceKind::Tax, &["status", "registered_on"])).await;
    let payments = Department::start(bare(SourceKind::PaymentHistory, &["enforcements"])).await;
    let registry =
        json!({"code": FIRM, "day": "20261115", "state": "吊销,未注销", "founded": "20150312", "sector": "F51"});
    let registry = Department::start(Behaviour::json(registry.to_string())).await;
    let case = json!({"opened": "2025-01-05", "closed": null, "sum": "1.5万元"});
    let court =
        Department::start(Behaviour::json(json!({"code": FIRM, "on": "2026-11-01", "cases": [case]}).to_string()))
            .await;
    let utilities = Department::start(Behaviour::status(503, "")).await;
    let table = |name: &str, department: &Department| format!("[{name}]\nbase_url = \"{}\"\n", department.base_url());
    let part = |name: &str, department: &Department| table(name, department) + "path = \"/firms/{uscc}\"\n";
    let connectors = [
        table("tax", &tax),
        table("payment_history", &payments),
        part("registry", &registry),
        "[registry.map]\nuscc = \"/code\"\nas_of = { from = \"/day\", format = \"%Y%m%d\" }\nindustry = \"/sector\"\n\
         status = { from = \"/state\", values = { \"存续\" = \"normal\", \"吊销,未注销\" = \"abnormal\" } }\n\
         registered_on = { from = \"/founded\", format = \"%Y%m%d\" }\n"
            .into(),
        part("court", &court),
        "[court.map]\nuscc = \"/code\"\nas_of = \"/on\"\n[court.map.enforcements]\nfrom = \"/cases\"\n\
         each = { opened_on = \"/opened\", closed_on = \"/closed\", amount_fen = { from = \"/sum\", unit = \"stated\" } }\n"
            .into(),
        part("utilities", &utilities),
    ]
    .concat();
    let connected = Connected::to(&connectors);
    let dossier = connected.gather().await;
    let record = dossier.tax.record.as_ref().unwrap();
    assert_eq!(serde_json::to_value(record.status).unwrap(), "abnormal");
    assert_eq!(
        (record.registered_on.unwrap().to_string().as_str(), record.industry.as_deref()),
        ("2015-03-12", Some("C33"))
    );
    let enforcements = dossier.payment_history.record.as_ref().unwrap().enforcements.as_ref().unwrap();
    assert_eq!((enforcements.len(), enforcements[0].amount.0), (1, 1_500_000));
    let lines = dossier.all_lines();
    let of = |source| lines.iter().find(|line| line.source == source).unwrap();
    assert_eq!(of(SourceKind::Registry).status, EvidenceStatus::Fresh);
    assert!(of(SourceKind::Registry).detail.as_ref().unwrap().contains("tax says otherwise of industry"));
    let told = &of(SourceKind::Registry).contradicts[0];
    assert_eq!((told.part.as_str(), told.main_says.as_str(), told.says.as_str()), ("industry", "C33", "F51"));
    assert_eq!(of(SourceKind::Court).filled, ["enforcements"]);
    assert_eq!(dossier.supplier(SourceKind::PaymentHistory, "enforcements"), SourceKind::Court);
    assert_eq!(dossier.supplier(SourceKind::PaymentHistory, "loans"), SourceKind::PaymentHistory);
    assert_eq!(of(SourceKind::Court).not_shared, ["wage_arrears"]);
    assert_eq!(of(SourceKind::Utilities).status, EvidenceStatus::Unavailable);
    assert_eq!(lines.len(), 6);

    payments.behave(Behaviour::status(404, ""));
    let dossier = connected.gather().await;
    assert!(dossier.payment_history.record.is_none(), "an optional department makes no record of its own");
    let court = dossier.all_lines().into_iter().find(|line| line.source == SourceKind::Court).unwrap();
    assert!(court.detail.unwrap().contains("not used"));
}
