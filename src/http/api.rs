//! The bank API, `/v1`.

pub mod batches;
pub mod consents;
pub mod decisions;
pub mod disputes;
pub mod idempotency;
pub mod looks;
pub mod notices;
pub mod webhooks;

use actix_web::{HttpResponse, web};

use super::problem::{Problem, ProblemKind, Said};
use crate::domain::consent::is_purpose;
use crate::domain::{Uscc, UsccError};

/// The routes of the bank API.
pub fn configure(routes: &mut web::ServiceConfig) {
    let other = || web::to(async || Err::<HttpResponse, _>(Problem::new(ProblemKind::MethodNotAllowed)));
    routes
        .service(web::resource("/v1/consents").route(web::post().to(consents::register)).default_service(other()))
        .service(
            web::resource("/v1/consents/{id}")
                .route(web::get().to(consents::show))
                .route(web::delete().to(consents::revoke))
                .default_service(other()),
        )
        .service(
            web::resource("/v1/consents/{id}/decisions")
                .route(web::get().to(consents::decisions))
                .default_service(other()),
        )
        .service(
            web::resource("/v1/decisions")
                .route(web::post().to(decisions::decide))
                .route(web::get().to(decisions::list))
                .default_service(other()),
        )
        .service(web::resource("/v1/decisions/{id}").route(web::get().to(decisions::show)).default_service(other()))
        .service(
            web::resource("/v1/disputes")
                .route(web::post().to(disputes::open))
                .route(web::get().to(disputes::list))
                .default_service(other()),
        )
        .service(web::resource("/v1/disputes/{id}").route(web::get().to(disputes::show)).default_service(other()))
        .service(
            web::resource("/v1/decisions/{id}/record").route(web::get().to(decisions::record)).default_service(other()),
        )
        .service(
            web::resource("/v1/batches")
                .route(web::post().to(batches::submit))
                .route(web::get().to(batches::list))
                .default_service(other()),
        )
        .service(
            web::resource("/v1/batches/{id}")
                .route(web::get().to(batches::show))
                .route(web::delete().to(batches::cancel))
                .default_service(other()),
        )
        .service(
            web::resource("/v1/batches/{id}/cancel").route(web::post().to(batches::cancel)).default_service(other()),
        )
        .service(
            web::resource("/v1/batches/{id}/results")
                .route(web::get().to(batches::results::results))
                .default_service(other()),
        )
        .service(
            web::resource("/v1/batches/{id}/errors")
                .route(web::get().to(batches::results::errors))
                .default_service(other()),
        )
        .service(web::resource("/v1/looks").route(web::get().to(looks::list)).default_service(other()))
        .service(web::resource("/v1/notices").route(web::get().to(notices::list)).default_service(other()))
        .configure(webhooks::configure);
}

/// The firm's code in a request; `pointer` says where it stands.
fn parse_code(text: &str, pointer: &str) -> Result<Uscc, Problem> {
    text.parse().map_err(|error: UsccError| {
        Problem::new(ProblemKind::CodeInvalid).field(pointer, Said::new(error.zh(), error.to_string()))
    })
}

/// What is wrong with a purpose that is not one.
fn purpose_rule() -> Said {
    Said::new(
        "1至64个小写字母、数字或下划线，例如 working_capital",
        "1 to 64 lower-case letters, digits or _, for instance working_capital",
    )
}
