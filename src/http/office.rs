//! The finance office's console under `/console`: log-in, the queue of cases, the page of one case with its review, and
//! disputes.
//!
//! Plain pages and forms: every page works without a script, and none is sent. A firm's code or name never stands in an
//! address, which proxies log; cases are addressed by their own id, and the words of a search travel in a form and a cookie.

mod assets;
mod case_page;
mod characteristic;
mod chart;
mod clock;
mod departments;
mod disputes;
mod evidence;
mod failure;
mod form;
mod frame;
mod headers;
mod ledger;
mod limit;
mod login;
mod queue;
mod review;
mod session;
mod waterfall;

use actix_web::middleware::from_fn;
use actix_web::web;

use crate::store::Store;

/// Where the console lives; its cookies are sent nowhere else.
const ROOT: &str = "/console";
/// The largest form, in bytes: the longest reason in UTF-8, percent-encoded, and some more.
const FORM_BYTES_MAX: usize = 32 * 1024;

/// What the console works with.
#[derive(Clone)]
pub struct Office {
    /// Cases, users, sessions.
    pub store: Store,
    /// Whether cookies travel over https only.
    pub secure_cookies: bool,
}

/// Registers the console's routes. The application data must hold a `web::Data<Office>` and a `web::Data<Decider>`.
pub fn configure(config: &mut web::ServiceConfig) {
    let forms = web::FormConfig::default().limit(FORM_BYTES_MAX).error_handler(failure::unreadable_form);
    let routes = web::scope(ROOT)
        .app_data(forms)
        .wrap(from_fn(headers::guard))
        .route("", web::get().to(queue::home))
        .route("/", web::get().to(queue::home))
        .route("/login", web::get().to(login::show))
        .route("/login", web::post().to(login::log_in))
        .route("/logout", web::post().to(login::log_out))
        .route("/language", web::post().to(login::switch_language))
        .route("/cases", web::get().to(queue::show))
        .route("/cases", web::post().to(queue::search))
        .route("/cases/{id}", web::get().to(review::show))
        .route("/cases/{id}/review", web::get().to(review::show_again))
        .route("/cases/{id}/review", web::post().to(review::submit))
        .route("/ledger", web::get().to(ledger::show))
        .route("/ledger", web::post().to(ledger::search))
        .route("/sources", web::get().to(departments::show))
        .route("/disputes", web::get().to(disputes::list))
        .route("/disputes", web::post().to(disputes::take_in))
        .route("/disputes/{id}", web::get().to(disputes::show))
        .route("/disputes/{id}", web::post().to(disputes::resolve))
        .route("/assets/{version}/{name}", web::get().to(assets::serve))
        .default_service(web::to(failure::no_such_page));
    config.service(routes);
}
