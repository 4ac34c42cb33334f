use super::*;
use crate::domain::evidence::*;
use crate::domain::{Fen, Month};
use jiff::civil::date;
use proptest::prelude::*;

fn month(text: &str) -> Month {
    text.parse().unwrap()
}

fn missing<R>() -> Evidence<R> {
    Evidence::missing(EvidenceStatus::Absent, "unknown firm")
}

fn there<R>(record: R, as_of: Date) -> Evidence<R> {
    Evidence {
        status: EvidenceStatus::Fresh,
        record: Some(record),
        as_of: Some(as_of),
        fetched_at: None,
        digest: None,
        detail: None,
        not_covered: Vec::new(),
    }
}

/// A dossier in which no department says anything.
fn silent() -> Dossier {
    Dossier {
        uscc: "91330604MA2XY0014W".parse().unwrap(),
        tax: missing(),
        social_insurance: missing(),
        payment_history: missing(),
        others: vec![],
        set_aside: vec![],
    }
}

fn invoice(month: Month, count: u32, yuan: i64) -> InvoiceMonth {
    let side = InvoiceSide {
        count,
        amount: Fen::from_yuan(yuan),
        counterparties: count,
        top_share: 0.5,
        ..InvoiceSide::default()
    };
    InvoiceMonth { month, sales: side, purchases: InvoiceSide::default() }
}

fn with_tax(record: TaxRecord) -> Dossier {
    let as_of = record.as_of;
    Dossier { tax: there(record, as_of), ..silent() }
}

fn with_payments(record: PaymentHistoryRecord) -> Dossier {
    let as_of = record.as_of;
    Dossier { payment_history: there(record, as_of), ..silent() }
}

#[test]
fn the_catalogue_has_thirty_features_or_more_over_three_sources_with_all_texts() {
    let features: Vec<_> = catalogue().collect();
    assert!(features.len() >= 30, "{}", features.len());
    for source in SourceKind::ALL {
        assert!(features.iter().any(|f| f.source == source));
    }
    for (i, feature) in features.iter().enumerate() {
        assert!(features[..i].iter().all(|other| other.name != feature.name), "{} twice", feature.name);
        for text in [feature.label, feature.text, feature.remedy, feature.missing] {
            assert!(
                !text.zh.is_ascii() && !text.en.is_empty() && text.en.is_ascii() | text.en.contains('−'),
                "{}",
                feature.name
            );
        }
        assert_eq!(by_code(&feature.code()).unwrap().name, feature.name);
    }
}

#[test]
fn silent_departments_leave_every_feature_missing_and_none_zero() {
    let vector = extract(&silent(), date(2026, 10, 31));
    for (feature, value) in vector.iter() {
        assert_eq!(value, None, "{}", feature.name);
    }
}

#[test]
fn a_tax_record_that_shares_nothing_leaves_every_feature_missing() {
    let vector = extract(&with_tax(TaxRecord::sharing_nothing(date(2026, 10, 31))), date(2026, 10, 31));
    for (feature, value) in vector.iter() {
        assert_eq!(value, None, "{}", feature.name);
    }
}

#[test]
fn invoice_windows_end_with_the_last_complete_month() {
    let mut tax = TaxRecord::sharing_nothing(date(2020, 2, 29));
    let since = month("2018-01");
    tax.invoices = Some((0..26).map(|i| invoice(since.plus(i), 2, if i < 14 { 100 } else { 200 })).collect());
    tax.invoices_since = Some(since);
    let dossier = with_tax(tax);
    let on_time = extract(&dossier, date(2020, 2, 29));
    assert_eq!(on_time.get("tax_revenue"), Some(2400.0));
    assert_eq!(on_time.get("tax_revenue_growth"), Some(1.0));
    assert_eq!(on_time.get("tax_active_months"), Some(24.0));
    assert_eq!(on_time.get("tax_months_since_sale"), Some(0.0));
    assert_eq!(on_time.get("tax_longest_gap"), Some(0.0));
    assert_eq!(on_time.get("tax_void_ratio"), Some(0.0));
    assert_eq!(on_time.get("tax_gross_margin"), None, "no purchases is not a margin of one");
    assert_eq!(on_time, extract(&dossier, date(2026, 11, 22)), "a later date adds no empty months");
    let earlier = extract(&dossier, date(2019, 2, 15));
    assert_eq!(earlier.get("tax_revenue"), Some(1200.0), "nothing after the scoring date is seen");
}

