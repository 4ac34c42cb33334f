//! The database fails under the running service: callers are told so at once, and it heals by itself.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use sqlx::Connection;

use crate::support::service::{Bank, Sandbox, Service, ask};
use crate::support::store::{Engine, Place};

/// Whether strace is installed and this user may trace; said where it is not, a failure where CI is set.
pub(crate) fn strace_is_there() -> bool {
    let traces =
        Command::new("strace").args(["-o", "/dev/null", "true"]).output().is_ok_and(|done| done.status.success());
    if !traces {
        assert!(std::env::var_os("CI").is_none(), "strace is missing, or may not trace");
        crate::support::say("skipped: strace is not installed, or may not trace");
    }
    traces
}

/// strace on a running process, until stopped.
struct Trace(Child);

impl Trace {
    fn attach(service: &Service, arguments: &[&str]) -> Trace {
        let id = service.process.id().to_string();
        let mut strace = Command::new("strace");
        strace
            .args(["-f", "-p", &id])
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .stdout(Stdio::null());
        let mut child = strace.spawn().unwrap();
        // It says when it is attached.
        let mut stderr = std::io::BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        std::io::BufRead::read_line(&mut stderr, &mut line).unwrap();
        assert!(line.contains("attached"), "{line}");
        std::thread::spawn(move || std::io::copy(&mut stderr, &mut std::io::sink()));
        Trace(child)
    }

    fn detach(mut self) {
        Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().unwrap();
        self.0.wait().unwrap();
    }
}

