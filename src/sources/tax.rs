//! What is possible in a tax department's record.

use jiff::civil::Date;

use super::bounds::{self, Bounds, Located, Within, require};
use super::reply::{Breach, Record};
use crate::domain::evidence::{Filing, InvoiceMonth, InvoiceSide, TaxKind, TaxRecord};
use crate::domain::{Month, SourceKind};

/// The longest name of a firm, in characters.
const NAME_CHARS_MAX: usize = 200;
/// The longest industry code, in characters.
const INDUSTRY_CHARS_MAX: usize = 16;
/// The first year for which firms were rated.
const RATING_YEAR_MIN: i16 = 2003;

impl Record for TaxRecord {
    const SOURCE: SourceKind = SourceKind::Tax;

    fn as_of(&self) -> Date {
        self.as_of
    }

    fn check(&self, bounds: &Bounds) -> Result<(), Breach> {
        says_something(self)?;
        bounds::text(self.name.as_deref(), NAME_CHARS_MAX).at("name")?;
        bounds::text(self.industry.as_deref(), INDUSTRY_CHARS_MAX).at("industry")?;
        bounds.happened(self.registered_on).at("registered_on")?;
        self.declared_heads.map_or(Ok(()), bounds::count).at("declared_heads")?;
        self.total_assets.map_or(Ok(()), bounds::amount_owned).at("total_assets_fen")?;
        if let Some(Some(rating)) = &self.rating {
            let years = RATING_YEAR_MIN..=bounds.as_of().year();
            require(years.contains(&rating.year), "lies before 2003 or after as_of").at("year").within("rating")?;
        }
        if let Some(arrears) = &self.arrears {
            bounds::amount_owned(arrears.amount).at("amount_fen").within("arrears")?;
            bounds.happened(arrears.since).at("since").within("arrears")?;
            bounds.life(&arrears.life(), arrears.since).within("arrears")?;
        }
        filings(self.filings.as_deref().unwrap_or_default(), bounds).within("filings")?;
        invoices(self.invoices.as_deref().unwrap_or_default(), bounds).within("invoices")?;
        invoices_since(self, bounds)
    }
}

/// A reply in which nothing is known to us is a changed interface, not a firm of which nothing is known.
fn says_something(record: &TaxRecord) -> Result<(), Breach> {
    let TaxRecord {
        as_of: _,
        name: _,
        status,
        industry,
        registered_on,
        declared_heads,
        total_assets,
        rating,
        filings,
        arrears,
        invoices,
        invoices_since: _,
    } = record;
    let something = status.is_some()
        || industry.is_some()
        || registered_on.is_some()
        || declared_heads.is_some()
        || total_assets.is_some()
        || rating.flatten().is_some()
        || filings.is_some()
        || arrears.is_some()
        || invoices.is_some();
    if something { Ok(()) } else { Err(Breach::at("", "shares nothing of a tax record")) }
}

/// Ascending by month; one return for each month and tax.
fn filings(filings: &[Filing], bounds: &Bounds) -> Result<(), Breach> {
    let mut before: Option<Month> = None;
    let mut taxes: Vec<TaxKind> = Vec::new();
    for (row, filing) in filings.iter().enumerate() {
        if before != Some(filing.month) {
            taxes.clear();
        }
        bounds
            .month(filing.month)
            .and(require(before.is_none_or(|before| before <= filing.month), "lies before that of the row before"))
            .and(require(!taxes.contains(&filing.tax), "has two returns for the same tax"))
            .at("month")
            .within(row)?;
        self::filing(filing, bounds).within(row)?;
        before = Some(filing.month);
        taxes.push(filing.tax);
    }
    Ok(())
}

fn filing(filing: &Filing, bounds: &Bounds) -> Result<(), Breach> {
    bounds::amount(filing.declared_revenue).at("declared_revenue_fen")?;
    bounds::amount(filing.due).at("due_fen")?;
    bounds::amount_owned(filing.paid).at("paid_fen")?;
    bounds.due(filing.due_on).at("due_on")?;
    bounds.happened(filing.filed_on).at("filed_on")
}

fn invoices(invoices: &[InvoiceMonth], bounds: &Bounds) -> Result<(), Breach> {
    bounds.ascending(invoices.iter().map(|invoices| invoices.month))?;
    for (row, month) in invoices.iter().enumerate() {
        side(&month.sales).within("sales").within(row)?;
        side(&month.purchases).within("purchases").within(row)?;
    }
    Ok(())
}

