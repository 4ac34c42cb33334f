//! Replies in pages: which comes next, and one whole reply of all of them.

use serde::Deserialize;
use serde_json::{Map, Value};

use super::pointer::{Pointer, scalar};
use super::template::Name;
use crate::sources::client::{Headers, Unreadable};
use crate::sources::failure::Failure;

/// Pages that are read where the connector does not say, and at most.
const PAGES_MAX: u32 = 50;
const PAGES_MAX_MAX: u32 = 1000;

/// `[NAME.paging]` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PagingWire {
    style: Style,
    items: Many,
    #[serde(default)]
    size: u64,
    #[serde(default = "one")]
    first: u64,
    total_pages: Option<String>,
    total_items: Option<String>,
    has_more: Option<String>,
    next: Option<String>,
    #[serde(default)]
    keyed: bool,
    pages_max: Option<u32>,
    until: Option<Until>,
    about: Option<About>,
}

/// What the end is recognised by, where no page tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Until {
    /// A page without a row.
    Empty,
}

/// Which pages name firm and date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum About {
    /// The first only.
    First,
}

fn one() -> u64 {
    1
}

/// One pointer or several.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a JSON pointer or a list of them")]
enum Many {
    One(String),
    Several(Vec<String>),
}

/// How the next page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Style {
    /// By its number, `{page}`.
    Page,
    /// By the rows before it, `{offset}`.
    Offset,
    /// By a text that the page before gave, `{cursor}`.
    Cursor,
    /// By an address that the page before gave.
    NextLink,
}

/// How a department pages.
pub(super) struct Paging {
    pub(super) style: Style,
    /// The lists that go on from page to page.
    items: Vec<Pointer>,
    pub(super) size: u64,
    pub(super) first: u64,
    total_pages: Option<Told>,
    total_items: Option<Told>,
    has_more: Option<Told>,
    next: Option<Told>,
    /// The lists are objects, whose entries are the rows, or lists of them.
    keyed: bool,
    pub(super) pages_max: u32,
    /// Whether pages go on until one has no row.
    until_empty: bool,
    /// Whether pages after the first need not name firm and date.
    pub(super) about_first: bool,
}

/// Where a page tells how it goes on.
enum Told {
    Body(Pointer),
    /// A header of the reply; of `Link`, the address with `rel="next"`.
    Header(String),
}

impl Told {
    /// Reads a JSON pointer, or `header:NAME`.
    fn parse(text: &str) -> Result<Told, String> {
        match text.strip_prefix("header:") {
            Some(name) if Headers::can_have(name) => Ok(Told::Header(name.to_owned())),
            Some(name) => Err(format!("{name:?} is no name of a header")),
            None => Pointer::parse(text).map(Told::Body),
        }
    }

    fn find(&self, page: &Value, headers: &Headers) -> Result<Option<String>, Unreadable> {
        match self {
            Told::Body(at) => Ok(at.walk(page).and_then(scalar)),
            Told::Header(name) if name.eq_ignore_ascii_case("link") => {
                Ok(headers.get(name)?.and_then(|links| next_link(&links)))
            }
            Told::Header(name) => headers.get(name),
        }
    }
}

/// The address of the next page in a `Link` header (RFC 8288).
fn next_link(header: &str) -> Option<String> {
    header.split('<').skip(1).find_map(|link| {
        let (address, parameters) = link.split_once('>')?;
        let is_next =
            parameters.split([';', ',']).filter_map(|parameter| parameter.split_once('=')).any(|(name, value)| {
                let mut words = value.trim().trim_matches('"').split_whitespace();
                name.trim().eq_ignore_ascii_case("rel") && words.any(|word| word.eq_ignore_ascii_case("next"))
            });
        is_next.then(|| address.trim().to_owned())
    })
}

/// The pages so far.
pub(super) struct Gathered {
    /// The first page, with the rows of the others in its lists.
    pub(super) whole: Value,
    pub(super) pages: u32,
    /// Rows so far, of all lists together.
    pub(super) rows: u64,
    last: Option<String>,
    /// How much there is in all, as the pages so far say.
    total: Option<u64>,
    /// Rows of the first page, where all pages but the last must have as many.
    rows_first: u64,
}

/// What comes after a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing.
    End,
    /// The next page; with a cursor or a link where the department gives one.
    Page(Option<String>),
}

