//! The district is a function of its seed, its records keep their own rules, and its labels follow its truth.

use std::collections::HashSet;

use jiff::civil::{Date, date};
use yuxin::domain::evidence::{InvoiceSide, PaymentHistoryRecord, SocialInsuranceRecord, TaxKind, TaxRecord};
use yuxin::domain::{Fen, Month, Uscc, UsccVerdict};
use yuxin::sandbox::{DEFAULT_FIRMS, DEFAULT_SEED, District, SyntheticFirm};

const AS_OF: Date = date(2026, 10, 31);

fn district(firms: u32) -> District {
    District::new(DEFAULT_SEED, firms, AS_OF)
}

fn json(firm: &SyntheticFirm) -> String {
    serde_json::to_string(&(&firm.uscc, &firm.name, &firm.tax, &firm.social_insurance, &firm.payment_history)).unwrap()
}

#[test]
fn the_same_seed_gives_the_same_firms_and_another_seed_others() {
    let (again, other) = (district(40), District::new(DEFAULT_SEED + 1, 40, AS_OF));
    for (index, firm) in district(40).iter().enumerate() {
        let index = index as u32;
        assert_eq!(json(&firm), json(&again.firm(index)));
        assert_eq!((firm.true_pd, firm.defaulted), (again.firm(index).true_pd, again.firm(index).defaulted));
        assert_ne!(json(&firm), json(&other.firm(index)));
    }
}

#[test]
fn a_larger_district_keeps_the_firms_of_a_smaller_one() {
    assert_eq!(json(&district(10).firm(7)), json(&district(1_000_000).firm(7)));
}

#[test]
fn every_firm_is_found_by_its_code_and_no_code_stands_for_two() {
    let district = district(3_000);
    let mut seen = HashSet::new();
    let mut suspect = 0;
    for index in 0..district.len() {
        let (uscc, name) = district.label(index);
        let parsed: Uscc = uscc.as_str().parse().unwrap();
        suspect += usize::from(parsed.verdict() == UsccVerdict::Suspect);
        assert!(seen.insert(uscc.clone()), "{uscc} twice");
        if index % 10 == 0 {
            let found = district.find(&uscc).unwrap();
            assert_eq!((found.uscc, found.name), (uscc, name));
        }
    }
    assert_eq!(suspect, 3, "one code in 997 is suspect");
    assert!(
        seen.iter().any(|code| code.as_str().starts_with("92"))
            && seen.iter().any(|code| code.as_str().starts_with("93"))
    );
}

#[test]
fn a_code_that_is_not_the_districts_is_not_found() {
    let small = district(10);
    assert!(small.find(&"91330604MA2XY0014W".parse().unwrap()).is_none());
    assert!(small.find(&district(20).label(15).0).is_none(), "beyond the last firm");
    let own = small.label(3).0;
    let other_class: Uscc = Uscc::with_checks("95330604", &own.as_str()[8..16]).unwrap();
    assert!(small.find(&other_class).is_none(), "the same organisation code with another class");
}

#[test]
fn records_keep_their_own_rules() {
    for firm in district(1_500).iter() {
        if let Some(tax) = &firm.tax {
            check_tax(tax);
        }
        if let Some(social) = &firm.social_insurance {
            check_social(social);
        }
        if let Some(payments) = &firm.payment_history {
            check_payments(payments);
        }
        assert!(firm.true_pd > 0.0 && firm.true_pd < 1.0);
    }
}

fn ascending(months: impl Iterator<Item = Month>, strictly: bool) {
    let months: Vec<Month> = months.collect();
    assert!(months.windows(2).all(|w| if strictly { w[0] < w[1] } else { w[0] <= w[1] }), "{months:?}");
    assert!(months.last().is_none_or(|last| *last <= Month::of(AS_OF)));
}

fn check_tax(tax: &TaxRecord) {
    assert_eq!(tax.as_of, AS_OF);
    assert!(tax.registered_on.is_none_or(|on| on <= AS_OF));
    assert!(tax.total_assets.is_none_or(|assets| assets > Fen::ZERO));
    assert!(tax.rating.is_some_and(|rating| rating.is_none_or(|rating| rating.year == 2025)));
    assert_eq!(tax.invoices.is_some(), tax.invoices_since.is_some());
    let invoices = tax.invoices.as_deref().unwrap_or_default();
    ascending(invoices.iter().map(|i| i.month), true);
    assert!(tax.invoices_since <= invoices.first().map(|i| i.month));
    for month in invoices {
        check_side(&month.sales);
        check_side(&month.purchases);
    }
    let filings = tax.filings.as_deref().unwrap_or_default();
    ascending(filings.iter().map(|f| f.month), false);
    let mut owed = Fen::ZERO;
    for filing in filings {
        assert!(filing.due_on > filing.month.last_day() && filing.due_on <= AS_OF);
        assert!(filing.filed_on.is_none_or(|on| on <= AS_OF && on > filing.month.last_day()), "{filing:?}");
        assert!(filing.paid >= Fen::ZERO && filing.paid <= filing.due && filing.declared_revenue >= Fen::ZERO);
        assert!(filing.tax == TaxKind::Vat || filing.month.month() % 3 == 0);
        owed = owed + (filing.due - filing.paid);
    }
    if let (Some(arrears), Some(_)) = (tax.arrears, &tax.filings) {
        assert_eq!(arrears.amount, owed, "arrears are what the returns leave unpaid");
        assert_eq!(arrears.since.is_some(), arrears.amount > Fen::ZERO);
    }
}

