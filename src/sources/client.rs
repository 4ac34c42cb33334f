//! The one door out to the departments: bounded in time and bytes, no proxy, no redirects, no cookies, no caching.
//!
//! The address of a request names the firm, and a transport error prints the address: no error leaves this file as it came.

use std::error::Error;
use std::time::Duration;

use encoding_rs::Encoding as Charset;
use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Response, tls};

pub(super) use reqwest::Url;

use super::failure::Failure;
use super::freshness::Freshness;
use super::{SourcesError, reply};
use crate::settings::SourcesSettings;

/// What departments see as our `User-Agent`.
const USER_AGENT: &str = concat!("yuxin/", env!("CARGO_PKG_VERSION"));
/// A connection that was idle for longer is not used again; shorter than the usual 60 s of servers and balancers.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);
/// Idle connections kept for one department.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// Asks one department, with connections of its own, so that none waits for another's.
pub(super) struct Client {
    http: reqwest::Client,
    body_bytes_max: usize,
    /// How bodies are encoded, where they are not in UTF-8.
    charset: Option<&'static Charset>,
    /// HTTP statuses beside 200 with which a body is read.
    with_body: Vec<u16>,
}

/// What a department answered, as far as it is HTTP.
pub(super) enum Answer {
    /// A record.
    Body {
        /// The body, decompressed; where it came in pages, their rows in the first one's.
        body: Vec<u8>,
        /// The headers that came with it, or with the first page.
        headers: Headers,
        /// For how long it may be used again.
        freshness: Freshness,
    },
    /// The department does not know the firm.
    NotFound {
        /// It came with HTML, which a department does not send but a proxy or web server does.
        web_page: bool,
        /// For how long it may be used again.
        freshness: Freshness,
    },
}

/// One request.
pub(super) struct Call {
    /// The whole address.
    pub(super) url: Url,
    /// Headers beside those of every request; their values are treated as secrets.
    pub(super) headers: Vec<(String, String)>,
    /// With a body it is a POST, else a GET.
    pub(super) body: Option<Body>,
}

/// The body of a request.
pub(super) struct Body {
    pub(super) text: String,
    pub(super) content_type: String,
}

impl Call {
    /// `GET` or `POST`.
    pub(super) fn method(&self) -> &'static str {
        if self.body.is_some() { "POST" } else { "GET" }
    }
}

/// What came back.
pub(super) struct Received {
    /// The HTTP status.
    pub(super) status: u16,
    /// Whether it calls itself HTML.
    pub(super) web_page: bool,
    /// The body, decompressed; empty unless the status is 200, or one with which bodies are read.
    pub(super) body: Vec<u8>,
    /// For how long it may be used again.
    pub(super) freshness: Freshness,
    /// The headers, for a connector that pages by them.
    pub(super) headers: Headers,
}

/// The headers of a reply.
#[derive(Default, Clone)]
pub(super) struct Headers(HeaderMap);

/// A header with bytes that are no visible ASCII.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unreadable;

impl Headers {
    /// The values of a header, joined as RFC 9110 has it; `None` where it is not there. One that cannot be read is told: taken for
    /// one that is not there, it would end a list in its middle.
    pub(super) fn get(&self, name: &str) -> Result<Option<String>, Unreadable> {
        let values: Result<Vec<&str>, _> = self.0.get_all(name).iter().map(|value| value.to_str()).collect();
        let values = values.map_err(|_| Unreadable)?;
        Ok((!values.is_empty()).then(|| values.join(", ").trim().to_owned()))
    }

