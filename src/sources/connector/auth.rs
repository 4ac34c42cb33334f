//! How a department knows who asks.

mod oauth;

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use uuid::Uuid;

use super::probe::Steps;
use super::secret::{Keeper, SecretWire};
use super::sign::{Algorithm, Carrier, Clock, Encoding, Names, Places, Signed, Signer};
use crate::sources::client::{Call, Client, is_header};
use crate::sources::failure::Failure;
use oauth::{OAuth, OAuthWire};

/// `[NAME.auth]` as written.
#[derive(Deserialize)]
#[serde(tag = "scheme", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum AuthWire {
    None {},
    Bearer {
        token: SecretWire,
    },
    Basic {
        username: String,
        password: SecretWire,
    },
    ApiKey(ApiKeyWire),
    HmacSha256(Box<HmacWire>),
    HmacSm3(Box<HmacWire>),
    DigestSha256(Box<HmacWire>),
    DigestSm3(Box<HmacWire>),
    #[serde(rename = "oauth2")]
    OAuth2(Box<OAuthWire>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ApiKeyWire {
    key: SecretWire,
    header: Option<String>,
    query: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HmacWire {
    key_id: String,
    secret: SecretWire,
    #[serde(default)]
    secret_encoding: SecretEncoding,
    sign: Option<Vec<Signed>>,
    join: Option<String>,
    encoding: Option<Encoding>,
    #[serde(default)]
    prefix: String,
    timestamp: Option<String>,
    #[serde(default)]
    headers: Names,
    #[serde(default)]
    query: Names,
}

#[derive(Deserialize, Default, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum SecretEncoding {
    #[default]
    Text,
    Hex,
    Base64,
}

/// What is signed where the connector does not say.
const SIGNED: [Signed; 6] =
    [Signed::Method, Signed::Path, Signed::Query, Signed::BodyDigest, Signed::Timestamp, Signed::Nonce];

/// A way to say who asks.
pub(super) enum Auth {
    None,
    Header { name: String, value: SecretString },
    Query { name: String, value: SecretString },
    Signed(Box<Signer>),
    Token(Box<OAuth>),
}

impl Auth {
    /// Reads `[NAME.auth]` at `path`; what is wrong goes to the keeper.
    pub(super) fn read(path: &str, wire: AuthWire, keeper: &mut Keeper<'_>) -> Auth {
        let auth = match wire {
            AuthWire::None {} => Auth::None,
            AuthWire::Bearer { token } => {
                let token = keeper.secret(&format!("{path}.token"), token);
                Auth::header("Authorization", format!("Bearer {}", token.expose_secret()))
            }
            AuthWire::Basic { username, password } => {
                let password = keeper.secret(&format!("{path}.password"), password);
                Auth::header("Authorization", oauth::basic(&username, password.expose_secret()))
            }
            AuthWire::ApiKey(ApiKeyWire { key, header, query }) => {
                let value = keeper.secret(&format!("{path}.key"), key);
                match (header, query) {
                    (Some(_), Some(_)) => {
                        keeper.problems.push(format!("{path}: has both `header` and `query`"));
                        Auth::None
                    }
                    (None, Some(name)) => Auth::Query { name, value },
                    (name, None) => Auth::Header { name: name.unwrap_or_else(|| "X-API-Key".into()), value },
                }
            }
            AuthWire::HmacSha256(wire) => Auth::signed(path, *wire, Algorithm::Sha256, true, keeper),
            AuthWire::HmacSm3(wire) => Auth::signed(path, *wire, Algorithm::Sm3, true, keeper),
            AuthWire::DigestSha256(wire) => Auth::signed(path, *wire, Algorithm::Sha256, false, keeper),
            AuthWire::DigestSm3(wire) => Auth::signed(path, *wire, Algorithm::Sm3, false, keeper),
            AuthWire::OAuth2(wire) => {
                OAuth::read(path, *wire, keeper).map_or(Auth::None, |oauth| Auth::Token(Box::new(oauth)))
            }
        };
        if let Auth::Header { name, value } = &auth
            && !is_header(name, value.expose_secret())
        {
            keeper.problems.push(format!("{path}: the header {name:?} cannot be sent with this secret"));
        }
        auth
    }

    fn header(name: &str, value: String) -> Auth {
        Auth::Header { name: name.into(), value: value.into() }
    }

    fn signed(path: &str, wire: HmacWire, algorithm: Algorithm, keyed: bool, keeper: &mut Keeper<'_>) -> Auth {
        use base64::Engine;
        let secret = keeper.secret(&format!("{path}.secret"), wire.secret);
        let text = secret.expose_secret();
        let secret = match wire.secret_encoding {
            SecretEncoding::Text => Some(text.as_bytes().to_vec()),
            SecretEncoding::Hex => hex::decode(text).ok(),
            SecretEncoding::Base64 => base64::engine::general_purpose::STANDARD.decode(text).ok(),
        };
        if secret.is_none() {
            keeper.problems.push(format!("{path}.secret: is not what secret_encoding says"));
        }
        let parts = wire.sign.unwrap_or_else(|| SIGNED.to_vec());
        if parts.is_empty() {
            keeper.problems.push(format!("{path}.sign: is empty"));
        }
        match parts.contains(&Signed::Secret) {
            true if keyed => {
                keeper.problems.push(format!("{path}.sign: `secret` is for the schemes digest_sha256 and digest_sm3"))
            }
            false if !keyed => {
                keeper.problems.push(format!("{path}.sign: must name `secret`: a digest without it is no signature"))
            }
            _ => {}
        }
        let clock = Clock::read(wire.timestamp.as_deref()).unwrap_or_else(|problem| {
            keeper.problems.push(format!("{path}.timestamp: {problem}"));
            Clock::Seconds
        });
        let places = Places::read(wire.headers, wire.query, &parts, |problem| {
            keeper.problems.push(format!("{path}: {problem}"))
        });
        Auth::Signed(Box::new(Signer {
            algorithm,
            keyed,
            key_id: wire.key_id,
            secret: secret.unwrap_or_default(),
            parts,
            join: wire.join.unwrap_or_else(|| "\n".into()),
            encoding: wire.encoding.unwrap_or(Encoding::Hex),
            prefix: wire.prefix,
            clock,
            places,
        }))
    }

    /// Whether a request for a token goes over TLS.
    pub(super) fn asks_over_tls(&self) -> bool {
        matches!(self, Auth::Token(oauth) if oauth.over_tls())
    }

    /// Adds to `call` what says who asks; gives the token, where there is one.
    pub(super) async fn add(
        &self,
        call: &mut Call,
        client: &Client,
        steps: &mut Steps,
    ) -> Result<Option<String>, Failure> {
        match self {
            Auth::None => steps.tell("auth", || "none".into()),
            Auth::Header { name, value } => {
                call.headers.push((name.clone(), value.expose_secret().to_owned()));
                steps.tell("auth", || format!("header {name}"));
            }
            Auth::Query { name, value } => {
                Carrier::Query(name.clone()).put(call, value.expose_secret());
                steps.tell("auth", || format!("query parameter {name}"));
            }
            Auth::Signed(signer) => {
                signer.sign(call, Timestamp::now(), &Uuid::new_v4().simple().to_string());
                steps.tell("auth", || {
                    let how = if signer.keyed { "HMAC" } else { "digest" };
                    format!("signed by {how} with {:?}; {}", signer.algorithm, signer.told())
                });
            }
            Auth::Token(oauth) => {
                let token = oauth.token(client, steps).await?;
                oauth.carrier().put(call, &token);
                return Ok(Some(token));
            }
        }
        Ok(None)
    }

    /// The department refuses this token. Unless the call is made again it is kept for a moment, lest each call costs a token.
    pub(super) async fn refused(&self, token: &str, again: bool) {
        if let Auth::Token(oauth) = self {
            oauth.refused(token, again).await;
        }
    }

    /// The department took the token.
    pub(super) fn accepted(&self) {
        if let Auth::Token(oauth) = self {
            oauth.accepted();
        }
    }
}
