//! Requests that no sane loan system sends: a clear refusal each, never a 500, never a decision.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::service::{Sandbox, Service, ask};

const FIRM: &str = "91330604MA2XY0014W";

#[tokio::test]
async fn every_odd_body_is_refused_with_a_problem_that_says_where() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    let consent = bank.consent(FIRM).await;
    let good = ask(FIRM, &consent);
    let values = [
        json!(null),
        json!(true),
        json!(-1),
        json!(0),
        json!(1.5),
        json!(1e300),
        json!(""),
        json!(" "),
        json!("x".repeat(5000)),
        json!("\u{0}"),
        json!("'; DROP TABLE decisions; --"),
        json!("<script>"),
        json!("𝕏\u{202e}"),
        json!([]),
        json!([[[]]]),
        json!({}),
        json!({"$ne": 1}),
        json!(i64::MAX),
        json!(u64::MAX),
        json!("NaN"),
        json!("../../etc/passwd"),
        json!("%00"),
    ];
    let mut sent = 0;
    for field in ["uscc", "consent_id", "purpose", "amount_fen", "term_months", "unknown_field"] {
        for value in &values {
            let mut body = good.clone();
            body[field] = value.clone();
            let response = bank.post("/v1/decisions").json(&body).send().await.unwrap();
            let status = response.status().as_u16();
            let problem: Value = response.json().await.unwrap();
            assert!(matches!(status, 400 | 403 | 422), "{field} = {value}: {status} {problem}");
            assert!(problem["code"].is_string() && problem["request_id"].is_string(), "{problem}");
            sent += 1;
        }
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(field);
        let status = bank.post("/v1/decisions").json(&body).send().await.unwrap().status().as_u16();
        assert_eq!(
            status,
            match field {
                "unknown_field" => 201,
                "consent_id" => 403,
                _ => 422,
            },
            "without {field}"
        );
    }
    for body in
        ["", "{", "[]", "null", "1", "\"x\"", "{}{}", "{\"uscc\":1,\"uscc\":2}", "\u{feff}{}", &"[".repeat(20_000)]
    {
        for path in ["/v1/decisions", "/v1/consents"] {
            let request = bank.post(path).header("content-type", "application/json").body(body.to_owned());
            let status = request.send().await.unwrap().status().as_u16();
            assert!(matches!(status, 400 | 422), "{body:.20}: {status}");
            sent += 1;
        }
    }
    for (field, value) in [
        ("purposes", json!([])),
        ("purposes", json!(["A"])),
        ("purposes", json!("working_capital")),
        ("purposes", json!(vec!["a"; 21])),
        ("valid_until", json!("2020-01-01T00:00:00Z")),
        ("valid_until", json!("tomorrow")),
        ("valid_until", json!(1)),
        ("document_sha256", json!("abc")),
        ("uscc", json!("91350100M000100Y4Z")),
        ("x", json!(1)),
    ] {
        let mut body = json!({"uscc": FIRM, "purposes": ["working_capital"], "valid_until": "2099-01-01T00:00:00Z"});
        body[field] = value;
        let response = bank.post("/v1/consents").json(&body).send().await.unwrap();
        assert_eq!(response.status(), 422, "{body}");
        sent += 1;
    }
    assert!(sent > 150);
    let listed: Value = bank.get("/v1/decisions").send().await.unwrap().json().await.unwrap();
    assert_eq!(listed["decisions"].as_array().unwrap().len(), 1, "only the one whole request made a decision");
}

#[tokio::test]
async fn odd_paths_methods_headers_and_types_are_refused_in_one_shape() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    let consent = bank.consent(FIRM).await;
    for (method, path, expected) in [
        ("GET", "/", 404),
        ("GET", "/v1", 404),
        ("GET", "/v1/nothing", 404),
        ("PUT", "/v1/decisions", 405),
        ("PATCH", "/v1/consents", 405),
        ("DELETE", "/v1/decisions/0192f0c1-2b4a-7000-8000-000000000000", 405),
        ("GET", "/v1/decisions/not-an-id", 404),
        ("GET", "/v1/decisions/0192f0c1-2b4a-7000-8000-000000000000", 404),
        ("GET", "/v1/consents/%00", 404),
        ("GET", "/v1/decisions?uscc=1", 422),
        ("GET", "/v1/decisions?cursor=x", 422),
        ("GET", "/v1/decisions?uscc=a&uscc=b", 422),
        ("GET", "/v1/decisions?limit=1", 422),
        ("GET", "/metrics", 404),
        ("GET", "/%2e%2e/etc/passwd", 404),
        ("FOO", "/v1/decisions", 405),
        ("GET", "/v1/consents", 405),
        ("HEAD", "/v1/decisions/x", 405),
    ] {
        let method_of = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = bank.client.request(method_of, format!("{}{path}", bank.url)).bearer_auth(&bank.key);
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{method} {path}");
        assert!(response.headers().contains_key("x-request-id"));
        if method != "HEAD" {
            assert_eq!(response.headers()["content-type"], "application/problem+json", "{method} {path}");
        }
    }
    for media in ["text/plain", "application/xml", "", "application/json5"] {
        let request = bank.post("/v1/decisions").header("content-type", media).body(ask(FIRM, &consent).to_string());
        assert_eq!(request.send().await.unwrap().status(), 415, "{media}");
    }
    for key in ["", " ", &"k".repeat(256), "a b", "ключ"] {
        let header = reqwest::header::HeaderValue::from_bytes(key.as_bytes()).unwrap();
        let request = bank.post("/v1/decisions").header("idempotency-key", header).json(&ask(FIRM, &consent));
        assert_eq!(request.send().await.unwrap().status(), 422, "{key}");
    }
    let large = json!({"uscc": "9".repeat(100_000)});
    assert_eq!(bank.post("/v1/decisions").json(&large).send().await.unwrap().status(), 413);
    let in_chinese = bank.client.get(format!("{}/v1/decisions", bank.url)).send().await.unwrap();
    let problem: Value = in_chinese.json().await.unwrap();
    assert!(problem["title"].as_str().unwrap().contains("密钥"), "zh-CN is the default: {problem}");
    let request = bank.client.post(format!("{}/v1/decisions", bank.url)).bearer_auth(&bank.key);
    let problem: Value = request.json(&ask("123", &consent)).send().await.unwrap().json().await.unwrap();
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("18位"), "{problem}");
}

#[test]
fn a_body_that_dribbles_is_ended_in_time() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start_with(&sandbox.url, &[("YUXIN_SERVER__BODY_TIMEOUT_MS", "1000")]);
    let key = service.key("First Bank");
    let mut stream = TcpStream::connect(service.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = format!(
        "POST /v1/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    let mut boaster = TcpStream::connect(service.url.trim_start_matches("http://")).unwrap();
    boaster.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    boaster.write_all(head.replace("Length: 500", "Length: 99999999999").as_bytes()).unwrap();
    let mut refusal = [0; 64];
    let n = boaster.read(&mut refusal).unwrap();
    assert!(
        String::from_utf8_lossy(&refusal[..n]).starts_with("HTTP/1.1 413"),
        "{:?}",
        String::from_utf8_lossy(&refusal[..n])
    );
    let began = Instant::now();
    let mut answer = [0; 64];
    let n = stream.read(&mut answer).unwrap();
    assert!(
        String::from_utf8_lossy(&answer[..n]).starts_with("HTTP/1.1 408"),
        "{:?}",
        String::from_utf8_lossy(&answer[..n])
    );
    assert!(began.elapsed() < Duration::from_secs(5));
}
