//! From the `map` table of a connector to a mapping. Everything that is wrong is told, each with its place.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::json;
use toml::{Table, Value as Toml};

use super::wire::{Gaps, OBJECT_KEYS, ObjectWire, OneOrMany, RowsWire, SingleWire};
use super::{Condition, Entry, Mapping, Missing, Object, Rows, Single, Source};
use crate::domain::{Month, SourceKind};
use crate::sources::client::Headers;
use crate::sources::connector::pointer::Pointer;
use crate::sources::connector::schema::{self, Field, Holds};
use crate::sources::connector::value::{ANY_OTHER, DayOfMonth, Format, Unit, Writing, power, units};

/// The field that states the date of a record.
const AS_OF: &str = "as_of";

impl Mapping {
    /// Reads the `map` table at `path` for the record of `kind`. Problems are added to `problems`, and to
    /// `warnings` where the map states a fact that the department does not.
    pub(in crate::sources::connector) fn compile(
        path: &str,
        mut table: Table,
        kind: SourceKind,
        problems: &mut Vec<String>,
        warnings: &mut Vec<String>,
    ) -> Mapping {
        let mut compiler = Compiler { problems, warnings };
        let code = table.remove("uscc").and_then(|value| value.as_str().map(str::to_owned));
        if code.is_none() {
            compiler.tell(path, "uscc must be a JSON pointer: the place where the reply repeats the firm's code");
        }
        let uscc = compiler.pointer(&format!("{path}.uscc"), code.as_deref().unwrap_or(""));
        let fields = compiler.fields(path, table, schema::fields(kind));
        let as_of = fields.iter().find(|entry| entry.name == "as_of").map_or(Vec::new(), |entry| match &entry.source {
            Source::Single(single) => single.from.clone(),
            _ => Vec::new(),
        });
        let as_of_header = fields.iter().find_map(|entry| match &entry.source {
            Source::Header(name, _) => Some(name.clone()),
            _ => None,
        });
        Mapping { uscc, as_of, as_of_header, fields }
    }
}

struct Compiler<'p> {
    problems: &'p mut Vec<String>,
    warnings: &'p mut Vec<String>,
}

