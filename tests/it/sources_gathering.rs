//! What the connectors ask, what they keep of an answer, and what they keep to themselves.

use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::civil::date;
use sha2::{Digest, Sha256};
use yuxin::domain::{EvidenceStatus, SourceKind};

use crate::support::department::{Behaviour, Department, sample};
use crate::support::gathering::{District, FIRM, firms, line, now, pass};

async fn all_well() -> District {
    District::of(SourceKind::ALL.map(Behaviour::well), |_| {}).await
}

#[tokio::test]
async fn evidence_carries_its_dates_and_the_digest_of_the_reply() {
    let dossier = all_well().await.gather().await;
    for line in dossier.lines() {
        assert_eq!(line.status, EvidenceStatus::Fresh, "{:?}", line.detail);
        assert_eq!(line.as_of, Some(date(2026, 10, 31)));
        assert_eq!(line.digest, Some(hex::encode(Sha256::digest(sample(line.source)))));
        assert!(line.fetched_at.unwrap() >= now() && line.detail.is_none());
    }
    assert_eq!(dossier.tax.record.unwrap().filings.unwrap().len(), 3);
    assert_eq!(dossier.social_insurance.record.unwrap().months[1].heads, 41);
    assert_eq!(dossier.payment_history.record.unwrap().loans.unwrap()[1].days_past_due, 3);
}

#[tokio::test]
async fn a_refused_reply_keeps_its_digest_as_proof() {
    let garbage = "<html>";
    let district = District::with(SourceKind::Tax, Behaviour::json(garbage)).await;
    let tax = line(&district.gather().await, SourceKind::Tax);
    assert_eq!(tax.digest, Some(hex::encode(Sha256::digest(garbage))));
    assert!(tax.fetched_at.is_some());
}

#[tokio::test]
async fn evidence_older_than_the_setting_is_stale_and_still_there() {
    // The samples are as of 2026-10-31, and it is 2026-11-15 in China.
    for (days, status) in [(15, EvidenceStatus::Fresh), (14, EvidenceStatus::Stale)] {
        let district = District::of(SourceKind::ALL.map(Behaviour::well), |s| s.tax.stale_after_days = days).await;
        let dossier = district.gather().await;
        assert_eq!(line(&dossier, SourceKind::Tax).status, status);
        assert!(dossier.has(SourceKind::Tax));
        // Two weeks and 12 hours after the end of that day.
        let age = "yuxin_evidence_age_seconds{source=\"tax\"} 1252800";
        assert!(district.metrics.render().unwrap().contains(age));
    }
}

#[tokio::test]
async fn the_day_is_the_one_in_china() {
    // 2026-10-30 in Greenwich, 2026-10-31 in China: a record as of the 31st is of today there, and of tomorrow a second before.
    let district = all_well().await;
    let evening = "2026-10-30T16:00:00Z".parse().unwrap();
    let early = "2026-10-30T15:59:59Z".parse().unwrap();
    let at = async |now| line(&district.sources.gather(&pass(), now).await, SourceKind::Tax).status;
    assert_eq!((at(evening).await, at(early).await), (EvidenceStatus::Fresh, EvidenceStatus::Invalid));
}

#[tokio::test]
async fn a_request_names_the_firm_in_the_path_and_says_little_else() {
    let district = all_well().await;
    district.gather().await;
    for (department, path) in district.departments.iter().zip(["tax", "social-insurance", "payments"]) {
        let request = department.requests().remove(0).to_ascii_lowercase();
        let mut lines: Vec<&str> = request.trim_end().split("\r\n").collect();
        assert_eq!(lines.remove(0), format!("get /{path}/v1/firms/{} http/1.1", FIRM.to_ascii_lowercase()));
        let mut names: Vec<&str> = lines.iter().map(|line| line.split(':').next().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["accept", "accept-encoding", "host", "user-agent"]);
        assert!(lines.contains(&"accept: application/json") && lines.contains(&"accept-encoding: gzip"));
    }
}

