//! What can go wrong in the console, and the page that says so.

use std::fmt;

use actix_web::error::UrlencodedError;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use askama::Template;

use super::frame::{Frame, page, see_other};
use super::session;
use crate::domain::CaseId;
use crate::http::words::Words;
use crate::store::{Session, StoreError};

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// No such page, no such case.
    NotFound,
    /// The role may not do this.
    Forbidden,
    /// An administrator asked for cases.
    Admin,
    /// The form carries no token, or another one.
    Csrf,
    /// The form is too large.
    TooLarge,
    /// The form took too long to arrive.
    TooSlow,
    /// The form cannot be read.
    BadForm,
    /// The store does not answer.
    Unavailable,
    /// Nobody is logged in; the log-in page leads on to the case, where one was asked for.
    LoggedOut {
        /// The case that was asked for.
        case: Option<CaseId>,
        /// Whether there was a session that is over.
        expired: bool,
    },
}

/// What went wrong, the language in which to say it, and to whom.
#[derive(Debug, Clone)]
pub struct Failure {
    /// What.
    pub kind: Kind,
    /// The reader's words.
    pub words: Words,
    /// The reader's session, where it is known.
    pub session: Option<Box<Session>>,
}

impl Failure {
    /// A failure told in `words` to somebody unknown.
    pub fn new(kind: Kind, words: Words) -> Failure {
        Failure { kind, words, session: None }
    }

    /// A failure told in the language of `request`.
    pub fn of(request: &HttpRequest, kind: Kind) -> Failure {
        Failure::new(kind, session::words(request))
    }

    /// What a failing store means to the reader; the details go to the log.
    pub fn store(error: &StoreError, words: Words) -> Failure {
        let kind = match error {
            StoreError::NoSuchCase | StoreError::NoSuchDispute => Kind::NotFound,
            error => {
                tracing::error!(%error, "the console cannot use the store");
                Kind::Unavailable
            }
        };
        Failure::new(kind, words)
    }

    fn key(&self) -> &'static str {
        match self.kind {
            Kind::NotFound => "error-not-found",
            Kind::Forbidden | Kind::LoggedOut { .. } => "error-forbidden",
            Kind::Admin => "error-admin",
            Kind::Csrf => "error-csrf",
            Kind::TooLarge => "error-too-large",
            Kind::TooSlow => "error-too-slow",
            Kind::BadForm => "error-bad-form",
            Kind::Unavailable => "error-unavailable",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.kind)
    }
}

#[derive(Template)]
#[template(path = "message.html")]
struct MessagePage {
    w: Words,
    frame: Frame,
    title: String,
    explanation: String,
    way_back: bool,
}

impl ResponseError for Failure {
    fn status_code(&self) -> StatusCode {
        match self.kind {
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Forbidden | Kind::Admin | Kind::Csrf => StatusCode::FORBIDDEN,
            Kind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Kind::BadForm => StatusCode::BAD_REQUEST,
            Kind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::LoggedOut { .. } => StatusCode::SEE_OTHER,
        }
    }

    fn error_response(&self) -> HttpResponse {
        if let Kind::LoggedOut { case, expired } = self.kind {
            let why = if expired { "expired" } else { "needed" };
            let case = case.map(|id| format!("&case={id}")).unwrap_or_default();
            return see_other(&format!("{}/login?why={why}{case}", super::ROOT));
        }
        let key = self.key();
        let frame = match &self.session {
            Some(session) => Frame::signed_in(session, self.words, super::ROOT.to_owned()),
            None => Frame::bare(),
        };
        let message = MessagePage {
            w: self.words,
            frame,
            title: self.words.t(key),
            explanation: self.words.t(&format!("{key}.explanation")),
            way_back: self.kind != Kind::Admin,
        };
        page(self.status_code(), &message, self.words).unwrap_or_else(|_| HttpResponse::new(self.status_code()))
    }
}

/// The answer to a form that cannot be read.
pub fn unreadable_form(error: UrlencodedError, request: &HttpRequest) -> actix_web::Error {
    let kind = match error {
        UrlencodedError::Overflow { .. } => Kind::TooLarge,
        _ => Kind::BadForm,
    };
    Failure::of(request, kind).into()
}

/// The answer to an address that the console does not have.
pub async fn no_such_page(request: HttpRequest) -> Result<HttpResponse, Failure> {
    Err(Failure::of(&request, Kind::NotFound))
}
