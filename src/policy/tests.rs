use super::*;
use crate::domain::decision::DecisionRequest;
use crate::domain::evidence::*;
use crate::domain::{ConsentId, Dossier, Month};
use jiff::civil::{Date, date};
use proptest::prelude::*;
use uuid::Uuid;

mod supplied;

const ON: Date = date(2026, 10, 31);

fn there<R>(record: R) -> Evidence<R> {
    Evidence {
        status: EvidenceStatus::Fresh,
        record: Some(record),
        as_of: Some(ON),
        fetched_at: None,
        digest: None,
        detail: None,
        not_covered: Vec::new(),
    }
}

mod optional;

fn gone<R>(status: EvidenceStatus) -> Evidence<R> {
    Evidence::missing(status, "no answer")
}

/// A firm of which everything is known and nothing is wrong: a revenue of 12 million yuan.
fn sound() -> Dossier {
    let last = Month::of(ON);
    let side = InvoiceSide { count: 9, amount: Fen::from_yuan(1_000_000), ..InvoiceSide::default() };
    let tax = TaxRecord {
        status: Some(TaxpayerStatus::Normal),
        industry: Some("C33".into()),
        declared_heads: Some(30),
        invoices: Some(
            (0..12).rev().map(|i| InvoiceMonth { month: last.minus(i), sales: side, purchases: side }).collect(),
        ),
        ..TaxRecord::sharing_nothing(ON)
    };
    let contribution = ContributionMonth { month: last, heads: 28, base: Fen(1), due: Fen(1), paid: Fen(1) };
    let social = SocialInsuranceRecord { as_of: ON, months: vec![contribution], arrears: None, minimum_base: None };
    let payments = PaymentHistoryRecord {
        as_of: ON,
        bills: None,
        loans: None,
        supplier_delays: None,
        wage_arrears: None,
        enforcements: Some(vec![]),
    };
    Dossier {
        uscc: firm(),
        tax: there(tax),
        social_insurance: there(social),
        payment_history: there(payments),
        others: vec![],
        set_aside: vec![],
    }
}

fn firm() -> crate::domain::Uscc {
    "91330604MA2XY0014W".parse().unwrap()
}

fn rule(dossier: &Dossier, grade: &str, interval: Option<[(i64, &str); 2]>, amount_yuan: i64) -> Ruling {
    rule_by(DEFAULT_POLICY, dossier, grade, interval, amount_yuan)
}

fn rule_by(
    policy: &str,
    dossier: &Dossier,
    grade: &str,
    interval: Option<[(i64, &str); 2]>,
    amount_yuan: i64,
) -> Ruling {
    let request = DecisionRequest {
        uscc: dossier.uscc.clone(),
        consent_id: ConsentId(Uuid::nil()),
        purpose: "working_capital".into(),
        amount: Fen::from_yuan(amount_yuan),
        term_months: 12,
    };
    let policy = Policy::from_toml(policy).unwrap();
    let incomplete: Vec<SourceKind> = SourceKind::ALL.into_iter().filter(|source| !dossier.has(*source)).collect();
    policy.rule(&Finding { request: &request, dossier, on: ON, grade, incomplete: &incomplete, interval, reasons: &[] })
}

fn codes(ruling: &Ruling) -> Vec<&str> {
    ruling.refer_reasons.iter().map(|r| r.code.as_str()).collect()
}

#[test]
fn a_sound_firm_is_decided_by_its_grade() {
    assert_eq!(rule(&sound(), "A", None, 1_000_000).outcome, Outcome::Approve);
    let referred = rule(&sound(), "D", None, 1_000_000);
    assert_eq!((referred.outcome, codes(&referred)), (Outcome::Refer, vec!["GRADE_NEEDS_REVIEW"]));
    assert_eq!(rule(&sound(), "E", None, 1_000_000).outcome, Outcome::Decline);
}

