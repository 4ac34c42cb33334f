//! The fields that a mapping can fill: the JSON form of each record, told once more as a table, so that a mapping is held against
//! it before any department is asked. A test compares the table with the records themselves.

use crate::domain::SourceKind;

/// What a field of a record holds, which decides how a department's value becomes it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Holds {
    /// Any text.
    Text,
    /// A day, `YYYY-MM-DD`.
    Day,
    /// The day on which something happened; null where it has not. The department must say one or the other.
    DayOrNever,
    /// A month, `YYYY-MM`.
    Month,
    /// Whole fen.
    Amount,
    /// A whole number: persons, invoices, days, a year.
    Count,
    /// Whole kilowatt-hours.
    Energy,
    /// A part of a whole, 0 to 1.
    Share,
    /// Days with a fraction.
    Days,
    /// One of these words.
    Words(&'static [&'static str]),
    /// Fields of its own.
    Object(&'static [Field]),
    /// The same, or null where the department says that there is none; left out it says nothing.
    ObjectOrNone(&'static [Field]),
    /// Rows, each with these fields.
    Rows(&'static [Field]),
}

/// A field of a record.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Field {
    /// Its name in JSON.
    pub(super) name: &'static str,
    /// What it holds.
    pub(super) holds: Holds,
    /// Whether a record may be without it.
    pub(super) optional: bool,
}

const fn must(name: &'static str, holds: Holds) -> Field {
    Field { name, holds, optional: false }
}

const fn may(name: &'static str, holds: Holds) -> Field {
    Field { name, holds, optional: true }
}

/// The fields of the record of `kind`, beside the firm's code `uscc`.
pub(super) fn fields(kind: SourceKind) -> &'static [Field] {
    match kind {
        SourceKind::Tax => TAX,
        SourceKind::SocialInsurance => SOCIAL_INSURANCE,
        SourceKind::PaymentHistory => PAYMENT_HISTORY,
        SourceKind::Registry => REGISTRY,
        SourceKind::Court => COURT,
        SourceKind::Utilities => UTILITIES,
    }
}

/// Parts of the tax record.
const REGISTRY: &[Field] = &[TAX[0], TAX[1], TAX[2], TAX[3], TAX[4]];
/// Parts of the payment history.
const COURT: &[Field] = &[PAYMENT_HISTORY[0], PAYMENT_HISTORY[4], PAYMENT_HISTORY[5]];
const UTILITIES: &[Field] = &[PAYMENT_HISTORY[0], PAYMENT_HISTORY[1]];

const TAX: &[Field] = &[
    must("as_of", Holds::Day),
    may("name", Holds::Text),
    may("status", Holds::Words(&["normal", "abnormal", "deregistered"])),
    may("industry", Holds::Text),
    may("registered_on", Holds::Day),
    may("declared_heads", Holds::Count),
    may("total_assets_fen", Holds::Amount),
    may(
        "rating",
        Holds::ObjectOrNone(&[must("grade", Holds::Words(&["A", "B", "M", "C", "D"])), must("year", Holds::Count)]),
    ),
    may(
        "filings",
        Holds::Rows(&[
            must("month", Holds::Month),
            must("tax", Holds::Words(&["vat", "income_tax"])),
            must("declared_revenue_fen", Holds::Amount),
            must("due_fen", Holds::Amount),
            must("paid_fen", Holds::Amount),
            must("due_on", Holds::Day),
            must("filed_on", Holds::DayOrNever),
        ]),
    ),
    may("arrears", Holds::Object(&[must("amount_fen", Holds::Amount), may("since", Holds::Day)])),
    may(
        "invoices",
        Holds::Rows(&[
            must("month", Holds::Month),
            must("sales", Holds::Object(INVOICE_SIDE)),
            must("purchases", Holds::Object(INVOICE_SIDE)),
        ]),
    ),
    may("invoices_since", Holds::Month),
];

const INVOICE_SIDE: &[Field] = &[
    must("count", Holds::Count),
    must("amount_fen", Holds::Amount),
    must("tax_fen", Holds::Amount),
    must("counterparties", Holds::Count),
    must("void_count", Holds::Count),
    must("red_count", Holds::Count),
    must("red_amount_fen", Holds::Amount),
    must("top_share", Holds::Share),
];

