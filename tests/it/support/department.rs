//! A department that misbehaves, over plain TCP: what no HTTP server library would send can be sent here.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use yuxin::domain::SourceKind;

/// How a department behaves towards one request.
#[derive(Clone)]
pub enum Behaviour {
    /// Answers with this status, these header lines, and this body; the connection stays open.
    Answer { status: u16, headers: Vec<String>, body: Vec<u8> },
    /// Sends these bytes and closes.
    Raw(Vec<u8>),
    /// Sends the first bytes, then the rest one by one with this pause after each.
    Dribble { first: Vec<u8>, rest: Vec<u8>, pause: Duration },
    /// Sends the first bytes, and a while later the second, which nobody asked for; the connection stays open.
    Twice { first: Vec<u8>, pause_ms: u64, second: Vec<u8> },
    /// Waits, then behaves.
    After(Duration, Box<Behaviour>),
    /// Reads the request and never answers.
    Silent,
    /// Closes without an answer.
    Close,
    /// Sends these bytes and resets the connection.
    Reset(Vec<u8>),
    /// The first request is met with the first, and so on; the last stays.
    InTurn(Vec<Behaviour>),
    /// The first request is met with the first, and so on; after the last the first again.
    ByTurns(Vec<Behaviour>),
    /// Answers rightly about whichever firm, as whichever kind of department the path names, with these header lines.
    Knowing(Vec<String>),
}

impl Behaviour {
    /// 200 with this JSON.
    pub fn json(body: impl Into<Vec<u8>>) -> Behaviour {
        Behaviour::status(200, body)
    }

    /// This status with this JSON.
    pub fn status(status: u16, body: impl Into<Vec<u8>>) -> Behaviour {
        Behaviour::with_headers(status, &["content-type: application/json"], body)
    }

    /// This status with these header lines.
    pub fn with_headers(status: u16, headers: &[&str], body: impl Into<Vec<u8>>) -> Behaviour {
        let headers = headers.iter().map(|line| line.to_string()).collect();
        Behaviour::Answer { status, headers, body: body.into() }
    }

    /// The right answer about any firm, with this `Cache-Control`.
    pub fn keepable(cache_control: &str) -> Behaviour {
        Behaviour::Knowing(vec![format!("cache-control: {cache_control}")])
    }

    /// The right answer about any firm.
    pub fn knowing() -> Behaviour {
        Behaviour::Knowing(Vec::new())
    }

    /// The same after a while.
    pub fn after_ms(self, ms: u64) -> Behaviour {
        Behaviour::After(Duration::from_millis(ms), Box::new(self))
    }

    /// The right answer of a department of this kind about the firm of the samples.
    pub fn well(source: SourceKind) -> Behaviour {
        Behaviour::json(sample(source))
    }
}

/// A right reply of each kind, about 91330604MA2XY0014W, as of 2026-10-31.
pub fn sample(source: SourceKind) -> &'static str {
    match source {
        SourceKind::Tax | SourceKind::Registry => include_str!("replies/tax.json"),
        SourceKind::SocialInsurance => include_str!("replies/social_insurance.json"),
        SourceKind::PaymentHistory | SourceKind::Court | SourceKind::Utilities => {
            include_str!("replies/payment_history.json")
        }
    }
}

/// A listening department; it stops when dropped.
pub struct Department {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    serving: tokio::task::JoinHandle<()>,
}

struct State {
    behaviour: Behaviour,
    connections: usize,
    requests: Vec<String>,
}

impl Department {
    /// Listens on a free port of the loopback interface.
    pub async fn start(behaviour: Behaviour) -> Department {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State { behaviour, connections: 0, requests: Vec::new() }));
        let shared = state.clone();
        let serving = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                // Head and body are written apart: the second must not wait for the first to be acknowledged.
                stream.set_nodelay(true).unwrap();
                shared.lock().unwrap().connections += 1;
                connections.spawn(serve(stream, shared.clone()));
            }
        });
        Department { address, state, serving }
    }

    /// `http://127.0.0.1:PORT`
    pub fn base_url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Behaves so from now on.
    pub fn behave(&self, behaviour: Behaviour) {
        self.state.lock().unwrap().behaviour = behaviour;
    }

    /// The requests so far: request line, headers and body of each.
    pub fn requests(&self) -> Vec<String> {
        self.state.lock().unwrap().requests.clone()
    }

    /// The connections accepted so far.
    pub fn connections(&self) -> usize {
        self.state.lock().unwrap().connections
    }
}

