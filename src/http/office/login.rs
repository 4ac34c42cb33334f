//! Logging in and out, and choosing the language.

use actix_web::http::StatusCode;
use actix_web::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use jiff::Timestamp;
use rand::RngCore;
use rand::rngs::OsRng;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::failure::{Failure, Kind};
use super::form::Filled;
use super::frame::{Frame, page, see_other};
use super::session::{
    self, LANGUAGE_COOKIE, LOGIN_COOKIE, SEARCH_COOKIE, SESSION_COOKIE, SignedIn, add_cookie, cookie, remove_cookie,
    same_token,
};
use super::{Office, ROOT, review};
use crate::domain::{CaseId, Language};
use crate::http::words::Words;
use crate::store::LogIn;

/// The longest name and password that are looked at, in bytes; longer ones are wrong.
const CREDENTIAL_BYTES_MAX: usize = 1024;

/// Why the log-in page is shown, and where it leads.
#[derive(Deserialize, Default)]
pub struct Arrival {
    /// `needed`, `expired` or `out`.
    #[serde(default)]
    why: String,
    /// The case to lead on to.
    #[serde(default)]
    case: String,
}

/// The form of the log-in page.
#[derive(Deserialize)]
pub struct LogInForm {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    password: SecretText,
    #[serde(default)]
    case: String,
    #[serde(default)]
    draft: String,
}

/// A secret field that may be left out of a form.
#[derive(Deserialize)]
#[serde(transparent)]
struct SecretText(SecretString);

impl Default for SecretText {
    fn default() -> SecretText {
        SecretText(SecretString::from(String::new()))
    }
}

#[derive(Template)]
#[template(path = "login.html")]
struct LogInPage {
    w: Words,
    frame: Frame,
    name: String,
    case: String,
    draft: String,
    error: Option<String>,
    hint: Option<String>,
}

/// `GET /console/login`
pub async fn show(request: HttpRequest, arrival: web::Query<Arrival>, office: web::Data<Office>) -> Answer {
    if let Some(who) = SignedIn::find(&request, &office).await? {
        drop(who);
        return Ok(see_other(&destination(&arrival.case)));
    }
    let words = session::words(&request);
    let hint = match arrival.why.as_str() {
        "needed" => Some(words.t("login-needed")),
        "expired" => Some(words.t("login-expired")),
        "out" => Some(words.t("login-logged-out")),
        _ => None,
    };
    let blank = Blank { hint, case: case_id(&arrival.case), ..Blank::default() };
    form(&request, &office, StatusCode::OK, blank)
}

type Answer = Result<HttpResponse, Failure>;

/// What the log-in form is filled with.
#[derive(Default)]
struct Blank {
    name: String,
    case: Option<CaseId>,
    draft: String,
    error: Option<String>,
    hint: Option<String>,
}

/// The log-in page, tied to the browser by a cookie.
fn form(request: &HttpRequest, office: &Office, status: StatusCode, blank: Blank) -> Answer {
    let words = session::words(request);
    let known = request.cookie(LOGIN_COOKIE).map(|c| c.value().to_owned()).filter(|token| token.len() == 32);
    let token = known.clone().unwrap_or_else(fresh_token);
    let case = blank.case.map(|id| id.to_string()).unwrap_or_default();
    let back = if case.is_empty() { format!("{ROOT}/login") } else { format!("{ROOT}/login?case={case}") };
    let template = LogInPage {
        w: words,
        frame: Frame::public(token.clone(), back),
        name: blank.name,
        case,
        draft: blank.draft,
        error: blank.error,
        hint: blank.hint,
    };
    let mut response = page(status, &template, words)?;
    if known.is_none() {
        add_cookie(&mut response, &cookie(LOGIN_COOKIE, token, office), words)?;
    }
    Ok(response)
}

/// The log-in page for somebody whose session ended while a reason was being written: the reason is kept.
pub fn show_with_draft(request: &HttpRequest, office: &Office, case: CaseId, draft: &str) -> Answer {
    let words = session::words(request);
    let hint = format!("{} {}", words.t("login-expired"), words.t("login-draft-kept"));
    let blank = Blank { case: Some(case), draft: draft.to_owned(), hint: Some(hint), ..Blank::default() };
    form(request, office, StatusCode::OK, blank)
}

fn fresh_token() -> String {
    let mut bytes = [0; 16];
    OsRng.fill_bytes(&mut bytes);
    hex::encode(bytes)
}

