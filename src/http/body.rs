//! Request bodies: limited in size and in time, digested, parsed with the pointer of what is wrong.

use std::time::Duration;

use actix_web::http::header;
use actix_web::web::{Bytes, BytesMut};
use actix_web::{HttpRequest, web};
use futures_util::StreamExt;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::problem::{Problem, ProblemKind, Said};

/// How much body is read, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimits {
    /// Bytes.
    pub bytes_max: usize,
    /// Time until the last byte must be there.
    pub timeout: Duration,
}

/// A JSON body with the digest of its bytes.
pub struct Json<T> {
    /// What was sent.
    pub value: T,
    /// SHA-256 of the bytes, in hexadecimal.
    pub sha256: String,
}

/// Reads the body of `request` as JSON. Called by handlers rather than being an extractor, so that nothing of a body is looked
/// at before the caller's key was.
pub async fn read_json<T: DeserializeOwned>(request: &HttpRequest, payload: web::Payload) -> Result<Json<T>, Problem> {
    check_media_type(request)?;
    let bytes = read(request, payload).await?;
    let value = parse(&bytes)?;
    Ok(Json { value, sha256: hex::encode(Sha256::digest(&bytes)) })
}

fn check_media_type(request: &HttpRequest) -> Result<(), Problem> {
    let declared = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let media_type = declared.split(';').next().unwrap_or("").trim();
    if media_type.eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Problem::new(ProblemKind::MediaType))
}

async fn read(request: &HttpRequest, mut payload: web::Payload) -> Result<Bytes, Problem> {
    let limits = request
        .app_data::<web::Data<BodyLimits>>()
        .map_or(BodyLimits { bytes_max: 65_536, timeout: Duration::from_secs(10) }, |limits| ***limits);
    // Refused unread where it says itself that it is too long.
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if declared.and_then(|bytes| bytes.parse::<u64>().ok()).is_some_and(|bytes| bytes > limits.bytes_max as u64) {
        return Err(too_large(limits));
    }
    let whole = async {
        let mut body = BytesMut::new();
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Problem::new(ProblemKind::BodyMalformed))?;
            if body.len() + chunk.len() > limits.bytes_max {
                return Err(too_large(limits));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    };
    match tokio::time::timeout(limits.timeout, whole).await {
        Ok(body) => body,
        Err(_) => Err(Problem::new(ProblemKind::BodyTimeout)),
    }
}

fn too_large(limits: BodyLimits) -> Problem {
    let most = limits.bytes_max;
    Problem::new(ProblemKind::BodyTooLarge)
        .detail(Said::new(format!("至多 {most} 字节"), format!("at most {most} bytes")))
}

/// Parses JSON; what is not JSON at all is 400, what is JSON of another shape is 422 with a pointer.
fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut from = serde_json::Deserializer::from_slice(bytes);
    let parsed: Result<T, _> = serde_path_to_error::deserialize(&mut from);
    let value = parsed.map_err(|error| {
        let pointer = pointer_of(error.path());
        let inner = error.into_inner();
        match inner.classify() {
            serde_json::error::Category::Data => {
                let what = without_place(&inner);
                Problem::new(ProblemKind::Invalid)
                    .field(pointer, Said::new(format!("字段缺失、多余或格式不对：{what}"), what))
            }
            _ => malformed(&inner),
        }
    })?;
    from.end().map_err(|error| malformed(&error))?;
    Ok(value)
}

fn malformed(error: &serde_json::Error) -> Problem {
    let said = Said::new(format!("第 {} 行第 {} 列无法解析", error.line(), error.column()), error.to_string());
    Problem::new(ProblemKind::BodyMalformed).detail(said)
}

fn pointer_of(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    path.iter()
        .map(|segment| match segment {
            Segment::Seq { index } => format!("/{index}"),
            Segment::Map { key } => format!("/{}", key.replace('~', "~0").replace('/', "~1")),
            Segment::Enum { variant } => format!("/{variant}"),
            Segment::Unknown => "/".to_owned(),
        })
        .collect()
}

/// serde_json's message without its " at line 1 column 2": the pointer says where.
fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or(text.clone(), |(message, _)| message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Ask {
        #[allow(dead_code)] // only its parsing is of interest
        term_months: u32,
    }

    #[test]
    fn a_wrong_field_is_named_by_its_pointer() {
        let told = format!("{:?}", parse::<Ask>(br#"{"term_months":"twelve"}"#).unwrap_err());
        assert!(told.contains("/term_months") && told.contains("Invalid"), "{told}");
        let told = format!("{:?}", parse::<Ask>(br#"{"term_months":1,"x":2}"#).unwrap_err());
        assert!(told.contains("unknown field `x`"), "{told}");
    }

    #[test]
    fn what_is_not_json_is_malformed() {
        for body in [&b""[..], b"{", b"\xff", b"{\"term_months\":1} trailing", b"{\"term_months\":1,}"] {
            let told = format!("{:?}", parse::<Ask>(body).unwrap_err());
            assert!(told.contains("BodyMalformed"), "{told}");
        }
    }
}
