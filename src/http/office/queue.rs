//! The queue of cases.

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use askama::Template;
use jiff::Timestamp;
use serde::Deserialize;

use super::clock::{Clock, clock};
use super::failure::{Failure, Kind};
use super::form::Filled;
use super::frame::{Frame, page, see_other};
use super::session::{CaseReader, SEARCH_COOKIE, add_cookie, cookie, remove_cookie};
use super::{Office, ROOT};
use crate::domain::{Case, CaseState, Outcome};
use crate::http::words::{self, REFER_CODES, Words, figures};
use crate::store::{CaseFilter, CasePage, Store, StoreError};

/// Cases on a page.
const PER_PAGE: u32 = 25;
/// Characters of a search that are looked at.
const SEARCH_CHARS_MAX: usize = 100;

/// The tabs of the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tab {
    Open,
    Asked,
    Overdue,
    Closed,
    All,
}

impl Tab {
    const ALL: [Tab; 5] = [Tab::Open, Tab::Asked, Tab::Overdue, Tab::Closed, Tab::All];

    fn as_str(self) -> &'static str {
        match self {
            Tab::Open => "open",
            Tab::Asked => "asked",
            Tab::Overdue => "overdue",
            Tab::Closed => "closed",
            Tab::All => "all",
        }
    }

    /// The tab of that name; the first for any other text.
    fn named(text: &str) -> Tab {
        Tab::ALL.into_iter().find(|tab| tab.as_str() == text).unwrap_or(Tab::Open)
    }

    fn states(self) -> Vec<CaseState> {
        match self {
            Tab::Open => vec![CaseState::Open],
            Tab::Asked => vec![CaseState::Asked],
            Tab::Closed => vec![CaseState::Closed],
            Tab::Overdue | Tab::All => Vec::new(),
        }
    }
}

/// What an address of the queue says; never anything about a firm.
#[derive(Deserialize, Default)]
pub struct QueueQuery {
    #[serde(default)]
    state: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    page: String,
    /// Whether the search that the cookie keeps applies.
    #[serde(default)]
    search: String,
}

/// The form of the queue.
#[derive(Deserialize)]
pub struct QueueForm {
    #[serde(default)]
    csrf: String,
    #[serde(default)]
    state: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    search: String,
}

/// What of the queue is shown.
struct View {
    tab: Tab,
    reason: Option<&'static str>,
    search: String,
    page: u32,
}

impl View {
    fn new(state: &str, reason: &str, search: &str, page: &str) -> View {
        View {
            tab: Tab::named(state),
            reason: REFER_CODES.into_iter().find(|code| *code == reason),
            search: search.trim().chars().take(SEARCH_CHARS_MAX).collect(),
            page: page.parse().unwrap_or(1).clamp(1, 1_000_000),
        }
    }

    /// The address of this view. It says that there is a search, not which.
    fn address(&self) -> String {
        let reason = self.reason.map(|code| format!("&reason={code}")).unwrap_or_default();
        let search = if self.search.is_empty() { "" } else { "&search=kept" };
        let page = if self.page > 1 { format!("&page={}", self.page) } else { String::new() };
        format!("{ROOT}/cases?state={}{reason}{search}{page}", self.tab.as_str())
    }

    /// The first page of another tab.
    fn on_tab(&self, tab: Tab) -> View {
        View { tab, reason: self.reason, search: self.search.clone(), page: 1 }
    }

    /// Another page.
    fn on_page(&self, page: u32) -> View {
        View { tab: self.tab, reason: self.reason, search: self.search.clone(), page }
    }

    fn filter(&self, now: Timestamp) -> CaseFilter {
        CaseFilter {
            states: self.tab.states(),
            refer_code: self.reason.map(str::to_owned),
            overdue_at: (self.tab == Tab::Overdue).then_some(now),
            search: (!self.search.is_empty()).then(|| self.search.clone()),
            page: self.page,
            per_page: PER_PAGE,
        }
    }
}

struct TabLink {
    name: &'static str,
    label: String,
    address: String,
    count: u64,
    current: bool,
    alarm: bool,
}

struct ReasonOption {
    code: &'static str,
    title: String,
    selected: bool,
}