#[test]
fn the_limit_is_the_least_of_request_revenue_share_and_grade_cap() {
    assert_eq!(rule(&sound(), "A", None, 1_000_000).limit, Some(Fen::from_yuan(1_000_000)));
    assert_eq!(rule(&sound(), "A", None, 9_000_000).limit, Some(Fen::from_yuan(2_400_000)));
    assert_eq!(rule(&sound(), "C", None, 9_000_000).limit, Some(Fen::from_yuan(2_000_000)));
    let referred = rule(&sound(), "D", None, 500_000);
    assert_eq!((referred.limit, referred.indicated_limit), (None, Fen::from_yuan(500_000)));
}

#[test]
fn limits_too_small_too_large_or_without_known_revenue_are_referred() {
    assert_eq!(codes(&rule(&sound(), "A", None, 5_000)), ["LIMIT_UNDER_MINIMUM"]);
    let mut large = sound();
    for row in large.tax.record.as_mut().unwrap().invoices.as_mut().unwrap() {
        row.sales.amount = Fen::from_yuan(10_000_000);
    }
    assert_eq!(codes(&rule(&large, "A", None, 8_000_000)), ["OVER_AUTOMATIC_LIMIT"]);
    let mut unknown = sound();
    unknown.tax.record.as_mut().unwrap().invoices = None;
    assert_eq!(codes(&rule(&unknown, "A", None, 1_000_000)), ["REVENUE_UNKNOWN"]);
}

#[test]
fn knock_outs_decline_whatever_the_grade() {
    let mut enforced = sound();
    let open = Enforcement {
        opened_on: date(2026, 1, 1),
        closed_on: None,
        amount: Fen(1),
        severity: None,
        repaired_on: None,
        display_end: None,
    };
    enforced.payment_history.record.as_mut().unwrap().enforcements = Some(vec![open]);
    let ruling = rule(&enforced, "A", None, 1_000_000);
    assert_eq!((ruling.outcome, ruling.knock_outs[0].code.as_str()), (Outcome::Decline, "ENFORCEMENT_OPEN"));

    let mut expired = sound();
    let shown = Enforcement { display_end: Some(date(2026, 10, 30)), ..open };
    expired.payment_history.record.as_mut().unwrap().enforcements = Some(vec![shown]);
    assert_eq!(rule(&expired, "A", None, 1_000_000).outcome, Outcome::Approve, "its time has run out");

    let mut closed = sound();
    let ended = Enforcement { closed_on: Some(date(2026, 10, 31)), ..open };
    closed.payment_history.record.as_mut().unwrap().enforcements = Some(vec![ended]);
    assert_eq!(rule(&closed, "A", None, 1_000_000).outcome, Outcome::Approve);

    let mut abnormal = sound();
    abnormal.tax.record.as_mut().unwrap().status = Some(TaxpayerStatus::Abnormal);
    assert_eq!(rule(&abnormal, "A", None, 1_000_000).knock_outs[0].code, "TAXPAYER_ABNORMAL");
}

#[test]
fn a_knock_out_that_could_not_be_checked_is_not_taken_for_none() {
    let mut unknown = sound();
    unknown.payment_history.record.as_mut().unwrap().enforcements = None;
    let ruling = rule(&unknown, "A", None, 1_000_000);
    assert_eq!((ruling.outcome, codes(&ruling)), (Outcome::Refer, vec!["KNOCK_OUT_UNCHECKED"]));
    assert_eq!(rule(&unknown, "E", None, 1_000_000).outcome, Outcome::Decline);
}

#[test]
fn contradicting_head_counts_are_referred_with_both_figures() {
    let mut liar = sound();
    liar.tax.record.as_mut().unwrap().declared_heads = Some(80);
    let ruling = rule(&liar, "A", None, 1_000_000);
    assert_eq!(codes(&ruling), ["HEADS_CONTRADICT"]);
    let figures = &ruling.refer_reasons[0].figures;
    assert_eq!((figures["tax_heads"].as_str(), figures["insured_heads"].as_str()), ("80", "28"));
}

#[test]
fn staff_declared_and_no_contribution_reported_is_a_contradiction_too() {
    let mut silent = sound();
    silent.social_insurance.record.as_mut().unwrap().months.clear();
    let ruling = rule(&silent, "A", None, 1_000_000);
    assert_eq!(codes(&ruling), ["HEADS_CONTRADICT"]);
    assert_eq!(ruling.refer_reasons[0].figures["insured_heads"], "0");
}

