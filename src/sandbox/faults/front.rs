//! A plain TCP listener before the departments, which sends what no HTTP server library would.
//!
//! One request a connection: each is met by the script, or goes on to the departments behind, byte by byte.

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{Calls, Department, Fault, Faults};
use crate::sandbox::reserved::OTHER_FIRM;

/// The longest head and the longest body of a request.
const HEAD_BYTES_MAX: usize = 16 * 1024;
const BODY_BYTES_MAX: usize = 64 * 1024;
/// A request must have come by then.
const REQUEST_WITHIN: Duration = Duration::from_secs(30);

/// The front, listening.
pub(in crate::sandbox) struct Front {
    listener: TcpListener,
    desk: Arc<Desk>,
}

struct Desk {
    faults: Faults,
    behind: SocketAddr,
    /// The same departments with records as of so many days earlier.
    aged: BTreeMap<i32, SocketAddr>,
    calls: Calls,
    began: Instant,
}

struct Request {
    head: String,
    body: Vec<u8>,
}

impl Front {
    /// Takes over a listener; the departments are at `behind`.
    pub(in crate::sandbox) fn new(
        listener: std::net::TcpListener,
        faults: Faults,
        behind: SocketAddr,
        aged: BTreeMap<i32, SocketAddr>,
    ) -> io::Result<Front> {
        listener.set_nonblocking(true)?;
        let desk = Desk { faults, behind, aged, calls: Calls::default(), began: Instant::now() };
        Ok(Front { listener: TcpListener::from_std(listener)?, desk: Arc::new(desk) })
    }

