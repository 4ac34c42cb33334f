//! The door out to the banks: no proxy, no redirects, no cookies, bounded in time and bytes, and only to addresses that are allowed.
//!
//! A name is looked up here, and the connection goes to the very addresses that were checked: a name that leads elsewhere a moment
//! later (DNS rebinding) gains nothing. Addresses given as such are not looked up, so they are checked before each request.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Response, Url, tls};

use super::OutboxError;
use super::address::{AddressRules, UrlParts, UrlRefusal};
use crate::settings::WebhooksSettings;

/// What banks see as our `User-Agent`.
const USER_AGENT: &str = concat!("yuxin/", env!("CARGO_PKG_VERSION"));
/// A connection that was idle for longer is not used again.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);
/// Bytes of an answer that are read, so that its connection can be used again; what it says is of no interest.
const BODY_BYTES_MAX: usize = 4096;
/// How long is waited for these bytes.
const BODY_TIMEOUT: Duration = Duration::from_secs(1);

/// Sends messages.
pub(super) struct Client {
    http: reqwest::Client,
    rules: Arc<AddressRules>,
}

/// A signed message.
pub(super) struct Message<'a> {
    pub(super) id: &'a str,
    pub(super) timestamp: i64,
    pub(super) signatures: &'a str,
    pub(super) body: &'a str,
}

/// How a try ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// With a 2xx.
    Delivered,
    /// With 410.
    Gone,
    /// With a 3xx, which is not followed.
    Redirect,
    /// With another status.
    Status,
    /// Not in time.
    Timeout,
    /// No such name.
    Name,
    /// The name, or the address itself, leads where nothing may be called.
    Address,
    /// No connection.
    Connect,
    /// The certificate is not believed, or they do not speak TLS.
    Tls,
    /// The connection broke, or they do not speak HTTP.
    Closed,
    /// The secret cannot be opened: its key is not in the settings.
    Secret,
}

impl End {
    /// The word in answers, the store and metric labels.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            End::Delivered => "delivered",
            End::Gone => "gone",
            End::Redirect => "redirect",
            End::Status => "status",
            End::Timeout => "timeout",
            End::Name => "name",
            End::Address => "address",
            End::Connect => "connect",
            End::Tls => "tls",
            End::Closed => "closed",
            End::Secret => "secret",
        }
    }
}

/// What came of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) end: End,
    pub(super) status: Option<u16>,
    pub(super) retry_after: Option<Duration>,
}

impl Answer {
    /// Nothing came back.
    pub(super) fn none(end: End) -> Answer {
        Answer { end, status: None, retry_after: None }
    }
}

impl Client {
    /// A client with the limits of the settings.
    pub(super) fn new(settings: &WebhooksSettings, rules: Arc<AddressRules>) -> Result<Client, OutboxError> {
        let builder = || {
            reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
                .timeout(Duration::from_millis(settings.timeout_ms))
                .pool_idle_timeout(IDLE_CONNECTION)
                .pool_max_idle_per_host(1)
                .redirect(reqwest::redirect::Policy::none())
                .retry(reqwest::retry::never())
                .referer(false)
                .no_gzip()
                .no_proxy()
                .https_only(!rules.allows_http())
                .dns_resolver(Guarded(Arc::clone(&rules)))
        };
        let refused = |why: String| OutboxError::Setting { key: "authorities", why };
        let mut more = Vec::new();
        if !settings.authorities.is_empty() {
            let file = std::fs::read(&settings.authorities)
                .map_err(|e| refused(format!("the file {} cannot be read: {e}", settings.authorities)))?;
            more = tls::Certificate::from_pem_bundle(&file).map_err(|_| refused("it is not a PEM file".to_owned()))?;
            if more.is_empty() {
                return Err(refused(format!("the file {} holds no certificate", settings.authorities)));
            }
        }
        let http = match builder().tls_certs_merge(more.clone()).build() {
            Ok(http) => http,
            // Where the machine has no authorities at all the service serves on; only these are believed then.
            Err(_) => {
                tracing::warn!("this machine has no certificates of authorities: webhooks over https will fail");
                builder().tls_certs_only(more).build().map_err(|e| refused(e.without_url().to_string()))?
            }
        };
        Ok(Client { http, rules })
    }

