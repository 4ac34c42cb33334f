//! Requests signed with a shared secret: HMAC with SHA-256 or with SM3 (GB/T 32905).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use sm3::Sm3;

use crate::sources::client::Call;

/// The hash that signatures and digests use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Sha256,
    Sm3,
}

/// A part of what is signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Signed {
    /// `GET` or `POST`.
    Method,
    /// The path, with that of the base address, as sent.
    Path,
    /// The query without `?`, as sent; empty where there is none.
    Query,
    /// The query with its parameters in the order of their names.
    SortedQuery,
    /// The digest of the body in lower-case hexadecimal, also of an empty one.
    BodyDigest,
    /// The body itself.
    Body,
    /// The timestamp as in its header.
    Timestamp,
    /// The nonce as in its header.
    Nonce,
    /// The key's id as in its header.
    KeyId,
}

/// How bytes become text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub(super) enum Encoding {
    /// Lower-case hexadecimal.
    #[serde(rename = "hex")]
    Hex,
    /// Upper-case hexadecimal.
    #[serde(rename = "HEX")]
    UpperHex,
    /// Base64 with padding.
    #[serde(rename = "base64")]
    Base64,
}

/// Signs requests.
pub(super) struct Signer {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: String,
    pub(super) secret: Vec<u8>,
    pub(super) parts: Vec<Signed>,
    pub(super) join: String,
    pub(super) encoding: Encoding,
    pub(super) prefix: String,
    pub(super) millis: bool,
    pub(super) headers: HeaderNames,
}

/// Names of the headers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HeaderNames {
    pub(super) key_id: String,
    pub(super) timestamp: String,
    pub(super) nonce: String,
    pub(super) signature: String,
}

impl Default for HeaderNames {
    fn default() -> HeaderNames {
        HeaderNames {
            key_id: "X-App-Id".into(),
            timestamp: "X-Timestamp".into(),
            nonce: "X-Nonce".into(),
            signature: "X-Signature".into(),
        }
    }
}

impl Signer {
    /// The headers that sign `call`.
    pub(super) fn sign(&self, call: &Call, now: Timestamp, nonce: &str) -> [(String, String); 4] {
        let timestamp = match self.millis {
            true => now.as_millisecond().to_string(),
            false => now.as_second().to_string(),
        };
        let text = self.text(call, &timestamp, nonce);
        let signature = self.algorithm.mac(&self.secret, text.as_bytes());
        let signature = match self.encoding {
            Encoding::Hex => hex::encode(signature),
            Encoding::UpperHex => hex::encode_upper(signature),
            Encoding::Base64 => BASE64.encode(signature),
        };
        let names = self.headers.clone();
        [
            (names.key_id, self.key_id.clone()),
            (names.timestamp, timestamp),
            (names.nonce, nonce.to_owned()),
            (names.signature, format!("{}{signature}", self.prefix)),
        ]
    }

    /// What is signed.
    fn text(&self, call: &Call, timestamp: &str, nonce: &str) -> String {
        let query = call.url.query().unwrap_or("");
        let body = call.body.as_ref().map_or("", |body| body.text.as_str());
        let part = |part: &Signed| match part {
            Signed::Method => call.method().to_owned(),
            Signed::Path => call.url.path().to_owned(),
            Signed::Query => query.to_owned(),
            Signed::SortedQuery => {
                let mut pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
                pairs.sort_unstable();
                pairs.join("&")
            }
            Signed::BodyDigest => self.algorithm.digest(body.as_bytes()),
            Signed::Body => body.to_owned(),
            Signed::Timestamp => timestamp.to_owned(),
            Signed::Nonce => nonce.to_owned(),
            Signed::KeyId => self.key_id.clone(),
        };
        self.parts.iter().map(part).collect::<Vec<_>>().join(&self.join)
    }
}

impl Algorithm {
    fn mac(self, secret: &[u8], text: &[u8]) -> Vec<u8> {
        // A key of any length is a key: this cannot fail.
        match self {
            Algorithm::Sha256 => Hmac::<Sha256>::new_from_slice(secret)
                .map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec())
                .unwrap_or_default(),
            Algorithm::Sm3 => Hmac::<Sm3>::new_from_slice(secret)
                .map(|mac| mac.chain_update(text).finalize().into_bytes().to_vec())
                .unwrap_or_default(),
        }
    }

    fn digest(self, text: &[u8]) -> String {
        match self {
            Algorithm::Sha256 => hex::encode(Sha256::digest(text)),
            Algorithm::Sm3 => hex::encode(Sm3::digest(text)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::client::{self, Url};

    #[test]
    fn digests_and_codes_are_those_of_the_standards() {
        // GB/T 32905-2016, A.1, and RFC 4231, case 2.
        assert_eq!(Algorithm::Sm3.digest(b"abc"), "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0");
        assert_eq!(
            hex::encode(Algorithm::Sha256.mac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        // By OpenSSL 3: printf abc | openssl dgst -sm3 -hmac key
        assert_eq!(
            hex::encode(Algorithm::Sm3.mac(b"key", b"abc")),
            "28e63256e7c5a087b1f073265dc53092163f7b82729735d06f28f10af9d52393"
        );
    }

    fn signer(parts: &[Signed]) -> Signer {
        Signer {
            algorithm: Algorithm::Sha256,
            key_id: "yuxin".into(),
            secret: b"secret".to_vec(),
            parts: parts.to_vec(),
            join: "\n".into(),
            encoding: Encoding::Hex,
            prefix: String::new(),
            millis: false,
            headers: HeaderNames::default(),
        }
    }

    #[test]
    fn what_is_signed_is_what_is_sent() {
        use Signed::*;
        let url = Url::parse("https://tax.example/gate/api?b=2&a=%E7%A8%8E").unwrap();
        let body = Some(client::Body { text: "abc".into(), content_type: "text/plain".into() });
        let call = Call { url, headers: vec![], body };
        let signer = signer(&[Method, Path, Query, SortedQuery, BodyDigest, Body, Timestamp, Nonce, KeyId]);
        assert_eq!(
            signer.text(&call, "1", "n"),
            "POST\n/gate/api\nb=2&a=%E7%A8%8E\na=%E7%A8%8E&b=2\n\
             ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\nabc\n1\nn\nyuxin"
        );
    }

    #[test]
    fn the_signature_covers_each_part() {
        let url = |text: &str| Call { url: Url::parse(text).unwrap(), headers: vec![], body: None };
        let now: Timestamp = "2026-11-15T04:00:00Z".parse().unwrap();
        let signer = signer(&[
            Signed::Method,
            Signed::Path,
            Signed::Query,
            Signed::BodyDigest,
            Signed::Timestamp,
            Signed::Nonce,
        ]);
        let sign = |text: &str, nonce: &str| signer.sign(&url(text), now, nonce)[3].1.clone();
        let one = sign("http://h/a?x=1", "n");
        assert_eq!(one.len(), 64);
        assert_eq!(signer.sign(&url("http://h/a?x=1"), now, "n")[1], ("X-Timestamp".into(), "1794715200".into()));
        for other in [sign("http://h/b?x=1", "n"), sign("http://h/a?x=2", "n"), sign("http://h/a?x=1", "m")] {
            assert_ne!(one, other);
        }
        assert_eq!(one, sign("http://elsewhere/a?x=1", "n"));
    }
}