impl Compiler<'_> {
    fn tell(&mut self, path: &str, problem: impl std::fmt::Display) {
        self.problems.push(format!("{path}: {problem}"));
    }

    /// A fact of every firm that no department has stated; models and rules take it for one.
    fn warn_of_fact(&mut self, path: &str, what: impl std::fmt::Display) {
        self.warnings.push(format!(
            "{path}: {what}, whatever the department says: that passes for a fact of every firm; leave the field out, or write optional = \
             true, where the department does not share it"
        ));
    }

    /// The same where the department says nothing.
    fn warn_of_default(&mut self, path: &str, what: impl std::fmt::Display) {
        self.warnings.push(format!(
            "{path}: is {what} where the department leaves it out: that passes for what the department said of the firm; write optional = \
             true instead where it may just not have told"
        ));
    }

    /// The department's words, without blanks around them as values are read, and what each becomes.
    fn words(&mut self, path: &str, values: BTreeMap<String, String>, field: &Field) -> BTreeMap<String, String> {
        let mut words = BTreeMap::new();
        for (word, becomes) in values {
            let word = word.trim().to_owned();
            if words.insert(word.clone(), becomes).is_some() {
                self.tell(path, format!("`values` has the word {word:?} twice: blanks around a word do not count"));
            }
        }
        if let Holds::Words(known) = field.holds {
            for becomes in words.values().filter(|becomes| !known.contains(&becomes.as_str())) {
                self.tell(path, format!("`values` leads to {becomes:?}; it must lead to one of {}", known.join(", ")));
            }
        }
        if field.holds != Holds::Text
            && let Some(becomes) = words.get(ANY_OTHER)
        {
            self.warnings.push(format!(
                "{path}: every word that `values` does not name becomes {becomes:?}, also one that the department brings in later; without \
                 \"*\" such a reply is invalid"
            ));
        }
        words
    }

    fn pointer(&mut self, path: &str, text: &str) -> Pointer {
        Pointer::parse(text).unwrap_or_else(|problem| {
            self.tell(path, problem);
            Pointer::here()
        })
    }

    /// A pointer that is followed from a row.
    fn of_row(&mut self, path: &str, key: &str, text: &str) -> Pointer {
        let pointer = self.pointer(path, text);
        if !pointer.is_relative() || pointer.is_key() {
            self.tell(path, format!("`{key}` is relative to the row: {text:?} cannot stand here"));
        }
        pointer
    }

    fn read<'de, T: Deserialize<'de>>(&mut self, path: &str, value: Toml) -> Option<T> {
        T::deserialize(value).map_err(|error| self.tell(path, error.to_string().trim())).ok()
    }

    fn fields(&mut self, path: &str, mut table: Table, known: &'static [Field]) -> Vec<Entry> {
        let mut entries = Vec::new();
        for field in known {
            match table.remove(field.name) {
                Some(value) => {
                    let path = format!("{path}.{}", field.name);
                    let source = self.source(&path, value, field);
                    entries.extend(source.map(|source| Entry { name: field.name, source }));
                }
                None if field.optional => {}
                None => self.tell(path, format!("lacks {}, which the record must have", field.name)),
            }
        }
        for key in table.keys() {
            let names: Vec<&str> = known.iter().map(|field| field.name).collect();
            self.tell(path, format!("there is no field {key}; the fields are {}", names.join(", ")));
        }
        entries
    }

    fn source(&mut self, path: &str, value: Toml, field: &Field) -> Option<Source> {
        match field.holds {
            Holds::Object(known) | Holds::ObjectOrNone(known) => {
                self.object(path, value, field, known).map(Source::Object)
            }
            Holds::Rows(known) => self.rows(path, value, field, known).map(|rows| Source::Rows(Box::new(rows))),
            _ => self.single(path, value, field),
        }
    }

    fn single(&mut self, path: &str, value: Toml, field: &Field) -> Option<Source> {
        // A bare text is the pointer.
        let value = match value {
            Toml::String(from) => Toml::Table(Table::from_iter([("from".to_owned(), Toml::String(from))])),
            other => other,
        };
        let wire: SingleWire = self.read(path, value)?;
        let is_as_of = field.name == AS_OF;
        if is_as_of && (wire.value.is_some() || wire.default.is_some()) {
            self.tell(
                path,
                "must be what the department says, without `value` or `default`: a date of ours would pass old data for new; where it \
                 only comes in a header, write from = \"header:NAME\"",
            );
            return None;
        }
        if let Some(constant) = wire.value {
            if wire.from.is_some() || wire.join.is_some() {
                self.tell(path, "has both `value` and a place of one");
            }
            let constant = self.constant(path, &constant, field)?;
            if field.holds != Holds::Text {
                self.warn_of_fact(path, format!("is always {constant}"));
            }
            return Some(Source::Constant(constant));
        }
        let join = wire.join.is_some();
        let from = match (wire.from, wire.join) {
            (Some(from), None) => from.into_vec(),
            (None, Some(join)) => join,
            (Some(_), Some(_)) => {
                self.tell(path, "has both `from` and `join`");
                return None;
            }
            (None, None) => {
                self.tell(path, "needs `from`, a JSON pointer, `join`, several, or `value`, a constant");
                return None;
            }
        };
        if let Some(name) = from.iter().find_map(|text| text.strip_prefix("header:")) {
            let alone = from.len() == 1 && !join && wire.nothing.is_empty() && !wire.optional;
            if !is_as_of || !alone || !Headers::can_have(name) {
                self.tell(path, "a header can state as_of only, alone, as from = \"header:NAME\"");
                return None;
            }
            let formats = self.formats(path, wire.format.map(OneOrMany::into_vec), wire.day.is_some(), field);
            let writing = Writing { formats, day: wire.day, plus_months: wire.plus_months, ..Writing::of(field.holds) };
            return Some(Source::Header(name.to_owned(), Box::new(writing)));
        }
        let from: Vec<Pointer> = from.iter().map(|text| self.pointer(path, text)).collect();
        if from.is_empty() {
            self.tell(path, "names no place");
        }
        if join && !matches!(field.holds, Holds::Day | Holds::DayOrNever | Holds::Month | Holds::Text) {
            self.tell(path, "`join` is for days, months and texts");
        }
        let unit = self.unit(path, wire.unit.as_deref(), wire.unit_from.is_some(), field);
        let unit_from = wire.unit_from.as_deref().map(|text| self.pointer(path, text));
        let formats = self.formats(path, wire.format.map(OneOrMany::into_vec), wire.day.is_some(), field);
        let when = self.when(path, wire.optional, wire.default.as_ref(), field);
        if let (Holds::Words(_), Missing::Default(word)) = (field.holds, &when) {
            self.warn_of_default(path, word);
        }
        let values = self.words(path, wire.values, field);
        if wire.plus_months.abs() > 120 {
            self.tell(path, "plus_months must lie between -120 and 120");
        }
        if matches!(wire.day, Some(DayOfMonth::Number(day)) if !(1..=31).contains(&day)) {
            self.tell(path, "day must be 1 to 31, \"first\" or \"last\"");
        }
        let writing = Writing {
            holds: field.holds,
            unit,
            round: wire.round,
            formats,
            values,
            strip: wire.strip,
            day: wire.day,
            plus_months: wire.plus_months,
        };
        Some(Source::Single(Box::new(Single { from, join, unit_from, writing, nothing: wire.nothing, when })))
    }

    fn unit(&mut self, path: &str, unit: Option<&str>, stated_elsewhere: bool, field: &Field) -> Unit {
        let words: Vec<&str> = units(field.holds).iter().map(|(word, _)| *word).collect();
        match unit {
            _ if words.is_empty() && (unit.is_some() || stated_elsewhere) => {
                self.tell(path, "has no unit");
                Unit::Power(0)
            }
            Some(_) if stated_elsewhere => {
                self.tell(path, "has both `unit` and `unit_from`");
                Unit::Power(0)
            }
            Some("stated") => Unit::Stated,
            Some(word) => Unit::Power(power(field.holds, word).unwrap_or_else(|| {
                self.tell(path, format!("{word:?} is no unit here; it is one of stated, {}", words.join(", ")));
                0
            })),
            None => {
                // Nobody should guess whether 5 is fen or 万元, or whether 0.5 is half or half a percent.
                if matches!(field.holds, Holds::Amount | Holds::Share) && !stated_elsewhere {
                    self.tell(path, format!("needs `unit`, one of stated, {}; or `unit_from`", words.join(", ")));
                }
                Unit::Power(0)
            }
        }
    }

    fn formats(&mut self, path: &str, formats: Option<Vec<String>>, has_day: bool, field: &Field) -> Vec<Format> {
        let needs_day = matches!(field.holds, Holds::Day | Holds::DayOrNever);
        if !needs_day && field.holds != Holds::Month {
            if formats.is_some() || has_day {
                self.tell(path, "`format` and `day` are for days and months");
            }
            return Vec::new();
        }
        let usual = if needs_day { "%Y-%m-%d" } else { "%Y-%m" };
        let formats: Vec<Format> =
            formats.unwrap_or_else(|| vec![usual.to_owned()]).iter().map(|text| Format::of(text)).collect();
        for format in &formats {
            match format.tried() {
                None => self.tell(
                    path,
                    format!(
                        "the format {:?} does not read a date; write it like %Y%m%d, %Y年%m月%d日, %Y-%m-%d %H:%M:%S, or as iso, epoch_s, \
                         epoch_ms, http, quarter",
                        format.text()
                    ),
                ),
                Some(false) if needs_day && !has_day => self.tell(
                    path,
                    format!("the format {:?} names no day; say which with day = \"last\", \"first\" or a number", format.text()),
                ),
                Some(_) => {}
            }
        }
        formats
    }

    fn when(&mut self, path: &str, optional: bool, default: Option<&Toml>, field: &Field) -> Missing {
        if optional && !field.optional {
            self.tell(path, "cannot be optional: the record, or the row, is nothing without it");
        }
        match (optional, default) {
            (true, Some(_)) => {
                self.tell(path, "has both `optional` and `default`");
                Missing::NotShared
            }
            (true, None) => Missing::NotShared,
            (false, Some(default)) => self.constant(path, default, field).map_or(Missing::Invalid, Missing::Default),
            (false, None) if field.holds == Holds::DayOrNever => Missing::NullIsNever,
            (false, None) => Missing::Invalid,
        }
    }

    /// A value that the mapping itself states, in the record's terms.
    fn constant(&mut self, path: &str, value: &Toml, field: &Field) -> Option<serde_json::Value> {
        let text = value.as_str();
        let (made, must_be) = match field.holds {
            Holds::Text => (text.map(|text| json!(text)), "a text".to_owned()),
            Holds::Words(words) => {
                (text.filter(|t| words.contains(t)).map(|t| json!(t)), format!("one of {}", words.join(", ")))
            }
            Holds::DayOrNever if text == Some("never") => (Some(serde_json::Value::Null), String::new()),
            Holds::DayOrNever => (None, "\"never\"".to_owned()),
            Holds::Day => {
                let day = text.and_then(|text| text.parse::<jiff::civil::Date>().ok());
                (day.map(|day| json!(day.to_string())), "a day like 2026-01-31".to_owned())
            }
            Holds::Month => {
                let month = text.and_then(|text| text.parse::<Month>().ok());
                (month.map(|month| json!(month.to_string())), "a month like 2026-01".to_owned())
            }
            Holds::Amount | Holds::Count | Holds::Energy => {
                (value.as_integer().map(|number| json!(number)), "a whole number, amounts in fen".to_owned())
            }
            Holds::Share | Holds::Days => {
                let number = value.as_float().or_else(|| value.as_integer().map(|whole| whole as f64));
                (number.map(|number| json!(number)), "a number".to_owned())
            }
            Holds::Object(_) | Holds::ObjectOrNone(_) | Holds::Rows(_) => (None, "left out".to_owned()),
        };
        if made.is_none() {
            self.tell(path, format!("a constant or default here must be {must_be}"));
        }
        made
    }

    fn object(&mut self, path: &str, value: Toml, field: &Field, known: &'static [Field]) -> Option<Object> {
        let Toml::Table(mut table) = value else {
            self.tell(path, "must be a table of fields");
            return None;
        };
        let own: Table = OBJECT_KEYS.iter().filter_map(|key| Some((key.to_string(), table.remove(*key)?))).collect();
        let wire: ObjectWire = self.read(path, Toml::Table(own))?;
        let may_be_none = matches!(field.holds, Holds::ObjectOrNone(_));
        if (wire.null_is_none || !wire.none_where.is_empty()) && !may_be_none {
            self.tell(path, "`null_is_none` and `none_where` are for what a firm may be without, as a rating");
        }
        if wire.default.is_some() && (wire.optional || wire.null_is_none) {
            self.tell(path, "has `default` beside `optional` or `null_is_none`");
        }
        let when = match wire.default.as_deref() {
            None if wire.null_is_none && wire.optional => Missing::NullIsNoneElseNotShared,
            None if wire.null_is_none => Missing::NullIsNever,
            None => self.when(path, wire.optional, None, field),
            Some("none") if may_be_none => {
                self.warn_of_default(path, "none");
                Missing::Default(serde_json::Value::Null)
            }
            Some(_) if may_be_none => {
                self.tell(path, "the only default here is \"none\"");
                Missing::Invalid
            }
            Some("zeros") => match zeros(known) {
                Some(zeros) => Missing::Default(zeros),
                None => {
                    self.tell(path, "default = \"zeros\" is for objects of numbers alone");
                    Missing::Invalid
                }
            },
            Some(_) => {
                self.tell(path, "the only default here is \"zeros\"");
                Missing::Invalid
            }
        };
        let from = wire.from.as_deref().map(|text| self.pointer(path, text));
        let picked = self.conditions(path, wire.picked);
        let none_where = self.conditions(path, wire.none_where);
        Some(Object { from, nothing: wire.nothing, picked, none_where, when, fields: self.fields(path, table, known) })
    }

    fn rows(&mut self, path: &str, value: Toml, field: &Field, known: &'static [Field]) -> Option<Rows> {
        let wire: RowsWire = self.read(path, value)?;
        let when = match wire.default {
            None => self.when(path, wire.optional, None, field),
            Some(rows) if rows.is_empty() && !wire.optional => Missing::Default(json!([])),
            Some(_) => {
                self.tell(path, "the only default here is [], and not together with `optional`");
                Missing::Invalid
            }
        };
        let sort = wire.sort.map(OneOrMany::into_vec).unwrap_or_default();
        for name in sort.iter().filter(|name| known.iter().all(|field| field.name != name.as_str())) {
            self.tell(path, format!("cannot be sorted by {name}: its rows have no such field"));
        }
        if wire.keyed && wire.group_by.is_some() {
            self.tell(path, "has both `keyed` and `group_by`");
        }
        if wire.inner.is_some() && wire.group_by.is_some() {
            self.tell(path, "has both `inner` and `group_by`");
        }
        let zeros = wire.gaps.and_then(|Gaps::Zeros| {
            zeros_beside_month(known).or_else(|| {
                self.tell(path, "gaps = \"zeros\" is for rows of a month and numbers");
                None
            })
        });
        Some(Rows {
            zeros,
            from: self.pointer(path, &wire.from),
            nothing: wire.nothing,
            keyed: wire.keyed,
            inner: wire.inner.as_deref().map(|text| self.of_row(path, "inner", text)),
            group_by: wire.group_by.as_deref().map(|text| self.of_row(path, "group_by", text)),
            picked: self.conditions(path, wire.picked),
            sort,
            when,
            fields: self.fields(&format!("{path}.each"), wire.each, known),
        })
    }

    fn conditions(&mut self, path: &str, picked: BTreeMap<String, OneOrMany>) -> Vec<Condition> {
        picked
            .into_iter()
            .map(|(at, one_of)| Condition { at: self.of_row(path, "where", &at), one_of: one_of.into_vec() })
            .collect()
    }
}

/// All fields but the month zero, where all but that are numbers.
fn zeros_beside_month(fields: &[Field]) -> Option<serde_json::Value> {
    let (month, numbers): (Vec<Field>, Vec<Field>) = fields.iter().partition(|field| field.holds == Holds::Month);
    zeros(&numbers).filter(|_| month.len() == 1)
}

/// All fields zero, where all are numbers.
fn zeros(fields: &[Field]) -> Option<serde_json::Value> {
    let zero = |field: &Field| match field.holds {
        Holds::Amount | Holds::Count | Holds::Energy => Some((field.name.to_owned(), json!(0))),
        Holds::Share | Holds::Days => Some((field.name.to_owned(), json!(0.0))),
        _ => None,
    };
    fields.iter().map(zero).collect::<Option<serde_json::Map<_, _>>>().map(serde_json::Value::Object)
}
