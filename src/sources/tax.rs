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
        if let Some(rating) = &self.rating {
            let years = RATING_YEAR_MIN..=bounds.as_of().year();
            require(years.contains(&rating.year), "lies before 2003 or after as_of").at("year").within("rating")?;
        }
        if let Some(arrears) = &self.arrears {
            bounds::amount_owned(arrears.amount).at("amount_fen").within("arrears")?;
            bounds.happened(arrears.since).at("since").within("arrears")?;
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
        || rating.is_some()
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
    let Some(since) = record.invoices_since else { return Ok(()) };
    let first = record.invoices.as_deref().and_then(|invoices| invoices.first());
    bounds
        .month(since)
        .and(require(first.is_none_or(|first| since <= first.month), "lies after the first month of invoices"))
        .at("invoices_since")
}
