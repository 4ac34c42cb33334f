//! Addresses, query parameters, headers and bodies with placeholders.

use jiff::civil::Date;
use jiff::fmt::strtime;
use jiff::{Timestamp, ToSpan};
use uuid::Uuid;

use crate::domain::{china, china_date};

/// A text with placeholders: `{uscc}`, `{today}`, `{today-36m:%Y%m}`, `{now:%Y%m%d%H%M%S}`, `{nonce}`, and where there are pages `{page}`, `{offset}`, `{size}`,
/// `{cursor}`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq)]
enum Part {
    Text(String),
    Name(Name),
    Day {
        back: Back,
        format: String,
    },
    /// The instant, by the clock in China.
    Now {
        format: String,
    },
}

/// A placeholder that is filled with one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Name {
    /// The firm's code.
    Uscc,
    /// The number of the page.
    Page,
    /// The rows before the page.
    Offset,
    /// The rows of a page.
    Size,
    /// What the page before said comes next.
    Cursor,
    /// 32 hexadecimal digits, new wherever it stands.
    Nonce,
    /// Seconds since 1970.
    EpochSeconds,
    /// Milliseconds since 1970.
    EpochMillis,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Back {
    years: i64,
    months: i64,
    days: i64,
}

/// What the placeholders stand for.
#[derive(Debug, Clone)]
pub(super) struct Filled<'a> {
    /// The firm's code.
    pub(super) uscc: &'a str,
    /// The instant.
    pub(super) now: Timestamp,
    /// See [`Name`].
    pub(super) page: u64,
    /// See [`Name`].
    pub(super) offset: u64,
    /// See [`Name`].
    pub(super) size: u64,
    /// See [`Name`]; nothing on the first page.
    pub(super) cursor: Option<&'a str>,
}

/// Where a text goes, which decides how values are escaped in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// A path or a query parameter.
    Address,
    /// A body of JSON, where braces are no placeholders unless they hold a name alone.
    Json,
    /// A body of another kind, for instance a form.
    Form,
    /// The value of a header, where braces are no placeholders unless they hold a name alone, and nothing is escaped.
    Header,
}

impl Template {
    /// Reads a template that goes to `place`.
    pub(super) fn parse(text: &str, place: Place) -> Result<Template, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(open) = rest.find('{') {
            let inside = rest[open + 1..].split_once('}').map(|(inside, _)| inside);
            match inside.filter(|inside| is_name(inside)) {
                Some(inside) => {
                    parts.push(Part::Text(rest[..open].to_owned()));
                    parts.push(placeholder(inside)?);
                    rest = &rest[open + inside.len() + 2..];
                }
                None if matches!(place, Place::Json | Place::Header) => {
                    parts.push(Part::Text(rest[..=open].to_owned()));
                    rest = &rest[open + 1..];
                }
                None => return Err(format!("{text:?} has a brace that belongs to no placeholder")),
            }
        }
        parts.push(Part::Text(rest.to_owned()));
        Ok(Template(parts))
    }

    /// Nothing at all.
    pub(super) fn empty() -> Template {
        Template(Vec::new())
    }

    /// Whether the placeholder occurs.
    pub(super) fn names(&self, name: Name) -> bool {
        self.0.contains(&Part::Name(name))
    }

    /// The text with the placeholders filled and escaped; `None` where it holds the cursor and there is none yet.
    pub(super) fn fill(&self, filled: &Filled<'_>, place: Place) -> Option<String> {
        let mut text = String::new();
        for part in &self.0 {
            let value = match part {
                Part::Text(fixed) => {
                    text.push_str(fixed);
                    continue;
                }
                Part::Name(Name::Uscc) => filled.uscc.to_owned(),
                Part::Name(Name::Page) => filled.page.to_string(),
                Part::Name(Name::Offset) => filled.offset.to_string(),
                Part::Name(Name::Size) => filled.size.to_string(),
                Part::Name(Name::Cursor) => match filled.cursor {
                    Some(cursor) => cursor.to_owned(),
                    None if place == Place::Address => return None,
                    None => String::new(),
                },
                Part::Name(Name::Nonce) => Uuid::new_v4().simple().to_string(),
                Part::Name(Name::EpochSeconds) => filled.now.as_second().to_string(),
                Part::Name(Name::EpochMillis) => filled.now.as_millisecond().to_string(),
                Part::Day { back, format } => back.from(china_date(filled.now), format)?,
                Part::Now { format } => in_china(filled.now, format)?,
            };
            match place {
                Place::Address | Place::Form => text.push_str(&escaped(&value)),
                Place::Json => text.push_str(json_escaped(&value).as_str()),
                Place::Header => text.push_str(&value),
            }
        }
        Some(text)
    }
}

/// Whether braces with this inside are meant as a placeholder.
fn is_name(inside: &str) -> bool {
    inside.starts_with(|c: char| c.is_ascii_lowercase()) && !inside.contains(['"', '{', '\n'])
}

