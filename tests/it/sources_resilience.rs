//! What keeps one department's trouble from becoming anybody else's: budgets, hedges, places, shared calls, kept answers.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::iter;
use serde_json::Value;
use yuxin::domain::{Dossier, EvidenceStatus, SourceKind, Uscc};
use yuxin::settings::SourcesSettings;

use crate::support::department::{Behaviour, Department};
use crate::support::gathering::{District, FIRM, firms, line};
use crate::support::service::Service;

const TAX: SourceKind = SourceKind::Tax;
/// The promise of the service, for all departments together.
const ANSWERED_WITHIN: Duration = Duration::from_millis(2100);

/// The breaker out of the way, so that only the budget bounds the calls.
fn no_breaker(settings: &mut SourcesSettings) {
    settings.breaker_failures = 1_000_000;
}

/// Gathers about each firm, so many at once; every dossier with the time that it took.
async fn gather_all(district: &District, firms: &[Uscc], at_once: usize) -> Vec<(Dossier, Duration)> {
    let one = async |firm| {
        let started = Instant::now();
        let dossier = district.gather_of(firm).await;
        (dossier, started.elapsed())
    };
    iter(firms).map(one).buffer_unordered(at_once).collect().await
}

fn tax(dossier: &Dossier) -> EvidenceStatus {
    line(dossier, TAX).status
}