fn side(side: &InvoiceSide) -> Result<(), Breach> {
    bounds::count(side.count).at("count")?;
    bounds::amount(side.amount).at("amount_fen")?;
    bounds::amount(side.tax).at("tax_fen")?;
    bounds::count(side.counterparties).at("counterparties")?;
    bounds::count(side.void_count).at("void_count")?;
    require(side.red_count <= side.count, "is more than count").at("red_count")?;
    bounds::amount(side.red_amount).and(require(side.red_amount.0 <= 0, "is positive")).at("red_amount_fen")?;
    bounds::share(side.top_share).at("top_share")
}

/// Months without a row are months without an invoice only from here on: rows before it would contradict.
fn invoices_since(record: &TaxRecord, bounds: &Bounds) -> Result<(), Breach> {
    let first = record.invoices.as_deref().and_then(|invoices| invoices.first());
    let Some(since) = record.invoices_since else {
        // No invoice, and nobody says since when: that is not a firm that sold nothing.
        return require(
            record.invoices.is_none() || first.is_some(),
            "is not there, and invoices has no month that could say it",
        )
        .at("invoices_since");
    };
    bounds
        .month(since)
        .and(require(first.is_none_or(|first| since <= first.month), "lies after the first month of invoices"))
        .at("invoices_since")
}

#[cfg(test)]
mod tests {
    use super::super::samples::{TAX, breach_of, refused, with};
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_tax_record_with_one_impossible_value_is_refused_and_the_value_named() {
        refused::<TaxRecord>(
            TAX,
            &[
                ("/as_of", "2026-11-17".into(), "future"),
                ("/as_of", "0001-01-01".into(), "before 1900"),
                ("/as_of", "-009999-01-01".into(), "before 1900"),
                ("/as_of", "31.10.2026".into(), "a date is"),
                ("/as_of", Value::Null, "wrong kind"),
                ("/name", "x".repeat(201).into(), "too long"),
                ("/name", "a\u{7}b".into(), "control"),
                ("/status", "张三".into(), "expected one of `normal`"),
                ("/registered_on", "2026-11-01".into(), "after as_of"),
                ("/declared_heads", 10_000_001.into(), "10^7"),
                ("/declared_heads", (-1).into(), "expected u32"),
                ("/declared_heads", "张三".into(), "expected u32"),
                ("/total_assets_fen", (-1).into(), "negative"),
                ("/total_assets_fen", 1.5.into(), "expected i64"),
                ("/rating/year", 2027.into(), "after as_of"),
                ("/rating/grade", "E".into(), "expected one of"),
                ("/filings/1/month", "2026-07".into(), "before that of the row before"),
                ("/filings/1/month", "2026-11".into(), "after as_of"),
                ("/filings/1/month", "1976-01".into(), "600 months"),
                ("/filings/1/month", "2026-13".into(), "a month YYYY-MM"),
                ("/filings/1/declared_revenue_fen", 1_000_000_000_000_001i64.into(), "10^15"),
                ("/filings/1/declared_revenue_fen", i64::MIN.into(), "10^15"),
                ("/filings/1/due_fen", (-1_000_000_000_000_001i64).into(), "10^15"),
                ("/filings/1/paid_fen", (-1).into(), "negative"),
                ("/filings/1/due_on", "2046-11-01".into(), "20 years"),
                ("/filings/1/filed_on", "2026-11-01".into(), "after as_of"),
                ("/arrears/amount_fen", (-1).into(), "negative"),
                ("/arrears/since", "2026-11-01".into(), "after as_of"),
                ("/invoices/1/month", "2026-09".into(), "not later"),
                ("/invoices/0/sales/count", 10_000_001.into(), "10^7"),
                ("/invoices/0/sales/amount_fen", i64::MAX.into(), "10^15"),
                ("/invoices/0/sales/tax_fen", i64::MIN.into(), "10^15"),
                ("/invoices/0/sales/counterparties", 10_000_001.into(), "10^7"),
                ("/invoices/0/sales/void_count", 10_000_001.into(), "10^7"),
                ("/invoices/0/sales/red_count", 74.into(), "more than count"),
                ("/invoices/0/sales/red_amount_fen", 1.into(), "positive"),
                ("/invoices/0/purchases/red_amount_fen", i64::MIN.into(), "10^15"),
                ("/invoices/0/purchases/top_share", 1.001.into(), "between 0 and 1"),
                ("/invoices/0/purchases/top_share", (-0.001).into(), "between 0 and 1"),
                ("/invoices_since", "2026-10".into(), "after the first month"),
            ],
        );
        let mut none = with(TAX, "/invoices", &Value::Array(Vec::new()));
        none.as_object_mut().unwrap().remove("invoices_since");
        let none = breach_of::<TaxRecord>(&none);
        assert!(none.contains("/invoices_since is not there"), "{none}");
        let twice = breach_of::<TaxRecord>(&with(TAX, "/filings/2/tax", &"vat".into()));
        assert!(twice.contains("/filings/2/month has two returns"), "{twice}");
    }
}