#[test]
fn parts_that_a_department_does_not_share_are_named_where_they_could_change_the_outcome() {
    let request = DecisionRequest {
        uscc: firm(),
        consent_id: ConsentId(Uuid::nil()),
        purpose: "working_capital".into(),
        amount: Fen::from_yuan(1_000_000),
        term_months: 12,
    };
    let (policy, dossier) = (Policy::from_toml(DEFAULT_POLICY).unwrap(), sound());
    let rule = |interval| {
        let incomplete = &[SourceKind::PaymentHistory];
        policy.rule(&Finding {
            request: &request,
            dossier: &dossier,
            on: ON,
            grade: "C",
            incomplete,
            interval: Some(interval),
            reasons: &[],
        })
    };
    let crossing = rule([(530, "E"), (600, "B")]);
    assert_eq!(codes(&crossing), ["EVIDENCE_INCOMPLETE", "SCORE_INTERVAL_CROSSES_CUTOFF"]);
    assert!(crossing.refer_reasons[0].figures["parts"].contains("bills"));
    assert_eq!(rule([(570, "C"), (600, "B")]).outcome, Outcome::Approve);
}

#[test]
fn a_suspect_code_is_referred_even_beside_a_knock_out() {
    let mut suspect = sound();
    suspect.uscc = "91350203M0001QKT19".parse().unwrap();
    suspect.tax.record.as_mut().unwrap().status = Some(TaxpayerStatus::Abnormal);
    let ruling = rule(&suspect, "E", None, 1_000_000);
    assert_eq!((ruling.outcome, codes(&ruling)), (Outcome::Refer, vec!["CODE_SUSPECT"]));
}

#[test]
fn stale_evidence_is_referred_with_its_date() {
    let mut old = sound();
    old.social_insurance.status = EvidenceStatus::Stale;
    let ruling = rule(&old, "A", None, 1_000_000);
    assert_eq!(codes(&ruling), ["EVIDENCE_STALE"]);
    assert_eq!(ruling.refer_reasons[0].figures["as_of"], "2026-10-31");
}

/// What a court adds to the dossier, as of a day.
fn court(status: EvidenceStatus, as_of: Date) -> EvidenceLine {
    EvidenceLine {
        source: SourceKind::Court,
        status,
        as_of: Some(as_of),
        fetched_at: None,
        digest: None,
        detail: None,
        not_shared: vec![],
        not_covered: vec![],
        set_aside: vec![],
        filled: vec![],
        contradicts: vec![],
    }
}

#[test]
fn a_court_that_contradicts_the_main_department_refers_with_both_and_neither_approves_nor_declines() {
    let mut dossier = sound();
    let (main_says, says) = ("0/0".to_owned(), "1/1".to_owned());
    let told =
        Contradicted { part: "enforcements".into(), main: SourceKind::PaymentHistory, main_says, says, rows: vec![] };
    dossier.others = vec![EvidenceLine { contradicts: vec![told], ..court(EvidenceStatus::Fresh, ON) }];
    let ruling = rule(&dossier, "A", None, 1_000_000);
    assert_eq!((ruling.outcome, codes(&ruling)), (Outcome::Refer, vec!["FACTS_CONTRADICT"]));
    let figures = &ruling.refer_reasons[0].figures;
    assert_eq!((figures["first"].as_str(), figures["second"].as_str()), ("0/0", "1/1"));
    assert_eq!((figures["first_source"].as_str(), figures["second_source"].as_str()), ("payment_history", "court"));
    let open = Enforcement {
        opened_on: date(2026, 1, 5),
        closed_on: None,
        amount: Fen(1),
        severity: None,
        repaired_on: None,
        display_end: None,
    };
    dossier.payment_history.record.as_mut().unwrap().enforcements = Some(vec![open]);
    assert_eq!(rule(&dossier, "A", None, 1_000_000).outcome, Outcome::Refer);
}