    /// Headers for a test.
    #[cfg(test)]
    pub(super) fn of(headers: &[(&'static str, &[u8])]) -> Headers {
        let value = |bytes| HeaderValue::from_bytes(bytes).unwrap();
        Headers(headers.iter().map(|(name, bytes)| (HeaderName::from_static(name), value(bytes))).collect())
    }

    /// Whether there can be a header of this name.
    pub(super) fn can_have(name: &str) -> bool {
        HeaderName::from_bytes(name.as_bytes()).is_ok()
    }
}

/// Certificates for one department, in PEM.
#[derive(Default)]
pub(super) struct Certificates {
    /// Ours, with its key: mutual TLS.
    pub(super) identity: Option<Vec<u8>>,
    /// The authority that signed the department's; then no other is believed.
    pub(super) authority: Option<Vec<u8>>,
}

impl Client {
    /// A client with the limits of `settings`. Where it only ever asks `plain` addresses, the machine need not have any certificates
    /// of authorities.
    pub(super) fn new(
        settings: &SourcesSettings,
        certificates: &Certificates,
        plain: bool,
    ) -> Result<Client, SourcesError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        // Decompressed in `reply`, where the bytes before and after are counted and a broken archive is told from a lost
        // connection.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        let refused = |error: reqwest::Error| SourcesError::Client(chain(&error.without_url()));
        let mut builder = reqwest::Client::builder()
            .user_agent(USER_AGENT)
            .default_headers(headers)
            .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .redirect(reqwest::redirect::Policy::none())
            // `super` decides on retries, and counts them.
            .retry(reqwest::retry::never())
            .referer(false)
            .no_gzip()
            .no_proxy();
        if let Some(identity) = &certificates.identity {
            builder = builder.identity(tls::Identity::from_pem(identity).map_err(refused)?);
        }
        match &certificates.authority {
            Some(authority) => {
                builder = builder.tls_certs_only(tls::Certificate::from_pem_bundle(authority).map_err(refused)?);
            }
            None if plain => builder = builder.tls_certs_only([]),
            None => {}
        }
        let http = builder.build().map_err(refused)?;
        Ok(Client { http, body_bytes_max: settings.body_bytes_max, charset: None, with_body: Vec::new() })
    }

    /// The same client for a department that writes in the encoding of this name, for instance `gbk`; `None` where there is none.
    pub(super) fn reading(self, charset: &str) -> Option<Client> {
        Some(Client { charset: Some(Charset::for_label(charset.as_bytes())?), ..self })
    }

    /// The same client, which reads bodies that come with these HTTP statuses as well.
    pub(super) fn reading_also(self, statuses: &[u16]) -> Client {
        Client { with_body: statuses.to_vec(), ..self }
    }

    /// A body in UTF-8.
    pub(super) fn in_utf8(&self, body: Vec<u8>, content_type: Option<&str>) -> Result<Vec<u8>, Failure> {
        match self.charset.or_else(|| chinese(content_type?)) {
            None => Ok(body),
            Some(charset) => {
                let text =
                    charset.decode_without_bom_handling_and_without_replacement(&body).ok_or(Failure::Charset)?;
                Ok(text.into_owned().into_bytes())
            }
        }
    }

    /// The bytes that a reply may have, or all pages of it together.
    pub(super) fn body_bytes_max(&self) -> usize {
        self.body_bytes_max
    }

    /// Asks once. Whoever asks bounds the time.
    pub(super) async fn send(&self, call: &Call) -> Result<Received, Failure> {
        let mut request = match &call.body {
            None => self.http.get(call.url.clone()),
            Some(body) => {
                let content_type = HeaderValue::from_str(&body.content_type).map_err(|_| Failure::Request)?;
                self.http.post(call.url.clone()).header(CONTENT_TYPE, content_type).body(body.text.clone())
            }
        };
        for (name, value) in &call.headers {
            let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| Failure::Request)?;
            let mut value = HeaderValue::from_str(value).map_err(|_| Failure::Request)?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        let response = request.send().await.map_err(|error| failure_of(&error))?;
        let (status, web_page) = (response.status().as_u16(), is_web_page(&response));
        let freshness = freshness(response.headers());
        if status != 200 && !self.with_body.contains(&status) {
            let headers = Headers(response.headers().clone());
            return Ok(Received { status, web_page, body: Vec::new(), freshness, headers });
        }
        let encoding = content_encoding(&response)?;
        let headers = Headers(response.headers().clone());
        let body = self.read(response).await?;
        let body = match encoding {
            Encoding::Plain => body,
            Encoding::Gzip => reply::unzip(&body, self.body_bytes_max)?,
        };
        // An unreadable type names no encoding that is known here.
        let content_type = headers.get(CONTENT_TYPE.as_str()).unwrap_or_default();
        let body = self.in_utf8(body, content_type.as_deref())?;
        Ok(Received { status, web_page, body, freshness, headers })
    }

    /// Reads the body, and not a chunk more than is allowed. One that is declared larger is refused unread.
    async fn read(&self, mut response: Response) -> Result<Vec<u8>, Failure> {
        let limit = self.body_bytes_max;
        let declared = response.content_length().unwrap_or(0);
        if declared > limit as u64 {
            return Err(Failure::TooLarge { limit });
        }
        let mut body = Vec::with_capacity(declared as usize);
        while let Some(chunk) = response.chunk().await.map_err(|error| failure_of(&error))? {
            if chunk.len() > limit - body.len() {
                return Err(Failure::TooLarge { limit });
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

enum Encoding {
    Plain,
    Gzip,
}

fn content_encoding(response: &Response) -> Result<Encoding, Failure> {
    let mut encodings = response.headers().get_all(CONTENT_ENCODING).iter();
    let encoding = match (encodings.next(), encodings.next()) {
        (None, _) => return Ok(Encoding::Plain),
        (Some(encoding), None) => encoding.to_str().unwrap_or("?").trim().to_ascii_lowercase(),
        (Some(_), Some(_)) => return Err(Failure::Encoding),
    };
    match encoding.as_str() {
        "" | "identity" => Ok(Encoding::Plain),
        "gzip" | "x-gzip" => Ok(Encoding::Gzip),
        _ => Err(Failure::Encoding),
    }
}

/// The Chinese encoding that a `Content-Type` names. Other ones are left to the connector: many servers name one that is not true.
fn chinese(content_type: &str) -> Option<&'static Charset> {
    let named = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, charset) = named.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    let charset = Charset::for_label(charset.trim().trim_matches('"').as_bytes())?;
    [encoding_rs::GBK, encoding_rs::GB18030].contains(&charset).then_some(charset)
}

/// Stands for a header that is not of visible ASCII, of which nobody can say what it allows.
const UNREADABLE: &str = "\u{fffd}";

fn freshness(headers: &HeaderMap) -> Freshness {
    Freshness::read(|name| headers.get_all(name).iter().map(|value| value.to_str().unwrap_or(UNREADABLE)).collect())
}

fn is_web_page(response: &Response) -> bool {
    let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    content_type.trim_start().to_ascii_lowercase().starts_with("text/html")
}

/// What a transport error means, without its text: that would name the firm.
fn failure_of(error: &reqwest::Error) -> Failure {
    if error.is_connect() {
        return Failure::Connect;
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse) {
            return Failure::NotHttp;
        }
        cause = error.source();
    }
    Failure::Closed
}

/// An error with its causes, in one line. Only for errors that know of no firm.
fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

/// Whether a header could be sent: its name and its value.
pub(super) fn is_header(name: &str, value: &str) -> bool {
    HeaderName::from_bytes(name.as_bytes()).is_ok() && HeaderValue::from_str(value).is_ok()
}
