//! A mapping: for each field of a record, where the department has it and how it writes it. Checked whole when it is read, against
//! the table of fields; applied to a reply it makes the JSON form of the record, or says which value is not what it says.

mod compile;
mod pages;
mod rows;
mod wire;

use serde_json::{Map, Value};

use super::pointer::{Pointer, Scope, is_nothing, kind, scalar};
use super::value::{Writing, power};
use crate::domain::Uscc;
use crate::sources::client::{Headers, Unreadable};
use crate::sources::reply::Breach;

/// What a reply must be made into.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Mapping {
    /// Where the reply repeats the firm's code.
    uscc: Pointer,
    /// Where the date lies that the record is as of: every page must say the same.
    as_of: Vec<Pointer>,
    /// The header of the reply that states it instead.
    as_of_header: Option<String>,
    fields: Vec<Entry>,
}

/// One field that is mapped.
#[derive(Debug, Clone, PartialEq)]
struct Entry {
    name: &'static str,
    source: Source,
}

#[derive(Debug, Clone, PartialEq)]
enum Source {
    Constant(Value),
    /// A header of the reply.
    Header(String, Box<Writing>),
    Single(Box<Single>),
    Object(Object),
    Rows(Box<Rows>),
}

/// A field with one value.
#[derive(Debug, Clone, PartialEq)]
struct Single {
    from: Vec<Pointer>,
    /// Whether the values of all places, joined by `-`, make the value; otherwise the first that is there does.
    join: bool,
    unit_from: Option<Pointer>,
    writing: Writing,
    /// Values that mean null.
    nothing: Vec<String>,
    when: Missing,
}

/// What a missing or null value means.
#[derive(Debug, Clone, PartialEq)]
enum Missing {
    /// The reply is invalid.
    Invalid,
    /// Null says that it never happened, or that there is none; a value that is not there at all is invalid.
    NullIsNever,
    /// Null says that there is none; a value that is not there at all is not shared.
    NullIsNoneElseNotShared,
    /// The department does not share it.
    NotShared,
    /// This, in the record's terms.
    Default(Value),
}

#[derive(Debug, Clone, PartialEq)]
struct Object {
    from: Option<Pointer>,
    /// Values that mean null.
    nothing: Vec<String>,
    picked: Vec<Condition>,
    /// Where these hold, the department says that there is none.
    none_where: Vec<Condition>,
    when: Missing,
    fields: Vec<Entry>,
}

#[derive(Debug, Clone, PartialEq)]
struct Rows {
    /// A row, but for its month, that stands for a month between two others that has none.
    zeros: Option<Value>,
    from: Pointer,
    /// Values that mean null.
    nothing: Vec<String>,
    keyed: bool,
    /// Where in each entry of the list its rows lie.
    inner: Option<Pointer>,
    group_by: Option<Pointer>,
    picked: Vec<Condition>,
    sort: Vec<String>,
    when: Missing,
    fields: Vec<Entry>,
}

/// A row counts only where the value here is one of these.
#[derive(Debug, Clone, PartialEq)]
struct Condition {
    at: Pointer,
    one_of: Vec<String>,
}

impl Mapping {
    /// The JSON form of the record, with the firm's code; or what in the reply is not as the mapping says.
    pub(super) fn apply(&self, reply: &Value, headers: &Headers, uscc: &Uscc) -> Result<Value, Breach> {
        let scope = Scope { root: reply, headers, here: reply, at: String::new(), key: None, outer: None };
        self.about(&scope, uscc)?;
        let mut record = object(&self.fields, &scope)?;
        record.insert("uscc".into(), Value::from(uscc.as_str()));
        Ok(Value::Object(record))
    }

    /// Whether a further page is about the same firm and date as the first, and says so; where it need not say, as far as it does.
    pub(super) fn same_page(&self, first: (&Value, &Headers), page: (&Value, &Headers), need_not_say: bool) -> bool {
        let same = |said: Option<&Value>, before: Option<&Value>| match said {
            None if need_not_say => true,
            said => said == before,
        };
        let same_header = |name: &String| match (page.1.get(name), first.1.get(name)) {
            (Ok(None), _) if need_not_say => true,
            (Ok(said), Ok(before)) => said == before,
            // Nobody can tell what one that cannot be read says.
            _ => false,
        };
        let mut told = self.as_of.iter().chain([&self.uscc]);
        told.all(|at| same(at.walk(page.0), at.walk(first.0))) && self.as_of_header.as_ref().is_none_or(same_header)
    }

