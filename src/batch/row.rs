//! A row of a file read as a request for a decision. Whatever is wrong is told with its column and what to do.

use crate::domain::batch::RowFault;
use crate::domain::consent::is_purpose;
use crate::domain::decision::{AMOUNT_FEN_MAX, DecisionRequest, TERM_MONTHS_MAX};
use crate::domain::{ConsentId, Fen, Uscc};

/// The columns that a request takes, by the names that they may have.
const USCC: &[&str] = &["uscc", "统一社会信用代码"];
const CONSENT: &[&str] = &["consent_id", "授权编号"];
const PURPOSE: &[&str] = &["purpose", "用途"];
const AMOUNT_FEN: &[&str] = &["amount_fen", "金额（分）", "金额(分)"];
const AMOUNT_YUAN: &[&str] = &["amount_yuan", "金额（元）", "金额(元)"];
const TERM: &[&str] = &["term_months", "期限（月）", "期限(月)"];

/// The unit of the amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Fen,
    Yuan,
}

impl Unit {
    /// The name of the column.
    fn column(self) -> &'static str {
        match self {
            Unit::Fen => AMOUNT_FEN[0],
            Unit::Yuan => AMOUNT_YUAN[0],
        }
    }
}

/// Where the columns stand that a request takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Columns {
    uscc: usize,
    consent: usize,
    purpose: usize,
    amount: usize,
    unit: Unit,
    term: usize,
}

/// Why a header does not do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HeaderFault {
    /// These columns are not there.
    Missing(Vec<&'static str>),
    /// The amount is there in fen and in yuan.
    TwoAmounts,
}

impl Columns {
    /// The columns of a table with this header. Further columns are the bank's own and are left alone.
    pub(super) fn of<S: AsRef<str>>(header: &[S]) -> Result<Columns, HeaderFault> {
        let place = |names: &[&str]| {
            header.iter().position(|column| names.iter().any(|name| name.eq_ignore_ascii_case(column.as_ref().trim())))
        };
        let (fen, yuan) = (place(AMOUNT_FEN), place(AMOUNT_YUAN));
        if fen.is_some() && yuan.is_some() {
            return Err(HeaderFault::TwoAmounts);
        }
        let found = [place(USCC), place(CONSENT), place(PURPOSE), fen.or(yuan), place(TERM)];
        if let [Some(uscc), Some(consent), Some(purpose), Some(amount), Some(term)] = found {
            let unit = if yuan.is_some() { Unit::Yuan } else { Unit::Fen };
            return Ok(Columns { uscc, consent, purpose, amount, unit, term });
        }
        let names = [USCC[0], CONSENT[0], PURPOSE[0], AMOUNT_FEN[0], TERM[0]];
        let missing = names.into_iter().zip(found).filter(|(_, place)| place.is_none());
        Err(HeaderFault::Missing(missing.map(|(name, _)| name).collect()))
    }

    /// The request that the cells of a row make.
    pub(super) fn request<S: AsRef<str>>(&self, cells: &[S]) -> Result<DecisionRequest, RowFault> {
        let cell = |place: usize| cells.get(place).map_or("", |cell| cell.as_ref().trim());
        Ok(DecisionRequest {
            uscc: code(cell(self.uscc))?,
            consent_id: consent(cell(self.consent))?,
            purpose: purpose(cell(self.purpose))?,
            amount: amount(cell(self.amount), self.unit)?,
            term_months: term(cell(self.term))?,
        })
    }
}

