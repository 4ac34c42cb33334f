//! A tax bureau of quite another shape: signed requests, pages, an envelope, Chinese words, yuan as text.
//!
//! It says the same of the same firms as the standard department, to show that a connector is configuration.
//! docs/strange-departments.md is its interface.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use actix_web::web::{Data, Query};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{Timestamp, civil::Date};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sm3::Sm3;

use crate::domain::evidence::{Filing, InvoiceMonth, InvoiceSide, TaxKind, TaxRecord, TaxpayerStatus};
use crate::domain::{Fen, Month, Uscc};
use crate::sandbox::Served;

/// The caller that the bureau knows, and its secret: values of the sandbox, printed in its documentation.
const APP_ID: &str = "sandbox-app";
const APP_SECRET: &str = "sandbox-secret-for-signing";
/// How far a timestamp may be from the bureau's clock, in seconds.
const SKEW_SECONDS_MAX: i64 = 300;
/// The longest nonce, in bytes.
const NONCE_BYTES_MAX: usize = 64;
/// How many nonces are kept at most: enough for five minutes of a bank's traffic, and a bound for the memory.
const NONCES_MAX: usize = 1_000_000;
/// Rows on a page when nothing is said, and at most.
const PAGE_ROWS_DEFAULT: usize = 50;
const PAGE_ROWS_MAX: usize = 200;

/// The nonces seen, each with the second in which it came.
#[derive(Default)]
pub(super) struct Nonces(Mutex<HashMap<String, i64>>);

