//! The real firms of the data folder (`YUXIN_DATA`), by file and online.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::Value;

use crate::support::service::{Sandbox, Service, yuxin};

fn folder() -> Option<PathBuf> {
    let folder = std::env::var_os("YUXIN_DATA").map(|data| PathBuf::from(data).join("real-firms"));
    if folder.is_none() {
        crate::support::say("skipped: YUXIN_DATA does not name a data folder");
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn every_real_firm_gets_the_same_bits_online_and_in_a_file_and_none_is_taken_for_clean() {
    let Some(folder) = folder() else { return };
    let folder = folder.to_str().unwrap();
    let sandbox = Sandbox::start(&["--replay", folder]);
    let service = Service::start(&sandbox.url);
    let (matrix, scored) = (service.folder.path().join("features.csv"), service.folder.path().join("scored.csv"));
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/models/district-scorecard.json");
    let run = |arguments: &[&str]| {
        let out = yuxin().args(arguments).output().unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    };
    run(&["features", "--replay", folder, "--out", matrix.to_str().unwrap()]);
    run(&["score", "--model", model, "--data", matrix.to_str().unwrap(), "--out", scored.to_str().unwrap()]);
    let mut file = csv::Reader::from_path(&scored).unwrap();
    let rows: Vec<HashMap<String, String>> = file.deserialize().map(Result::unwrap).collect();
    assert_eq!(rows.len(), 425);
    let bank = service.bank("First Bank");
    for row in rows {
        let decision: Value = bank.decide(&row["uscc"]).await;
        assert_eq!(
            decision["probability_of_default"].as_f64().unwrap().to_bits(),
            row["pd"].parse::<f64>().unwrap().to_bits()
        );
        assert_eq!(decision["score"].to_string(), row["score"]);
        assert_eq!(decision["grade"], row["grade"].as_str());
        for (i, reason) in decision["reasons"].as_array().unwrap().iter().enumerate() {
            assert_eq!(reason["code"], row[&format!("reason_{}", i + 1)].as_str());
        }
        let statuses: Vec<&str> =
            decision["evidence"].as_array().unwrap().iter().map(|line| line["status"].as_str().unwrap()).collect();
        assert_eq!(statuses, ["stale", "absent", "absent"], "as of 2020, and known to the tax department alone");
        assert_eq!(
            decision["evidence"][0]["not_shared"],
            serde_json::json!(["status", "declared_heads", "rating", "filings", "arrears"])
        );
        assert_ne!(decision["outcome"], "approve");
        let interval = &decision["score_interval"];
        assert!(
            interval["low"].as_i64() <= decision["score"].as_i64()
                && decision["score"].as_i64() <= interval["high"].as_i64()
        );
    }
}
