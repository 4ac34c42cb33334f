//! A department of any shape, connected by configuration: `config/sources.toml`, described in `docs/connectors.md`.
//!
//! ```text
//! ask ─► template ─► auth (sign) ─► client ─► envelope ─► paging ─► Answer       read ─► mapping (pointer, value) ─► reply ─► rules
//!        address     who asks       bytes     code        all rows  one body             the record's JSON form     checked
//! ```
//!
//! Without a connector of its own a department is asked and read in the standard shape.

mod auth;
mod envelope;
mod file;
mod mapping;
mod number;
mod paging;
mod pointer;
mod probe;
mod rules;
mod schema;
mod secret;
mod sign;
mod template;
mod trial;
mod value;

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::Date;
use serde_json::Value;

use super::budget::Budget;
use super::client::{Answer, Body, Call, Client, Headers, Received, Url};
use super::failure::Failure;
use super::freshness::Freshness;
use super::reply::{self, Breach, Record};
use crate::domain::{SourceKind, Uscc};
use auth::Auth;
use envelope::{Envelope, Said};
pub(super) use file::Connectors;
use mapping::Mapping;
use paging::{Next, Paging, Style};
use pointer::Pointer;
use probe::Steps;
use rules::Rule;
use template::{Filled, Place, Template};
pub use trial::{Misread, Probed, Step, addresses, connectors_in_order, kind_of, probe, read_sample};

/// How one department is asked and read.
pub(super) struct Connector {
    name: String,
    kind: SourceKind,
    pub(super) stale_after_days: i32,
    /// For how long an answer is used again where the department does not say, in seconds.
    pub(super) cache_seconds: u64,
    client: Client,
    /// Scheme, host, port and perhaps a path; never with a slash at its end.
    base_url: String,
    path: Template,
    query: Vec<(String, Template)>,
    body: Option<BodyTemplate>,
    headers: Vec<(String, Template)>,
    absent_statuses: Vec<u16>,
    auth: Auth,
    /// Places in a reply with texts that are JSON themselves.
    unpack: Vec<Pointer>,
    envelope: Option<Envelope>,
    paging: Option<Paging>,
    mapping: Option<Mapping>,
    rules: Vec<Rule>,
}

/// What goes along with one ask through all its requests.
struct Along<'a> {
    /// What is left for further calls.
    budget: &'a Budget,
    /// Who is told how it goes.
    steps: &'a mut Steps,
}

struct BodyTemplate {
    template: Template,
    place: Place,
    content_type: String,
}

/// One reply of a department.
enum Page {
    NotFound {
        web_page: bool,
        freshness: Freshness,
    },
    /// It cannot be understood here; reading it says why.
    Unread(Vec<u8>, Headers, Freshness),
    Read(Reading),
}

/// A reply that can be understood.
struct Reading {
    body: Vec<u8>,
    page: Value,
    headers: Headers,
    freshness: Freshness,
}

impl Connector {
    /// Asks about one firm: all that belongs to the reply, in at most `within`.
    /// What is asked again with a new token spends of `budget`.
    pub(super) async fn ask(&self, uscc: &Uscc, within: Duration, budget: &Budget) -> Result<Answer, Failure> {
        self.ask_telling(uscc, within, Along { budget, steps: &mut Steps::unheard() }).await
    }

    async fn ask_telling(&self, uscc: &Uscc, within: Duration, mut along: Along<'_>) -> Result<Answer, Failure> {
        match tokio::time::timeout(within, self.fetch(uscc, &mut along)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(Failure::Timeout { within }),
        }
    }

    /// The record in a reply about this firm, if it is as the mapping says, everything in it is possible, and the rules hold.
    pub(super) fn read<R: Record>(
        &self,
        body: &[u8],
        headers: &Headers,
        uscc: &Uscc,
        today: Date,
    ) -> Result<R, Breach> {
        let Some(mapping) = &self.mapping else {
            let record = reply::read(body, uscc, today)?;
            if !self.rules.is_empty() || self.envelope.is_some() {
                let whole = reply::json(body)?;
                self.envelope.as_ref().map_or(Ok(()), |envelope| envelope.check(&whole))?;
                self.hold_rules(&whole)?;
            }
            return Ok(record);
        };
        let whole = self.json(body)?;
        self.envelope.as_ref().map_or(Ok(()), |envelope| envelope.check(&whole))?;
        let mapped = mapping.apply(&whole, headers, uscc)?;
        let bytes = serde_json::to_vec(&mapped).map_err(|_| Breach::at("", "makes a record that cannot be written"))?;
        let record = reply::read(&bytes, uscc, today).map_err(Breach::in_record)?;
        self.hold_rules(&mapped).map_err(Breach::in_record)?;
        Ok(record)
    }

    /// A reply as JSON, with the texts in it that are JSON themselves read as such.
    fn json(&self, body: &[u8]) -> Result<Value, Breach> {
        let mut whole = reply::json(body)?;
        for at in &self.unpack {
            let Some(Value::String(text)) = at.walk(&whole) else { continue };
            if text.trim().is_empty() {
                continue;
            }
            let inner = reply::json(text.as_bytes()).map_err(|breach| {
                Breach::at(at.text(), format!("is a text that should be JSON: {}", breach.problem))
            })?;
            if let Some(place) = at.walk_mut(&mut whole) {
                *place = inner;
            }
        }
        Ok(whole)
    }

