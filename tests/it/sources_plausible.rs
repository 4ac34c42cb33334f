//! Departments as strangers build them: each is connected by configuration, and what goes wrong is told and never scored.

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sm3::{Digest, Sm3};
use yuxin::domain::evidence::EvidenceLine;
use yuxin::domain::{Dossier, EvidenceStatus, SourceKind};

use crate::sources_connectors::Connected;
use crate::support::department::{Behaviour, Department, sample};
use crate::support::gathering::{FIRM, firms, line, now, pass, pass_of};

use EvidenceStatus::{Absent, Fresh, Invalid, Unavailable};

/// A social insurance department of rows `{"m", "n", "y"}`, in yuan.
fn social(base_url: &str, keys: &str, map: &str) -> Connected {
    Connected::to(&format!(
        "[social_insurance]\nbase_url = \"{base_url}\"\n{keys}\n[social_insurance.map]\n{map}\n[social_insurance.map.months.each]\n\
         month = \"/m\"\nheads = \"/n\"\nbase_fen = {{ from = \"/y\", unit = \"yuan\" }}\n\
         due_fen = {{ from = \"/y\", unit = \"yuan\" }}\npaid_fen = {{ from = \"/y\", unit = \"yuan\" }}\n"
    ))
}

const MAP: &str = "uscc = \"/data/code\"\nas_of = \"/data/on\"\nmonths.from = \"/data/rows\"";

fn row(month: &str) -> Value {
    json!({"m": month, "n": "3", "y": "1,234.50"})
}

fn data(rows: &[Value]) -> Value {
    json!({"code": FIRM, "on": "2026-10-31", "rows": rows})
}

fn months(dossier: &Dossier) -> usize {
    dossier.social_insurance.record.as_ref().map_or(0, |record| record.months.len())
}

async fn standing(connected: &Connected) -> EvidenceLine {
    line(&connected.gather().await, SourceKind::SocialInsurance)
}

#[tokio::test]
async fn a_signature_goes_into_the_query_over_sorted_parameters_as_the_department_wants_it() {
    let department = Department::start(Behaviour::well(SourceKind::Tax)).await;
    let connectors = |auth: &str| {
        format!(
            "[tax]\nbase_url = \"{}\"\npath = \"/gate\"\nquery = {{ zone = \"上虞\", code = \"{{uscc}}\" }}\n[tax.auth]\nkey_id = \"app one\"\n\
             secret = \"s\"\nquery = {{ key_id = \"appKey\", timestamp = \"ts\", nonce = \"n\", signature = \"sign\" }}\n{auth}\n",
            department.base_url()
        )
    };
    let hmac = "scheme = \"hmac_sm3\"\nsign = [\"sorted_parameters\"]\nencoding = \"HEX\"";
    let digest = "scheme = \"digest_sm3\"\nsign = [\"secret\", \"sorted_parameters\", \"secret\"]\njoin = \"\"";
    for (auth, keyed) in [(hmac, true), (digest, false)] {
        assert_eq!(Connected::to(&connectors(auth)).tax().await.status, Fresh);
        let request = department.requests().pop().unwrap();
        let url = reqwest::Url::parse(&format!("http://h{}", request.split(' ').nth(1).unwrap())).unwrap();
        let mut pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
        let (name, signature) = pairs.pop().unwrap();
        assert_eq!(name, "sign", "what is signed is all that stands before the signature");
        pairs.sort();
        let text = pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
        assert!(text.starts_with(&format!("appKey=app one&code={FIRM}&n=")) && text.ends_with("&zone=上虞"), "{text}");
        let expected = match keyed {
            true => {
                let mac = Hmac::<Sm3>::new_from_slice(b"s").unwrap().chain_update(&text).finalize().into_bytes();
                hex::encode_upper(mac)
            }
            false => hex::encode(Sm3::digest(format!("s{text}s"))),
        };
        assert_eq!(signature, expected);
        assert!(!request.to_lowercase().contains("x-app-id"), "{request}");
    }
    // A name replaces the usual one, and an empty one leaves it out.
    let headers =
        "scheme = \"hmac_sm3\"\nsign = [\"path\", \"timestamp\"]\nheaders = { key_id = \"X-Key\", nonce = \"\" }";
    let table = format!(
        "[tax]\nbase_url = \"{}\"\n[tax.auth]\nkey_id = \"k\"\nsecret = \"s\"\n{headers}\n",
        department.base_url()
    );
    assert_eq!(Connected::to(&table).tax().await.status, Fresh);
    let request = department.requests().pop().unwrap().to_lowercase();
    for (header, sent) in
        [("x-key: k", true), ("x-timestamp: ", true), ("x-signature: ", true), ("x-app-id", false), ("x-nonce", false)]
    {
        assert_eq!(request.contains(header), sent, "{header}: {request}");
    }
}

