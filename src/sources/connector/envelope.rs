//! The envelope of a reply: a code of its own beside the HTTP status, as `{"code": "0000", "msg": "ok", "data": {…}}`.

use serde::Deserialize;
use serde_json::Value;

use super::pointer::{Pointer, scalar};
use crate::sources::failure::Failure;
use crate::sources::reply::Breach;

/// `[NAME.envelope]` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvelopeWire {
    code: Option<String>,
    #[serde(default)]
    success: Vec<String>,
    #[serde(default)]
    absent: Vec<String>,
    absent_if_empty: Option<String>,
    #[serde(default)]
    token_refused: Vec<String>,
    #[serde(default)]
    statuses: Vec<u16>,
}

/// What the codes of a reply mean.
pub(super) struct Envelope {
    code: Option<Pointer>,
    success: Vec<String>,
    absent: Vec<String>,
    absent_if_empty: Option<Pointer>,
    /// Codes that say that the token is good no more.
    token_refused: Vec<String>,
    /// HTTP statuses beside 200 whose reply carries a code as well.
    pub(super) statuses: Vec<u16>,
}

/// What an envelope says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// Here is the record.
    Success,
    /// The department does not know the firm.
    Absent,
}

impl Envelope {
    /// Reads `[NAME.envelope]` at `path`.
    pub(super) fn read(path: &str, wire: EnvelopeWire, problems: &mut Vec<String>) -> Envelope {
        let mut pointer = |key: &str, text: Option<String>| {
            let text = text?;
            Pointer::parse(&text).map_err(|problem| problems.push(format!("{path}.{key}: {problem}"))).ok()
        };
        let (code, absent_if_empty) =
            (pointer("code", wire.code.clone()), pointer("absent_if_empty", wire.absent_if_empty.clone()));
        if code.is_some() == wire.success.is_empty() {
            problems
                .push(format!("{path}: `code`, a JSON pointer, and `success`, the codes of success, belong together"));
        }
        if code.is_none() && !(wire.absent.is_empty() && wire.token_refused.is_empty() && wire.statuses.is_empty()) {
            problems.push(format!("{path}: `absent`, `token_refused` and `statuses` need `code`"));
        }
        let twice = |code: &&String| wire.absent.contains(code) || wire.token_refused.contains(code);
        if let Some(code) = wire.success.iter().find(twice) {
            problems.push(format!("{path}: the code {code:?} cannot mean success and something else"));
        }
        if wire.statuses.iter().any(|status| !(400..=599).contains(status)) {
            problems.push(format!("{path}.statuses: names HTTP statuses from 400 to 599; 200 is read always"));
        }
        let EnvelopeWire { success, absent, token_refused, statuses, .. } = wire;
        Envelope { code, success, absent, absent_if_empty, token_refused, statuses }
    }

    /// What `reply` has in the code's place, or else in the place that is empty for an unknown firm.
    pub(super) fn stated<'v>(&self, reply: &'v Value) -> Option<&'v Value> {
        self.code.as_ref().or(self.absent_if_empty.as_ref())?.walk(reply)
    }

    /// Whether `reply` says that the token is good no more.
    pub(super) fn refuses_token(&self, reply: &Value) -> bool {
        let code = self.code.as_ref().and_then(|at| at.walk(reply)).and_then(scalar);
        code.is_some_and(|code| self.token_refused.contains(&code))
    }

    /// Whether a reply must be read for [`Envelope::refuses_token`].
    pub(super) fn may_refuse_token(&self) -> bool {
        !self.token_refused.is_empty()
    }

    /// What `reply` says; `Ok(None)` where it has no code at all, which [`Envelope::check`] explains.
    pub(super) fn said(&self, reply: &Value) -> Result<Option<Said>, Failure> {
        if let Some(code) = &self.code {
            match code.walk(reply).and_then(scalar) {
                None => return Ok(None),
                Some(code) if self.token_refused.contains(&code) => return Err(Failure::TokenRefused),
                Some(code) if self.absent.contains(&code) => return Ok(Some(Said::Absent)),
                Some(code) if self.success.contains(&code) => {}
                Some(_) => return Err(Failure::Code),
            }
        }
        let empty = self.absent_if_empty.as_ref().is_some_and(|at| at.walk(reply).is_none_or(is_empty));
        Ok(Some(if empty { Said::Absent } else { Said::Success }))
    }

    /// Refuses a reply without a code.
    pub(super) fn check(&self, reply: &Value) -> Result<(), Breach> {
        let Some(code) = &self.code else { return Ok(()) };
        match code.walk(reply).and_then(scalar) {
            Some(_) => Ok(()),
            None => Err(Breach::at(code.text(), "is not there; the envelope says that the reply's code is")),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        Value::String(text) => text.trim().is_empty(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn codes_are_told_apart_and_an_unknown_one_is_no_answer() {
        let wire = toml::from_str(
            "code = \"/code\"\nsuccess = [\"0000\", \"0\"]\nabsent = [\"40400\"]\nabsent_if_empty = \"/data\"",
        )
        .unwrap();
        let mut problems = Vec::new();
        let envelope = Envelope::read("x.envelope", wire, &mut problems);
        assert!(problems.is_empty(), "{problems:?}");
        for (reply, said) in [
            (json!({"code": "0000", "data": {"a": 1}}), Ok(Some(Said::Success))),
            (json!({"code": 0, "data": {"a": 1}}), Ok(Some(Said::Success))),
            (json!({"code": "40400"}), Ok(Some(Said::Absent))),
            (json!({"code": "0000", "data": null}), Ok(Some(Said::Absent))),
            (json!({"code": "0000", "data": []}), Ok(Some(Said::Absent))),
            (json!({"code": "50000", "data": {"a": 1}}), Err(Failure::Code)),
            (json!({"data": {"a": 1}}), Ok(None)),
        ] {
            assert_eq!(envelope.said(&reply), said, "{reply}");
        }
        assert_eq!(envelope.check(&json!({})).unwrap_err().pointer, "/code");
    }
}