impl Paging {
    /// Reads `[NAME.paging]` at `path`; `asks_for` says which placeholders the request has.
    pub(super) fn read(
        path: &str,
        wire: PagingWire,
        asks_for: impl Fn(Name) -> bool,
        problems: &mut Vec<String>,
    ) -> Paging {
        let mut tell = |problem: String| problems.push(format!("{path}: {problem}"));
        let ends = [&wire.total_pages, &wire.total_items, &wire.has_more].into_iter().flatten().count();
        match wire.style {
            Style::Page if !asks_for(Name::Page) => tell("{page} must occur in path, query or body".into()),
            Style::Offset if !asks_for(Name::Offset) => tell("{offset} must occur in path, query or body".into()),
            Style::Cursor if !asks_for(Name::Cursor) => tell("{cursor} must occur in path, query or body".into()),
            _ => {}
        }
        let follows = matches!(wire.style, Style::Cursor | Style::NextLink);
        if follows != wire.next.is_some() {
            tell("`next`, a JSON pointer, belongs to the styles cursor and next_link, and they need it".into());
        }
        if wire.until.is_some() && (ends > 0 || follows) {
            tell("`until` is for pages by number or offset that do not tell where the end is".into());
        }
        if ends > 1 {
            tell("at most one of total_pages, total_items and has_more says where the end is".into());
        }
        if wire.size == 0
            && (asks_for(Name::Size) || wire.style == Style::Offset || (!follows && ends == 0 && wire.until.is_none()))
        {
            tell("needs `size`, the rows of a page".into());
        }
        let pages_max = wire.pages_max.unwrap_or(PAGES_MAX);
        if !(1..=PAGES_MAX_MAX).contains(&pages_max) {
            tell(format!("pages_max must lie between 1 and {PAGES_MAX_MAX}"));
        }
        let items = match wire.items {
            Many::One(one) => vec![one],
            Many::Several(several) => several,
        };
        if items.is_empty() {
            tell("`items` is empty".into());
        }
        let mut pointer = |text: String| {
            Pointer::parse(&text).unwrap_or_else(|problem| {
                problems.push(format!("{path}: {problem}"));
                Pointer::here()
            })
        };
        let items = items.into_iter().map(&mut pointer).collect();
        let mut told = |text: String| {
            Told::parse(&text).unwrap_or_else(|problem| {
                problems.push(format!("{path}: {problem}"));
                Told::Body(Pointer::here())
            })
        };
        Paging {
            style: wire.style,
            items,
            size: wire.size,
            first: wire.first,
            total_pages: wire.total_pages.map(&mut told),
            total_items: wire.total_items.map(&mut told),
            has_more: wire.has_more.map(&mut told),
            next: wire.next.map(&mut told),
            keyed: wire.keyed,
            pages_max,
            until_empty: wire.until.is_some(),
            about_first: wire.about.is_some(),
        }
    }

    /// Whether rows could be lost without a sign: nothing but the length of a page says that it is the last.
    pub(super) fn may_end_unseen(&self) -> bool {
        let told = [&self.total_pages, &self.total_items, &self.has_more, &self.next];
        !self.until_empty && told.into_iter().all(Option::is_none)
    }

    /// Whether all pages but the last have equally many rows; several lists need not end on the same page.
    fn of_one_size(&self) -> bool {
        self.items.len() == 1 && !self.keyed
    }

    /// What is wrong with `items` beside a mapping that reads objects and lists at these places; with whether each is read by name.
    pub(super) fn lists(&self, mapped: &[(&Pointer, bool)]) -> Vec<String> {
        let mut problems = Vec::new();
        for item in &self.items {
            let at = item.text();
            if !mapped.iter().any(|(from, _)| is_inside(from.text(), at) || is_inside(at, from.text())) {
                problems.push(format!("items: {at:?} is no list that the map reads"));
            }
            if !self.keyed && mapped.iter().any(|(from, keyed)| *keyed && from.text() == at) {
                problems.push(format!("items: {at:?} is keyed in the map; paging needs `keyed = true` as well"));
            }
        }
        problems
    }

    /// Whether a place in a page lies in a list that goes on from page to page.
    pub(super) fn is_in_rows(&self, at: &str) -> bool {
        self.items.iter().any(|item| is_inside(at, item.text()))
    }

    /// Whether such a list lies in this place.
    pub(super) fn has_rows_in(&self, at: &str) -> bool {
        self.items.iter().any(|item| is_inside(item.text(), at))
    }

    /// The rows of one page.
    fn rows(&self, page: &Value) -> u64 {
        let rows = |at: &Pointer| match at.walk(page) {
            None | Some(Value::Null) => 0,
            Some(Value::Array(rows)) => rows.len() as u64,
            Some(Value::Object(entries)) if self.keyed => entries.values().map(rows_of_entry).sum(),
            Some(_) => 1,
        };
        self.items.iter().map(rows).sum()
    }

    /// Begins with the first page.
    pub(super) fn begin(&self, first: Value) -> Gathered {
        let rows = self.rows(&first);
        Gathered { whole: first, pages: 1, rows, last: None, total: None, rows_first: rows }
    }

