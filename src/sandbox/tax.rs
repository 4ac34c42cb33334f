//! What the tax department knows of a firm, and what it shares.

use jiff::civil::Date;

use crate::domain::evidence::{
    Filing, InvoiceMonth, TaxArrears, TaxKind, TaxRating, TaxRatingGrade, TaxRecord, TaxpayerStatus,
};
use crate::domain::{Fen, Month};

use super::business::vat_rate;
use super::dice::{Aspect, Dice, logistic};
use super::industries::Form;
use super::life::{Life, after, yuan};

/// Income tax over revenue: 5 % of a margin of 7 %, the rate of small firms with little profit.
const INCOME_TAX_SHARE: f64 = 0.05 * 0.07;
/// Returns of this many months are shared.
const FILING_MONTHS: usize = 36;

/// The tax department's record; `None` when it does not know the firm.
pub(super) fn record(life: &Life, name: &str) -> Option<TaxRecord> {
    let dice = &mut life.dice(Aspect::Tax);
    if dice.chance(0.03) {
        return None;
    }
    let (filings, arrears) = filings(life, dice);
    let quiet = life.trades.iter().rev().take_while(|t| t.sales.count == 0).count();
    let abnormal = dice.chance(if life.stopped() && quiet >= 4 { 0.2 } else { 0.001 });
    let deregistered = dice.chance(0.0005);
    let status = match (abnormal, deregistered) {
        (true, _) => TaxpayerStatus::Abnormal,
        (false, true) => TaxpayerStatus::Deregistered,
        (false, false) => TaxpayerStatus::Normal,
    };
    let invoices = invoices(life);
    let shares_invoices = !dice.chance(0.02) && !invoices.is_empty();
    let rating = rating(life, dice);
    Some(TaxRecord {
        as_of: life.as_of,
        name: dice.shared(0.01, name.to_owned()),
        status: dice.shared(0.01, status),
        industry: dice.shared(0.02, life.traits.industry.code.to_owned()),
        registered_on: dice.shared(0.02, life.registered_on()),
        declared_heads: declared_heads(life, dice),
        total_assets: {
            let assets = life.normal_revenue() * dice.between(0.35, 1.5);
            dice.shared(0.20, yuan(assets))
        },
        rating: Some(rating),
        filings: dice.shared(0.03, filings),
        arrears: dice.shared(0.04, arrears),
        invoices: shares_invoices.then_some(invoices),
        invoices_since: shares_invoices.then(|| life.first_month()),
    })
}

/// The months with any invoice that have come in.
fn invoices(life: &Life) -> Vec<InvoiceMonth> {
    let known = Month::last_complete_on(life.as_of).minus(life.traits.invoice_lag);
    life.months()
        .map(|(_, trade, _)| trade)
        .filter(|t| t.month <= known)
        .filter(|t| t.sales.count + t.sales.void_count + t.purchases.count + t.purchases.void_count > 0)
        .map(|t| InvoiceMonth { month: t.month, sales: t.sales, purchases: t.purchases })
        .collect()
}

/// Persons employed as declared. One firm in fifty declares several times what it insures.
fn declared_heads(life: &Life, dice: &mut Dice) -> Option<u32> {
    let heads = life.heads.last().copied().unwrap_or(0);
    let contradicts = dice.chance(0.02);
    let factor = dice.between(2.5, 4.5);
    let declared = if contradicts { ((f64::from(heads) + 3.0) * factor).round() as u32 } else { heads };
    dice.shared(0.05, declared)
}

/// The rating of the last year that has been rated; results come out at the end of April.
fn rating(life: &Life, dice: &mut Dice) -> Option<TaxRating> {
    let t = &life.traits;
    let points = 80.0 + 7.0 * t.discipline + 4.0 * t.liquidity + 5.0 * dice.normal();
    let unrated = dice.chance(0.04);
    if unrated || t.form == Form::Household {
        return None;
    }
    let year = life.as_of.year() - if life.as_of.month() >= 5 { 1 } else { 2 };
    let earned = life.trades.iter().filter(|s| s.month.year() == year).any(|s| s.sales.amount > Fen::ZERO);
    let founded = life.registered_on().year();
    let grade = match points {
        _ if founded >= year || !earned => TaxRatingGrade::M,
        90.0.. => TaxRatingGrade::A,
        70.0.. => TaxRatingGrade::B,
        60.0.. => TaxRatingGrade::C,
        _ => TaxRatingGrade::D,
    };
    (founded <= year).then_some(TaxRating { grade, year })
}