impl Drop for Department {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(mut stream: TcpStream, state: Arc<Mutex<State>>) {
    while let Some(request) = read_request(&mut stream).await {
        let mut behaviour = {
            let mut state = state.lock().unwrap();
            state.requests.push(request.clone());
            let before = state.requests.len() - 1;
            match &state.behaviour {
                Behaviour::InTurn(turns) => turns[before.min(turns.len() - 1)].clone(),
                Behaviour::ByTurns(turns) => turns[before % turns.len()].clone(),
                other => other.clone(),
            }
        };
        while let Behaviour::After(pause, then) = behaviour {
            tokio::time::sleep(pause).await;
            behaviour = *then;
        }
        if let Behaviour::Knowing(headers) = behaviour {
            behaviour = knowing(&request, headers);
        }
        if !behave(&mut stream, behaviour).await {
            return;
        }
    }
}

/// The right answer to a request, by its path.
fn knowing(request: &str, headers: Vec<String>) -> Behaviour {
    let path = request.split(' ').nth(1).unwrap();
    let kinds = [
        ("/tax/", SourceKind::Tax),
        ("/social-insurance/", SourceKind::SocialInsurance),
        ("/payments/", SourceKind::PaymentHistory),
    ];
    let (_, source) = kinds.into_iter().find(|(start, _)| path.starts_with(start)).unwrap();
    let body = sample(source).replace("91330604MA2XY0014W", path.rsplit('/').next().unwrap());
    Behaviour::Answer { status: 200, headers, body: body.into() }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(request).ok()?;
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await.ok()?;
    Some(head + &String::from_utf8(body).ok()?)
}

/// Whether the connection lives on.
async fn behave(stream: &mut TcpStream, behaviour: Behaviour) -> bool {
    match behaviour {
        Behaviour::Answer { status, headers, body } => {
            let mut head = format!("HTTP/1.1 {status} X\r\n");
            let framed = headers.iter().any(|line| {
                let line = line.to_ascii_lowercase();
                line.starts_with("content-length") || line.starts_with("transfer-encoding")
            });
            for line in headers {
                head.push_str(&line);
                head.push_str("\r\n");
            }
            if !framed && status != 204 {
                head.push_str(&format!("content-length: {}\r\n", body.len()));
            }
            head.push_str("\r\n");
            stream.write_all(head.as_bytes()).await.is_ok() && stream.write_all(&body).await.is_ok()
        }
        Behaviour::Raw(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.shutdown().await;
            false
        }
        Behaviour::Dribble { first, rest, pause } => {
            if stream.write_all(&first).await.is_err() {
                return false;
            }
            for byte in rest {
                if stream.write_all(&[byte]).await.is_err() {
                    return false;
                }
                tokio::time::sleep(pause).await;
            }
            true
        }
        Behaviour::Twice { mut first, pause_ms, second } => {
            if pause_ms == 0 {
                first.extend(second);
                return stream.write_all(&first).await.is_ok();
            }
            if stream.write_all(&first).await.is_err() {
                return false;
            }
            tokio::time::sleep(Duration::from_millis(pause_ms)).await;
            stream.write_all(&second).await.is_ok()
        }
        Behaviour::Silent => {
            // Until the other side gives up.
            let _ = stream.read_u8().await;
            false
        }
        Behaviour::Close => false,
        Behaviour::Reset(bytes) => {
            let _ = stream.write_all(&bytes).await;
            let _ = stream.set_zero_linger();
            false
        }
        Behaviour::After(..) | Behaviour::InTurn(_) | Behaviour::ByTurns(_) | Behaviour::Knowing(_) => {
            unreachable!("resolved before")
        }
    }
}
