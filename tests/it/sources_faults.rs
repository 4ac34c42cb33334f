//! A department that is down, slow, garbled or wrong is named in the dossier, in time, and harms no other evidence.

use std::io::Write;
use std::time::{Duration, Instant};

use yuxin::domain::{EvidenceStatus, SourceKind};

use crate::support::department::{Behaviour, Department, sample};
use crate::support::gathering::{District, FIRM, line};

const OTHER_FIRM: &str = "91330604MA2D7K3P92";
/// The promise of the service, for all departments together.
const ANSWERED_WITHIN: Duration = Duration::from_millis(2100);
/// The default of `sources.body_bytes_max`.
const BODY_BYTES_MAX: usize = 1 << 20;

/// One fault: what the department does, how its evidence must stand, a word of the detail, the calls, the metrics' word.
struct Fault {
    name: &'static str,
    behaviour: Behaviour,
    status: EvidenceStatus,
    detail: &'static str,
    calls: usize,
    counted: &'static str,
}

fn faults(source: SourceKind) -> Vec<Fault> {
    use EvidenceStatus::{Absent, Invalid, Unavailable};
    let sample = sample(source);
    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", sample.len());
    let half = [head.as_bytes(), &sample.as_bytes()[..sample.len() / 2]].concat();
    let edited = |from: &str, to: &str| {
        assert!(sample.contains(from), "{from}");
        Behaviour::json(sample.replacen(from, to, 1))
    };
    let slow = |first: &str, rest: &str| Behaviour::Dribble {
        first: first.into(),
        rest: rest.into(),
        pause: Duration::from_millis(100),
    };
    let gzip = ["content-type: application/json", "content-encoding: gzip"];
    let chunked = [format!("{:x}\r\n", 3 << 20).into_bytes(), vec![b' '; 3 << 20], b"\r\n0\r\n\r\n".to_vec()].concat();
    let number = match source {
        SourceKind::Tax => "73",
        SourceKind::SocialInsurance => "481200",
        _ => "52000",
    };
    let fault =
        |name, behaviour, status, detail, calls, counted| Fault { name, behaviour, status, detail, calls, counted };
    vec![
        fault("knows nothing of the firm", Behaviour::status(404, "{}"), Absent, "does not know the firm", 1, "absent"),
        fault(
            "404 of a web server",
            Behaviour::with_headers(404, &["content-type: text/html"], "<html>"),
            Absent,
            "check base_url",
            1,
            "absent",
        ),
        fault("slow headers", slow("", &head), Unavailable, "within 800 ms", 2, "timeout"),
        fault("slow body", slow(&head, sample), Unavailable, "within 800 ms", 2, "timeout"),
        fault("never answers", Behaviour::Silent, Unavailable, "within 800 ms", 2, "timeout"),
        fault("closes at once", Behaviour::Close, Unavailable, "closed the connection", 2, "reset"),
        fault("resets", Behaviour::Reset(Vec::new()), Unavailable, "closed the connection", 2, "reset"),
        fault("resets within the body", Behaviour::Reset(half.clone()), Unavailable, "closed", 2, "reset"),
        fault("half a body", Behaviour::Raw(half), Unavailable, "before its reply was complete", 2, "reset"),
        fault("half a head", Behaviour::Raw(b"HTTP/1.1 200 OK\r\ncont".to_vec()), Unavailable, "closed", 2, "reset"),
        fault("not HTTP", Behaviour::Raw(b"\x00\x01garbage\r\n\r\n".to_vec()), Invalid, "not HTTP", 1, "invalid"),
        fault("500", Behaviour::status(500, "{}"), Unavailable, "status 500", 2, "status"),
        fault("503", Behaviour::status(503, sample), Unavailable, "status 503", 2, "status"),
        fault("429", Behaviour::status(429, "{}"), Unavailable, "status 429 (asked too often)", 1, "status"),
        fault("401", Behaviour::status(401, "{}"), Unavailable, "status 401 (access refused)", 1, "status"),
        fault("400", Behaviour::status(400, "{}"), Unavailable, "status 400", 1, "status"),
        fault("204", Behaviour::status(204, ""), Invalid, "status 204", 1, "invalid"),
        fault("206", Behaviour::status(206, sample), Invalid, "status 206", 1, "invalid"),
        fault("empty", Behaviour::json(""), Invalid, "is empty", 1, "invalid"),
        fault("blank", Behaviour::json(" \n"), Invalid, "is empty", 1, "invalid"),
        fault("web page", Behaviour::json("<html>Please log in</html>"), Invalid, "web page", 1, "invalid"),
        fault("garbage", Behaviour::json(vec![0xff; 64]), Invalid, "not a JSON object", 1, "invalid"),
        fault(
            "truncated JSON",
            Behaviour::json(&sample[..sample.len() - 3]),
            Invalid,
            "middle of its JSON",
            1,
            "invalid",
        ),
        fault("two records", Behaviour::json(sample.repeat(2)), Invalid, "goes on after", 1, "invalid"),
        fault("another firm", edited(FIRM, OTHER_FIRM), Invalid, "another firm", 1, "invalid"),
        fault("no code", edited("\"uscc\"", "\"code\""), Invalid, "lacks the field uscc", 1, "invalid"),
        fault("a code that is none", edited(FIRM, "111111111111111111"), Invalid, "/uscc is not", 1, "invalid"),
        fault(
            "another schema",
            Behaviour::json(format!("{{\"uscc\":\"{FIRM}\",\"a\":1}}")),
            Invalid,
            "lacks",
            1,
            "invalid",
        ),
        fault("NaN", edited(number, "NaN"), Invalid, "not JSON", 1, "invalid"),
        fault("endless number", edited(number, "1e999"), Invalid, "number is too large", 1, "invalid"),
        fault("large number", edited(number, "99999999999999999999"), Invalid, "wrong kind", 1, "invalid"),
        fault(
            "as of the future",
            edited("2026-10-31", "2026-11-17"),
            Invalid,
            "/as_of lies in the future",
            1,
            "invalid",
        ),
        fault(
            "declares 3 MiB",
            slow("HTTP/1.1 200 OK\r\ncontent-length: 3145728\r\n\r\n", sample),
            Invalid,
            "larger",
            1,
            "too_large",
        ),
        fault("3 MiB", Behaviour::json(vec![b' '; 3 << 20]), Invalid, "larger than 1048576", 1, "too_large"),
        fault(
            "3 MiB in chunks",
            Behaviour::with_headers(200, &["transfer-encoding: chunked"], chunked),
            Invalid,
            "larger than 1048576",
            1,
            "too_large",
        ),
        fault(
            "gzip bomb",
            Behaviour::with_headers(200, &gzip, zip(&[b' '; 64 << 20])),
            Invalid,
            "larger",
            1,
            "too_large",
        ),
        fault("broken gzip", Behaviour::with_headers(200, &gzip, sample), Invalid, "compressed", 1, "invalid"),
        fault(
            "cut gzip",
            Behaviour::with_headers(200, &gzip, &zip(sample.as_bytes())[..99]),
            Invalid,
            "compressed",
            1,
            "invalid",
        ),
        fault(
            "brotli",
            Behaviour::with_headers(200, &["content-encoding: br"], "x"),
            Invalid,
            "compressed",
            1,
            "invalid",
        ),
    ]
}