    /// Adds the rows of the next page.
    pub(super) fn add(&self, gathered: &mut Gathered, page: &Value) -> Result<(), Failure> {
        gathered.pages += 1;
        let wrong = |problem| Failure::Paging { page: gathered.pages, problem };
        for at in &self.items {
            // Where nobody says how many rows there are in all, a list that is not there may be a page that was lost.
            if self.total_items.is_none() && is_there(at, page) != is_there(at, &gathered.whole) {
                return Err(wrong("has not the same lists as the first: a list is there on every page, or on none"));
            }
            let rows: Vec<Value> = match at.walk(page) {
                None | Some(Value::Null) => continue,
                Some(Value::Object(entries)) if self.keyed => {
                    let whole = at.walk_mut(&mut gathered.whole);
                    whole.and_then(|whole| add_entries(whole, entries)).ok_or_else(|| wrong("repeats an entry"))?;
                    continue;
                }
                Some(Value::Array(rows)) => rows.clone(),
                // A list of one that became an object on its way from XML.
                Some(one) => vec![one.clone()],
            };
            let list =
                at.walk_mut(&mut gathered.whole).ok_or_else(|| wrong("has a list for which the first has no place"))?;
            match list {
                Value::Array(list) => list.extend(rows),
                Value::Null => *list = Value::Array(rows),
                one => {
                    let first = one.take();
                    *one = Value::Array(std::iter::once(first).chain(rows).collect());
                }
            }
        }
        gathered.rows += self.rows(page);
        Ok(())
    }

    /// What comes after `page`, the last of `gathered`.
    pub(super) fn next(&self, gathered: &mut Gathered, page: &Value, headers: &Headers) -> Result<Next, Failure> {
        let number = gathered.pages;
        let wrong = |problem| Failure::Paging { page: number, problem };
        let find = |at: &Told| {
            let found = at.find(page, headers);
            found.map_err(|Unreadable| wrong("has a header that cannot be read, and should say how the pages go on"))
        };
        let count = |at: &Told| {
            let said = find(at)?.and_then(|text| text.parse::<u64>().ok());
            said.ok_or_else(|| wrong("does not say in a whole number how much there is"))
        };
        let rows = self.rows(page);
        let mut total = None;
        if let Some(at) = self.total_pages.as_ref().or(self.total_items.as_ref()) {
            let said = count(at)?;
            if gathered.total.is_some_and(|before| before != said) {
                return Err(wrong("says another total than the page before"));
            }
            if self.total_pages.is_some() && said == 0 && rows > 0 {
                return Err(wrong("brings rows, though there should be no page at all"));
            }
            gathered.total = Some(said);
            total = Some(said);
        }
        let next = match &self.next {
            Some(at) => {
                let follows = find(at)?.filter(|text| !text.is_empty() && text != "false");
                if follows.is_some() && follows == gathered.last {
                    return Err(wrong("leads back to itself"));
                }
                gathered.last.clone_from(&follows);
                follows
            }
            None => None,
        };
        let more = if let Some(at) = &self.has_more {
            match find(at)?.as_deref() {
                Some("true" | "1" | "Y" | "y") => true,
                Some("false" | "0" | "N" | "n") => false,
                _ => return Err(wrong("does not say with true or false whether there is more")),
            }
        } else if let (Some(total), Some(_)) = (total, &self.total_pages) {
            u64::from(gathered.pages) < total
        } else if let Some(total) = total {
            if gathered.rows > total {
                return Err(wrong("brings more rows than there are in all"));
            }
            gathered.rows < total
        } else if self.next.is_some() {
            next.is_some()
        } else if self.until_empty {
            rows > 0
        } else {
            rows >= self.size
        };
        match (more, next) {
            (false, _) => Ok(Next::End),
            (true, None) if self.next.is_some() => Err(wrong("does not say where the next one is")),
            (true, _) if rows == 0 && (self.total_items.is_some() || self.total_pages.is_some()) => {
                Err(wrong("is empty, though there should be more"))
            }
            (true, _) if self.total_pages.is_some() && self.of_one_size() && rows < gathered.rows_first => {
                Err(wrong("has fewer rows than the first, though more pages should follow"))
            }
            (true, _) if gathered.pages >= self.pages_max => {
                Err(wrong("is not the last, and pages_max allows no more"))
            }
            (true, next) => Ok(Next::Page(next)),
        }
    }
}

/// Whether the pointer `long` leads to `short` or further.
fn is_inside(long: &str, short: &str) -> bool {
    long.strip_prefix(short).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn is_there(at: &Pointer, page: &Value) -> bool {
    at.walk(page).is_some_and(|list| !list.is_null())
}

/// An entry is a row, or a list of rows.
fn rows_of_entry(entry: &Value) -> u64 {
    entry.as_array().map_or(1, |rows| rows.len() as u64)
}

/// Adds the entries of a further page; an entry that is there already goes on, where it is a list, and otherwise is one too many.
fn add_entries(whole: &mut Value, entries: &Map<String, Value>) -> Option<()> {
    if whole.is_null() {
        *whole = Value::Object(Map::new());
    }
    let all = whole.as_object_mut()?;
    for (name, entry) in entries {
        match (all.get_mut(name), entry) {
            (None, entry) => {
                all.insert(name.clone(), entry.clone());
            }
            (Some(Value::Array(rows)), Value::Array(more)) => rows.extend(more.iter().cloned()),
            (Some(_), _) => return None,
        }
    }
    Some(())
}

#[cfg(test)]
mod tests;