#[test]
fn months_without_invoices_are_gaps_only_where_the_data_cover_them() {
    let mut tax = TaxRecord::sharing_nothing(date(2020, 12, 31));
    tax.invoices_since = Some(month("2020-01"));
    tax.invoices = Some(vec![invoice(month("2020-03"), 1, 10), invoice(month("2020-08"), 1, 10)]);
    let vector = extract(&with_tax(tax), date(2020, 12, 31));
    assert_eq!(vector.get("tax_longest_gap"), Some(4.0));
    assert_eq!(vector.get("tax_months_since_sale"), Some(4.0));
    assert_eq!(vector.get("tax_history_months"), Some(12.0));
    assert_eq!(vector.get("tax_revenue_growth"), None, "twelve months are too short for a growth");
}

#[test]
fn a_firm_known_to_have_sold_nothing_has_zero_revenue_and_no_ratios() {
    let mut tax = TaxRecord::sharing_nothing(date(2020, 12, 31));
    tax.invoices_since = Some(month("2019-01"));
    tax.invoices = Some(vec![]);
    let vector = extract(&with_tax(tax), date(2020, 12, 31));
    assert_eq!(vector.get("tax_revenue"), Some(0.0));
    assert_eq!(vector.get("tax_void_ratio"), None);
    assert_eq!(vector.get("tax_revenue_volatility"), None);
    assert_eq!(vector.get("tax_months_since_sale"), Some(24.0));
}

#[test]
fn months_before_the_data_begin_are_unknown_for_a_firm_that_is_older() {
    let mut tax = TaxRecord::sharing_nothing(date(2020, 12, 31));
    tax.invoices_since = Some(month("2020-07"));
    tax.invoices = Some((0..6).map(|i| invoice(month("2020-07").plus(i), 2, 100)).collect());
    let young = extract(&with_tax(tax.clone()), date(2020, 12, 31));
    assert_eq!((young.get("tax_revenue"), young.get("tax_active_months")), (Some(600.0), Some(6.0)));
    tax.registered_on = Some(date(2010, 1, 1));
    let old = extract(&with_tax(tax.clone()), date(2020, 12, 31));
    assert_eq!((old.get("tax_revenue"), old.get("tax_active_months")), (None, None), "half a year is not a small year");
    tax.invoices_since = Some(month("2021-01"));
    tax.invoices = Some(vec![]);
    assert_eq!(
        extract(&with_tax(tax), date(2020, 12, 31)).get("tax_revenue"),
        None,
        "data that begin later say nothing"
    );
}

#[test]
fn returns_that_are_shared_but_absent_from_the_window_are_not_returns_in_time() {
    let mut tax = TaxRecord::sharing_nothing(date(2026, 9, 30));
    tax.filings = Some(vec![]);
    let vector = extract(&with_tax(tax), date(2026, 9, 30));
    assert_eq!((vector.get("tax_late_filings"), vector.get("tax_zero_filings")), (None, None));
}

#[test]
fn a_return_not_filed_is_late_only_once_it_was_due() {
    let mut tax = TaxRecord::sharing_nothing(date(2026, 9, 30));
    let filing = |m: &str, due_on, filed_on| Filing {
        month: month(m),
        tax: TaxKind::Vat,
        declared_revenue: Fen::ZERO,
        due: Fen(100),
        paid: Fen(40),
        due_on,
        filed_on,
    };
    tax.filings = Some(vec![
        filing("2026-07", date(2026, 8, 15), Some(date(2026, 8, 16))),
        filing("2026-08", date(2026, 9, 15), None),
        filing("2026-09", date(2026, 10, 15), None),
    ]);
    let vector = extract(&with_tax(tax), date(2026, 9, 30));
    assert_eq!(vector.get("tax_late_filings"), Some(2.0));
    assert_eq!(vector.get("tax_unpaid_ratio"), Some(0.6));
    assert_eq!(vector.get("tax_zero_filings"), Some(1.0), "a return that was not filed declared nothing, not zero");
}