#[tokio::test]
async fn connections_are_used_again() {
    let district = all_well().await;
    for _ in 0..5 {
        district.gather().await;
    }
    for department in &district.departments {
        assert_eq!((department.requests().len(), department.connections()), (5, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_the_department_closed_meanwhile_costs_no_evidence() {
    let body = sample(SourceKind::Tax);
    let reply = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len());
    let district = District::with(SourceKind::Tax, Behaviour::Raw(reply.into())).await;
    for _ in 0..20 {
        assert_eq!(line(&district.gather().await, SourceKind::Tax).status, EvidenceStatus::Fresh);
    }
}

#[tokio::test]
async fn no_cookie_is_sent_back() {
    let answer = Behaviour::with_headers(200, &["set-cookie: firm=1; Path=/"], sample(SourceKind::Tax));
    let district = District::with(SourceKind::Tax, answer).await;
    district.gather().await;
    district.gather().await;
    assert!(!district.departments[0].requests()[1].to_ascii_lowercase().contains("cookie"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn departments_are_asked_at_once() {
    let slow = |source| Behaviour::After(Duration::from_millis(400), Box::new(Behaviour::well(source)));
    let district = District::of(SourceKind::ALL.map(slow), |_| {}).await;
    let started = Instant::now();
    let dossier = district.gather().await;
    assert!(started.elapsed() < Duration::from_millis(800), "{:?}", started.elapsed());
    assert!(SourceKind::ALL.iter().all(|&source| dossier.has(source)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_open_breaker_spares_the_department_and_a_single_probe_of_many_requests_closes_it() {
    let district = District::of_tax(Behaviour::status(503, ""), |settings| {
        (settings.breaker_failures, settings.breaker_open_ms) = (4, 500);
    })
    .await;
    let open = |district: &District| {
        district.metrics.render().unwrap().contains("yuxin_source_breaker_open{source=\"tax\"} 1")
    };
    for _ in 0..2 {
        district.gather().await;
    }
    assert_eq!(district.calls(SourceKind::Tax), 4);
    assert!(open(&district));

    let started = Instant::now();
    let tax = line(&district.gather().await, SourceKind::Tax);
    assert!(started.elapsed() < Duration::from_millis(250));
    assert_eq!(tax.status, EvidenceStatus::Unavailable);
    assert!(tax.detail.unwrap().contains("not asked for a moment"));
    assert_eq!((district.calls(SourceKind::Tax), district.counted(SourceKind::Tax, "refused_by_breaker")), (4, 1));

    // It is back, but slow: while the first request probes it, those about forty other firms are refused.
    district.departments[0].behave(Behaviour::knowing().after_ms(200));
    tokio::time::sleep(Duration::from_millis(520)).await;
    let dossiers = futures_util::future::join_all(firms(41).iter().map(|firm| district.gather_of(firm))).await;
    assert_eq!(dossiers.iter().filter(|dossier| dossier.has(SourceKind::Tax)).count(), 1);
    assert_eq!(district.calls(SourceKind::Tax), 5);
    assert!(!open(&district));
    assert!(district.gather().await.has(SourceKind::Tax));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_department_that_flaps_opens_its_breaker_and_comes_back() {
    let turns =
        [true, false].map(|well| if well { Behaviour::well(SourceKind::Tax) } else { Behaviour::status(500, "") });
    let flapping = Behaviour::InTurn(turns.iter().cycle().take(400).cloned().collect());
    let district = District::of(
        [flapping, Behaviour::well(SourceKind::SocialInsurance), Behaviour::well(SourceKind::PaymentHistory)],
        |settings| (settings.breaker_failures, settings.breaker_open_ms) = (5, 300),
    )
    .await;
    for _ in 0..20 {
        district.gather().await;
    }
    assert!(district.counted(SourceKind::Tax, "refused_by_breaker") > 0);
    district.departments[0].behave(Behaviour::well(SourceKind::Tax));
    tokio::time::sleep(Duration::from_millis(320)).await;
    assert!(district.gather().await.has(SourceKind::Tax));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_and_unknown_firms_never_open_the_breaker() {
    for behaviour in [Behaviour::json("garbage"), Behaviour::status(404, ""), Behaviour::status(403, "")] {
        let others = [SourceKind::SocialInsurance, SourceKind::PaymentHistory].map(Behaviour::well);
        let [social_insurance, payment_history] = others;
        let district = District::of([behaviour, social_insurance, payment_history], |settings| {
            settings.cache_absent_seconds = 0;
        })
        .await;
        for _ in 0..30 {
            district.gather().await;
        }
        assert_eq!(district.calls(SourceKind::Tax), 30);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gathering_that_is_given_up_leaves_the_breaker_usable() {
    let district = District::of(
        [
            Behaviour::status(503, ""),
            Behaviour::well(SourceKind::SocialInsurance),
            Behaviour::well(SourceKind::PaymentHistory),
        ],
        |settings| (settings.breaker_failures, settings.breaker_open_ms) = (2, 100),
    )
    .await;
    district.gather().await;
    district.departments[0].behave(Behaviour::Silent);
    tokio::time::sleep(Duration::from_millis(120)).await;
    // The bank hangs up while the probe is under way.
    let given_up = tokio::time::timeout(Duration::from_millis(50), district.gather()).await;
    assert!(given_up.is_err());
    district.departments[0].behave(Behaviour::well(SourceKind::Tax));
    assert!(district.gather().await.has(SourceKind::Tax));
}

/// Collects everything that is logged on this thread.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn the_firm_is_in_no_log_line_no_metric_and_no_detail() {
    // Other threads would decide for this one which log lines are worth writing.
    if std::env::var_os("TEST_ALONE").is_none() {
        return alone("the_firm_is_in_no_log_line_no_metric_and_no_detail", vec![("TEST_ALONE", "1".into())]).await;
    }
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .with_ansi(false)
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    for behaviour in [
        Behaviour::Close,
        Behaviour::Raw(b"nonsense\r\n\r\n".to_vec()),
        Behaviour::status(500, FIRM),
        Behaviour::json(format!("{{\"uscc\":\"{FIRM}\",\"as_of\":\"{FIRM}\"}}")),
        Behaviour::json(format!("{{\"{FIRM}\": !}}")),
        Behaviour::json(sample(SourceKind::Tax).replace("\"vat\"", &format!("\"{FIRM}\""))),
        Behaviour::with_headers(302, &[&format!("location: http://{FIRM}/")], ""),
    ] {
        let district = District::with(SourceKind::Tax, behaviour).await;
        let dossier = district.gather().await;
        assert!(!dossier.has(SourceKind::Tax));
        let lines = serde_json::to_string(&dossier.lines()).unwrap();
        assert!(!lines.contains(FIRM), "{lines}");
        assert!(!district.metrics.render().unwrap().contains(FIRM));
    }
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("evidence missing") && !log.contains(FIRM), "{log}");
    // Nor the departments' words on people: only where in the reply something is wrong.
    assert!(log.contains("/filings/0/tax is of the wrong kind, expected `vat` or `income_tax`"), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_of_the_environment_is_not_used() {
    let proxy = Department::start(Behaviour::status(200, "{}")).await;
    let address = proxy.base_url();
    let names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    let environment = names.map(|name| (name, address.clone()));
    alone("evidence_carries_its_dates_and_the_digest_of_the_reply", environment.to_vec()).await;
    assert_eq!(proxy.connections(), 0);
}

/// Runs one test of this file in a process of its own, with this environment.
async fn alone(test: &str, environment: Vec<(&'static str, String)>) {
    let mut child = Command::new(std::env::current_exe().unwrap());
    child.args(["--exact", &format!("sources_gathering::{test}")]).envs(environment);
    child.env_remove("NO_PROXY").env_remove("no_proxy");
    let output = tokio::task::spawn_blocking(move || child.output().unwrap()).await.unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

/// Run with `--ignored --nocapture`; prints what gathering costs beside departments that answer at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a check"]
async fn overhead_of_gathering() {
    let district = all_well().await;
    let mut took = Vec::new();
    for _ in 0..2000 {
        let started = Instant::now();
        district.gather().await;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    println!("gather: median {:?}, 99 % {:?}", took[took.len() / 2], took[took.len() * 99 / 100]);
}