    fn hold_rules(&self, record: &Value) -> Result<(), Breach> {
        self.rules.iter().try_for_each(|rule| rule.check(record))
    }

    async fn fetch(&self, uscc: &Uscc, along: &mut Along<'_>) -> Result<Answer, Failure> {
        let now = Timestamp::now();
        let mut filled = Filled { uscc: uscc.as_str(), now, page: 0, offset: 0, size: 0, cursor: None };
        if let Some(paging) = &self.paging {
            (filled.page, filled.size) = (paging.first, paging.size);
        }
        let url = self.url(&filled).ok_or(Failure::Request)?;
        let first = match self.page(&url, &filled, along).await? {
            Page::NotFound { web_page, freshness } => return Ok(Answer::NotFound { web_page, freshness }),
            Page::Unread(body, headers, freshness) => return Ok(Answer::Body { body, headers, freshness }),
            Page::Read(first) => first,
        };
        match &self.paging {
            None => Ok(Answer::Body { body: first.body, headers: first.headers, freshness: first.freshness }),
            Some(paging) => self.further(paging, filled, url, first, along).await,
        }
    }

    /// The pages after the first, put together with it.
    async fn further(
        &self,
        paging: &Paging,
        filled: Filled<'_>,
        mut url: Url,
        first: Reading,
        along: &mut Along<'_>,
    ) -> Result<Answer, Failure> {
        let Reading { body, page: first, headers: first_headers, mut freshness } = first;
        let mut bytes = body.len();
        let mut gathered = paging.begin(first.clone());
        let mut next = paging.next(&mut gathered, &first, &first_headers)?;
        while let Next::Page(follows) = next {
            let number = u64::from(gathered.pages);
            let mut filled = Filled { page: paging.first + number, offset: number * paging.size, ..filled.clone() };
            match paging.style {
                Style::NextLink => {
                    let link = follows.as_deref().unwrap_or("");
                    let wrong = |problem| Failure::Paging { page: gathered.pages, problem };
                    url = url.join(link).map_err(|_| wrong("gives a next address that is none"))?;
                    if !self.is_at_home(&url) {
                        return Err(wrong("leads to another host; the firm's code goes to the configured one only"));
                    }
                }
                _ => {
                    filled.cursor = follows.as_deref();
                    url = self.url(&filled).ok_or(Failure::Request)?;
                }
            }
            let wrong = |problem| Failure::Paging { page: gathered.pages + 1, problem };
            let Reading { body, page, headers, freshness: of_page } = match self.page(&url, &filled, along).await? {
                Page::Read(reading) => reading,
                Page::NotFound { .. } => return Err(wrong("is not there, though the one before says so")),
                Page::Unread(..) => return Err(wrong("is not JSON, or lacks the code of its envelope")),
            };
            freshness = freshness.strictest(of_page);
            bytes += body.len();
            if bytes > self.client.body_bytes_max() {
                return Err(Failure::TooLarge { limit: self.client.body_bytes_max() });
            }
            let same =
                |mapping: &Mapping| mapping.same_page((&first, &first_headers), (&page, &headers), paging.about_first);
            if self.mapping.as_ref().is_some_and(|mapping| !same(mapping)) {
                return Err(wrong(
                    "is about another firm or date than the first, or does not say (about = \"first\" says that it need not)",
                ));
            }
            let same_parts =
                |mapping: &Mapping| mapping.same_parts((&first, &first_headers), (&page, &headers), paging);
            if self.mapping.as_ref().is_some_and(|mapping| !same_parts(mapping)) {
                return Err(wrong(
                    "says something else than the first of what does not go on from page to page (a status, an amount, a list that \
                     `items` does not name)",
                ));
            }
            paging.add(&mut gathered, &page)?;
            next = paging.next(&mut gathered, &page, &headers)?;
        }
        along.steps.tell("paging", || format!("{} pages, {} rows", gathered.pages, gathered.rows));
        if gathered.pages == 1 {
            return Ok(Answer::Body { body, headers: first_headers, freshness });
        }
        let whole = serde_json::to_vec(&gathered.whole).map_err(|_| Failure::Encoding)?;
        Ok(Answer::Body { body: whole, headers: first_headers, freshness })
    }

