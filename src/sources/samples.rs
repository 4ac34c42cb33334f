//! For tests: a right reply of each kind, and ways to spoil it.

use jiff::civil::{Date, date};
use serde_json::Value;

use super::reply::{Record, read};
use crate::domain::Uscc;

pub(super) const TAX: &str = include_str!("../../tests/it/support/replies/tax.json");
pub(super) const SOCIAL_INSURANCE: &str = include_str!("../../tests/it/support/replies/social_insurance.json");
pub(super) const PAYMENT_HISTORY: &str = include_str!("../../tests/it/support/replies/payment_history.json");
pub(super) const TODAY: Date = date(2026, 11, 15);

pub(super) fn firm() -> Uscc {
    "91330604MA2XY0014W".parse().unwrap()
}

pub(super) fn breach_of<R: Record>(reply: &Value) -> String {
    match read::<R>(&serde_json::to_vec(reply).unwrap(), &firm(), TODAY) {
        Ok(_) => "none".into(),
        Err(breach) => breach.to_string(),
    }
}

/// The sample with the value at a pointer replaced, or put into the object that is there where the field may be left out.
pub(super) fn with(sample: &str, pointer: &str, value: &Value) -> Value {
    let mut reply: Value = serde_json::from_str(sample).unwrap();
    match reply.pointer_mut(pointer) {
        Some(place) => *place = value.clone(),
        None => {
            let (parent, field) = pointer.rsplit_once('/').unwrap();
            let parent = reply.pointer_mut(parent).and_then(Value::as_object_mut);
            parent.unwrap_or_else(|| panic!("{pointer}")).insert(field.to_owned(), value.clone());
        }
    }
    reply
}

/// Each row: a pointer, a value that is impossible there, and what the breach must say.
pub(super) fn refused<R: Record>(sample: &str, rows: &[(&str, Value, &str)]) {
    assert_eq!(breach_of::<R>(&serde_json::from_str(sample).unwrap()), "none", "the sample itself holds");
    for (pointer, value, said) in rows {
        let breach = breach_of::<R>(&with(sample, pointer, value));
        assert!(breach.contains(pointer) && breach.contains(said), "{pointer} = {value}: {breach}");
    }
}
