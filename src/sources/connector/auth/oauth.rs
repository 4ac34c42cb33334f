//! OAuth 2.0 client credentials (RFC 6749, 4.4): one token for all requests, until shortly before it expires.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::Mutex;

use super::super::pointer::{Pointer, scalar};
use super::super::probe::Steps;
use super::super::secret::{Keeper, SecretWire};
use super::super::template::escaped;
use crate::sources::client::{Body, Call, Client, Url};
use crate::sources::failure::Failure;

/// A token is not used in the last part of its life: it must live as long as a request is under way, and clocks differ.
const LAST_PART: u32 = 10;
const LAST_PART_MAX: Duration = Duration::from_secs(30);
/// How long a token lives whose department does not say; a 401 renews it earlier.
const LIFE_UNSTATED: Duration = Duration::from_secs(300);
/// The longest life that is believed.
const LIFE_MAX_SECONDS: i64 = 86_400;

/// `[NAME.auth]` with `scheme = "oauth2"` as written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::sources::connector) struct OAuthWire {
    token_url: String,
    client_id: String,
    client_secret: SecretWire,
    scope: Option<String>,
    #[serde(default)]
    credentials: Credentials,
    #[serde(default)]
    form: std::collections::BTreeMap<String, String>,
    token: Option<String>,
    expires_in: Option<String>,
}

/// Where client id and secret go.
#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum Credentials {
    /// Into the form.
    #[default]
    Body,
    /// Into an `Authorization: Basic` header.
    Basic,
}

/// Gets tokens and keeps them.
pub(in crate::sources::connector) struct OAuth {
    token_url: Url,
    client_id: String,
    client_secret: SecretString,
    credentials: Credentials,
    /// Beside client id and secret, as it is sent.
    form: String,
    token_at: Pointer,
    expires_at: Pointer,
    /// Locked while a token is asked for: whoever comes meanwhile waits for that one, no longer than its own deadline.
    held: Mutex<Option<Token>>,
}

struct Token {
    /// The value of the `Authorization` header.
    header: SecretString,
    until: Instant,
}

impl OAuth {
    /// Reads the settings at `path`; what is wrong goes to the keeper, and without an address there is nothing.
    pub(super) fn read(path: &str, wire: OAuthWire, keeper: &mut Keeper<'_>) -> Option<OAuth> {
        let token_url = Url::parse(&wire.token_url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if token_url.is_none() {
            keeper.problems.push(format!("{path}.token_url: is not an address that begins with http:// or https://"));
        }
        let mut pointer = |key: &str, text: Option<String>, usual: &str| {
            Pointer::parse(text.as_deref().unwrap_or(usual)).unwrap_or_else(|problem| {
                keeper.problems.push(format!("{path}.{key}: {problem}"));
                Pointer::here()
            })
        };
        let (token_at, expires_at) =
            (pointer("token", wire.token, "/access_token"), pointer("expires_in", wire.expires_in, "/expires_in"));
        let mut form = vec![("grant_type".to_owned(), "client_credentials".to_owned())];
        form.extend(wire.scope.map(|scope| ("scope".to_owned(), scope)));
        for (name, value) in wire.form {
            form.retain(|(known, _)| *known != name);
            form.push((name, value));
        }
        let form: Vec<String> =
            form.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
        let client_secret = keeper.secret(&format!("{path}.client_secret"), wire.client_secret);
        Some(OAuth {
            token_url: token_url?,
            client_id: wire.client_id,
            client_secret,
            credentials: wire.credentials,
            form: form.join("&"),
            token_at,
            expires_at,
            held: Mutex::new(None),
        })
    }

    /// Whether the token address is https.
    pub(super) fn over_tls(&self) -> bool {
        self.token_url.scheme() == "https"
    }

    /// The `Authorization` header. `refused` is one that was answered 401: it is not used again.
    pub(super) async fn token(
        &self,
        client: &Client,
        refused: Option<&str>,
        steps: &mut Steps,
    ) -> Result<String, Failure> {
        let mut held = self.held.lock().await;
        if let Some(token) = &*held
            && Instant::now() < token.until
            && refused != Some(token.header.expose_secret())
        {
            steps.tell("auth", || "OAuth 2.0 token, held from before".into());
            return Ok(token.header.expose_secret().to_owned());
        }
        *held = None;
        let token = self.ask(client).await?;
        steps.tell("auth", || {
            let seconds = token.until.saturating_duration_since(Instant::now()).as_secs();
            format!("OAuth 2.0 token from {}, used for {seconds} s", self.token_url.host_str().unwrap_or("?"))
        });
        let header = token.header.expose_secret().to_owned();
        *held = Some(token);
        Ok(header)
    }

    async fn ask(&self, client: &Client) -> Result<Token, Failure> {
        let asked = Instant::now();
        let received = client.send(&self.call()).await?;
        match received.status {
            200 => {}
            code @ 500.. => return Err(Failure::Status { code }),
            400 | 401 | 403 => return Err(Failure::Token { problem: "refuses the client's credentials" }),
            _ => return Err(Failure::Token { problem: "answered with a status that is not 200" }),
        }
        let unreadable = Failure::Token { problem: "answered something without a token" };
        let reply: Value = serde_json::from_slice(&received.body).map_err(|_| unreadable)?;
        let token = self.token_at.walk(&reply).and_then(scalar).filter(|token| !token.is_empty()).ok_or(unreadable)?;
        if !token.bytes().all(|b| b.is_ascii_graphic()) {
            return Err(unreadable);
        }
        let stated = self.expires_at.walk(&reply).and_then(scalar).and_then(|text| text.parse::<i64>().ok());
        let life = match stated {
            Some(seconds) => Duration::from_secs(seconds.clamp(0, LIFE_MAX_SECONDS).unsigned_abs()),
            None => LIFE_UNSTATED,
        };
        let until = asked + life.saturating_sub((life / LAST_PART).min(LAST_PART_MAX));
        Ok(Token { header: format!("Bearer {token}").into(), until })
    }

    fn call(&self) -> Call {
        let secret = self.client_secret.expose_secret();
        let mut form = self.form.clone();
        let mut headers = Vec::new();
        match self.credentials {
            Credentials::Body => {
                form.push_str(&format!("&client_id={}&client_secret={}", escaped(&self.client_id), escaped(secret)));
            }
            // RFC 6749, 2.3.1: both are escaped as in a form first.
            Credentials::Basic => {
                headers.push(("Authorization".into(), basic(&escaped(&self.client_id), &escaped(secret))));
            }
        }
        let body = Body { text: form, content_type: "application/x-www-form-urlencoded".into() };
        Call { url: self.token_url.clone(), headers, body: Some(body) }
    }
}

/// The value of a header of HTTP's basic authentication.
pub(super) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{name}:{password}")))
}
