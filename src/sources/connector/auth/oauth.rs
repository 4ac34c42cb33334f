//! OAuth 2.0 client credentials (RFC 6749, 4.4): one token for all requests, until shortly before it expires.

use std::sync::atomic::{AtomicU32, Ordering};
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
use super::super::sign::Carrier;
use super::super::template::escaped;
use crate::sources::client::{Body, Call, Client, Url, is_header};
use crate::sources::failure::Failure;

/// A token is not used in the last part of its life: it must live as long as a request is under way, and clocks differ.
const LAST_PART: u32 = 10;
const LAST_PART_MAX: Duration = Duration::from_secs(30);
/// How long a token lives whose department does not say; a 401 renews it earlier.
const LIFE_UNSTATED: Duration = Duration::from_secs(300);
/// The longest life that is believed.
const LIFE_MAX_SECONDS: i64 = 86_400;

/// For how long the token address is left alone after it refused, or after the department refused two of its tokens in a row.
const PAUSE: Duration = Duration::from_secs(5);
/// Tokens in a row that the department may refuse before the token address is left alone for a while.
const REFUSED_MAX: u32 = 2;

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
    #[serde(default)]
    request: TokenRequest,
    client_id_field: Option<String>,
    client_secret_field: Option<String>,
    header: Option<String>,
    query: Option<String>,
    prefix: Option<String>,
}

/// How the token is asked for.
#[derive(Deserialize, Default, Clone, Copy, PartialEq)]
#[serde(rename_all = "snake_case")]
enum TokenRequest {
    /// POST of a form, as the standard has it.
    #[default]
    Form,
    /// POST of a JSON object of texts.
    Json,
    /// GET with the fields as parameters.
    Query,
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
    /// Beside client id and secret.
    fields: Vec<(String, String)>,
    /// The names of the fields of client id and secret.
    credential_fields: [String; 2],
    request: TokenRequest,
    carrier: Carrier,
    /// Before the token.
    prefix: String,
    token_at: Pointer,
    expires_at: Pointer,
    /// Locked while a token is asked for: whoever comes meanwhile waits for that one, no longer than its own deadline.
    held: Mutex<Held>,
    /// Tokens in a row that the department refused.
    refused: AtomicU32,
}

/// What is known of tokens.
#[derive(Default)]
struct Held {
    token: Option<Token>,
    pause: Option<Pause>,
}

/// No token is asked for until then.
struct Pause {
    until: Instant,
    problem: &'static str,
}