/// Asks until one is acknowledged; gives how long that took. Whatever is refused is refused with 503 and Retry-After.
async fn heals(bank: &Bank, firm: &str, consent: &str) -> Duration {
    let began = Instant::now();
    loop {
        let answer = bank.ask(firm, consent).await;
        if answer.status() == 201 {
            return began.elapsed();
        }
        assert_eq!(answer.status(), 503);
        assert!(began.elapsed() < Duration::from_secs(5), "it does not heal");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Asks a few times while the database fails: the first within three seconds, the others at once.
async fn refuses(bank: &Bank, firm: &str, consent: &str) -> Vec<Duration> {
    let mut times = Vec::new();
    for n in 0..6 {
        let began = Instant::now();
        let answer = bank.ask(firm, consent).await;
        times.push(began.elapsed());
        assert_eq!(answer.status(), 503, "request {n}");
        assert!(answer.headers().contains_key("retry-after"));
    }
    assert!(times[0] < Duration::from_secs(4), "{times:?}");
    let quick = times[1..].iter().filter(|time| **time < Duration::from_secs(1)).count();
    assert!(quick >= 4, "refused late: {times:?}");
    times
}

async fn acknowledged_are_there(bank: &Bank, ids: &[String]) {
    for id in ids {
        let shown = bank.get(&format!("/v1/decisions/{id}")).send().await.unwrap();
        assert_eq!(shown.status(), 200, "acknowledged and lost");
    }
}

async fn decided(bank: &Bank, firm: &str, consent: &str) -> String {
    let answer: Value = bank.ask(firm, consent).await.json().await.unwrap();
    answer["id"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_database_is_refused_at_once_and_heals() {
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    let firm = sandbox.firms(1).await.remove(0);
    let consent = bank.consent(&firm).await;
    let id = decided(&bank, &firm, &consent).await;
    let url = format!("sqlite://{}", service.database().display());
    let mut holder = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut holder).await.unwrap();
    let times = refuses(&bank, &firm, &consent).await;
    holder.close().await.unwrap();
    let healed = heals(&bank, &firm, &consent).await;
    crate::support::say(&format!("locked: refused after {times:?}, healed after {healed:?}"));
    acknowledged_are_there(&bank, &[id]).await;
    assert!(service.command(&["audit", "verify"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_ends_the_service_although_the_database_is_locked() {
    let sandbox = Sandbox::start(&[]);
    let mut service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    let firm = sandbox.firms(1).await.remove(0);
    let consent = bank.consent(&firm).await;
    let url = format!("sqlite://{}", service.database().display());
    let mut holder = sqlx::SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut holder).await.unwrap();
    refuses(&bank, &firm, &consent).await;
    service.process.signal("TERM");
    let ended = tokio::task::spawn_blocking(move || service.process.wait());
    let ended = tokio::time::timeout(Duration::from_secs(15), ended).await;
    // Before whatever fails, so that nothing waits for it.
    holder.close().await.unwrap();
    assert_eq!(ended.expect("it still runs").unwrap(), Some(0));
}

async fn fails(calls: &str, error: &str) {
    if !strace_is_there() {
        return;
    }
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    let firm = sandbox.firms(1).await.remove(0);
    let consent = bank.consent(&firm).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(decided(&bank, &firm, &consent).await);
        let (trace, inject) = (format!("trace={calls}"), format!("inject={calls}:error={error}"));
        // Only what goes to the store's files: sockets are written to as well.
        let (file, log) = (service.database().display().to_string(), format!("{}-wal", service.database().display()));
        let tracing =
            Trace::attach(&service, &["-o", "/dev/null", "-P", &file, "-P", &log, "-e", &trace, "-e", &inject]);
        let times = refuses(&bank, &firm, &consent).await;
        tracing.detach();
        let healed = heals(&bank, &firm, &consent).await;
        crate::support::say(&format!("{calls} {error}: refused after {times:?}, healed after {healed:?}"));
    }
    acknowledged_are_there(&bank, &ids).await;
    assert!(service.command(&["audit", "verify"]).status.success());
    // What was acknowledged after the failures is on disk, too.
    let id = decided(&bank, &firm, &consent).await;
    let (mut service, mut bank) = (service, bank);
    service.process.kill();
    service = service.restart();
    bank.url.clone_from(&service.url);
    ids.push(id);
    acknowledged_are_there(&bank, &ids).await;
    assert!(service.command(&["audit", "verify"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_fsync_that_fails_is_refused_at_once_and_heals_on_fresh_connections() {
    fails("fsync,fdatasync", "EIO").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_without_room_is_refused_at_once_and_heals() {
    fails("pwrite64,write,ftruncate,fallocate", "ENOSPC").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_is_killed_and_started_again_is_refused_at_once_and_heals() {
    let Some(server) = crate::support::postgres::OwnServer::start() else { return };
    let sandbox = Sandbox::start(&[]);
    let service = Service::start_with(&sandbox.url, &[("YUXIN_STORE__URL", &server.url())]);
    let bank = service.bank("First Bank");
    let firm = sandbox.firms(1).await.remove(0);
    let consent = bank.consent(&firm).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(decided(&bank, &firm, &consent).await);
        server.kill();
        let times = refuses(&bank, &firm, &consent).await;
        server.start_again();
        let healed = heals(&bank, &firm, &consent).await;
        crate::support::say(&format!("PostgreSQL killed: refused after {times:?}, healed after {healed:?}"));
    }
    acknowledged_are_there(&bank, &ids).await;
    assert!(service.command(&["audit", "verify"]).status.success());
}

/// Asks in turn, for as long as it is not told to stop: how each request ended, and how long that took.
async fn keeps_asking(
    bank: Bank,
    firm: String,
    consent: String,
    n: usize,
    stop: Arc<AtomicBool>,
) -> Vec<(u16, Duration)> {
    let mut answers = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let began = Instant::now();
        let request = match n % 3 {
            0 => bank.get("/v1/decisions"),
            1 => bank.post("/v1/decisions").json(&ask(&firm, &consent)),
            _ => bank.post("/v1/decisions").header("idempotency-key", format!("k-{n}")).json(&ask(&firm, &consent)),
        };
        let answer = request.send().await.unwrap();
        let refused = answer.status() == 503;
        assert!(!refused || answer.headers().contains_key("retry-after"));
        answers.push((answer.status().as_u16(), began.elapsed()));
        if refused {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_postgresql_that_hangs_is_refused_soon_for_reads_and_writes_and_heals_when_it_goes_on() {
    let Some(server) = crate::support::postgres::OwnServer::start() else { return };
    let sandbox = Sandbox::start(&[]);
    let warm = [("YUXIN_STORE__URL", server.url()), ("YUXIN_SOURCES__CACHE_SECONDS", "600".to_owned())];
    let service = Service::start_with(&sandbox.url, &warm.each_ref().map(|(name, value)| (*name, value.as_str())));
    let bank = service.bank("First Bank");
    let firm = sandbox.firms(1).await.remove(0);
    let consent = bank.consent(&firm).await;
    let id = decided(&bank, &firm, &consent).await;
    // Some of these are in the middle of a statement when the server stops.
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..12)
        .map(|n| tokio::spawn(keeps_asking(bank.clone(), firm.clone(), consent.clone(), n, stop.clone())))
        .collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    server.hang();
    tokio::time::sleep(Duration::from_secs(8)).await;
    stop.store(true, Ordering::Relaxed);
    let (mut slowest, mut refused) = (Duration::ZERO, Vec::new());
    for caller in callers {
        for (status, took) in caller.await.unwrap() {
            assert!([200, 201, 503].contains(&status), "{status}");
            slowest = slowest.max(took);
            if status == 503 {
                refused.push(took);
            }
        }
    }
    refused.sort();
    assert!(slowest < Duration::from_secs(6), "somebody waited for {slowest:?}");
    assert!(refused.len() > 60 && refused[refused.len() / 2] < Duration::from_secs(1), "{refused:?}");
    let times = refuses(&bank, &firm, &consent).await;
    server.go_on();
    let healed = heals(&bank, &firm, &consent).await;
    crate::support::say(&format!(
        "PostgreSQL hung: {} refused, the slowest answer after {slowest:?}, then {times:?}; healed after {healed:?}",
        refused.len()
    ));
    acknowledged_are_there(&bank, &[id]).await;
    assert!(service.command(&["audit", "verify"]).status.success());
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_postgresql_closed_are_open_again_before_anybody_asks() {
    let Some(place) = Place::on(Engine::Postgresql).await else { return };
    let store = place.open().await;
    store.warm().await;
    let keeps = tokio::spawn({
        let store = store.clone();
        async move { store.keep_warm(Duration::from_millis(200)).await }
    });
    let mut admin = sqlx::PgConnection::connect(&place.url).await.unwrap();
    const OTHERS: &str = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() \
         AND backend_type = 'client backend'";
    let ended = format!("SELECT count(pg_terminate_backend(pid)) {OTHERS}");
    let (ended,): (i64,) = sqlx::query_as(sqlx::AssertSqlSafe(ended)).fetch_one(&mut admin).await.unwrap();
    assert!(ended >= 8, "{ended}");
    let count = format!("SELECT count(*) {OTHERS} AND backend_start > $1::TIMESTAMPTZ");
    let (since,): (String,) = sqlx::query_as("SELECT now()::TEXT").fetch_one(&mut admin).await.unwrap();
    let began = Instant::now();
    loop {
        let open = sqlx::query_as(sqlx::AssertSqlSafe(count.clone())).bind(&since).fetch_one(&mut admin);
        let (open,): (i64,) = open.await.unwrap();
        if open >= 4 {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(10), "only {open} were opened again");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    keeps.abort();
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_on_disk_before_it_is_answered() {
    if !strace_is_there() {
        return;
    }
    let sandbox = Sandbox::start(&[]);
    let service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    let firm = sandbox.firms(1).await.remove(0);
    let consent = bank.consent(&firm).await;
    let out = service.folder.path().join("trace");
    let calls = "trace=fsync,fdatasync,pwrite64,sendto,write,writev,sendmsg,recvfrom,read";
    let tracing = Trace::attach(&service, &["-y", "-s", "200", "-o", out.to_str().unwrap(), "-e", calls]);
    for _ in 0..5 {
        decided(&bank, &firm, &consent).await;
    }
    tracing.detach();
    let trace = std::fs::read_to_string(out).unwrap();
    let lines: Vec<&str> = trace.lines().collect();
    let mut answers = 0;
    let mut asked = 0;
    for (at, line) in lines.iter().enumerate() {
        if line.contains("POST /v1/decisions") {
            asked = at;
        }
        if !line.contains("HTTP/1.1 201") {
            continue;
        }
        answers += 1;
        let between = &lines[asked..at];
        let wrote = between.iter().rposition(|l| l.contains("pwrite64(") && l.contains("yuxin.db-wal"));
        let wrote = wrote.unwrap_or_else(|| panic!("answered before anything was written:\n{}", between.join("\n")));
        let begun = between.iter().rposition(|l| l.contains("sync(") && l.contains("yuxin.db-wal"));
        let begun = begun.unwrap_or_else(|| panic!("answered without an fsync:\n{}", between.join("\n")));
        assert!(begun > wrote, "written after the last fsync:\n{}", between.join("\n"));
        let thread = between[begun].split_whitespace().next();
        let done = between[begun..]
            .iter()
            .any(|l| l.split_whitespace().next() == thread && l.contains("sync") && l.trim_end().ends_with("= 0"));
        assert!(done, "answered before the fsync had ended:\n{}", between.join("\n"));
    }
    assert_eq!(answers, 5, "{trace}");
}