/// The request that an object of JSON makes, whose fields have the names of the columns.
pub(super) fn of_json(object: &serde_json::Map<String, serde_json::Value>) -> Result<DecisionRequest, RowFault> {
    let names: Vec<&str> = object.keys().map(String::as_str).collect();
    let columns = Columns::of(&names).map_err(|fault| match fault {
        HeaderFault::Missing(missing) => {
            let names = missing.join(", ");
            invalid(missing.first().copied().unwrap_or_default())
                .saying(format!("缺少字段：{names}"), format!("the object lacks: {names}"))
        }
        HeaderFault::TwoAmounts => two_amounts(),
    })?;
    let cells: Vec<String> = object
        .values()
        .map(|value| match value {
            serde_json::Value::Null => String::new(),
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect();
    columns.request(&cells)
}

/// The amount is given twice.
pub(super) fn two_amounts() -> RowFault {
    invalid(AMOUNT_FEN[0]).saying(
        "amount_fen（分）与 amount_yuan（元）只能填写其一",
        "give the amount once: amount_fen, in fen, or amount_yuan, in yuan",
    )
}

fn invalid(column: &str) -> RowFault {
    RowFault::new("INVALID").at(column)
}

fn code(cell: &str) -> Result<Uscc, RowFault> {
    let wrong = || RowFault::new("CODE_INVALID").at(USCC[0]);
    if is_scientific(cell) {
        return Err(wrong().saying(
            "代码被 Excel 写成了科学计数法，数字已丢失：请把该列设为“文本”格式后重新填写",
            "Excel wrote the code as a number in scientific notation and digits are lost: format the column as text and enter it anew",
        ));
    }
    cell.parse().map_err(|error: crate::domain::UsccError| {
        // Excel keeps 15 digits of a number and fills up with zeros.
        if cell.len() == 18 && cell.bytes().all(|b| b.is_ascii_digit()) && cell.ends_with("000") {
            return wrong().saying(
                "代码末三位为000且校验不符，应是 Excel 把它当作数字、只保留了15位：请把该列设为“文本”格式后重新填写",
                "the code ends in 000 and its check fails, as when Excel takes it for a number and keeps 15 digits: format the column as \
                 text and enter it anew",
            );
        }
        wrong().saying(error.zh(), error.to_string())
    })
}

fn consent(cell: &str) -> Result<ConsentId, RowFault> {
    if cell.is_empty() {
        return Err(RowFault::new("CONSENT_MISSING").at(CONSENT[0]));
    }
    cell.parse()
        .map_err(|_| invalid(CONSENT[0]).saying("请填写已登记授权的编号", "write the id of a registered consent"))
}

fn purpose(cell: &str) -> Result<String, RowFault> {
    if is_purpose(cell) {
        return Ok(cell.to_owned());
    }
    Err(invalid(PURPOSE[0]).saying(
        "1至64个小写字母、数字或下划线，例如 working_capital",
        "1 to 64 lower-case letters, digits or _, for instance working_capital",
    ))
}

fn amount(cell: &str, unit: Unit) -> Result<Fen, RowFault> {
    let wrong = || invalid(unit.column());
    if is_scientific(cell) {
        return Err(scientific(wrong()));
    }
    let fen = match unit {
        Unit::Fen => digits(cell),
        Unit::Yuan => fen_of_yuan(cell),
    };
    fen.filter(|fen| (1..=AMOUNT_FEN_MAX).contains(fen)).map(Fen).ok_or_else(|| match unit {
        Unit::Fen => wrong().saying(
            format!("整数，单位为分，1至{AMOUNT_FEN_MAX}，不带千分位逗号"),
            format!("a whole number of fen from 1 to {AMOUNT_FEN_MAX}, without thousands separators"),
        ),
        Unit::Yuan => {
            let most = Fen(AMOUNT_FEN_MAX);
            wrong().saying(
                format!("单位为元，至多两位小数，0.01至{most}，不带千分位逗号"),
                format!("yuan with at most two decimals, from 0.01 to {most}, without thousands separators"),
            )
        }
    })
}

fn term(cell: &str) -> Result<u32, RowFault> {
    if is_scientific(cell) {
        return Err(scientific(invalid(TERM[0])));
    }
    let term = digits(cell).and_then(|months| u32::try_from(months).ok());
    term.filter(|months| (1..=TERM_MONTHS_MAX).contains(months)).ok_or_else(|| {
        invalid(TERM[0])
            .saying(format!("整数，1至{TERM_MONTHS_MAX}个月"), format!("a whole number from 1 to {TERM_MONTHS_MAX}"))
    })
}

fn scientific(fault: RowFault) -> RowFault {
    fault.saying(
        "数字被写成了科学计数法：请把该列设为“数值”格式、写出全部数字",
        "the number is in scientific notation: format the column as a plain number and write all digits",
    )
}

/// Whether a number is written like 9.13E+17.
fn is_scientific(cell: &str) -> bool {
    let Some((digits, exponent)) = cell.split_once(['e', 'E']) else { return false };
    let number = |text: &str, more: &[char]| {
        text.bytes().any(|b| b.is_ascii_digit()) && text.chars().all(|c| c.is_ascii_digit() || more.contains(&c))
    };
    // Nineteen characters and more are no code, and a code has no point and no sign.
    number(digits, &['.', '-']) && number(exponent, &['+', '-']) && (digits.len() + exponent.len() + 1 != 18)
}

/// A whole number that is not negative.
fn digits(cell: &str) -> Option<i64> {
    (!cell.is_empty() && cell.bytes().all(|b| b.is_ascii_digit())).then(|| cell.parse().ok()).flatten()
}

/// An amount in yuan with at most two decimals, in fen.
fn fen_of_yuan(cell: &str) -> Option<i64> {
    let (yuan, decimals) = cell.split_once('.').unwrap_or((cell, "0"));
    if decimals.len() > 2 {
        return None;
    }
    let fen = digits(decimals)? * if decimals.len() == 1 { 10 } else { 1 };
    digits(yuan)?.checked_mul(100)?.checked_add(fen)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const HEADER: [&str; 6] = ["loan_no", "USCC", "consent_id", "purpose", "amount_yuan", "term_months"];
    const CONSENT_ID: &str = "0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b";

    fn asked(uscc: &str, amount: &str, term: &str) -> Result<DecisionRequest, RowFault> {
        let columns = Columns::of(&HEADER).unwrap();
        columns.request(&["L-1", uscc, CONSENT_ID, "working_capital", amount, term])
    }

    #[test]
    fn a_row_is_read_by_its_header_with_amounts_in_the_unit_that_it_names() {
        let request = asked(" 91330604ma2xy0014w ", "5000000.5", "12").unwrap();
        assert_eq!((request.amount, request.term_months), (Fen(500_000_050), 12));
        assert_eq!(request.uscc.as_str(), "91330604MA2XY0014W");
        let chinese = ["统一社会信用代码", "授权编号", "用途", "金额（分）", "期限（月）"];
        let columns = Columns::of(&chinese).unwrap();
        let cells = ["91330604MA2XY0014W", CONSENT_ID, "equipment", "100", "1"];
        assert_eq!(columns.request(&cells).unwrap().amount, Fen(100));
        assert_eq!(
            Columns::of(&["uscc", "purpose"]),
            Err(HeaderFault::Missing(vec!["consent_id", "amount_fen", "term_months"]))
        );
        assert_eq!(Columns::of(&["amount_fen", "amount_yuan"]), Err(HeaderFault::TwoAmounts));
    }

    #[test]
    fn what_excel_does_to_long_codes_and_amounts_is_named() {
        for (uscc, amount, term, column, told) in [
            ("9.13306E+17", "1", "12", "uscc", "scientific notation"),
            ("913306047410012000", "1", "12", "uscc", "keeps 15 digits"),
            ("91330604MA2XY0015W", "1", "12", "uscc", "check character"),
            ("91330604MA2XY0014W", "5E+08", "12", "amount_yuan", "scientific notation"),
            ("91330604MA2XY0014W", "5,000", "12", "amount_yuan", "thousands"),
            ("91330604MA2XY0014W", "0", "12", "amount_yuan", "0.01"),
            ("91330604MA2XY0014W", "1.234", "12", "amount_yuan", "two decimals"),
            ("91330604MA2XY0014W", "-1", "12", "amount_yuan", "0.01"),
            ("91330604MA2XY0014W", "99999999999999999999", "12", "amount_yuan", "0.01"),
            ("91330604MA2XY0014W", "1", "12.5", "term_months", "whole number"),
            ("91330604MA2XY0014W", "1", "361", "term_months", "360"),
            ("91330604MA2XY0014W", "1", "", "term_months", "whole number"),
        ] {
            let fault = asked(uscc, amount, term).unwrap_err();
            assert_eq!(fault.column.as_deref(), Some(column), "{uscc} {amount} {term}");
            assert!(fault.said.as_ref().unwrap().en.contains(told), "{fault:?}");
        }
        assert!(asked("913306047410012389", "1", "12").is_ok(), "a code of digits alone is one");
        assert!(asked("91330604MA2XY0014X", "1", "12").is_ok(), "a suspect code is decided on, by a person");
    }

    #[test]
    fn objects_of_json_are_read_by_the_same_rules() {
        let mut object = json!({
            "uscc": "91330604MA2XY0014W", "consent_id": CONSENT_ID, "purpose": "equipment", "amount_fen": 100, "term_months": 12,
        });
        let read = |object: &serde_json::Value| of_json(object.as_object().unwrap());
        assert_eq!(read(&object).unwrap().amount, Fen(100));
        object["amount_fen"] = json!(1.5);
        assert_eq!(read(&object).unwrap_err().column.as_deref(), Some("amount_fen"));
        object["amount_fen"] = json!(100);
        object["consent_id"] = json!(null);
        assert_eq!(read(&object).unwrap_err().code, "CONSENT_MISSING");
        object.as_object_mut().unwrap().remove("purpose");
        assert!(read(&object).unwrap_err().said.unwrap().en.contains("purpose"));
    }
}
