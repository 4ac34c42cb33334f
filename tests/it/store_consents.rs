//! A consent is the bank's that registered it, and a revocation holds at once and for ever.

use rstest::rstest;
use uuid::Uuid;
use yuxin::domain::{BankId, Consent, ConsentId};
use yuxin::store::StoreError;

use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, bank, consent, days_later};

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_consent_comes_back_as_it_was_registered(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    for given in [consent(bank), Consent { document_sha256: None, purposes: vec![], ..consent(bank) }] {
        store.insert_consent(&given).await.unwrap();
        assert_eq!(store.consent(given.id).await.unwrap(), Some(given.clone()));
        assert!(matches!(store.insert_consent(&given).await, Err(StoreError::Conflict(_))));
    }
    assert_eq!(store.consent(ConsentId(Uuid::now_v7())).await.unwrap(), None);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn only_its_own_bank_revokes_a_consent_and_the_first_revocation_counts(
    #[values(Sqlite, Postgresql)] engine: Engine,
) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let (own, foreign) = (bank(&store, "Bank A").await, bank(&store, "Bank B").await);
    let given = consent(own);
    store.insert_consent(&given).await.unwrap();
    for stranger in [foreign, BankId(Uuid::now_v7())] {
        assert_eq!(store.revoke_consent(given.id, stranger, days_later(1)).await.unwrap(), None);
    }
    assert_eq!(store.consent(given.id).await.unwrap().unwrap().revoked_at, None);
    let before = place.count("audit").await;
    let revoked = Consent { revoked_at: Some(days_later(1)), ..given.clone() };
    for day in [1, 2] {
        assert_eq!(store.revoke_consent(given.id, own, days_later(day)).await.unwrap(), Some(revoked.clone()));
    }
    assert_eq!(store.consent(given.id).await.unwrap(), Some(revoked));
    assert_eq!(
        place.count("audit").await,
        before + 2,
        "the revocation and its notice; revoking again is not another act"
    );
    assert_eq!(store.revoke_consent(ConsentId(Uuid::now_v7()), own, days_later(1)).await.unwrap(), None);
}
