//! Signing secrets: made here, shown to the bank once, sealed in the store, opened to sign.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use hmac::{Hmac, KeyInit, Mac};
use rand::RngCore;
use rand::rngs::OsRng;
use sha2::{Digest, Sha256};

use crate::domain::WebhookId;

/// What a secret begins with when it is shown.
const PREFIX: &str = "whsec_";
/// What a secret begins with in the store where there is no key to seal it with.
const PLAIN: &str = "plain:";
/// Random bytes of a secret; the rules ask for 24 to 64.
const SECRET_BYTES: usize = 32;
/// Bytes of a key.
const KEY_BYTES: usize = 32;

/// A signing secret.
pub(super) struct Secret(Vec<u8>);

impl Secret {
    /// A new one.
    pub(super) fn random() -> Secret {
        let mut bytes = vec![0; SECRET_BYTES];
        OsRng.fill_bytes(&mut bytes);
        Secret(bytes)
    }

    /// As it is shown.
    pub(super) fn shown(&self) -> String {
        format!("{PREFIX}{}", BASE64.encode(&self.0))
    }

    fn parse(shown: &str) -> Option<Secret> {
        let bytes = BASE64.decode(shown.strip_prefix(PREFIX)?).ok()?;
        (24..=64).contains(&bytes.len()).then_some(Secret(bytes))
    }

    /// The signature of a message, `v1,…`.
    pub(super) fn sign(&self, id: &str, timestamp: i64, body: &str) -> String {
        // HMAC takes keys of any length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
        format!("v1,{}", BASE64.encode(mac.finalize().into_bytes()))
    }
}

/// The keys under which secrets lie in the store: the first one seals, all open.
pub(super) struct Keyring(Vec<SealingKey>);

struct SealingKey {
    /// The beginning of the key's SHA-256, which tells keys apart.
    id: String,
    key: RandomizedNonceKey,
}

impl Keyring {
    /// Reads the keys; `None` where one is not 32 bytes in base64.
    pub(super) fn parse(text: &str) -> Option<Keyring> {
        let key = |text: &str| {
            let bytes = BASE64.decode(text).ok().filter(|bytes| bytes.len() == KEY_BYTES)?;
            let id = hex::encode(&Sha256::digest(&bytes)[..4]);
            Some(SealingKey { id, key: RandomizedNonceKey::new(&AES_256_GCM, &bytes).ok()? })
        };
        let keys: Option<Vec<SealingKey>> = text.split_whitespace().map(key).collect();
        keys.map(Keyring)
    }

    /// Whether there is no key.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For the store: `KEY-ID:base64(nonce, ciphertext, tag)`, bound to the webhook, or `plain:whsec_…` where there is no key. `None`
    /// where the system gives no random numbers.
    pub(super) fn seal(&self, secret: &Secret, webhook: WebhookId) -> Option<String> {
        let Some(SealingKey { id, key }) = self.0.first() else { return Some(format!("{PLAIN}{}", secret.shown())) };
        let mut sealed = secret.shown().into_bytes();
        let nonce = key.seal_in_place_append_tag(Aad::from(webhook.to_string()), &mut sealed).ok()?;
        let mut bytes = nonce.as_ref().to_vec();
        bytes.append(&mut sealed);
        Some(format!("{id}:{}", BASE64.encode(bytes)))
    }

    /// Whether this is under the key that seals now; plain where there is none.
    pub(super) fn seals(&self, sealed: &str) -> bool {
        match self.0.first() {
            Some(key) => sealed.strip_prefix(&key.id).is_some_and(|rest| rest.starts_with(':')),
            None => sealed.starts_with(PLAIN),
        }
    }

    /// Out of the store; `None` where the key is not there any more, or it was sealed for another webhook.
    pub(super) fn open(&self, sealed: &str, webhook: WebhookId) -> Option<Secret> {
        if let Some(shown) = sealed.strip_prefix(PLAIN) {
            return Secret::parse(shown);
        }
        let (id, bytes) = sealed.split_once(':')?;
        let key = &self.0.iter().find(|key| key.id == id)?.key;
        let mut bytes = BASE64.decode(bytes).ok()?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let shown = key.open_in_place(nonce, Aad::from(webhook.to_string()), sealed).ok()?;
        Secret::parse(std::str::from_utf8(shown).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const KEY: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
    const OTHER: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

    #[test]
    fn the_signature_is_that_of_the_standard_webhooks_rules() {
        // The vector of the reference libraries.
        let secret = Secret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = secret.sign("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn a_new_secret_has_32_bytes_and_is_never_the_same() {
        let (one, two) = (Secret::random().shown(), Secret::random().shown());
        assert_ne!(one, two);
        assert_eq!(Secret::parse(&one).unwrap().0.len(), 32);
        for bad in ["whsec_", "whsec_YWJj", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_!!!!"] {
            assert!(Secret::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_sealed_secret_opens_with_its_key_for_its_webhook_only() {
        let (webhook, secret) = (WebhookId(Uuid::now_v7()), Secret::random());
        let ring = Keyring::parse(KEY).unwrap();
        let sealed = ring.seal(&secret, webhook).unwrap();
        assert!(!sealed.contains(&BASE64.encode(&secret.0)));
        assert_ne!(sealed, ring.seal(&secret, webhook).unwrap(), "a nonce is used once");
        assert_eq!(ring.open(&sealed, webhook).unwrap().0, secret.0);
        assert!(ring.open(&sealed, WebhookId(Uuid::now_v7())).is_none(), "it was sealed for another webhook");
        assert!(Keyring::parse(OTHER).unwrap().open(&sealed, webhook).is_none());
        let renewed = Keyring::parse(&format!("{OTHER} {KEY}")).unwrap();
        assert_eq!(renewed.open(&sealed, webhook).unwrap().0, secret.0, "the key before opens still");
        let anew = renewed.seal(&secret, webhook).unwrap();
        assert_ne!(anew.split(':').next(), sealed.split(':').next());
        assert_eq!([renewed.seals(&anew), renewed.seals(&sealed), ring.seals(&sealed)], [true, false, true]);
    }

    #[test]
    fn without_a_key_secrets_are_kept_as_they_are_and_are_read_once_there_is_one() {
        let (webhook, secret) = (WebhookId(Uuid::now_v7()), Secret::random());
        let plain = Keyring::parse("").unwrap().seal(&secret, webhook).unwrap();
        assert_eq!(plain, format!("plain:{}", secret.shown()));
        let ring = Keyring::parse(KEY).unwrap();
        assert_eq!(ring.open(&plain, webhook).unwrap().0, secret.0);
        assert!(!ring.seals(&plain) && Keyring::parse("").unwrap().seals(&plain));
        assert!(Keyring::parse("c2hvcnQ=").is_none() && Keyring::parse("not base64!").is_none());
    }
}