    /// Sends a message once.
    pub(super) async fn post(&self, url: &str, message: &Message<'_>) -> Answer {
        let Ok(url) = check_url(&self.rules, url) else { return Answer::none(End::Address) };
        let sent = self
            .http
            .post(url)
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", message.id)
            .header("webhook-timestamp", message.timestamp)
            .header("webhook-signature", message.signatures)
            .body(message.body.to_owned())
            .send()
            .await;
        match sent {
            Ok(response) => {
                let answer = read(&response);
                // The status says all; a body that does not come changes nothing.
                let _ = tokio::time::timeout(BODY_TIMEOUT, drain(response)).await;
                answer
            }
            Err(error) => Answer::none(end_of(&error)),
        }
    }
}

/// Reads an address and holds it against the rules.
pub(super) fn check_url(rules: &AddressRules, text: &str) -> Result<Url, UrlRefusal> {
    let url = Url::parse(text).map_err(|_| UrlRefusal::NotAnAddress)?;
    rules.check(&UrlParts {
        bytes: url.as_str().len(),
        scheme: url.scheme(),
        user_info: !url.username().is_empty() || url.password().is_some(),
        host: url.host_str().unwrap_or_default(),
        port: url.port_or_known_default().unwrap_or(0),
        fragment: url.fragment().is_some(),
    })?;
    Ok(url)
}

fn read(response: &Response) -> Answer {
    let status = response.status().as_u16();
    let end = match status {
        200..=299 => End::Delivered,
        300..=399 => End::Redirect,
        410 => End::Gone,
        _ => End::Status,
    };
    let header = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    Answer { end, status: Some(status), retry_after: header.and_then(|text| retry_after(text, Timestamp::now())) }
}

/// Seconds, or a date.
fn retry_after(text: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(text.trim()).ok()?.timestamp();
    Duration::try_from(at.duration_since(now)).ok()
}

async fn drain(mut response: Response) {
    let mut bytes = 0;
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes += chunk.len();
        if bytes > BODY_BYTES_MAX {
            return;
        }
    }
}

/// What an error of the transport means, without its text, which holds the address.
fn end_of(error: &reqwest::Error) -> End {
    let mut cause = error.source();
    while let Some(error) = cause {
        match error.downcast_ref::<Unreachable>() {
            Some(Unreachable::NoSuchName) => return End::Name,
            Some(Unreachable::NotAllowed) => return End::Address,
            None => {}
        }
        if error.downcast_ref::<std::io::Error>().is_some_and(is_tls) {
            return End::Tls;
        }
        cause = error.source();
    }
    match error {
        error if error.is_timeout() => End::Timeout,
        error if error.is_connect() => End::Connect,
        _ => End::Closed,
    }
}

/// Whether this is what rustls hands on: an error of this kind, perhaps in another one.
fn is_tls(error: &std::io::Error) -> bool {
    let inner = || error.get_ref().and_then(|inner| inner.downcast_ref::<std::io::Error>());
    error.kind() == std::io::ErrorKind::InvalidData || inner().is_some_and(is_tls)
}

/// Looks names up, and keeps of their addresses those that are allowed.
struct Guarded(Arc<AddressRules>);

/// Why a name leads nowhere.
#[derive(Debug, Clone, Copy)]
enum Unreachable {
    NoSuchName,
    NotAllowed,
}

impl fmt::Display for Unreachable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Unreachable::NoSuchName => "no such name",
            Unreachable::NotAllowed => "the name has no address that may be called",
        })
    }
}

