//! A dossier as it stood at the scoring date, cut into windows of whole months.

use jiff::civil::Date;

use crate::domain::evidence::{
    Dossier, Filing, InvoiceMonth, InvoiceSide, PaymentHistoryRecord, SocialInsuranceRecord, TaxKind, TaxRecord,
};
use crate::domain::{Fen, Month};

/// What extraction sees: each source's record, where there is one, with the last day and month that count.
pub struct View<'d> {
    /// The tax record.
    pub tax: Option<Part<'d, TaxRecord>>,
    /// The social insurance record.
    pub insurance: Option<Part<'d, SocialInsuranceRecord>>,
    /// The payment history.
    pub payments: Option<Part<'d, PaymentHistoryRecord>>,
}

/// One source's record and where its windows end.
pub struct Part<'d, R> {
    /// The record.
    pub record: &'d R,
    /// The last day that counts: the earlier of the source's as-of date and the scoring date.
    pub until: Date,
    /// The last month complete on that day.
    pub last: Month,
}

impl<'d> View<'d> {
    /// The view of `dossier` at the date `on`.
    pub fn new(dossier: &'d Dossier, on: Date) -> View<'d> {
        View {
            tax: dossier.tax.record.as_ref().map(|r| Part::new(r, r.as_of, on)),
            insurance: dossier.social_insurance.record.as_ref().map(|r| Part::new(r, r.as_of, on)),
            payments: dossier.payment_history.record.as_ref().map(|r| Part::new(r, r.as_of, on)),
        }
    }

    /// The invoice months, where the tax department shares them.
    pub fn invoices(&self) -> Option<Invoices<'d>> {
        let part = self.tax.as_ref()?;
        let all = part.record.invoices.as_deref()?;
        let rows = &all[..all.partition_point(|row| row.month <= part.last)];
        let since = part.record.invoices_since.or_else(|| rows.first().map(|row| row.month));
        Some(Invoices { rows, last: part.last, since: since.filter(|month| *month <= part.last) })
    }

    /// VAT returns of the last `months` months.
    pub fn vat_filings(&self, months: i32) -> Option<impl Iterator<Item = &'d Filing>> {
        let part = self.tax.as_ref()?;
        let window = window(part.last, months);
        let filings = part.record.filings.as_deref()?;
        Some(filings.iter().filter(move |f| f.tax == TaxKind::Vat && window.contains(&f.month)))
    }

    /// Revenue of the last 12 months: invoiced, net of red invoices; declared with VAT returns where the department shares no
    /// invoices. `None` when it shares neither.
    pub fn revenue_12m(&self) -> Option<Fen> {
        if let Some(invoices) = self.invoices() {
            return Some(invoices.sum(12, |row| row.sales.amount));
        }
        let mut filings = self.vat_filings(12)?.peekable();
        filings.peek()?;
        Some(filings.map(|f| f.declared_revenue).sum())
    }

    /// Revenue declared with VAT returns of the last 12 months; `None` when no returns are shared.
    pub fn declared_revenue_12m(&self) -> Option<Fen> {
        let mut filings = self.vat_filings(12)?.peekable();
        filings.peek()?;
        Some(filings.map(|f| f.declared_revenue).sum())
    }
}

impl<'d, R> Part<'d, R> {
    fn new(record: &'d R, as_of: Date, on: Date) -> Part<'d, R> {
        let until = as_of.min(on);
        Part { record, until, last: Month::last_complete_on(until) }
    }
}

/// The `months` months that end with `last`.
pub fn window(last: Month, months: i32) -> std::ops::RangeInclusive<Month> {
    last.minus(months - 1)..=last
}

/// Invoice months up to the last complete one. A month from `since` on without a row had no invoice.
pub struct Invoices<'d> {
    /// Rows, ascending.
    pub rows: &'d [InvoiceMonth],
    /// The last month that counts.
    pub last: Month,
    /// The first month that the data cover; `None` when nothing was ever invoiced and the department names no beginning.
    pub since: Option<Month>,
}

impl<'d> Invoices<'d> {
    /// Rows of the `months` months that end `back` months before the last one.
    pub fn rows_in(&self, months: i32, back: i32) -> impl Iterator<Item = &'d InvoiceMonth> + Clone + use<'d> {
        let window = window(self.last.minus(back), months);
        self.rows.iter().filter(move |row| window.contains(&row.month))
    }

    /// A sum over the last `months` months.
    pub fn sum(&self, months: i32, of: impl Fn(&InvoiceMonth) -> Fen) -> Fen {
        self.rows_in(months, 0).map(of).sum()
    }

    /// A count over the last `months` months.
    pub fn count(&self, months: i32, of: impl Fn(&InvoiceMonth) -> u32) -> f64 {
        self.rows_in(months, 0).map(|row| f64::from(of(row))).sum()
    }

    /// How many months the data cover.
    pub fn covered_months(&self) -> Option<i32> {
        self.since.map(|since| self.last.since(since) + 1)
    }

    /// The sales amount of each of the last `months` months, oldest first, 0 for a covered month without invoices; `None`
    /// when the data cover fewer months.
    pub fn monthly_sales(&self, months: i32) -> Option<Vec<f64>> {
        if self.covered_months()? < months {
            return None;
        }
        let mut amounts = vec![0.0; months as usize];
        let first = self.last.minus(months - 1);
        for row in self.rows_in(months, 0) {
            amounts[row.month.since(first) as usize] = row.sales.amount.yuan();
        }
        Some(amounts)
    }

    /// How much the last `months` months differ from the same months a year before, divided by those; `None` when the data
    /// do not reach back or nothing was invoiced then.
    pub fn change_on_year(&self, months: i32) -> Option<f64> {
        if self.covered_months()? < months + 12 {
            return None;
        }
        let now = self.sum(months, |row| row.sales.amount).yuan();
        let before = self.rows_in(months, 12).map(|row| row.sales.amount).sum::<Fen>().yuan();
        (before > 0.0).then(|| now / before - 1.0)
    }

    /// The largest counterparty's share of a month's amount, averaged over the last 12 months with amounts as weights.
    pub fn top_share(&self, side: impl Fn(&InvoiceMonth) -> InvoiceSide) -> Option<f64> {
        let (mut weighted, mut total) = (0.0, 0.0);
        for row in self.rows_in(12, 0) {
            let side = side(row);
            let amount = side.amount.yuan();
            if amount > 0.0 {
                weighted += side.top_share * amount;
                total += amount;
            }
        }
        (total > 0.0).then(|| weighted / total)
    }

    /// Average counterparties in the months of the last 12 that had any.
    pub fn counterparties(&self, side: impl Fn(&InvoiceMonth) -> InvoiceSide) -> f64 {
        let counts: Vec<f64> =
            self.rows_in(12, 0).map(|row| f64::from(side(row).counterparties)).filter(|n| *n > 0.0).collect();
        if counts.is_empty() { 0.0 } else { counts.iter().sum::<f64>() / counts.len() as f64 }
    }
}
