//! The records of a reserved firm, made from a profile: plain months, each like the others, without any chance.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::domain::evidence::{
    ContributionArrears, ContributionMonth, Enforcement, Filing, InvoiceMonth, InvoiceSide, LoanMonth,
    PaymentHistoryRecord, SocialInsuranceRecord, SupplierDelay, TaxArrears, TaxKind, TaxRating, TaxRatingGrade,
    TaxRecord, TaxpayerStatus, UtilityBill,
};
use crate::domain::{Fen, Month};

/// The minimum contribution base of a person and month, as in the district.
const MINIMUM_BASE: Fen = Fen::from_yuan(4_800);
/// What a firm of metal goods pays in value-added tax, over its revenue.
const VAT_SHARE: f64 = 0.03;

/// What a reserved firm is like.
#[derive(Debug, Clone, Copy)]
pub(super) struct Profile {
    /// Whole months since it was registered; the records go back as far, and 36 months at most.
    pub(super) months: i32,
    /// Sales of a month with sales, in yuan.
    pub(super) sales_yuan: i64,
    /// It sells in one of so many months.
    pub(super) sells_every_months: i32,
    /// Latest months without any sale.
    pub(super) silent_months: i32,
    /// Sales invoices of a month with sales.
    pub(super) invoices: u32,
    /// Void ones beside them.
    pub(super) voids: u32,
    pub(super) buyers: u32,
    pub(super) suppliers: u32,
    /// Latest returns that came ten days late.
    pub(super) late_returns: i32,
    pub(super) rating: TaxRatingGrade,
    /// Persons employed and insured.
    pub(super) heads: u32,
    /// Latest months for which contributions are owed.
    pub(super) owed_months: i32,
    /// Contribution base over the minimum.
    pub(super) base_ratio: f64,
    /// Latest electricity bills that were paid three weeks late.
    pub(super) late_bills: i32,
    /// Electricity of the last six months over that before.
    pub(super) kwh_ratio: f64,
    /// Used part of the credit lines.
    pub(super) utilisation: f64,
    /// Days past due of the loans, in the latest month.
    pub(super) days_past_due: u32,
    /// Days by which suppliers are paid late; negative is early.
    pub(super) supplier_days: f64,
}

/// Nothing against it.
pub(super) const SOUND: Profile = Profile {
    months: 96,
    sales_yuan: 800_000,
    sells_every_months: 1,
    silent_months: 0,
    invoices: 40,
    voids: 1,
    buyers: 16,
    suppliers: 30,
    late_returns: 0,
    rating: TaxRatingGrade::A,
    heads: 30,
    owed_months: 0,
    base_ratio: 1.5,
    late_bills: 0,
    kwh_ratio: 1.0,
    utilisation: 0.3,
    days_past_due: 0,
    supplier_days: -2.0,
};

/// A few things late, a few customers: good enough to be approved, if everything about it is known.
pub(super) const FAIR: Profile = Profile {
    sales_yuan: 150_000,
    invoices: 8,
    buyers: 2,
    suppliers: 3,
    late_returns: 5,
    rating: TaxRatingGrade::B,
    heads: 6,
    owed_months: 1,
    late_bills: 3,
    utilisation: 0.83,
    days_past_due: 5,
    supplier_days: 15.0,
    ..SOUND
};

/// Somewhat worse.
pub(super) const MIDDLING: Profile =
    Profile { buyers: 1, rating: TaxRatingGrade::C, heads: 4, owed_months: 2, late_bills: 5, ..FAIR };

/// Much against it, though none of it knocks it out.
pub(super) const WEAK: Profile = Profile {
    sales_yuan: 40_000,
    sells_every_months: 3,
    silent_months: 3,
    invoices: 2,
    voids: 1,
    buyers: 1,
    suppliers: 1,
    late_returns: 12,
    rating: TaxRatingGrade::D,
    heads: 2,
    owed_months: 6,
    base_ratio: 1.0,
    late_bills: 8,
    kwh_ratio: 0.4,
    utilisation: 0.95,
    days_past_due: 60,
    supplier_days: 30.0,
    ..SOUND
};

/// What the three departments have on a firm.
#[derive(Debug, Clone)]
pub(in crate::sandbox) struct Firm {
    pub(in crate::sandbox) tax: TaxRecord,
    pub(in crate::sandbox) social_insurance: SocialInsuranceRecord,
    pub(in crate::sandbox) payment_history: PaymentHistoryRecord,
}

impl Profile {
    /// The firm, each department's record as of its own date.
    pub(super) fn firm(&self, name: &str, [tax, social_insurance, payment_history]: [Date; 3]) -> Firm {
        Firm {
            tax: self.tax(name, tax),
            social_insurance: self.social_insurance(social_insurance),
            payment_history: self.payment_history(payment_history),
        }
    }

    /// The months of the records, oldest first, each with how many months it lies before the latest.
    fn covered(&self, as_of: Date) -> impl Iterator<Item = (i32, Month)> + use<> {
        let end = Month::last_complete_on(as_of);
        (0..self.months.min(36)).rev().map(move |back| (back, end.minus(back)))
    }

    fn sold(&self, back: i32) -> Fen {
        let sells = back >= self.silent_months && back % self.sells_every_months == 0;
        if sells { Fen::from_yuan(self.sales_yuan) } else { Fen::ZERO }
    }

