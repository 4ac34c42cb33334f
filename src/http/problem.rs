//! Errors as RFC 9457 problem details, from one table: code, status and texts stand in one place.

use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::decide::DecideError;
use crate::domain::language::Bilingual;
use crate::domain::{ConsentRefusal, Language};
use crate::store::StoreError;

macro_rules! problems {
    ($($(#[$doc:meta])* $name:ident = $status:literal, $code:literal, $zh:literal, $en:literal;)*) => {
        /// Every problem that the bank API answers with.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum ProblemKind { $($(#[$doc])* $name,)* }

        impl ProblemKind {
            /// All of them, for the documentation.
            pub const ALL: &'static [ProblemKind] = &[$(ProblemKind::$name,)*];

            /// The HTTP status.
            pub fn status(self) -> u16 {
                match self { $(ProblemKind::$name => $status,)* }
            }

            /// The stable code.
            pub fn code(self) -> &'static str {
                match self { $(ProblemKind::$name => $code,)* }
            }

            /// What happened and what to do.
            pub fn title(self) -> Bilingual {
                match self { $(ProblemKind::$name => Bilingual { zh: $zh, en: $en },)* }
            }
        }
    };
}

problems! {
    /// The body is not JSON.
    BodyMalformed = 400, "BODY_MALFORMED", "请求体不是有效的 JSON", "The body is not valid JSON";
    /// No key, or one that is not known or revoked.
    Unauthorized = 401, "UNAUTHORIZED", "缺少有效的 API 密钥，请在 Authorization 头中使用 Bearer 密钥", "A valid API key is missing; send it as a Bearer token in the Authorization header";
    /// No consent is named.
    ConsentMissing = 403, "CONSENT_MISSING", "未提供企业授权，请先登记授权并填写 consent_id", "No consent is named; register the firm's consent first and give its consent_id";
    /// There is no such consent with this bank.
    ConsentUnknown = 403, "CONSENT_UNKNOWN", "本行没有此项授权", "This bank holds no such consent";
    /// The consent was given by another firm.
    ConsentOtherFirm = 403, "CONSENT_OTHER_FIRM", "授权企业与所查企业不一致", "The consent was given by another firm";
    /// The consent was revoked.
    ConsentRevoked = 403, "CONSENT_REVOKED", "企业已撤回授权", "The firm has revoked the consent";
    /// The consent covered one look, which was made.
    ConsentUsed = 403, "CONSENT_USED", "该授权仅限使用一次，已经使用，请重新取得授权", "The consent covered one decision and is used up; ask the firm for a new one";
    /// The consent has expired.
    ConsentExpired = 403, "CONSENT_EXPIRED", "授权已过期，请重新取得授权", "The consent has expired; ask the firm for a new one";
    /// The consent does not cover the purpose.
    ConsentOtherPurpose = 403, "CONSENT_OTHER_PURPOSE", "授权范围不包括此用途", "The consent does not cover this purpose";
    /// There is no such thing, or it is another bank's, which is not told apart.
    NotFound = 404, "NOT_FOUND", "没有找到", "There is no such thing here";
    /// The method is not offered.
    MethodNotAllowed = 405, "METHOD_NOT_ALLOWED", "此地址不支持该方法", "This address does not offer that method";
    /// The body did not arrive in time.
    BodyTimeout = 408, "BODY_TIMEOUT", "请求体未能按时到达，请重试", "The body did not arrive in time; try again";
    /// The bank has disputed the same fact and has no answer yet.
    DisputeOpen = 409, "DISPUTE_OPEN", "该事实已有异议在处理，请等待书面答复", "This fact is disputed already; wait for the written answer";
    /// As many disputes on this part of the firm's data are open as may be.
    DisputeLimit = 409, "DISPUTE_LIMIT", "该企业此项数据待答复的异议已达上限，请等待书面答复", "As many disputes on this part of the firm's data are open as may be; wait for the written answers";
    /// The bank has as many webhooks as it may have.
    WebhookLimit = 409, "WEBHOOK_LIMIT", "本行的 webhook 已达上限，请先删除不用的", "This bank has as many webhooks as it may have; delete one that is not used";
    /// The webhook is disabled, so that nothing is sent to it.
    WebhookDisabled = 409, "WEBHOOK_DISABLED", "该 webhook 已停用，请先用 PATCH 启用", "The webhook is disabled; enable it first, with PATCH";
    /// The body is too large.
    BodyTooLarge = 413, "BODY_TOO_LARGE", "请求体过大", "The body is too large";
    /// The body is not declared as JSON.
    MediaType = 415, "MEDIA_TYPE", "请以 application/json 提交", "Send application/json";
    /// A field is missing, unknown or out of its range.
    Invalid = 422, "INVALID", "请求内容有误，请按 errors 逐项改正", "The request has errors; correct each of them";
    /// A file of requests cannot be taken in.
    BatchFileInvalid = 422, "BATCH_FILE_INVALID", "文件无法读取，请按 detail 改正后重新提交", "The file cannot be taken in; correct what detail names and send it again";
    /// The firm's code is wrong.
    CodeInvalid = 422, "CODE_INVALID", "统一社会信用代码有误，请核对后重新填写", "The unified social credit code is wrong; check it against the licence";
    /// The idempotency key cannot be used.
    IdempotencyKeyInvalid = 422, "IDEMPOTENCY_KEY_INVALID", "Idempotency-Key 须为1至255个可见 ASCII 字符", "An Idempotency-Key has 1 to 255 visible ASCII characters";
    /// The idempotency key was used with another body.
    IdempotencyKeyReused = 422, "IDEMPOTENCY_KEY_REUSED", "该 Idempotency-Key 已用于另一请求，请更换", "This Idempotency-Key was used with another body; take a new one";
    /// Too many requests of this bank.
    QuotaExceeded = 429, "QUOTA_EXCEEDED", "请求过于频繁，请按 Retry-After 稍后重试", "Too many requests; try again after Retry-After";
    /// Something that should not happen.
    Internal = 500, "INTERNAL", "系统内部错误，请凭 request_id 联系我们", "Something went wrong on our side; quote the request_id";
    /// More is asked than can be done in time.
    Overloaded = 503, "OVERLOADED", "系统繁忙，请按 Retry-After 稍后重试", "The service has too much to do now; try again after Retry-After";
    /// The store is not available.
    Unavailable = 503, "UNAVAILABLE", "服务暂时不可用，请按 Retry-After 稍后重试", "The service is not available now; try again after Retry-After";
}

/// What is wrong with one field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// JSON pointer to the field, for instance `/amount_fen`.
    pub pointer: String,
    /// What is wrong and what it must be.
    pub detail: String,
}