/// `POST /console/login`
pub async fn log_in(request: HttpRequest, filled: Filled<LogInForm>, office: web::Data<Office>) -> Answer {
    let words = session::words(&request);
    let LogInForm { csrf, name, password: SecretText(password), case, draft } = filled.0;
    let blank = |error: String| Blank {
        name: name.clone(),
        case: case_id(&case),
        draft: draft.clone(),
        error: Some(error),
        hint: None,
    };
    match request.cookie(LOGIN_COOKIE) {
        None => return form(&request, &office, StatusCode::FORBIDDEN, blank(words.t("login-cookies"))),
        Some(expected) if same_token(&csrf, expected.value()) => {}
        Some(_) => return Err(Failure::new(Kind::Csrf, words)),
    }
    if name.trim().is_empty() || password.expose_secret().is_empty() {
        return form(&request, &office, StatusCode::UNPROCESSABLE_ENTITY, blank(words.t("login-empty")));
    }
    let now = Timestamp::now();
    let too_long = name.len() > CREDENTIAL_BYTES_MAX || password.expose_secret().len() > CREDENTIAL_BYTES_MAX;
    let answer = if too_long {
        LogIn::Wrong
    } else {
        office.store.log_in(name.trim(), &password, now).await.map_err(|error| Failure::store(&error, words))?
    };
    match answer {
        LogIn::Welcome { session, token } => {
            // The session that this browser had ends here, whoever it belonged to.
            if let Some(old) = request.cookie(SESSION_COOKIE) {
                office.store.log_out(old.value()).await.map_err(|error| Failure::store(&error, words))?;
            }
            let who = SignedIn { session, words };
            let mut response = match case_id(&case) {
                Some(case) if !draft.is_empty() => review::show_draft(&office, who, case, draft).await?,
                _ => see_other(&destination(&case)),
            };
            add_cookie(&mut response, &cookie(SESSION_COOKIE, token.expose_secret().to_owned(), &office), words)?;
            remove_cookie(&mut response, LOGIN_COOKIE, &office, words)?;
            Ok(response)
        }
        LogIn::Wrong => {
            let mut response = form(&request, &office, StatusCode::UNAUTHORIZED, blank(words.t("login-wrong")))?;
            let headers = response.headers_mut();
            headers.insert(WWW_AUTHENTICATE, actix_web::http::header::HeaderValue::from_static("Form"));
            Ok(response)
        }
        LogIn::Locked { until } => {
            let seconds = (until.as_second() - now.as_second()).max(1);
            let minutes = (seconds + 59) / 60;
            let told = words.with("login-locked", &[("minutes", minutes.into())]);
            let mut response = form(&request, &office, StatusCode::TOO_MANY_REQUESTS, blank(told))?;
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
            Ok(response)
        }
    }
}

/// The token that a form of the page's head carries.
#[derive(Deserialize)]
pub struct HeadForm {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    language: String,
    #[serde(default)]
    back: String,
}

/// `POST /console/logout`
pub async fn log_out(request: HttpRequest, Filled(filled): Filled<HeadForm>, office: web::Data<Office>) -> Answer {
    let words = session::words(&request);
    let mut response = see_other(&format!("{ROOT}/login?why=out"));
    if let Some(who) = SignedIn::find(&request, &office).await? {
        who.check_token(&filled.csrf)?;
        if let Some(cookie) = request.cookie(SESSION_COOKIE) {
            let done = office.store.log_out(cookie.value()).await;
            done.map_err(|error| Failure::store(&error, words))?;
        }
    }
    remove_cookie(&mut response, SESSION_COOKIE, &office, words)?;
    remove_cookie(&mut response, SEARCH_COOKIE, &office, words)?;
    Ok(response)
}

/// `POST /console/language`
pub async fn switch_language(
    request: HttpRequest,
    Filled(filled): Filled<HeadForm>,
    office: web::Data<Office>,
) -> Answer {
    let words = session::words(&request);
    let expected = match SignedIn::find(&request, &office).await? {
        Some(who) => who.session.csrf,
        None => request.cookie(LOGIN_COOKIE).map(|c| c.value().to_owned()).unwrap_or_default(),
    };
    if !same_token(&filled.csrf, &expected) {
        return Err(Failure::new(Kind::Csrf, words));
    }
    let language: Language = session::language(&filled.language).unwrap_or_default();
    let mut chosen = cookie(LANGUAGE_COOKIE, language.tag().to_owned(), &office);
    chosen.set_max_age(actix_web::cookie::time::Duration::days(365));
    let mut response = see_other(&way_back(&filled.back));
    add_cookie(&mut response, &chosen, words)?;
    Ok(response)
}

fn case_id(text: &str) -> Option<CaseId> {
    text.parse().ok()
}

/// Where a log-in leads: to the case that was asked for, else to the queue.
fn destination(case: &str) -> String {
    case_id(case).map_or_else(|| format!("{ROOT}/cases"), |id| format!("{ROOT}/cases/{id}"))
}

/// An address of the console to go back to; anything else becomes the queue.
fn way_back(address: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '?' | '=' | '&');
    let inside = address.strip_prefix(ROOT).is_some_and(|rest| rest.starts_with('/') && !rest.contains("//"));
    if inside && address.chars().all(plain) { address.to_owned() } else { format!("{ROOT}/cases") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn switching_the_language_never_leads_out_of_the_console() {
        for good in ["/console/cases", "/console/cases?state=open&reason=CODE_SUSPECT&page=2", "/console/login"] {
            assert_eq!(way_back(good), good);
        }
        for bad in
            ["", "https://evil.example", "//evil.example", "/console//evil", "/console.evil", "/v1", "/console/../v1"]
        {
            assert_eq!(way_back(bad), "/console/cases", "{bad}");
        }
    }

    #[test]
    fn only_a_case_id_leads_on_from_the_log_in() {
        assert_eq!(destination("/evil"), "/console/cases");
        let id = "01890a5d-ac96-774b-bcce-b302099a8057";
        assert_eq!(destination(id), format!("/console/cases/{id}"));
    }
}