#[tokio::test]
async fn a_token_is_asked_for_and_sent_in_the_departments_own_way() {
    let ask = |tokens: &Department, department: &Department, more: &str| {
        format!(
            "[social_insurance]\nbase_url = \"{}\"\n[social_insurance.auth]\nscheme = \"oauth2\"\ntoken_url = \"{}/token?v=2\"\n\
             client_id = \"yuxin\"\nclient_secret = \"a \\\"b\"\n{more}\n",
            department.base_url(),
            tokens.base_url()
        )
    };
    let names = "client_id_field = \"appKey\"\nclient_secret_field = \"appSecret\"\nform = { grant_type = \"\", sys = \"1\" }\n\
                 token = \"/data/accessToken\"\nexpires_in = \"/data/expireIn\"";
    let json_body = json!({"appKey": "yuxin", "appSecret": "a \"b", "sys": "1"});
    for (request, carrier, sent) in [
        ("json", "header = \"X-Access-Token\"", "x-access-token: t0ken\r\n"),
        ("json", "header = \"X-Token\"\nprefix = \"token \"", "x-token: token t0ken\r\n"),
        ("query", "", "authorization: Bearer t0ken\r\n"),
        ("query", "prefix = \"\"", "authorization: t0ken\r\n"),
        ("form", "query = \"access_token\"", "?access_token=t0ken HTTP"),
    ] {
        let token = json!({"code": 0, "data": {"accessToken": "t0ken", "expireIn": "7200"}});
        let tokens = Department::start(Behaviour::json(token.to_string())).await;
        let department = Department::start(Behaviour::well(SourceKind::SocialInsurance)).await;
        let connected =
            Connected::to(&ask(&tokens, &department, &format!("request = \"{request}\"\n{carrier}\n{names}")));
        assert_eq!(standing(&connected).await.status, Fresh, "{request} {carrier}");
        let asked = tokens.requests().remove(0);
        match request {
            "json" => {
                assert!(
                    asked.starts_with("POST /token?v=2 ") && asked.contains("content-type: application/json"),
                    "{asked}"
                );
                let body = asked.split("\r\n\r\n").nth(1).unwrap();
                assert_eq!(serde_json::from_str::<Value>(body).unwrap(), json_body);
            }
            "query" => assert!(asked.starts_with("GET /token?v=2&sys=1&appKey=yuxin&appSecret=a%20%22b "), "{asked}"),
            _ => assert!(asked.ends_with("sys=1&appKey=yuxin&appSecret=a%20%22b"), "{asked}"),
        }
        let got = department.requests().remove(0);
        assert!(got.contains(sent), "{got}");
    }
}

