//! Around every request: an id, a log line that can be read alone, a measurement, and problems written out.
//!
//! Neither the path nor the query is logged, only the route's pattern: a firm's code may stand in the query.

use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};
use tracing::Instrument;
use uuid::Uuid;

use super::problem::{Problem, ProblemKind, RequestId};
use crate::observe::Metrics;

/// Gives the request an id, measures and logs it, and writes out the problem that a handler returned.
pub async fn watch(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let id = request_id(&request);
    let method = known_method(request.method().as_str());
    let metrics = request.app_data::<web::Data<Metrics>>().cloned();
    request.extensions_mut().insert(RequestId(id.clone()));
    // Whatever is logged on the way carries the id.
    let span = tracing::info_span!("request", request_id = %id);
    let mut response = problems_written(next.call(request).instrument(span).await?.map_into_boxed_body());
    response = stamped(response, &id);
    let route = response.request().match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    let status = response.status().as_u16();
    let took = started.elapsed();
    if let Some(metrics) = metrics {
        metrics.answered(&route, method, status, took);
    }
    let latency_ms = took.as_secs_f64() * 1000.0;
    if status >= 500 {
        tracing::error!(request_id = id, method, route, status, latency_ms, "request failed");
    } else {
        tracing::info!(request_id = id, method, route, status, latency_ms, "request answered");
    }
    Ok(response)
}

/// The answer with its request's id.
pub(super) fn stamped(mut response: ServiceResponse<BoxBody>, id: &str) -> ServiceResponse<BoxBody> {
    if let Ok(value) = HeaderValue::from_str(id) {
        response.headers_mut().insert(HeaderName::from_static("x-request-id"), value);
    }
    response
}

/// The caller's id where it is a UUID (or 32 hexadecimal digits, as trace ids are), else a new one: any other text might name
/// a firm.
pub(super) fn request_id(request: &ServiceRequest) -> String {
    let given = request.headers().get("x-request-id").and_then(|value| value.to_str().ok());
    given.and_then(|id| Uuid::parse_str(id).ok()).unwrap_or_else(Uuid::now_v7).to_string()
}

/// Methods as metric labels: a caller may send any word.
pub(super) fn known_method(method: &str) -> &'static str {
    ["GET", "POST", "DELETE", "PUT", "PATCH", "HEAD", "OPTIONS"].into_iter().find(|m| *m == method).unwrap_or("OTHER")
}

/// Errors of the framework become problems too, so that a bank meets one shape only. Pages write their own.
fn problems_written(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let is_page = response.request().path().starts_with("/console") || response.request().path().starts_with("/docs");
    let answer = match response.response().error() {
        Some(error) => match error.as_error::<Problem>() {
            Some(problem) => problem.answer(response.request()),
            None if is_page => return response,
            None => problem_of(response.status()).answer(response.request()),
        },
        None if is_page || !unwritten(&response) => return response,
        None => problem_of(response.status()).answer(response.request()),
    };
    let allow = response.headers().get(actix_web::http::header::ALLOW).cloned();
    let mut response = response.into_response(answer);
    if let Some(allow) = allow {
        response.headers_mut().insert(actix_web::http::header::ALLOW, allow);
    }
    response
}

/// An error status without a body, as the framework's defaults leave it.
fn unwritten(response: &ServiceResponse<BoxBody>) -> bool {
    let status = response.status();
    (status.is_client_error() || status.is_server_error())
        && !response.headers().contains_key(actix_web::http::header::CONTENT_TYPE)
}

fn problem_of(status: StatusCode) -> Problem {
    Problem::new(match status {
        StatusCode::NOT_FOUND => ProblemKind::NotFound,
        StatusCode::METHOD_NOT_ALLOWED => ProblemKind::MethodNotAllowed,
        StatusCode::PAYLOAD_TOO_LARGE => ProblemKind::BodyTooLarge,
        StatusCode::REQUEST_TIMEOUT => ProblemKind::BodyTimeout,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => ProblemKind::MediaType,
        status if status.is_client_error() => ProblemKind::BodyMalformed,
        _ => ProblemKind::Internal,
    })
}
