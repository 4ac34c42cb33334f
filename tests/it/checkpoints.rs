//! A chain that somebody rebuilds as a whole is found by what the service signed and kept outside the database.

use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::Value;
use sha2::{Digest, Sha256};
use sqlx::{Connection, SqliteConnection};

use crate::support::service::{Sandbox, Service, yuxin};

/// Changes a row of the chain and computes every hash after it anew, and the head: a chain that is consistent.
pub(crate) async fn rebuild_from(connection: &mut SqliteConnection, first: i64) {
    sqlx::query("UPDATE audit SET at = at + 1 WHERE seq = $1").bind(first).execute(&mut *connection).await.unwrap();
    let rows: Vec<(i64, i64, String, String, String, String)> =
        sqlx::query_as("SELECT seq, at, kind, subject, digest, previous FROM audit WHERE seq >= $1 ORDER BY seq")
            .bind(first)
            .fetch_all(&mut *connection)
            .await
            .unwrap();
    let mut previous = rows[0].5.clone();
    for (seq, at, kind, subject, digest, _) in &rows {
        let hash = hex::encode(Sha256::digest(format!("{previous}\n{seq}\n{at}\n{kind}\n{subject}\n{digest}")));
        let update = sqlx::query("UPDATE audit SET previous = $1, hash = $2 WHERE seq = $3");
        update.bind(&previous).bind(&hash).bind(seq).execute(&mut *connection).await.unwrap();
        previous = hash;
    }
    sqlx::query("UPDATE audit_head SET hash = $1").bind(&previous).execute(&mut *connection).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_was_rebuilt_or_cut_as_a_whole_is_found_by_the_signed_checkpoints() {
    let keys = tempfile::TempDir::new().unwrap();
    let at = |name: &str| keys.path().join(name).display().to_string();
    let made = yuxin().args(["audit", "key", &at("key")]).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(!yuxin().args(["audit", "key", &at("key")]).output().unwrap().status.success(), "a key was overwritten");

    let sandbox = Sandbox::start(&[]);
    let environment = [
        ("YUXIN_AUDIT__CHECKPOINT_KEY", at("key")),
        ("YUXIN_AUDIT__CHECKPOINT_PATH", at("checkpoints")),
        ("YUXIN_AUDIT__CHECKPOINT_ROWS", "3".to_owned()),
    ];
    let environment: Vec<(&str, &str)> = environment.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let mut service = Service::start_with(&sandbox.url, &environment);
    let bank = service.bank("First Bank");
    let firms = sandbox.firms(6).await;
    for firm in &firms[..3] {
        bank.decide(firm).await;
    }
    let lines = || std::fs::read_to_string(at("checkpoints")).unwrap_or_default().lines().count();
    let began = Instant::now();
    while lines() == 0 {
        assert!(began.elapsed() < Duration::from_secs(10), "nothing is signed:\n{}", service.process.said());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for firm in &firms[3..] {
        bank.decide(firm).await;
    }
    service.process.signal("TERM");
    assert_eq!(service.process.wait(), Some(0));
    let (checkpoints, public) = (at("checkpoints"), at("key.pub"));
    let verify = |service: &Service| {
        let done = service.command(&["audit", "verify", "--checkpoints", &checkpoints, "--public-key", &public]);
        (done.status.success(), String::from_utf8_lossy(&done.stderr).into_owned())
    };
    let (intact, said) = verify(&service);
    assert!(intact && said.contains("the 0 rows since then"), "{said}");

    // OpenSSL finds the signature good as well.
    let text = std::fs::read_to_string(&checkpoints).unwrap();
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    let of = |name: &str| last[name].as_str().unwrap().to_owned();
    let signed = format!("yuxin-checkpoint/1\n{}\n{}\n{}", last["seq"], of("hash"), of("at"));
    std::fs::write(at("text"), signed).unwrap();
    let signature = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, of("signature")).unwrap();
    std::fs::write(at("signature"), signature).unwrap();
    let files = ["-inkey", &public, "-in", &at("text"), "-sigfile", &at("signature")];
    let openssl =
        Command::new("openssl").args(["pkeyutl", "-verify", "-pubin", "-rawin"]).args(files).output().unwrap();
    assert!(openssl.status.success(), "{openssl:?}");

    let url = format!("sqlite://{}", service.database().display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    rebuild_from(&mut connection, 4).await;
    assert!(service.command(&["audit", "verify"]).status.success(), "the rebuilt chain is consistent");
    let (intact, said) = verify(&service);
    assert!(!intact && said.contains("rebuilt"), "{said}");

    // The service signs such a chain no more.
    let count = lines();
    let service = service.restart();
    let bank = service.bank("First Bank");
    for firm in &firms {
        bank.decide(firm).await;
    }
    let began = Instant::now();
    while !service.process.said().contains("it was rebuilt or cut") {
        assert!(began.elapsed() < Duration::from_secs(10), "nothing is said:\n{}", service.process.said());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(lines(), count);
    let changed = text.replacen("\"seq\":", "\"seq\":1", 1);
    std::fs::write(&checkpoints, changed).unwrap();
    let (intact, said) = verify(&service);
    assert!(!intact && said.contains("line 1") && said.contains("signature"), "{said}");
}
