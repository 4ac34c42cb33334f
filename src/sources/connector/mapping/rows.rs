//! Lists of a reply as rows of a record: entries of lists and objects, groups, months that have no row.

use serde_json::Value;

use super::{Rows, items, object, picks};
use crate::domain::Month;
use crate::sources::bounds::MONTHS_MAX;
use crate::sources::connector::pointer::{Pointer, Scope, is_nothing, kind, scalar};
use crate::sources::reply::Breach;

/// A row, its place, and what it is part of.
struct Row<'v> {
    here: &'v Value,
    at: String,
    key: Option<&'v str>,
    outer: Option<&'v Value>,
}

impl Rows {
    pub(super) fn value<'v>(&self, scope: &Scope<'v>) -> Result<Option<Value>, Breach> {
        let (value, at) = self.from.find(scope);
        let list = match value {
            Some(value) if !is_nothing(value, &self.nothing) => value,
            none => return self.when.stand_in(none, &at),
        };
        let entry = |here: &'v Value, at, key: Option<&'v str>| Row { here, at, key, outer: None };
        let entries: Vec<Row<'_>> = match list {
            Value::Object(entries) if self.keyed => {
                let row = |(key, row): (&'v String, &'v Value)| {
                    entry(row, format!("{at}/{}", escaped(key)), Some(key.as_str()))
                };
                entries.iter().map(row).collect()
            }
            Value::Array(_) | Value::Object(_) if !self.keyed => {
                let rows = items(list).into_iter().enumerate();
                rows.map(|(row, value)| entry(value, format!("{at}/{row}"), None)).collect()
            }
            other if self.keyed => {
                return Err(Breach::at(at, format!("is {} where entries by name were expected", kind(other))));
            }
            other => return Err(Breach::at(at, format!("is {} where a list was expected", kind(other)))),
        };
        let rows = match &self.inner {
            Some(inner) => inside(entries, inner)?,
            None => entries,
        };
        let mut made = self.made(scope, rows)?;
        if !self.sort.is_empty() {
            made.sort_by(|a, b| compare(&self.sort, a, b));
        }
        if let Some(zeros) = &self.zeros {
            made = without_gaps(made, zeros);
        }
        Ok(Some(Value::Array(made)))
    }

    fn made(&self, scope: &Scope<'_>, rows: Vec<Row<'_>>) -> Result<Vec<Value>, Breach> {
        let (root, headers) = (scope.root, scope.headers);
        let picked = rows.into_iter().filter(|row| picks(&self.picked, row.here));
        let Some(group_by) = &self.group_by else {
            let made =
                picked.map(|Row { here, at, key, outer }| self.row(&Scope { root, headers, here, at, key, outer }));
            return made.collect();
        };
        let mut groups: Vec<(String, String, Vec<Value>)> = Vec::new();
        for Row { here, at, .. } in picked {
            let by = group_by.walk(here).and_then(scalar);
            let by = by.ok_or_else(|| Breach::at(&at, "lacks the value that rows are grouped by"))?;
            match groups.iter_mut().find(|(name, _, _)| *name == by) {
                Some((_, _, rows)) => rows.push(here.clone()),
                None => groups.push((by, at, vec![here.clone()])),
            }
        }
        let made = groups.into_iter().map(|(_, at, rows)| {
            let group = Value::Array(rows);
            self.row(&Scope { root, headers, here: &group, at, key: None, outer: None })
        });
        made.collect()
    }

    fn row(&self, scope: &Scope<'_>) -> Result<Value, Breach> {
        object(&self.fields, scope).map(Value::Object)
    }
}

/// The rows that lie at `inner` in each of the entries. An entry must have them, be it none.
fn inside<'v>(entries: Vec<Row<'v>>, inner: &Pointer) -> Result<Vec<Row<'v>>, Breach> {
    let mut rows = Vec::new();
    for entry in entries {
        let at = format!("{}{}", entry.at, inner.text());
        match inner.walk(entry.here) {
            Some(list @ (Value::Array(_) | Value::Object(_))) => {
                let inside = items(list).into_iter().enumerate();
                let (key, outer) = (entry.key, Some(entry.here));
                rows.extend(inside.map(|(row, here)| Row { here, at: format!("{at}/{row}"), key, outer }));
            }
            Some(other) => return Err(Breach::at(at, format!("is {} where a list was expected", kind(other)))),
            None => return Err(Breach::at(at, "is not there; `inner` says that each entry has its rows there")),
        }
    }
    Ok(rows)
}

/// The rows with one of `zeros` for each month between two of them that has none. At most as many are put in as a record can
/// have: whatever is beyond that is refused there.
fn without_gaps(rows: Vec<Value>, zeros: &Value) -> Vec<Value> {
    let month = |row: &Value| row["month"].as_str().and_then(|text| text.parse::<Month>().ok());
    let mut whole: Vec<Value> = Vec::with_capacity(rows.len());
    for row in rows {
        let before = whole.last().and_then(month);
        if let (Some(before), Some(next)) = (before, month(&row)) {
            for n in 1..next.since(before).min(MONTHS_MAX) {
                let mut empty = zeros.clone();
                empty["month"] = Value::from(before.plus(n).to_string());
                whole.push(empty);
            }
        }
        whole.push(row);
    }
    whole
}

/// The order of two rows by these fields; months and days sort as they are written.
fn compare(by: &[String], a: &Value, b: &Value) -> std::cmp::Ordering {
    let order = by.iter().map(|name| match (&a[name], &b[name]) {
        (Value::Number(a), Value::Number(b)) => a.as_f64().unwrap_or(0.0).total_cmp(&b.as_f64().unwrap_or(0.0)),
        (a, b) => a.as_str().cmp(&b.as_str()),
    });
    order.fold(std::cmp::Ordering::Equal, std::cmp::Ordering::then)
}

/// A key of an object that is read as rows may be anything: only a month, a number or the like is worth repeating.
fn escaped(key: &str) -> &str {
    if key.len() <= 10 && key.bytes().all(|b| b.is_ascii_digit() || b == b'-') { key } else { "?" }
}
