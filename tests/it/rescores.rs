//! A firm whose adverse fact has expired is judged again the same day, without asking anybody, and its banks are told.

use jiff::{SignedDuration, Timestamp, ToSpan};
use rstest::rstest;
use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};
use uuid::Uuid;
use yuxin::decide::{Engine as Judge, Occasion, RescoreCounts, rescore_due};
use yuxin::domain::decision::DecisionRequest;
use yuxin::domain::evidence::AdverseKind;
use yuxin::domain::{
    BankId, CaseId, Consent, ConsentId, DecisionId, DecisionRecord, Dossier, Evidence, EvidenceStatus, Fen, NoticeKind,
    SourceKind, china_date,
};
use yuxin::model::Model;
use yuxin::observe::Metrics;
use yuxin::policy::{DEFAULT_POLICY, Policy};
use yuxin::store::{DecisionEntry, Store};

use crate::support::department::sample;
use crate::support::service::Service;
use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, bank, consent, days_later, now};

const FIRM: &str = "91330604MA2XY0014W";

fn judge() -> Judge {
    let model = concat!(env!("CARGO_MANIFEST_DIR"), "/models/district-scorecard.json");
    Judge::new(Model::load(model.as_ref()).unwrap(), Policy::from_toml(DEFAULT_POLICY).unwrap()).unwrap()
}

/// Evidence like the samples', as of the day before `at`, with contributions owed that may be shown until so many days after `at`,
/// and a finding of unpaid wages that has no end.
fn dossier(at: Timestamp, shown_days: i64) -> Dossier {
    fn there<R: serde::de::DeserializeOwned>(source: SourceKind, at: Timestamp, parts: Value) -> Evidence<R> {
        let as_of = china_date(at).yesterday().unwrap();
        let mut reply: Value = serde_json::from_str(sample(source)).unwrap();
        let fields = reply.as_object_mut().unwrap();
        fields.insert("as_of".to_owned(), json!(as_of));
        fields.extend(parts.as_object().unwrap().clone());
        Evidence {
            status: EvidenceStatus::Fresh,
            record: Some(serde_json::from_value(reply).unwrap()),
            as_of: Some(as_of),
            fetched_at: Some(at),
            digest: None,
            detail: None,
            not_covered: Vec::new(),
        }
    }
    let day = |days: i64| china_date(at).saturating_add(days.days());
    let owed = json!({"arrears": {"months": 6, "amount_fen": 100, "display_end": day(shown_days)}});
    let wages = json!({"wage_arrears": [{"found_on": day(-80), "amount_fen": 100, "repaired_on": null}]});
    Dossier {
        uscc: FIRM.parse().unwrap(),
        tax: there(SourceKind::Tax, at, json!({})),
        social_insurance: there(SourceKind::SocialInsurance, at, owed),
        payment_history: there(SourceKind::PaymentHistory, at, wages),
        others: Vec::new(),
        set_aside: Vec::new(),
    }
}

