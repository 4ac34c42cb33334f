//! Requests signed with a shared secret: HMAC with SHA-256 or with SM3 (GB/T 32905).

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use sm3::Sm3;

use super::template::{escaped, in_china};
use crate::sources::client::{Call, is_header};

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
    /// The parameters of the query as they were before they were escaped, `a=b`, in the order of their names, joined by `&`.
    SortedParameters,
    /// The secret itself, for departments that have a plain digest of it for a signature.
    Secret,
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
    /// Whether the signature is an HMAC; otherwise it is the plain digest of a text that the secret is part of.
    pub(super) keyed: bool,
    pub(super) key_id: String,
    pub(super) secret: Vec<u8>,
    pub(super) parts: Vec<Signed>,
    pub(super) join: String,
    pub(super) encoding: Encoding,
    pub(super) prefix: String,
    pub(super) clock: Clock,
    pub(super) places: Places,
}

/// How an instant is written.
pub(super) enum Clock {
    /// Seconds since 1970.
    Seconds,
    /// Milliseconds since 1970.
    Milliseconds,
    /// A format of strftime, by the clock in China.
    Written(String),
}

impl Clock {
    /// Reads `seconds`, `milliseconds` or a format; seconds where nothing is said.
    pub(super) fn read(text: Option<&str>) -> Result<Clock, String> {
        match text {
            None | Some("seconds") => Ok(Clock::Seconds),
            Some("milliseconds") => Ok(Clock::Milliseconds),
            Some(format) if format.contains('%') && in_china(Timestamp::UNIX_EPOCH, format).is_some() => {
                Ok(Clock::Written(format.to_owned()))
            }
            Some(other) => Err(format!("{other:?} is none of seconds, milliseconds, or a format like %Y%m%d%H%M%S")),
        }
    }

    fn tell(&self, now: Timestamp) -> String {
        match self {
            Clock::Seconds => now.as_second().to_string(),
            Clock::Milliseconds => now.as_millisecond().to_string(),
            // It was tried when it was read.
            Clock::Written(format) => in_china(now, format).unwrap_or_default(),
        }
    }
}

/// Names as written, of headers or of query parameters.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Names {
    key_id: Option<String>,
    timestamp: Option<String>,
    nonce: Option<String>,
    signature: Option<String>,
}

/// Where each part of a signature goes.
pub(super) struct Places {
    key_id: Carrier,
    timestamp: Carrier,
    nonce: Carrier,
    signature: Carrier,
}

/// What carries a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Carrier {
    Header(String),
    /// A parameter of the query.
    Query(String),
    /// It is not sent.
    Nowhere,
}

impl Carrier {
    /// Puts the value into the request.
    pub(super) fn put(&self, call: &mut Call, value: &str) {
        match self {
            Carrier::Header(name) => call.headers.push((name.clone(), value.to_owned())),
            Carrier::Query(name) => {
                let pair = format!("{}={}", escaped(name), escaped(value));
                let query = call.url.query().map_or_else(|| pair.clone(), |query| format!("{query}&{pair}"));
                call.url.set_query(Some(&query));
            }
            Carrier::Nowhere => {}
        }
    }
}

impl std::fmt::Display for Carrier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Carrier::Header(name) => write!(f, "header {name}"),
            Carrier::Query(name) => write!(f, "query parameter {name}"),
            Carrier::Nowhere => f.write_str("nothing"),
        }
    }
}

impl Places {
    /// Where `headers` and `query` say: each name replaces that of the usual header, `""` leaves the value out. What makes no
    /// sense beside the `signed` parts goes to `tell`.
    pub(super) fn read(headers: Names, query: Names, signed: &[Signed], mut tell: impl FnMut(String)) -> Places {
        let mut place = |part: &str, usual: &str, header: Option<String>, query: Option<String>| match (header, query) {
            (Some(_), Some(_)) => {
                tell(format!("{part} has a place both in `headers` and in `query`"));
                Carrier::Nowhere
            }
            (None, Some(name)) if name.is_empty() => {
                tell(format!("query.{part} is empty; headers.{part} = \"\" leaves it out"));
                Carrier::Nowhere
            }
            (None, Some(name)) => Carrier::Query(name),
            (Some(name), None) if name.is_empty() => Carrier::Nowhere,
            (Some(name), None) => {
                if !is_header(&name, "") {
                    tell(format!("headers.{part}: {name:?} is no name of a header"));
                }
                Carrier::Header(name)
            }
            (None, None) => Carrier::Header(usual.to_owned()),
        };
        let places = Places {
            key_id: place("key_id", "X-App-Id", headers.key_id, query.key_id),
            timestamp: place("timestamp", "X-Timestamp", headers.timestamp, query.timestamp),
            nonce: place("nonce", "X-Nonce", headers.nonce, query.nonce),
            signature: place("signature", "X-Signature", headers.signature, query.signature),
        };
        for (part, carrier, name) in
            [(Signed::Timestamp, &places.timestamp, "timestamp"), (Signed::Nonce, &places.nonce, "nonce")]
        {
            if *carrier == Carrier::Nowhere && signed.contains(&part) {
                tell(format!("{name} is signed and not sent: nobody could check the signature"));
            }
        }
        if places.signature == Carrier::Nowhere {
            tell("the signature must be sent".to_owned());
        }
        places
    }
}