fn placeholder(inside: &str) -> Result<Part, String> {
    match inside {
        "uscc" => return Ok(Part::Name(Name::Uscc)),
        "page" => return Ok(Part::Name(Name::Page)),
        "offset" => return Ok(Part::Name(Name::Offset)),
        "size" => return Ok(Part::Name(Name::Size)),
        "cursor" => return Ok(Part::Name(Name::Cursor)),
        "nonce" => return Ok(Part::Name(Name::Nonce)),
        "epoch_s" => return Ok(Part::Name(Name::EpochSeconds)),
        "epoch_ms" => return Ok(Part::Name(Name::EpochMillis)),
        _ => {}
    }
    let known = "{uscc}, {page}, {offset}, {size}, {cursor}, {nonce}, {epoch_s}, {epoch_ms}, {today}, or like {today-36m:%Y%m}, \
                 {now:%Y%m%d%H%M%S}";
    let unknown = || format!("{{{inside}}} is no placeholder; there are {known}");
    if let Some(format) = inside.strip_prefix("now:") {
        let now = Part::Now { format: format.to_owned() };
        return in_china(Timestamp::UNIX_EPOCH, format).map(|_| now).ok_or_else(unknown);
    }
    let (day, format) = inside.split_once(':').unwrap_or((inside, "%Y-%m-%d"));
    let back = match day.strip_prefix("today") {
        Some("") => Back::default(),
        Some(back) => Back::parse(back).ok_or_else(unknown)?,
        None => return Err(unknown()),
    };
    let day = Part::Day { back, format: format.to_owned() };
    match back.from(Date::constant(2026, 10, 31), format) {
        Some(_) => Ok(day),
        None => Err(unknown()),
    }
}

/// An instant as the clock in China shows it, in this format of strftime.
pub(super) fn in_china(instant: Timestamp, format: &str) -> Option<String> {
    strtime::format(format, &instant.to_zoned(china())).ok()
}

impl Back {
    /// Reads `-36m`, `-30d`, `-3y`.
    fn parse(text: &str) -> Option<Back> {
        let text = text.strip_prefix('-')?;
        let (count, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let count: u16 = count.parse().ok().filter(|count| *count <= 1200)?;
        let count = i64::from(count);
        match unit {
            "y" if count <= 100 => Some(Back { years: count, ..Back::default() }),
            "m" => Some(Back { months: count, ..Back::default() }),
            "d" => Some(Back { days: count, ..Back::default() }),
            _ => None,
        }
    }

    fn from(self, today: Date, format: &str) -> Option<String> {
        let day = today.saturating_sub(self.years.years()).saturating_sub(self.months.months());
        strtime::format(format, day.saturating_sub(self.days.days())).ok()
    }
}

/// Everything but letters, digits and `-._~` as `%XX`: safe in any part of an address and in a form, and the same bytes for whoever
/// signs it.
pub(super) fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut escaped, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
        escaped
    })
}

/// As inside the quotes of a JSON text.
fn json_escaped(text: &str) -> String {
    let quoted = serde_json::Value::from(text).to_string();
    quoted.get(1..quoted.len() - 1).unwrap_or("").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(cursor: Option<&'static str>) -> Filled<'static> {
        Filled {
            uscc: "91330604MA2XY0014W",
            now: "2026-11-15T04:05:06.007Z".parse().unwrap(),
            page: 2,
            offset: 50,
            size: 50,
            cursor,
        }
    }

    #[test]
    fn placeholders_are_filled_and_escaped_for_where_they_go() {
        for (text, place, expected) in [
            ("/firms/{uscc}?p={page}", Place::Address, "/firms/91330604MA2XY0014W?p=2"),
            ("{cursor}", Place::Address, "a%26%22b"),
            (
                r#"{"code": "{uscc}", "after": "{cursor}", "n": {size}}"#,
                Place::Json,
                r#"{"code": "91330604MA2XY0014W", "after": "a&\"b", "n": 50}"#,
            ),
            ("{today}", Place::Address, "2026-11-15"),
            ("{today-36m:%Y%m}", Place::Address, "202311"),
            ("{today-30d:%Y%m%d}", Place::Form, "20261016"),
            (
                r#"{"at": "{now:%Y%m%d%H%M%S}", "s": {epoch_s}}"#,
                Place::Json,
                r#"{"at": "20261115120506", "s": 1794715506}"#,
            ),
            ("{now:%Y-%m-%d %H:%M:%S}", Place::Address, "2026-11-15%2012%3A05%3A06"),
            ("{ {epoch_ms} }", Place::Header, "{ 1794715506007 }"),
        ] {
            let template = Template::parse(text, place).unwrap();
            assert_eq!(template.fill(&filled(Some("a&\"b")), place).as_deref(), Some(expected), "{text}");
        }
        let nonce = || Template::parse("{nonce}", Place::Header).unwrap().fill(&filled(None), Place::Header).unwrap();
        assert!(nonce().len() == 32 && nonce() != nonce());
        assert_eq!(Template::parse("{cursor}", Place::Address).unwrap().fill(&filled(None), Place::Address), None);
    }

    #[test]
    fn a_placeholder_that_is_none_is_refused_by_name() {
        for text in ["/firms/{usc}", "/firms/{now}", "/firms/{now:%!}", "/firms/{today-36}", "/firms/{", "{today+1m}"] {
            assert!(Template::parse(text, Place::Address).is_err(), "{text}");
        }
        assert!(Template::parse(r#"{"a": "{firm}"}"#, Place::Json).unwrap_err().contains("{firm}"));
    }
}
