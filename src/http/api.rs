//! The bank API, `/v1`.

pub mod consents;
pub mod decisions;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, web};

use super::problem::{Problem, ProblemKind};
use crate::domain::{Language, Uscc};

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
            web::resource("/v1/decisions")
                .route(web::post().to(decisions::decide))
                .route(web::get().to(decisions::list))
                .default_service(other()),
        )
        .service(web::resource("/v1/decisions/{id}").route(web::get().to(decisions::show)).default_service(other()));
}

/// The reader's language.
fn language(request: &HttpRequest) -> Language {
    let accept = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Language::from_accept_language(accept.unwrap_or(""))
}

/// The firm's code in a request; `pointer` says where it stands.
fn parse_code(text: &str, pointer: &str) -> Result<Uscc, Problem> {
    text.parse().map_err(|error: crate::domain::UsccError| {
        Problem::new(ProblemKind::CodeInvalid).field(pointer, error.to_string())
    })
}

/// Whether a purpose is a short word like `working_capital`.
fn is_purpose(purpose: &str) -> bool {
    (1..=64).contains(&purpose.len())
        && purpose.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// What is wrong with a purpose that is not one.
const PURPOSE_RULE: &str = "1 to 64 lower-case letters, digits or _, for instance working_capital";
