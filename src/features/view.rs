//! A dossier as it stood at the scoring date, cut into windows of whole months.

use jiff::civil::Date;

use crate::domain::evidence::{
    Dossier, Filing, InvoiceMonth, InvoiceSide, PaymentHistoryRecord, SocialInsuranceRecord, TaxKind, TaxRecord,
};
use crate::domain::{Fen, Month, SourceKind};

/// Returns that lag further behind say nothing of this year: a quarterly one is due in the month after its quarter.
const RETURNS_LAG_MAX: i32 = 3;

/// What extraction sees: each source's record, where there is one, with the last day and month that count.
pub struct View<'d> {
    /// The scoring date: adverse facts that were repaired or have expired by then count no more, however old the evidence is.
    pub on: Date,
    /// The tax record.
    pub tax: Option<Part<'d, TaxRecord>>,
    /// The social insurance record.
    pub insurance: Option<Part<'d, SocialInsuranceRecord>>,
    /// The payment history.
    pub payments: Option<Part<'d, PaymentHistoryRecord>>,
    dossier: &'d Dossier,
}

/// One source's record and where its windows end.
pub struct Part<'d, R> {
    /// The record.
    pub record: &'d R,
    /// The last day that counts: the earlier of the source's as-of date and the scoring date.
    pub until: Date,
    /// The last month complete on that day.
    pub last: Month,
    source: SourceKind,
    dossier: &'d Dossier,
    on: Date,
}

impl<'d> View<'d> {
    /// The view of `dossier` at the date `on`.
    pub fn new(dossier: &'d Dossier, on: Date) -> View<'d> {
        let [tax, social, payments] = SourceKind::ALL;
        View {
            on,
            tax: dossier.tax.record.as_ref().map(|r| Part::new(r, r.as_of, (tax, dossier, on))),
            insurance: dossier.social_insurance.record.as_ref().map(|r| Part::new(r, r.as_of, (social, dossier, on))),
            payments: dossier.payment_history.record.as_ref().map(|r| Part::new(r, r.as_of, (payments, dossier, on))),
            dossier,
        }
    }

    /// Whether the office has found the firm right about a feature, so that nothing may be made of it.
    pub fn sets_aside(&self, source: SourceKind, feature: &str) -> bool {
        self.dossier.sets_aside(source, feature)
    }

    /// The invoice months, where the tax department shares them.
    pub fn invoices(&self) -> Option<Invoices<'d>> {
        let part = self.tax.as_ref()?;
        let all = part.record.invoices.as_deref()?;
        let rows = &all[..all.partition_point(|row| row.month <= part.last)];
        // Where the data begin only after the last month that counts, or nobody knows where, "no rows" says nothing.
        let since = part.record.invoices_since.or_else(|| rows.first().map(|row| row.month))?;
        let registered = part.record.registered_on.map(Month::of);
        let older_than_data = registered.is_some_and(|month| month < since);
        (since <= part.last).then_some(Invoices { rows, last: part.last, since, older_than_data })
    }

