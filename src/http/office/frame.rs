//! What surrounds every page: language, who is logged in, the forms in the head of the page.

use actix_web::HttpResponse;
use actix_web::http::{StatusCode, header};
use askama::Template;

use super::assets;
use super::failure::{Failure, Kind};
use super::session::may_see_departments;
use crate::http::words::Words;
use crate::store::Session;

/// The frame of a page.
pub struct Frame {
    /// The token of the page's forms.
    pub csrf: String,
    /// Name and role of the user, where one is logged in.
    pub user: Option<(String, String)>,
    /// Where switching the language leads back to: an address in the console without any firm in it.
    pub back: String,
    /// The stylesheet's address.
    pub style: String,
    /// The icon's address.
    pub icon: String,
    /// Whether the head leads to the page on the departments.
    pub departments: bool,
    /// Whether the forms of the head (language, log-out) are shown.
    pub forms: bool,
}

impl Frame {
    /// The frame around a page of somebody who is logged in.
    pub fn signed_in(session: &Session, words: Words, back: String) -> Frame {
        let user = &session.user;
        let role = words.t(&format!("role-{}", user.role));
        let departments = may_see_departments(user.role);
        Frame { user: Some((user.name.clone(), role)), departments, ..Frame::public(session.csrf.clone(), back) }
    }

    /// The frame around the log-in page.
    pub fn public(csrf: String, back: String) -> Frame {
        Frame {
            csrf,
            user: None,
            departments: false,
            back,
            style: assets::address("console.css"),
            icon: assets::address("icon.svg"),
            forms: true,
        }
    }

    /// The frame around an error page, which knows nobody and offers no forms.
    pub fn bare() -> Frame {
        Frame { forms: false, ..Frame::public(String::new(), String::new()) }
    }
}

/// Renders a page.
///
/// # Errors
/// Only when a template cannot be written out, which is answered like a store that is not available.
pub fn page(status: StatusCode, template: &impl Template, words: Words) -> Result<HttpResponse, Failure> {
    let html = template.render().map_err(|error| {
        tracing::error!(%error, "a page cannot be rendered");
        Failure::new(Kind::Unavailable, words)
    })?;
    Ok(HttpResponse::build(status)
        .insert_header((header::CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((header::CONTENT_LANGUAGE, words.tag()))
        .body(html))
}

/// Leads on to another page of the console, with GET.
pub fn see_other(location: &str) -> HttpResponse {
    HttpResponse::SeeOther().insert_header((header::LOCATION, location)).finish()
}