const SOCIAL_INSURANCE: &[Field] = &[
    must("as_of", Holds::Day),
    must(
        "months",
        Holds::Rows(&[
            must("month", Holds::Month),
            must("heads", Holds::Count),
            must("base_fen", Holds::Amount),
            must("due_fen", Holds::Amount),
            must("paid_fen", Holds::Amount),
        ]),
    ),
    may("arrears", Holds::Object(&[must("months", Holds::Count), must("amount_fen", Holds::Amount)])),
    may("minimum_base_fen", Holds::Amount),
];

const PAYMENT_HISTORY: &[Field] = &[
    must("as_of", Holds::Day),
    may(
        "bills",
        Holds::Rows(&[
            must("month", Holds::Month),
            must("kwh", Holds::Energy),
            must("amount_fen", Holds::Amount),
            must("due_on", Holds::Day),
            must("paid_on", Holds::DayOrNever),
        ]),
    ),
    may(
        "loans",
        Holds::Rows(&[
            must("month", Holds::Month),
            must("balance_fen", Holds::Amount),
            must("line_fen", Holds::Amount),
            must("days_past_due", Holds::Count),
        ]),
    ),
    may("supplier_delays", Holds::Rows(&[must("month", Holds::Month), must("days", Holds::Days)])),
    may(
        "wage_arrears",
        Holds::Rows(&[
            must("found_on", Holds::Day),
            must("amount_fen", Holds::Amount),
            must("repaired_on", Holds::DayOrNever),
        ]),
    ),
    may(
        "enforcements",
        Holds::Rows(&[
            must("opened_on", Holds::Day),
            must("closed_on", Holds::DayOrNever),
            must("amount_fen", Holds::Amount),
        ]),
    ),
];

#[cfg(test)]
mod tests {
    use super::super::super::samples::{PAYMENT_HISTORY, SOCIAL_INSURANCE, TAX};
    use super::*;
    use serde_json::Value;

    /// Every name in the sample, which is complete, is in the table, and the other way round.
    fn same(at: &str, sample: &Value, fields: &[Field]) {
        let mut named: Vec<&str> = sample.as_object().unwrap().keys().map(String::as_str).collect();
        named.retain(|name| *name != "uscc");
        let mut known: Vec<&str> = fields.iter().map(|field| field.name).collect();
        named.sort_unstable();
        known.sort_unstable();
        assert_eq!(named, known, "{at}");
        for field in fields {
            let value = &sample[field.name];
            match field.holds {
                Holds::Object(inner) | Holds::ObjectOrNone(inner) => same(field.name, value, inner),
                Holds::Rows(inner) => same(field.name, &value[0], inner),
                Holds::Amount => assert!(field.name.ends_with("_fen") && value.is_i64(), "{at}/{}", field.name),
                Holds::Count | Holds::Energy => assert!(value.is_u64(), "{at}/{}", field.name),
                Holds::Share | Holds::Days => assert!(value.is_number(), "{at}/{}", field.name),
                _ => assert!(value.is_string() || value.is_null(), "{at}/{}", field.name),
            }
        }
    }

    #[test]
    fn optional_departments_fill_the_parts_that_are_theirs() {
        let names = |kind| fields(kind).iter().map(|field| field.name).collect::<Vec<_>>();
        assert_eq!(names(SourceKind::Registry), ["as_of", "name", "status", "industry", "registered_on"]);
        assert_eq!(names(SourceKind::Court), ["as_of", "wage_arrears", "enforcements"]);
        assert_eq!(names(SourceKind::Utilities), ["as_of", "bills"]);
    }

    #[test]
    fn the_table_of_fields_is_the_json_form_of_the_records() {
        for (kind, sample) in [
            (SourceKind::Tax, TAX),
            (SourceKind::SocialInsurance, SOCIAL_INSURANCE),
            (SourceKind::PaymentHistory, PAYMENT_HISTORY),
        ] {
            same(kind.as_str(), &serde_json::from_str(sample).unwrap(), fields(kind));
        }
    }
}
