//! Asks for decisions at a rate that does not depend on the answers, as many banks together do: a request is sent when it is due, on a
//! connection that is free or on a new one, and its time counts from when it was due. wrk waits for an answer before each connection asks
//! again, so it offers less the slower it is answered.
//!
//! `flood HOST:PORT KEY BODIES PER_SECOND SECONDS [CONNECTIONS]`, `BODIES` a file with a request body on each line; a line of JSON comes out.
#![allow(clippy::unwrap_used, clippy::expect_used)] // a load generator that cannot go on may panic

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::net::TcpStream;
use tokio::sync::{Mutex, mpsc};

/// How often it is looked what is due.
const TICK: Duration = Duration::from_millis(1);
/// A request that is not answered so long after the end has failed.
const AFTER: Duration = Duration::from_secs(10);

struct Due {
    at: Instant,
    n: usize,
}

/// How a request ended: its status, 0 for none, and how long after it was due.
type Ended = (u16, Duration);

struct Shared {
    address: String,
    requests: Vec<Vec<u8>>,
    due: Mutex<mpsc::UnboundedReceiver<Due>>,
    ended: mpsc::UnboundedSender<Ended>,
}

/// Sends all of it, and reads one answer; gives its status, and whether the connection stays open.
async fn exchange(stream: &TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> std::io::Result<(u16, bool)> {
    let mut sent = 0;
    while sent < request.len() {
        stream.writable().await?;
        match stream.try_write(&request[sent..]) {
            Ok(n) => sent += n,
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
    buffer.clear();
    loop {
        if let Some(answer) = whole(buffer) {
            return Ok(answer);
        }
        stream.readable().await?;
        match stream.try_read_buf(buffer) {
            Ok(0) => return Err(std::io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
    }
}

/// The status of an answer that is there as a whole.
fn whole(buffer: &[u8]) -> Option<(u16, bool)> {
    let head = buffer.windows(4).position(|end| end == b"\r\n\r\n")?;
    let text = std::str::from_utf8(&buffer[..head]).ok()?.to_ascii_lowercase();
    let length: usize = text.lines().find_map(|line| line.strip_prefix("content-length: "))?.trim().parse().ok()?;
    let status = text.get(9..12)?.parse().ok()?;
    (buffer.len() >= head + 4 + length).then(|| (status, !text.contains("connection: close")))
}

async fn connection(shared: Arc<Shared>) {
    let (mut stream, mut buffer) = (None, Vec::with_capacity(16 * 1024));
    loop {
        let next = shared.due.lock().await.recv().await;
        let Some(due) = next else { return };
        let request = &shared.requests[due.n % shared.requests.len()];
        let answer = async {
            let open = match stream.take() {
                Some(open) => open,
                None => TcpStream::connect(&shared.address).await?,
            };
            open.set_nodelay(true)?;
            let (status, stays) = exchange(&open, request, &mut buffer).await?;
            stream = Some(open).filter(|_| stays);
            Ok::<u16, std::io::Error>(status)
        };
        let status = answer.await.unwrap_or(0);
        if shared.ended.send((status, due.at.elapsed())).is_err() {
            return;
        }
    }
}

fn quantile(sorted: &[Duration], q: f64) -> f64 {
    let at = ((sorted.len() as f64 * q) as usize).min(sorted.len().saturating_sub(1));
    sorted.get(at).map_or(0.0, |took| took.as_secs_f64() * 1000.0)
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [address, key, bodies, rate, seconds, more @ ..] = args.as_slice() else {
        eprintln!("usage: flood HOST:PORT KEY BODIES PER_SECOND SECONDS [CONNECTIONS]");
        std::process::exit(2);
    };
    let (rate, seconds): (f64, f64) = (rate.parse().expect("a rate"), seconds.parse().expect("seconds"));
    let connections: usize = more.first().map_or(2000, |text| text.parse().expect("a number of connections"));
    let bodies = std::fs::read_to_string(bodies).expect("the bodies can be read");
    let request = |body: &str| {
        format!(
            "POST /v1/decisions HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    };
    let requests: Vec<Vec<u8>> = bodies.lines().map(request).collect();
    let ((ask, due), (ended, mut ends)) = (mpsc::unbounded_channel(), mpsc::unbounded_channel());
    let shared = Arc::new(Shared { address: address.clone(), requests, due: Mutex::new(due), ended });
    for _ in 0..connections {
        tokio::spawn(connection(shared.clone()));
    }
    drop(shared);
    let (began, mut n) = (Instant::now(), 0_usize);
    let mut ticks = tokio::time::interval(TICK);
    let mut took: BTreeMap<u16, Vec<Duration>> = BTreeMap::new();
    while began.elapsed().as_secs_f64() < seconds {
        ticks.tick().await;
        let wanted = (began.elapsed().as_secs_f64().min(seconds) * rate) as usize;
        while n < wanted {
            let at = began + Duration::from_secs_f64(n as f64 / rate);
            ask.send(Due { at, n }).expect("somebody asks");
            n += 1;
        }
        while let Ok((status, time)) = ends.try_recv() {
            took.entry(status).or_default().push(time);
        }
    }
    let lasted = began.elapsed().as_secs_f64();
    // What was answered within the time; what is under way then is waited for, and counts as it ends.
    let within: BTreeMap<u16, usize> = took.iter().map(|(status, all)| (*status, all.len())).collect();
    drop(ask);
    let until = tokio::time::Instant::now() + AFTER;
    while let Ok(Some((status, time))) = tokio::time::timeout_at(until, ends.recv()).await {
        took.entry(status).or_default().push(time);
    }
    took.values_mut().for_each(|all| all.sort());
    let none = Vec::new();
    let (made, refused) = (took.get(&201).unwrap_or(&none), took.get(&503).unwrap_or(&none));
    let count = |status: u16| within.get(&status).copied().unwrap_or_default();
    let other: usize = within.iter().filter(|(status, _)| ![0, 201, 429, 503].contains(*status)).map(|(_, n)| n).sum();
    let lost = n - took.values().map(Vec::len).sum::<usize>() + took.get(&0).map_or(0, Vec::len);
    println!(
        "{{\"seconds\": {lasted:.3}, \"offered\": {n}, \"made\": {}, \"refused\": {}, \"limited\": {}, \"other\": {other}, \"errors\": {lost}, \
         \"p50_ms\": {:.2}, \"p99_ms\": {:.2}, \"refused_p50_ms\": {:.2}, \"refused_p99_ms\": {:.2}}}",
        count(201),
        count(503),
        count(429),
        quantile(made, 0.5),
        quantile(made, 0.99),
        quantile(refused, 0.5),
        quantile(refused, 0.99),
    );
}