#[tokio::test]
async fn a_token_that_is_refused_by_a_code_with_status_200_is_renewed_once() {
    let token = |text: &str| Behaviour::json(json!({"access_token": text}).to_string());
    let tokens = Department::start(Behaviour::InTurn(vec![token("one"), token("two")])).await;
    let good = Behaviour::json(json!({"code": "0", "data": data(&[row("2026-10")])}).to_string());
    let refused = Behaviour::json(json!({"code": "40102"}).to_string());
    let department = Department::start(Behaviour::InTurn(vec![refused.clone(), good])).await;
    let keys = format!(
        "path = \"/s/{{uscc}}\"\n[social_insurance.auth]\nscheme = \"oauth2\"\ntoken_url = \"{}/token\"\nclient_id = \"c\"\nclient_secret = \"s\"\n\
         query = \"token\"\n[social_insurance.envelope]\ncode = \"/code\"\nsuccess = [\"0\"]\ntoken_refused = [\"40102\"]",
        tokens.base_url()
    );
    let connected = social(&department.base_url(), &keys, MAP);
    let line = standing(&connected).await;
    assert_eq!(line.status, Fresh, "{:?}", line.detail);
    let tokens_sent: Vec<bool> = department
        .requests()
        .iter()
        .zip(["one", "two"])
        .map(|(r, token)| r.contains(&format!("?token={token} ")))
        .collect();
    assert_eq!(tokens_sent, [true, true], "{:?}", department.requests());
    department.behave(refused);
    let line = standing(&connected).await;
    assert!(line.status == Unavailable && line.detail.unwrap().contains("refused token"));
}

#[tokio::test]
async fn the_date_may_come_in_a_header_and_is_never_made_up_where_that_is_missing() {
    let body = json!({"data": data(&[row("2026-09"), row("2026-10")])}).to_string();
    let reply = |header: &str| Behaviour::with_headers(200, &[header], body.clone());
    for (format, header, status, said) in [
        ("%Y%m%d", "x-data-date: 20261031", Fresh, "2026-10-31"),
        ("http", "x-data-date: Fri, 30 Oct 2026 20:00:00 GMT", Fresh, "2026-10-31"),
        ("%Y%m%d", "x-data-date: 31.10.2026", Invalid, "header X-Data-Date that is not a date of the format %Y%m%d"),
        ("%Y%m%d", "x-data-date: 20261231", Invalid, "/as_of lies in the future"),
        ("%Y%m%d", "x-other: 20261031", Invalid, "has no header X-Data-Date"),
    ] {
        let department = Department::start(reply(header)).await;
        let map = format!(
            "uscc = \"/data/code\"\nas_of = {{ from = \"header:X-Data-Date\", format = \"{format}\" }}\nmonths.from = \"/data/rows\""
        );
        let connected = social(&department.base_url(), "path = \"/s/{uscc}\"", &map);
        let line = standing(&connected).await;
        assert_eq!(line.status, status, "{header}: {:?}", line.detail);
        let told = line.as_of.map(|day| day.to_string()).or(line.detail).unwrap();
        assert!(told.contains(said), "{told}");
    }
}

#[tokio::test]
async fn json_within_a_text_is_read_also_in_pages_and_what_is_none_is_refused_with_its_place() {
    let text = |data: &Value| Behaviour::json(json!({"code": "0", "data": data.to_string(), "total": 3}).to_string());
    let keys = "path = \"/s/{uscc}?p={page}\"\nunpack = [\"/data\"]\n[social_insurance.envelope]\ncode = \"/code\"\nsuccess = [\"0\"]\n\
                absent_if_empty = \"/data\"\n[social_insurance.paging]\nstyle = \"page\"\nitems = \"/data/rows\"\ntotal_items = \"/total\"";
    let (first, second) = (data(&[row("2026-08"), row("2026-09")]), data(&[row("2026-10")]));
    let department = Department::start(Behaviour::InTurn(vec![text(&first), text(&second)])).await;
    let dossier = social(&department.base_url(), keys, MAP).gather().await;
    assert_eq!(months(&dossier), 3, "{:?}", dossier.social_insurance.detail);
    for (reply, status, said) in [
        (json!({"code": "0", "data": ""}), Absent, "does not know"),
        (json!({"code": "0", "data": "{\"code\": 1, \"code\": 2}"}), Invalid, "/data is a text that should be JSON"),
        (json!({"code": "0", "data": "系统繁忙"}), Invalid, "/data is a text that should be JSON"),
    ] {
        let department = Department::start(Behaviour::json(reply.to_string())).await;
        let plain = keys.split("[social_insurance.paging]").next().unwrap().replace("?p={page}", "");
        let line = standing(&social(&department.base_url(), &plain, MAP)).await;
        assert!(line.status == status && line.detail.as_ref().unwrap().contains(said), "{line:?}");
    }
}

