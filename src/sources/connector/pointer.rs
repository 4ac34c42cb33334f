//! Places in a reply: JSON Pointer (RFC 6901), and what JSON made from XML needs beyond it.

use serde_json::Value;

use crate::sources::client::Headers;

/// A place in a reply. Relative to where the mapping stands (the reply, an object's `from`, a row); after `^` relative to the
/// whole reply, after `..` to the entry that holds the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pointer {
    start: Start,
    tokens: Vec<String>,
    text: String,
}

/// What a pointer is relative to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Start {
    Here,
    Root,
    Outer,
}

impl Pointer {
    /// Reads `/a/0/b`, `^/a/b`, `../a/b`, nothing for the place itself, or `@key`, the name of a row that is an entry of an object.
    pub(super) fn parse(text: &str) -> Result<Pointer, String> {
        if text == "@key" {
            return Ok(Pointer { start: Start::Here, tokens: Vec::new(), text: text.to_owned() });
        }
        let (start, path) = match (text.strip_prefix('^'), text.strip_prefix("..")) {
            (Some(path), _) => (Start::Root, path),
            (None, Some(path)) => (Start::Outer, path),
            (None, None) => (Start::Here, text),
        };
        if !path.is_empty() && !path.starts_with('/') {
            return Err(format!(
                "{text:?} is not a JSON pointer; write /data/rows, or ^/data/rows for a place in the whole reply"
            ));
        }
        let unescape = |token: &str| token.replace("~1", "/").replace("~0", "~");
        let tokens = path.split('/').skip(1).map(unescape).collect();
        Ok(Pointer { start, tokens, text: path.to_owned() })
    }

    /// The place itself.
    pub(super) fn here() -> Pointer {
        Pointer { start: Start::Here, tokens: Vec::new(), text: String::new() }
    }

    /// Whether this is the name of a row, written `@key`.
    pub(super) fn is_key(&self) -> bool {
        self.tokens.is_empty() && self.text == "@key"
    }

    /// The value here, if there is one, and its place in the whole reply.
    pub(super) fn find<'v>(&self, scope: &Scope<'v>) -> (Option<&'v Value>, String) {
        let (start, at) = match self.start {
            Start::Root => (Some(scope.root), ""),
            Start::Here => (Some(scope.here), scope.at.as_str()),
            Start::Outer => (scope.outer, ".."),
        };
        (start.and_then(|start| self.walk(start)), format!("{at}{}", self.text))
    }

    /// Whether it is relative to the place where it is used.
    pub(super) fn is_relative(&self) -> bool {
        self.start == Start::Here
    }

    /// As written.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// The value below `start`.
    pub(super) fn walk<'v>(&self, start: &'v Value) -> Option<&'v Value> {
        self.tokens.iter().try_fold(start, |value, token| step(value, token))
    }

    /// The value below `start`, to be changed; null is put there where the object that should hold it has no such field. Strict: no
    /// other step is forgiven.
    pub(super) fn walk_mut<'v>(&self, start: &'v mut Value) -> Option<&'v mut Value> {
        let (Some((parent, _)), Some(last)) = (self.text.rsplit_once('/'), self.tokens.last()) else {
            return Some(start);
        };
        match start.pointer_mut(parent)? {
            Value::Object(fields) => Some(fields.entry(last.as_str()).or_insert(Value::Null)),
            Value::Array(items) => items.get_mut(last.parse::<usize>().ok()?),
            _ => None,
        }
    }
}

/// One step down. Where XML became JSON, a list of one element is an object and an object may stand in a list of one: `/row/0` finds
/// the object, and a name finds its field in the only element.
fn step<'v>(value: &'v Value, token: &str) -> Option<&'v Value> {
    match value {
        Value::Object(fields) => match fields.get(token) {
            None if token == "0" => Some(value),
            found => found,
        },
        Value::Array(items) => match token.parse::<usize>() {
            Ok(index) if token == "0" || !token.starts_with('0') => items.get(index),
            _ => match items.as_slice() {
                [only @ Value::Object(_)] => step(only, token),
                _ => None,
            },
        },
        _ => None,
    }
}

/// Where a mapping stands.
pub(super) struct Scope<'v> {
    /// The whole reply.
    pub(super) root: &'v Value,
    /// The headers that came with it.
    pub(super) headers: &'v Headers,
    /// The value that pointers are relative to.
    pub(super) here: &'v Value,
    /// The place of `here` in the reply.
    pub(super) at: String,
    /// The name of `here`, or of the entry that holds it, where the entries of an object are read as rows.
    pub(super) key: Option<&'v str>,
    /// The entry that holds `here`, where the rows are inside the entries of a list.
    pub(super) outer: Option<&'v Value>,
}

/// The text inside an element that XML became: `{"@unit": "元", "#text": "5"}` is 5 as much as `5` is.
pub(super) fn content(value: &Value) -> &Value {
    let Value::Object(fields) = value else { return value };
    ["#text", "$", "_text", "$t"].iter().find_map(|name| fields.get(*name)).unwrap_or(value)
}

/// A scalar as text, trimmed; `None` for null, objects and lists.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match content(value) {
        Value::String(text) => Some(text.trim().to_owned()),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(yes) => Some(yes.to_string()),
        Value::Null | Value::Object(_) | Value::Array(_) => None,
    }
}

/// Whether this is null, or one of the values that mean as much; `[]` and `{}` stand for a list and an object without anything.
pub(super) fn is_nothing(value: &Value, nothing: &[String]) -> bool {
    let written = match content(value) {
        Value::Null => return true,
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        value => match scalar(value) {
            Some(text) => text,
            None => return false,
        },
    };
    nothing.contains(&written)
}

/// What kind of value this is, for a message that must not quote it.
pub(super) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(text) if text.trim().is_empty() => "an empty text",
        Value::String(_) => "a text",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn pointers_find_what_rfc_6901_says_and_forgive_lists_of_one() {
        let reply = json!({"a": {"b": [{"c": 1}, {"c": 2}]}, "m~n": 3, "x/y": 4, "only": [{"c": 5}], "one": {"c": 6}});
        for (pointer, value) in [
            ("/a/b/1/c", Some(json!(2))),
            ("/m~0n", Some(json!(3))),
            ("/x~1y", Some(json!(4))),
            ("/only/c", Some(json!(5))),
            ("/one/0/c", Some(json!(6))),
            ("/a/b/c", None),
            ("/a/b/01/c", None),
            ("/nowhere", None),
        ] {
            assert_eq!(Pointer::parse(pointer).unwrap().walk(&reply).cloned(), value, "{pointer}");
        }
        assert!(Pointer::parse("a/b").unwrap_err().contains("JSON pointer"));
    }
}