    fn tax(&self, name: &str, as_of: Date) -> TaxRecord {
        let filings: Vec<Filing> =
            self.covered(as_of).filter_map(|(back, month)| self.filing(back, month, as_of)).collect();
        let invoices = self.covered(as_of).filter(|(back, _)| self.sold(*back) > Fen::ZERO);
        let first = self.covered(as_of).next().map(|(_, month)| month);
        let end = Month::last_complete_on(as_of);
        // Results of a year come out at the end of the next April.
        let year = as_of.year() - if as_of.month() >= 5 { 1 } else { 2 };
        let registered = end.minus(self.months - 1).first_day();
        TaxRecord {
            as_of,
            name: Some(name.to_owned()),
            status: Some(TaxpayerStatus::Normal),
            industry: Some("C33".to_owned()),
            registered_on: Some(registered),
            declared_heads: Some(self.heads),
            total_assets: Some(Fen::from_yuan(self.sales_yuan.saturating_mul(8))),
            rating: Some((registered.year() <= year).then_some(TaxRating { grade: self.rating, year })),
            filings: Some(filings),
            arrears: Some(TaxArrears {
                amount: Fen::ZERO,
                since: None,
                severity: None,
                ended_on: None,
                repaired_on: None,
                display_end: None,
            }),
            invoices: Some(invoices.map(|(back, month)| self.invoices(back, month)).collect()),
            invoices_since: first,
        }
    }

    fn filing(&self, back: i32, month: Month, as_of: Date) -> Option<Filing> {
        let due_on = month.plus(1).first_day().saturating_add(14.days());
        // The latest month's return is not due yet.
        let late = (1..=self.late_returns).contains(&back);
        let filed_on = due_on.saturating_add(if late { 10.days() } else { (-3).days() });
        let revenue = self.sold(back);
        let due = revenue.share(VAT_SHARE);
        let filing = Filing {
            month,
            tax: TaxKind::Vat,
            declared_revenue: revenue,
            due,
            paid: due,
            due_on,
            filed_on: Some(filed_on),
        };
        (due_on <= as_of && filed_on <= as_of).then_some(filing)
    }

    fn invoices(&self, back: i32, month: Month) -> InvoiceMonth {
        let side = |count: u32, amount: Fen, counterparties: u32| InvoiceSide {
            count,
            amount,
            tax: amount.share(0.13),
            counterparties,
            // The largest counterparty weighs twice as much as another.
            top_share: 2.0 / f64::from(counterparties + 1),
            ..InvoiceSide::default()
        };
        let sold = self.sold(back);
        let sales = InvoiceSide { void_count: self.voids, ..side(self.invoices, sold, self.buyers) };
        InvoiceMonth { month, sales, purchases: side(self.suppliers + 5, sold.share(0.6), self.suppliers) }
    }

    fn social_insurance(&self, as_of: Date) -> SocialInsuranceRecord {
        let base = Fen(MINIMUM_BASE.0 * i64::from(self.heads)).share(self.base_ratio);
        let due = base.share(0.26);
        let months = self.covered(as_of).map(|(back, month)| {
            let paid = if back < self.owed_months { Fen::ZERO } else { due };
            ContributionMonth { month, heads: self.heads, base, due, paid }
        });
        let owed = self.owed_months.min(self.months);
        let arrears = ContributionArrears {
            months: owed.unsigned_abs(),
            amount: Fen(due.0 * i64::from(owed)),
            severity: None,
            ended_on: None,
            repaired_on: None,
            display_end: None,
        };
        SocialInsuranceRecord {
            as_of,
            months: months.collect(),
            arrears: Some(arrears),
            minimum_base: Some(MINIMUM_BASE),
        }
    }

    fn payment_history(&self, as_of: Date) -> PaymentHistoryRecord {
        let bills = self.covered(as_of).filter_map(|(back, month)| self.bill(back, month, as_of));
        let line = Fen::from_yuan(self.sales_yuan.saturating_mul(3));
        let loans = self.covered(as_of).map(|(back, month)| LoanMonth {
            month,
            balance: line.share(self.utilisation),
            line,
            days_past_due: if back == 0 { self.days_past_due } else { 0 },
            severity: None,
            ended_on: None,
            repaired_on: None,
            display_end: None,
        });
        let delays = self.covered(as_of).map(|(_, month)| SupplierDelay { month, days: self.supplier_days });
        PaymentHistoryRecord {
            as_of,
            bills: Some(bills.collect()),
            loans: Some(loans.collect()),
            supplier_delays: Some(delays.collect()),
            wage_arrears: Some(Vec::new()),
            enforcements: Some(Vec::new()),
        }
    }

    fn bill(&self, back: i32, month: Month, as_of: Date) -> Option<UtilityBill> {
        let due_on = month.plus(1).first_day().saturating_add(19.days());
        let late = (2..2 + self.late_bills).contains(&back);
        let paid_on = due_on.saturating_add(if late { 21.days() } else { (-5).days() });
        let normal = self.sales_yuan as f64 * 0.03;
        let kwh = (if back < 6 { normal * self.kwh_ratio } else { normal }).round().max(1.0);
        let amount = Fen((kwh * 72.0) as i64);
        (paid_on <= as_of && due_on <= as_of).then_some(UtilityBill {
            month,
            kwh: kwh as u64,
            amount,
            due_on,
            paid_on: Some(paid_on),
        })
    }
}

impl Firm {
    /// A court enforces against the firm, since so many days before the payment history's date; `change` has the last word on it.
    pub(super) fn enforce(&mut self, days: i32, change: impl FnOnce(&mut Enforcement)) {
        let opened_on = self.payment_history.as_of.saturating_sub(days.days());
        let mut enforcement = Enforcement {
            opened_on,
            closed_on: None,
            amount: Fen::from_yuan(230_000),
            severity: None,
            repaired_on: None,
            display_end: None,
        };
        change(&mut enforcement);
        self.payment_history.enforcements.get_or_insert_default().push(enforcement);
    }
}
