//! What any released version has written is read by this one, on both databases; what a newer one has written is refused.

use rstest::rstest;
use sha2::{Digest, Sha256};
use sqlx::migrate::Migrator;
use sqlx::{Connection, PgConnection, SqliteConnection};
use uuid::Uuid;
use yuxin::domain::BankId;
use yuxin::observe::Metrics;
use yuxin::store::Store;

use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, decision, firm, now};

async fn migrations() -> Migrator {
    Migrator::new(std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/migrations"))).await.unwrap()
}

/// Brings a fresh database to an old version of the schema.
async fn bring_to(place: &Place, version: i64) {
    let migrations = migrations().await;
    if place.url.starts_with("sqlite") {
        let file = place.url.strip_prefix("sqlite://").unwrap();
        std::fs::create_dir_all(std::path::Path::new(file).parent().unwrap()).unwrap();
        std::fs::File::create(file).unwrap();
        let mut connection = SqliteConnection::connect(&place.url).await.unwrap();
        migrations.run_direct(Some(version), &mut connection, false).await.unwrap();
        connection.close().await.unwrap();
    } else {
        let mut connection = PgConnection::connect(&place.url).await.unwrap();
        migrations.run_direct(Some(version), &mut connection, false).await.unwrap();
        connection.close().await.unwrap();
    }
}

fn sha256(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// What the first version wrote: a bank, a consent, a decision, and their rows of the chain, as docs/audit.md says.
fn written_by_the_first_version(bank: BankId) -> (String, yuxin::domain::DecisionRecord) {
    let record = decision(bank, firm(1)).record;
    let text = serde_json::to_string(&record).unwrap();
    let (id, at) = (record.decision.id, now().as_millisecond());
    let consent = Uuid::now_v7();
    let uscc = firm(1);
    let given = format!("[\"{consent}\",\"{bank}\",\"{uscc}\",\"[\\\"working_capital\\\"]\",{at},{},null]", at + 1);
    let rows = [
        ("bank", bank.to_string(), sha256(&format!("[\"{bank}\",\"Bank A\",{at}]"))),
        ("consent", consent.to_string(), sha256(&given)),
        ("decision", id.to_string(), sha256(&text)),
    ];
    let mut sql = format!(
        "INSERT INTO banks (id, name, created_at) VALUES ('{bank}', 'Bank A', {at}); \
         INSERT INTO consents (id, bank, uscc, purposes, granted_at, valid_until) \
         VALUES ('{consent}', '{bank}', '{uscc}', '[\"working_capital\"]', {at}, {}); \
         INSERT INTO decisions (id, bank, uscc, decided_at, record) VALUES ('{id}', '{bank}', '{uscc}', {at}, '{}');",
        at + 1,
        text.replace('\'', "''")
    );
    let mut previous = "0".repeat(64);
    for (seq, (kind, subject, digest)) in (1..).zip(rows) {
        let hash = sha256(&format!("{previous}\n{seq}\n{at}\n{kind}\n{subject}\n{digest}"));
        sql.push_str(&format!(
            "INSERT INTO audit (seq, at, kind, subject, digest, previous, hash) \
             VALUES ({seq}, {at}, '{kind}', '{subject}', '{digest}', '{previous}', '{hash}');"
        ));
        previous = hash;
    }
    sql.push_str(&format!("UPDATE audit_head SET seq = 3, hash = '{previous}'"));
    (sql, record)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_every_released_version_wrote_is_read_and_its_chain_holds(#[values(Sqlite, Postgresql)] engine: Engine) {
    let versions: Vec<i64> = migrations().await.iter().map(|migration| migration.version).collect();
    assert!(versions.len() >= 4, "{versions:?}");
    for version in versions {
        let Some(place) = Place::on(engine).await else { return };
        bring_to(&place, version).await;
        let bank = BankId(Uuid::now_v7());
        let (sql, record) = written_by_the_first_version(bank);
        place.tamper(&sql).await;
        let store = place.open().await;
        let report = store.verify_audit().await.unwrap();
        assert_eq!((report.problems, report.entries), (vec![], 3), "version {version}");
        let (read, _) = store.decision(record.decision.id, bank).await.unwrap().unwrap();
        assert_eq!(read, record, "version {version}");
        store.commit_decision(decision(bank, firm(2))).await.unwrap();
        assert!(store.verify_audit().await.unwrap().intact(), "version {version}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_a_newer_version_wrote_is_refused_in_words(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    place.open().await.close().await;
    let newer = "INSERT INTO _sqlx_migrations (version, description, installed_on, success, checksum, execution_time) \
        SELECT 9999, 'newer', installed_on, success, checksum, execution_time FROM _sqlx_migrations WHERE version = 1";
    place.tamper(newer).await;
    let Err(error) = Store::open(&place.url, Metrics::new().unwrap()).await else { panic!("it was opened") };
    let said = error.to_string();
    assert!(said.contains("newer version") && said.contains("9999"), "{said}");
    assert_eq!(place.count("_sqlx_migrations").await, migrations().await.iter().count() as i64 + 1);
}
