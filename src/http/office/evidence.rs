//! The evidence of a case: per source how it stands, what it says, what is missing, and its charts.

use jiff::civil::Date;

use super::chart::{Chart, Drawing, Series, Shape, draw};
use super::disputes::place_text;
use std::collections::BTreeMap;

use crate::domain::DecisionRecord;
use crate::domain::evidence::{
    EvidenceLine, Filing, PaymentHistoryRecord, SocialInsuranceRecord, TaxKind, TaxRecord, TaxpayerStatus,
};
use crate::domain::{Dossier, EvidenceStatus, Fen, Month, SourceKind};
use crate::http::words::{self, Words, figures};

/// Months on a chart.
const CHART_MONTHS: i32 = 24;

/// One source on the case page.
pub struct SourceView {
    /// Its name.
    pub name: String,
    /// How it stands, in words.
    pub status: String,
    /// How it stands, as a class of the stylesheet.
    pub class: &'static str,
    /// The date that the data are as of.
    pub as_of: Option<String>,
    /// When the department answered.
    pub fetched: Option<String>,
    /// What is missing, or what that means.
    pub remarks: Vec<String>,
    /// What went wrong, in the words of the log.
    pub detail: Option<String>,
    /// Single facts.
    pub facts: Vec<Fact>,
    /// Charts by month.
    pub charts: Vec<Drawing>,
}

/// A single fact.
pub struct Fact {
    /// What.
    pub name: String,
    /// Its value.
    pub value: String,
    /// Whether it speaks against the firm.
    pub bad: bool,
}

/// Collects what a record says, and the names of the parts that it leaves out.
struct Told<'r> {
    words: Words,
    /// The features as they were scored: what is counted beside the evidence is what the score saw.
    features: &'r BTreeMap<String, Option<f64>>,
    facts: Vec<Fact>,
    missing: Vec<String>,
    charts: Vec<Drawing>,
}