/// Monthly returns of value-added tax and quarterly ones of income tax that were due by the date, and what is owed on them.
fn filings(life: &Life, dice: &mut Dice) -> (Vec<Filing>, TaxArrears) {
    let t = &life.traits;
    let owing_since =
        dice.chance(logistic(-2.9 - 1.4 * life.liquidity() - 0.4 * t.discipline)).then(|| dice.whole(1, 9));
    let paid_share = dice.between(0.0, 0.7);
    let skip = life.stages.len().saturating_sub(FILING_MONTHS);
    let first = life.stages[skip].month;
    let end = Month::last_complete_on(life.as_of);
    let (mut filings, mut quarter) = (Vec::new(), 0.0);
    for (stage, trade, _) in life.months().filter(|(s, ..)| s.month >= first) {
        let m = stage.month;
        let sold = trade.sales.amount.yuan();
        let unseen = t.industry.uninvoiced / (1.0 - t.industry.uninvoiced) * sold.max(0.0);
        let revenue = (sold + unseen).max(0.0);
        quarter += revenue;
        let rate = vat_rate(m, t.industry.vat, t.general_taxpayer);
        let credit = if t.general_taxpayer { 0.9 * trade.purchases.tax.yuan().max(0.0) } else { 0.0 };
        let vat = (revenue * rate - credit).max(0.06 * revenue * rate);
        let behind = owing_since.is_some_and(|since| end.since(m) < since);
        let paid_share = if behind { paid_share } else { 1.0 };
        let period = Period { month: m, open: stage.open, paid_share };
        filings.extend(period.filing(life, dice, TaxKind::Vat, revenue, vat));
        if m.month() % 3 == 0 {
            filings.extend(period.filing(life, dice, TaxKind::IncomeTax, quarter, INCOME_TAX_SHARE * quarter));
            quarter = 0.0;
        }
    }
    let owed = filings.iter().filter(|f| f.paid < f.due);
    let since = owed.clone().map(|f| f.due_on).min();
    (
        filings.clone(),
        TaxArrears {
            amount: owed.map(|f| f.due - f.paid).sum(),
            since,
            severity: None,
            ended_on: None,
            repaired_on: None,
            display_end: None,
        },
    )
}

/// The last month of a period that is to be filed for.
struct Period {
    month: Month,
    /// The firm still trades.
    open: bool,
    /// What it pays of what is due.
    paid_share: f64,
}

impl Period {
    /// The return of one tax, if it was due by the date.
    fn filing(&self, life: &Life, dice: &mut Dice, tax: TaxKind, revenue: f64, due: f64) -> Option<Filing> {
        let due_on = due_on(self.month);
        let t = &life.traits;
        let closing = if self.open { 0.0 } else { 2.5 };
        let careless = dice.chance(logistic(-3.6 - 1.4 * t.discipline - 0.3 * t.liquidity + closing));
        let days = if careless { dice.whole(1, 45) } else { -dice.whole(0, 12) };
        let never = dice.chance(match (self.open, careless) {
            (true, false) => 0.0,
            (true, true) => 0.06,
            (false, _) => 0.35,
        });
        if due_on > life.as_of {
            return None;
        }
        let filed_on = Some(after(due_on, days)).filter(|on| !never && *on <= life.as_of);
        let (due, filed) = (yuan(due), filed_on.is_some());
        let paid = match self.paid_share {
            _ if !filed => Fen::ZERO,
            share if share < 1.0 => due.share(share),
            _ => due,
        };
        let declared_revenue = if filed { yuan(revenue) } else { Fen::ZERO };
        Some(Filing { month: self.month, tax, declared_revenue, due, paid, due_on, filed_on })
    }
}

/// The 15th of the next month; holidays are left out of account.
fn due_on(month: Month) -> Date {
    after(month.plus(1).first_day(), 14)
}
