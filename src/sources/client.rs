//! The one door out to the departments: bounded in time and bytes, no proxy, no redirects, no cookies, no caching.
//!
//! The address of a request names the firm, and a transport error prints the address: no error leaves this file as it came.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Response, Url};

use super::failure::Failure;
use super::freshness::Freshness;
use super::{SourcesError, reply};
use crate::domain::{SourceKind, Uscc};
use crate::settings::{SourceSettings, SourcesSettings};

/// What departments see as our `User-Agent`.
const USER_AGENT: &str = concat!("yuxin/", env!("CARGO_PKG_VERSION"));
/// A connection that was idle for longer is not used again; shorter than the usual 60 s of servers and balancers.
const IDLE_CONNECTION: Duration = Duration::from_secs(30);
/// Idle connections kept for one department.
const IDLE_CONNECTIONS_MAX: usize = 64;

/// Asks a department. Each has a client of its own, so that none waits for another's connections.
pub(super) struct Client {
    http: reqwest::Client,
    body_bytes_max: usize,
}

/// What a department answered, as far as it is HTTP.
pub(super) enum Answer {
    /// 200.
    Body {
        /// The body, decompressed.
        body: Vec<u8>,
        /// For how long it may be used again.
        freshness: Freshness,
    },
    /// 404; `web_page` when it came with HTML, which a department does not send but a proxy or web server does.
    NotFound {
        /// See above.
        web_page: bool,
        /// For how long it may be used again.
        freshness: Freshness,
    },
}

/// Where one department answers.
pub(super) struct Endpoint {
    template: String,
}

impl Client {
    /// A client with the limits of `settings`.
    pub(super) fn new(settings: &SourcesSettings) -> Result<Client, SourcesError> {
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        // Decompressed in `reply`, where the bytes before and after are counted and a broken archive is told from a lost
        // connection.
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
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
        if SourceKind::ALL.iter().all(|&source| settings.of(source).base_url.starts_with("http://")) {
            // No department is asked over TLS: the machine need not have any certificates of authorities.
            builder = builder.tls_certs_only([]);
        }
        let http = builder.build().map_err(|error| SourcesError::Client(chain(&error.without_url())))?;
        Ok(Client { http, body_bytes_max: settings.body_bytes_max })
    }

    /// Asks once. Takes at most `within`, from the first packet to the last byte of the body.
    pub(super) async fn ask(&self, endpoint: &Endpoint, uscc: &Uscc, within: Duration) -> Result<Answer, Failure> {
        // The template was tried with another code at the start: this cannot fail.
        let url = endpoint.url(uscc).ok_or(Failure::Connect)?;
        match tokio::time::timeout(within, self.fetch(url)).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(Failure::Timeout { within }),
        }
    }

    async fn fetch(&self, url: Url) -> Result<Answer, Failure> {
        let response = self.http.get(url).send().await.map_err(|error| failure_of(&error))?;
        let freshness = freshness(response.headers());
        match response.status().as_u16() {
            200 => {}
            404 => return Ok(Answer::NotFound { web_page: is_web_page(&response), freshness }),
            code @ 201..=299 => return Err(Failure::NoRecord { code }),
            code => return Err(Failure::Status { code }),
        }
        let encoding = content_encoding(&response)?;
        let body = self.read(response).await?;
        let body = match encoding {
            Encoding::Plain => body,
            Encoding::Gzip => reply::unzip(&body, self.body_bytes_max)?,
        };
        Ok(Answer::Body { body, freshness })
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

fn freshness(headers: &HeaderMap) -> Freshness {
    Freshness::read(|name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect())
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

impl Endpoint {
    /// The endpoint of `source`; fails where base URL and path make no address that can be asked.
    pub(super) fn new(source: SourceKind, settings: &SourceSettings) -> Result<Endpoint, SourcesError> {
        let refuse = |hint| SourcesError::Endpoint { source_name: source.as_str(), hint };
        if settings.path.matches("{uscc}").count() != 1 {
            return Err(refuse("path must contain {uscc} once, where the firm's code goes"));
        }
        if settings.base_url.contains(['{', '?', '#']) {
            return Err(refuse("base_url is scheme, host, port and perhaps a path; {uscc}, ? and # belong into path"));
        }
        let template = format!("{}/{}", settings.base_url.trim_end_matches('/'), settings.path.trim_start_matches('/'));
        let url = Url::parse(&template.replace("{uscc}", "0"))
            .map_err(|_| refuse("base_url and path together must make a URL, for instance https://tax.example:8443"))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(refuse("base_url must begin with http:// or https://"));
        }
        if url.fragment().is_some() {
            return Err(refuse("path must not contain #"));
        }
        Ok(Endpoint { template })
    }

    /// The address for one firm. A code is 18 digits and capital letters, which need no escape anywhere in a URL.
    fn url(&self, uscc: &Uscc) -> Option<Url> {
        Url::parse(&self.template.replace("{uscc}", uscc.as_str())).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(base_url: &str, path: &str) -> Result<String, String> {
        let settings = SourceSettings { base_url: base_url.into(), path: path.into(), stale_after_days: 1 };
        let firm = "91330604MA2XY0014W".parse().unwrap();
        match Endpoint::new(SourceKind::Tax, &settings) {
            Ok(endpoint) => Ok(endpoint.url(&firm).unwrap().to_string()),
            Err(error) => Err(error.to_string()),
        }
    }

    #[test]
    fn base_url_and_path_are_joined_by_one_slash() {
        let url = Ok("https://tax.example:8443/gate/v1/firms/91330604MA2XY0014W".to_owned());
        for base_url in ["https://tax.example:8443/gate", "https://tax.example:8443/gate/"] {
            assert_eq!(endpoint(base_url, "/v1/firms/{uscc}"), url);
        }
        let query = endpoint("http://[::1]:80", "/firms?code={uscc}&full=1").unwrap();
        assert_eq!(query, "http://[::1]/firms?code=91330604MA2XY0014W&full=1");
    }

    #[test]
    fn addresses_that_cannot_be_asked_are_refused_at_the_start_without_repeating_a_password() {
        for (base_url, path) in [
            ("ftp://u:secret@host", "/{uscc}"),
            ("http://u:secret@host:99999", "/{uscc}"),
            ("u:secret@host", "/{uscc}"),
            ("http://u:secret@{uscc}.host", "/{uscc}"),
            ("http://u:secret@host/?a=1", "/{uscc}"),
            ("http://u:secret@host", "/firms"),
            ("http://u:secret@host", "/{uscc}/{uscc}"),
            ("http://u:secret@host", "/{uscc}#top"),
        ] {
            let refusal = endpoint(base_url, path).unwrap_err();
            assert!(refusal.starts_with("sources.tax: ") && !refusal.contains("secret"), "{refusal}");
        }
    }
}
