//! How the invoices of many firms are distributed: to set the district beside real firms.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::domain::Month;
use crate::domain::evidence::{InvoiceMonth, InvoiceSide, TaxRecord};

use super::{District, RealFirms};

/// The quantiles that a table shows.
const QUANTILES: [f64; 5] = [0.10, 0.25, 0.50, 0.75, 0.90];

/// A measure: its name in tables. Windows end with the last month complete at the record's date.
pub type Measure = &'static str;

/// The measures, in the order of the table. All but the first have one value a firm.
pub const MEASURES: [Measure; 19] = [
    "sales of a month with any, yuan",
    "sales of 12 months, yuan",
    "sales of 12 months over the 12 before, minus 1",
    "purchases over sales, 12 months",
    "months of history",
    "months with sales among the last 24",
    "share of months without sales",
    "months since the last sale",
    "months with purchases among the last 24",
    "standard deviation over mean of monthly sales, 24 months",
    "void invoices over issued ones, 24 months",
    "red invoices over valid ones, 24 months",
    "sales invoices a month",
    "purchase invoices a month",
    "buyers a month",
    "suppliers a month",
    "top buyer's share of a month",
    "top supplier's share of a month",
    "months since the last purchase",
];

/// The distribution of every measure over a set of firms.
#[derive(Debug, Clone, Default)]
pub struct Marginals {
    values: BTreeMap<Measure, Vec<f64>>,
}

impl Marginals {
    /// Of the firms whose invoices the tax department of the district shares.
    pub fn of_district(district: &District) -> Marginals {
        Marginals::of(district.iter().filter_map(|firm| firm.tax))
    }

    /// Of the firms of a folder.
    pub fn of_replay(firms: &RealFirms) -> Marginals {
        Marginals::of(firms.iter().map(|firm| firm.tax.clone()))
    }

    fn of(records: impl Iterator<Item = TaxRecord>) -> Marginals {
        let mut all = Marginals::default();
        for record in records {
            // From the first month with an invoice on: of real firms nobody knows what was before.
            if let Some((invoices, first)) = record.invoices.as_deref().and_then(|rows| Some((rows, rows.first()?))) {
                all.add(&Course::new(invoices, first.month, Month::last_complete_on(record.as_of)));
            }
        }
        for values in all.values.values_mut() {
            values.retain(|v| v.is_finite());
            values.sort_by(f64::total_cmp);
        }
        all
    }

    fn add(&mut self, course: &Course) {
        for (measure, value) in MEASURES[1..].iter().zip(course.measures()) {
            self.values.entry(measure).or_default().push(value);
        }
        let months = course.months.iter().filter(|m| m.sales.count > 0).map(|m| m.sales.amount.yuan());
        self.values.entry(MEASURES[0]).or_default().extend(months);
    }

    /// The quantile `q` (0 to 1) of a measure, by linear interpolation; `None` where no firm has a value.
    pub fn quantile(&self, measure: Measure, q: f64) -> Option<f64> {
        let values = self.values.get(measure).filter(|values| !values.is_empty())?;
        let at = q.clamp(0.0, 1.0) * (values.len() - 1) as f64;
        let (low, high) = (values[at.floor() as usize], values[at.ceil() as usize]);
        Some(low + (high - low) * at.fract())
    }

    /// A Markdown table: quantiles of every measure, those of the real firms above those of the district.
    pub fn table(district: &Marginals, real: Option<&Marginals>) -> String {
        let mut table =
            String::from("| measure | firms | 10 % | 25 % | 50 % | 75 % | 90 % |\n|---|---|---|---|---|---|---|\n");
        for measure in MEASURES {
            let sets = real.map(|real| ("real", real)).into_iter().chain([("district", district)]);
            for (row, (firms, marginals)) in sets.enumerate() {
                let _ = write!(table, "| {} | {firms} |", if row == 0 { measure } else { "" });
                for q in QUANTILES {
                    let cell = marginals.quantile(measure, q).map_or("–".to_owned(), figure);
                    let _ = write!(table, " {cell} |");
                }
                table.push('\n');
            }
        }
        table
    }
}

/// A figure with as many digits as it deserves.
fn figure(value: f64) -> String {
    match value.abs() {
        1e4.. => {
            let digits = format!("{:.0}", (value / 1e3).round() * 1e3);
            let mut out = String::new();
            for (i, c) in digits.chars().enumerate() {
                if i > 0 && (digits.len() - i) % 3 == 0 && !out.ends_with('-') {
                    out.push(',');
                }
                out.push(c);
            }
            out
        }
        10.0.. => format!("{value:.1}"),
        0.1.. => format!("{value:.2}"),
        _ => format!("{value:.3}"),
    }
}

/// One firm's invoices with the empty months put in.
struct Course {
    months: Vec<InvoiceMonth>,
}