impl<'r> Told<'r> {
    fn new(words: Words, features: &'r BTreeMap<String, Option<f64>>) -> Told<'r> {
        Told { words, features, facts: Vec::new(), missing: Vec::new(), charts: Vec::new() }
    }

    /// Notes the fact `key`, or that it is missing.
    fn fact(&mut self, key: &str, value: Option<String>) {
        self.judged(key, value.map(|value| (value, false)));
    }

    /// Notes the fact `key` and whether it speaks against the firm, or that it is missing.
    fn judged(&mut self, key: &str, value: Option<(String, bool)>) {
        match value {
            Some((value, bad)) => self.facts.push(Fact { name: self.words.t(key), value, bad }),
            None => self.missing.push(self.words.t(key)),
        }
    }

    /// Notes how often the feature `feature` counted something that speaks against the firm.
    fn counted(&mut self, key: &str, feature: &str) {
        let count = self.features.get(feature).copied().flatten();
        let times = |count: f64| self.words.with("fact-times", &[("count", count.into())]);
        self.judged(key, count.map(|count| (times(count), count > 0.0)));
    }

    fn money(&self, amount: Fen) -> String {
        figures::money_rounded(amount, self.words.0)
    }

    fn chart(&mut self, title: &str, unit: &str, shape: Shape, months: &[Month], series: Vec<Series>) {
        let (title, unit) = (self.words.t(title), self.words.t(unit));
        let chart = Chart { title, unit, shape, months: months.to_vec(), series };
        self.charts.push(draw(&chart, self.words));
    }
}

/// The sources of a decision's dossier, in their usual order.
pub fn sources(record: &DecisionRecord, words: Words) -> Vec<SourceView> {
    sources_of(&record.grounds.dossier, &record.grounds.features, words)
}

fn sources_of(dossier: &Dossier, features: &BTreeMap<String, Option<f64>>, words: Words) -> Vec<SourceView> {
    dossier
        .all_lines()
        .into_iter()
        .map(|line| {
            let mut told = Told::new(words, features);
            match line.source {
                SourceKind::Tax => dossier.tax.record.iter().for_each(|r| tell_tax(r, &mut told)),
                SourceKind::SocialInsurance => {
                    dossier.social_insurance.record.iter().for_each(|r| tell_social_insurance(r, &mut told));
                }
                SourceKind::PaymentHistory => {
                    dossier.payment_history.record.iter().for_each(|r| tell_payment_history(r, dossier, &mut told));
                }
                // What they say is told with the record that it is part of.
                SourceKind::Registry | SourceKind::Court | SourceKind::Utilities => {}
            }
            view(line, told)
        })
        .collect()
}

fn view(line: EvidenceLine, told: Told<'_>) -> SourceView {
    let words = told.words;
    let mut remarks = Vec::new();
    match line.status {
        EvidenceStatus::Absent => remarks.push(words.t("evidence-gone-absent")),
        EvidenceStatus::Unavailable => remarks.push(words.t("evidence-gone-unavailable")),
        EvidenceStatus::Invalid => remarks.push(words.t("evidence-gone-invalid")),
        EvidenceStatus::NotCovered => remarks.push(words.t("evidence-gone-not-covered")),
        EvidenceStatus::Stale => remarks.push(words.t("evidence-stale")),
        EvidenceStatus::Fresh | EvidenceStatus::Cached => {}
    }
    if !line.set_aside.is_empty() {
        let parts = line.set_aside.iter().map(|place| place_text(place, words)).collect::<Vec<_>>();
        remarks.push(words.with("evidence-left-out", &[("parts", parts.join(&words.t("separator")).into())]));
    }
    if !told.missing.is_empty() {
        let parts = told.missing.join(&words.t("separator"));
        remarks.push(words.with("evidence-missing-parts", &[("parts", parts.into())]));
    } else if !told.facts.is_empty() {
        remarks.push(words.t("evidence-complete"));
    }
    SourceView {
        name: words::source_name(words.0, line.source),
        status: words.t(&format!("evidence-status-{}", line.status.as_str())),
        class: line.status.as_str(),
        as_of: line.as_of.map(|on| words.with("evidence-as-of", &[("date", figures::date(on).into())])),
        fetched: line.fetched_at.map(|at| words.with("evidence-fetched", &[("at", figures::instant(at).into())])),
        remarks,
        detail: line.detail,
        facts: told.facts,
        charts: told.charts,
    }
}

/// The last months that are complete on `as_of`.
fn months_until(as_of: Date) -> Vec<Month> {
    let last = Month::last_complete_on(as_of);
    (0..CHART_MONTHS).rev().map(|n| last.minus(n)).collect()
}

/// `value` of each month, where there is one.
fn by_month(months: &[Month], value: impl Fn(Month) -> Option<f64>) -> Vec<Option<f64>> {
    months.iter().map(|month| value(*month)).collect()
}

fn tell_tax(record: &TaxRecord, told: &mut Told<'_>) {
    let words = told.words;
    let status = record.status.map(|status| match status {
        TaxpayerStatus::Normal => (words.t("taxpayer-normal"), false),
        TaxpayerStatus::Abnormal => (words.t("taxpayer-abnormal"), true),
        TaxpayerStatus::Deregistered => (words.t("taxpayer-deregistered"), true),
    });
    told.judged("fact-taxpayer-status", status);
    told.fact("fact-industry", record.industry.clone());
    told.fact("fact-registered", record.registered_on.map(figures::date));
    told.fact("fact-declared-heads", record.declared_heads.map(|heads| heads.to_string()));
    told.fact("fact-total-assets", record.total_assets.map(|assets| told.money(assets)));
    let rating = record.rating.map(|rating| match rating {
        None => words.t("fact-rating-none"),
        Some(rating) => {
            let (grade, year) = (format!("{:?}", rating.grade), rating.year.to_string());
            words.with("fact-rating-value", &[("grade", grade.into()), ("year", year.into())])
        }
    });
    told.fact("fact-rating", rating);
    let arrears = record.arrears.map(|arrears| match (arrears.amount, arrears.since) {
        (Fen::ZERO, _) => (words.t("none"), false),
        (amount, None) => (told.money(amount), true),
        (amount, Some(since)) => {
            let args = [("amount", told.money(amount).into()), ("date", figures::date(since).into())];
            (words.with("fact-arrears-since", &args), true)
        }
    });
    told.judged("fact-tax-arrears", arrears);
    let months = months_until(record.as_of);
    match &record.filings {
        None => told.missing.push(words.t("fact-filings")),
        Some(_) => told.counted("fact-late-filings", "tax_late_filings"),
    }
    chart_invoices(record, &months, told);
    if let Some(filings) = &record.filings {
        let values = by_month(&months, |month| declared_revenue(filings, month, words));
        let series = vec![Series { name: words.t("chart-revenue"), values }];
        told.chart("chart-revenue", "unit-money-axis", Shape::Bars, &months, series);
    }
}

/// The revenue in the VAT returns filed for `month`, in units of the axis; `None` where none was filed.
fn declared_revenue(filings: &[Filing], month: Month, words: Words) -> Option<f64> {
    let filed = |f: &&Filing| f.tax == TaxKind::Vat && f.month == month && f.filed_on.is_some();
    let mut found = filings.iter().filter(filed).peekable();
    found.peek()?;
    Some(found.map(|f| f.declared_revenue).sum::<Fen>().0 as f64 / figures::axis_unit(words.0))
}

fn chart_invoices(record: &TaxRecord, months: &[Month], told: &mut Told<'_>) {
    let words = told.words;
    let Some(invoices) = &record.invoices else {
        told.missing.push(words.t("fact-invoices"));
        return;
    };
    // Within the department's coverage a month without a row had no invoice: a true zero.
    let since = record.invoices_since.or_else(|| invoices.first().map(|row| row.month));
    let covered = |month: Month| since.is_some_and(|since| month >= since);
    let amount = |month: Month, sales: bool| {
        let row = invoices.iter().find(|row| row.month == month);
        let fen = row.map(|row| if sales { row.sales.amount } else { row.purchases.amount });
        fen.or(covered(month).then_some(Fen::ZERO)).map(|fen| fen.0 as f64 / figures::axis_unit(words.0))
    };
    let series = vec![
        Series { name: words.t("chart-sales"), values: by_month(months, |m| amount(m, true)) },
        Series { name: words.t("chart-purchases"), values: by_month(months, |m| amount(m, false)) },
    ];
    told.chart("chart-invoices", "unit-money-axis", Shape::Bars, months, series);
}

fn tell_social_insurance(record: &SocialInsuranceRecord, told: &mut Told<'_>) {
    let words = told.words;
    let latest = record.months.last().map(|row| format!("{} ({})", row.heads, row.month));
    told.fact("fact-insured-heads", latest);
    let arrears = record.arrears.map(|arrears| match (arrears.months, arrears.amount) {
        (0, Fen::ZERO) => (words.t("none"), false),
        (months, amount) => {
            let args = [("amount", told.money(amount).into()), ("months", months.into())];
            (words.with("fact-insurance-arrears-value", &args), true)
        }
    });
    told.judged("fact-insurance-arrears", arrears);
    told.fact("fact-minimum-base", record.minimum_base.map(|base| told.money(base)));
    let months = months_until(record.as_of);
    let heads = |month| record.months.iter().find(|row| row.month == month).map(|row| f64::from(row.heads));
    let series = vec![Series { name: words.t("chart-heads"), values: by_month(&months, heads) }];
    told.chart("chart-heads", "chart-heads-axis", Shape::Line, &months, series);
}

fn tell_payment_history(record: &PaymentHistoryRecord, dossier: &Dossier, told: &mut Told<'_>) {
    let words = told.words;
    let known = |part| dossier.filled_as_of(SourceKind::PaymentHistory, part).unwrap_or(record.as_of);
    let (wages_until, courts_until) = (known("wage_arrears"), known("enforcements"));
    let months = months_until(record.as_of);
    match &record.bills {
        None => told.missing.push(words.t("fact-bills")),
        Some(_) => told.counted("fact-late-bills", "pay_late_bills"),
    }
    let loans = record.loans.as_deref().map(|loans| match loans.last() {
        None => words.t("fact-never-borrowed"),
        Some(loan) => format!("{} / {}", told.money(loan.balance), told.money(loan.line)),
    });
    let name = if loans.is_some() { "fact-loan-balance" } else { "fact-loans" };
    told.fact(name, loans);
    let delay = record.supplier_delays.as_deref().map(|delays| match delays.last() {
        None => words.t("none"),
        Some(delay) => words.with("fact-days", &[("days", figures::number(delay.days, 1).into())]),
    });
    told.fact("fact-supplier-delays", delay);
    let wages = record.wage_arrears.as_deref().map(|found| {
        open_items(found.iter().filter(|w| w.repaired_on.is_none_or(|on| on > wages_until)).map(|w| w.amount), told)
    });
    told.judged("fact-wage-arrears", wages);
    let enforcements = record.enforcements.as_deref().map(|found| {
        open_items(found.iter().filter(|e| e.closed_on.is_none_or(|on| on > courts_until)).map(|e| e.amount), told)
    });
    told.judged("fact-enforcements", enforcements);
    chart_payments(record, (&months, &months_until(known("bills"))), told);
}

/// Loans by the months of the record; bills by those of whoever supplied them.
fn chart_payments(record: &PaymentHistoryRecord, (months, billed): (&[Month], &[Month]), told: &mut Told<'_>) {
    let words = told.words;
    if let Some(bills) = &record.bills {
        let kwh = |month| bills.iter().find(|bill| bill.month == month).map(|bill| bill.kwh as f64);
        let series = vec![Series { name: words.t("chart-kwh"), values: by_month(billed, kwh) }];
        told.chart("chart-kwh", "chart-kwh-axis", Shape::Line, billed, series);
    }
    if let Some(loans) = record.loans.as_ref().filter(|loans| !loans.is_empty()) {
        let days = |month| loans.iter().find(|l| l.month == month).map(|l| f64::from(l.days_past_due));
        let series = vec![Series { name: words.t("chart-days-past-due"), values: by_month(months, days) }];
        told.chart("chart-days-past-due", "chart-days-past-due-axis", Shape::Bars, months, series);
    }
}

/// How many things are open, and their amount together.
fn open_items(amounts: impl Iterator<Item = Fen>, told: &Told<'_>) -> (String, bool) {
    let amounts: Vec<Fen> = amounts.collect();
    if amounts.is_empty() {
        return (told.words.t("none"), false);
    }
    let (count, sum) = (amounts.len(), amounts.into_iter().sum());
    (told.words.with("fact-count-amount", &[("count", count.into()), ("amount", told.money(sum).into())]), true)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::evidence::Evidence;
    use crate::domain::{Language, Uscc};

    fn dossier(social_insurance: Evidence<SocialInsuranceRecord>) -> Dossier {
        let uscc: Uscc = "91330604MA2XY0014W".parse().unwrap();
        Dossier {
            uscc,
            tax: Evidence::missing(EvidenceStatus::Unavailable, "no answer within 800 ms"),
            social_insurance,
            payment_history: Evidence::missing(EvidenceStatus::Absent, "404"),
            others: vec![],
            set_aside: vec![],
        }
    }

    #[test]
    fn a_source_without_a_record_says_so_and_shows_no_fact_and_no_chart() {
        let views = sources_of(
            &dossier(Evidence::missing(EvidenceStatus::Invalid, "garbage")),
            &BTreeMap::new(),
            Words(Language::En),
        );
        assert_eq!(views.iter().map(|v| v.class).collect::<Vec<_>>(), ["unavailable", "invalid", "absent"]);
        for view in views {
            assert!(view.facts.is_empty() && view.charts.is_empty());
            assert_eq!(view.remarks.len(), 1);
            assert!(view.remarks[0].contains("missing"), "{:?}", view.remarks);
        }
    }

    #[test]
    fn a_part_that_is_not_shared_is_named_as_missing_and_never_told_as_none() {
        let record = SocialInsuranceRecord {
            as_of: "2026-10-31".parse().unwrap(),
            months: Vec::new(),
            arrears: None,
            minimum_base: Some(Fen::from_yuan(4812)),
        };
        let evidence = Evidence { record: Some(record), ..Evidence::missing(EvidenceStatus::Fresh, "") };
        let view = sources_of(&dossier(evidence), &BTreeMap::new(), Words(Language::En)).remove(1);
        assert!(view.remarks[0].contains("Contribution arrears"), "{:?}", view.remarks);
        assert!(view.facts.iter().all(|fact| fact.name != "Contribution arrears"));
        assert!(view.charts[0].empty);
    }

    #[test]
    fn a_return_that_was_not_filed_declared_nothing_which_is_not_zero() {
        let filing = |month: &str, due: &str, filed: Option<&str>| Filing {
            month: month.parse().unwrap(),
            tax: TaxKind::Vat,
            declared_revenue: Fen(100),
            due: Fen(0),
            paid: Fen(0),
            due_on: due.parse().unwrap(),
            filed_on: filed.map(|on| on.parse().unwrap()),
        };
        let filings = [
            filing("2024-01", "2024-02-15", None),
            filing("2026-07", "2026-08-15", Some("2026-08-15")),
            filing("2026-08", "2026-09-15", Some("2026-09-16")),
            filing("2026-09", "2026-10-15", None),
            filing("2026-10", "2026-11-15", None),
        ];
        let words = Words(Language::En);
        assert_eq!(declared_revenue(&filings, "2026-09".parse().unwrap(), words), None, "not filed, not zero");
        assert_eq!(declared_revenue(&filings, "2026-08".parse().unwrap(), words), Some(0.001));
    }
}
