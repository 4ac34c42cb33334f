//! The commands on keys, users and the audit chain work beside a service that writes to the same store.

use std::process::Stdio;

use rstest::rstest;
use sqlx::{Connection, Executor};
use yuxin::cli::audit::{AuditError, VerifyArgs};
use yuxin::cli::keys::{KeysCommand, KeysError};
use yuxin::cli::users::{UsersCommand, UsersError};
use yuxin::cli::{audit, keys, users};
use yuxin::domain::Role;
use yuxin::store::StoreError;

use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, bank, decision, firm};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn commands_beside_a_busy_service_keep_the_chain_whole(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let (service, command) = (place.open().await, place.open().await);
    let bank = bank(&service, "Bank A").await;
    let busy = {
        let service = service.clone();
        tokio::spawn(async move {
            for n in 0..100 {
                service.commit_decision(decision(bank, firm(n))).await.unwrap();
            }
        })
    };
    for n in 0..10 {
        keys::run(KeysCommand::Create { bank: format!("Bank {}", n % 3) }, &command).await.unwrap();
    }
    let create = |name: &str| UsersCommand::Create { name: name.into(), role: Role::Officer, password_stdin: false };
    users::run(create("wang"), &command).await.unwrap();
    users::run(UsersCommand::Password { name: "wang".into(), password_stdin: false }, &command).await.unwrap();
    users::run(UsersCommand::Disable { name: "wang".into() }, &command).await.unwrap();
    busy.await.unwrap();
    users::run(UsersCommand::List, &command).await.unwrap();
    keys::run(KeysCommand::List, &command).await.unwrap();
    let report = service.verify_audit().await.unwrap();
    assert_eq!((report.problems, report.entries), (vec![], 2 + 200 + 3 + 10 + 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_waits_for_a_busy_service_longer_than_the_service_waits_itself() {
    use std::time::{Duration, Instant};
    let place = Place::on(Sqlite).await.unwrap();
    let store = place.open().await;
    let mut busy = sqlx::SqliteConnection::connect(&place.url).await.unwrap();
    busy.execute("BEGIN IMMEDIATE").await.unwrap();
    let began = Instant::now();
    let mut command = crate::support::program::command(&["keys", "create", "--bank", "Bank A"]);
    let command = command.env("YUXIN_STORE__URL", &place.url).stdout(Stdio::piped()).stderr(Stdio::piped());
    let command = command.spawn().unwrap();
    let refused = keys::run(KeysCommand::Create { bank: "Bank B".into() }, &store).await;
    assert!(matches!(refused, Err(KeysError::Store(StoreError::Unavailable(_)))), "{refused:?}");
    // Longer than a caller of the service waits for any write.
    tokio::time::sleep(Duration::from_secs(5).saturating_sub(began.elapsed())).await;
    busy.execute("COMMIT").await.unwrap();
    let done = tokio::task::spawn_blocking(|| command.wait_with_output()).await.unwrap().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let banks: Vec<String> = sqlx::query_scalar("SELECT name FROM banks").fetch_all(&mut busy).await.unwrap();
    assert!(banks.contains(&"Bank A".to_owned()), "{banks:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_on_what_is_not_there_fail() {
    let place = Place::on(Sqlite).await.unwrap();
    let store = place.open().await;
    let id = "019a0000-0000-7000-8000-000000000000".parse().unwrap();
    let refused = keys::run(KeysCommand::Revoke { id }, &store).await;
    assert!(matches!(refused, Err(KeysError::NoSuchKey(_))));
    let refused = users::run(UsersCommand::Disable { name: "wang".into() }, &store).await;
    assert!(matches!(refused, Err(UsersError::NoSuchUser(_))));
    let refused = users::run(UsersCommand::Password { name: "wang".into(), password_stdin: false }, &store).await;
    assert!(matches!(refused, Err(UsersError::Store(StoreError::NoSuchUser))));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn audit_verify_fails_on_a_change_and_on_a_head_that_is_not_the_noted_one(
    #[values(Sqlite, Postgresql)] engine: Engine,
) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let verify = async |noted: Option<String>| {
        let noted = noted.map(|text| text.parse().unwrap());
        audit::verify(VerifyArgs { noted, ..VerifyArgs::default() }, &store).await
    };
    verify(Some(format!("0:{}", "0".repeat(64)))).await.unwrap();
    bank(&store, "Bank A").await;
    let head = store.verify_audit().await.unwrap();
    verify(None).await.unwrap();
    verify(Some(format!("{}:{}", head.head_seq, head.head_hash))).await.unwrap();
    for other in [format!("2:{}", "ab".repeat(32)), format!("3:{}", head.head_hash)] {
        assert!(matches!(verify(Some(other)).await, Err(AuditError::NotTheNoted(_))));
    }
    place.tamper("UPDATE banks SET name = 'Bank B'").await;
    assert!(matches!(verify(None).await, Err(AuditError::Broken)));
}
