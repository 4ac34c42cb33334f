//! What came of the rows of a batch: the decided ones, and the error file. Written page by page, whatever their number.

use std::collections::VecDeque;

use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse, web};
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use utoipa::IntoParams;

use super::own;
use crate::decide::Decider;
use crate::domain::batch::{RowFault, SentRow};
use crate::domain::{Batch, Language};
use crate::http::api::decisions::as_it_stands;
use crate::http::auth::Bank;
use crate::http::problem::{Problem, ProblemBody, ProblemKind, Said, language};
use crate::store::{FailedRow, Store};

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RowsFormat {
    /// Comma-separated, UTF-8.
    Csv,
    /// One object of JSON on each line.
    Jsonl,
}

/// How to write rows.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct RowsAsk {
    /// `csv` (default) or `jsonl`.
    format: Option<RowsFormat>,
}

/// Which rows are written.
#[derive(Clone, Copy)]
enum Which {
    Decided,
    Failed,
}

struct Pages {
    store: web::Data<Store>,
    decider: web::Data<Decider>,
    batch: Batch,
    which: Which,
    format: RowsFormat,
    language: Language,
    /// The number of the last row written.
    after: u64,
    ready: VecDeque<Bytes>,
    ended: bool,
}

/// The decided rows of a batch, in the order of the file, as far as they are. Their number and their decision, in JSON lines whole, in CSV
/// its figures and reasons.
#[utoipa::path(get, path = "/v1/batches/{id}/results", tag = "batches", params(("id" = String, Path), RowsAsk), security(("bank_key" = [])), responses(
    (status = 200, description = "The rows", content_type = "text/csv", body = String),
    (status = 404, description = "No such batch of this bank", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn results(
    bank: Bank,
    request: HttpRequest,
    store: web::Data<Store>,
    decider: web::Data<Decider>,
) -> Result<HttpResponse, Problem> {
    rows(&bank, &request, store, decider, Which::Decided).await
}

/// The error file of a batch: the rows that have no decision, as they were sent, with their number, the column, what is wrong and what
/// to do.
#[utoipa::path(get, path = "/v1/batches/{id}/errors", tag = "batches", params(("id" = String, Path), RowsAsk), security(("bank_key" = [])), responses(
    (status = 200, description = "The rows", content_type = "text/csv", body = String),
    (status = 404, description = "No such batch of this bank", body = ProblemBody, content_type = "application/problem+json"),
))]
pub async fn errors(
    bank: Bank,
    request: HttpRequest,
    store: web::Data<Store>,
    decider: web::Data<Decider>,
) -> Result<HttpResponse, Problem> {
    rows(&bank, &request, store, decider, Which::Failed).await
}

async fn rows(
    bank: &Bank,
    request: &HttpRequest,
    store: web::Data<Store>,
    decider: web::Data<Decider>,
    which: Which,
) -> Result<HttpResponse, Problem> {
    let ask = web::Query::<RowsAsk>::from_query(request.query_string()).map_err(|_| {
        Problem::new(ProblemKind::Invalid)
            .detail(Said::new("查询参数只有 format，取 csv 或 jsonl", "the query takes format only, csv or jsonl"))
    })?;
    let (batch, language) = (own(bank, request, &store).await?, language(request));
    let format = ask.format.unwrap_or(RowsFormat::Csv);
    let content_type = match format {
        RowsFormat::Csv => "text/csv; charset=utf-8",
        RowsFormat::Jsonl => "application/x-ndjson",
    };
    let mut pages =
        Pages { store, decider, batch, which, format, language, after: 0, ready: VecDeque::new(), ended: false };
    if format == RowsFormat::Csv {
        pages.ready.push_back(pages.csv_header().into());
    }
    // A page that fails ends the answer before its end, which the bank sees.
    let written = stream::try_unfold(pages, async |mut pages: Pages| {
        while pages.ready.is_empty() && !pages.ended {
            pages.read().await?;
        }
        Ok::<_, actix_web::Error>(pages.ready.pop_front().map(|page| (page, pages)))
    });
    Ok(HttpResponse::Ok().content_type(content_type).streaming(Box::pin(written)))
}

impl Pages {
    /// Reads and writes a page.
    async fn read(&mut self) -> Result<(), Problem> {
        let page = match self.which {
            Which::Decided => self.decided().await?,
            Which::Failed => self.failed().await?,
        };
        self.ended = page.is_empty();
        if !page.is_empty() {
            self.ready.push_back(page.into());
        }
        Ok(())
    }