    /// Returns of the last `months` months; `None` when none are shared or none fall into the window.
    pub fn filings(&self, months: i32) -> Option<Vec<&'d Filing>> {
        let part = self.tax.as_ref()?;
        let window = window(part.last, months);
        let filings: Vec<_> = part.record.filings.as_deref()?.iter().filter(|f| window.contains(&f.month)).collect();
        (!filings.is_empty()).then_some(filings)
    }

    /// VAT returns of the last `months` months that were filed by the last day that counts; `None` when there are none.
    pub fn vat_filed(&self, months: i32) -> Option<Vec<&'d Filing>> {
        let until = self.tax.as_ref()?.until;
        let mut filings = self.filings(months)?;
        filings.retain(|f| f.tax == TaxKind::Vat && f.filed_on.is_some_and(|day| day <= until));
        (!filings.is_empty()).then_some(filings)
    }

    /// Revenue of the last 12 months: invoiced, net of red invoices; declared with VAT returns where the department shares no
    /// invoices. `None` when it shares neither.
    pub fn revenue_12m(&self) -> Option<Fen> {
        match self.invoices_of(12) {
            Some(invoices) => Some(invoices.sum(12, |row| row.sales.amount)),
            None => self.declared_revenue_12m(),
        }
    }

    /// Revenue of the last 12 months as a size class and a limit take it: declared; where no returns are shared, invoiced. `None`
    /// too where the firm was found right about its revenue.
    pub fn declared_or_invoiced_revenue_12m(&self) -> Option<Fen> {
        if self.sets_aside(SourceKind::Tax, "tax_revenue") {
            return None;
        }
        self.declared_revenue_12m().or_else(|| self.revenue_12m())
    }

    /// The invoice months, where they are known for the whole of the last `months` months.
    pub fn invoices_of(&self, months: i32) -> Option<Invoices<'d>> {
        self.invoices().filter(|invoices| invoices.know(months))
    }

    /// By how many months the VAT returns that were due lag behind the last month that counts: a month's return is due in the month
    /// after, so on most days the last complete month has none yet. `None` where none was due within [`RETURNS_LAG_MAX`] months.
    fn returns_lag(&self) -> Option<i32> {
        let part = self.tax.as_ref()?;
        let due = part.record.filings.as_deref()?.iter().filter(|f| f.tax == TaxKind::Vat && f.due_on <= part.until);
        let last = due.map(|f| f.month).filter(|month| *month <= part.last).max()?;
        Some(part.last.since(last)).filter(|lag| *lag <= RETURNS_LAG_MAX)
    }

    /// Revenue declared with VAT returns, where returns that were filed cover each of the 12 months that end with the last one for
    /// which a return was due: twelve monthly ones or four quarterly ones. Anything less cannot be set beside a figure of
    /// twelve months.
    pub fn declared_revenue_whole_12m(&self) -> Option<Fen> {
        let part = self.tax.as_ref()?;
        let months = window(part.last.minus(self.returns_lag()?), 12);
        let filed = |f: &&Filing| f.tax == TaxKind::Vat && f.filed_on.is_some_and(|day| day <= part.until);
        let all = part.record.filings.as_deref()?.iter();
        let filed: Vec<&Filing> = all.filter(filed).filter(|f| months.contains(&f.month)).collect();
        let months = filed.iter().map(|f| f.month).collect::<std::collections::BTreeSet<Month>>();
        let quarterly = months.len() == 4 && months.iter().all(|month| month.month() % 3 == 0);
        (months.len() == 12 || quarterly).then(|| filed.iter().map(|f| f.declared_revenue).sum())
    }

    /// Revenue invoiced, net of red invoices, in the same 12 months that [`View::declared_revenue_whole_12m`] covers; in the last 12
    /// where no return says which. `None` where invoices are not known for the whole of them.
    pub fn invoiced_revenue_beside_declared_12m(&self) -> Option<Fen> {
        let lag = self.returns_lag().unwrap_or(0);
        let invoices = self.invoices_of(12 + lag)?;
        Some(invoices.rows_in(12, lag).map(|row| row.sales.amount).sum())
    }

    /// Revenue declared with VAT returns of the last 12 months; `None` when no return was filed or none are shared.
    pub fn declared_revenue_12m(&self) -> Option<Fen> {
        Some(self.vat_filed(12)?.iter().map(|f| f.declared_revenue).sum())
    }
}

impl<'d, R> Part<'d, R> {
    fn new(record: &'d R, as_of: Date, of: (SourceKind, &'d Dossier, Date)) -> Part<'d, R> {
        let (source, dossier, on) = of;
        let until = as_of.min(on);
        Part { record, until, last: Month::last_complete_on(until), source, dossier, on }
    }

    /// The same as far as this part of the record is known: where another department filled it, up to that department's date.
    pub fn of(&self, part: &str) -> Part<'d, R> {
        let as_of = self.dossier.filled_as_of(self.source, part).unwrap_or(self.until);
        Part::new(self.record, as_of, (self.source, self.dossier, self.on))
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
    /// The first month that the data cover.
    pub since: Month,
    /// Whether the firm was registered before the data begin: then months before are unknown, not empty.
    pub older_than_data: bool,
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
    pub fn covered_months(&self) -> i32 {
        self.last.since(self.since) + 1
    }

    /// Whether a window of the last `months` months is known whole: the data cover it, or the firm is younger than it.
    pub fn know(&self, months: i32) -> bool {
        self.covered_months() >= months || !self.older_than_data
    }

    /// The sales amount of each of the last `months` months, oldest first, 0 for a covered month without invoices; `None`
    /// when the data cover fewer months.
    pub fn monthly_sales(&self, months: i32) -> Option<Vec<f64>> {
        if self.covered_months() < months {
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
        if self.covered_months() < months + 12 {
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
