//! The `map` table of a connector as it is written. `docs/connectors.md` explains every key.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value as Toml};

use crate::sources::connector::value::DayOfMonth;

/// One or several, written with or without brackets.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a text or a list of texts")]
pub(super) enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    pub(super) fn into_vec(self) -> Vec<String> {
        match self {
            OneOrMany::One(one) => vec![one],
            OneOrMany::Many(many) => many,
        }
    }
}

/// A field with one value, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SingleWire {
    pub(super) from: Option<OneOrMany>,
    pub(super) join: Option<Vec<String>>,
    pub(super) value: Option<Toml>,
    pub(super) unit: Option<String>,
    pub(super) unit_from: Option<String>,
    pub(super) format: Option<OneOrMany>,
    #[serde(default)]
    pub(super) values: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) nothing: Vec<String>,
    #[serde(default)]
    pub(super) strip: Vec<String>,
    #[serde(default)]
    pub(super) optional: bool,
    pub(super) default: Option<Toml>,
    #[serde(default)]
    pub(super) round: bool,
    pub(super) day: Option<DayOfMonth>,
    #[serde(default)]
    pub(super) plus_months: i32,
}

/// What an object says beside its fields.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ObjectWire {
    pub(super) from: Option<String>,
    #[serde(default)]
    pub(super) nothing: Vec<String>,
    #[serde(default)]
    pub(super) optional: bool,
    pub(super) default: Option<String>,
    #[serde(default, rename = "where")]
    pub(super) picked: BTreeMap<String, OneOrMany>,
    #[serde(default)]
    pub(super) null_is_none: bool,
    #[serde(default)]
    pub(super) none_where: BTreeMap<String, OneOrMany>,
}
pub(super) const OBJECT_KEYS: &[&str] =
    &["from", "nothing", "optional", "default", "where", "null_is_none", "none_where"];

/// A field with rows, as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowsWire {
    pub(super) from: String,
    pub(super) each: Table,
    #[serde(default)]
    pub(super) nothing: Vec<String>,
    #[serde(default)]
    pub(super) keyed: bool,
    pub(super) inner: Option<String>,
    pub(super) gaps: Option<Gaps>,
    pub(super) group_by: Option<String>,
    #[serde(default, rename = "where")]
    pub(super) picked: BTreeMap<String, OneOrMany>,
    pub(super) sort: Option<OneOrMany>,
    #[serde(default)]
    pub(super) optional: bool,
    pub(super) default: Option<Vec<Toml>>,
}

/// What a month without a row means, where the department lists only months with something in them.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Gaps {
    Zeros,
}