/// The body of every error answer, `application/problem+json`.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ProblemBody {
    /// A URI that identifies the kind of problem.
    #[serde(rename = "type")]
    pub kind: String,
    /// What happened and what to do, in the reader's language.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code.
    pub code: String,
    /// More on this occurrence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// What is wrong with which field.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<FieldError>,
    /// What to quote when asking for help; also in the `X-Request-Id` header.
    pub request_id: String,
}

/// More on an occurrence, in both languages, with its figures written in.
#[derive(Debug, Clone)]
pub struct Said {
    /// zh-CN.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Said {
    /// A text in both languages.
    pub fn new(zh: impl Into<String>, en: impl Into<String>) -> Said {
        Said { zh: zh.into(), en: en.into() }
    }

    fn in_language(&self, language: Language) -> String {
        match language {
            Language::ZhCn => self.zh.clone(),
            Language::En => self.en.clone(),
        }
    }
}

/// A problem on its way to the bank.
#[derive(Debug)]
pub struct Problem {
    kind: ProblemKind,
    detail: Option<Said>,
    errors: Vec<(String, Said)>,
    retry_after: Option<Duration>,
}

/// The id under which a request is logged and answered.
#[derive(Debug, Clone)]
pub struct RequestId(pub String);

impl Problem {
    /// A problem of this kind.
    pub fn new(kind: ProblemKind) -> Problem {
        let retry_after =
            matches!(kind, ProblemKind::Unavailable | ProblemKind::Overloaded).then_some(Duration::from_secs(1));
        Problem { kind, detail: None, errors: Vec::new(), retry_after }
    }