impl Course {
    fn new(invoices: &[InvoiceMonth], since: Month, last: Month) -> Course {
        let empty = |month| InvoiceMonth { month, sales: InvoiceSide::default(), purchases: InvoiceSide::default() };
        let mut months: Vec<InvoiceMonth> = (0..=last.since(since).max(0)).map(|i| empty(since.plus(i))).collect();
        for row in invoices {
            if let Some(slot) = usize::try_from(row.month.since(since)).ok().and_then(|i| months.get_mut(i)) {
                *slot = *row;
            }
        }
        Course { months }
    }

    /// The `n` months that end `skip` months before the last.
    fn window(&self, n: usize, skip: usize) -> &[InvoiceMonth] {
        let end = self.months.len().saturating_sub(skip);
        &self.months[end.saturating_sub(n)..end]
    }

    /// The values of the measures after the first; not a number where a firm has none.
    fn measures(&self) -> [f64; MEASURES.len() - 1] {
        let amount =
            |months: &[InvoiceMonth], side: Side| -> f64 { months.iter().map(|m| side(m).amount.yuan()).sum() };
        let total = |figure: fn(&InvoiceSide) -> u32| -> f64 {
            self.window(24, 0).iter().map(|m| f64::from(figure(&m.sales))).sum()
        };
        let year = amount(self.window(12, 0), sales);
        let before = amount(self.window(12, 12), sales);
        let long = self.months.len() >= 24;
        let active = |side: Side, n: usize| self.window(n, 0).iter().filter(|m| side(m).count > 0).count() as f64;
        let all = self.months.len();
        [
            year,
            if long && before > 0.0 { year / before - 1.0 } else { f64::NAN },
            if year > 0.0 { amount(self.window(12, 0), purchases) / year } else { f64::NAN },
            all as f64,
            active(sales, 24),
            1.0 - active(sales, all) / all as f64,
            self.silence(sales),
            active(purchases, 24),
            variation(self.window(24, 0)),
            total(|s| s.void_count) / (total(|s| s.void_count) + total(|s| s.count)).max(1.0),
            total(|s| s.red_count) / total(|s| s.count).max(1.0),
            self.mean(sales, all, |s| f64::from(s.count)),
            self.mean(purchases, all, |s| f64::from(s.count)),
            self.mean(sales, all, |s| f64::from(s.counterparties)),
            self.mean(purchases, all, |s| f64::from(s.counterparties)),
            self.mean(sales, 24, |s| s.top_share),
            self.mean(purchases, 24, |s| s.top_share),
            self.silence(purchases),
        ]
    }

    /// The mean over those of the last `n` months that have valid invoices.
    fn mean(&self, side: Side, n: usize, figure: fn(&InvoiceSide) -> f64) -> f64 {
        let values: Vec<f64> = self.window(n, 0).iter().map(side).filter(|s| s.count > 0).map(figure).collect();
        values.iter().sum::<f64>() / values.len() as f64
    }

    fn silence(&self, side: Side) -> f64 {
        self.months.iter().rev().take_while(|m| side(m).count == 0).count() as f64
    }
}

/// One direction of a month's invoices.
type Side = fn(&InvoiceMonth) -> &InvoiceSide;

fn sales(month: &InvoiceMonth) -> &InvoiceSide {
    &month.sales
}

fn purchases(month: &InvoiceMonth) -> &InvoiceSide {
    &month.purchases
}

/// Standard deviation over mean of the months' sales.
fn variation(months: &[InvoiceMonth]) -> f64 {
    let n = months.len() as f64;
    let mean = months.iter().map(|m| m.sales.amount.yuan()).sum::<f64>() / n;
    let variance = months.iter().map(|m| (m.sales.amount.yuan() - mean).powi(2)).sum::<f64>() / n;
    if mean > 0.0 { variance.sqrt() / mean } else { f64::NAN }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Fen;
    use jiff::civil::date;

    #[test]
    fn months_without_a_row_count_as_months_without_sales() {
        let since = Month::new(2026, 1).unwrap();
        let sold = |month, yuan| InvoiceMonth {
            month,
            sales: InvoiceSide { count: 2, amount: Fen::from_yuan(yuan), ..InvoiceSide::default() },
            purchases: InvoiceSide::default(),
        };
        let invoices = [sold(since, 300), sold(since.plus(3), 100)];
        let course = Course::new(&invoices, since, Month::of(date(2026, 6, 30)));
        let measures = course.measures();
        assert_eq!(measures[0], 400.0, "sales of 12 months");
        assert_eq!(measures[3], 6.0, "months of history");
        assert_eq!(measures[5], 1.0 - 2.0 / 6.0, "share of months without sales");
        assert_eq!(measures[6], 2.0, "months since the last sale");
        assert!(measures[1].is_nan(), "six months do not make two years");
    }

    #[test]
    fn figures_are_readable() {
        assert_eq!(figure(6_138_412.0), "6,138,000");
        assert_eq!(figure(-0.345), "-0.34");
        assert_eq!(figure(0.0089), "0.009");
    }
}