#[test]
fn a_stale_optional_department_clears_no_knock_out() {
    let mut dossier = sound();
    let filled = vec!["enforcements".to_owned()];
    dossier.others = vec![EvidenceLine { filled, ..court(EvidenceStatus::Stale, date(2020, 1, 1)) }];
    let ruling = rule(&dossier, "A", None, 1_000_000);
    assert_eq!((ruling.outcome, codes(&ruling)), (Outcome::Refer, vec!["EVIDENCE_STALE"]));
    assert_eq!(ruling.refer_reasons[0].source, Some(SourceKind::Court));
}

#[test]
fn missing_evidence_is_referred_where_the_interval_crosses_a_cut_off() {
    let mut dossier = sound();
    dossier.social_insurance = gone(EvidenceStatus::Unavailable);
    let crossing = rule(&dossier, "B", Some([(540, "D"), (660, "A")]), 1_000_000);
    assert_eq!(codes(&crossing), ["EVIDENCE_MISSING", "SCORE_INTERVAL_CROSSES_CUTOFF"]);
    assert_eq!(crossing.refer_reasons[0].source, Some(SourceKind::SocialInsurance));
    let clear = rule(&dossier, "B", Some([(600, "B"), (660, "A")]), 1_000_000);
    assert_eq!(clear.outcome, Outcome::Approve);
    let hopeless = rule(&dossier, "E", Some([(300, "E"), (400, "E")]), 1_000_000);
    assert_eq!(hopeless.outcome, Outcome::Decline);
    dossier.tax = gone(EvidenceStatus::Absent);
    assert_eq!(rule(&dossier, "A", Some([(650, "A"), (660, "A")]), 1_000_000).outcome, Outcome::Refer);
}

#[test]
fn a_policy_that_leaves_a_grade_out_or_a_key_wrong_is_refused() {
    let policy = Policy::from_toml(DEFAULT_POLICY).unwrap();
    assert!(policy.cover(["A", "E"].into_iter()).is_ok());
    assert!(policy.cover(["F"].into_iter()).unwrap_err().to_string().contains('F'));
    assert!(policy.fit(&["A", "B", "C", "D", "E"]).is_ok());
    assert!(policy.fit(&["A", "E", "B"]).unwrap_err().to_string().contains("grade E worse than grade B"));
    for (from, to) in [
        ("decline = [\"E\"]", "decline = [\"E\", \"A\"]"),
        ("E = 0", ""),
        ("valid_days = 30", "valid_days = 0"),
        ("revenue_share = 0.20", "revenue_share = nan"),
        ("ratio = 2.0", "factor = 2.0"),
        ("ratio = 2.0", "ratio = 0.9"),
        ("difference = 10\n", "difference = -1\n"),
        ("id = \"revenue\"", "id = \"heads\""),
        ("second = \"social_insurance.insured_heads\"", "second = \"tax.declared_revenue_12m\""),
        ("second = \"social_insurance.insured_heads\"", "second = \"tax.heads\""),
        ("fact_age_days_max = 45", "fact_age_days_max = 4000"),
        ("tax = \"refer\"", "tax = \"guess\""),
    ] {
        let changed = DEFAULT_POLICY.replacen(from, to, 1);
        assert_ne!(changed, DEFAULT_POLICY, "{from}");
        assert!(Policy::from_toml(&changed).is_err(), "{to}");
    }
}

/// The policy with the part from `[[contradictions]]` to `[recheck]` replaced, and the flags with `flags` besides.
fn with_rules(flags: &str, rules: &str) -> Result<Policy, PolicyError> {
    let (before, rest) = DEFAULT_POLICY.split_once("[[contradictions]]").unwrap();
    let (_, after) = rest.split_once("[recheck]").unwrap();
    let text = format!("{before}{rules}\n[recheck]{after}");
    Policy::from_toml(&text.replacen("stale_evidence = true", &format!("stale_evidence = true\n{flags}"), 1))
}