    /// Accepts until it is dropped.
    pub(in crate::sandbox) async fn run(self) {
        loop {
            match self.listener.accept().await {
                Ok((stream, _)) => {
                    let desk = self.desk.clone();
                    // A client that goes away in the middle is no concern of the sandbox.
                    tokio::spawn(async move { desk.serve(stream).await.ok() });
                }
                // Out of descriptors: wait until some are free.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

impl Desk {
    async fn serve(&self, mut to: TcpStream) -> io::Result<()> {
        let Ok(request) = tokio::time::timeout(REQUEST_WITHIN, read(&mut to)).await else { return Ok(()) };
        let request = request?;
        let path = request.head.split(' ').nth(1).unwrap_or_default();
        if path == "/calls" {
            return answer(&mut to, 200, self.calls.told().to_string().as_bytes()).await;
        }
        let Some(of) = Department::at(path) else { return pass_on(&mut to, &request, self.behind).await };
        let number = self.calls.count(of);
        let elapsed = self.began.elapsed();
        match self.faults.meets(of, number, elapsed) {
            None => pass_on(&mut to, &request, self.behind).await,
            Some(fault) => self.fail(to, &request, fault, elapsed).await,
        }
    }

    async fn fail(&self, mut to: TcpStream, request: &Request, fault: Fault, elapsed: Duration) -> io::Result<()> {
        match fault {
            // Until the client gives up.
            Fault::TimeOut => to.read(&mut [0; 1]).await.map(drop),
            Fault::Slow(wait) => {
                tokio::time::sleep(wait).await;
                pass_on(&mut to, request, self.behind).await
            }
            Fault::Status(status) => answer(&mut to, status, br#"{"error":"out of order"}"#).await,
            Fault::Reset => reset(to),
            Fault::Empty => answer(&mut to, 200, b"").await,
            Fault::Garbage => answer(&mut to, 200, b"\x00\xff{]<html>\x1b garbage").await,
            Fault::Redirect => {
                let head = "HTTP/1.1 302 Found\r\nlocation: /firms\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
                to.write_all(head.as_bytes()).await
            }
            Fault::Flapping { period } if (elapsed.as_millis() / (period.as_millis() / 2).max(1)).is_multiple_of(2) => {
                answer(&mut to, 503, br#"{"error":"out of order"}"#).await
            }
            Fault::Flapping { .. } => pass_on(&mut to, request, self.behind).await,
            Fault::Stale { days } => {
                pass_on(&mut to, request, self.aged.get(&days).copied().unwrap_or(self.behind)).await
            }
            Fault::Huge { bytes } => huge(&mut to, bytes).await,
            Fault::CutBody | Fault::Dribble { .. } => {
                let reply = ask(request, self.behind).await?;
                partly(&mut to, fault, &reply).await
            }
            Fault::WrongSchema | Fault::OtherFirm | Fault::Contradictory => {
                let reply = ask(request, self.behind).await?;
                let (status, body) = split(&reply);
                answer(&mut to, status, &bent(fault, request, body)).await
            }
        }
    }
}

/// Reads a request with its body.
async fn read(from: &mut TcpStream) -> io::Result<Request> {
    let refuse = |why| io::Error::new(io::ErrorKind::InvalidData, why);
    let mut bytes = Vec::new();
    let end = loop {
        if let Some(at) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break at;
        }
        if bytes.len() > HEAD_BYTES_MAX || from.read_buf(&mut bytes).await? == 0 {
            return Err(refuse("no request"));
        }
    };
    let head = String::from_utf8(bytes[..end].to_vec()).map_err(|_| refuse("no text"))?;
    let mut body = bytes.split_off(end + 4);
    let length = header(&head, "content-length").and_then(|text| text.parse().ok()).unwrap_or(0usize);
    if length > BODY_BYTES_MAX {
        return Err(refuse("too long"));
    }
    while body.len() < length && from.read_buf(&mut body).await? > 0 {}
    Ok(Request { head, body })
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
}

async fn send(request: &Request, behind: SocketAddr) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(behind).await?;
    let kept = request.head.lines().filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let mut bytes = kept.collect::<Vec<_>>().join("\r\n").into_bytes();
    bytes.extend_from_slice(b"\r\nconnection: close\r\n\r\n");
    bytes.extend_from_slice(&request.body);
    stream.write_all(&bytes).await?;
    Ok(stream)
}

async fn pass_on(to: &mut TcpStream, request: &Request, behind: SocketAddr) -> io::Result<()> {
    let mut from = send(request, behind).await?;
    tokio::io::copy(&mut from, to).await.map(drop)
}

async fn ask(request: &Request, behind: SocketAddr) -> io::Result<Vec<u8>> {
    let mut reply = Vec::new();
    send(request, behind).await?.read_to_end(&mut reply).await?;
    Ok(reply)
}

/// The status and the body of a reply of the departments, which never send in chunks.
fn split(reply: &[u8]) -> (u16, &[u8]) {
    let end = reply.windows(4).position(|four| four == b"\r\n\r\n").map_or(reply.len(), |at| at + 4);
    let status = reply.get(9..12).and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok());
    (status.unwrap_or(502), &reply[end..])
}

async fn answer(to: &mut TcpStream, status: u16, body: &[u8]) -> io::Result<()> {
    to.write_all(head(status, body.len() as u64).as_bytes()).await?;
    to.write_all(body).await
}

fn head(status: u16, length: u64) -> String {
    format!(
        "HTTP/1.1 {status} Sandbox\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )
}

/// RST instead of FIN: a linger of zero throws away what is unsent.
fn reset(to: TcpStream) -> io::Result<()> {
    to.set_zero_linger()
}

async fn huge(to: &mut TcpStream, bytes: u64) -> io::Result<()> {
    to.write_all(head(200, bytes).as_bytes()).await?;
    let piece = [b' '; 64 * 1024];
    let mut left = bytes;
    while left > 0 {
        let now = left.min(piece.len() as u64);
        to.write_all(&piece[..now as usize]).await?;
        left -= now;
    }
    Ok(())
}

/// Sends half of a reply and closes, or all of it slowly.
async fn partly(to: &mut TcpStream, fault: Fault, reply: &[u8]) -> io::Result<()> {
    let (status, body) = split(reply);
    to.write_all(head(status, body.len() as u64).as_bytes()).await?;
    let Fault::Dribble { bytes_per_second } = fault else { return to.write_all(&body[..body.len() / 2]).await };
    to.set_nodelay(true)?;
    for byte in body {
        to.write_all(&[*byte]).await?;
        tokio::time::sleep(Duration::from_micros(1_000_000 / bytes_per_second.max(1))).await;
    }
    Ok(())
}

/// The reply, wrong: without its names, about another firm, or with other heads.
fn bent(fault: Fault, request: &Request, body: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(body).into_owned();
    match fault {
        Fault::WrongSchema => text.replace("\":", "_v2\":").into_bytes(),
        Fault::OtherFirm => {
            let target = request.head.split(' ').nth(1).unwrap_or_default();
            let asked = target.split(['/', '=', '&', '?']).find(|part| part.len() == OTHER_FIRM.len());
            asked.map_or(text.clone(), |code| text.replace(code, OTHER_FIRM)).into_bytes()
        }
        _ => match serde_json::from_str::<Value>(&text) {
            Ok(mut reply) => {
                contradict(&mut reply);
                reply.to_string().into_bytes()
            }
            Err(_) => text.into_bytes(),
        },
    }
}

/// Ten times the heads and fifty more: no other department's figure is near. And a tenth of the revenue declared, beside invoices that
/// stay as they are.
fn contradict(reply: &mut Value) {
    let more = |heads: &mut Value| {
        if let Some(count) = heads.as_u64() {
            *heads = Value::from(count * 10 + 50);
        }
    };
    for filing in reply.get_mut("filings").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(revenue) = filing.get_mut("declared_revenue_fen")
            && let Some(fen) = revenue.as_i64()
        {
            *revenue = Value::from(fen / 10);
        }
    }
    reply.get_mut("declared_heads").map(more);
    for month in reply.get_mut("months").and_then(Value::as_array_mut).into_iter().flatten() {
        month.get_mut("heads").map(more);
    }
}
