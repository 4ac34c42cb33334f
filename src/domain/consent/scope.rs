//! What a consent covers: all departments, some of them, or some parts of their records.
//!
//! A part is a field at the top of a department's record, written `tax.invoices`. What is not covered is never asked for where
//! a whole department is left out, and dropped unseen where a part is: it counts as missing, and the evidence says so.
//!
//! Optional departments (registry, court, utilities) are named like the others. A grant that names departments or parts without
//! them does not cover them; one that names nothing covers all that are connected.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::domain::evidence::{Dossier, Evidence, Parts, SourceKind};

/// The parts that a grant may name, by department. Invoices bring the month in which they begin with them. What an optional
/// department shares has the name of the part that it fills.
const PARTS: [(SourceKind, &[&str]); 6] = [
    (
        SourceKind::Tax,
        &[
            "name",
            "status",
            "industry",
            "registered_on",
            "declared_heads",
            "total_assets",
            "rating",
            "filings",
            "arrears",
            "invoices",
        ],
    ),
    (SourceKind::SocialInsurance, &["months", "arrears", "minimum_base"]),
    (SourceKind::PaymentHistory, &["bills", "loans", "supplier_delays", "wage_arrears", "enforcements"]),
    (SourceKind::Registry, &["name", "status", "industry", "registered_on"]),
    (SourceKind::Court, &["wage_arrears", "enforcements"]),
    (SourceKind::Utilities, &["bills"]),
];

/// A part of a department's record, `tax.invoices`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Field {
    source: SourceKind,
    part: &'static str,
}

impl Field {
    /// All that there are.
    pub fn all() -> impl Iterator<Item = Field> {
        PARTS.into_iter().flat_map(|(source, parts)| parts.iter().map(move |part| Field { source, part }))
    }

    /// The department.
    pub fn source(self) -> SourceKind {
        self.source
    }

    /// The part's name in the record.
    pub fn part(self) -> &'static str {
        self.part
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.source, self.part)
    }
}

/// A text that names no part of any record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("there is no such part of a record")]
pub struct UnknownField;

impl FromStr for Field {
    type Err = UnknownField;

    fn from_str(text: &str) -> Result<Field, UnknownField> {
        let (source, part) = text.split_once('.').ok_or(UnknownField)?;
        Field::all().find(|field| field.source.as_str() == source && field.part == part).ok_or(UnknownField)
    }
}

impl Serialize for Field {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Field {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Field, D::Error> {
        String::deserialize(from)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a consent covers. The default covers everything.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Scope {
    sources: Option<BTreeSet<SourceKind>>,
    fields: Option<BTreeSet<Field>>,
}

/// Why departments and parts make no scope together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ScopeError {
    /// Nothing is covered at all.
    #[error("name at least one department, or leave the list out to cover all")]
    NoSource,
    /// The list of parts is empty.
    #[error("name at least one part, or leave the list out to cover whole records")]
    NoField,
    /// A part of a department that is not covered.
    #[error("{0} belongs to a department that sources does not name")]
    ForeignField(Field),
    /// A department of which no part is covered.
    #[error("fields names no part of {0}; name one, or leave the department out of sources")]
    SourceWithoutField(SourceKind),
    /// Contributions by month are what the rest of the record hangs on.
    #[error("social_insurance.months must be among the parts: the rest of that record says nothing without it")]
    MonthsLeftOut,
}

impl Scope {
    /// The scope that covers these departments, or all where none are given, and of them these parts, or whole records where
    /// none are given. Parts without departments cover the departments that they belong to.
    ///
    /// # Errors
    /// [`ScopeError`] where the two contradict each other.
    pub fn new(sources: Option<BTreeSet<SourceKind>>, fields: Option<BTreeSet<Field>>) -> Result<Scope, ScopeError> {
        if sources.as_ref().is_some_and(BTreeSet::is_empty) {
            return Err(ScopeError::NoSource);
        }
        let Some(fields) = fields else { return Ok(Scope { sources, fields: None }) };
        if fields.is_empty() {
            return Err(ScopeError::NoField);
        }
        let named: BTreeSet<SourceKind> = fields.iter().map(|field| field.source).collect();
        if let Some(sources) = &sources {
            if let Some(foreign) = fields.iter().find(|field| !sources.contains(&field.source)) {
                return Err(ScopeError::ForeignField(*foreign));
            }
            if let Some(bare) = sources.iter().find(|source| !named.contains(source)) {
                return Err(ScopeError::SourceWithoutField(*bare));
            }
        }
        let months = fields.iter().any(|f| f.source == SourceKind::SocialInsurance && f.part == "months");
        if named.contains(&SourceKind::SocialInsurance) && !months {
            return Err(ScopeError::MonthsLeftOut);
        }
        Ok(Scope { sources: Some(named), fields: Some(fields) })
    }