#[tokio::test]
async fn a_code_may_come_with_another_status_than_200_and_only_that_of_an_unknown_firm_counts_there() {
    let keys = "path = \"/s/{uscc}\"\n[social_insurance.envelope]\ncode = \"/code\"\nsuccess = [\"OK\"]\nabsent = [\"NO_SUCH_FIRM\"]\n\
                statuses = [400, 500]";
    let with = |status: u16, body: Value| Behaviour::status(status, body.to_string());
    for (behaviour, status) in [
        (with(400, json!({"code": "NO_SUCH_FIRM"})), Absent),
        (with(500, json!({"code": "NO_SUCH_FIRM"})), Absent),
        (with(400, json!({"code": "BAD_SIGN"})), Unavailable),
        (with(400, json!({"code": "OK", "data": data(&[row("2026-10")])})), Unavailable),
        (with(422, json!({"code": "NO_SUCH_FIRM"})), Unavailable),
        (Behaviour::status(500, "<html>"), Unavailable),
        (with(200, json!({"code": "OK", "data": data(&[row("2026-10")])})), Fresh),
    ] {
        let department = Department::start(behaviour).await;
        let line = standing(&social(&department.base_url(), keys, MAP)).await;
        assert_eq!(line.status, status, "{:?}", line.detail);
    }
}

#[tokio::test]
async fn pages_of_a_department_with_a_cap_of_its_own_go_on_until_one_is_empty() {
    let page = |rows: &[Value]| Behaviour::json(json!({"data": data(rows)}).to_string());
    let all = ["2026-06", "2026-07", "2026-08", "2026-09", "2026-10"].map(row);
    let turns = vec![page(&all[..2]), page(&all[2..4]), page(&all[4..]), page(&[])];
    for (until, found) in [("until = \"empty\"", 5), ("", 2)] {
        let department = Department::start(Behaviour::InTurn(turns.clone())).await;
        let keys = format!(
            "path = \"/s/{{uscc}}?p={{page}}&n={{size}}\"\n[social_insurance.paging]\nstyle = \"page\"\nitems = \"/data/rows\"\nsize = 100\n{until}"
        );
        let dossier = social(&department.base_url(), &keys, MAP).gather().await;
        assert_eq!(months(&dossier), found, "{:?}", dossier.social_insurance.detail);
    }
}

#[tokio::test]
async fn a_further_page_names_firm_and_date_unless_the_connector_says_that_only_the_first_does() {
    let page = |data: Value| Behaviour::json(json!({"data": data, "total": 2}).to_string());
    let first = || page(data(&[row("2026-09")]));
    let bare = |more: Value| {
        let mut data = json!({"rows": [row("2026-10")]});
        data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        page(data)
    };
    let full = json!({"code": FIRM, "on": "2026-10-31"});
    let other = json!({"code": "91330604MA2D7K3P92", "on": "2026-10-31"});
    for (about, second, status) in [
        ("", full.clone(), Fresh),
        ("", json!({}), Invalid),
        ("", json!({"code": FIRM}), Invalid),
        ("", json!({"code": FIRM, "on": null}), Invalid),
        ("", other.clone(), Invalid),
        ("about = \"first\"", full, Fresh),
        ("about = \"first\"", json!({}), Fresh),
        ("about = \"first\"", json!({"code": FIRM, "on": "2026-10-30"}), Invalid),
        ("about = \"first\"", other, Invalid),
    ] {
        let department = Department::start(Behaviour::InTurn(vec![first(), bare(second.clone())])).await;
        let keys = format!(
            "path = \"/s/{{uscc}}?p={{page}}\"\n[social_insurance.paging]\nstyle = \"page\"\nitems = \"/data/rows\"\ntotal_items = \"/total\"\n{about}"
        );
        let line = standing(&social(&department.base_url(), &keys, MAP)).await;
        assert_eq!(line.status, status, "{about} {second}: {:?}", line.detail);
    }
}

