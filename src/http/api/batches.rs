//! Batches: files of requests sent, followed, cancelled.

pub mod results;

use std::io::Write;
use std::time::Duration;

use actix_web::http::{StatusCode, header};
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::StreamExt;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use utoipa::{IntoParams, ToSchema};

use super::idempotency::KeysInUse;
use crate::batch::{Batches, FileFault, FileFormat, SubmitError, Submitted};
use crate::domain::{Batch, BatchId};
use crate::http::auth::Bank;
use crate::http::problem::{Problem, ProblemBody, ProblemKind, Said};
use crate::store::Store;

/// The route under which idempotency keys of batches are kept.
const ROUTE: &str = "POST /v1/batches";
/// Batches on one page of a list.
const PAGE: u32 = 50;
/// When to try again while other files are read, and while too many rows wait.
const BUSY: Duration = Duration::from_secs(5);
const TOO_MANY: Duration = Duration::from_secs(60);

/// A batch and how far it is.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchReply {
    /// Its id, a UUID v7.
    id: String,
    /// `file`, or `portfolio` for decisions judged anew on a schedule.
    kind: &'static str,
    /// `queued`, `running`, `done` or `cancelled`.
    state: &'static str,
    /// All rows.
    rows: u64,
    /// Rows without an end yet.
    waiting: u64,
    /// Rows that are decided.
    done: u64,
    /// Rows that cannot be decided; the error file says why.
    failed: u64,
    /// Rows given up when the batch was cancelled.
    cancelled: u64,
    #[schema(value_type = String, format = DateTime)]
    created_at: Timestamp,
    /// When its first row was begun.
    #[schema(value_type = Option<String>, format = DateTime)]
    started_at: Option<Timestamp>,
    #[schema(value_type = Option<String>, format = DateTime)]
    cancelled_at: Option<Timestamp>,
    /// When its last row had its end.
    #[schema(value_type = Option<String>, format = DateTime)]
    finished_at: Option<Timestamp>,
    /// Where the decided rows are, as far as they are.
    results: String,
    /// Where the failed rows are.
    errors: String,
}

impl From<&Batch> for BatchReply {
    fn from(batch: &Batch) -> BatchReply {
        let counts = batch.counts;
        BatchReply {
            id: batch.id.to_string(),
            kind: batch.kind.as_str(),
            state: batch.state.as_str(),
            rows: counts.rows,
            waiting: counts.waiting(),
            done: counts.done,
            failed: counts.failed,
            cancelled: counts.cancelled,
            created_at: batch.created_at,
            started_at: batch.started_at,
            cancelled_at: batch.cancelled_at,
            finished_at: batch.finished_at,
            results: format!("/v1/batches/{}/results", batch.id),
            errors: format!("/v1/batches/{}/errors", batch.id),
        }
    }
}

/// A page of batches, newest first.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchPage {
    batches: Vec<BatchReply>,
    /// Where the next page begins; null on the last one.
    next_cursor: Option<String>,
}

/// Which batches to list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct BatchesAsk {
    /// Where the last page ended: its `next_cursor`.
    cursor: Option<String>,
}

/// Takes a file of requests in: the file is the body, its kind the `Content-Type` (`text/csv`, the one of XLSX, `application/x-ndjson`).
/// Columns, or fields: `uscc`, `consent_id`, `purpose`, `amount_fen` or `amount_yuan`, `term_months`; further ones are left alone. Rows
/// that are wrong stop no other. The batch is on disk before the answer is sent; its rows are decided behind live requests.
#[utoipa::path(post, path = "/v1/batches", tag = "batches", security(("bank_key" = [])),
    request_body(content = String, content_type = "text/csv"),
    params(("Idempotency-Key" = Option<String>, Header, description = "A repetition with the same file gets the same batch, for 72 hours")),
    responses(
        (status = 202, description = "Taken in", body = BatchReply),
        (status = 413, description = "Too many bytes or rows", body = ProblemBody, content_type = "application/problem+json"),
        (status = 415, description = "Not a kind of file that is read", body = ProblemBody, content_type = "application/problem+json"),
        (status = 422, description = "The file cannot be read; row and column are named", body = ProblemBody, content_type = "application/problem+json"),
        (status = 429, description = "Too many rows wait", body = ProblemBody, content_type = "application/problem+json"),
        (status = 503, description = "Not available now", body = ProblemBody, content_type = "application/problem+json"),
    ))]
