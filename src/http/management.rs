//! The management listener: metrics and probes, for Prometheus and the orchestrator, never for banks.

use std::time::Duration;

use actix_web::{HttpResponse, web};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::json;

use crate::decide::Decider;
use crate::domain::{CaseState, SourceKind};
use crate::observe::{Metrics, Readiness};
use crate::store::Store;

/// How long a probe of the store may take.
const PROBE_TIMEOUT: Duration = Duration::from_secs(1);

/// The routes of the management listener.
pub fn configure(routes: &mut web::ServiceConfig) {
    routes
        .route("/metrics", web::get().to(metrics))
        .route("/livez", web::get().to(livez))
        .route("/readyz", web::get().to(readyz))
        .route("/version", web::get().to(version));
}

/// The metrics, with cases, disputes, the outbox and batches counted afresh. Where the store does not answer in time, the last counts
/// stay.
async fn metrics(metrics: web::Data<Metrics>, store: web::Data<Store>, decider: web::Data<Decider>) -> HttpResponse {
    let departments = decider.departments();
    for source in SourceKind::ALL {
        // An optional department counts with the one that it fills.
        let kept: usize = departments.iter().filter(|of| of.source == source).map(|of| of.cached).sum();
        metrics.source_cached(source, i64::try_from(kept).unwrap_or(i64::MAX));
    }
    match tokio::time::timeout(PROBE_TIMEOUT, store.count_cases(Timestamp::now())).await {
        Ok(Ok(counts)) => {
            let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            metrics.cases(CaseState::Open, gauge(counts.open));
            metrics.cases(CaseState::Asked, gauge(counts.asked));
            metrics.cases(CaseState::Closed, gauge(counts.closed));
            metrics.cases_overdue(gauge(counts.overdue));
        }
        Ok(Err(error)) => tracing::warn!(%error, "cases could not be counted"),
        Err(_) => tracing::warn!("cases could not be counted in time"),
    }
    match tokio::time::timeout(PROBE_TIMEOUT, store.count_disputes(Timestamp::now())).await {
        Ok(Ok(counts)) => metrics.disputes_overdue(i64::try_from(counts.overdue).unwrap_or(i64::MAX)),
        Ok(Err(error)) => tracing::warn!(%error, "disputes could not be counted"),
        Err(_) => tracing::warn!("disputes could not be counted in time"),
    }
    match tokio::time::timeout(PROBE_TIMEOUT, store.count_outbox()).await {
        Ok(Ok(counts)) => {
            let gauge = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
            let age = counts.oldest_at.map_or(0.0, |at| Timestamp::now().duration_since(at).as_secs_f64().max(0.0));
            metrics.outbox(gauge(counts.pending), age, gauge(counts.enabled), gauge(counts.disabled));
        }
        Ok(Err(error)) => tracing::warn!(%error, "the outbox could not be counted"),
        Err(_) => tracing::warn!("the outbox could not be counted in time"),
    }
    match tokio::time::timeout(PROBE_TIMEOUT, store.waiting_rows(None)).await {
        Ok(Ok(waiting)) => metrics.batch_rows_waiting(i64::try_from(waiting).unwrap_or(i64::MAX)),
        Ok(Err(error)) => tracing::warn!(%error, "rows of batches could not be counted"),
        Err(_) => tracing::warn!("rows of batches could not be counted in time"),
    }
    match metrics.render() {
        Ok(text) => HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text),
        Err(error) => HttpResponse::InternalServerError().body(error.to_string()),
    }
}

/// Alive as long as the store's writer lives: without it nothing can be stored again until a restart.
async fn livez(store: web::Data<Store>) -> HttpResponse {
    if store.alive() {
        HttpResponse::Ok().json(json!({ "status": "alive" }))
    } else {
        HttpResponse::ServiceUnavailable().json(json!({ "status": "the store's writer has died; restart" }))
    }
}

#[derive(Serialize)]
struct Check {
    name: &'static str,
    ok: bool,
    detail: String,
}

/// Ready when the store takes writes and the service is not stopping. The model was verified when it was loaded; where a later
/// reload of model, policy and connectors was refused, the old ones serve on and the answer says why.
async fn readyz(store: web::Data<Store>, decider: web::Data<Decider>, readiness: web::Data<Readiness>) -> HttpResponse {
    let written = tokio::time::timeout(PROBE_TIMEOUT, store.check_writable()).await;
    let (writable, detail) = match written {
        Ok(Ok(())) => (true, "writable".to_owned()),
        Ok(Err(error)) => (false, error.to_string()),
        Err(_) => (false, "no answer within a second".to_owned()),
    };
    let engine = decider.engine();
    let mut model = format!("{} {} verified on its golden firms", engine.model().id(), engine.model().sha256());
    if let Some(refused) = readiness.reload_refused() {
        model.push_str(&format!("; the last reload was refused: {refused}"));
    }
    let stopping = readiness.stopping();
    let checks = [
        Check { name: "store", ok: writable, detail },
        Check { name: "model", ok: true, detail: model },
        Check { name: "accepting", ok: !stopping, detail: if stopping { "stopping" } else { "accepting" }.to_owned() },
    ];
    let ready = checks.iter().all(|check| check.ok);
    let mut answer = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    answer.json(json!({ "status": if ready { "ready" } else { "not ready" }, "checks": checks }))
}

async fn version(decider: web::Data<Decider>) -> HttpResponse {
    let engine = decider.engine();
    HttpResponse::Ok().json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "model": { "id": engine.model().id(), "sha256": engine.model().sha256() },
        "policy": engine.policy().version(),
    }))
}

#[cfg(test)]
mod tests {
    use actix_web::{App, test};

    use super::*;

    #[actix_web::test]
    async fn a_dead_writer_fails_the_probe_of_life() {
        let (store, _folder) = crate::store::with_dead_writer().await;
        let app = App::new().app_data(web::Data::new(store)).route("/livez", web::get().to(livez));
        let app = test::init_service(app).await;
        let answer = test::call_service(&app, test::TestRequest::get().uri("/livez").to_request()).await;
        assert_eq!(answer.status(), 503);
    }
}
