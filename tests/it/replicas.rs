//! Two processes over one PostgreSQL, behind nginx.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use tempfile::TempDir;

use crate::support::postgres::fresh_database;
use crate::support::service::{Bank, Sandbox, Service, ask};

/// The promise is "at once"; a busy machine gets more.
const AT_ONCE: Duration = Duration::from_secs(10);

fn replica(departments: &str, database: &str, more: &[(&str, &str)]) -> Service {
    let mut environment = vec![("YUXIN_STORE__URL", database), ("YUXIN_SOURCES__CACHE_SECONDS", "600")];
    environment.extend_from_slice(more);
    Service::start_with(departments, &environment)
}

/// How many firms' tax records the process keeps.
async fn kept(service: &Service) -> u32 {
    let metrics = reqwest::get(format!("{}/metrics", service.management)).await.unwrap().text().await.unwrap();
    let line = metrics.lines().find(|line| line.starts_with("yuxin_source_cached{source=\"tax\"}")).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

async fn until(what: &str, done: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !done().await {
        assert!(began.elapsed() < AT_ONCE, "{what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn a_consent_revoked_on_one_replica_empties_the_cache_of_the_other() {
    let Some(database) = fresh_database().await else { return };
    let sandbox = Sandbox::start(&[]);
    let first = replica(&sandbox.url, &database, &[]);
    let second = replica(&sandbox.url, &database, &[]);
    let (here, key) = (first.bank("First Bank"), first.key("First Bank"));
    let there = Bank { url: second.url.clone(), key, ..here.clone() };
    let firms = sandbox.firms(3).await;
    let consent = here.consent(&firms[0]).await;
    for firm in &firms {
        there.decide(firm).await;
    }
    assert_eq!(kept(&second).await, 3);
    assert_eq!(here.delete(&format!("/v1/consents/{consent}")).send().await.unwrap().status(), 200);
    until("the firm is still kept", async || kept(&second).await == 2).await;

    // By a command, in a third process.
    let consent = here.consent(&firms[1]).await;
    assert!(first.command(&["consents", "revoke", &consent]).status.success());
    until("the second firm is still kept", async || kept(&second).await == 1).await;

    // The connection that listens breaks: what may have been missed is not trusted, and the next word is heard again.
    let mut admin = PgConnection::connect(&database).await.unwrap();
    let broken = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
         WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    sqlx::query(broken).execute(&mut admin).await.unwrap();
    until("all is trusted although some may have been missed", async || kept(&second).await == 0).await;
    let listening = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query LIKE 'LISTEN%'";
    let began = Instant::now();
    loop {
        let (listeners,): (i64,) = sqlx::query_as(listening).fetch_one(&mut admin).await.unwrap();
        // This very query begins otherwise.
        if listeners == 2 {
            break;
        }
        assert!(began.elapsed() < AT_ONCE, "{listeners} listen");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    // Kept from the connection that was made anew on.
    until("nothing is kept any more", async || {
        there.decide(&firms[2]).await;
        kept(&second).await == 1
    })
    .await;
    let consent = here.consent(&firms[2]).await;
    assert_eq!(here.delete(&format!("/v1/consents/{consent}")).send().await.unwrap().status(), 200);
    until("the new connection is deaf", async || kept(&second).await == 0).await;
}

#[tokio::test]
async fn a_key_revoked_on_one_replica_is_refused_by_the_other() {
    let Some(database) = fresh_database().await else { return };
    let sandbox = Sandbox::start(&[]);
    let first = replica(&sandbox.url, &database, &[]);
    let second = replica(&sandbox.url, &database, &[]);
    let there = Bank { url: second.url.clone(), ..first.bank("First Bank") };
    assert_eq!(there.get("/v1/decisions").send().await.unwrap().status(), 200);
    let listed = String::from_utf8(first.command(&["keys", "list"]).stdout).unwrap();
    let id = listed.split_whitespace().find(|word| word.len() == 36 && word.contains('-')).unwrap().to_owned();
    assert!(first.command(&["keys", "revoke", &id]).status.success());
    until("the key still works", async || there.get("/v1/decisions").send().await.unwrap().status() == 401).await;
}

#[tokio::test]
async fn what_is_done_on_a_schedule_is_done_by_one_of_the_replicas() {
    let Some(database) = fresh_database().await else { return };
    let sandbox = Sandbox::start(&[]);
    let replicas = [replica(&sandbox.url, &database, &[]), replica(&sandbox.url, &database, &[])];
    let mut admin = PgConnection::connect(&database).await.unwrap();
    let began = Instant::now();
    let done = loop {
        let done: Vec<String> =
            sqlx::query_scalar("SELECT name FROM jobs WHERE done_at > 0 AND until = 0 ORDER BY name")
                .fetch_all(&mut admin)
                .await
                .unwrap();
        if done.len() == 3 || began.elapsed() > AT_ONCE {
            break done;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(done, ["outbox purge", "purge", "rescore"]);
    // Both have begun by then: each looks as soon as it serves.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for what in ["decisions judged again", "what was kept for long enough is gone", "old events are gone"] {
        let times = replicas.iter().map(|one| one.process.said().matches(what).count()).collect::<Vec<_>>();
        assert_eq!(times.iter().sum::<usize>(), 1, "{what}: {times:?}");
    }
    // One that comes later on the same day finds all done.
    let third = replica(&sandbox.url, &database, &[]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(third.process.said().matches("decisions judged again").count(), 0);
}

/// nginx with the example's site, its ports replaced; ended when dropped.
struct Nginx {
    child: Child,
    url: String,
    folder: TempDir,
}

impl Nginx {
    /// `None`, said on stderr, where nginx is not installed; with the variable CI set that is a failure.
    fn start(replicas: [u16; 2]) -> Option<Nginx> {
        let program =
            ["/usr/sbin/nginx", "/usr/local/bin/nginx"].into_iter().find(|at| std::path::Path::new(at).exists());
        let Some(program) = program else {
            assert!(std::env::var_os("CI").is_none(), "nginx is missing");
            crate::support::say("skipped: nginx is not installed (Debian: apt install nginx)");
            return None;
        };
        let (folder, port) = (TempDir::new().unwrap(), free_port());
        let example = include_str!("../../config/nginx.example.conf");
        let site = example
            .replace("127.0.0.1:8080", &format!("127.0.0.1:{port}"))
            .replace("127.0.0.1:8081", &format!("127.0.0.1:{}", replicas[0]))
            .replace("127.0.0.1:8082", &format!("127.0.0.1:{}", replicas[1]));
        std::fs::write(folder.path().join("site.conf"), site).unwrap();
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .iter()
            .map(|of| format!("{of}_temp_path {}/{of};\n", folder.path().display()))
            .collect();
        let at = folder.path().display();
        let main = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log;\n\
             events {{}}\nhttp {{ access_log off;\n{temporary}include {at}/site.conf; }}\n"
        );
        let path = folder.path().join("nginx.conf");
        std::fs::write(&path, main).unwrap();
        let mut command = Command::new(program);
        command.arg("-p").arg(folder.path()).arg("-e").arg(folder.path().join("error.log")).arg("-c").arg(&path);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let began = Instant::now();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let log = std::fs::read_to_string(folder.path().join("error.log")).unwrap_or_default();
            assert!(began.elapsed() < AT_ONCE, "nginx does not start: {log}");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(Nginx { child, url: format!("http://127.0.0.1:{port}"), folder })
    }
}

impl Nginx {
    /// Its error log.
    fn said(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("error.log")).unwrap_or_default()
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What went wrong in the service; the test's output is shown where it fails only.
fn complain(service: &Service) {
    let complaints = service.process.said();
    complaints.lines().filter(|line| line.contains("\"level\":\"ERROR\"")).for_each(|line| println!("{line}"));
}

/// Stops as an orchestrator does, and begins again at the same place.
async fn rolled(mut service: Service) -> Service {
    complain(&service);
    service.process.signal("TERM");
    let (service, code) = tokio::task::spawn_blocking(move || {
        let code = service.process.wait();
        (service, code)
    })
    .await
    .unwrap();
    assert_eq!(code, Some(0), "{}", service.process.said());
    let service = tokio::task::spawn_blocking(move || service.restart()).await.unwrap();
    until("the new one is not ready", async || {
        reqwest::get(format!("{}/readyz", service.management)).await.is_ok_and(|answer| answer.status() == 200)
    })
    .await;
    service
}

#[tokio::test]
async fn a_rolling_restart_behind_nginx_fails_no_request() {
    let Some(database) = fresh_database().await else { return };
    let ports = [free_port(), free_port()];
    let Some(nginx) = Nginx::start(ports) else { return };
    let sandbox = Sandbox::start(&[]);
    let at = ports.map(|port| format!("127.0.0.1:{port}"));
    let mut first = replica(&sandbox.url, &database, &[("YUXIN_SERVER__LISTEN", &at[0])]);
    let mut second = replica(&sandbox.url, &database, &[("YUXIN_SERVER__LISTEN", &at[1])]);
    let bank = Bank { url: nginx.url.clone(), ..first.bank("First Bank") };
    let firms = sandbox.firms(6).await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut callers = Vec::new();
    for firm in firms {
        let consent = bank.consent(&firm).await;
        let (bank, stop) = (bank.clone(), stop.clone());
        callers.push(tokio::spawn(async move {
            let (mut answers, mut failed) = (0, Vec::new());
            while !stop.load(Ordering::Relaxed) {
                // No Idempotency-Key: nginx may not send it twice.
                let sent = bank.post("/v1/decisions").json(&ask(&firm, &consent)).send().await;
                let listed = bank.get("/v1/decisions").send().await;
                for (what, wanted, answer) in [("POST", 201, sent), ("GET", 200, listed)] {
                    match answer {
                        Ok(answer) if answer.status().as_u16() == wanted => answers += 1,
                        // The body tells nginx's answers from a replica's, and says why.
                        Ok(answer) => failed.push(format!("{what} {}: {:?}", answer.status(), answer.text().await)),
                        Err(error) => failed.push(format!("{what} {error:?}")),
                    }
                }
            }
            (answers, failed)
        }));
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    for _ in 0..2 {
        first = rolled(first).await;
        tokio::time::sleep(Duration::from_millis(2500)).await;
        second = rolled(second).await;
        tokio::time::sleep(Duration::from_millis(2500)).await;
    }
    stop.store(true, Ordering::Relaxed);
    let (mut answers, mut failed) = (0, Vec::new());
    for caller in callers {
        let (of, bad) = caller.await.unwrap();
        answers += of;
        failed.extend(bad);
    }
    complain(&first);
    complain(&second);
    assert!(failed.is_empty(), "{} of {} failed: {failed:?}\n{}", failed.len(), answers + failed.len(), nginx.said());
    assert!(answers > 50, "only {answers} requests");
    assert!(first.command(&["audit", "verify"]).status.success());
}

/// One request on a connection that is kept; the answer's head.
fn spoken(stream: &mut TcpStream) -> String {
    stream.write_all(b"GET /v1/decisions HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut buffer = [0; 4096];
    let n = stream.read(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..n]).to_ascii_lowercase()
}

#[test]
fn a_stopping_replica_is_first_not_ready_then_refuses_connections_and_closes_kept_ones_with_their_next_answer() {
    let sandbox = Sandbox::start(&[]);
    let times = [("YUXIN_SERVER__DRAIN_NOTICE_SECONDS", "3"), ("YUXIN_SERVER__DRAIN_IDLE_SECONDS", "30")];
    let mut service = Service::start_with(&sandbox.url, &times);
    let address = service.url.trim_start_matches("http://").to_owned();
    let connect = || {
        let stream = TcpStream::connect(&address)?;
        stream.set_read_timeout(Some(Duration::from_secs(10))).map(|()| stream)
    };
    let mut kept = connect().unwrap();
    assert!(!spoken(&mut kept).contains("connection: close"));
    service.process.signal("TERM");
    let ready = |service: &Service| {
        let mut stream = TcpStream::connect(service.management.trim_start_matches("http://")).unwrap();
        stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.starts_with("HTTP/1.1 200")
    };
    let began = Instant::now();
    while ready(&service) {
        assert!(began.elapsed() < AT_ONCE, "it is still ready");
        std::thread::sleep(Duration::from_millis(20));
    }
    let answer = spoken(&mut connect().expect("within the notice connections are still taken"));
    assert!(answer.starts_with("http/1.1 401") && answer.contains("connection: close"), "{answer}");
    while connect().is_ok() {
        assert!(began.elapsed() < AT_ONCE, "connections are still taken");
        std::thread::sleep(Duration::from_millis(50));
    }
    // The kept one was idle all the time and is open.
    let answer = spoken(&mut kept);
    assert!(answer.starts_with("http/1.1 401") && answer.contains("connection: close"), "{answer}");
    assert_eq!(service.process.wait(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(20), "it waits although no connection is left");
}
