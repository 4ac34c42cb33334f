//! Who is there: sessions from a cookie, permissions as types, tokens of forms.

use actix_web::cookie::{Cookie, SameSite};
use actix_web::http::header::ACCEPT_LANGUAGE;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use subtle::ConstantTimeEq;

use super::Office;
use super::failure::{Failure, Kind};
use crate::domain::{CaseId, Language, Role};
use crate::http::words::Words;
use crate::store::Session;

/// The cookie that carries the session's token.
pub const SESSION_COOKIE: &str = "yuxin_session";
/// The cookie that ties the log-in form to the browser that asked for it.
pub const LOGIN_COOKIE: &str = "yuxin_login";
/// The cookie that remembers the language.
pub const LANGUAGE_COOKIE: &str = "yuxin_language";

/// The cookie that keeps the words of a search, which may not stand in an address; in hexadecimal.
pub const SEARCH_COOKIE: &str = "yuxin_search";

/// A cookie of the console: out of the reach of scripts and of other sites.
pub fn cookie(name: &'static str, value: String, office: &Office) -> Cookie<'static> {
    Cookie::build(name, value)
        .path(super::ROOT)
        .http_only(true)
        .same_site(SameSite::Strict)
        .secure(office.secure_cookies)
        .finish()
}

/// Adds a cookie to an answer.
pub fn add_cookie(response: &mut HttpResponse, cookie: &Cookie<'_>, words: Words) -> Result<(), Failure> {
    response.add_cookie(cookie).map_err(|error| {
        tracing::error!(%error, "a cookie cannot be set");
        Failure::new(Kind::Unavailable, words)
    })
}

/// Makes the browser forget a cookie.
pub fn remove_cookie(
    response: &mut HttpResponse,
    name: &'static str,
    office: &Office,
    words: Words,
) -> Result<(), Failure> {
    let mut gone = cookie(name, String::new(), office);
    gone.make_removal();
    add_cookie(response, &gone, words)
}

/// The language that the reader chose, else the one that the browser asks for, else zh-CN.
pub fn words(request: &HttpRequest) -> Words {
    let chosen = request.cookie(LANGUAGE_COOKIE).and_then(|cookie| language(cookie.value()));
    let asked = || {
        let header = request.headers().get(ACCEPT_LANGUAGE)?.to_str().ok()?;
        Some(Language::from_accept_language(header))
    };
    Words(chosen.or_else(asked).unwrap_or_default())
}

/// The language with the tag `tag`.
pub fn language(tag: &str) -> Option<Language> {
    [Language::ZhCn, Language::En].into_iter().find(|l| l.tag() == tag)
}

/// Whether two tokens are the same; takes the same time wherever they differ. An empty token is never right.
pub fn same_token(sent: &str, expected: &str) -> bool {
    !expected.is_empty() && bool::from(sent.as_bytes().ct_eq(expected.as_bytes()))
}

/// Somebody who is logged in.
pub struct SignedIn {
    /// The session.
    pub session: Session,
    /// Texts in the reader's language.
    pub words: Words,
}

impl SignedIn {
    /// The one whose session cookie came with `request`; `None` where there is no live session.
    pub async fn find(request: &HttpRequest, office: &Office) -> Result<Option<SignedIn>, Failure> {
        let words = words(request);
        let Some(cookie) = request.cookie(SESSION_COOKIE) else { return Ok(None) };
        let session = office.store.session(cookie.value(), Timestamp::now()).await;
        let session = session.map_err(|error| Failure::store(&error, words))?;
        Ok(session.map(|session| SignedIn { session, words }))
    }

    async fn enter(request: &HttpRequest, office: &Office, case: Option<CaseId>) -> Result<SignedIn, Failure> {
        let expired = request.cookie(SESSION_COOKIE).is_some();
        let kind = Kind::LoggedOut { case, expired };
        SignedIn::find(request, office).await?.ok_or_else(|| Failure::of(request, kind))
    }

    /// Refuses a form that does not carry this session's token.
    pub fn check_token(&self, sent: &str) -> Result<(), Failure> {
        match same_token(sent, &self.session.csrf) {
            true => Ok(()),
            false => Err(self.failure(Kind::Csrf)),
        }
    }

    /// A failure told to this reader.
    pub fn failure(&self, kind: Kind) -> Failure {
        Failure { kind, words: self.words, session: Some(Box::new(self.session.clone())) }
    }
}

/// Somebody who may see how the departments fare: everybody but observers, who look at cases alone.
pub struct DepartmentReader(pub SignedIn);

impl DepartmentReader {
    /// Lets in who may see the departments; others are led to the log-in page, or refused.
    pub async fn enter(request: &HttpRequest, office: &Office) -> Result<DepartmentReader, Failure> {
        let who = SignedIn::enter(request, office, None).await?;
        match may_see_departments(who.session.user.role) {
            true => Ok(DepartmentReader(who)),
            false => Err(who.failure(Kind::Forbidden)),
        }
    }
}

/// Whether this role may see how the departments fare.
pub fn may_see_departments(role: Role) -> bool {
    match role {
        Role::Officer | Role::Supervisor | Role::Admin => true,
        Role::Observer => false,
    }
}

/// Somebody who may read cases: everybody but administrators.
pub struct CaseReader(pub SignedIn);

impl CaseReader {
    /// Lets in who may read cases; others are led to the log-in page, and from there to `case`, or refused.
    pub async fn enter(request: &HttpRequest, office: &Office, case: Option<CaseId>) -> Result<CaseReader, Failure> {
        CaseReader::new(SignedIn::enter(request, office, case).await?)
    }

    /// `who` as a reader of cases; refused where the role may not read them.
    pub fn new(who: SignedIn) -> Result<CaseReader, Failure> {
        match who.session.user.role {
            Role::Officer | Role::Supervisor | Role::Observer => Ok(CaseReader(who)),
            Role::Admin => Err(who.failure(Kind::Admin)),
        }
    }

    /// Whether the reader may know which firm a case is about.
    pub fn sees_firm(&self) -> bool {
        self.0.session.user.role.may_see_firm()
    }

    /// Whether the reader may review.
    pub fn may_review(&self) -> bool {
        self.0.session.user.role.may_review()
    }

    /// The reader as one who may review; refused where the role may not.
    pub fn into_reviewer(self) -> Result<Reviewer, Failure> {
        match self.may_review() {
            true => Ok(Reviewer(self)),
            false => Err(self.0.failure(Kind::Forbidden)),
        }
    }
}

/// Somebody who may review cases.
pub struct Reviewer(pub CaseReader);