pub async fn submit(
    bank: Bank,
    request: HttpRequest,
    payload: web::Payload,
    batches: web::Data<Batches>,
    store: web::Data<Store>,
    keys: web::Data<KeysInUse>,
) -> Result<HttpResponse, Problem> {
    let (format, charset) = format_of(&request)?;
    // Gone with everything in it when this ends, however it ends.
    let folder = tempfile::tempdir().map_err(disk)?;
    let (path, sha256) = receive(&request, payload, &batches, &folder, format).await?;
    let keyed = keys.take(&request, bank.id(), ROUTE, &sha256, &store).await?;
    if let Some(earlier) = keyed.earlier(&store, Timestamp::now()).await? {
        return Ok(earlier);
    }
    let mut body = String::new();
    let remember = |batch: &Batch| {
        body = serde_json::to_string(&BatchReply::from(batch)).unwrap_or_default();
        keyed.entry(StatusCode::ACCEPTED, &body)
    };
    match batches.submit(bank.id(), &path, format, charset, remember).await? {
        Submitted::Taken(batch) => {
            let mut answer = HttpResponse::Accepted();
            answer.insert_header((header::LOCATION, format!("/v1/batches/{}", batch.id)));
            Ok(answer.content_type("application/json").body(body))
        }
        Submitted::Replayed(reply) => keyed.replay(reply),
    }
}

/// What kind of file the request says that it brings, and in which encoding.
fn format_of(request: &HttpRequest) -> Result<(FileFormat, Option<String>), Problem> {
    let declared = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let mut parts = declared.split(';').map(str::trim);
    let media_type = parts.next().unwrap_or("").to_ascii_lowercase();
    let format = match media_type.as_str() {
        "text/csv" | "application/csv" => FileFormat::Csv,
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => FileFormat::Xlsx,
        "application/x-ndjson" | "application/ndjson" | "application/jsonl" | "application/json-lines" => {
            FileFormat::JsonLines
        }
        _ => {
            return Err(Problem::new(ProblemKind::MediaType).detail(Said::new(
                "文件本身即请求体（不用 multipart）：CSV 为 text/csv，Excel 为 \
                 application/vnd.openxmlformats-officedocument.spreadsheetml.sheet，JSON 行为 application/x-ndjson",
                "the file itself is the body (no multipart): text/csv for CSV, \
                 application/vnd.openxmlformats-officedocument.spreadsheetml.sheet for XLSX, application/x-ndjson for JSON lines",
            )));
        }
    };
    let charset = parts.find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"').to_owned())
    });
    Ok((format, charset))
}

/// Writes the body to a file in `folder`; gives its path and the SHA-256 of its bytes.
async fn receive(
    request: &HttpRequest,
    mut payload: web::Payload,
    batches: &Batches,
    folder: &TempDir,
    format: FileFormat,
) -> Result<(std::path::PathBuf, String), Problem> {
    let limits = batches.limits();
    let too_large = || {
        let most = limits.bytes_max;
        Problem::new(ProblemKind::BodyTooLarge).detail(Said::new(
            format!("文件至多 {most} 字节，请拆分"),
            format!("a file has at most {most} bytes: split it"),
        ))
    };
    let declared = request.headers().get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok());
    if declared.and_then(|bytes| bytes.parse::<u64>().ok()).is_some_and(|bytes| bytes > limits.bytes_max as u64) {
        return Err(too_large());
    }
    let path = folder.path().join(format!("sent{}", format.ending()));
    let mut file = std::fs::File::create(&path).map_err(disk)?;
    let whole = async {
        let (mut digest, mut count) = (Sha256::new(), 0);
        while let Some(chunk) = payload.next().await {
            let chunk = chunk.map_err(|_| Problem::new(ProblemKind::BodyMalformed))?;
            count += chunk.len();
            if count > limits.bytes_max {
                return Err(too_large());
            }
            digest.update(&chunk);
            // A few kilobytes into the page cache.
            file.write_all(&chunk).map_err(disk)?;
        }
        Ok(hex::encode(digest.finalize()))
    };
    match tokio::time::timeout(limits.timeout, whole).await {
        Ok(sha256) => Ok((path, sha256?)),
        Err(_) => Err(Problem::new(ProblemKind::BodyTimeout)),
    }
}

fn disk(error: std::io::Error) -> Problem {
    tracing::error!(error = %error.kind(), "a file cannot wait on the disk");
    Problem::new(ProblemKind::Unavailable)
}

impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Problem {
        match error {
            SubmitError::File(fault) => fault.into(),
            SubmitError::TooManyWaiting { waiting } => Problem::new(ProblemKind::QuotaExceeded)
                .detail(Said::new(
                    format!("本行已有 {waiting} 行等待处理，请稍后再提交"),
                    format!("{waiting} rows of this bank wait already: send the file later"),
                ))
                .retry_after(TOO_MANY),
            SubmitError::Busy => Problem::new(ProblemKind::Unavailable).retry_after(BUSY),
            SubmitError::Store(error) => error.into(),
        }
    }
}

impl From<FileFault> for Problem {
    fn from(fault: FileFault) -> Problem {
        let kind = if fault.too_large { ProblemKind::BodyTooLarge } else { ProblemKind::BatchFileInvalid };
        let row = fault.row;
        let zh_place = row.map_or_else(String::new, |row| format!("第{row}行："));
        let en_place = row.map_or_else(String::new, |row| format!("row {row}: "));
        let said = Said::new(format!("{zh_place}{}", fault.said.zh), format!("{en_place}{}", fault.said.en));
        let problem = Problem::new(kind).detail(said.clone());
        match (row, fault.column) {
            (Some(row), Some(column)) => problem.field(format!("/{row}/{column}"), said),
            (Some(row), None) => problem.field(format!("/{row}"), said),
            _ => problem,
        }
    }
}

fn id_of(request: &HttpRequest) -> Result<BatchId, Problem> {
    request.match_info().query("id").parse().map_err(|_| Problem::new(ProblemKind::NotFound))
}

/// The batch that the request names, if it is this bank's.
async fn own(bank: &Bank, request: &HttpRequest, store: &Store) -> Result<Batch, Problem> {
    store.batch(id_of(request)?, bank.id()).await?.ok_or_else(|| Problem::new(ProblemKind::NotFound))
}

/// Shows how far a batch is.
#[utoipa::path(get, path = "/v1/batches/{id}", tag = "batches", params(("id" = String, Path)), security(("bank_key" = [])), responses(
    (status = 200, description = "The batch", body = BatchReply),
    (status = 404, description = "No such batch of this bank", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn show(bank: Bank, request: HttpRequest, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    Ok(HttpResponse::Ok().json(BatchReply::from(&own(&bank, &request, &store).await?)))
}

/// Lists this bank's batches, newest first.
#[utoipa::path(get, path = "/v1/batches", tag = "batches", params(BatchesAsk), security(("bank_key" = [])), responses(
    (status = 200, description = "A page of batches", body = BatchPage),
    (status = 422, description = "The query has errors", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn list(bank: Bank, request: HttpRequest, store: web::Data<Store>) -> Result<HttpResponse, Problem> {
    let invalid = || {
        Problem::new(ProblemKind::Invalid).detail(Said::new(
            "查询参数只有 cursor，请取上一页的 next_cursor",
            "the query takes cursor only, the next_cursor of the last page",
        ))
    };
    let ask = web::Query::<BatchesAsk>::from_query(request.query_string()).map_err(|_| invalid())?;
    let after: Option<BatchId> = ask.cursor.as_deref().map(str::parse).transpose().map_err(|_| invalid())?;
    let mut found = store.batches_of(bank.id(), after, PAGE + 1).await?;
    let more = found.len() > PAGE as usize;
    found.truncate(PAGE as usize);
    let next_cursor = found.last().filter(|_| more).map(|batch| batch.id.to_string());
    Ok(HttpResponse::Ok().json(BatchPage { batches: found.iter().map(BatchReply::from).collect(), next_cursor }))
}

/// Cancels a batch: rows not yet begun are given up, those under way finish. `DELETE /v1/batches/{id}` does the same.
#[utoipa::path(post, path = "/v1/batches/{id}/cancel", tag = "batches", params(("id" = String, Path)), security(("bank_key" = [])), responses(
    (status = 200, description = "The batch as it is now", body = BatchReply),
    (status = 404, description = "No such batch of this bank", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn cancel(bank: Bank, request: HttpRequest, batches: web::Data<Batches>) -> Result<HttpResponse, Problem> {
    let cancelled = batches.cancel(id_of(&request)?, bank.id()).await?;
    let batch = cancelled.ok_or_else(|| Problem::new(ProblemKind::NotFound))?;
    Ok(HttpResponse::Ok().json(BatchReply::from(&batch)))
}