#[test]
fn repaired_wage_arrears_leave_the_same_day() {
    let record = PaymentHistoryRecord {
        as_of: date(2026, 10, 31),
        bills: None,
        loans: Some(vec![]),
        supplier_delays: None,
        wage_arrears: Some(vec![WageArrears {
            found_on: date(2026, 5, 1),
            amount: Fen(1),
            repaired_on: Some(date(2026, 9, 10)),
            severity: None,
            ended_on: None,
            display_end: None,
        }]),
        enforcements: Some(vec![]),
    };
    let dossier = with_payments(record);
    assert_eq!(extract(&dossier, date(2026, 9, 9)).get("pay_wage_arrears"), Some(1.0));
    assert_eq!(extract(&dossier, date(2026, 9, 10)).get("pay_wage_arrears"), Some(0.0));
    assert_eq!(extract(&dossier, date(2026, 9, 10)).get("pay_max_dpd_12m"), None, "no loan is not zero days past due");
}

/// What a feature says of a payment history with these facts, as of 2026-10-31, on a later day.
fn later(facts: serde_json::Value, feature: &str, on: Date) -> Option<f64> {
    let mut reply = serde_json::json!({"as_of": "2026-10-31", "loans": [], "wage_arrears": [], "enforcements": []});
    reply.as_object_mut().unwrap().extend(facts.as_object().unwrap().clone());
    extract(&with_payments(serde_json::from_value(reply).unwrap()), on).get(feature)
}

#[test]
fn an_adverse_fact_leaves_the_score_the_day_after_its_display_end_though_the_evidence_is_older() {
    let (last, after) = (date(2026, 11, 20), date(2026, 11, 21));
    let wages = serde_json::json!({"wage_arrears": [
        {"found_on": "2026-05-01", "amount_fen": 1, "repaired_on": null, "display_end": "2026-11-20", "severity": "serious"},
    ]});
    let court = serde_json::json!({"enforcements": [
        {"opened_on": "2024-05-01", "closed_on": "2025-05-01", "amount_fen": 1, "display_end": "2026-11-20"},
    ]});
    let loans = serde_json::json!({"loans": [
        {"month": "2026-08", "balance_fen": 1, "line_fen": 2, "days_past_due": 40, "display_end": "2026-11-20"},
        {"month": "2026-09", "balance_fen": 1, "line_fen": 2, "days_past_due": 7},
    ]});
    for (facts, feature, before, then) in [
        (wages, "pay_wage_arrears", 1.0, 0.0),
        (court, "pay_enforcements", 1.0, 0.0),
        (loans, "pay_max_dpd_12m", 40.0, 7.0),
    ] {
        assert_eq!(later(facts.clone(), feature, last), Some(before), "{feature}");
        assert_eq!(later(facts, feature, after), Some(then), "{feature}");
    }
}

