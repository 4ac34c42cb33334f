//! A backup holds everything that was stored, restores to either database, and is put in place only once its chain was checked.

use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;
use rstest::rstest;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use yuxin::store::backup::{BackupError, back_up, restore};

use crate::store_audit::filled;
use crate::support::store::Engine::{self, Postgresql, Sqlite};
use crate::support::store::{Place, bank, decision, firm, now};

async fn backup_of(place: &Place, folder: &TempDir) -> PathBuf {
    back_up(&place.url, folder.path(), now()).await.unwrap().path
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_backup_made_while_others_write_is_restored_to_either_database(
    #[values(Sqlite, Postgresql)] from: Engine,
    #[values(Sqlite, Postgresql)] to: Engine,
) {
    let (Some(source), Some(target)) = (Place::on(from).await, Place::on(to).await) else { return };
    let folder = TempDir::new().unwrap();
    let store = filled(&source).await;
    let own = bank(&store, "Bank A").await;
    let kept = decision(own, firm(70));
    let id = kept.record.decision.id;
    store.commit_decision(kept.clone()).await.unwrap();
    let writing = {
        let store = store.clone();
        tokio::spawn(async move {
            for n in 100..160 {
                store.commit_decision(decision(own, firm(n))).await.unwrap();
            }
        })
    };
    let made = back_up(&source.url, folder.path(), now()).await.unwrap();
    writing.await.unwrap();
    let again = back_up(&source.url, &made.path, now()).await;
    assert!(matches!(again, Err(BackupError::Exists(_))), "{again:?}");

    let restored = restore(&target.url, &made.path, false, now()).await.unwrap();
    assert_eq!((restored.head_seq, &restored.head_hash, &restored.put_aside), (made.head_seq, &made.head_hash, &None));
    assert_eq!(store.audit_hash(made.head_seq).await.unwrap(), Some(made.head_hash.clone()));
    let copy = target.open().await;
    assert_eq!(copy.decision(id, own).await.unwrap().unwrap().0, kept.record);
    for table in
        ["decisions", "cases", "reviews", "consents", "looks", "users", "bank_keys", "idempotency", "fact_ends"]
    {
        assert_eq!(target.count(table).await as u64, made.rows[table], "{table}");
    }
    copy.commit_decision(decision(own, firm(80))).await.unwrap();
    assert!(copy.verify_audit().await.unwrap().intact());

    // What is in use, or holds something, is not replaced unasked.
    let refused = restore(&target.url, &made.path, true, now()).await;
    assert!(matches!(refused, Err(BackupError::InUse)), "{refused:?}");
    let entries = copy.verify_audit().await.unwrap().entries;
    copy.close().await;
    let refused = restore(&target.url, &made.path, false, now()).await;
    assert!(matches!(refused, Err(BackupError::NotEmpty(n)) if n as u64 == entries), "{refused:?}");
    let replaced = restore(&target.url, &made.path, true, now()).await.unwrap();
    assert!(replaced.put_aside.is_some());
    let copy = target.open().await;
    assert_eq!(copy.verify_audit().await.unwrap().head_hash, made.head_hash);
    copy.close().await;
}

/// The lines of a backup, changed and with a digest that fits again.
fn forged(backup: &Path, change: impl Fn(&str) -> String) -> PathBuf {
    let mut text = String::new();
    GzDecoder::new(std::fs::File::open(backup).unwrap()).read_to_string(&mut text).unwrap();
    let text = change(&text);
    let (lines, last) = text.trim_end().rsplit_once('\n').unwrap();
    let lines = format!("{lines}\n");
    let mut last: serde_json::Value = serde_json::from_str(last).unwrap();
    last["whole"]["sha256"] = hex::encode(Sha256::digest(&lines)).into();
    let path = backup.with_extension("forged");
    let mut file = GzEncoder::new(std::fs::File::create(&path).unwrap(), Compression::fast());
    file.write_all(format!("{lines}{last}\n").as_bytes()).unwrap();
    file.finish().unwrap();
    path
}

#[rstest]
#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_or_forged_backup_is_refused_and_nothing_is_changed(#[values(Sqlite, Postgresql)] engine: Engine) {
    let (Some(source), Some(target)) = (Place::on(Sqlite).await, Place::on(engine).await) else { return };
    let folder = TempDir::new().unwrap();
    let store = filled(&source).await;
    let backup = backup_of(&source, &folder).await;
    store.close().await;
    let whole = std::fs::read(&backup).unwrap();
    let damaged = folder.path().join("damaged");
    for n in 0..24 {
        let mut bytes = whole.clone();
        let at = 20 + n * (bytes.len() - 40) / 24;
        match n % 3 {
            0 => bytes[at] ^= 0x10,
            1 => bytes.truncate(at),
            _ => drop(bytes.drain(at..at + 3)),
        }
        std::fs::write(&damaged, bytes).unwrap();
        let refused = restore(&target.url, &damaged, false, now()).await;
        assert!(matches!(refused, Err(BackupError::Damaged { .. })), "{n}: {refused:?}");
    }
    // Somebody who can compute digests changes a score, leaves a row out, or the end of the chain.
    let changes: [&dyn Fn(&str) -> String; 2] =
        [&|text| text.replacen("\\\"score\\\":588", "\\\"score\\\":688", 1), &|text| {
            text.replace("\"seq\":36", "\"seq\":35")
        }];
    for change in changes {
        let refused = restore(&target.url, &forged(&backup, change), false, now()).await;
        assert!(matches!(refused, Err(BackupError::Broken { .. })), "{refused:?}");
    }
    if engine == Sqlite {
        let file = target.url.strip_prefix("sqlite://").unwrap();
        assert!(!Path::new(file).exists());
        let left: Vec<_> = std::fs::read_dir(Path::new(file).parent().unwrap()).unwrap().collect();
        assert!(left.is_empty(), "{left:?}");
    }
    assert_eq!(target.open().await.verify_audit().await.unwrap().entries, 0);
}
