//! The catalogue of features and their extraction: a pure function of a dossier and a date.
//!
//! A feature is a number or missing. Missing is a value of its own, never zero: it is what a source that did not answer, a
//! field that a department does not share, or a history too short leaves behind. Windows end with the last month that is
//! complete both at the source's as-of date and at the scoring date, so that a late department does not look like a firm
//! without business, and nothing after the scoring date is ever looked at. One thing follows the scoring date and not the
//! as-of date: an adverse fact that was repaired or whose time has run out by the scoring date is not counted, however old
//! the evidence is. A part of a record that another department filled ends with that department's as-of date.

mod filings;
mod insurance;
mod invoices;
mod payments;
mod view;

use std::collections::BTreeMap;

use jiff::civil::Date;

use crate::domain::language::Bilingual;
use crate::domain::size::{SizeIndicators, StaffBasis, size_class};
use crate::domain::{Dossier, FirmSize, Language, SourceKind};
pub(crate) use insurance::insured_heads;
pub(crate) use payments::kwh_change;
pub use view::View;

/// How risk moves with a feature's value; the monotone constraint that training keeps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RiskSign {
    /// A larger value means more risk.
    Rises,
    /// A larger value means less risk.
    Falls,
    /// No direction is imposed.
    Free,
}

impl RiskSign {
    /// The sign in a training spec: `+`, `-` or `none`.
    pub fn as_spec(self) -> &'static str {
        match self {
            RiskSign::Rises => "+",
            RiskSign::Falls => "-",
            RiskSign::Free => "none",
        }
    }
}

/// What a feature's number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Yuan.
    Yuan,
    /// A ratio of one; the label says what is divided by what.
    Ratio,
    /// A count.
    Count,
    /// Months.
    Months,
    /// Days.
    Days,
    /// Persons.
    Persons,
    /// A grade, as a rank from 1, best first.
    Rank,
}

/// One feature of the catalogue.
pub struct Feature {
    /// Its name: the column in matrices and models.
    pub name: &'static str,
    /// The source that it is computed from.
    pub source: SourceKind,
    /// The part of the source's record that it is computed from, by the part's name.
    pub part: &'static str,
    /// What its number counts.
    pub unit: Unit,
    /// How risk moves with it.
    pub sign: RiskSign,
    /// Its name for people, with the window and, for a ratio, what is divided by what.
    pub label: Bilingual,
    /// What it says when it costs points: the reason.
    pub text: Bilingual,
    /// What the firm can do about it.
    pub remedy: Bilingual,
    /// What it means when it is missing though the source answered.
    pub missing: Bilingual,
    /// The computation.
    pub(crate) extract: fn(&View<'_>) -> Option<f64>,
}

impl Feature {
    /// The reason code: the name in capitals.
    pub fn code(&self) -> String {
        self.name.to_ascii_uppercase()
    }

    /// The label in `language`.
    pub fn label(&self, language: Language) -> &'static str {
        self.label.in_language(language)
    }
}

/// Every feature, by source. The order is the order of columns in a feature matrix.
pub fn catalogue() -> impl Iterator<Item = &'static Feature> {
    invoices::FEATURES.iter().chain(filings::FEATURES).chain(insurance::FEATURES).chain(payments::FEATURES)
}

/// The feature with this name.
pub fn by_name(name: &str) -> Option<&'static Feature> {
    catalogue().find(|feature| feature.name == name)
}

/// The feature with this reason code.
pub fn by_code(code: &str) -> Option<&'static Feature> {
    catalogue().find(|feature| feature.name.eq_ignore_ascii_case(code))
}

/// The features of one firm, in the order of the catalogue; `None` where missing. Every number is finite.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureVector(Vec<Option<f64>>);

impl FeatureVector {
    /// The value at a position of the catalogue.
    pub fn at(&self, position: usize) -> Option<f64> {
        self.0.get(position).copied().flatten()
    }

    /// The vector in which these features are missing.
    pub fn without(mut self, hidden: impl Fn(&Feature) -> bool) -> FeatureVector {
        let values = self.0.iter_mut().zip(catalogue());
        values.filter(|(_, feature)| hidden(feature)).for_each(|(value, _)| *value = None);
        self
    }

    /// The value of the feature with this name.
    pub fn get(&self, name: &str) -> Option<f64> {
        catalogue().position(|feature| feature.name == name).and_then(|position| self.at(position))
    }

    /// Names and values, in the order of the catalogue.
    pub fn iter(&self) -> impl Iterator<Item = (&'static Feature, Option<f64>)> + '_ {
        catalogue().zip(self.0.iter().copied())
    }

    /// The values by name, for the decision record.
    pub fn by_name(&self) -> BTreeMap<String, Option<f64>> {
        self.iter().map(|(feature, value)| (feature.name.to_owned(), value)).collect()
    }
}

/// Computes every feature of the catalogue (an empty sum of -0 becomes 0) from what the departments said, as of the date `on`.
pub fn extract(dossier: &Dossier, on: Date) -> FeatureVector {
    let view = View::new(dossier, on);
    FeatureVector(
        catalogue()
            .map(|feature| (feature.extract)(&view).filter(|value| value.is_finite()).map(|value| value + 0.0))
            .collect(),
    )
}

/// The size class at the date `on`, and which staff figure it rests on; `None` where no staff figure is known.
pub fn firm_size(dossier: &Dossier, on: Date) -> (FirmSize, Option<StaffBasis>) {
    let view = View::new(dossier, on);
    let tax = view.tax.as_ref().map(|part| part.record);
    let declared = tax.and_then(|t| t.declared_heads).map(|heads| (heads, StaffBasis::Declared));
    let staff = declared.or_else(|| insured_heads(&view).map(|heads| (heads, StaffBasis::Insured)));
    let indicators = SizeIndicators {
        staff: staff.map(|(heads, _)| heads),
        revenue: view.declared_or_invoiced_revenue_12m(),
        assets: tax.and_then(|t| t.total_assets),
    };
    (size_class(tax.and_then(|t| t.industry.as_deref()), &indicators), staff.map(|(_, basis)| basis))
}

/// Short form for the tables of features.
const fn both(zh: &'static str, en: &'static str) -> Bilingual {
    Bilingual { zh, en }
}

#[cfg(test)]
mod tests;
