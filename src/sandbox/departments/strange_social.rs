//! A social insurance bureau of quite another shape: OAuth 2.0, JSON that was XML, amounts in 万元.
//!
//! It says the same of the same firms as the standard department. docs/strange-departments.md is its interface.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use actix_web::web::{Data, Form, Path};
use actix_web::{HttpRequest, HttpResponse, http::StatusCode};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::domain::evidence::{ContributionMonth, SocialInsuranceRecord};
use crate::domain::{Fen, Uscc};
use crate::sandbox::Served;

/// The caller that the bureau knows, and its secret: values of the sandbox, printed in its documentation.
const CLIENT_ID: &str = "sandbox-client";
const CLIENT_SECRET: &str = "sandbox-client-secret";
/// How long a token is good.
const TOKEN_SECONDS: i64 = 300;
/// How many tokens are kept at most, so that whoever asks without end fills no memory.
const TOKENS_MAX: usize = 10_000;

/// The tokens given out, each with the second at which it ends.
#[derive(Default)]
pub(super) struct Tokens(Mutex<HashMap<String, i64>>);

impl Tokens {
    /// A new token; `None` when too many are in use.
    fn give(&self, now_seconds: i64) -> Option<String> {
        let mut given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.retain(|_, ends| *ends > now_seconds);
        if given.len() >= TOKENS_MAX {
            return None;
        }
        let token = Uuid::new_v4().simple().to_string();
        given.insert(token.clone(), now_seconds + TOKEN_SECONDS);
        Some(token)
    }

    fn is_good(&self, token: &str, now_seconds: i64) -> bool {
        let given = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        given.get(token).is_some_and(|ends| *ends > now_seconds)
    }
}

#[derive(Deserialize)]
pub(super) struct TokenAsk {
    grant_type: String,
    client_id: Option<String>,
    client_secret: Option<String>,
}

/// `POST /strange/social/oauth/token`.
pub(super) async fn token(ask: Form<TokenAsk>, tokens: Data<Tokens>) -> HttpResponse {
    if ask.grant_type != "client_credentials" {
        return HttpResponse::BadRequest().json(json!({"error": "unsupported_grant_type"}));
    }
    if ask.client_id.as_deref() != Some(CLIENT_ID) || ask.client_secret.as_deref() != Some(CLIENT_SECRET) {
        return HttpResponse::Unauthorized().json(json!({"error": "invalid_client"}));
    }
    match tokens.give(Timestamp::now().as_second()) {
        Some(token) => HttpResponse::Ok()
            .insert_header(("Cache-Control", "no-store"))
            .json(json!({"access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS})),
        None => HttpResponse::ServiceUnavailable().json(json!({"error": "temporarily_unavailable"})),
    }
}

/// `GET /strange/social/query/{code}`.
pub(super) async fn query(
    request: HttpRequest,
    code: Path<String>,
    served: Data<Served>,
    tokens: Data<Tokens>,
) -> HttpResponse {
    let bearer = request.headers().get("Authorization").and_then(|value| value.to_str().ok());
    let token = bearer.and_then(|value| value.strip_prefix("Bearer ")).unwrap_or_default();
    if !tokens.is_good(token, Timestamp::now().as_second()) {
        let refusal = json!({"@code": "401", "@message": "令牌无效 (the token is unknown or over)"});
        return HttpResponse::Unauthorized()
            .insert_header(("WWW-Authenticate", "Bearer error=\"invalid_token\""))
            .json(soap(refusal));
    }
    let Ok(uscc) = code.parse::<Uscc>() else {
        let refusal = json!({"@code": "2", "@message": "代码有误 (not a credit code)"});
        return HttpResponse::build(StatusCode::BAD_REQUEST).json(soap(refusal));
    };
    let record = match &**served {
        Served::District(district) => district.find(&uscc).and_then(|firm| firm.social_insurance),
        Served::Replay(_) => None,
    };
    let response = match record {
        Some(record) => json!({"@code": "0", "unit": unit(&uscc, &record)}),
        None => json!({"@code": "1", "@message": "单位未参保 (the unit is not insured here)"}),
    };
    HttpResponse::Ok().json(soap(response))
}

fn soap(response: Value) -> Value {
    json!({"soap:Envelope": {"soap:Body": {"response": response}}})
}

fn unit(uscc: &Uscc, record: &SocialInsuranceRecord) -> Value {
    let mut months: Vec<Value> = record.months.iter().map(month).collect();
    // As converters from XML do: one element is no list, and none is nothing.
    let months = match months.len() {
        0 => Value::Null,
        1 => json!({"month": months.remove(0)}),
        _ => json!({"month": months}),
    };
    let arrears = record.arrears.map(|a| json!({"@months": a.months.to_string(), "amount": wan_yuan(a.amount)}));
    json!({
        "@uscc": uscc,
        "dataDate": record.as_of.strftime("%Y年%m月%d日").to_string(),
        "months": months,
        "arrears": arrears,
        "minimumBase": record.minimum_base.map(wan_yuan),
    })
}

fn month(month: &ContributionMonth) -> Value {
    json!({
        "@ym": month.month.first_day().strftime("%Y-%m").to_string(),
        "insured": {"#text": month.heads.to_string()},
        "base": wan_yuan(month.base),
        "due": wan_yuan(month.due),
        "paid": wan_yuan(month.paid),
    })
}

/// 万元 with six decimals: one fen is the last of them, so that nothing is rounded.
fn wan_yuan(amount: Fen) -> Value {
    let (sign, fen) = (if amount.0 < 0 { "-" } else { "" }, amount.0.unsigned_abs());
    json!({"#text": format!("{sign}{}.{:06}", fen / 1_000_000, fen % 1_000_000), "@unit": "万元"})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_fen_is_the_last_decimal_of_an_amount_in_ten_thousand_yuan() {
        let written = [1, 5_123_400, -1_000_000].map(|fen| wan_yuan(Fen(fen))["#text"].clone());
        assert_eq!(written, ["0.000001", "5.123400", "-1.000000"]);
    }

    #[test]
    fn a_token_ends_after_its_time_and_no_other_is_good() {
        let tokens = Tokens::default();
        let token = tokens.give(1_000).unwrap();
        assert!(tokens.is_good(&token, 1_299) && !tokens.is_good(&token, 1_300) && !tokens.is_good("", 1_000));
    }
}
