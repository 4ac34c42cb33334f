//! A bank's receiving server: takes messages over real sockets, and answers as a test wants it to.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// How a request is answered.
#[derive(Debug, Clone)]
pub enum Answering {
    /// With this status, and these further headers.
    Status(u16, &'static str),
    /// With 200 after this time.
    Late(Duration),
    /// Never.
    Hang,
    /// By closing the connection.
    Close,
    /// With 200 and a body that does not end.
    Flood,
}

pub const OK: Answering = Answering::Status(204, "");

/// A message as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub path: String,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub at: Instant,
}

impl Received {
    pub fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }
}

/// A receiving server; closed when dropped.
pub struct Receiver {
    pub address: SocketAddr,
    state: Arc<Mutex<State>>,
    task: JoinHandle<()>,
}

struct State {
    received: Vec<Received>,
    next: VecDeque<Answering>,
    then: Answering,
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Receiver {
    /// Answers every request like this.
    pub async fn start(then: Answering) -> Receiver {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { received: Vec::new(), next: VecDeque::new(), then }));
        let shared = Arc::clone(&state);
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                connections.spawn(connection(stream, Arc::clone(&shared)));
            }
        });
        Receiver { address, state, task }
    }

    /// Its address for a bank.
    pub fn url(&self) -> String {
        format!("http://{}/hook", self.address)
    }

    /// Answers the next requests like these, and those after them as before.
    pub fn next(&self, answers: impl IntoIterator<Item = Answering>) {
        self.state.lock().unwrap().next.extend(answers);
    }

    /// Answers like this from now on.
    pub fn then(&self, then: Answering) {
        self.state.lock().unwrap().then = then;
    }

    /// What has come so far.
    pub fn received(&self) -> Vec<Received> {
        self.state.lock().unwrap().received.clone()
    }

    /// Waits until so many messages have come.
    pub async fn wait(&self, count: usize, most: Duration) -> Vec<Received> {
        let began = Instant::now();
        loop {
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            let ids: Vec<String> = received.iter().map(|r| format!("{} {}", r.id(), r.kind())).collect();
            assert!(began.elapsed() < most, "only {} of {count} came in {most:?}: {ids:#?}", received.len());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn connection(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    let mut bytes = Vec::new();
    loop {
        let Some(received) = request(&mut stream, &mut bytes).await else { return };
        let answer = {
            let mut state = state.lock().unwrap();
            state.received.push(received);
            state.next.pop_front().unwrap_or_else(|| state.then.clone())
        };
        match answer {
            Answering::Status(status, headers) => {
                let head = format!("HTTP/1.1 {status} x\r\n{headers}content-length: 0\r\n\r\n");
                if stream.write_all(head.as_bytes()).await.is_err() {
                    return;
                }
            }
            Answering::Late(wait) => {
                tokio::time::sleep(wait).await;
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await;
            }
            Answering::Hang => std::future::pending().await,
            Answering::Close => return,
            Answering::Flood => {
                let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000\r\n\r\n").await;
                while stream.write_all(&[b'x'; 65_536]).await.is_ok() {}
                return;
            }
        }
    }
}

/// Reads one request; `None` at the end of the connection.
async fn request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> Option<Received> {
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(bytes[..head_end].to_vec()).unwrap();
    let mut lines = head.lines();
    let first = lines.next().unwrap();
    assert!(first.starts_with("POST "), "{first}");
    let path = first.split(' ').nth(1).unwrap().to_owned();
    let headers: BTreeMap<String, String> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length: usize = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    while bytes.len() < head_end + 4 + length {
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
    let body = String::from_utf8(bytes[head_end + 4..head_end + 4 + length].to_vec()).unwrap();
    bytes.drain(..head_end + 4 + length);
    Some(Received { path, headers, body, at: Instant::now() })
}
