//! What a connector may say of a department beside its shape, and shapes that departments have been seen with.

use serde_json::{Value, json};
use yuxin::domain::{EvidenceStatus, SourceKind};
use yuxin::observe::Metrics;
use yuxin::sources::Sources;

use crate::sources_connectors::{Connected, known};
use crate::support::department::{Behaviour, Department, sample};
use crate::support::gathering::{FIRM, line, now, pass};

/// The standard shape of the tax department, with these keys of its own.
fn own(base_url: &str, keys: &str) -> Connected {
    Connected::to(&format!("[tax]\nbase_url = \"{base_url}\"\n{keys}"))
}

#[tokio::test]
async fn a_connector_says_for_how_long_its_answers_are_used_where_the_department_does_not() {
    use EvidenceStatus::{Cached, Fresh};
    for (keys, general, headers, second) in [
        ("", 0, &[][..], Fresh),
        ("cache_seconds = 60", 0, &[], Cached),
        ("cache_seconds = 0", 60, &[], Fresh),
        ("", 60, &[], Cached),
        // What the department states goes first.
        ("cache_seconds = 60", 0, &["cache-control: max-age=0"], Fresh),
        ("cache_seconds = 60", 0, &["cache-control: no-store"], Fresh),
    ] {
        let department =
            Department::start(Behaviour::with_headers(200, headers, sample(SourceKind::Tax).as_bytes().to_vec())).await;
        let mut connected = own(&department.base_url(), keys);
        connected.settings.cache_seconds = general;
        let sources = connected.sources();
        let mut seen = Vec::new();
        for _ in 0..2 {
            seen.push(line(&sources.gather(&pass(), now()).await, SourceKind::Tax).status);
        }
        assert_eq!(seen, [Fresh, second], "{keys}, {general}, {headers:?}");
    }
    let connected = own("http://127.0.0.1:9", "cache_seconds = 86401");
    let refusal = Sources::new(&connected.settings, Metrics::new().unwrap()).err().unwrap().to_string();
    assert!(refusal.contains("tax.cache_seconds") && refusal.contains("cache_seconds_max"), "{refusal}");
}

#[tokio::test]
async fn a_connector_says_after_how_many_days_its_records_are_stale() {
    let department = Department::start(Behaviour::well(SourceKind::Tax)).await;
    for (keys, status) in
        [("stale_after_days = 1", EvidenceStatus::Stale), ("stale_after_days = 3650", EvidenceStatus::Fresh)]
    {
        assert_eq!(own(&department.base_url(), keys).tax().await.status, status, "{keys}");
    }
}

/// A department of yet another shape: GBK, months as names of entries with lists inside, thousands of yuan as text, instants in
/// milliseconds, 是 and 否, the code in lower case under a head of its own, and the next page in a `Link` header.
const LINKED: &str = r#"
path = "/v2/firms/{uscc}"
[tax.envelope]
code = "/header/status/code"
success = ["200"]
absent = ["204"]
[tax.paging]
style = "next_link"
next = "header:Link"
total_items = "header:X-Total-Count"
items = "/body/months"
keyed = true
[tax.map]
uscc = "/header/firm"
as_of = { from = "/header/asOf", format = "epoch_ms" }
name = "/body/名称"
status = { from = "/body/正常", values = { "是" = "normal", "否" = "abnormal" } }
industry = "/body/industry"
registered_on = { from = "/body/since", format = "iso" }
declared_heads = { from = "/body/staff", nothing = ["--"], optional = true }
total_assets_fen = { from = "/body/assets", unit = "stated" }
[tax.map.rating]
from = "/body/rating"
grade = "/0"
year = "/1"
[tax.map.arrears]
from = "/body/owed"
nothing = ["--"]
optional = true
amount_fen = { from = "/amount", unit = "qian_yuan" }
since = { from = "/since", format = "%Y年%m月%d日" }
[tax.map.filings]
from = "/body/months"
keyed = true
inner = ""
sort = ["month", "tax"]
[tax.map.filings.each]
month = { from = "@key", format = "%Y/%m" }
tax = { from = "/kind", values = { "所得税" = "income_tax", "*" = "vat" } }
declared_revenue_fen = { from = "/revenue", unit = "qian_yuan" }
due_fen = { from = "/due", unit = "qian_yuan" }
paid_fen = { from = "/paid", unit = "qian_yuan" }
due_on = { from = "@key", format = "%Y/%m", plus_months = 1, day = 15 }
filed_on = { from = "/filed", format = "epoch_s", nothing = ["--"] }
"#;

