//! Whoever changes the store past the service is found out.

use std::collections::BTreeSet;

use rstest::rstest;
use yuxin::domain::{Consent, Review, Role, Verdict};
use yuxin::store::{AuditReport, Store};

use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, bank, consent, days_later, decision, firm, kept, now, referred};

/// A store with some of everything. Its chain: bank 1, key 2, user 3, password 4, consents 5 and 6, decisions with cases and
/// looks 7 to 21, a revocation 22 and its notice 23, a review 24, a key 25 and its revocation 26, users 27 to 30, a disabling 31,
/// a password 32, a consent for one look 33, the decision and look that use it 34 and 35, its use 36.
pub(crate) async fn filled(place: &Place) -> Store {
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let password = "correct horse battery".into();
    let officer = store.create_user("wang", Role::Officer, &password, now()).await.unwrap();
    let (given, kept_one) = (consent(bank), consent(bank));
    store.insert_consent(&given).await.unwrap();
    store.insert_consent(&kept_one).await.unwrap();
    let mut case = None;
    for n in 0..5 {
        let mut entry = referred(bank, firm(n));
        entry.idempotency = kept(&n.to_string());
        case = entry.record.decision.case_id;
        store.commit_decision(entry).await.unwrap();
    }
    store.revoke_consent(given.id, bank, days_later(1)).await.unwrap().unwrap();
    let review = Review {
        user: officer.id,
        user_name: officer.name,
        verdict: Verdict::Decline,
        reason: "情况不符，不予支持".into(),
        limit: None,
        at: days_later(1),
    };
    store.review_case(case.unwrap(), &review).await.unwrap();
    let key = store.create_key("Bank A", now()).await.unwrap();
    store.revoke_key(key.info.id, days_later(1)).await.unwrap();
    for name in ["li", "zhao"] {
        store.create_user(name, Role::Observer, &password, now()).await.unwrap();
    }
    store.disable_user("zhao", days_later(1)).await.unwrap();
    store.set_password("li", &"another long one".into(), days_later(1)).await.unwrap();
    let once = Consent { one_time: true, ..consent(bank) };
    store.insert_consent(&once).await.unwrap();
    let mut entry = decision(bank, once.uscc.clone());
    entry.record.decision.request.consent_id = once.id;
    store.commit_decision(entry).await.unwrap();
    store
}

