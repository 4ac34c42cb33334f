//! The page on the departments: which of them answer, how fast, and what is done about those that do not. No firm stands on it.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;

use super::failure::Failure;
use super::frame::{Frame, page};
use super::session::DepartmentReader;
use super::{Office, ROOT};
use crate::decide::{Decider, SourceHealth};
use crate::http::words::{Words, figures, source_name};

/// One department's row, written out.
struct Row {
    name: String,
    id: &'static str,
    breaker: String,
    breaker_class: &'static str,
    answered: String,
    p50: String,
    p95: String,
    inflight: String,
    retries: u64,
    hedges: String,
    cache: String,
    failure: Option<(String, String)>,
}

#[derive(Template)]
#[template(path = "departments.html")]
struct DepartmentsPage {
    w: Words,
    frame: Frame,
    rows: Vec<Row>,
}

/// `GET /console/sources`
pub async fn show(
    request: HttpRequest,
    office: web::Data<Office>,
    decider: web::Data<Decider>,
) -> Result<HttpResponse, Failure> {
    let reader = DepartmentReader::enter(&request, &office).await?.0;
    let w = reader.words;
    let rows = decider.departments().iter().map(|health| row(health, w)).collect();
    let frame = Frame::signed_in(&reader.session, w, format!("{ROOT}/sources"));
    page(StatusCode::OK, &DepartmentsPage { w, frame, rows }, w)
}

fn row(health: &SourceHealth, w: Words) -> Row {
    let breaker = health.breaker.as_str();
    let answered = match health.recent {
        0 => w.t("departments-none-asked"),
        recent => {
            let share = figures::percent(health.answered as f64 / recent as f64);
            w.with("departments-answered-of", &[("share", share.into()), ("count", recent.into())])
        }
    };
    let hedges = [("count", (health.hedges as f64).into()), ("won", (health.hedges_won as f64).into())];
    let cache = [
        ("hits", (health.cache_hits as f64).into()),
        ("stale", (health.stale_served as f64).into()),
        ("kept", health.cached.into()),
    ];
    Row {
        name: source_name(w.0, health.source),
        id: health.source.as_str(),
        breaker: w.t(&format!("departments-breaker-{breaker}")),
        breaker_class: match breaker {
            // Asked, but answering fewer than nine in ten: not well.
            "closed" if health.answered * 10 < health.recent * 9 => "warn",
            "closed" => "evidence-fresh",
            _ => "bad",
        },
        answered,
        p50: milliseconds(health.latency_p50, w),
        p95: milliseconds(health.latency_p95, w),
        inflight: format!("{} / {}", health.inflight, health.concurrent_max),
        retries: health.retries,
        hedges: w.with("departments-hedges-of", &hedges),
        cache: w.with("departments-cache-of", &cache),
        failure: health.last_failure.map(|(kind, at)| (failure_text(kind, w), figures::instant(at))),
    }
}

fn milliseconds(time: Option<Duration>, w: Words) -> String {
    let Some(time) = time else { return w.t("missing") };
    let ms = time.as_secs_f64() * 1000.0;
    format!("{} ms", figures::number(ms, if ms < 10.0 { 1 } else { 0 }))
}

fn failure_text(kind: &str, w: Words) -> String {
    w.t(&format!("departments-failure-{kind}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Language;

    #[test]
    fn every_kind_of_failure_and_state_has_its_words() {
        for language in [Language::ZhCn, Language::En] {
            for kind in ["connect", "timeout", "reset", "status", "too_large", "invalid", "full"] {
                let text = failure_text(kind, Words(language));
                assert!(!text.contains("departments-"), "{text}");
            }
            for state in ["closed", "open", "probing"] {
                let text = Words(language).t(&format!("departments-breaker-{state}"));
                assert!(!text.contains("departments-"), "{text}");
            }
        }
    }

    #[test]
    fn short_times_are_told_to_a_tenth() {
        let w = Words(Language::En);
        assert_eq!(milliseconds(Some(Duration::from_micros(3_140)), w), "3.1 ms");
        assert_eq!(milliseconds(Some(Duration::from_millis(1_234)), w), "1,234 ms");
        assert_eq!(milliseconds(None, w), "missing");
    }
}