struct Row {
    address: String,
    firm: String,
    code: String,
    bank: Option<String>,
    reasons: Vec<String>,
    score: i64,
    grade: String,
    amount: String,
    opened: String,
    due: String,
    clock: Clock,
    state: String,
    state_class: &'static str,
}

#[derive(Template)]
#[template(path = "queue.html")]
struct QueuePage {
    w: Words,
    frame: Frame,
    tabs: Vec<TabLink>,
    reasons: Vec<ReasonOption>,
    state: &'static str,
    search: String,
    may_search: bool,
    filtered: bool,
    clear: String,
    rows: Vec<Row>,
    empty: String,
    total: String,
    previous: Option<String>,
    next: Option<String>,
}

/// `GET /console`
pub async fn home(request: HttpRequest, office: web::Data<Office>) -> Result<HttpResponse, Failure> {
    CaseReader::enter(&request, &office, None).await?;
    Ok(see_other(&format!("{ROOT}/cases")))
}

/// `GET /console/cases`
pub async fn show(
    request: HttpRequest,
    query: Option<web::Query<QueueQuery>>,
    office: web::Data<Office>,
) -> Result<HttpResponse, Failure> {
    let reader = CaseReader::enter(&request, &office, None).await?;
    let query = query.map(web::Query::into_inner).unwrap_or_default();
    let kept = if query.search.is_empty() { String::new() } else { kept_search(&request) };
    // A search by name would tell an observer which masked case is whose.
    let search = if reader.sees_firm() { kept.as_str() } else { "" };
    render(&reader, &office, View::new(&query.state, &query.reason, search, &query.page)).await
}

fn kept_search(request: &HttpRequest) -> String {
    let kept = request.cookie(SEARCH_COOKIE).and_then(|cookie| hex::decode(cookie.value()).ok());
    kept.and_then(|bytes| String::from_utf8(bytes).ok()).unwrap_or_default()
}

/// `POST /console/cases`: the search. Its words come in the body and are kept in a cookie, since addresses are logged on the
/// way; the page itself is then a GET, so that going back to it from a case works.
pub async fn search(
    request: HttpRequest,
    Filled(filled): Filled<QueueForm>,
    office: web::Data<Office>,
) -> Result<HttpResponse, Failure> {
    let reader = CaseReader::enter(&request, &office, None).await?;
    reader.0.check_token(&filled.csrf)?;
    let view = View::new(&filled.state, &filled.reason, &filled.search, "");
    if !view.search.is_empty() && !reader.sees_firm() {
        return Err(reader.0.failure(Kind::Forbidden));
    }
    let mut response = see_other(&view.address());
    match view.search.is_empty() {
        true => remove_cookie(&mut response, SEARCH_COOKIE, &office, reader.0.words)?,
        false => {
            let kept = cookie(SEARCH_COOKIE, hex::encode(&view.search), &office);
            add_cookie(&mut response, &kept, reader.0.words)?;
        }
    }
    Ok(response)
}

async fn render(reader: &CaseReader, office: &Office, mut view: View) -> Result<HttpResponse, Failure> {
    let words = reader.0.words;
    let now = Timestamp::now();
    let failed = |error: StoreError| Failure::store(&error, words);
    let mut found = office.store.cases(&view.filter(now)).await.map_err(failed)?;
    let pages = pages(found.total);
    if view.page > pages {
        view.page = pages;
        found = office.store.cases(&view.filter(now)).await.map_err(failed)?;
    }
    let tabs = tabs(&office.store, &view, now, words).await.map_err(failed)?;
    let total = words
        .with("queue-total", &[("total", found.total.into()), ("page", view.page.into()), ("pages", pages.into())]);
    let template = QueuePage {
        w: words,
        frame: Frame::signed_in(&reader.0.session, words, view.address()),
        tabs,
        reasons: reason_options(&view, words),
        state: view.tab.as_str(),
        may_search: reader.sees_firm(),
        filtered: view.reason.is_some() || !view.search.is_empty(),
        clear: View::new(view.tab.as_str(), "", "", "").address(),
        rows: rows(&found, reader, now),
        empty: empty(&view, words),
        total,
        previous: (view.page > 1).then(|| view.on_page(view.page - 1).address()),
        next: (view.page < pages).then(|| view.on_page(view.page + 1).address()),
        search: view.search,
    };
    page(StatusCode::OK, &template, words)
}