#[tokio::test]
async fn pages_that_differ_in_what_they_say_of_the_firm_make_no_record() {
    let page = |month: &str, owed: Value| {
        let mut data = data(&[row(month)]);
        data["owed"] = owed;
        Behaviour::json(json!({"data": data, "total": 2}).to_string())
    };
    let map = format!(
        "{MAP}\narrears = {{ from = \"/data/owed\", optional = true, months = \"/m\", amount_fen = {{ from = \"/y\", unit = \"fen\" }} }}"
    );
    let owed = json!({"m": 0, "y": 0});
    for (first, second, status) in [
        (owed.clone(), owed.clone(), Fresh),
        (owed.clone(), Value::Null, Fresh),
        (owed.clone(), json!({"m": 3, "y": 900_000}), Invalid),
        (Value::Null, owed, Invalid),
    ] {
        let turns = vec![page("2026-09", first.clone()), page("2026-10", second.clone())];
        let department = Department::start(Behaviour::InTurn(turns)).await;
        let keys = "path = \"/s/{uscc}?p={page}\"\n[social_insurance.paging]\nstyle = \"page\"\nitems = \"/data/rows\"\ntotal_items = \"/total\"";
        let line = standing(&social(&department.base_url(), keys, &map)).await;
        assert_eq!(line.status, status, "{first} {second}: {:?}", line.detail);
        let said = line.detail.unwrap_or_default();
        assert_eq!(said.contains("something else than the first"), status == Invalid, "{said}");
    }
}

#[tokio::test]
async fn months_that_lack_a_row_make_no_record_unless_the_mapping_says_what_that_means() {
    for (rows, gaps, status, said) in [
        (vec![row("2026-08"), row("2026-10")], "", Invalid, "/months/1/month is not the month after"),
        (vec![row("2026-08"), row("2026-10")], "\nmonths.gaps = \"zeros\"", Fresh, ""),
        (vec![], "", Invalid, "/months has no month"),
        (vec![], "\nmonths.gaps = \"zeros\"", Invalid, "/months has no month"),
    ] {
        let department = Department::start(Behaviour::json(json!({"data": data(&rows)}).to_string())).await;
        let connected = social(&department.base_url(), "path = \"/s/{uscc}\"", &format!("{MAP}{gaps}"));
        let line = standing(&connected).await;
        assert!(line.status == status && line.detail.unwrap_or_default().contains(said), "{gaps}");
    }
}