    /// One request and what its reply says.
    async fn page(&self, url: &Url, filled: &Filled<'_>, along: &mut Along<'_>) -> Result<Page, Failure> {
        let received = self.send(url, filled, along).await?;
        let Received { status, web_page, body, freshness, headers } = received;
        let with_code = self.envelope.as_ref().is_some_and(|envelope| envelope.statuses.contains(&status));
        match status {
            200 => {}
            _ if with_code => {}
            404 => return Ok(Page::NotFound { web_page, freshness }),
            code if self.absent_statuses.contains(&code) => return Ok(Page::NotFound { web_page: false, freshness }),
            code @ 201..=299 => return Err(Failure::NoRecord { code }),
            code => return Err(Failure::Status { code }),
        }
        if self.envelope.is_none() && self.paging.is_none() {
            return Ok(Page::Unread(body, headers, freshness));
        }
        // With another status than 200 only the code is of interest, that of an unknown firm.
        let without_code = |body, headers| match status {
            200 => Ok(Page::Unread(body, headers, freshness)),
            404 => Ok(Page::NotFound { web_page, freshness }),
            code => Err(Failure::Status { code }),
        };
        let Ok(page) = self.json(&body) else { return without_code(body, headers) };
        let said = self.envelope.as_ref().map_or(Ok(Some(Said::Success)), |envelope| envelope.said(&page))?;
        along.steps.tell("envelope", || match said {
            Some(Said::Success) => "success".into(),
            Some(Said::Absent) => "the department does not know the firm".into(),
            None => "no code".into(),
        });
        match said {
            Some(Said::Success) if status == 200 => Ok(Page::Read(Reading { body, page, headers, freshness })),
            Some(Said::Absent) => Ok(Page::NotFound { web_page: false, freshness }),
            Some(Said::Success) | None => without_code(body, headers),
        }
    }

    /// Sends, and once more with a new token where the old one is refused and the budget has a further call left.
    async fn send(&self, url: &Url, filled: &Filled<'_>, along: &mut Along<'_>) -> Result<Received, Failure> {
        let (call, token) = self.signed(url, filled, along).await?;
        let mut received = self.client.send(&call).await?;
        if let Some(token) = token {
            received = self.renewed(url, filled, received, &token, along).await?;
        }
        along.steps.tell("status", || format!("{}, {} bytes", received.status, received.body.len()));
        Ok(received)
    }

    /// The call, with what says who asks, and the token where there is one.
    async fn signed(
        &self,
        url: &Url,
        filled: &Filled<'_>,
        along: &mut Along<'_>,
    ) -> Result<(Call, Option<String>), Failure> {
        let mut call = self.call(url.clone(), filled).ok_or(Failure::Request)?;
        along.steps.tell("address", || format!("{} {}", call.method(), shown(&call.url)));
        let token = self.auth.add(&mut call, &self.client, along.steps).await?;
        Ok((call, token))
    }

    /// `received`, which came for a call with `token`, where the token was good; else what comes with a new one.
    async fn renewed(
        &self,
        url: &Url,
        filled: &Filled<'_>,
        received: Received,
        token: &str,
        along: &mut Along<'_>,
    ) -> Result<Received, Failure> {
        if !self.refuses_token(&received) {
            self.auth.accepted();
            return Ok(received);
        }
        let may_ask_again = along.budget.spend_retry();
        self.auth.refused(token, may_ask_again).await;
        if !may_ask_again {
            return Err(Failure::Token {
                problem: "gave a token that the department refuses, and no further call is left for a new one",
            });
        }
        along.steps.tell("status", || format!("{}; a new token is asked for, once", received.status));
        let (call, token) = self.signed(url, filled, along).await?;
        let received = self.client.send(&call).await?;
        if !self.refuses_token(&received) {
            self.auth.accepted();
            return Ok(received);
        }
        if let Some(token) = token {
            self.auth.refused(&token, false).await;
        }
        Err(Failure::TokenRefused)
    }

    fn refuses_token(&self, received: &Received) -> bool {
        let by_code = |envelope: &Envelope| {
            envelope.may_refuse_token() && self.json(&received.body).is_ok_and(|reply| envelope.refuses_token(&reply))
        };
        received.status == 401 || self.envelope.as_ref().is_some_and(by_code)
    }

    fn call(&self, url: Url, filled: &Filled<'_>) -> Option<Call> {
        let body = match &self.body {
            None => None,
            Some(body) => {
                Some(Body { text: body.template.fill(filled, body.place)?, content_type: body.content_type.clone() })
            }
        };
        let headers = self.headers.iter().map(|(name, value)| Some((name.clone(), value.fill(filled, Place::Header)?)));
        Some(Call { url, headers: headers.collect::<Option<Vec<_>>>()?, body })
    }

    fn url(&self, filled: &Filled<'_>) -> Option<Url> {
        let path = self.path.fill(filled, Place::Address)?;
        let mut text = format!("{}/{}", self.base_url, path.trim_start_matches('/'));
        for (name, value) in &self.query {
            // A parameter whose cursor is not there yet is left out.
            if let Some(value) = value.fill(filled, Place::Address) {
                text.push(if text.contains('?') { '&' } else { '?' });
                text.push_str(&format!("{}={value}", template::escaped(name)));
            }
        }
        Url::parse(&text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.fragment().is_none())
    }

    /// Whether an address is at the configured scheme, host and port.
    fn is_at_home(&self, url: &Url) -> bool {
        Url::parse(&self.base_url).is_ok_and(|home| home.origin() == url.origin())
    }
}

/// An address for the operator's terminal: without a password.
fn shown(url: &Url) -> String {
    let mut shown = url.clone();
    if shown.password().is_some() {
        let _ = shown.set_password(Some("…"));
    }
    shown.to_string()
}
