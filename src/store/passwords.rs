//! Passwords: argon2id, off the async threads, as many at a time as there are processors.

use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;

use super::StoreError;

/// The shortest password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 12;
/// The longest, in characters; hashing must stay cheap enough to be offered to strangers.
pub const PASSWORD_CHARS_MAX: usize = 256;

/// The hash of a password that nobody has, checked where there is no such user, so that both take the same time. A test
/// keeps its parameters those of new hashes.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5bm9ib2R5bm9ib2R5$YHsXAepsGCn1G9rAT/mzm5jrmL0zP39XXsowNF1Ti+Q";

/// Hashes and checks passwords.
pub(super) struct Passwords {
    /// Each takes 19 MiB and a processor for tens of milliseconds.
    permits: Semaphore,
}

impl Passwords {
    pub(super) fn new() -> Passwords {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Passwords { permits: Semaphore::new(processors) }
    }

    /// The hash of a new password, in PHC form.
    pub(super) async fn hash(&self, password: &SecretString) -> Result<String, StoreError> {
        let chars = password.expose_secret().chars().count();
        if !(PASSWORD_CHARS_MIN..=PASSWORD_CHARS_MAX).contains(&chars) {
            return Err(StoreError::BadPassword);
        }
        let password = password.clone();
        self.off_thread(move || {
            Argon2::default()
                .hash_password(password.expose_secret().as_bytes())
                .map(|hash| hash.to_string())
                .map_err(|e| StoreError::Unavailable(format!("the password cannot be hashed: {e}")))
        })
        .await?
    }

    /// Whether the password fits the hash; without a hash it takes the same time and does not.
    pub(super) async fn fits(&self, password: &SecretString, hash: Option<String>) -> Result<bool, StoreError> {
        let password = password.clone();
        self.off_thread(move || {
            let text = password.expose_secret();
            // A text too long to be a password is never hashed; a text that is nobody's is.
            let text = if text.chars().count() > PASSWORD_CHARS_MAX { "" } else { text };
            let known = hash.is_some();
            let fits = Argon2::default().verify_password(text.as_bytes(), hash.as_deref().unwrap_or(NOBODYS)).is_ok();
            fits && known && !text.is_empty()
        })
        .await
    }

    async fn off_thread<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, StoreError> {
        let stopped = |_| StoreError::Unavailable("passwords cannot be checked now".to_owned());
        let _permit = self.permits.acquire().await.map_err(stopped)?;
        tokio::task::spawn_blocking(work)
            .await
            .map_err(|_| StoreError::Unavailable("passwords cannot be checked now".to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_that_stands_in_for_an_unknown_user_costs_what_a_new_one_costs() {
        let new = Argon2::default().hash_password(b"whatever it may be").unwrap();
        let parameters = |hash: &str| hash.split('$').take(4).collect::<Vec<_>>().join("$");
        assert_eq!(parameters(NOBODYS), parameters(&new.to_string()));
        let refused = Argon2::default().verify_password(b"whatever it may be", NOBODYS).unwrap_err();
        assert_eq!(refused, argon2::password_hash::Error::PasswordInvalid, "a hash that cannot be read costs no time");
    }

    #[tokio::test]
    async fn short_and_endless_passwords_are_refused_and_the_right_one_fits() {
        let passwords = Passwords::new();
        for bad in ["elevenchars".to_owned(), "x".repeat(257)] {
            assert!(matches!(passwords.hash(&bad.into()).await, Err(StoreError::BadPassword)));
        }
        let right = SecretString::from("十二个汉字也是一个密码呀");
        let hash = passwords.hash(&right).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(passwords.fits(&right, Some(hash.clone())).await.unwrap());
        assert!(!passwords.fits(&"another password".into(), Some(hash)).await.unwrap());
        assert!(!passwords.fits(&right, None).await.unwrap());
    }
}