fn zip(plain: &[u8]) -> Vec<u8> {
    let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    zip.write_all(plain).unwrap();
    zip.finish().unwrap()
}

async fn every_fault_of(faulty: SourceKind) {
    for fault in faults(faulty) {
        let name = format!("{faulty}: {}", fault.name);
        let district = District::with(faulty, fault.behaviour).await;
        let started = Instant::now();
        let dossier = district.gather().await;
        let took = started.elapsed();
        assert!(took <= ANSWERED_WITHIN, "{name}: took {took:?}");
        for source in SourceKind::ALL {
            let line = line(&dossier, source);
            if source != faulty {
                assert_eq!(line.status, EvidenceStatus::Fresh, "{name}: harmed {source}: {:?}", line.detail);
                assert_eq!(district.calls(source), 1, "{name}");
                continue;
            }
            let detail = line.detail.unwrap_or_default();
            assert_eq!(line.status, fault.status, "{name}: {detail}");
            assert!(detail.contains(fault.detail), "{name}: {detail}");
            assert!(!detail.contains(FIRM) && !detail.contains(OTHER_FIRM), "{name}: {detail}");
            assert!(!dossier.has(source) && line.as_of.is_none(), "{name}: no part of a record");
            assert_eq!(district.calls(source), fault.calls, "{name}: calls");
            assert_eq!(district.counted(source, fault.counted), fault.calls as u64, "{name}: metrics");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_the_tax_department_is_named_in_time_and_harms_no_other() {
    every_fault_of(SourceKind::Tax).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_the_social_insurance_department_is_named_in_time_and_harms_no_other() {
    every_fault_of(SourceKind::SocialInsurance).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_fault_of_the_payment_history_is_named_in_time_and_harms_no_other() {
    every_fault_of(SourceKind::PaymentHistory).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_departments_down_are_answered_in_time_and_asked_twice_at_most() {
    for behaviour in [Behaviour::Silent, Behaviour::Close, Behaviour::status(503, "")] {
        let district = District::of([behaviour.clone(), behaviour.clone(), behaviour], |_| {}).await;
        let started = Instant::now();
        let dossier = district.gather().await;
        assert!(started.elapsed() <= ANSWERED_WITHIN);
        for source in SourceKind::ALL {
            assert_eq!(line(&dossier, source).status, EvidenceStatus::Unavailable);
            assert_eq!(district.calls(source), 2);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_try_gets_the_time_that_is_left_and_no_more() {
    let district = District::of([Behaviour::Silent, Behaviour::Silent, Behaviour::Silent], |settings| {
        settings.try_timeout_ms = 1500;
    })
    .await;
    let started = Instant::now();
    let dossier = district.gather().await;
    let took = started.elapsed();
    assert!(took >= Duration::from_millis(1900) && took <= ANSWERED_WITHIN, "{took:?}");
    assert_eq!(line(&dossier, SourceKind::Tax).status, EvidenceStatus::Unavailable);
    assert_eq!(district.calls(SourceKind::Tax), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_listening_is_unavailable_at_once() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let district = District::of(SourceKind::ALL.map(Behaviour::well), |settings| settings.tax.base_url = closed).await;
    let started = Instant::now();
    let dossier = district.gather().await;
    assert!(started.elapsed() < Duration::from_millis(800), "{:?}", started.elapsed());
    let tax = line(&dossier, SourceKind::Tax);
    assert_eq!(tax.status, EvidenceStatus::Unavailable);
    assert_eq!(tax.detail.as_deref(), Some("the department cannot be reached"));
    assert_eq!(district.counted(SourceKind::Tax, "connect"), 2);
    assert!(dossier.has(SourceKind::SocialInsurance) && dossier.has(SourceKind::PaymentHistory));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_department_that_recovers_between_two_tries_gives_its_evidence() {
    for first in [Behaviour::Close, Behaviour::Silent, Behaviour::status(502, "")] {
        let turns = Behaviour::InTurn(vec![first, Behaviour::well(SourceKind::Tax)]);
        let district = District::with(SourceKind::Tax, turns).await;
        let dossier = district.gather().await;
        assert_eq!(line(&dossier, SourceKind::Tax).status, EvidenceStatus::Fresh);
        assert_eq!((district.calls(SourceKind::Tax), district.counted(SourceKind::Tax, "ok")), (2, 1));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redirect_is_not_followed() {
    let elsewhere = Department::start(Behaviour::well(SourceKind::Tax)).await;
    for status in [301, 302, 303, 307, 308] {
        let location = format!("location: {}/tax/v1/firms/{FIRM}", elsewhere.base_url());
        let behaviour = Behaviour::with_headers(status, &[&location], "");
        let district = District::with(SourceKind::Tax, behaviour).await;
        let tax = line(&district.gather().await, SourceKind::Tax);
        assert_eq!(tax.status, EvidenceStatus::Unavailable);
        assert!(tax.detail.unwrap().contains("redirects are not followed"));
        assert_eq!(district.calls(SourceKind::Tax), 1);
    }
    assert_eq!(elsewhere.connections(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_body_up_to_the_limit_is_read_and_a_byte_more_is_not() {
    for (padding, status) in [(0, EvidenceStatus::Fresh), (1, EvidenceStatus::Invalid)] {
        let mut body = sample(SourceKind::Tax).as_bytes().to_vec();
        body.resize(BODY_BYTES_MAX + padding, b' ');
        let whole = Behaviour::json(body.clone());
        let zipped = Behaviour::with_headers(200, &["content-encoding: gzip"], zip(&body));
        for behaviour in [whole, zipped] {
            let district = District::with(SourceKind::Tax, behaviour).await;
            assert_eq!(line(&district.gather().await, SourceKind::Tax).status, status, "{padding}");
        }
    }
}