/// A decision made at `at` under a consent that the store holds.
async fn decided(store: &Store, judge: &Judge, bank: BankId, at: Timestamp, shown_days: i64) -> DecisionRecord {
    let consent = Consent {
        id: ConsentId(Uuid::now_v7()),
        uscc: FIRM.parse().unwrap(),
        granted_at: at,
        valid_until: at + SignedDuration::from_hours(24 * 300),
        ..consent(bank)
    };
    store.insert_consent(&consent).await.unwrap();
    let request = DecisionRequest {
        uscc: consent.uscc.clone(),
        consent_id: consent.id,
        purpose: "working_capital".into(),
        amount: Fen::from_yuan(1_000_000),
        term_months: 12,
    };
    let occasion = Occasion { id: DecisionId(Uuid::now_v7()), bank, request, now: at, case_id: CaseId(Uuid::now_v7()) };
    let mut record = judge.judge(occasion, dossier(at, shown_days));
    // Whether the office has a case is not what this is about.
    record.decision.case_id = None;
    store
        .commit_decision(DecisionEntry { record: record.clone(), case: None, idempotency: None, look: None })
        .await
        .unwrap();
    record
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_decision_is_judged_again_on_the_day_on_which_a_fact_expires_and_once_only(
    #[values(Sqlite, Postgresql)] engine: Engine,
) {
    let Some(place) = Place::on(engine).await else { return };
    let (store, judge) = (place.open().await, judge());
    let own = bank(&store, "Bank A").await;
    let record = decided(&store, &judge, own, now(), 4).await;
    // Shown for longer than the decision is valid: never due.
    decided(&store, &judge, own, now(), 40).await;
    // Its firm takes its consent back.
    let withdrawn = decided(&store, &judge, own, now(), 4).await;
    let consent = withdrawn.decision.request.consent_id;
    store.revoke_consent(consent, own, days_later(1)).await.unwrap().unwrap();

    assert_eq!(rescore_due(&store, &judge, days_later(4)).await.unwrap(), RescoreCounts::default(), "the last day");
    let done = RescoreCounts { rescored: 1, revoked: 1 };
    assert_eq!(rescore_due(&store, &judge, days_later(5)).await.unwrap(), done);
    let idle = RescoreCounts { rescored: 0, revoked: 1 };
    assert_eq!(rescore_due(&store, &judge, days_later(5)).await.unwrap(), idle);
    assert_eq!(rescore_due(&store, &judge, days_later(6)).await.unwrap(), idle);
    assert_eq!(
        rescore_due(&store, &judge, days_later(31)).await.unwrap(),
        RescoreCounts::default(),
        "not valid any more"
    );

    let again = store.rescore_of(record.decision.id, own).await.unwrap().unwrap();
    assert_eq!((again.on, again.left.len()), (china_date(days_later(5)), 1));
    assert_eq!(again.left[0].kind, AdverseKind::ContributionArrears);
    assert_eq!(again.before.score, record.decision.score);
    assert!(again.after.score > again.before.score, "no arrears any more: {again:?}");
    assert_eq!(store.decision(record.decision.id, own).await.unwrap().unwrap().0, record, "the decision itself stands");
    let mut told = store.notices_to(own, 0, 10, days_later(6)).await.unwrap();
    told.retain(|notice| notice.kind != NoticeKind::ConsentRevoked);
    assert_eq!((told.len(), told[0].kind), (1, NoticeKind::FactExpired));
    assert_eq!(told[0].about.figures["score_after"], again.after.score.to_string());

    assert!(store.verify_audit().await.unwrap().intact());
    place.tamper("UPDATE rescores SET record = REPLACE(record, '\"score\":', '\"score\":1')").await;
    assert!(!store.verify_audit().await.unwrap().intact());
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_and_the_service_judge_again_what_is_due_and_the_bank_sees_it_beside_the_decision() {
    let service = Service::start("http://127.0.0.1:1");
    let first = service.bank("First Bank");
    let url = format!("sqlite://{}", service.database().display());
    let (store, judge) = (Store::open(&url, Metrics::new().unwrap()).await.unwrap(), judge());
    let own = store.bank_of_key(&first.key).await.unwrap().unwrap().bank;
    let days_ago = |days: i64| Timestamp::now() - SignedDuration::from_hours(24 * days);
    let record = decided(&store, &judge, own, days_ago(3), 1).await;
    let run = |expected: &str| {
        let ran = service.command(&["rescore", "--due"]);
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        assert_eq!(String::from_utf8(ran.stdout).unwrap().trim(), expected);
    };
    run("1 rescored");
    run("0 rescored");
    assert_eq!(service.command(&["rescore"]).status.code(), Some(2), "it must be said what to judge again");

    let path = format!("/v1/decisions/{}", record.decision.id);
    let shown: Value = first.get(&path).send().await.unwrap().json().await.unwrap();
    assert_eq!(shown["score"], record.decision.score);
    assert_eq!(shown["rescore"]["left"][0]["kind"], "contribution_arrears");
    assert!(shown["rescore"]["standing"]["score"].as_i64().unwrap() > record.decision.score);

    // What falls due while nobody runs the command is done by the service: at its start, and every day.
    let later = decided(&store, &judge, own, days_ago(5), 2).await;
    store.close().await;
    // As if today's run had not been: it is done once a day, by one of the processes.
    let mut past = SqliteConnection::connect(&url).await.unwrap();
    sqlx::query("UPDATE jobs SET done_at = 0 WHERE name = 'rescore'").execute(&mut past).await.unwrap();
    past.close().await.unwrap();
    let service = service.restart();
    let path = format!("{}/v1/decisions/{}", service.url, later.decision.id);
    let mut shown = Value::Null;
    for _ in 0..100 {
        shown = first.client.get(&path).bearer_auth(&first.key).send().await.unwrap().json().await.unwrap();
        if shown["rescore"].is_object() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert_eq!(shown["rescore"]["left"][0]["source"], "social_insurance", "{shown}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dispute_that_was_upheld_since_the_decision_counts_when_it_is_judged_again() {
    use yuxin::domain::evidence::digest_of_value;
    use yuxin::domain::{Dispute, DisputeId, DisputeVerdict, DisputedFact, Resolution, Standing, UserId};
    let place = Place::on(Sqlite).await.unwrap();
    let (store, judge) = (place.open().await, judge());
    let own = bank(&store, "Bank A").await;
    let record = decided(&store, &judge, own, now(), 4).await;
    let fact = DisputedFact::part(Some(SourceKind::Tax), Some("invoices"));
    let value = record.grounds.dossier.stated(&fact).unwrap();
    let standing = Standing::of(&record.decision);
    let dispute = |verdict, value_sha256: String| Dispute {
        id: DisputeId(Uuid::now_v7()),
        decision: record.decision.id,
        bank: own,
        uscc: FIRM.parse().unwrap(),
        fact: DisputedFact { value_sha256: Some(value_sha256), ..fact.clone() },
        statement: "发票金额有误".to_owned(),
        taken_by: None,
        with: standing.clone(),
        without: None,
        opened_at: now(),
        due_at: Dispute::due_at(now()),
        resolution: Some(Resolution {
            verdict,
            answer: "属实".to_owned(),
            user: UserId(Uuid::now_v7()),
            user_name: "officer".to_owned(),
            at: days_later(1),
        }),
    };
    let after = |disputes: &[Dispute]| judge.rescore(&record, disputes, days_later(5)).after;
    let usual = after(&[]);
    let digest = digest_of_value(&value);
    let upheld = after(&[dispute(DisputeVerdict::Upheld, digest.clone())]);
    assert!(
        usual.score_interval.is_none() && upheld.score_interval.is_some(),
        "missing, not zero: {upheld:?} {usual:?}"
    );
    assert_eq!(after(&[dispute(DisputeVerdict::Rejected, digest)]), usual);
    assert_eq!(after(&[dispute(DisputeVerdict::Upheld, "0".repeat(64))]), usual, "another statement");
    store.close().await;
}