impl Error for Unreachable {}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let rules = Arc::clone(&self.0);
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await.map_err(|_| Unreachable::NoSuchName)?;
            let allowed: Vec<SocketAddr> = rules.allowed(found);
            if allowed.is_empty() {
                return Err(Unreachable::NotAllowed.into());
            }
            let allowed: Addrs = Box::new(allowed.into_iter());
            Ok(allowed)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(url: &str) -> Option<UrlRefusal> {
        check_url(&AddressRules::new(false, "").unwrap(), url).err()
    }

    #[test]
    fn an_address_is_seen_through_whatever_way_it_is_written() {
        for url in [
            "https://127.0.0.1/",
            "https://127.1/",
            "https://2130706433/",
            "https://0x7f000001/",
            "https://0x7f.1/",
            "https://017700000001/",
            "https://0177.0.0.1/",
            "https://127.0.0.1./",
            "https://[::1]/",
            "https://0/",
            "https://[::ffff:127.0.0.1]/",
            "https://[0:0:0:0:0:ffff:7f00:1]/",
            "https://[::ffff:7f00:1]/",
            "https://[64:ff9b::7f00:1]/",
            "https://[2002:7f00:1::]/",
            "https://169.254.169.254/latest/meta-data/",
            "https://2852039166/",
            "https://１２７.０.０.１/",
            "https://127。0。0。1/",
            "https://localhost/",
            "https://LOCALHOST./",
            "https://x.localhost/",
            "https://%31%32%37.0.0.1/",
            "https://[fd00:ec2::254]/",
        ] {
            assert_eq!(refusal(url), Some(UrlRefusal::NotPublic), "{url}");
        }
    }

    #[test]
    fn what_is_not_a_public_https_address_is_refused_with_its_reason() {
        for (url, why) in [
            ("http://bank.example/", UrlRefusal::Scheme),
            ("ftp://bank.example/", UrlRefusal::Scheme),
            ("file:///etc/passwd", UrlRefusal::Scheme),
            ("gopher://bank.example/", UrlRefusal::Scheme),
            ("https://user@bank.example/", UrlRefusal::UserInfo),
            ("https://user:word@bank.example/", UrlRefusal::UserInfo),
            ("https://:word@bank.example/", UrlRefusal::UserInfo),
            ("https://bank.example/#part", UrlRefusal::Fragment),
            ("https://bank.example:22/", UrlRefusal::Port),
            ("https://bank.example:25/", UrlRefusal::Port),
            ("https://", UrlRefusal::NotAnAddress),
            ("bank.example", UrlRefusal::NotAnAddress),
            ("https://bank.example:99999/", UrlRefusal::NotAnAddress),
            ("https://[::1%25eth0]/", UrlRefusal::NotAnAddress),
            ("https://1.2.3.4.5/", UrlRefusal::NotAnAddress),
            ("", UrlRefusal::NotAnAddress),
        ] {
            assert_eq!(refusal(url), Some(why), "{url}");
        }
        assert_eq!(refusal(&format!("https://bank.example/{}", "x".repeat(2048))), Some(UrlRefusal::NotAnAddress));
        for url in
            ["https://bank.example/yuxin?token=1", "https://bank.example:8443/", "https://8.8.8.8/", "https://银行.cn/"]
        {
            assert_eq!(refusal(url), None, "{url}");
        }
    }

    #[test]
    fn retry_after_is_read_in_seconds_and_as_a_date() {
        let now = "2026-11-02T08:30:00Z".parse().unwrap();
        let read = |text| retry_after(text, now).map(|wait| wait.as_secs());
        assert_eq!(read("120"), Some(120));
        assert_eq!(read("Mon, 02 Nov 2026 08:31:00 GMT"), Some(60));
        assert_eq!(read("Mon, 02 Nov 2026 08:29:00 GMT"), None);
        assert_eq!(read("soon"), None);
        assert_eq!(read("-5"), None);
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_machine_is_not_called() {
        // Looked up as any other name, by the resolver of the system.
        let guarded = |private| Guarded(Arc::new(AddressRules::new(false, private).unwrap()));
        let refused = guarded("").resolve("localhost".parse().unwrap()).await.err().unwrap();
        assert!(matches!(refused.downcast_ref(), Some(Unreachable::NotAllowed)), "{refused}");
        let found: Vec<SocketAddr> =
            guarded("127.0.0.0/8 ::1/128").resolve("localhost".parse().unwrap()).await.unwrap().collect();
        assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()));
    }
}