    /// The mapping for a sample, which has no headers: what a header would state is this day.
    pub(super) fn of_sample(&self, day: jiff::civil::Date) -> Mapping {
        let mut mapping = self.clone();
        for entry in &mut mapping.fields {
            if matches!(entry.source, Source::Header(..)) {
                entry.source = Source::Constant(Value::from(day.to_string()));
            }
        }
        mapping
    }

    /// The places that objects and lists are read from, with whether their entries are read by name.
    pub(super) fn places(&self) -> Vec<(&Pointer, bool)> {
        let places = self.fields.iter().filter_map(|entry| match &entry.source {
            Source::Rows(rows) => Some((&rows.from, rows.keyed)),
            Source::Object(object) => object.from.as_ref().map(|from| (from, false)),
            Source::Constant(_) | Source::Header(..) | Source::Single(_) => None,
        });
        places.collect()
    }

    /// Whether it fills the field `name` of the record.
    pub(super) fn fills(&self, name: &str) -> bool {
        name == "uscc" || self.fields.iter().any(|entry| entry.name == name)
    }

    /// The code that a reply names, for trying a mapping on a sample.
    pub(super) fn code_in(&self, reply: &Value) -> Option<Uscc> {
        self.uscc.walk(reply).and_then(scalar)?.parse().ok()
    }

    fn about(&self, scope: &Scope<'_>, uscc: &Uscc) -> Result<(), Breach> {
        let (value, at) = self.uscc.find(scope);
        let named =
            value.and_then(scalar).ok_or_else(|| Breach::at(&at, "is not there; it must repeat the firm's code"))?;
        match named.parse::<Uscc>() {
            Ok(named) if named == *uscc => Ok(()),
            Ok(_) => Err(Breach::at(at, "is about another firm")),
            Err(_) => Err(Breach::at(at, "is not a unified social credit code")),
        }
    }
}

fn object(fields: &[Entry], scope: &Scope<'_>) -> Result<Map<String, Value>, Breach> {
    let mut made = Map::new();
    for entry in fields {
        let value = match &entry.source {
            Source::Constant(value) => Some(value.clone()),
            Source::Header(name, writing) => Some(header(name, writing, scope)?),
            Source::Single(single) => single.value(scope)?,
            Source::Object(object) => object.value(scope)?,
            Source::Rows(rows) => rows.value(scope)?,
        };
        if let Some(value) = value {
            made.insert(entry.name.to_owned(), value);
        }
    }
    Ok(made)
}

/// A header as the field that it states. A header has no place in the reply's JSON: the breach names it.
fn header(name: &str, writing: &Writing, scope: &Scope<'_>) -> Result<Value, Breach> {
    let text = scope.headers.get(name).map_err(|Unreadable| {
        Breach::at("", format!("has a header {name} that cannot be read, and should state a date"))
    })?;
    let text = text.filter(|text| !text.is_empty());
    let text = text.ok_or_else(|| Breach::at("", format!("has no header {name}, which should state a date")))?;
    writing.read(&text, None).map_err(|problem| Breach::at("", format!("has a header {name} that {problem}")))
}

impl Missing {
    /// What stands for a value that is missing (`None`) or null at `at`; nothing where it is not shared.
    fn stand_in(&self, value: Option<&Value>, at: &str) -> Result<Option<Value>, Breach> {
        match (self, value) {
            (Missing::Default(value), _) => Ok(Some(value.clone())),
            (Missing::NotShared, _) | (Missing::NullIsNoneElseNotShared, None) => Ok(None),
            (Missing::NullIsNever | Missing::NullIsNoneElseNotShared, Some(_)) => Ok(Some(Value::Null)),
            (Missing::Invalid | Missing::NullIsNever, None) => {
                Err(Breach::at(at, "is not there, and the mapping does not say what that means"))
            }
            (Missing::Invalid, Some(_)) => Err(Breach::at(at, "is null, and the mapping does not say what that means")),
        }
    }
}

impl Single {
    fn value(&self, scope: &Scope<'_>) -> Result<Option<Value>, Breach> {
        if self.join {
            return self.joined(scope);
        }
        let mut last = (None, String::new());
        for from in &self.from {
            last = match scope.key {
                Some(key) if from.is_key() => {
                    return self.writing.read(key, None).map(Some).map_err(|p| Breach::at(&scope.at, p));
                }
                _ => from.find(scope),
            };
            if let (Some(value), at) = &last
                && !self.is_nothing(value)
            {
                return self.read(value, at, scope).map(Some);
            }
        }
        self.when.stand_in(last.0, &last.1)
    }