#[test]
fn arrears_that_were_repaired_or_have_expired_count_as_none_and_not_as_unknown() {
    let on = date(2026, 11, 20);
    let tax = |life: &str| {
        let text =
            format!(r#"{{"as_of": "2026-10-31", "arrears": {{"amount_fen": 100, "since": "2020-01-01"{life}}}}}"#);
        let vector = extract(&with_tax(serde_json::from_str(&text).unwrap()), on);
        [vector.get("tax_arrears_to_revenue"), vector.get("tax_arrears_age").map(|months| months.min(1.0))]
    };
    assert_eq!(tax(""), [Some(1.0), Some(1.0)]);
    assert_eq!(tax(r#", "repaired_on": "2026-10-31""#), [Some(0.0); 2]);
    assert_eq!(tax(r#", "ended_on": "2021-11-20""#), [Some(0.0); 2], "five years after the end of the conduct");
    assert_eq!(tax(r#", "ended_on": "2021-11-21", "display_end": "2040-01-01""#), [Some(1.0); 2]);
}

/// A complete record of each kind.
fn samples() -> [(SourceKind, serde_json::Value); 3] {
    [
        (SourceKind::Tax, include_str!("../../tests/it/support/replies/tax.json")),
        (SourceKind::SocialInsurance, include_str!("../../tests/it/support/replies/social_insurance.json")),
        (SourceKind::PaymentHistory, include_str!("../../tests/it/support/replies/payment_history.json")),
    ]
    .map(|(source, text)| (source, serde_json::from_str(text).unwrap()))
}

/// The dossier of one record in its JSON form; `None` where that makes no record.
fn with_json(source: SourceKind, record: serde_json::Value) -> Option<Dossier> {
    let as_of = record["as_of"].as_str()?.parse().ok()?;
    let mut dossier = silent();
    match source {
        SourceKind::Tax => dossier.tax = there(serde_json::from_value(record).ok()?, as_of),
        SourceKind::SocialInsurance => dossier.social_insurance = there(serde_json::from_value(record).ok()?, as_of),
        _ => dossier.payment_history = there(serde_json::from_value(record).ok()?, as_of),
    }
    Some(dossier)
}

#[test]
fn a_part_that_any_feature_is_computed_from_is_told_as_not_shared_where_its_key_is_left_out() {
    for (source, sample) in samples() {
        let lacking = |part: &str| {
            let mut record = sample.clone();
            let fields = record.as_object_mut().unwrap();
            let key =
                [part.to_owned(), format!("{part}_fen")].into_iter().find(|key| fields.contains_key(key)).unwrap();
            fields.remove(&key);
            with_json(source, record)
        };
        let line = |dossier: &Dossier| dossier.lines().into_iter().find(|line| line.source == source).unwrap();
        assert_eq!(line(&with_json(source, sample.clone()).unwrap()).not_shared, Vec::<String>::new());
        for part in catalogue().filter(|feature| feature.source == source).map(|feature| feature.part) {
            match lacking(part) {
                Some(dossier) => assert!(line(&dossier).lacks(part), "{source}.{part} is missing and nobody is told"),
                None => {
                    assert_eq!((source, part), (SourceKind::SocialInsurance, "months"), "there is no record at all")
                }
            }
        }
    }
}

#[test]
fn figures_of_a_firms_size_that_are_left_out_leave_the_size_open() {
    let (_, sample) = samples().into_iter().next().unwrap();
    let size = |industry: &str, left_out: &str| {
        let mut record = sample.clone();
        record["industry"] = industry.into();
        record.as_object_mut().unwrap().remove(left_out);
        firm_size(&with_json(SourceKind::Tax, record).unwrap(), date(2026, 11, 15)).0
    };
    // Building is measured by revenue and assets, manufacturing by staff and revenue.
    for (industry, left_out) in [("E47", "total_assets_fen"), ("C33", "declared_heads"), ("C33", "industry")] {
        assert_ne!(size(industry, "nothing"), FirmSize::Undetermined, "{industry}");
        assert_eq!(size(industry, left_out), FirmSize::Undetermined, "{industry} without {left_out}");
    }
}

/// The same dossier, in which another department filled these parts of the payment history, known up to that day.
fn filled_by(source: SourceKind, parts: &[&str], as_of: Date, dossier: &Dossier) -> Dossier {
    let line = EvidenceLine {
        source,
        status: EvidenceStatus::Fresh,
        as_of: Some(as_of),
        fetched_at: None,
        digest: None,
        detail: None,
        not_shared: vec![],
        not_covered: vec![],
        set_aside: vec![],
        filled: parts.iter().map(|part| (*part).to_owned()).collect(),
        contradicts: vec![],
    };
    Dossier { others: vec![line], ..dossier.clone() }
}

fn bill(at: Month, kwh: u64, paid: bool) -> UtilityBill {
    let due_on = at.plus(1).last_day();
    UtilityBill { month: at, kwh, amount: Fen(1), due_on, paid_on: paid.then_some(due_on) }
}

#[test]
fn a_part_that_another_department_filled_ends_with_that_departments_date_and_not_the_main_ones() {
    let on = date(2026, 11, 20);
    let (early, late) = (date(2026, 8, 31), date(2026, 10, 31));
    let empty = |as_of| PaymentHistoryRecord {
        as_of,
        bills: None,
        loans: None,
        supplier_delays: None,
        wage_arrears: None,
        enforcements: None,
    };
    // Bills of 2025-01 to 2026-08, of which the last two were not paid yet by the end of August.
    let first = month("2025-01");
    let bills: Vec<UtilityBill> = (0..20).map(|i| bill(first.plus(i), if i < 12 { 100 } else { 90 }, i < 18)).collect();
    let by_utility = |as_of| with_payments(PaymentHistoryRecord { bills: Some(bills.clone()), ..empty(as_of) });
    let told = |dossier: &Dossier| {
        let vector = extract(dossier, on);
        ["pay_late_bills", "pay_bill_delay", "pay_kwh_change"].map(|name| vector.get(name))
    };
    let filled = filled_by(SourceKind::Utilities, &["bills"], early, &by_utility(late));
    assert_eq!(told(&filled), told(&by_utility(early)));
    assert_eq!(told(&filled)[0], Some(0.0), "what was not due by then is not late");
    assert!((told(&filled)[2].unwrap() + 0.1).abs() < 1e-9, "the months compared are those that are known");
    assert_ne!(told(&by_utility(late)), told(&by_utility(early)));
    assert_eq!(
        told(&filled_by(SourceKind::Court, &["enforcements"], early, &by_utility(late))),
        told(&by_utility(late))
    );

    // A court that knows more than the main department.
    let found = WageArrears {
        found_on: date(2026, 11, 10),
        amount: Fen(1),
        repaired_on: None,
        severity: None,
        ended_on: None,
        display_end: None,
    };
    let closed = Enforcement {
        opened_on: date(2026, 1, 10),
        closed_on: Some(date(2026, 11, 10)),
        amount: Fen(1),
        severity: None,
        repaired_on: None,
        display_end: None,
    };
    let record =
        PaymentHistoryRecord { wage_arrears: Some(vec![found]), enforcements: Some(vec![closed]), ..empty(late) };
    let of_main = with_payments(record);
    let told = |dossier: &Dossier| ["pay_wage_arrears", "pay_enforcements"].map(|name| extract(dossier, on).get(name));
    assert_eq!(told(&of_main), [Some(0.0), Some(0.0)]);
    let parts = ["wage_arrears", "enforcements"];
    assert_eq!(told(&filled_by(SourceKind::Court, &parts, on, &of_main)), [Some(1.0), Some(1.0)]);
    assert_eq!(filled_by(SourceKind::Court, &parts, on, &of_main).latest_as_of(), Some(on));
}

#[test]
fn not_rated_is_what_the_department_says_and_left_out_is_nothing_said() {
    let record = |rating: &str| -> TaxRecord {
        serde_json::from_str(&format!(r#"{{"as_of": "2026-10-31", "status": "normal"{rating}}}"#)).unwrap()
    };
    let lacks = |rating: &str| with_tax(record(rating)).lines()[0].lacks("rating");
    assert!(lacks(""));
    assert!(!lacks(r#", "rating": null"#));
    assert!(!lacks(r#", "rating": {"grade": "B", "year": 2025}"#));
    // Whoever keeps a record keeps the difference.
    for rating in ["", r#", "rating": null"#] {
        let kept = serde_json::to_value(record(rating)).unwrap();
        assert_eq!(serde_json::from_value::<TaxRecord>(kept).unwrap(), record(rating));
    }
}

proptest! {
    #[test]
    fn extraction_is_finite_and_repeatable_on_any_invoices(
        rows in proptest::collection::btree_map(0i32..60, (0u32..50, -1_000_000i64..1_000_000, 0u32..9), 0..40),
        day in 1i8..28,
    ) {
        let start = month("2016-01");
        let mut tax = TaxRecord::sharing_nothing(date(2020, 12, 31));
        tax.invoices = Some(rows.iter().map(|(m, (count, yuan, void))| {
            let mut row = invoice(start.plus(*m), *count, *yuan);
            row.sales.void_count = *void;
            row
        }).collect());
        let dossier = with_tax(tax);
        let on = date(2020, 6, day);
        let vector = extract(&dossier, on);
        prop_assert!(vector.iter().all(|(_, v)| v.is_none_or(f64::is_finite)));
        prop_assert_eq!(extract(&dossier, on), vector);
    }
}