    /// With more on this occurrence.
    pub fn detail(mut self, detail: Said) -> Problem {
        self.detail = Some(detail);
        self
    }

    /// With what is wrong with a field.
    pub fn field(mut self, pointer: impl Into<String>, detail: Said) -> Problem {
        self.errors.push((pointer.into(), detail));
        self
    }

    /// To be tried again after this time.
    pub fn retry_after(mut self, wait: Duration) -> Problem {
        self.retry_after = Some(wait);
        self
    }

    /// The answer to `request`.
    pub fn answer(&self, request: &HttpRequest) -> HttpResponse {
        let language = language(request);
        let request_id = request.extensions().get::<RequestId>().map(|id| id.0.clone()).unwrap_or_default();
        let body = ProblemBody {
            kind: format!("urn:yuxin:problem:{}", self.kind.code().to_ascii_lowercase().replace('_', "-")),
            title: self.kind.title().in_language(language).to_owned(),
            status: self.kind.status(),
            code: self.kind.code().to_owned(),
            detail: self.detail.as_ref().map(|said| said.in_language(language)),
            errors: self
                .errors
                .iter()
                .map(|(pointer, said)| FieldError { pointer: pointer.clone(), detail: said.in_language(language) })
                .collect(),
            request_id,
        };
        let mut response = HttpResponse::build(self.status_code());
        response.content_type("application/problem+json");
        response.insert_header((header::CONTENT_LANGUAGE, language.tag()));
        if let Some(wait) = self.retry_after {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            response.insert_header((header::RETRY_AFTER, HeaderValue::from(seconds.max(1))));
        }
        if self.kind == ProblemKind::Unauthorized {
            response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"yuxin\""));
        }
        response.json(body)
    }
}

/// The language that a bank reads.
pub fn language(request: &HttpRequest) -> Language {
    let accept = request.headers().get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Language::from_accept_language(accept.unwrap_or(""))
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.code())
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::Unavailable(_) => {
                tracing::error!(%error, "the store is not available");
                Problem::new(ProblemKind::Unavailable)
            }
            other => {
                tracing::error!(error = %other, "the store failed");
                Problem::new(ProblemKind::Internal)
            }
        }
    }
}

impl From<DecideError> for Problem {
    fn from(error: DecideError) -> Problem {
        let kind = match error {
            DecideError::Store(store) => return store.into(),
            DecideError::ConsentUnknown => ProblemKind::ConsentUnknown,
            DecideError::ConsentRefused(ConsentRefusal::ForeignBank) => ProblemKind::ConsentUnknown,
            DecideError::ConsentRefused(ConsentRefusal::OtherFirm) => ProblemKind::ConsentOtherFirm,
            DecideError::ConsentRefused(ConsentRefusal::Revoked) => ProblemKind::ConsentRevoked,
            DecideError::ConsentRefused(ConsentRefusal::Used) => ProblemKind::ConsentUsed,
            DecideError::ConsentRefused(ConsentRefusal::Expired) => ProblemKind::ConsentExpired,
            DecideError::ConsentRefused(ConsentRefusal::OtherPurpose) => ProblemKind::ConsentOtherPurpose,
        };
        Problem::new(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_texts_exist_in_both_languages() {
        for (i, kind) in ProblemKind::ALL.iter().enumerate() {
            assert!(ProblemKind::ALL[..i].iter().all(|other| other.code() != kind.code()), "{}", kind.code());
            assert!((400..600).contains(&kind.status()));
            assert!(!kind.title().zh.is_ascii() && kind.title().en.is_ascii());
        }
    }
}