    fn joined(&self, scope: &Scope<'_>) -> Result<Option<Value>, Breach> {
        let mut texts = Vec::new();
        for from in &self.from {
            if let (true, Some(key)) = (from.is_key(), scope.key) {
                texts.push(key.to_owned());
                continue;
            }
            match from.find(scope) {
                (Some(value), at) if !self.is_nothing(value) => texts.push(single(value, &at)?),
                (none, at) => return self.when.stand_in(none, &at),
            }
        }
        self.writing.read(&texts.join("-"), None).map(Some).map_err(|problem| Breach::at(&scope.at, problem))
    }

    fn is_nothing(&self, value: &Value) -> bool {
        is_nothing(value, &self.nothing)
    }

    fn read(&self, value: &Value, at: &str, scope: &Scope<'_>) -> Result<Value, Breach> {
        let text = single(value, at)?;
        let stated = self.unit_from.as_ref().map(|pointer| self.unit(pointer, scope)).transpose()?;
        self.writing.read(&text, stated).map_err(|problem| Breach::at(at, problem))
    }

    fn unit(&self, pointer: &Pointer, scope: &Scope<'_>) -> Result<i32, Breach> {
        let (value, at) = pointer.find(scope);
        let word = value.and_then(scalar).ok_or_else(|| Breach::at(&at, "is not there; it must state the unit"))?;
        power(self.writing.holds, &word).ok_or_else(|| Breach::at(at, "is not a unit that is known"))
    }

    /// Whether any of the places is there, be it with null or a value that means it.
    fn is_named(&self, scope: &Scope<'_>) -> bool {
        self.from.iter().any(|from| from.find(scope).0.is_some())
    }

    /// Whether any of the places holds something.
    fn is_there(&self, scope: &Scope<'_>) -> bool {
        self.from.iter().any(|from| from.find(scope).0.is_some_and(|value| !self.is_nothing(value)))
    }
}

fn single(value: &Value, at: &str) -> Result<String, Breach> {
    scalar(value).ok_or_else(|| Breach::at(at, format!("is {} where a single value was expected", kind(value))))
}

impl Object {
    fn value(&self, scope: &Scope<'_>) -> Result<Option<Value>, Breach> {
        let (here, at) = match &self.from {
            Some(from) => from.find(scope),
            None => (Some(scope.here), scope.at.clone()),
        };
        let here = match here {
            Some(value) if !is_nothing(value, &self.nothing) => value,
            none => return self.when.stand_in(none, &at),
        };
        let inner =
            |here, at| Scope { root: scope.root, headers: scope.headers, here, at, key: scope.key, outer: scope.outer };
        let inner = match self.picked.is_empty() {
            true => inner(here, at),
            false => {
                let rows: Vec<(usize, &Value)> =
                    items(here).into_iter().enumerate().filter(|(_, row)| picks(&self.picked, row)).collect();
                match rows[..] {
                    [] => return self.when.stand_in(None, &at),
                    [(row, value)] => inner(value, format!("{at}/{row}")),
                    _ => return Err(Breach::at(at, "has more than one row for which `where` holds")),
                }
            }
        };
        if !self.none_where.is_empty() && picks(&self.none_where, inner.here) {
            return Ok(Some(Value::Null));
        }
        // Without a place of its own an object is not there where none of its values is.
        let any = |is: fn(&Single, &Scope<'_>) -> bool| {
            self.fields.iter().any(|field| matches!(&field.source, Source::Single(single) if is(single, &inner)))
        };
        let nowhere = self.from.is_none()
            && self.picked.is_empty()
            && !matches!(self.when, Missing::Invalid)
            && !any(Single::is_there);
        if nowhere {
            let null = any(Single::is_named).then_some(&Value::Null);
            return self.when.stand_in(null, &inner.at);
        }
        object(&self.fields, &inner).map(|fields| Some(Value::Object(fields)))
    }
}

/// The rows of a list; one object, as XML makes of a list of one, is one row.
fn items(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(rows) => rows.iter().collect(),
        one => vec![one],
    }
}

/// Whether all conditions hold for a row; null counts as the empty text.
fn picks(conditions: &[Condition], row: &Value) -> bool {
    let text = |value: &Value| if value.is_null() { Some(String::new()) } else { scalar(value) };
    conditions.iter().all(|c| c.at.walk(row).and_then(text).is_some_and(|text| c.one_of.contains(&text)))
}

#[cfg(test)]
mod tests;
