//! More is asked than can be done: quotas, refusals, and what goes on working.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::Connection;

use crate::support::service::{Sandbox, Service, ask, client};

const WARM: (&str, &str) = ("YUXIN_SOURCES__CACHE_SECONDS", "600");

fn header(response: &reqwest::Response, name: &str) -> String {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn a_bank_past_its_own_quota_is_told_when_to_come_back_and_another_bank_is_not_touched() {
    let sandbox = Sandbox::start(&[]);
    let own = [WARM, ("YUXIN_SERVER__QUOTAS__SMALL__PER_SECOND", "1"), ("YUXIN_SERVER__QUOTAS__SMALL__BURST", "4")];
    let service = Service::start_with(&sandbox.url, &own);
    let (small, large) = (service.bank("small"), service.bank("Large"));
    let firm = sandbox.firms(1).await.remove(0);
    let mut limited = 0;
    for n in 0..40 {
        let response = small.get("/v1/decisions").send().await.unwrap();
        assert_eq!(header(&response, "ratelimit-policy"), "\"bank\";q=4;w=4");
        let left = header(&response, "ratelimit");
        match response.status().as_u16() {
            200 => assert!(n > 0 || left == "\"bank\";r=3;t=1", "{left}"),
            429 => {
                assert!(left.starts_with("\"bank\";r=0;t="), "{left}");
                assert_eq!(header(&response, "retry-after"), "1");
                assert_eq!(header(&response, "x-request-id").len(), 36);
                let problem: Value = response.json().await.unwrap();
                assert_eq!(problem["code"], "QUOTA_EXCEEDED");
                limited += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert!(limited > 0, "the quota never ended");
    let decision = large.decide(&firm).await;
    let shown = large.get(&format!("/v1/decisions/{}", decision["id"].as_str().unwrap())).send().await.unwrap();
    assert_eq!(shown.status(), 200);
    assert_eq!(header(&shown, "ratelimit-policy"), "\"bank\";q=10000;w=2");
    // Who is not known as a bank has no quota to be told of.
    let stranger =
        client().get(format!("{}/v1/decisions", service.url)).bearer_auth("yx_test_nobody").send().await.unwrap();
    assert_eq!((stranger.status().as_u16(), header(&stranger, "ratelimit")), (401, String::new()));
}

#[tokio::test]
async fn a_revoked_key_is_refused_although_it_was_known_and_counts_for_nobody_any_more() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    assert_eq!(bank.get("/v1/decisions").send().await.unwrap().status(), 200);
    let listed = String::from_utf8(service.command(&["keys", "list"]).stdout).unwrap();
    let id = listed.split_whitespace().find(|word| word.len() == 36 && word.contains('-')).unwrap().to_owned();
    assert!(service.command(&["keys", "revoke", &id]).status.success());
    for _ in 0..2 {
        assert_eq!(bank.get("/v1/decisions").send().await.unwrap().status(), 401);
    }
    let again = bank.get("/v1/decisions").send().await.unwrap();
    assert_eq!(header(&again, "ratelimit"), "", "it is still counted for the bank");
}

#[tokio::test]
async fn overload_is_refused_with_retry_after_while_work_goes_on_and_the_probes_answer() {
    let sandbox = Sandbox::start(&[]);
    let impatient = [
        WARM,
        ("YUXIN_SERVER__WAIT_MS_MAX", "20"),
        ("YUXIN_SERVER__DELAY_MS_TARGET", "1"),
        ("YUXIN_SERVER__QUOTA_BURST", "1000000"),
    ];
    let service = Service::start_with(&sandbox.url, &impatient);
    let bank = service.bank("First Bank");
    let firm = sandbox.firms(1).await.remove(0);
    let consent = bank.consent(&firm).await;
    bank.ask(&firm, &consent).await;
    let until = Instant::now() + Duration::from_secs(5);
    let mut callers = Vec::new();
    for _ in 0..400 {
        let (bank, body) = (bank.clone(), ask(&firm, &consent));
        callers.push(tokio::spawn(async move {
            let (mut made, mut refused) = (Vec::new(), 0);
            while Instant::now() < until {
                let response = bank.post("/v1/decisions").json(&body).send().await.unwrap();
                match response.status().as_u16() {
                    201 => made.push(response.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()),
                    503 => {
                        assert_eq!(header(&response, "retry-after"), "1");
                        assert!(header(&response, "ratelimit").starts_with("\"bank\";r="));
                        assert_eq!(response.json::<Value>().await.unwrap()["code"], "OVERLOADED");
                        refused += 1;
                        // As a caller does that reads Retry-After, if an eager one.
                        tokio::time::sleep(Duration::from_millis(100)).await;
                    }
                    other => panic!("{other}"),
                }
            }
            (made, refused)
        }));
    }
    let mut probes = 0;
    while Instant::now() + Duration::from_secs(1) < until {
        for path in ["/livez", "/readyz", "/metrics"] {
            let answer = reqwest::get(format!("{}{path}", service.management)).await.unwrap();
            assert_eq!(answer.status(), 200, "{path}");
            probes += 1;
        }
    }
    let (mut made, mut refused) = (Vec::new(), 0);
    for caller in callers {
        let (of, shed) = caller.await.unwrap();
        made.extend(of);
        refused += shed;
    }
    assert!(probes >= 3 && !made.is_empty() && refused > 0, "{probes} probes, {} made, {refused} refused", made.len());
    let metrics = reqwest::get(format!("{}/metrics", service.management)).await.unwrap().text().await.unwrap();
    for name in
        ["yuxin_shed_total{class=\"live\"", "yuxin_admitted_total{class=\"live\"", "yuxin_admission_delay_seconds"]
    {
        assert!(metrics.contains(name), "{name}:\n{metrics}");
    }
    for id in made.iter().take(20) {
        let found = bank.get(&format!("/v1/decisions/{id}")).send().await.unwrap();
        assert_eq!(found.status(), 200, "acknowledged and lost");
    }
    // It is over, and nothing is left of it.
    assert_eq!(bank.ask(&firm, &consent).await.status(), 201);
}

/// The mean delay that steers admission, in seconds.
async fn delay(service: &Service) -> f64 {
    let metrics = reqwest::get(format!("{}/metrics", service.management)).await.unwrap().text().await.unwrap();
    let line = metrics.lines().find(|line| line.starts_with("yuxin_admission_delay_seconds ")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_lets_writes_wait_makes_admission_shed_and_one_that_writes_again_does_not() {
    let sandbox = Sandbox::start(&[]);
    let patience = [
        WARM,
        ("YUXIN_SERVER__WAIT_MS_MAX", "100"),
        ("YUXIN_SERVER__DELAY_MS_TARGET", "40"),
        ("YUXIN_SERVER__QUOTA_BURST", "1000000"),
    ];
    let service = Service::start_with(&sandbox.url, &patience);
    let bank = service.bank("First Bank");
    let firm = sandbox.firms(1).await.remove(0);
    let consent = bank.consent(&firm).await;
    // What a write takes when nothing holds it up.
    for _ in 0..20 {
        assert_eq!(bank.ask(&firm, &consent).await.status(), 201);
    }
    let url = format!("sqlite://{}", service.database().display());
    let until = Instant::now() + Duration::from_secs(5);
    // Another process that writes to the same file: never for so long that a write fails.
    let holder = tokio::spawn(async move {
        let mut holder = sqlx::SqliteConnection::connect(&url).await.unwrap();
        while Instant::now() < until {
            sqlx::query("BEGIN IMMEDIATE").execute(&mut holder).await.unwrap();
            tokio::time::sleep(Duration::from_millis(500)).await;
            sqlx::query("COMMIT").execute(&mut holder).await.unwrap();
            tokio::time::sleep(Duration::from_millis(30)).await;
        }
        holder.close().await.unwrap();
    });
    let callers: Vec<_> = (0..40)
        .map(|_| {
            let (bank, firm, consent) = (bank.clone(), firm.clone(), consent.clone());
            tokio::spawn(async move {
                let mut shed = 0;
                while Instant::now() < until {
                    let answer = bank.ask(&firm, &consent).await;
                    if answer.status() == 503 && answer.json::<Value>().await.unwrap()["code"] == "OVERLOADED" {
                        shed += 1;
                    }
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                shed
            })
        })
        .collect();
    let mut longest: f64 = 0.0;
    while Instant::now() < until {
        longest = longest.max(delay(&service).await);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let mut shed = 0;
    for caller in callers {
        shed += caller.await.unwrap();
    }
    holder.await.unwrap();
    assert!(longest > 0.1, "writes waited for half a second and {longest} s were noticed");
    assert!(shed > 0, "nobody was shed");
    let began = Instant::now();
    while bank.ask(&firm, &consent).await.status() != 201 {
        assert!(began.elapsed() < Duration::from_secs(10), "it sheds for ever");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[test]
fn a_head_that_dribbles_is_ended_in_time() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start_with(&sandbox.url, &[("YUXIN_SERVER__HEADER_TIMEOUT_MS", "1000")]);
    let mut stream = TcpStream::connect(service.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let began = Instant::now();
    stream.write_all(b"POST /v1/decisions HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
    let mut answer = [0; 64];
    let n = stream.read(&mut answer).unwrap();
    let answer = String::from_utf8_lossy(&answer[..n]).into_owned();
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer:?}");
    assert!(began.elapsed() < Duration::from_secs(5));
}