/// Every source has a record, or says why not; nothing in between, and nothing late.
fn assert_nothing_silent(gathered: &[(Dossier, Duration)]) {
    for (dossier, took) in gathered {
        assert!(*took <= ANSWERED_WITHIN, "{took:?}");
        for line in dossier.lines() {
            assert_eq!(dossier.has(line.source), line.status.has_record());
            assert!(line.status.has_record() || line.detail.is_some(), "{:?} without a word", line.status);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_department_that_always_fails_gets_a_tenth_more_calls_than_firms_and_no_more() {
    let district = District::of_tax(Behaviour::status(503, ""), no_breaker).await;
    let gathered = gather_all(&district, &firms(400), 20).await;
    assert_nothing_silent(&gathered);
    assert!(gathered.iter().all(|(dossier, _)| tax(dossier) == EvidenceStatus::Unavailable));
    // With twenty at once, the last of a hundred may find the tenth call not yet earned.
    let calls = district.calls(TAX);
    assert!((430..=440).contains(&calls), "{calls}");
    assert_eq!(district.measured("yuxin_source_retries_total{source=\"tax\"}"), (calls - 400) as u64);
    assert_eq!(district.calls(SourceKind::SocialInsurance), 400 + extra(&district, SourceKind::SocialInsurance));
}

/// Further calls that a department without failures got: hedges only.
fn extra(district: &District, source: SourceKind) -> usize {
    let hedges = ["won", "lost"]
        .map(|r| district.measured(&format!("yuxin_source_hedges_total{{result=\"{r}\",source=\"{source}\"}}")));
    (hedges[0] + hedges[1]) as usize
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_thousand_firms_with_one_department_flapping_none_is_scored_in_silence() {
    let flapping = Behaviour::ByTurns(vec![
        Behaviour::knowing(),
        Behaviour::knowing(),
        Behaviour::status(503, ""),
        Behaviour::knowing(),
        Behaviour::Close,
    ]);
    let district = District::of_tax(flapping, |_| {}).await;
    let gathered = gather_all(&district, &firms(1000), 20).await;
    assert_eq!(gathered.len(), 1000);
    assert_nothing_silent(&gathered);
    let missing = gathered.iter().filter(|(dossier, _)| !dossier.has(TAX)).count();
    assert!(missing > 0 && missing < 1000, "{missing}");
    for source in SourceKind::ALL {
        assert!(district.calls(source) <= 1100, "{source}: {}", district.calls(source));
    }
    assert!(gathered.iter().all(|(dossier, _)| dossier.has(SourceKind::PaymentHistory)));
}

/// Fifty prompt answers, as many as it takes to know what is slow, and then these.
fn known_then(then: Vec<Behaviour>) -> Behaviour {
    Behaviour::InTurn([vec![Behaviour::knowing(); 50], then].concat())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_call_slower_than_most_gets_a_second_beside_it_and_the_first_answer_is_used() {
    let slow = Behaviour::knowing().after_ms(750);
    let district = District::of_tax(known_then(vec![slow, Behaviour::knowing()]), |_| {}).await;
    gather_all(&district, &firms(51)[..50], 1).await;
    let started = Instant::now();
    let dossier = district.gather().await;
    assert!(started.elapsed() < Duration::from_millis(700), "{:?}", started.elapsed());
    assert_eq!((tax(&dossier), district.calls(TAX)), (EvidenceStatus::Fresh, 52));
    assert_eq!(district.measured("yuxin_source_hedges_total{result=\"won\",source=\"tax\"}"), 1);
    // The slow one was given up, which is counted and holds no place.
    assert_eq!(district.counted(TAX, "given_up"), 1);
    assert_eq!(district.measured("yuxin_source_inflight{source=\"tax\"}"), 0);
    let health = &district.sources.health()[0];
    assert_eq!((health.hedges, health.hedges_won, health.retries), (1, 1, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_is_never_both_hedged_and_tried_again() {
    let failing = Behaviour::status(503, "").after_ms(250);
    let district = District::of_tax(known_then(vec![failing]), |_| {}).await;
    gather_all(&district, &firms(50), 1).await;
    let dossier = district.gather().await;
    assert_eq!((tax(&dossier), district.calls(TAX)), (EvidenceStatus::Unavailable, 52));
    assert_eq!(district.measured("yuxin_source_retries_total{source=\"tax\"}"), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_department_that_turns_slow_gets_at_most_a_twentieth_more_calls() {
    let district = District::of_tax(known_then(vec![Behaviour::knowing().after_ms(250)]), |_| {}).await;
    gather_all(&district, &firms(50), 1).await;
    let gathered = gather_all(&district, &firms(250), 16).await;
    assert_nothing_silent(&gathered);
    let hedges = extra(&district, TAX);
    assert!(hedges > 0 && hedges <= 15, "{hedges}");
    // The second call of a look whose first one is answered just then is given up, perhaps before the department has read it.
    assert!((300..=300 + hedges).contains(&district.calls(TAX)), "{} {hedges}", district.calls(TAX));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_department_holds_its_own_callers_and_nobody_elses() {
    let district = District::of_tax(Behaviour::Silent, |settings| {
        no_breaker(settings);
        settings.concurrent_max = 4;
    })
    .await;
    let gathered = gather_all(&district, &firms(40), 40).await;
    assert_nothing_silent(&gathered);
    let full = gathered.iter().filter(|(dossier, _)| line(dossier, TAX).detail.unwrap().contains("so many requests"));
    assert!(full.count() >= 20);
    for (dossier, _) in &gathered {
        assert_eq!(tax(dossier), EvidenceStatus::Unavailable);
        assert_eq!(line(dossier, SourceKind::SocialInsurance).status, EvidenceStatus::Fresh);
        assert_eq!(line(dossier, SourceKind::PaymentHistory).status, EvidenceStatus::Fresh);
    }
    // Four at once, for 800 ms each, in two seconds.
    assert!(district.calls(TAX) <= 12, "{}", district.calls(TAX));
    assert_eq!(district.measured("yuxin_source_inflight{source=\"tax\"}"), 0);
    assert!(district.counted(TAX, "full") >= 20);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_looks_at_one_firm_at_once_are_one_call() {
    let slow = || Behaviour::knowing().after_ms(200);
    let district = District::of([slow(), slow(), slow()], |_| {}).await;
    let dossiers = join_all((0..50).map(|_| district.gather())).await;
    for source in SourceKind::ALL {
        assert!(dossiers.iter().all(|dossier| line(dossier, source).status == EvidenceStatus::Fresh));
        assert_eq!(district.calls(source), 1);
        assert_eq!(
            district.measured(&format!("yuxin_source_cache_total{{result=\"shared\",source=\"{source}\"}}")),
            49
        );
    }
    district.gather().await;
    assert_eq!(district.calls(TAX), 2, "without leave to keep it, the next look asks anew");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_of_many_that_gives_up_takes_the_call_from_nobody() {
    let district = District::of_tax(Behaviour::knowing().after_ms(300), |_| {}).await;
    let leader = tokio::time::timeout(Duration::from_millis(100), district.gather());
    let waiter = async {
        tokio::time::sleep(Duration::from_millis(30)).await;
        district.gather().await
    };
    let (given_up, dossier) = tokio::join!(leader, waiter);
    assert!(given_up.is_err());
    assert_eq!((tax(&dossier), district.calls(TAX)), (EvidenceStatus::Fresh, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_is_used_for_as_long_as_the_department_says_and_after_that_only_where_it_is_down() {
    let district = District::of_tax(Behaviour::keepable("max-age=1"), |_| {}).await;
    let fetched = line(&district.gather().await, TAX);
    let kept = line(&district.gather().await, TAX);
    assert_eq!((fetched.status, kept.status), (EvidenceStatus::Fresh, EvidenceStatus::Cached));
    assert_eq!((kept.fetched_at, kept.digest, kept.as_of), (fetched.fetched_at, fetched.digest.clone(), fetched.as_of));
    assert_eq!((district.calls(TAX), district.calls(SourceKind::SocialInsurance)), (1, 2));

    tokio::time::sleep(Duration::from_millis(1050)).await;
    for (down, said) in [(Behaviour::status(503, ""), "status 503"), (Behaviour::Silent, "within 800 ms")] {
        district.departments[0].behave(down);
        let dossier = district.gather().await;
        let old = line(&dossier, TAX);
        assert_eq!((old.status, old.digest), (EvidenceStatus::Stale, fetched.digest.clone()));
        let detail = old.detail.unwrap();
        assert!(detail.starts_with("kept from an earlier reply") && detail.contains(said), "{detail}");
        assert!(dossier.has(TAX));
    }
    assert_eq!(district.measured("yuxin_source_cache_total{result=\"stale\",source=\"tax\"}"), 2);
    // A reply that breaks a rule is told, not papered over.
    tokio::time::sleep(Duration::from_millis(1700)).await;
    district.departments[0].behave(Behaviour::json("{}"));
    assert_eq!(tax(&district.gather().await), EvidenceStatus::Invalid);
    district.departments[0].behave(Behaviour::knowing());
    assert_eq!(tax(&district.gather().await), EvidenceStatus::Fresh);
    district.departments[0].behave(Behaviour::status(503, ""));
    assert_eq!(
        tax(&district.gather().await),
        EvidenceStatus::Unavailable,
        "an answer that may not be kept took its place"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_that_may_be_used_while_it_is_asked_for_anew_costs_no_wait() {
    let said = "max-age=1, stale-while-revalidate=60";
    let district = District::of_tax(Behaviour::keepable(said), |_| {}).await;
    let first = line(&district.gather().await, TAX);
    tokio::time::sleep(Duration::from_millis(1050)).await;
    let slow = Behaviour::keepable(said).after_ms(300);
    district.departments[0].behave(slow);
    let ageing = line(&district.gather().await, TAX);
    assert_eq!((ageing.status, ageing.fetched_at), (EvidenceStatus::Cached, first.fetched_at));
    tokio::time::sleep(Duration::from_millis(600)).await;
    assert_eq!(district.calls(TAX), 2);
    let renewed = line(&district.gather().await, TAX);
    assert_eq!((renewed.status, district.calls(TAX)), (EvidenceStatus::Cached, 2));
    assert_eq!(district.measured("yuxin_source_cache_total{result=\"hit\",source=\"tax\"}"), 1);
}

#[tokio::test]
async fn what_the_department_forbids_to_keep_is_not_kept_and_the_settings_have_the_last_word() {
    for (said, cap, calls) in [
        ("no-store, max-age=60", 86_400, 2),
        ("private, max-age=60", 86_400, 2),
        ("max-age=0", 86_400, 2),
        ("max-age=60", 0, 2),
        ("max-age=60", 86_400, 1),
    ] {
        let district = District::of_tax(Behaviour::keepable(said), |settings| settings.cache_seconds_max = cap).await;
        district.gather().await;
        assert!(district.gather().await.has(TAX));
        assert_eq!(district.calls(TAX), calls, "{said}, at most {cap} s");
    }
    let district = District::of_tax(Behaviour::knowing(), |settings| settings.cache_seconds = 60).await;
    district.gather().await;
    assert_eq!(
        tax(&district.gather().await),
        EvidenceStatus::Cached,
        "the setting speaks where the department does not"
    );
}

#[tokio::test]
async fn kept_evidence_as_of_a_date_too_long_ago_is_stale_like_any_other() {
    let district =
        District::of_tax(Behaviour::keepable("max-age=60"), |settings| settings.tax.stale_after_days = 3).await;
    assert_eq!(tax(&district.gather().await), EvidenceStatus::Stale);
    assert_eq!((tax(&district.gather().await), district.calls(TAX)), (EvidenceStatus::Stale, 1));
}

#[tokio::test]
async fn an_unknown_firm_is_not_asked_for_again_at_once_and_no_failure_is_kept() {
    let absent = || Behaviour::status(404, "{}");
    for (seconds, calls) in [(5, 1), (0, 2)] {
        let district = District::of_tax(absent(), |settings| settings.cache_absent_seconds = seconds).await;
        for _ in 0..2 {
            let dossier = district.gather().await;
            assert_eq!((tax(&dossier), dossier.has(TAX)), (EvidenceStatus::Absent, false));
        }
        assert_eq!(district.calls(TAX), calls);
    }
    let keep = ["cache-control: max-age=600"];
    let page = ["cache-control: max-age=600", "content-type: text/html"];
    for passing in [
        Behaviour::with_headers(404, &page, "<html>"),
        Behaviour::with_headers(403, &keep, ""),
        Behaviour::with_headers(200, &keep, ""),
        Behaviour::with_headers(200, &keep, "{}"),
        Behaviour::with_headers(204, &keep, ""),
        Behaviour::with_headers(301, &keep, ""),
    ] {
        let district = District::of_tax(passing, |_| {}).await;
        assert!(!district.gather().await.has(TAX));
        district.departments[0].behave(Behaviour::knowing());
        assert_eq!(tax(&district.gather().await), EvidenceStatus::Fresh);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_forgotten_is_asked_for_anew_and_what_is_on_its_way_is_not_kept() {
    let district = District::of_tax(Behaviour::keepable("max-age=60"), |_| {}).await;
    let (firm, other) = (FIRM.parse().unwrap(), &firms(1)[0]);
    district.gather().await;
    district.gather_of(other).await;
    district.sources.forget(&firm);
    assert_eq!((tax(&district.gather().await), district.calls(TAX)), (EvidenceStatus::Fresh, 3));
    assert_eq!(tax(&district.gather_of(other).await), EvidenceStatus::Cached);

    district.sources.forget(&firm);
    district.departments[0].behave(Behaviour::keepable("max-age=60").after_ms(250));
    let forget = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        district.sources.forget(&firm);
        // A look that begins now does not share the call from before.
        tax(&district.gather().await)
    };
    let (_, second) = tokio::join!(district.gather(), forget);
    assert_eq!((second, district.calls(TAX)), (EvidenceStatus::Fresh, 5));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revoked_consent_empties_the_cache_for_every_bank() {
    let department = Department::start(Behaviour::keepable("max-age=3600")).await;
    let service = Service::start(&department.base_url());
    let (one, other) = (service.bank("One"), service.bank("Other"));
    let (consent, others) = (one.consent(FIRM).await, other.consent(FIRM).await);
    let statuses = async |bank: &crate::support::service::Bank, consent: &str| {
        let body: Value = bank.ask(FIRM, consent).await.json().await.unwrap();
        body["evidence"]
            .as_array()
            .unwrap()
            .iter()
            .map(|line| line["status"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(statuses(&one, &consent).await, ["fresh"; 3]);
    assert_eq!(statuses(&other, &others).await, ["cached"; 3]);
    assert_eq!(department.requests().len(), 3);
    assert_eq!(one.delete(&format!("/v1/consents/{consent}")).send().await.unwrap().status(), 200);
    assert_eq!(one.ask(FIRM, &consent).await.status(), 403);
    assert_eq!(department.requests().len(), 3, "a revoked consent starts no call");
    assert_eq!(statuses(&other, &others).await, ["fresh"; 3]);
    assert_eq!(department.requests().len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_arrives_after_its_consent_was_revoked_is_not_kept() {
    let department = Department::start(Behaviour::keepable("max-age=3600").after_ms(500)).await;
    let service = Service::start(&department.base_url());
    let (one, other) = (service.bank("One"), service.bank("Other"));
    let (consent, others) = (one.consent(FIRM).await, other.consent(FIRM).await);
    let revoke = async {
        while department.requests().len() < 3 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        one.delete(&format!("/v1/consents/{consent}")).send().await.unwrap()
    };
    let (asked, revoked) = tokio::join!(one.ask(FIRM, &consent), revoke);
    assert_eq!((asked.status().as_u16(), revoked.status().as_u16()), (403, 200));
    let body: Value = other.ask(FIRM, &others).await.json().await.unwrap();
    assert_eq!(body["evidence"][0]["status"], "fresh");
    assert_eq!(department.requests().len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_requests_for_one_firm_at_once_are_one_call_over_all_workers_of_the_service() {
    let department = Department::start(Behaviour::keepable("max-age=600").after_ms(600)).await;
    let service = Service::start_with(&department.base_url(), &[("YUXIN_SERVER__WORKERS", "4")]);
    let bank = service.bank("One");
    let consent = bank.consent(FIRM).await;
    let answers = join_all((0..50).map(|_| bank.ask(FIRM, &consent))).await;
    for answer in answers {
        let body: Value = answer.json().await.unwrap();
        let line = &body["evidence"][0];
        assert!(line["status"] == "fresh" || line["status"] == "cached", "{line}");
    }
    assert_eq!(department.requests().len(), 3);
}

/// Run with `--ignored --nocapture`; prints what gathering adds to the time of the slowest department.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement, not a check"]
async fn overhead_beside_the_slowest_department() {
    let behaviours = [5, 20, 10].map(|ms| Behaviour::knowing().after_ms(ms));
    let district = District::of(behaviours, |_| {}).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let (mut alone, mut gathered) = (Vec::new(), Vec::new());
    for firm in firms(500) {
        let url = format!("{}/social-insurance/v1/firms/{}", district.departments[1].base_url(), firm.as_str());
        let started = Instant::now();
        client.get(url).send().await.unwrap().bytes().await.unwrap();
        alone.push(started.elapsed());
        let started = Instant::now();
        district.gather_of(&firm).await;
        gathered.push(started.elapsed());
    }
    let median = |times: &mut Vec<Duration>| {
        times.sort_unstable();
        times[times.len() / 2]
    };
    let (alone, gathered) = (median(&mut alone), median(&mut gathered));
    println!(
        "slowest alone: median {alone:?}; gather: median {gathered:?}; overhead {:?}",
        gathered.saturating_sub(alone)
    );
}