fn kinds(report: &AuditReport) -> BTreeSet<&str> {
    report.problems.iter().map(|p| p.kind.as_str()).collect()
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn an_untouched_store_is_intact_and_its_head_moves_with_every_act(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let empty = place.open().await.verify_audit().await.unwrap();
    assert_eq!((empty.entries, empty.head_seq, empty.head_hash.as_str()), (0, 0, "0".repeat(64).as_str()));
    let store = filled(&place).await;
    let report = store.verify_audit().await.unwrap();
    assert_eq!((&report.problems, report.entries, report.head_seq), (&vec![], 36, 36));
    assert_eq!(store.audit_hash(36).await.unwrap().as_ref(), Some(&report.head_hash));
    assert_eq!(store.audit_hash(37).await.unwrap(), None);
    let key = store.create_key("Bank B", now()).await.unwrap();
    let moved = store.verify_audit().await.unwrap();
    assert!(moved.intact() && moved.head_seq == 38 && moved.head_hash != report.head_hash, "{key:?}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn every_tampering_is_found_and_undoing_it_heals(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = filled(&place).await;
    // What is done, how it is undone, where it is found, as what.
    let cases: Vec<(&str, &str, Option<i64>, &str)> = vec![
        // Flips of stored rows.
        (
            "UPDATE decisions SET record = replace(record, '\"score\":588', '\"score\":688') WHERE uscc = (SELECT MIN(uscc) FROM decisions)",
            "UPDATE decisions SET record = replace(record, '\"score\":688', '\"score\":588')",
            None,
            "decision",
        ),
        (
            "UPDATE cases SET amount_fen = amount_fen + 1",
            "UPDATE cases SET amount_fen = amount_fen - 1",
            Some(8),
            "case",
        ),
        (
            "UPDATE cases SET firm_name = 'x' || firm_name",
            "UPDATE cases SET firm_name = substr(firm_name, 2)",
            Some(8),
            "case",
        ),
        ("UPDATE cases SET search = 'x' || search", "UPDATE cases SET search = substr(search, 2)", Some(8), "case"),
        (
            "UPDATE cases SET state = 'open' WHERE state = 'closed'",
            "UPDATE cases SET state = 'closed' WHERE id IN (SELECT case_id FROM reviews)",
            None,
            "case",
        ),
        ("UPDATE reviews SET verdict = 'approve'", "UPDATE reviews SET verdict = 'decline'", Some(24), "review"),
        ("UPDATE reviews SET limit_fen = 1", "UPDATE reviews SET limit_fen = NULL", Some(24), "review"),
        (
            "UPDATE consents SET valid_until = valid_until + 1",
            "UPDATE consents SET valid_until = valid_until - 1",
            Some(5),
            "consent",
        ),
        (
            "UPDATE consents SET revoked_at = revoked_at + 1",
            "UPDATE consents SET revoked_at = revoked_at - 1",
            Some(22),
            "consent_revoked",
        ),
        (
            "UPDATE consents SET purposes = '[]' || purposes",
            "UPDATE consents SET purposes = substr(purposes, 3)",
            Some(5),
            "consent",
        ),
        (
            "UPDATE consents SET sources = '[\"tax\"]' WHERE one_time = 0",
            "UPDATE consents SET sources = NULL WHERE one_time = 0",
            Some(5),
            "consent",
        ),
        (
            "UPDATE consents SET one_time = 0 WHERE used_at IS NOT NULL",
            "UPDATE consents SET one_time = 1 WHERE used_at IS NOT NULL",
            Some(33),
            "consent",
        ),
        (
            "UPDATE consents SET used_by = 'x' || used_by",
            "UPDATE consents SET used_by = substr(used_by, 2)",
            Some(36),
            "consent_used",
        ),
        ("UPDATE looks SET purpose = 'x' || purpose", "UPDATE looks SET purpose = substr(purpose, 2)", Some(9), "look"),
        ("UPDATE looks SET at = at + 1", "UPDATE looks SET at = at - 1", Some(35), "look"),
        ("UPDATE notices SET about = 'x' || about", "UPDATE notices SET about = substr(about, 2)", Some(23), "notice"),
        ("UPDATE banks SET name = 'Bank B'", "UPDATE banks SET name = 'Bank A'", Some(1), "bank"),
        (
            "UPDATE bank_keys SET secret_sha256 = 'x' || secret_sha256",
            "UPDATE bank_keys SET secret_sha256 = substr(secret_sha256, 2)",
            Some(2),
            "key",
        ),
        (
            "UPDATE bank_keys SET revoked_at = -revoked_at",
            "UPDATE bank_keys SET revoked_at = -revoked_at",
            Some(26),
            "key_revoked",
        ),
        (
            "UPDATE users SET role = 'admin' WHERE name = 'wang'",
            "UPDATE users SET role = 'officer' WHERE name = 'wang'",
            Some(3),
            "user",
        ),
        (
            "UPDATE users SET password_hash = 'x' || password_hash WHERE name = 'li'",
            "UPDATE users SET password_hash = substr(password_hash, 2) WHERE name = 'li'",
            Some(32),
            "password",
        ),
        (
            "UPDATE users SET disabled_at = -disabled_at",
            "UPDATE users SET disabled_at = -disabled_at",
            Some(31),
            "user_disabled",
        ),
        // What decisions rest on.
        (
            "UPDATE grounds SET body = replace(body, '420000000', '920000000')",
            "UPDATE grounds SET body = replace(body, '920000000', '420000000')",
            None,
            "grounds",
        ),
        (
            "UPDATE grounds SET sha256 = 'x' || sha256",
            "UPDATE grounds SET sha256 = substr(sha256, 2)",
            None,
            "decision",
        ),
        (
            "UPDATE decisions SET grounds = 'x' || grounds",
            "UPDATE decisions SET grounds = substr(grounds, 2)",
            Some(7),
            "decision",
        ),
        (
            // Its digest is right; only that no decision rests on it gives it away.
            "INSERT INTO grounds VALUES ('44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a', '{}')",
            "DELETE FROM grounds WHERE body = '{}'",
            None,
            "grounds",
        ),
        // Acts put in or taken back without a row in the chain.
        (
            "UPDATE consents SET used_at = -1 WHERE used_at IS NULL",
            "UPDATE consents SET used_at = NULL WHERE used_at = -1",
            None,
            "consent_used",
        ),
        (
            "UPDATE consents SET revoked_at = -1 WHERE revoked_at IS NULL",
            "UPDATE consents SET revoked_at = NULL WHERE revoked_at = -1",
            None,
            "consent_revoked",
        ),
        (
            "UPDATE bank_keys SET revoked_at = -1 WHERE revoked_at IS NULL",
            "UPDATE bank_keys SET revoked_at = NULL WHERE revoked_at = -1",
            None,
            "key_revoked",
        ),
        (
            "UPDATE users SET disabled_at = -1 WHERE disabled_at IS NULL",
            "UPDATE users SET disabled_at = NULL WHERE disabled_at = -1",
            None,
            "user_disabled",
        ),
        (
            "INSERT INTO decisions SELECT 'planted', bank, uscc, decided_at, record, grounds FROM decisions LIMIT 1",
            "DELETE FROM decisions WHERE id = 'planted'",
            None,
            "decision",
        ),
        (
            "INSERT INTO consents SELECT 'planted', bank, uscc, purposes, granted_at, valid_until, document_sha256, NULL, NULL, NULL, 0, NULL, NULL FROM consents LIMIT 1",
            "DELETE FROM consents WHERE id = 'planted'",
            None,
            "consent",
        ),
        (
            "INSERT INTO looks SELECT 'planted', uscc, bank, office, consent_id, purpose, at, ended, decision_id, asked, answers FROM looks LIMIT 1",
            "DELETE FROM looks WHERE id = 'planted'",
            None,
            "look",
        ),
        (
            "INSERT INTO notices SELECT 'planted', 99, bank, kind, about, created_at, seen_at FROM notices LIMIT 1",
            "DELETE FROM notices WHERE id = 'planted'",
            None,
            "notice",
        ),
        (
            "INSERT INTO reviews SELECT 'planted', case_id, 9, user_id, user_name, verdict, reason, limit_fen, at FROM reviews LIMIT 1",
            "DELETE FROM reviews WHERE id = 'planted'",
            None,
            "review",
        ),
        ("INSERT INTO banks VALUES ('planted', 'Bank C', 0)", "DELETE FROM banks WHERE id = 'planted'", None, "bank"),
        (
            "INSERT INTO users SELECT 'planted', 'planted', 'planted', 'admin', password_hash, 0, NULL FROM users LIMIT 1",
            "DELETE FROM users WHERE id = 'planted'",
            None,
            "user",
        ),
        // The chain itself.
        (
            "UPDATE audit SET at = at + 1 WHERE seq = 10",
            "UPDATE audit SET at = at - 1 WHERE seq = 10",
            Some(10),
            "decision",
        ),
        (
            "UPDATE audit SET kind = 'cases' WHERE seq = 8",
            "UPDATE audit SET kind = 'case' WHERE seq = 8",
            Some(8),
            "cases",
        ),
        (
            "UPDATE audit SET digest = 'x' || digest WHERE seq = 11",
            "UPDATE audit SET digest = substr(digest, 2) WHERE seq = 11",
            Some(11),
            "case",
        ),
        (
            "UPDATE audit SET hash = 'x' || hash WHERE seq = 11",
            "UPDATE audit SET hash = substr(hash, 2) WHERE seq = 11",
            Some(11),
            "case",
        ),
        // Swapped numbers: -1 is a place to put one of them aside.
        (
            "UPDATE audit SET seq = -1 WHERE seq = 10; UPDATE audit SET seq = 10 WHERE seq = 13; UPDATE audit SET seq = 13 WHERE seq = -1",
            "UPDATE audit SET seq = -1 WHERE seq = 10; UPDATE audit SET seq = 10 WHERE seq = 13; UPDATE audit SET seq = 13 WHERE seq = -1",
            Some(10),
            "decision",
        ),
        ("UPDATE audit SET seq = -1 WHERE seq = 1", "UPDATE audit SET seq = 1 WHERE seq = -1", Some(1), "bank"),
        (
            "INSERT INTO audit SELECT 37, at, kind, subject, digest, hash, hash FROM audit WHERE seq = 36",
            "DELETE FROM audit WHERE seq = 37",
            Some(37),
            "consent_used",
        ),
        // The end of the chain.
        ("UPDATE audit_head SET seq = 35", "UPDATE audit_head SET seq = 36", Some(36), "head"),
        ("UPDATE audit_head SET hash = 'x' || hash", "UPDATE audit_head SET hash = substr(hash, 2)", Some(36), "head"),
        ("UPDATE audit_head SET id = 2", "UPDATE audit_head SET id = 1", None, "head"),
    ];
    for (done, undone, seq, kind) in cases {
        place.tamper(done).await;
        let report = store.verify_audit().await.unwrap();
        let found = report.problems.iter().any(|p| p.kind == kind && (seq.is_none() || p.seq == seq));
        assert!(found, "{done}\nwanted {kind} at {seq:?}, found {:#?}", report.problems);
        let firms = format!("{:?}", report.problems);
        assert!((0..5).all(|n| !firms.contains(firm(n).as_str())), "{firms}");
        place.tamper(undone).await;
        let healed = store.verify_audit().await.unwrap();
        assert_eq!(healed.problems, vec![], "after {undone}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_the_chain_without_a_place_in_it_hides_nothing(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = filled(&place).await;
    // SQLite takes any value for a number; the smallest number of all is one on both.
    let smallest = ["-9223372036854775808"];
    let numbers: &[&str] = match engine {
        Sqlite => &["-9223372036854775808", "'x1'", "x'00'", "1e300", "-1e300"],
        Postgresql => &smallest,
    };
    for number in numbers {
        let forged = "INSERT INTO bank_keys (id, bank, secret_sha256, hint, created_at) \
             SELECT 'forged', MIN(id), 'ab', 'hint', 1 FROM banks";
        let hidden = format!(
            "INSERT INTO audit (seq, at, kind, subject, digest, previous, hash) VALUES ({number}, 1, 'key', 'forged', '', '', '')"
        );
        place.tamper(forged).await;
        place.tamper(&hidden).await;
        let report = store.verify_audit().await.unwrap();
        assert!(!report.intact(), "{number}");
        place.tamper("DELETE FROM bank_keys WHERE id = 'forged'").await;
        place.tamper("DELETE FROM audit WHERE subject = 'forged'").await;
        assert!(store.verify_audit().await.unwrap().intact(), "{number}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_value_of_another_kind_than_its_column_is_a_problem_among_the_others() {
    let place = Place::on(Sqlite).await.unwrap();
    let store = filled(&place).await;
    place.tamper("UPDATE reviews SET verdict = 'approve'").await;
    for (change, kind) in [
        ("UPDATE cases SET amount_fen = 'much'", "case"),
        ("UPDATE decisions SET decided_at = x'00'", "decision"),
        ("UPDATE users SET password_hash = x'ff'", "user"),
    ] {
        place.tamper(change).await;
        let report = store.verify_audit().await.unwrap();
        let found = kinds(&report);
        assert!(found.contains(kind) && found.contains("review"), "{change}: {found:?}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn what_is_deleted_or_swapped_is_missed(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = filled(&place).await;
    // Parents before their children; a child can refer to a parent only.
    let tables = [
        "banks",
        "bank_keys",
        "users",
        "consents",
        "grounds",
        "decisions",
        "cases",
        "reviews",
        "looks",
        "notices",
        "audit",
        "audit_head",
    ];
    let each = |sql: &dyn Fn(&str) -> String| tables.iter().map(|t| sql(t)).collect::<String>();
    place.tamper(&each(&|table| format!("CREATE TABLE kept_{table} AS SELECT * FROM {table};"))).await;
    let emptied: String = tables.iter().rev().map(|table| format!("DELETE FROM {table};")).collect();
    let restore = format!(
        "DELETE FROM idempotency; {emptied} {}",
        each(&|table| format!("INSERT INTO {table} SELECT * FROM kept_{table};"))
    );
    let swap = "CREATE TABLE two AS SELECT MIN(id) AS a, MAX(id) AS b FROM decisions; \
        CREATE TABLE copy AS SELECT * FROM decisions; \
        UPDATE decisions SET record = (SELECT c.record FROM copy c, two WHERE c.id = two.b) WHERE id = (SELECT a FROM two); \
        UPDATE decisions SET record = (SELECT c.record FROM copy c, two WHERE c.id = two.a) WHERE id = (SELECT b FROM two)";
    let swap_grounds = "CREATE TABLE pair AS SELECT MIN(sha256) AS a, MAX(sha256) AS b FROM grounds; \
        CREATE TABLE bodies AS SELECT * FROM grounds; \
        UPDATE grounds SET body = (SELECT c.body FROM bodies c, pair WHERE c.sha256 = pair.b) WHERE sha256 = (SELECT a FROM pair); \
        UPDATE grounds SET body = (SELECT c.body FROM bodies c, pair WHERE c.sha256 = pair.a) WHERE sha256 = (SELECT b FROM pair)";
    for (done, kind) in [
        ("DELETE FROM reviews", "review"),
        ("DELETE FROM grounds", "decision"),
        ("DELETE FROM grounds WHERE sha256 = (SELECT MAX(sha256) FROM grounds)", "decision"),
        (swap_grounds, "grounds"),
        ("UPDATE decisions SET grounds = NULL", "decision"),
        ("UPDATE decisions SET grounds = (SELECT MAX(sha256) FROM grounds)", "decision"),
        ("DELETE FROM consents", "consent"),
        ("DELETE FROM bank_keys", "key"),
        ("DELETE FROM reviews; DELETE FROM cases", "case"),
        ("DELETE FROM reviews; DELETE FROM cases; DELETE FROM decisions", "decision"),
        (swap, "decision"),
        ("UPDATE decisions SET uscc = 'x' || uscc", "decision"),
        ("INSERT INTO banks VALUES ('foreign', 'Bank C', 0); UPDATE decisions SET bank = 'foreign'", "decision"),
        ("UPDATE decisions SET decided_at = decided_at + 1", "decision"),
        ("DELETE FROM audit WHERE seq = 9", "decision"),
        ("DELETE FROM looks WHERE ended = 'decided'", "look"),
        ("DELETE FROM notices", "notice"),
        ("DELETE FROM audit WHERE kind = 'password'", "password"),
        ("DELETE FROM audit", "head"),
        ("DELETE FROM audit_head", "head"),
    ] {
        place.tamper(done).await;
        let report = store.verify_audit().await.unwrap();
        assert!(kinds(&report).contains(kind), "{done}: {:#?}", report.problems);
        place.tamper(&restore).await;
        assert_eq!(store.verify_audit().await.unwrap().problems, vec![], "restored after {done}");
    }
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_cut_tail_is_seen_even_when_the_rows_behind_it_are_gone_too(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    store.commit_decision(decision(bank, firm(1))).await.unwrap();
    let noted = store.verify_audit().await.unwrap();
    let last = decision(bank, firm(2));
    let id = last.record.decision.id;
    store.commit_decision(last).await.unwrap();
    let full = store.verify_audit().await.unwrap();

    place.tamper(&format!("DELETE FROM decisions WHERE id = '{id}'; DELETE FROM looks WHERE id = '{id}'; DELETE FROM audit WHERE seq > 4; DELETE FROM grounds WHERE sha256 NOT IN (SELECT grounds FROM decisions)")).await;
    let cut = store.verify_audit().await.unwrap();
    assert_eq!((cut.problems.len(), cut.problems[0].seq, cut.problems[0].kind.as_str()), (1, Some(5), "head"));
    assert!(cut.problems[0].what.contains("cut"), "{:?}", cut.problems);

    // Whoever sets the head back too is found only by what was noted down elsewhere.
    place.tamper(&format!("UPDATE audit_head SET seq = 4, hash = '{}'", noted.head_hash)).await;
    assert!(store.verify_audit().await.unwrap().intact());
    assert_eq!(store.audit_hash(full.head_seq).await.unwrap(), None);
    assert_eq!(store.audit_hash(noted.head_seq).await.unwrap(), Some(noted.head_hash));
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn the_walk_sees_one_state_while_others_write(#[values(Sqlite, Postgresql)] engine: Engine) {
    let Some(place) = Place::on(engine).await else { return };
    let store = place.open().await;
    let bank = bank(&store, "Bank A").await;
    let writing = {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 0..300 {
                store.commit_decision(referred(bank, firm(n))).await.unwrap();
            }
        })
    };
    let mut walks = 0;
    while !writing.is_finished() {
        let report = store.verify_audit().await.unwrap();
        assert_eq!(report.problems, vec![]);
        walks += 1;
    }
    writing.await.unwrap();
    assert!(walks > 1);
    assert_eq!(store.verify_audit().await.unwrap().entries, 902);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_chain_can_be_recomputed_as_the_documentation_says() {
    use sha2::{Digest, Sha256};
    use sqlx::{Connection, SqliteConnection};
    let place = Place::on(Sqlite).await.unwrap();
    let head = filled(&place).await.verify_audit().await.unwrap();
    let mut connection = SqliteConnection::connect(&place.url).await.unwrap();
    let rows: Vec<(i64, i64, String, String, String, String)> =
        sqlx::query_as("SELECT seq, at, kind, subject, digest, hash FROM audit ORDER BY seq")
            .fetch_all(&mut connection)
            .await
            .unwrap();
    let mut previous = "0".repeat(64);
    for (seq, at, kind, subject, digest, hash) in rows {
        let text = format!("{previous}\n{seq}\n{at}\n{kind}\n{subject}\n{digest}");
        previous = hex::encode(Sha256::digest(text));
        assert_eq!(previous, hash);
        if kind == "decision" {
            let (record,): (String,) = sqlx::query_as("SELECT record FROM decisions WHERE id = $1")
                .bind(subject)
                .fetch_one(&mut connection)
                .await
                .unwrap();
            assert_eq!(hex::encode(Sha256::digest(record)), digest);
        }
    }
    assert_eq!(previous, head.head_hash);
}
