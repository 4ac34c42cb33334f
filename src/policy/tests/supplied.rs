//! Parts that other departments supply or contradict, and facts that are set aside.

use super::*;
use crate::domain::DisputedFact;

/// An enforcement against the sound firm, in a main record that ends before the day of the decision.
fn enforced(opened_on: Date, closed_on: Option<Date>) -> Dossier {
    let one =
        Enforcement { opened_on, closed_on, amount: Fen(1), severity: None, repaired_on: None, display_end: None };
    let mut dossier = sound();
    let payments = &mut dossier.payment_history;
    payments.as_of = Some(date(2026, 9, 10));
    let record = payments.record.as_mut().unwrap();
    (record.as_of, record.enforcements) = (date(2026, 9, 10), Some(vec![one]));
    dossier
}

#[test]
fn an_enforcement_that_a_court_supplied_is_judged_on_the_courts_date() {
    let by_court = |dossier: Dossier, as_of| {
        let filled = vec!["enforcements".to_owned()];
        Dossier { others: vec![EvidenceLine { filled, ..court(EvidenceStatus::Fresh, as_of) }], ..dossier }
    };
    let outcome = |dossier: &Dossier| rule(dossier, "A", None, 1_000_000).outcome;
    let opened = enforced(date(2026, 10, 5), None);
    assert_eq!(outcome(&opened), Outcome::Approve, "a main department does not know of its own future");
    assert_eq!(outcome(&by_court(opened, ON)), Outcome::Decline);
    let closed = || enforced(date(2026, 1, 5), Some(date(2026, 10, 5)));
    assert_eq!(rule(&closed(), "A", None, 1_000_000).knock_outs.len(), 1);
    assert_eq!(outcome(&by_court(closed(), ON)), Outcome::Approve);
    // The main department's record is 51 days old, and has no part in it; a court's that old is asked again first.
    let open = || enforced(date(2026, 1, 5), None);
    assert_eq!(codes(&rule(&open(), "A", None, 1_000_000)), ["RECHECK_BEFORE_DECLINE"]);
    assert_eq!(outcome(&by_court(open(), ON)), Outcome::Decline);
    let old = rule(&by_court(open(), date(2026, 9, 1)), "A", None, 1_000_000);
    assert_eq!(codes(&old), ["RECHECK_BEFORE_DECLINE"]);
    assert_eq!(old.refer_reasons[0].figures["as_of"], "2026-09-01");
}

/// The dossier in which the office has found the firm right about these facts.
fn upheld(mut dossier: Dossier, facts: &[DisputedFact]) -> Dossier {
    let aside = |fact: &DisputedFact| SetAside { dispute: crate::domain::DisputeId(Uuid::nil()), fact: fact.clone() };
    dossier.set_aside = facts.iter().map(aside).collect();
    dossier.used().into_owned()
}

fn feature(source: SourceKind, name: &str, part: &str) -> DisputedFact {
    DisputedFact { feature: Some(name.into()), ..DisputedFact::part(Some(source), Some(part)) }
}

#[test]
fn revenue_that_the_firm_was_found_right_about_sets_no_limit_and_contradicts_nothing() {
    let mut apart = sound();
    apart.tax.record.as_mut().unwrap().filings = Some(returns(400_000));
    assert_eq!(codes(&rule(&apart, "A", None, 100_000)), ["REVENUE_CONTRADICT"]);
    for dossier in [sound(), apart] {
        let ruling = rule(&upheld(dossier, &[feature(SourceKind::Tax, "tax_revenue", "invoices")]), "A", None, 100_000);
        assert_eq!((ruling.outcome, codes(&ruling)), (Outcome::Refer, vec!["REVENUE_UNKNOWN"]));
        assert_eq!(ruling.indicated_limit, Fen::ZERO);
    }
    let other = upheld(sound(), &[feature(SourceKind::Tax, "tax_invoices", "invoices")]);
    assert_eq!(rule(&other, "A", None, 100_000).outcome, Outcome::Approve);
}

#[test]
fn a_fact_that_is_set_aside_contradicts_nobody_and_what_else_a_court_states_still_does() {
    let told = |part: &str, rows: Vec<usize>| {
        let mut dossier = enforced(date(2026, 1, 5), Some(date(2026, 3, 5)));
        dossier.payment_history.record.as_mut().unwrap().wage_arrears = Some(vec![]);
        let (main_says, says) = ("0/1".to_owned(), "1/1".to_owned());
        let told = Contradicted { part: part.into(), main: SourceKind::PaymentHistory, main_says, says, rows };
        dossier.others = vec![EvidenceLine { contradicts: vec![told], ..court(EvidenceStatus::Fresh, ON) }];
        dossier
    };
    let payments = Some(SourceKind::PaymentHistory);
    let row =
        DisputedFact { pointer: Some("/enforcements/0".into()), ..DisputedFact::part(payments, Some("enforcements")) };
    let ruled = |dossier: Dossier, facts: &[DisputedFact]| {
        let ruling = rule(&upheld(dossier, facts), "A", None, 1_000_000);
        codes(&ruling).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let row = std::slice::from_ref(&row);
    assert_eq!(ruled(told("enforcements", vec![0]), &[]), ["FACTS_CONTRADICT"]);
    assert_eq!(ruled(told("enforcements", vec![0]), row), [] as [&str; 0]);
    assert_eq!(ruled(told("enforcements", vec![0, 1]), row), ["FACTS_CONTRADICT"], "another row is apart too");
    assert_eq!(ruled(told("enforcements", vec![]), row), ["FACTS_CONTRADICT"], "the court knows of another one");
    assert_eq!(ruled(told("wage_arrears", vec![0]), row), ["FACTS_CONTRADICT"], "of another part");
    let part = |part: &str| vec![DisputedFact::part(payments, Some(part))];
    assert_eq!(ruled(told("wage_arrears", vec![]), &part("wage_arrears")), [] as [&str; 0]);
    assert_eq!(ruled(told("enforcements", vec![]), &part("enforcements")), ["KNOCK_OUT_UNCHECKED"]);
    // A number made of a part is not the part, unless nothing else is made of it.
    let of = |name: &str, part: &str| vec![feature(SourceKind::PaymentHistory, name, part)];
    assert_eq!(ruled(told("wage_arrears", vec![]), &of("pay_wage_arrears", "wage_arrears")), [] as [&str; 0]);
    assert_eq!(ruled(told("enforcements", vec![]), &of("pay_enforcements", "enforcements")), ["FACTS_CONTRADICT"]);
    assert_eq!(ruled(told("bills", vec![]), &of("pay_kwh_change", "bills")), ["FACTS_CONTRADICT"]);
}