impl Nonces {
    /// Whether the nonce is new; it is not from then on. A nonce is forgotten when its timestamp would be too old anyway.
    fn take(&self, nonce: &str, now_seconds: i64) -> bool {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.len() >= NONCES_MAX {
            seen.retain(|_, at| now_seconds - *at <= 2 * SKEW_SECONDS_MAX);
        }
        match seen.get(nonce) {
            Some(at) if now_seconds - at <= 2 * SKEW_SECONDS_MAX => false,
            _ if seen.len() >= NONCES_MAX => false,
            _ => seen.insert(nonce.to_owned(), now_seconds).is_none_or(|at| now_seconds > at),
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct TaxAsk {
    credit_code: Option<String>,
    page_no: Option<usize>,
    page_size: Option<usize>,
}

/// `GET /strange/tax/api/enterprise/tax`.
pub(super) async fn enterprise(
    request: HttpRequest,
    ask: Query<TaxAsk>,
    served: Data<Served>,
    nonces: Data<Nonces>,
) -> HttpResponse {
    if let Err(why) = admit(&request, &nonces) {
        return envelope(StatusCode::UNAUTHORIZED, "40101", why);
    }
    let Some(Ok(uscc)) = ask.credit_code.as_deref().map(str::parse::<Uscc>) else {
        return envelope(StatusCode::OK, "40001", "统一社会信用代码有误 (creditCode is missing or no credit code)");
    };
    let (page, size) = (ask.page_no.unwrap_or(1), ask.page_size.unwrap_or(PAGE_ROWS_DEFAULT));
    if page == 0 || !(1..=PAGE_ROWS_MAX).contains(&size) {
        return envelope(StatusCode::OK, "40002", "分页参数有误 (pageNo counts from 1, pageSize is from 1 to 200)");
    }
    let record = match &**served {
        Served::District(district) => district.find(&uscc).and_then(|firm| firm.tax),
        Served::Replay(firms) => firms.find(&uscc).map(|firm| firm.tax.clone()),
    };
    match record {
        None => envelope(StatusCode::OK, "40400", "查无此户 (no such taxpayer)"),
        Some(record) => {
            HttpResponse::Ok().json(json!({"code": "0000", "msg": "ok", "data": data(&uscc, &record, page, size)}))
        }
    }
}

fn envelope(status: StatusCode, code: &str, msg: &str) -> HttpResponse {
    HttpResponse::build(status).json(json!({"code": code, "msg": msg}))
}

/// Lets a request in that is signed with the secret, recent, and new.
fn admit(request: &HttpRequest, nonces: &Nonces) -> Result<(), &'static str> {
    let header = |name: &str| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let (timestamp, nonce) = (header("X-Timestamp"), header("X-Nonce"));
    if header("X-App-Id") != APP_ID {
        return Err("应用未知 (X-App-Id is unknown)");
    }
    if nonce.is_empty() || nonce.len() > NONCE_BYTES_MAX {
        return Err("随机数有误 (X-Nonce must have 1 to 64 bytes)");
    }
    let signature = hex::decode(header("X-Sign")).map_err(|_| "签名有误 (X-Sign is not hexadecimal)")?;
    let signed = |body_digest: String| {
        let (method, path, query) = (request.method().as_str(), request.uri().path(), request.query_string());
        [method, path, query, &body_digest, timestamp, nonce].join("\n")
    };
    // A GET has no body: its digest is that of nothing.
    let right = match header("X-Sign-Algorithm") {
        "SM3" => is_signed::<Hmac<Sm3>>(&signed(hex::encode(Sm3::digest(b""))), &signature),
        "SHA-256" => is_signed::<Hmac<Sha256>>(&signed(hex::encode(Sha256::digest(b""))), &signature),
        _ => return Err("签名算法有误 (X-Sign-Algorithm must be SM3 or SHA-256)"),
    };
    if !right {
        return Err("签名有误 (X-Sign is not the signature of this request)");
    }
    let now = Timestamp::now().as_second();
    let recent = timestamp.parse::<i64>().is_ok_and(|at| now.abs_diff(at) <= SKEW_SECONDS_MAX.unsigned_abs());
    if !recent {
        return Err("时间戳过期 (X-Timestamp is more than 300 seconds from the bureau's clock)");
    }
    if nonces.take(nonce, now) { Ok(()) } else { Err("重复请求 (X-Nonce has been used)") }
}

fn is_signed<M: Mac + KeyInit>(text: &str, signature: &[u8]) -> bool {
    let Ok(mac) = <M as KeyInit>::new_from_slice(APP_SECRET.as_bytes()) else { return false };
    mac.chain_update(text.as_bytes()).verify_slice(signature).is_ok()
}

/// One page of the declarations and then the invoices, counted as one list. What is not shared is null on every page: it must not
/// look like rows that do not exist.
fn data(uscc: &Uscc, record: &TaxRecord, page: usize, size: usize) -> Value {
    let declarations: Option<Vec<Value>> = record.filings.as_ref().map(|rows| rows.iter().map(declaration).collect());
    let invoiced: Option<Vec<Value>> = record.invoices.as_ref().map(|rows| rows.iter().map(invoices).collect());
    let before = declarations.as_ref().map_or(0, Vec::len);
    let total = before + invoiced.as_ref().map_or(0, Vec::len);
    let from = (page - 1).saturating_mul(size);
    let list = json!({
        "declarations": declarations.map(|rows| window(&rows, 0, from, size)),
        "invoices": invoiced.map(|rows| window(&rows, before, from, size)),
    });
    let state = record.status.map(|status| match status {
        TaxpayerStatus::Normal => "正常",
        TaxpayerStatus::Abnormal => "非正常户",
        TaxpayerStatus::Deregistered => "注销",
    });
    let mut data = json!({
        "creditCode": uscc,
        "taxpayerName": record.name,
        "asOf": day(record.as_of),
        "state": state,
        "industry": record.industry,
        "registerDate": record.registered_on.map(day),
        "staff": record.declared_heads.map(|heads| heads.to_string()),
        "totalAssets": record.total_assets.map(yuan),
        "arrears": record.arrears.map(|a| json!({"amount": yuan(a.amount), "since": a.since.map(day)})),
        "invoicesFrom": record.invoices_since.map(month),
        "total": total,
        "pageNo": page,
        "pageSize": size,
        "list": list,
    });
    // Null where the taxpayer is not rated; left out where the bureau does not share it.
    if let Some(rating) = record.rating {
        data["credit"] = json!(rating.map(|rating| json!({"grade": rating.grade, "year": rating.year.to_string()})));
    }
    data
}

/// Of rows before which there are `before` others, those among the `size` that follow the first `from` of all.
fn window(rows: &[Value], before: usize, from: usize, size: usize) -> Vec<Value> {
    let own = |at: usize| at.saturating_sub(before).min(rows.len());
    rows[own(from)..own(from.saturating_add(size))].to_vec()
}

fn declaration(filing: &Filing) -> Value {
    let tax = match filing.tax {
        TaxKind::Vat => "增值税",
        TaxKind::IncomeTax => "企业所得税",
    };
    json!({
        "period": month(filing.month), "taxType": tax, "income": yuan(filing.declared_revenue),
        "payable": yuan(filing.due), "paid": yuan(filing.paid), "deadline": day(filing.due_on),
        "declareDate": filing.filed_on.map(day),
    })
}

fn invoices(month_of: &InvoiceMonth) -> Value {
    json!({
        "period": month(month_of.month), "out": side(&month_of.sales), "in": side(&month_of.purchases),
    })
}

fn side(side: &InvoiceSide) -> Value {
    json!({
        "num": side.count.to_string(), "amount": yuan(side.amount), "tax": yuan(side.tax),
        "parties": side.counterparties, "voided": side.void_count, "red": side.red_count,
        "redAmount": yuan(side.red_amount), "largestShare": side.top_share.to_string(),
    })
}

fn month(month: Month) -> String {
    format!("{:04}{:02}", month.year(), month.month())
}

fn day(date: Date) -> String {
    date.strftime("%Y%m%d").to_string()
}

/// Yuan with two decimals and a comma between thousands: `-12,345.67`.
fn yuan(amount: Fen) -> String {
    let (sign, fen) = (if amount.0 < 0 { "-" } else { "" }, amount.0.unsigned_abs());
    let digits = (fen / 100).to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{sign}{grouped}.{:02}", fen % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn yuan_have_commas_between_thousands_and_two_decimals() {
        let written = [0, 5, -123, 1_234_567, 100_000_000, -10_000_000].map(|fen| yuan(Fen(fen)));
        assert_eq!(written, ["0.00", "0.05", "-1.23", "12,345.67", "1,000,000.00", "-100,000.00"]);
    }

    #[test]
    fn pages_go_on_from_the_one_list_to_the_other_and_bring_every_row_once() {
        let (first, second) = ([1, 2, 3].map(Value::from), [4, 5].map(Value::from));
        for size in 1..=6 {
            let pages =
                (0..6).map(|page| (window(&first, 0, page * size, size), window(&second, 3, page * size, size)));
            let pages: Vec<_> = pages.collect();
            assert!(pages.iter().all(|(a, b)| a.len() + b.len() <= size), "{size}");
            let (a, b): (Vec<_>, Vec<_>) = pages.into_iter().unzip();
            assert_eq!((a.concat(), b.concat()), (first.to_vec(), second.to_vec()), "{size}");
        }
    }

    #[test]
    fn a_nonce_is_good_once_until_its_timestamp_would_be_too_old() {
        let nonces = Nonces::default();
        assert!(nonces.take("a", 1_000));
        assert!(!nonces.take("a", 1_600));
        assert!(nonces.take("b", 1_600));
        assert!(nonces.take("a", 1_601));
    }
}