#[tokio::test]
async fn a_rating_that_the_department_leaves_out_is_not_shared_and_null_says_that_there_is_none() {
    for (rating, lacks) in
        [(None, true), (Some(Value::Null), false), (Some(json!({"grade": "B", "year": 2025})), false)]
    {
        let mut reply: Value = serde_json::from_str(sample(SourceKind::Tax)).unwrap();
        reply.as_object_mut().unwrap().remove("rating");
        if let Some(rating) = rating {
            reply["rating"] = rating;
        }
        let department = Department::start(Behaviour::json(reply.to_string())).await;
        let tax = Connected::to(&format!("[tax]\nbase_url = \"{}\"\n", department.base_url())).tax().await;
        assert!(tax.status == Fresh && tax.not_shared.contains(&"rating".to_owned()) == lacks, "{tax:?}");
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_in_a_field_that_nobody_reads_make_the_reply_invalid() {
    let text = sample(SourceKind::Tax).trim_start().strip_prefix('{').unwrap();
    let reply = [b"{\"remark\": \"\xc9\xdc\xd0\xcb\", ".as_slice(), text.as_bytes()].concat();
    let department = Department::start(Behaviour::json(reply)).await;
    let tax = Connected::to(&format!("[tax]\nbase_url = \"{}\"\n", department.base_url())).tax().await;
    assert!(tax.status == Invalid && tax.detail.as_ref().unwrap().contains("UTF-8"), "{tax:?}");
}

/// The head and body of a reply as they go over the wire.
fn wire(status: u16, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}", body.len())
        .into_bytes()
}

#[tokio::test]
async fn a_second_reply_that_nobody_asked_for_is_not_taken_for_the_next_firms() {
    let uscc = &firms(1)[0];
    let of = |code: &str| sample(SourceKind::Tax).replace(FIRM, code);
    // Together with the first, and a while after it; the next firm's reply, which is right, comes on another connection.
    for pause_ms in [0, 30] {
        for extra in [wire(404, "{}"), wire(200, &of(uscc.as_str())), wire(200, &of(FIRM))] {
            let twice = Behaviour::Twice { first: wire(200, &of(FIRM)), pause_ms, second: extra };
            let right = Behaviour::json(of(uscc.as_str()).replace("C33", "C34"));
            let department = Department::start(Behaviour::InTurn(vec![twice, right])).await;
            let connected = Connected::to(&format!("[tax]\nbase_url = \"{}\"\n", department.base_url()));
            let sources = connected.sources();
            assert_eq!(line(&sources.gather(&pass(), now()).await, SourceKind::Tax).status, Fresh);
            tokio::time::sleep(std::time::Duration::from_millis(2 * pause_ms)).await;
            let dossier = sources.gather(&pass_of(uscc), now()).await;
            let industry = dossier.tax.record.and_then(|record| record.industry);
            assert_eq!(industry.as_deref(), Some("C34"), "{:?} {:?}", dossier.tax.status, dossier.tax.detail);
            assert_eq!(department.connections(), 2, "the connection with bytes left over is not used again");
        }
    }
}

#[tokio::test]
async fn a_request_carries_its_own_number_and_time_in_headers_and_body() {
    let department = Department::start(Behaviour::well(SourceKind::Tax)).await;
    let table = format!(
        "[tax]\nbase_url = \"{}\"\npath = \"/query\"\nmethod = \"POST\"\nheaders = {{ X-Request-Id = \"{{nonce}}\" }}\n\
         body = '{{\"head\": {{\"id\": \"{{nonce}}\", \"at\": \"{{now:%Y%m%d%H%M%S}}\"}}, \"xydm\": \"{{uscc}}\"}}'\n\
         [tax.auth]\nscheme = \"hmac_sha256\"\nkey_id = \"k\"\nsecret = \"s\"\nsign = [\"body\", \"timestamp\"]\ntimestamp = \"%Y%m%d%H%M%S\"\n",
        department.base_url()
    );
    let connected = Connected::to(&table);
    let mut numbers = Vec::new();
    for _ in 0..2 {
        assert_eq!(connected.tax().await.status, Fresh);
        let request = department.requests().pop().unwrap();
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let header = |name: &str| {
            let line = head.lines().find(|line| line.to_lowercase().starts_with(&format!("{name}: "))).unwrap();
            line.split_once(": ").unwrap().1.to_owned()
        };
        let mac = Hmac::<sha2::Sha256>::new_from_slice(b"s").unwrap();
        let mac = mac.chain_update(format!("{body}\n{}", header("x-timestamp"))).finalize().into_bytes();
        assert_eq!(header("x-signature"), hex::encode(mac), "what is signed is the body as it was sent");
        let body: Value = serde_json::from_str(body).unwrap();
        assert_eq!((body["xydm"].as_str(), body["head"]["at"].as_str().unwrap().len()), (Some(FIRM), 14));
        numbers.extend([header("x-request-id"), body["head"]["id"].as_str().unwrap().to_owned()]);
    }
    assert!(numbers.iter().all(|number| number.len() == 32));
    numbers.sort();
    numbers.dedup();
    assert_eq!(numbers.len(), 4, "no number is used twice");
}