    /// The departments that it names; `None` covers all.
    pub fn sources(&self) -> Option<&BTreeSet<SourceKind>> {
        self.sources.as_ref()
    }

    /// The parts that it names; `None` covers whole records.
    pub fn fields(&self) -> Option<&BTreeSet<Field>> {
        self.fields.as_ref()
    }

    /// Whether this department may be asked.
    pub fn covers(&self, source: SourceKind) -> bool {
        self.sources.as_ref().is_none_or(|sources| sources.contains(&source))
    }

    /// Drops from the main departments' records in `dossier` every part that is not covered, so that nothing after this can see it.
    pub fn trim(&self, mut dossier: Dossier) -> Dossier {
        self.trim_one(SourceKind::Tax, &mut dossier.tax);
        self.trim_one(SourceKind::SocialInsurance, &mut dossier.social_insurance);
        self.trim_one(SourceKind::PaymentHistory, &mut dossier.payment_history);
        dossier
    }

    fn trim_one<R: Parts>(&self, source: SourceKind, evidence: &mut Evidence<R>) {
        if let Some(record) = &mut evidence.record {
            evidence.not_covered.extend(self.dropped_from(record, source));
        }
    }

    /// Drops from what the department `source` shares every part that is not covered; their names. Before an optional department's
    /// record fills anything it must pass here.
    pub fn dropped_from(&self, record: &mut impl Parts, source: SourceKind) -> Vec<String> {
        let Some(fields) = &self.fields else { return Vec::new() };
        let parts = PARTS.into_iter().filter(|(of, _)| *of == source).flat_map(|(_, parts)| parts);
        let covered = |part: &str| fields.iter().any(|field| field.source == source && field.part == part);
        let dropped = parts.filter(|part| !covered(part)).map(|part| {
            record.drop_part(part);
            (*part).to_owned()
        });
        dropped.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::EvidenceStatus;
    use crate::domain::evidence::{PaymentHistoryRecord, TaxRecord};
    use SourceKind::{Court, PaymentHistory, Registry, SocialInsurance, Tax, Utilities};

    fn fields(names: &[&str]) -> Option<BTreeSet<Field>> {
        Some(names.iter().map(|name| name.parse().unwrap()).collect())
    }

    fn sources(of: &[SourceKind]) -> Option<BTreeSet<SourceKind>> {
        Some(of.iter().copied().collect())
    }

    #[test]
    fn a_grant_without_limits_covers_all_and_parts_cover_the_departments_that_they_belong_to() {
        assert!(SourceKind::ALL.into_iter().all(|source| Scope::default().covers(source)));
        let scope = Scope::new(None, fields(&["tax.invoices", "payment_history.loans"])).unwrap();
        assert_eq!([Tax, SocialInsurance, PaymentHistory].map(|s| scope.covers(s)), [true, false, true]);
        let scope = Scope::new(sources(&[SocialInsurance]), None).unwrap();
        assert_eq!([Tax, SocialInsurance, PaymentHistory].map(|s| scope.covers(s)), [false, true, false]);
    }

    #[test]
    fn optional_departments_are_covered_where_they_are_named_or_nothing_is() {
        let covered = |scope: &Scope| [Registry, Court, Utilities].map(|source| scope.covers(source));
        assert_eq!(covered(&Scope::default()), [true; 3]);
        let named = |of: &[SourceKind]| Scope::new(sources(of), None).unwrap();
        assert_eq!(covered(&named(&[Tax, SocialInsurance, PaymentHistory])), [false; 3], "as grants of old meant it");
        assert_eq!(covered(&named(&[Tax, Registry])), [true, false, false]);
        let parts = Scope::new(None, fields(&["payment_history.loans", "court.enforcements"])).unwrap();
        assert_eq!(covered(&parts), [false, true, false]);
        let as_of = "2026-10-31".parse().unwrap();
        let mut said = PaymentHistoryRecord {
            as_of,
            bills: None,
            loans: None,
            supplier_delays: None,
            wage_arrears: Some(Vec::new()),
            enforcements: Some(Vec::new()),
        };
        assert_eq!(parts.dropped_from(&mut said, Court), ["wage_arrears"]);
        assert!(said.wage_arrears.is_none() && said.enforcements.is_some());
    }

    #[test]
    fn departments_and_parts_that_contradict_each_other_make_no_scope() {
        for (of, parts, error) in [
            (sources(&[]), None, ScopeError::NoSource),
            (None, fields(&[]), ScopeError::NoField),
            (sources(&[Tax]), fields(&["payment_history.loans", "tax.rating"]), {
                ScopeError::ForeignField("payment_history.loans".parse().unwrap())
            }),
            (sources(&[Tax, PaymentHistory]), fields(&["tax.rating"]), ScopeError::SourceWithoutField(PaymentHistory)),
            (None, fields(&["social_insurance.arrears"]), ScopeError::MonthsLeftOut),
        ] {
            assert_eq!(Scope::new(of, parts), Err(error));
        }
        for unknown in ["tax", "tax.", "tax.secret", "police.name", "tax.invoices_since"] {
            assert!(unknown.parse::<Field>().is_err(), "{unknown}");
        }
    }

    #[test]
    fn what_is_not_covered_is_dropped_and_named_and_what_is_covered_stays() {
        let as_of = "2026-10-31".parse().unwrap();
        let mut tax = TaxRecord::sharing_nothing(as_of);
        (tax.declared_heads, tax.invoices, tax.invoices_since) = (Some(7), Some(Vec::new()), "2025-01".parse().ok());
        let evidence =
            Evidence { record: Some(tax.clone()), detail: None, ..Evidence::missing(EvidenceStatus::Fresh, "") };
        let dossier = Dossier {
            uscc: "91330604MA2XY0014W".parse().unwrap(),
            tax: evidence,
            social_insurance: Evidence::missing(EvidenceStatus::Absent, ""),
            payment_history: Evidence::missing(EvidenceStatus::Absent, ""),
            others: Vec::new(),
            set_aside: Vec::new(),
        };
        assert_eq!(Scope::default().trim(dossier.clone()), dossier);
        let trimmed = Scope::new(None, fields(&["tax.declared_heads", "tax.filings"])).unwrap().trim(dossier);
        let seen = trimmed.tax.record.as_ref().unwrap();
        assert_eq!((seen.declared_heads, &seen.invoices, seen.invoices_since), (Some(7), &None, None));
        let line = &trimmed.lines()[0];
        assert!(line.not_covered.contains(&"invoices".to_owned()) && !line.not_shared.contains(&"invoices".to_owned()));
        assert!(line.lacks("invoices") && line.lacks("filings") && !line.lacks("declared_heads"));
        assert_eq!(line.not_shared, ["filings"], "covered, but not shared");
    }

    #[test]
    fn every_option_of_a_record_has_a_part_that_a_grant_can_name() {
        let tax = serde_json::to_value(TaxRecord::sharing_nothing("2026-10-31".parse().unwrap())).unwrap();
        for key in tax.as_object().unwrap().keys().filter(|key| !["as_of", "invoices_since"].contains(&key.as_str())) {
            let part = key.strip_suffix("_fen").unwrap_or(key);
            assert!(format!("tax.{part}").parse::<Field>().is_ok(), "{key}");
        }
    }
}