fn linked_page(firm: &str, months: &Value) -> String {
    json!({"header": {"status": {"code": 200, "message": "成功"}, "firm": firm.to_lowercase(), "asOf": 1_793_376_000_000i64},
           "body": {"名称": "绍兴上虞某某机械有限公司", "正常": "是", "industry": "C33", "since": "2015-03-11T16:00:00Z", "staff": "41",
                    "assets": "2,150.00万元", "rating": ["B", "2025"], "owed": {"amount": "26.0", "since": "2026年10月16日"}, "months": months}})
    .to_string()
}

#[tokio::test]
async fn a_department_in_gbk_with_months_as_names_and_pages_by_a_link_header_gives_the_same_record() {
    let seconds = |day: &str| format!("{day}T00:00:00+08:00").parse::<jiff::Timestamp>().unwrap().as_second();
    let row = |kind: &str, revenue: &str, due: &str, paid: &str, filed: Value| json!({"kind": kind, "revenue": revenue, "due": due, "paid": paid, "filed": filed});
    let first = json!({"2026/09": [row("增值税", "1,750.000", "52.5", "52.5", json!(seconds("2026-10-16")))]});
    let second = json!({"2026/09": [row("所得税", "5,200", "26", "0", json!("--"))],
                        "2026/08": [row("增值税", "1,800", "54", "54", json!(seconds("2026-09-10")))]});
    let gbk = |text: String| encoding_rs::GBK.encode(&text).0.into_owned();
    let link = "link: </v2/firms/more?cursor=a,b>; rel=\"next\", </v2/firms/all>; rel=\"first\"";
    let total = "x-total-count: 3";
    let named = "content-type: application/json; charset=GB2312";
    let pages = |type_of: &'static str| {
        Behaviour::InTurn(vec![
            Behaviour::with_headers(200, &[type_of, link, total], gbk(linked_page(FIRM, &first))),
            Behaviour::with_headers(200, &[type_of, total], gbk(linked_page(FIRM, &second))),
        ])
    };
    for (keys, type_of) in [("", named), ("charset = \"gbk\"", "content-type: application/json")] {
        let department = Department::start(pages(type_of)).await;
        let connectors = format!("[tax]\nbase_url = \"{}\"\n{keys}{LINKED}", department.base_url());
        let dossier = Connected::to(&connectors).gather().await;
        assert_eq!(dossier.tax.status, EvidenceStatus::Fresh, "{:?}", dossier.tax.detail);
        assert_eq!(dossier.tax.record, Some(known()), "{keys}");
        let requests = department.requests();
        assert!(requests.len() == 2 && requests[1].starts_with("GET /v2/firms/more?cursor=a,b "), "{requests:?}");
    }
    // In neither encoding, or in GBK without a word of it: never a record.
    for (keys, type_of) in [("charset = \"utf-8\"", named), ("", "content-type: application/json")] {
        let department = Department::start(pages(type_of)).await;
        let connectors = format!("[tax]\nbase_url = \"{}\"\n{keys}{LINKED}", department.base_url());
        let line = Connected::to(&connectors).tax().await;
        assert_eq!(line.status, EvidenceStatus::Invalid, "{line:?}");
        assert!(!line.detail.unwrap().contains("有限公司"));
    }
}