fn pages(total: u64) -> u32 {
    u32::try_from(total.div_ceil(u64::from(PER_PAGE))).unwrap_or(u32::MAX).max(1)
}

fn empty(view: &View, words: Words) -> String {
    let unfiltered = view.tab == Tab::Open && view.reason.is_none() && view.search.is_empty();
    if unfiltered { words.t("queue-empty-open") } else { words.t("queue-empty") }
}

async fn tabs(store: &Store, view: &View, now: Timestamp, words: Words) -> Result<Vec<TabLink>, StoreError> {
    let counts = store.count_cases(now).await?;
    Ok(Tab::ALL
        .into_iter()
        .map(|tab| {
            let count = match tab {
                Tab::Open => counts.open,
                Tab::Asked => counts.asked,
                Tab::Overdue => counts.overdue,
                Tab::Closed => counts.closed,
                Tab::All => counts.open + counts.asked + counts.closed,
            };
            TabLink {
                name: tab.as_str(),
                label: words.t(&format!("queue-tab-{}", tab.as_str())),
                address: view.on_tab(tab).address(),
                count,
                current: tab == view.tab,
                alarm: tab == Tab::Overdue && count > 0,
            }
        })
        .collect())
}

fn reason_options(view: &View, words: Words) -> Vec<ReasonOption> {
    REFER_CODES
        .into_iter()
        .map(|code| ReasonOption {
            code,
            title: words::refer_title(words.0, code),
            selected: view.reason == Some(code),
        })
        .collect()
}

fn rows(found: &CasePage, reader: &CaseReader, now: Timestamp) -> Vec<Row> {
    let words = reader.0.words;
    let row = |case: &Case| {
        let mut reasons: Vec<String> = case.refer_codes.iter().map(|code| words::refer_title(words.0, code)).collect();
        reasons.dedup();
        if reasons.is_empty() && case.outcome == Outcome::Approve {
            reasons.push(words.t("queue-flagged"));
        }
        Row {
            address: format!("{ROOT}/cases/{}", case.id),
            firm: firm_name(case, reader),
            code: firm_code(case, reader),
            bank: reader.sees_firm().then(|| case.bank_name.clone()),
            reasons,
            score: case.score,
            grade: case.grade.clone(),
            amount: figures::money(case.amount, words.0),
            opened: figures::day(case.opened_at),
            due: figures::day(case.due_at),
            clock: clock(case, now, words),
            state: words.t(&format!("state-{}", case.state)),
            state_class: case.state.as_str(),
        }
    };
    found.cases.iter().map(row).collect()
}

/// The firm's name as `reader` may know it.
pub fn firm_name(case: &Case, reader: &CaseReader) -> String {
    let words = reader.0.words;
    match (&case.firm_name, reader.sees_firm()) {
        (_, false) => words.t("case-masked-firm"),
        (Some(name), true) => name.clone(),
        (None, true) => words.t("case-unnamed-firm"),
    }
}

/// The firm's code as `reader` may know it.
pub fn firm_code(case: &Case, reader: &CaseReader) -> String {
    if reader.sees_firm() { case.uscc.as_str().to_owned() } else { case.uscc.masked() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_of_the_queue_never_carries_a_search() {
        let view = View::new("asked", "CODE_SUSPECT", "91330604MA2XY0014W", "3");
        assert_eq!(view.address(), "/console/cases?state=asked&reason=CODE_SUSPECT&search=kept&page=3");
        assert_eq!(view.filter(Timestamp::UNIX_EPOCH).search.as_deref(), Some("91330604MA2XY0014W"));
    }

    #[test]
    fn nonsense_in_an_address_becomes_the_first_page_of_the_open_cases() {
        let view = View::new("<script>", "NO_SUCH", "  ", "-7");
        assert_eq!(view.address(), "/console/cases?state=open");
        assert_eq!(view.filter(Timestamp::UNIX_EPOCH).search, None);
        assert_eq!(pages(0), 1);
        assert_eq!(pages(26), 2);
    }
}