struct Token {
    /// The token as it is sent.
    sent: SecretString,
    asked: Instant,
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
            // An empty one takes a field of the standard away.
            if !value.is_empty() {
                form.push((name, value));
            }
        }
        let carrier = match (wire.header, wire.query) {
            (Some(_), Some(_)) => {
                keeper.problems.push(format!("{path}: has both `header` and `query`"));
                Carrier::Nowhere
            }
            (None, Some(name)) => Carrier::Query(name),
            (header, None) => Carrier::Header(header.unwrap_or_else(|| "Authorization".into())),
        };
        let usual = match &carrier {
            Carrier::Header(name) if name.eq_ignore_ascii_case("authorization") => "Bearer ",
            _ => "",
        };
        let prefix = wire.prefix.unwrap_or_else(|| usual.to_owned());
        if let Carrier::Header(name) = &carrier
            && !is_header(name, &prefix)
        {
            keeper.problems.push(format!("{path}.header: {name:?} cannot be sent"));
        }
        let named = |name: Option<String>, usual: &str| name.unwrap_or_else(|| usual.to_owned());
        let credential_fields =
            [named(wire.client_id_field, "client_id"), named(wire.client_secret_field, "client_secret")];
        let client_secret = keeper.secret(&format!("{path}.client_secret"), wire.client_secret);
        Some(OAuth {
            token_url: token_url?,
            client_id: wire.client_id,
            client_secret,
            credentials: wire.credentials,
            fields: form,
            credential_fields,
            request: wire.request,
            carrier,
            prefix,
            token_at,
            expires_at,
            held: Mutex::default(),
            refused: AtomicU32::new(0),
        })
    }

    /// Whether the token address is https.
    pub(super) fn over_tls(&self) -> bool {
        self.token_url.scheme() == "https"
    }

    /// What carries the token.
    pub(super) fn carrier(&self) -> &Carrier {
        &self.carrier
    }

    /// The token as it is sent.
    pub(super) async fn token(&self, client: &Client, steps: &mut Steps) -> Result<String, Failure> {
        let mut held = self.held.lock().await;
        if let Some(token) = &held.token
            && Instant::now() < token.until
        {
            steps.tell("auth", || "OAuth 2.0 token, held from before".into());
            return Ok(token.sent.expose_secret().to_owned());
        }
        if let Some(pause) = &held.pause
            && Instant::now() < pause.until
        {
            return Err(Failure::TokenPause { problem: pause.problem });
        }
        *held = Held::default();
        let token = self.ask(client).await.inspect_err(|failure| {
            // No answer at all is the breaker's and the budget's, as at the department itself.
            if let Failure::Token { problem } = *failure {
                held.pause = Some(Pause { until: Instant::now() + PAUSE, problem });
            }
        })?;
        steps.tell("auth", || {
            let seconds = token.until.saturating_duration_since(Instant::now()).as_secs();
            format!("OAuth 2.0 token from {}, used for {seconds} s", self.token_url.host_str().unwrap_or("?"))
        });
        let sent = token.sent.expose_secret().to_owned();
        held.token = Some(token);
        Ok(sent)
    }

    /// The department refuses the token that was sent so: it is not used again, where a call is made `again` with a new one.
    /// Otherwise it is kept for a moment, lest a department that refuses now and then has a token made for each call; and where
    /// tokens are refused in a row, none is asked for during a pause.
    pub(super) async fn refused(&self, sent: &str, again: bool) {
        let mut held = self.held.lock().await;
        let Some(token) = held.token.take_if(|token| token.sent.expose_secret() == sent) else { return };
        let refused = self.refused.fetch_add(1, Ordering::AcqRel) + 1;
        if refused >= REFUSED_MAX {
            let problem = "gives tokens that the department refuses (status 401, or its code for that)";
            held.pause = Some(Pause { until: Instant::now() + PAUSE, problem });
        } else if !again && token.asked.elapsed() < PAUSE {
            held.token = Some(token);
        }
    }

    /// The department took a token.
    pub(super) fn accepted(&self) {
        self.refused.store(0, Ordering::Release);
    }

    async fn ask(&self, client: &Client) -> Result<Token, Failure> {
        let asked = Instant::now();
        let received = client.send(&self.call().ok_or(Failure::Request)?).await?;
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
        Ok(Token { sent: format!("{}{token}", self.prefix).into(), asked, until })
    }

    fn call(&self) -> Option<Call> {
        let secret = self.client_secret.expose_secret();
        let mut fields = self.fields.clone();
        let mut headers = Vec::new();
        match self.credentials {
            Credentials::Body => {
                let [id, secret_field] = self.credential_fields.clone();
                fields.extend([(id, self.client_id.clone()), (secret_field, secret.to_owned())]);
            }
            // RFC 6749, 2.3.1: both are escaped as in a form first.
            Credentials::Basic => {
                headers.push(("Authorization".into(), basic(&escaped(&self.client_id), &escaped(secret))));
            }
        }
        let mut call = Call { url: self.token_url.clone(), headers, body: None };
        match self.request {
            TokenRequest::Form => {
                let pairs: Vec<String> =
                    fields.iter().map(|(name, value)| format!("{}={}", escaped(name), escaped(value))).collect();
                let content_type = "application/x-www-form-urlencoded".into();
                call.body = Some(Body { text: pairs.join("&"), content_type });
            }
            TokenRequest::Json => {
                let fields: serde_json::Map<String, Value> =
                    fields.into_iter().map(|(name, value)| (name, Value::from(value))).collect();
                let text = serde_json::to_string(&fields).ok()?;
                call.body = Some(Body { text, content_type: "application/json".into() });
            }
            TokenRequest::Query => {
                fields.into_iter().for_each(|(name, value)| Carrier::Query(name).put(&mut call, &value));
            }
        }
        Some(call)
    }
}

/// The value of a header of HTTP's basic authentication.
pub(super) fn basic(name: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{name}:{password}")))
}