    async fn decided(&mut self) -> Result<String, Problem> {
        let mut page = String::new();
        for row in self.store.decided_rows(self.batch.id, self.batch.bank, self.after).await? {
            self.after = row.number;
            let reply = as_it_stands(row.record, row.case.as_ref(), &self.store, &self.decider, self.language).await?;
            let decision = serde_json::to_value(&reply).map_err(|_| Problem::new(ProblemKind::Internal))?;
            match self.format {
                RowsFormat::Jsonl => {
                    page.push_str(&json!({ "row": row.number, "decision": decision }).to_string());
                    page.push('\n');
                }
                RowsFormat::Csv => push_csv(&mut page, &decided_cells(row.number, &decision)),
            }
        }
        Ok(page)
    }

    async fn failed(&mut self) -> Result<String, Problem> {
        let mut page = String::new();
        for FailedRow { number, sent, fault } in self.store.failed_rows(self.batch.id, self.after).await? {
            self.after = number;
            let message = message(&fault, self.language);
            match self.format {
                RowsFormat::Jsonl => {
                    let line = json!({
                        "row": number, "column": fault.column, "code": fault.code, "message": message,
                        "sent": self.sent(&sent),
                    });
                    page.push_str(&line.to_string());
                    page.push('\n');
                }
                RowsFormat::Csv => {
                    let column = fault.column.unwrap_or_default();
                    let mut cells = vec![number.to_string(), column, fault.code, message];
                    match sent {
                        SentRow::Cells(sent) => cells.extend(sent),
                        SentRow::Line(line) => cells.push(line),
                    }
                    push_csv(&mut page, &cells);
                }
            }
        }
        Ok(page)
    }

    /// A row as it was sent, as JSON.
    fn sent(&self, sent: &SentRow) -> serde_json::Value {
        match (sent, &self.batch.header) {
            (SentRow::Cells(cells), Some(header)) if cells.len() == header.len() => header
                .iter()
                .cloned()
                .zip(cells.iter().map(|cell| json!(cell)))
                .collect::<serde_json::Map<_, _>>()
                .into(),
            (SentRow::Cells(cells), _) => json!(cells),
            (SentRow::Line(line), _) => serde_json::from_str(line).unwrap_or_else(|_| json!(line)),
        }
    }

    fn csv_header(&self) -> String {
        let mut names: Vec<String> = match self.which {
            Which::Decided => DECIDED_COLUMNS.map(str::to_owned).to_vec(),
            Which::Failed => ["row", "column", "code", "message"].map(str::to_owned).to_vec(),
        };
        if let Which::Failed = self.which {
            let own = self.batch.header.clone().unwrap_or_else(|| vec!["sent".to_owned()]);
            // A file that was mended and sent again after it was an error file has these names already.
            names.extend(own.into_iter().map(|name| if names_ours(&name) { format!("sent_{name}") } else { name }));
        }
        let mut line = String::new();
        push_csv(&mut line, &names);
        line
    }
}

fn names_ours(name: &str) -> bool {
    ["row", "column", "code", "message"].contains(&name)
}

/// What is wrong with a row, and what to do.
fn message(fault: &RowFault, language: Language) -> String {
    if let Some(said) = &fault.said {
        return match language {
            Language::ZhCn => said.zh.clone(),
            Language::En => said.en.clone(),
        };
    }
    let kind = ProblemKind::ALL.iter().find(|kind| kind.code() == fault.code);
    kind.map_or_else(|| fault.code.clone(), |kind| kind.title().in_language(language).to_owned())
}

/// The columns of decided rows.
const DECIDED_COLUMNS: [&str; 17] = [
    "row",
    "uscc",
    "decision_id",
    "outcome",
    "score",
    "score_low",
    "score_high",
    "probability_of_default",
    "grade",
    "limit_fen",
    "reason_1",
    "reason_2",
    "reason_3",
    "reason_4",
    "refer_reasons",
    "decided_at",
    "valid_until",
];

fn decided_cells(row: u64, decision: &serde_json::Value) -> Vec<String> {
    let text = |value: &serde_json::Value| match value {
        serde_json::Value::Null => String::new(),
        serde_json::Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let cell = |pointer: &str| decision.pointer(pointer).map(text).unwrap_or_default();
    let refer: Vec<String> =
        decision["refer_reasons"].as_array().into_iter().flatten().map(|reason| text(&reason["code"])).collect();
    let mut cells = vec![row.to_string()];
    cells.extend(
        [
            "/uscc",
            "/id",
            "/outcome",
            "/score",
            "/score_interval/low",
            "/score_interval/high",
            "/probability_of_default",
            "/grade",
            "/limit_fen",
            "/reasons/0/code",
            "/reasons/1/code",
            "/reasons/2/code",
            "/reasons/3/code",
        ]
        .map(cell),
    );
    cells.push(refer.join(" "));
    cells.extend(["/decided_at", "/valid_until"].map(cell));
    cells
}

/// Writes a line of CSV.
fn push_csv(out: &mut String, cells: &[String]) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        if cell.contains([',', '"', '\n', '\r']) {
            out.push('"');
            out.push_str(&cell.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(cell);
        }
    }
    out.push('\n');
}
