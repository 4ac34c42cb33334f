//! A file of requests is decided row by row: none is lost, none is decided twice, and what is wrong with a row is told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use reqwest::Response;
use rstest::rstest;
use serde_json::{Value, json};

use crate::support::service::{Bank, Sandbox, Service};
use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::Place;

const HEADER: &str = "uscc,consent_id,purpose,amount_fen,term_months";
const XLSX: &str = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet";

async fn send(bank: &Bank, content_type: &str, file: impl Into<reqwest::Body>) -> Response {
    bank.post("/v1/batches").header("content-type", content_type).body(file).send().await.unwrap()
}

async fn taken(response: Response) -> String {
    let status = response.status();
    let body: Value = response.json().await.unwrap();
    assert_eq!(status, 202, "{body}");
    body["id"].as_str().unwrap().to_owned()
}

async fn state(bank: &Bank, id: &str) -> Value {
    bank.get(&format!("/v1/batches/{id}")).send().await.unwrap().json().await.unwrap()
}

/// Waits until every row has its end.
async fn finished(bank: &Bank, id: &str) -> Value {
    let began = Instant::now();
    loop {
        let now = state(bank, id).await;
        if !now["finished_at"].is_null() {
            return now;
        }
        assert!(began.elapsed() < Duration::from_secs(240), "it does not finish: {now}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

async fn lines(bank: &Bank, id: &str, what: &str) -> Vec<Value> {
    let response = bank.get(&format!("/v1/batches/{id}/{what}?format=jsonl")).send().await.unwrap();
    assert_eq!(response.status(), 200);
    response.text().await.unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// A consent of each firm.
async fn consents(bank: &Bank, firms: &[String]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for firm in firms {
        found.push((firm.clone(), bank.consent(firm).await));
    }
    found
}

/// `rows` rows about these firms by turns; the term tells them apart.
fn csv(consents: &[(String, String)], rows: usize) -> String {
    let mut text = format!("{HEADER}\n");
    for n in 0..rows {
        let (firm, consent) = &consents[n % consents.len()];
        text.push_str(&format!("{firm},{consent},working_capital,{},12\n", 100_000 + n));
    }
    text
}

/// Every row is decided once: nothing lost, nothing doubled, also in the bank's own list.
async fn reconcile(bank: &Bank, id: &str, rows: usize) {
    let decided = lines(bank, id, "results").await;
    let numbers: Vec<u64> = decided.iter().map(|line| line["row"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (2..rows as u64 + 2).collect::<Vec<_>>());
    let ids: BTreeSet<&str> = decided.iter().map(|line| line["decision"]["id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), rows, "two rows have one decision");
    let (mut cursor, mut listed) = (String::new(), BTreeMap::<String, usize>::new());
    loop {
        let page: Value = bank.get(&format!("/v1/decisions{cursor}")).send().await.unwrap().json().await.unwrap();
        for decision in page["decisions"].as_array().unwrap() {
            *listed.entry(decision["id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("?cursor={next}"),
            None => break,
        }
    }
    assert_eq!(listed.len(), rows, "a row was decided twice");
    assert!(listed.keys().all(|decision| ids.contains(decision.as_str())));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_file_is_decided_and_the_error_file_says_what_is_wrong(
    #[values(Sqlite, Postgresql)] engine: Engine,
) {
    let Some(place) = Place::on(engine).await else { return };
    let sandbox = Sandbox::start(&[]);
    let service = Service::start_with(&sandbox.url, &[("YUXIN_STORE__URL", &place.url)]);
    let (bank, other) = (service.bank("First Bank"), service.bank("Second Bank"));
    let firms = consents(&bank, &sandbox.firms(2).await).await;
    let (firm, consent) = &firms[0];
    let text = format!(
        "{HEADER},用途说明\n{firm},{consent},working_capital,100000,12,\"周转, 上虞\"\n9.13306E+17,{consent},working_capital,1,12,x\n\
         {},{consent},working_capital,1,12,y\n{firm},{consent},equipment,1,12,z\n",
        firms[1].0
    );
    let gbk = encoding_rs::GB18030.encode(&text).0.into_owned();
    for file in [text.clone().into_bytes(), format!("\u{feff}{text}").into_bytes(), gbk] {
        let id = taken(send(&bank, "text/csv", file).await).await;
        let end = finished(&bank, &id).await;
        assert_eq!((&end["rows"], &end["done"], &end["failed"]), (&json!(4), &json!(1), &json!(3)), "{end}");
        let decided = lines(&bank, &id, "results").await;
        assert_eq!(
            (decided[0]["row"].as_u64(), decided[0]["decision"]["uscc"].as_str()),
            (Some(2), Some(firm.as_str()))
        );
        let failed = lines(&bank, &id, "errors").await;
        let told: Vec<(u64, &str, &str)> = failed
            .iter()
            .map(|f| (f["row"].as_u64().unwrap(), f["column"].as_str().unwrap(), f["code"].as_str().unwrap()))
            .collect();
        let expected = [
            (3, "uscc", "CODE_INVALID"),
            (4, "consent_id", "CONSENT_OTHER_FIRM"),
            (5, "consent_id", "CONSENT_OTHER_PURPOSE"),
        ];
        assert_eq!(told, expected);
        assert_eq!(failed[0]["sent"]["用途说明"], "x");
        assert!(failed[0]["message"].as_str().unwrap().contains("scientific"));
        let csv =
            bank.get(&format!("/v1/batches/{id}/errors")).header("accept-language", "zh-CN").send().await.unwrap();
        let csv = csv.text().await.unwrap();
        assert!(
            csv.starts_with("row,column,code,message,uscc,consent_id,") && csv.contains("3,uscc,CODE_INVALID,"),
            "{csv}"
        );
        let csv = bank.get(&format!("/v1/batches/{id}/results")).send().await.unwrap().text().await.unwrap();
        assert!(csv.lines().nth(1).unwrap().starts_with(&format!("2,{firm},")), "{csv}");
        for path in ["", "/results", "/errors"] {
            let answer = other.get(&format!("/v1/batches/{id}{path}")).send().await.unwrap();
            assert_eq!(answer.status(), 404, "another bank's: {path}");
        }
        assert_eq!(other.delete(&format!("/v1/batches/{id}")).send().await.unwrap().status(), 404);
    }
    let listed: Value = bank.get("/v1/batches").send().await.unwrap().json().await.unwrap();
    assert_eq!(listed["batches"].as_array().unwrap().len(), 3);

    let mut book = rust_xlsxwriter::Workbook::new();
    let sheet = book.add_worksheet();
    for (place, name) in ["uscc", "consent_id", "purpose", "amount_yuan", "term_months"].iter().enumerate() {
        sheet.write(0, place as u16, *name).unwrap();
    }
    for (row, (firm, consent)) in (1..).zip(&firms) {
        sheet.write(row, 0, firm).unwrap().write(row, 1, consent).unwrap().write(row, 2, "working_capital").unwrap();
        sheet.write(row, 3, 1000.5).unwrap().write(row, 4, 12).unwrap();
    }
    sheet.write(3, 0, 913_306_047_410_012_000_f64).unwrap().write(3, 4, 12).unwrap();
    let id = taken(send(&bank, XLSX, book.save_to_buffer().unwrap()).await).await;
    let end = finished(&bank, &id).await;
    assert_eq!((&end["done"], &end["failed"]), (&json!(2), &json!(1)), "{end}");
    let failed = lines(&bank, &id, "errors").await;
    assert!(failed[0]["row"] == 4 && failed[0]["message"].as_str().unwrap().contains("15 digits"), "{failed:?}");

    let ask =
        json!({"uscc": firm, "consent_id": consent, "purpose": "working_capital", "amount_fen": 5, "term_months": 6});
    let file = format!("{ask}\n{{\"uscc\": 1}}\n{ask}\n");
    let post = || {
        let request = bank.post("/v1/batches").header("content-type", "application/x-ndjson");
        request.header("idempotency-key", "b-1")
    };
    let first = post().body(file.clone()).send().await.unwrap().text().await.unwrap();
    let again = post().body(file.clone()).send().await.unwrap();
    assert_eq!((again.status().as_u16(), again.headers()["idempotent-replayed"].to_str().unwrap()), (202, "true"));
    assert_eq!(again.text().await.unwrap(), first, "the same batch");
    assert_eq!(post().body(format!("{file}\n{ask}")).send().await.unwrap().status(), 422, "another file");
    let id = serde_json::from_str::<Value>(&first).unwrap()["id"].as_str().unwrap().to_owned();
    let end = finished(&bank, &id).await;
    assert_eq!((&end["done"], &end["failed"]), (&json!(2), &json!(1)), "{end}");

    for (kind, file, status, code) in [
        ("text/csv", "uscc,purpose\n1,2\n", 422, "BATCH_FILE_INVALID"),
        (XLSX, "no workbook", 422, "BATCH_FILE_INVALID"),
        ("multipart/form-data; boundary=x", "--x--", 415, "MEDIA_TYPE"),
    ] {
        let answer = send(&bank, kind, file).await;
        assert_eq!(answer.status(), status);
        let problem: Value = answer.json().await.unwrap();
        assert_eq!(problem["code"], code, "{problem}");
    }
    assert!(service.command(&["audit", "verify"]).status.success());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_in_the_middle_of_a_batch_loses_and_doubles_none(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    // A debug build on a busy machine is several times as slow over PostgreSQL.
    let rows = if engine == Sqlite { 2000 } else { 800 };
    let sandbox = Sandbox::start(&[]);
    let mut service = Service::start_with(&sandbox.url, &[("YUXIN_STORE__URL", &place.url)]);
    let mut bank = service.bank("First Bank");
    let firms = consents(&bank, &sandbox.firms(20).await).await;
    let id = taken(send(&bank, "text/csv", csv(&firms, rows)).await).await;
    for _ in 0..3 {
        let before = state(&bank, &id).await["done"].as_u64().unwrap();
        while state(&bank, &id).await["done"].as_u64().unwrap() < (before + 100).min(rows as u64) {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        service.process.kill();
        service = service.restart();
        bank.url.clone_from(&service.url);
    }
    let end = finished(&bank, &id).await;
    assert_eq!((&end["state"], &end["done"], &end["failed"]), (&json!("done"), &json!(rows), &json!(0)));
    reconcile(&bank, &id, rows).await;
    assert!(service.command(&["audit", "verify"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn two_replicas_over_one_postgresql_share_the_rows_and_none_is_decided_twice() {
    let Some(place) = Place::on(Postgresql).await else { return };
    let sandbox = Sandbox::start(&[]);
    let environment = [("YUXIN_STORE__URL", place.url.as_str())];
    let (one, two) = (Service::start_with(&sandbox.url, &environment), Service::start_with(&sandbox.url, &environment));
    let bank = one.bank("First Bank");
    let firms = consents(&bank, &sandbox.firms(10).await).await;
    let id = taken(send(&bank, "text/csv", csv(&firms, 400)).await).await;
    assert_eq!(finished(&bank, &id).await["done"], 400);
    reconcile(&bank, &id, 400).await;
    let mut worked = 0.0;
    for service in [&one, &two] {
        let metrics =
            bank.client.get(format!("{}/metrics", service.management)).send().await.unwrap().text().await.unwrap();
        let line = metrics.lines().find(|line| line.starts_with("yuxin_batch_rows_total{result=\"done\"}")).unwrap();
        let done: f64 = line.rsplit(' ').next().unwrap().parse().unwrap();
        assert!(done > 0.0, "one of them did nothing");
        worked += done;
    }
    assert_eq!(worked, 400.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_batch_begins_no_further_row_and_keeps_what_is_decided() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start_with(&sandbox.url, &[("YUXIN_BATCHES__WORKERS", "1")]);
    let bank = service.bank("First Bank");
    let firms = consents(&bank, &sandbox.firms(5).await).await;
    let id = taken(send(&bank, "text/csv", csv(&firms, 3000)).await).await;
    let cancelled = bank.post(&format!("/v1/batches/{id}/cancel")).send().await.unwrap();
    assert_eq!(cancelled.status(), 200);
    let end = finished(&bank, &id).await;
    assert_eq!(end["state"], "cancelled");
    let count = |name: &str| end[name].as_u64().unwrap();
    assert_eq!(count("done") + count("cancelled"), 3000, "{end}");
    assert!(count("cancelled") > 2000, "{end}");
    assert_eq!(lines(&bank, &id, "results").await.len() as u64, count("done"));
    // Cancelling again changes nothing.
    let again: Value = bank.delete(&format!("/v1/batches/{id}")).send().await.unwrap().json().await.unwrap();
    assert_eq!(again, end);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_portfolio_is_judged_anew_where_the_consent_covers_it_and_the_bank_is_told_of_what_changed() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    let firms = sandbox.firms(4).await;
    let mut decided = Vec::new();
    for firm in &firms {
        decided.push(bank.decide(firm).await);
    }
    for (n, firm) in firms.iter().take(3).enumerate() {
        let body = json!({
            "uscc": firm, "purposes": ["post_loan"], "valid_until": "2099-01-01T00:00:00Z", "one_time": n == 2,
        });
        assert_eq!(bank.post("/v1/consents").json(&body).send().await.unwrap().status(), 201);
    }
    // Two firms have a standing consent; their departments are gone by now.
    drop(sandbox);
    let run = || {
        let ran = service.command(&["rescore", "--all"]);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(String::from_utf8(ran.stdout).unwrap().trim(), "2 judged anew");
    };
    run();
    run();
    let listed: Value = bank.get("/v1/batches").send().await.unwrap().json().await.unwrap();
    let batches = listed["batches"].as_array().unwrap();
    assert_eq!((batches.len(), batches[0]["kind"].as_str()), (1, Some("portfolio")), "one run a day");
    let results = lines(&bank, batches[0]["id"].as_str().unwrap(), "results").await;
    assert!(results.iter().all(|line| line["decision"]["outcome"] == "refer"), "no evidence, no silent score");
    let changed = results
        .iter()
        .filter(|line| {
            let before = decided.iter().find(|d| d["uscc"] == line["decision"]["uscc"]).unwrap();
            before["outcome"] != line["decision"]["outcome"] || before["grade"] != line["decision"]["grade"]
        })
        .count();
    let notices: Value = bank.get("/v1/notices").send().await.unwrap().json().await.unwrap();
    let told = notices["notices"].as_array().unwrap().iter().filter(|n| n["kind"] == "standing_changed").count();
    assert_eq!(told, changed);
    assert!(service.command(&["audit", "verify"]).status.success());
}
