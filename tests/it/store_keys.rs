//! A key speaks for its bank until it is revoked, and its secret is known only once.

use rstest::rstest;
use secrecy::ExposeSecret;
use uuid::Uuid;
use yuxin::domain::KeyId;
use yuxin::store::{BankIdentity, StoreError};

use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, days_later, now};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_key_speaks_for_its_bank_and_no_other_text_does(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let first = store.create_key("  上虞农商银行 ", now()).await.unwrap();
    let second = store.create_key("上虞农商银行", days_later(1)).await.unwrap();
    let other = store.create_key("Bank B", now()).await.unwrap();
    assert_eq!(first.info.bank, second.info.bank);
    assert_ne!(first.info.bank, other.info.bank);
    for key in [&first, &second, &other] {
        let secret = key.secret.expose_secret();
        let random = secret.strip_prefix("yx_test_").unwrap();
        assert!(random.len() == 43 && random.bytes().all(|b| b.is_ascii_alphanumeric()), "{secret}");
        assert_eq!(key.info.hint, secret[..12]);
        let identity = BankIdentity { bank: key.info.bank, name: key.info.bank_name.clone(), key: key.info.id };
        assert_eq!(store.bank_of_key(secret).await.unwrap(), Some(identity));
        for wrong in [&secret[1..], &secret[..50], "", "yx_test_", &secret.to_lowercase(), &format!("{secret} ")] {
            assert_eq!(store.bank_of_key(wrong).await.unwrap(), None, "{wrong:?}");
        }
    }
    assert_eq!(store.list_keys().await.unwrap(), [first.info, other.info, second.info]);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_nowhere_in_the_store(#[values(Sqlite)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let key = store.create_key("Bank A", now()).await.unwrap();
    store.create_user("wang", yuxin::domain::Role::Officer, &"correct horse battery".into(), now()).await.unwrap();
    store.close().await;
    let bytes = std::fs::read(place.url.strip_prefix("sqlite://").unwrap()).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds(&key.info.hint), "the file is read rightly");
    assert!(!holds(key.secret.expose_secret()));
    assert!(!holds("correct horse"));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_works_no_more_at_once_here_and_soon_elsewhere(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let (store, replica) = (place.open().await, place.open().await);
    let key = store.create_key("Bank A", now()).await.unwrap();
    let left = store.create_key("Bank A", now()).await.unwrap();
    let secret = key.secret.expose_secret();
    for either in [&store, &replica] {
        assert!(either.bank_of_key(secret).await.unwrap().is_some());
    }
    assert!(store.revoke_key(key.info.id, days_later(1)).await.unwrap());
    assert_eq!(store.bank_of_key(secret).await.unwrap(), None);
    assert!(!store.revoke_key(key.info.id, days_later(2)).await.unwrap(), "it is revoked once");
    assert!(!store.revoke_key(KeyId(Uuid::now_v7()), now()).await.unwrap());
    assert_eq!(store.list_keys().await.unwrap()[0].revoked_at, Some(days_later(1)));
    assert!(store.bank_of_key(left.secret.expose_secret()).await.unwrap().is_some());
    tokio::time::sleep(std::time::Duration::from_millis(2200)).await;
    assert_eq!(replica.bank_of_key(secret).await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bank_needs_a_name() {
    let place = Place::on(Sqlite).await.unwrap();
    let store = place.open().await;
    for name in ["", "  ", "a\nb", &"x".repeat(65)] {
        assert!(matches!(store.create_key(name, now()).await, Err(StoreError::BadName)), "{name:?}");
    }
    assert_eq!(place.count("banks").await, 0);
}
