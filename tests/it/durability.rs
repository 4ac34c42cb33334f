//! No acknowledged decision is lost or doubled, whenever the process dies.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::support::service::{Bank, Sandbox, Service, ask};

/// What a caller knows of a request: its key, and the answer where one came.
type Sent = BTreeMap<String, Option<String>>;

async fn keep_asking(bank: Bank, firm: String, consent: String, caller: usize, stop: Arc<AtomicBool>) -> Sent {
    let mut sent = Sent::new();
    for n in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let key = format!("caller-{caller}-{n}");
        let request = bank.post("/v1/decisions").header("idempotency-key", &key).json(&ask(&firm, &consent));
        let answer = match request.send().await {
            Ok(response) if response.status() == 201 => response.text().await.ok(),
            _ => None,
        };
        let died = answer.is_none();
        sent.insert(key, answer);
        if died {
            break;
        }
    }
    sent
}

#[tokio::test]
async fn kill_9_under_load_loses_and_doubles_nothing() {
    let sandbox = Sandbox::start(&[]);
    let mut service = Service::start(&sandbox.url);
    let mut bank = service.bank("First Bank");
    let firms = sandbox.firms(8).await;
    for round in 0..5 {
        let stop = Arc::new(AtomicBool::new(false));
        let mut callers = Vec::new();
        for (n, firm) in firms.iter().enumerate() {
            let consent = bank.consent(firm).await;
            let caller = keep_asking(bank.clone(), firm.clone(), consent, round * 100 + n, stop.clone());
            callers.push((firm.clone(), tokio::spawn(caller)));
        }
        tokio::time::sleep(Duration::from_millis(300 + 170 * round as u64)).await;
        service.process.kill();
        stop.store(true, Ordering::Relaxed);
        let mut sent = Sent::new();
        for (_, caller) in callers {
            sent.extend(caller.await.unwrap());
        }
        assert!(sent.values().any(Option::is_some), "round {round}: nothing was acknowledged");
        service = service.restart();
        bank.url.clone_from(&service.url);
        reconcile(&bank, &sent).await;
        let audit = service.command(&["audit", "verify"]);
        assert!(audit.status.success(), "{}", String::from_utf8_lossy(&audit.stderr));
    }
}

/// Every acknowledged decision is there, once, as it was answered.
async fn reconcile(bank: &Bank, sent: &Sent) {
    let mut stored: BTreeMap<String, usize> = BTreeMap::new();
    let mut cursor = String::new();
    loop {
        let page: Value = bank.get(&format!("/v1/decisions{cursor}")).send().await.unwrap().json().await.unwrap();
        for decision in page["decisions"].as_array().unwrap() {
            *stored.entry(decision["id"].as_str().unwrap().to_owned()).or_default() += 1;
        }
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("?cursor={next}"),
            None => break,
        }
    }
    assert!(stored.values().all(|times| *times == 1), "a decision is listed twice");
    for (key, answer) in sent {
        let Some(answer) = answer else { continue };
        let answered: Value = serde_json::from_str(answer).unwrap();
        let id = answered["id"].as_str().unwrap();
        assert!(stored.contains_key(id), "{key} was acknowledged and is lost");
        let found: Value = bank.get(&format!("/v1/decisions/{id}")).send().await.unwrap().json().await.unwrap();
        assert_eq!(found, answered);
    }
}

#[tokio::test]
async fn a_retry_after_the_crash_gets_the_same_decision() {
    let sandbox = Sandbox::start(&[]);
    let mut service = Service::start(&sandbox.url);
    let mut bank = service.bank("First Bank");
    let firm = sandbox.firms(1).await.remove(0);
    let consent = bank.consent(&firm).await;
    let send = |bank: &Bank| {
        let request = bank.post("/v1/decisions").header("idempotency-key", "loan-1").json(&ask(&firm, &consent));
        async move { request.send().await.unwrap().text().await.unwrap() }
    };
    let first = send(&bank).await;
    service.process.kill();
    service = service.restart();
    bank.url.clone_from(&service.url);
    assert_eq!(send(&bank).await, first);
}

#[tokio::test]
async fn sigterm_finishes_requests_under_way_and_exits_0() {
    let sandbox = Sandbox::start(&[]);
    let mut service = Service::start(&sandbox.url);
    let bank = service.bank("First Bank");
    let firm = sandbox.firms(1).await.remove(0);
    let consent = bank.consent(&firm).await;
    // A department that hangs keeps the request under way for the whole gathering.
    sandbox.process.signal("STOP");
    let asking = tokio::spawn({
        let (bank, firm) = (bank.clone(), firm.clone());
        async move { bank.ask(&firm, &consent).await.status().as_u16() }
    });
    tokio::time::sleep(Duration::from_millis(400)).await;
    service.process.signal("TERM");
    assert_eq!(asking.await.unwrap(), 201);
    assert_eq!(tokio::task::spawn_blocking(move || service.process.wait()).await.unwrap(), Some(0));
    sandbox.process.signal("CONT");
}

/// A small file system in memory, gone when dropped; `None` where this user may not mount one.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount() -> Option<SmallDisk> {
        let folder = tempfile::TempDir::new().unwrap();
        let mount = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=3m", "tmpfs"])
            .arg(folder.path())
            .output();
        mount.is_ok_and(|done| done.status.success()).then(|| SmallDisk(folder))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.0.path()).output();
    }
}

#[tokio::test]
async fn a_full_disk_is_refused_with_503_and_heals_by_itself_once_there_is_room() {
    let Some(disk) = SmallDisk::mount() else {
        crate::support::say("skipped: a small disk cannot be mounted by this user");
        return;
    };
    let sandbox = Sandbox::start(&[]);
    let url = format!("sqlite://{}", disk.0.path().join("yuxin.db").display());
    let service = Service::start_with(&sandbox.url, &[("YUXIN_STORE__URL", &url)]);
    let bank = service.bank("First Bank");
    let firm = sandbox.firms(1).await.remove(0);
    let consent = bank.consent(&firm).await;
    let ballast = disk.0.path().join("ballast");
    let mut acknowledged = Vec::new();
    let mut refused = 0;
    for n in 0..400 {
        if n == 5 {
            // The disk fills up by somebody else's doing, and stays full for a while.
            let _ = std::fs::write(&ballast, vec![0; 8 << 20]);
        }
        let answer = bank.ask(&firm, &consent).await;
        match answer.status().as_u16() {
            201 => acknowledged.push(answer.json::<Value>().await.unwrap()["id"].as_str().unwrap().to_owned()),
            503 => {
                assert!(answer.headers().contains_key("retry-after"));
                refused += 1;
            }
            other => panic!("{other}"),
        }
        if refused == 10 {
            break;
        }
    }
    assert!(refused > 0 && !acknowledged.is_empty(), "the disk was never full, or always");
    std::fs::remove_file(&ballast).unwrap();
    let began = std::time::Instant::now();
    while bank.ask(&firm, &consent).await.status() != 201 {
        assert!(began.elapsed() < Duration::from_secs(5), "it does not heal:\n{}", service.process.said());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for id in acknowledged {
        assert_eq!(
            bank.get(&format!("/v1/decisions/{id}")).send().await.unwrap().status(),
            200,
            "acknowledged and lost"
        );
    }
    assert!(service.command(&["audit", "verify"]).status.success());
}