#[test]
fn older_policies_compare_staff_with_two_flags_and_no_policy_does_so_twice() {
    let flags = "heads_ratio = 2.0\nheads_difference = 10";
    let old = with_rules(flags, "").unwrap();
    assert_eq!(old.terms.contradictions[..], Policy::from_toml(DEFAULT_POLICY).unwrap().terms.contradictions[..1]);
    let rule = "[[contradictions]]\nid = \"staff\"\nfirst = \"social_insurance.insured_heads\"\n\
                second = \"tax.declared_heads\"\nratio = 3.0\ndifference = 5";
    assert!(with_rules("", rule).is_ok());
    assert!(with_rules(flags, rule).unwrap_err().to_string().contains("flags.heads_ratio must be left out"));
    assert!(with_rules("heads_ratio = 2.0", "").unwrap_err().to_string().contains("stand together"));
    assert!(with_rules("heads_ratio = nan\nheads_difference = 10", "").is_err());
}

#[test]
fn a_rule_that_is_switched_off_finds_nothing() {
    let mut liar = sound();
    liar.tax.record.as_mut().unwrap().declared_heads = Some(80);
    let view = crate::features::View::new(&liar, ON);
    let rule = Policy::from_toml(DEFAULT_POLICY).unwrap().terms.contradictions[0].clone();
    assert!(rule.found(&view).is_some());
    let off = DEFAULT_POLICY.replacen("difference = 10\n", "difference = 10\nenabled = false\n", 1);
    assert!(Policy::from_toml(&off).unwrap().terms.contradictions[0].found(&view).is_none());
}

/// Twelve VAT returns, filed in time, of this revenue each.
fn returns(yuan: i64) -> Vec<Filing> {
    let filing = |i: i32| {
        let month = Month::of(ON).minus(i);
        Filing {
            month,
            tax: TaxKind::Vat,
            declared_revenue: Fen::from_yuan(yuan),
            due: Fen::ZERO,
            paid: Fen::ZERO,
            due_on: month.last_day(),
            filed_on: Some(month.last_day()),
        }
    };
    (0..12).rev().map(filing).collect()
}

#[test]
fn revenue_declared_far_below_what_was_invoiced_is_referred_with_both_figures_and_their_sources() {
    let with = |filings: Vec<Filing>| {
        let mut dossier = sound();
        dossier.tax.record.as_mut().unwrap().filings = Some(filings);
        rule(&dossier, "A", None, 100_000)
    };
    assert_eq!(with(returns(1_000_000)).outcome, Outcome::Approve);
    assert_eq!(with(returns(500_000)).outcome, Outcome::Approve, "twice is not more than twice");
    let apart = with(returns(400_000));
    assert_eq!((apart.outcome, codes(&apart)), (Outcome::Refer, vec!["REVENUE_CONTRADICT"]));
    let told = &apart.refer_reasons[0].figures;
    for (name, said) in [
        ("first", "4800000.00"),
        ("first_figure", "declared_revenue_12m"),
        ("first_source", "tax"),
        ("second", "12000000.00"),
        ("second_figure", "invoiced_revenue_12m"),
        ("second_source", "tax"),
    ] {
        assert_eq!(told[name], said, "{name}");
    }
    // As a department has it on most days: the last month's return is not due yet, and the twelve before it count.
    let mut lagging = returns(400_000);
    for filing in &mut lagging {
        filing.month = filing.month.minus(1);
        filing.due_on = filing.month.minus(-1).last_day();
        filing.filed_on = Some(filing.due_on);
    }
    assert_eq!(codes(&with(lagging.clone())), ["REVENUE_CONTRADICT"]);
    lagging.iter_mut().for_each(|filing| filing.declared_revenue = Fen::from_yuan(1_000_000));
    assert_eq!(with(lagging.clone()).outcome, Outcome::Approve);
    lagging.last_mut().unwrap().filed_on = None;
    lagging.iter_mut().for_each(|filing| filing.declared_revenue = Fen::from_yuan(400_000));
    assert_eq!(with(lagging).outcome, Outcome::Approve, "a return that was due and not filed declares nothing");
    assert_eq!(
        with(returns(400_000)[1..].to_vec()).outcome,
        Outcome::Approve,
        "eleven returns are no figure of a year"
    );
}

