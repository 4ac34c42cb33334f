//! Before anything is done for a request: the bank's quota, and whether the service can do it in time. A refusal costs less than a
//! hundredth of a decision: no body is read, the store is not asked, no line is logged (metrics count it).

use std::time::{Duration, Instant};

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{ConnectionType, Method};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, web};

use super::auth::bearer;
use super::problem::{Problem, ProblemKind, RequestId};
use super::quota::{QuotaState, Quotas};
use super::watch::{known_method, request_id, stamped};
use crate::admission::{Admission, Class, Flow};
use crate::observe::{Metrics, Readiness};

/// A refused caller that asks again at once would cost all the time that refusing saves: its answer comes after this pause.
const PAUSE: Duration = Duration::from_millis(4);

/// Lets a request through, within its bank's quota and in its turn, or refuses it.
pub async fn admit(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let quotas = request.app_data::<web::Data<Quotas>>().cloned();
    let admission = request.app_data::<web::Data<Admission>>().cloned();
    let stopping = request.app_data::<web::Data<Readiness>>().is_some_and(|readiness| readiness.stopping());
    let known = quotas.and_then(|quotas| quotas.known(bearer(request.request())?));
    let flow = known.as_ref().map_or(Flow::UNKNOWN, |quota| Flow(quota.bank().0.as_u128()));
    let mut response = match known.map(|quota| quota.check()) {
        Some(Err(empty)) => {
            let problem = Problem::new(ProblemKind::QuotaExceeded).retry_after(empty.reset());
            request.extensions_mut().insert(empty);
            refuse(request, &problem, started).await
        }
        within => {
            if let Some(Ok(state)) = within {
                request.extensions_mut().insert(state);
            }
            let admitted = match admission {
                Some(admission) => admission.enter(class(&request), flow).await.map(Some),
                None => Ok(None),
            };
            match admitted {
                // The place is taken until the answer is made.
                Ok(_permit) => next.call(request).await?.map_into_boxed_body(),
                Err(_) => refuse(request, &Problem::new(ProblemKind::Overloaded), started).await,
            }
        }
    };
    // Found here, or by the handler once it knew the bank.
    let state = response.request().extensions().get::<QuotaState>().cloned();
    if let Some(state) = state {
        state.tell(response.headers_mut());
    }
    if stopping {
        // The caller's next request goes elsewhere.
        response.response_mut().head_mut().set_connection_type(ConnectionType::Close);
    }
    Ok(response)
}

/// What a request is for. Revoking a consent is not shed before deciding is, and cancelling a batch is not shed because of that
/// very batch; only to begin one is what nobody waits for.
fn class(request: &ServiceRequest) -> Class {
    match *request.method() {
        Method::POST if request.path() == "/v1/batches" => Class::Batch,
        Method::GET | Method::HEAD | Method::OPTIONS => Class::Read,
        _ => Class::Live,
    }
}

async fn refuse(request: ServiceRequest, problem: &Problem, started: Instant) -> ServiceResponse<BoxBody> {
    // The connection also reads on meanwhile, past a small body, and need not be closed because of it.
    tokio::time::sleep(PAUSE).await;
    let id = request_id(&request);
    request.extensions_mut().insert(RequestId(id.clone()));
    let answer = problem.answer(request.request());
    let route = request.match_pattern().unwrap_or_else(|| "unmatched".to_owned());
    if let Some(metrics) = request.app_data::<web::Data<Metrics>>() {
        let status = answer.status().as_u16();
        metrics.answered(&route, known_method(request.method().as_str()), status, started.elapsed());
    }
    stamped(request.into_response(answer), &id)
}
