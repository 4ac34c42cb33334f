use jiff::civil::date;

use super::*;
use crate::domain::EvidenceStatus;
use crate::domain::Month;

const MAIN: Date = date(2026, 10, 31);
const TODAY: Date = date(2026, 11, 20);

fn there<R>(record: R, as_of: Date) -> Evidence<R> {
    Evidence { record: Some(record), as_of: Some(as_of), ..Evidence::missing(EvidenceStatus::Fresh, "") }
}

fn nothing(as_of: Date) -> PaymentHistoryRecord {
    PaymentHistoryRecord {
        as_of,
        bills: None,
        loans: None,
        supplier_delays: None,
        wage_arrears: None,
        enforcements: None,
    }
}

fn enforcement(yuan: i64) -> Enforcement {
    Enforcement {
        opened_on: date(2026, 1, 10),
        closed_on: None,
        amount: Fen::from_yuan(yuan),
        severity: None,
        repaired_on: None,
        display_end: None,
    }
}

fn finding() -> WageArrears {
    WageArrears {
        found_on: date(2026, 5, 1),
        amount: Fen(1),
        repaired_on: None,
        severity: None,
        ended_on: None,
        display_end: None,
    }
}

/// What the court contradicts of what the main department says, both figures and the rows that they differ on.
fn against(main: PaymentHistoryRecord, part: PaymentHistoryRecord) -> Vec<(String, String, Vec<usize>)> {
    let mut payments = there(main, MAIN);
    let line = court(&mut payments, there(CourtRecord(part), TODAY), &Scope::default(), TODAY);
    line.contradicts.into_iter().map(|told| (told.main_says, told.says, told.rows)).collect()
}

fn cases(main: &[Enforcement], part: &[Enforcement]) -> Option<(String, String, Vec<usize>)> {
    let main = PaymentHistoryRecord { enforcements: Some(main.to_vec()), ..nothing(MAIN) };
    let part = PaymentHistoryRecord { enforcements: Some(part.to_vec()), ..nothing(TODAY) };
    against(main, part).pop()
}

fn told(main: &str, part: &str, rows: &[usize]) -> Option<(String, String, Vec<usize>)> {
    Some((main.to_owned(), part.to_owned(), rows.to_vec()))
}

#[test]
fn enforcements_contradict_where_what_counts_of_them_differs_whatever_ended_it() {
    let open = enforcement(1);
    let repaired = Enforcement { repaired_on: Some(date(2026, 5, 1)), ..open };
    let shown = Enforcement { display_end: Some(date(2026, 10, 1)), ..open };
    let closed = Enforcement { closed_on: Some(date(2026, 11, 10)), ..open };
    let later = Enforcement { opened_on: date(2026, 11, 10), ..open };
    assert_eq!(cases(&[open], &[open]), None);
    assert_eq!(cases(&[repaired], &[shown]), None, "neither counts");
    assert_eq!(cases(&[repaired], &[]), None);
    assert_eq!(cases(&[repaired], &[open]), told("0/0", "1/1", &[0]));
    assert_eq!(cases(&[shown], &[open]), told("0/0", "1/1", &[0]));
    assert_eq!(cases(&[open], &[repaired]), told("1/1", "0/0", &[0]));
    assert_eq!(cases(&[open], &[closed]), told("1/1", "0/1", &[0]));
    assert_eq!(cases(&[], &[later]), told("0/0", "1/1", &[]), "what a court learnt since is otherwise all the same");
}

#[test]
fn rows_that_departments_differ_on_are_told_only_where_all_of_the_difference_lies_in_them() {
    let [one, two, three] = [1, 2, 3].map(enforcement);
    let repaired = Enforcement { repaired_on: Some(date(2026, 5, 1)), ..one };
    assert_eq!(cases(&[two, one, three], &[three, two]), told("3/3", "2/2", &[1]));
    assert_eq!(cases(&[two, one], &[two, repaired]), told("2/2", "1/1", &[1]));
    assert_eq!(cases(&[two, repaired], &[two, one]), told("1/1", "2/2", &[1]));
    assert_eq!(cases(&[one], &[one, two]), told("1/1", "2/2", &[]), "the main department knows nothing of the other");
    assert_eq!(cases(&[one], &[one, one]), told("1/1", "2/2", &[]));
}

#[test]
fn wage_arrears_contradict_where_one_department_still_counts_them() {
    let of = |found: WageArrears| Some(vec![found]);
    let contradicted = |main: WageArrears, part: WageArrears| {
        let main = PaymentHistoryRecord { wage_arrears: of(main), ..nothing(MAIN) };
        against(main, PaymentHistoryRecord { wage_arrears: of(part), ..nothing(TODAY) }).pop()
    };
    let over = WageArrears { display_end: Some(date(2026, 10, 1)), ..finding() };
    let repaired = WageArrears { repaired_on: Some(date(2026, 6, 1)), ..finding() };
    assert_eq!(contradicted(over, finding()), told("0/0", "1/1", &[0]));
    assert_eq!(contradicted(repaired, finding()), told("0/0", "1/1", &[0]));
    assert_eq!(contradicted(repaired, over), None);
}

#[test]
fn bills_contradict_by_consumption_and_by_what_was_paid_late_or_not_at_all() {
    let bill = |month: Month, paid: i8| UtilityBill {
        month,
        kwh: 100,
        amount: Fen(1),
        due_on: date(2026, 10, 20),
        paid_on: (paid > 0).then(|| date(2026, 10, paid)),
    };
    let of = |paid: &[i8]| {
        let first = Month::of(date(2026, 8, 1));
        Some(paid.iter().enumerate().map(|(i, paid)| bill(first.plus(i as i32), *paid)).collect())
    };
    let contradicted = |main: &[i8], part: &[i8]| {
        let mut payments = there(PaymentHistoryRecord { bills: of(main), ..nothing(MAIN) }, MAIN);
        let part = there(UtilitiesRecord(PaymentHistoryRecord { bills: of(part), ..nothing(TODAY) }), TODAY);
        let line = utilities(&mut payments, part, &Scope::default());
        line.contradicts.into_iter().map(|told| (told.main_says, told.says, told.rows)).next()
    };
    assert_eq!(contradicted(&[20, 20], &[20, 18]), None, "both in time");
    assert_eq!(contradicted(&[20, 20], &[0, 0]), told("200/0/0", "200/2/2", &[]));
    assert_eq!(contradicted(&[20, 20], &[20, 25]), told("200/0/0", "200/1/0", &[]));
    assert_eq!(contradicted(&[20], &[20, 0]), None, "who covers more months contradicts nobody");
    // What was paid after the main department's date, it cannot know.
    let since = |paid_on: Option<Date>| UtilityBill { paid_on, ..bill(Month::of(date(2026, 9, 1)), 0) };
    assert_eq!(
        bills(&[since(None)], &[since(None)], MAIN),
        bills(&[since(Some(date(2026, 11, 5)))], &[since(None)], MAIN)
    );
}