/// What the policy says of a firm whose payment history and tax record are this many days old, declined by grade E for reasons of
/// these sources, or by a knock-out of `status`.
fn declined(tax_days: i64, payments_days: i64, status: TaxpayerStatus, reasons: &[(SourceKind, f64)]) -> Ruling {
    let mut dossier = sound();
    let ago = |days: i64| Some(ON.saturating_sub(jiff::Span::new().days(days)));
    dossier.tax.as_of = ago(tax_days);
    dossier.payment_history.as_of = ago(payments_days);
    dossier.tax.record.as_mut().unwrap().status = Some(status);
    let request = DecisionRequest {
        uscc: firm(),
        consent_id: ConsentId(Uuid::nil()),
        purpose: "working_capital".into(),
        amount: Fen::from_yuan(100_000),
        term_months: 12,
    };
    let lost = |(source, points_lost): &(SourceKind, f64)| crate::domain::decision::Reason {
        code: "X".into(),
        source: Some(*source),
        points_lost: *points_lost,
        value: None,
    };
    let reasons: Vec<_> = reasons.iter().map(lost).collect();
    let policy = Policy::from_toml(DEFAULT_POLICY).unwrap();
    let (dossier, grade) = (&dossier, "E");
    policy.rule(&Finding {
        request: &request,
        dossier,
        on: ON,
        grade,
        incomplete: &[],
        interval: None,
        reasons: &reasons,
    })
}

#[test]
fn a_decline_whose_deciding_fact_is_too_old_is_looked_at_first() {
    let (tax, payments) = (SourceKind::Tax, SourceKind::PaymentHistory);
    let sources = |ruling: &Ruling| ruling.refer_reasons.iter().filter_map(|r| r.source).collect::<Vec<_>>();
    fn by_grade(tax_days: i64, payments_days: i64, reasons: &[(SourceKind, f64)]) -> Ruling {
        declined(tax_days, payments_days, TaxpayerStatus::Normal, reasons)
    }
    assert_eq!(
        by_grade(45, 45, &[(tax, 9.0), (payments, 3.0)]).outcome,
        Outcome::Decline,
        "45 days are not more than 45"
    );
    let old = by_grade(46, 45, &[(tax, 9.0), (payments, 3.0)]);
    assert_eq!((old.outcome, codes(&old), sources(&old)), (Outcome::Refer, vec!["RECHECK_BEFORE_DECLINE"], vec![tax]));
    assert_eq!(old.refer_reasons[0].figures["as_of"], "2026-09-15");
    assert_eq!(by_grade(90, 1, &[(payments, 3.0)]).outcome, Outcome::Decline, "the old source has no part in it");

    let abnormal = declined(46, 0, TaxpayerStatus::Abnormal, &[(payments, 3.0)]);
    assert_eq!((abnormal.outcome, sources(&abnormal)), (Outcome::Refer, vec![tax]));
    assert_eq!(abnormal.knock_outs.len(), 1, "the knock-out is told all the same");
    assert_eq!(declined(45, 90, TaxpayerStatus::Abnormal, &[(payments, 3.0)]).outcome, Outcome::Decline);
}

proptest! {
    #[test]
    fn an_approval_always_has_a_limit_within_the_request_and_nothing_missing_that_matters(
        grade in "[A-E]", yuan in 1i64..20_000_000, tax in any::<bool>(), social in any::<bool>(), payments in any::<bool>(),
    ) {
        let mut dossier = sound();
        if !tax { dossier.tax = gone(EvidenceStatus::Invalid); }
        if !social { dossier.social_insurance = gone(EvidenceStatus::Absent); }
        if !payments { dossier.payment_history = gone(EvidenceStatus::Unavailable); }
        let interval = (!(tax && social && payments)).then_some([(600, grade.as_str()), (610, grade.as_str())]);
        let ruling = rule(&dossier, &grade, interval, yuan);
        prop_assert_eq!(ruling.limit.is_some(), ruling.outcome == Outcome::Approve);
        if let Some(limit) = ruling.limit {
            prop_assert!(limit <= Fen::from_yuan(yuan) && limit > Fen::ZERO);
            prop_assert!(tax && payments, "knock-outs were checked");
        }
        prop_assert_eq!(ruling.outcome == Outcome::Refer, !ruling.refer_reasons.is_empty());
    }
}
