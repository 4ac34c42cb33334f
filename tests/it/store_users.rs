//! Who may log in, for how long, and who may not any more.

use std::time::{Duration, Instant};

use jiff::{Span, Timestamp};
use rstest::rstest;
use secrecy::ExposeSecret;
use yuxin::domain::Role;
use yuxin::store::{LogIn, Session, Store, StoreError};

use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, days_later, now};

const PASSWORD: &str = "correct horse battery";

async fn log_in(store: &Store, name: &str, password: &str, at: Timestamp) -> LogIn {
    store.log_in(name, &password.into(), at).await.unwrap()
}

fn welcome(log_in: LogIn) -> (Session, String) {
    match log_in {
        LogIn::Welcome { session, token } => (session, token.expose_secret().to_owned()),
        other => panic!("{other:?}"),
    }
}

fn minutes_later(minutes: i64) -> Timestamp {
    now() + Span::new().minutes(minutes)
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_right_password_opens_a_session_with_its_own_form_secret(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let user = store.create_user(" Wang Wei ", Role::Officer, &PASSWORD.into(), now()).await.unwrap();
    assert_eq!(user.name, "Wang Wei");
    let (session, token) = welcome(log_in(&store, "wang wei", PASSWORD, now()).await);
    assert_eq!((&session.user, session.expires_at), (&user, minutes_later(30)));
    assert_eq!(store.session(&token, now()).await.unwrap(), Some(session.clone()));
    let (second, other_token) = welcome(log_in(&store, "WANG WEI", PASSWORD, now()).await);
    assert_ne!((&second.csrf, &other_token), (&session.csrf, &token));
    assert!(!session.csrf.contains(&token));
    for wrong in ["", "x", &token[1..], &token.to_lowercase()] {
        assert_eq!(store.session(wrong, now()).await.unwrap(), None);
    }
    for wrong in ["Correct horse battery", "", "correct horse battery "] {
        assert!(matches!(log_in(&store, "wang wei", wrong, now()).await, LogIn::Wrong));
    }
    store.log_out(&token).await.unwrap();
    assert_eq!(store.session(&token, now()).await.unwrap(), None);
    assert!(store.session(&other_token, now()).await.unwrap().is_some(), "the other session goes on");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_session_ends_after_half_an_hour_unused_and_after_ten_hours_at_any_rate(
    #[values(Sqlite, Postgresql)] engine: Engine,
) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    store.create_user("wang", Role::Officer, &PASSWORD.into(), now()).await.unwrap();
    let (_, unused) = welcome(log_in(&store, "wang", PASSWORD, now()).await);
    let (_, used) = welcome(log_in(&store, "wang", PASSWORD, now()).await);
    for minutes in (25..600).step_by(25) {
        let session = store.session(&used, minutes_later(minutes)).await.unwrap().expect("used in time");
        assert_eq!(session.expires_at, minutes_later((minutes + 30).min(600)));
    }
    assert!(store.session(&used, minutes_later(599)).await.unwrap().is_some());
    assert_eq!(store.session(&used, minutes_later(600)).await.unwrap(), None);
    assert_eq!(store.session(&unused, minutes_later(30)).await.unwrap(), None);
    assert!(store.session(&unused, minutes_later(29)).await.unwrap().is_some());
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn five_failures_lock_a_name_for_five_minutes_known_or_not(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    store.create_user("wang", Role::Officer, &PASSWORD.into(), now()).await.unwrap();
    for name in ["wang", "nobody"] {
        for _ in 0..5 {
            assert!(matches!(log_in(&store, name, "wrong password", now()).await, LogIn::Wrong));
        }
        let LogIn::Locked { until } = log_in(&store, name, PASSWORD, now()).await else { panic!("not locked") };
        assert_eq!(until, minutes_later(5));
    }
    assert!(matches!(log_in(&store, "WANG ", PASSWORD, minutes_later(4)).await, LogIn::Locked { .. }));
    welcome(log_in(&store, "wang", PASSWORD, minutes_later(5)).await);
    // A success wipes the slate.
    for _ in 0..4 {
        assert!(matches!(log_in(&store, "wang", "wrong password", minutes_later(6)).await, LogIn::Wrong));
    }
    welcome(log_in(&store, "wang", PASSWORD, minutes_later(6)).await);
    assert_eq!(place.count("log_in_failures").await, 1, "the unknown name's; the known one's is wiped");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn tries_at_the_same_time_are_all_counted(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    store.create_user("wang", Role::Officer, &PASSWORD.into(), now()).await.unwrap();
    let tries = (0..12).map(|_| log_in(&store, "wang", "wrong password", now()));
    let outcomes = futures_util::future::join_all(tries).await;
    assert_eq!(outcomes.iter().filter(|o| matches!(o, LogIn::Wrong)).count(), 5);
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_user_is_out_at_once_and_the_name_stays_taken(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let user = store.create_user("wang", Role::Admin, &PASSWORD.into(), now()).await.unwrap();
    let (_, token) = welcome(log_in(&store, "wang", PASSWORD, now()).await);
    assert!(store.disable_user("Wang", days_later(1)).await.unwrap());
    assert_eq!(store.session(&token, now()).await.unwrap(), None);
    assert!(matches!(log_in(&store, "wang", PASSWORD, now()).await, LogIn::Wrong));
    assert!(!store.disable_user("wang", days_later(2)).await.unwrap());
    assert!(!store.disable_user("nobody", now()).await.unwrap());
    let again = store.create_user("WANG", Role::Officer, &PASSWORD.into(), now()).await;
    assert!(matches!(again, Err(StoreError::NameTaken)));
    assert!(matches!(store.set_password("wang", &PASSWORD.into(), now()).await, Err(StoreError::NoSuchUser)));
    let listed = store.list_users().await.unwrap();
    assert_eq!(listed.len(), 1);
    assert_eq!((&listed[0].user, listed[0].created_at, listed[0].disabled_at), (&user, now(), Some(days_later(1))));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_the_sessions_and_the_old_password(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    store.create_user("wang", Role::Officer, &PASSWORD.into(), now()).await.unwrap();
    store.create_user("li", Role::Officer, &PASSWORD.into(), now()).await.unwrap();
    let (_, token) = welcome(log_in(&store, "wang", PASSWORD, now()).await);
    let (_, of_other) = welcome(log_in(&store, "li", PASSWORD, now()).await);
    assert!(matches!(store.set_password("wang", &"short".into(), now()).await, Err(StoreError::BadPassword)));
    assert!(store.session(&token, now()).await.unwrap().is_some());
    store.set_password("wang", &"another long one".into(), now()).await.unwrap();
    assert_eq!(store.session(&token, now()).await.unwrap(), None);
    assert!(store.session(&of_other, now()).await.unwrap().is_some());
    assert!(matches!(log_in(&store, "wang", PASSWORD, now()).await, LogIn::Wrong));
    welcome(log_in(&store, "wang", "another long one", now()).await);
    assert!(store.verify_audit().await.unwrap().intact());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_name_takes_as_long_as_a_wrong_password() {
    let place = Place::on(Sqlite).await.unwrap();
    let store = place.open().await;
    // The shortest of several, each under a name of its own so that nothing is locked: load only ever adds time.
    let (mut known, mut unknown) = (Duration::MAX, Duration::MAX);
    for n in 0..5 {
        store.create_user(&format!("known {n}"), Role::Officer, &PASSWORD.into(), now()).await.unwrap();
        for (name, shortest) in [("known", &mut known), ("unknown", &mut unknown)] {
            let begun = Instant::now();
            assert!(matches!(log_in(&store, &format!("{name} {n}"), "wrong password", now()).await, LogIn::Wrong));
            *shortest = begun.elapsed().min(*shortest);
        }
    }
    assert!(known < 2 * unknown && unknown < 2 * known, "known {known:?}, unknown {unknown:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_names_and_passwords_make_no_user() {
    let place = Place::on(Sqlite).await.unwrap();
    let store = place.open().await;
    for name in ["", " ", "a\tb", &"x".repeat(65)] {
        let refused = store.create_user(name, Role::Admin, &PASSWORD.into(), now()).await;
        assert!(matches!(refused, Err(StoreError::BadName)), "{name:?}");
        assert!(matches!(log_in(&store, name, PASSWORD, now()).await, LogIn::Wrong));
    }
    let refused = store.create_user("wang", Role::Admin, &"elevenchars".into(), now()).await;
    assert!(matches!(refused, Err(StoreError::BadPassword)));
    assert_eq!((place.count("users").await, place.count("log_in_failures").await), (0, 0));
}