impl Signer {
    /// Signs `call`: what goes into the query is there before it is signed, but for the signature itself.
    pub(super) fn sign(&self, call: &mut Call, now: Timestamp, nonce: &str) {
        let timestamp = self.clock.tell(now);
        self.places.key_id.put(call, &self.key_id);
        self.places.timestamp.put(call, &timestamp);
        self.places.nonce.put(call, nonce);
        let text = self.text(call, &timestamp, nonce);
        let signature = match self.keyed {
            true => self.algorithm.mac(&self.secret, &text),
            false => self.algorithm.digest(&text),
        };
        let signature = match self.encoding {
            Encoding::Hex => hex::encode(signature),
            Encoding::UpperHex => hex::encode_upper(signature),
            Encoding::Base64 => BASE64.encode(signature),
        };
        self.places.signature.put(call, &format!("{}{signature}", self.prefix));
    }

    /// Where the parts go, for the operator's terminal.
    pub(super) fn told(&self) -> String {
        let Places { key_id, timestamp, nonce, signature } = &self.places;
        let sent = [key_id, timestamp, nonce, signature].into_iter().filter(|carrier| **carrier != Carrier::Nowhere);
        sent.map(ToString::to_string).collect::<Vec<_>>().join(", ")
    }

    /// What is signed.
    fn text(&self, call: &Call, timestamp: &str, nonce: &str) -> Vec<u8> {
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
            Signed::SortedParameters => {
                let mut pairs: Vec<_> = call.url.query_pairs().collect();
                pairs.sort();
                pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
            }
            Signed::BodyDigest => hex::encode(self.algorithm.digest(body.as_bytes())),
            Signed::Body => body.to_owned(),
            Signed::Timestamp => timestamp.to_owned(),
            Signed::Nonce => nonce.to_owned(),
            Signed::KeyId => self.key_id.clone(),
            // Its bytes need not be text; see below.
            Signed::Secret => String::new(),
        };
        let bytes = |signed: &Signed| match signed {
            Signed::Secret => self.secret.clone(),
            other => part(other).into_bytes(),
        };
        self.parts.iter().map(bytes).collect::<Vec<_>>().join(self.join.as_bytes())
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

    fn digest(self, text: &[u8]) -> Vec<u8> {
        match self {
            Algorithm::Sha256 => Sha256::digest(text).to_vec(),
            Algorithm::Sm3 => Sm3::digest(text).to_vec(),
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
        assert_eq!(
            hex::encode(Algorithm::Sm3.digest(b"abc")),
            "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"
        );
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
            clock: Clock::Seconds,
            keyed: true,
            places: Places::read(Names::default(), Names::default(), parts, |problem| panic!("{problem}")),
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
            String::from_utf8(signer.text(&call, "1", "n")).unwrap(),
            "POST\n/gate/api\nb=2&a=%E7%A8%8E\na=%E7%A8%8E&b=2\n\
             ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad\nabc\n1\nn\nyuxin"
        );
    }

    #[test]
    fn the_instant_is_written_as_the_department_reads_it() {
        let now: Timestamp = "2026-11-15T20:00:01.5Z".parse().unwrap();
        for (clock, told) in [
            (None, "1794772801"),
            (Some("milliseconds"), "1794772801500"),
            (Some("%Y%m%d%H%M%S"), "20261116040001"),
            (Some("%Y-%m-%dT%H:%M:%S%:z"), "2026-11-16T04:00:01+08:00"),
        ] {
            assert_eq!(Clock::read(clock).unwrap().tell(now), told);
        }
        assert!(["minutes", "%!", "YYYYMMDD"].iter().all(|clock| Clock::read(Some(clock)).is_err()));
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
        let signed = |text: &str, nonce: &str| {
            let mut call = url(text);
            signer.sign(&mut call, now, nonce);
            call.headers
        };
        let sign = |text: &str, nonce: &str| signed(text, nonce)[3].1.clone();
        let one = sign("http://h/a?x=1", "n");
        assert_eq!(one.len(), 64);
        assert_eq!(signed("http://h/a?x=1", "n")[1], ("X-Timestamp".into(), "1794715200".into()));
        for other in [sign("http://h/b?x=1", "n"), sign("http://h/a?x=2", "n"), sign("http://h/a?x=1", "m")] {
            assert_ne!(one, other);
        }
        assert_eq!(one, sign("http://elsewhere/a?x=1", "n"));
    }
}
