//! The bank API, `/v1`.

pub mod consents;
pub mod decisions;
pub mod disputes;
pub mod idempotency;
pub mod looks;
pub mod notices;
pub mod webhooks;

use actix_web::{HttpResponse, web};

use super::problem::{Problem, ProblemKind, Said};
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
        .service(web::resource("/v1/looks").route(web::get().to(looks::list)).default_service(other()))
        .service(web::resource("/v1/notices").route(web::get().to(notices::list)).default_service(other()))
        .configure(webhooks::configure);
}

/// The firm's code in a request; `pointer` says where it stands.
fn parse_code(text: &str, pointer: &str) -> Result<Uscc, Problem> {
    text.parse().map_err(|error: UsccError| {
        let zh = match &error {
            UsccError::Length(found) => format!("统一社会信用代码为18位，此处为{found}位"),
            UsccError::Symbol { position, found } => {
                format!("第{position}位的“{found}”不能出现在统一社会信用代码中（不使用 I、O、S、V、Z）")
            }
            UsccError::Inner => "组织机构代码的校验位（第17位）不符".to_owned(),
            UsccError::Both => "校验位（第17、18位）不符".to_owned(),
        };
        Problem::new(ProblemKind::CodeInvalid).field(pointer, Said::new(zh, error.to_string()))
    })
}

/// Whether a purpose is a short word like `working_capital`.
fn is_purpose(purpose: &str) -> bool {
    (1..=64).contains(&purpose.len())
        && purpose.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// What is wrong with a purpose that is not one.
fn purpose_rule() -> Said {
    Said::new(
        "1至64个小写字母、数字或下划线，例如 working_capital",
        "1 to 64 lower-case letters, digits or _, for instance working_capital",
    )
}