fn check_side(side: &InvoiceSide) {
    assert!((0.0..=1.0).contains(&side.top_share), "{side:?}");
    assert_eq!(side.top_share > 0.0, side.count > 0);
    assert!(side.red_amount <= Fen::ZERO && side.red_count < side.count.max(1), "{side:?}");
    assert!(side.counterparties <= side.count && (side.counterparties > 0) == (side.count > 0));
}

fn check_social(social: &SocialInsuranceRecord) {
    assert_eq!(social.as_of, AS_OF);
    assert!(!social.months.is_empty(), "a firm at which nobody was ever insured is not known");
    assert!(social.months.windows(2).all(|pair| pair[1].month == pair[0].month.plus(1)), "months follow each other");
    ascending(social.months.iter().map(|m| m.month), true);
    for month in &social.months {
        // A row of zeros stands for a month that was not reported.
        let zeros = month.heads == 0 && (month.base, month.due, month.paid) == (Fen::ZERO, Fen::ZERO, Fen::ZERO);
        assert!(zeros || month.heads > 0 && month.paid <= month.due && month.due < month.base, "{month:?}");
    }
    if let Some(arrears) = social.arrears {
        let owed: Vec<_> = social.months.iter().filter(|m| m.paid < m.due).collect();
        assert_eq!(arrears.months as usize, owed.len());
        assert_eq!(arrears.amount, owed.iter().map(|m| m.due - m.paid).sum());
    }
}

fn check_payments(payments: &PaymentHistoryRecord) {
    assert_eq!(payments.as_of, AS_OF);
    let bills = payments.bills.as_deref().unwrap_or_default();
    ascending(bills.iter().map(|b| b.month), true);
    assert!(
        bills.iter().all(|b| b.due_on <= AS_OF && b.paid_on.is_none_or(|on| on <= AS_OF && on >= b.month.first_day()))
    );
    let loans = payments.loans.as_deref().unwrap_or_default();
    ascending(loans.iter().map(|l| l.month), true);
    assert!(
        loans.iter().all(|l| l.balance <= l.line && l.days_past_due < 90),
        "a firm 90 days past due has defaulted already"
    );
    ascending(payments.supplier_delays.iter().flatten().map(|d| d.month), true);
    for enforcement in payments.enforcements.iter().flatten() {
        assert!(enforcement.opened_on <= AS_OF && enforcement.amount > Fen::ZERO);
        assert!(enforcement.closed_on.is_none_or(|on| on >= enforcement.opened_on && on <= AS_OF));
    }
    for finding in payments.wage_arrears.iter().flatten() {
        assert!(
            finding.found_on <= AS_OF && finding.repaired_on.is_none_or(|on| on >= finding.found_on && on <= AS_OF)
        );
    }
}

#[test]
fn labels_come_at_the_rate_of_the_truth_and_more_often_to_riskier_firms() {
    let firms: Vec<(f64, bool)> = district(DEFAULT_FIRMS).iter().map(|f| (f.true_pd, f.defaulted)).collect();
    let n = firms.len() as f64;
    let mean = firms.iter().map(|f| f.0).sum::<f64>() / n;
    let variance = firms.iter().map(|f| f.0 * (1.0 - f.0)).sum::<f64>() / n;
    let rate = firms.iter().filter(|f| f.1).count() as f64 / n;
    assert!((rate - mean).abs() < 3.5 * (variance / n).sqrt(), "{rate} against {mean}");
    assert!((0.07..=0.09).contains(&mean), "the base rate is about 8 %, not {mean}");
    let (risky, sound): (Vec<_>, Vec<_>) = firms.iter().partition(|f| f.0 > mean);
    let bad = |group: &[&(f64, bool)]| group.iter().filter(|f| f.1).count() as f64 / group.len() as f64;
    let (risky, sound) = (bad(&risky.iter().collect::<Vec<_>>()), bad(&sound.iter().collect::<Vec<_>>()));
    assert!(risky > 5.0 * sound, "{risky} against {sound}");
}

#[test]
fn rare_things_are_rare_but_there() {
    let firms: Vec<SyntheticFirm> = district(3_000).iter().collect();
    let share =
        |holds: &dyn Fn(&SyntheticFirm) -> bool| firms.iter().filter(|f| holds(f)).count() as f64 / firms.len() as f64;
    let between = |what: &str, low: f64, high: f64, holds: &dyn Fn(&SyntheticFirm) -> bool| {
        let share = share(holds);
        assert!((low..=high).contains(&share), "{what}: {share}");
    };
    between("unknown to the tax department", 0.02, 0.05, &|f| f.tax.is_none());
    between("unknown to social insurance", 0.03, 0.08, &|f| f.social_insurance.is_none());
    between("unknown to the payment history", 0.03, 0.06, &|f| f.payment_history.is_none());
    between("open enforcement", 0.004, 0.02, &|f| {
        f.payment_history.iter().flat_map(|p| p.enforcements.iter().flatten()).any(|e| e.closed_on.is_none())
    });
    between("abnormal taxpayer", 0.001, 0.02, &|f| {
        f.tax.as_ref().is_some_and(|t| t.status == Some(yuxin::domain::evidence::TaxpayerStatus::Abnormal))
    });
    between("contradictory head counts", 0.008, 0.04, &|f| {
        let insured = f.social_insurance.as_ref().and_then(|s| s.months.last()).map(|m| f64::from(m.heads));
        let declared = f.tax.as_ref().and_then(|t| t.declared_heads).map(f64::from);
        matches!((insured, declared), (Some(i), Some(d)) if d > 2.0 * i + 3.0)
    });
    between("less than a year of invoices", 0.005, 0.06, &|f| {
        f.tax.as_ref().and_then(|t| t.invoices_since).is_some_and(|since| Month::of(AS_OF).since(since) < 12)
    });
}
