//! What is compared once the chain was walked: that nothing stands there that it does not speak of, and that what may change is as
//! the last change left it.

use std::sync::Arc;

use super::super::database::fetch;
use super::super::users::UserRow;
use super::super::webhooks::WebhookRow;
use super::super::{Store, StoreError};
use super::grounds;
use super::report::AuditProblem;
use super::verify::Walk;

/// A webhook beside the digest of its last change.
#[derive(sqlx::FromRow)]
struct LastChange {
    #[sqlx(flatten)]
    webhook: WebhookRow,
    written: String,
}

/// Finds rows that no row of the chain speaks of. Where the chain speaks soundly of as many rows as there are, and of none twice,
/// there is none to look for.
macro_rules! unspoken {
    ($walk:expr, $table:literal, $kind:literal, $condition:literal) => {{
        const COUNT: &str = concat!("SELECT COUNT(*) FROM ", $table, " t WHERE ", $condition);
        const SELECT: &str = concat!(
            "SELECT t.id FROM ",
            $table,
            " t WHERE (",
            $condition,
            ") AND NOT EXISTS (SELECT 1 FROM audit a WHERE a.subject = t.id AND a.kind = '",
            $kind,
            "') LIMIT 20"
        );
        let (rows,) = fetch!(fetch_one, Transaction, &mut $walk.snapshot, (i64,), COUNT)?;
        let spoken_of = $walk.sound.get($kind).copied().unwrap_or_default();
        if !$walk.problems.is_empty() || rows.unsigned_abs() != spoken_of {
            let rows = fetch!(fetch_all, Transaction, &mut $walk.snapshot, (String,), SELECT);
            for (id,) in $walk.readable($kind, None, rows)? {
                $walk.report(None, $kind, &id, "the stored row is not in the chain: it was put in from outside");
            }
        }
    }};
}

/// What needs nothing of the walk but the store: looked at meanwhile, over a state of its own that is not older than the walk's.
pub(super) async fn beside(store: Store) -> Result<Vec<AuditProblem>, StoreError> {
    let mut walk = Walk::begin(&store, &Arc::from([])).await?;
    walk.doubles().await?;
    walk.passwords().await?;
    walk.webhooks().await?;
    walk.states().await?;
    let odd = grounds::check(&mut walk.snapshot).await?;
    walk.problems.extend(odd);
    Ok(walk.problems)
}

impl Walk {
    /// Nothing is written twice but a password and a webhook: a second row that speaks of the same thing was put in.
    async fn doubles(&mut self) -> Result<(), StoreError> {
        const SELECT: &str = "SELECT MAX(seq), kind, subject FROM audit WHERE kind NOT IN ('password', 'webhook') \
             GROUP BY subject, kind HAVING COUNT(*) > 1 LIMIT 20";
        let rows = fetch!(fetch_all, Transaction, &mut self.snapshot, (i64, String, String), SELECT);
        let rows = self.readable("chain", None, rows)?;
        for (seq, kind, subject) in rows {
            self.report(Some(seq), &kind, &subject, "the chain speaks of this twice: a row was put in");
        }
        Ok(())
    }

    pub(super) async fn unspoken(&mut self) -> Result<(), StoreError> {
        unspoken!(self, "banks", "bank", "1 = 1");
        unspoken!(self, "bank_keys", "key", "1 = 1");
        unspoken!(self, "bank_keys", "key_revoked", "t.revoked_at IS NOT NULL");
        unspoken!(self, "users", "user", "1 = 1");
        unspoken!(self, "users", "password", "1 = 1");
        unspoken!(self, "users", "user_disabled", "t.disabled_at IS NOT NULL");
        unspoken!(self, "consents", "consent", "1 = 1");
        unspoken!(self, "consents", "consent_revoked", "t.revoked_at IS NOT NULL");
        unspoken!(self, "consents", "consent_used", "t.used_at IS NOT NULL OR t.used_by IS NOT NULL");
        unspoken!(self, "looks", "look", "1 = 1");
        unspoken!(self, "notices", "notice", "1 = 1");
        unspoken!(self, "decisions", "decision", "1 = 1");
        unspoken!(self, "forgotten_dates", "date_forgotten", "1 = 1");
        unspoken!(self, "disputes", "dispute", "1 = 1");
        unspoken!(
            self,
            "disputes",
            "dispute_resolved",
            "COALESCE(t.verdict, t.answer, t.user_id, t.user_name) IS NOT NULL OR t.resolved_at IS NOT NULL"
        );
        unspoken!(self, "rescores", "rescore", "1 = 1");
        unspoken!(self, "cases", "case", "1 = 1");
        unspoken!(self, "reviews", "review", "1 = 1");
        unspoken!(self, "webhooks", "webhook", "1 = 1");
        Ok(())
    }

    /// The password that holds must be the last one that was written.
    async fn passwords(&mut self) -> Result<(), StoreError> {
        const USERS: &str = "SELECT a.seq, u.* FROM users u JOIN audit a ON a.seq = \
             (SELECT MAX(b.seq) FROM audit b WHERE b.subject = u.id AND b.kind = 'password')";
        let users = fetch!(fetch_all, Transaction, &mut self.snapshot, UserRow, USERS);
        let users = self.readable("password", None, users)?;
        for user in users {
            const DIGEST: &str = "SELECT digest FROM audit WHERE seq = $1";
            let (digest,): (String,) = fetch!(fetch_one, Transaction, &mut self.snapshot, (String,), DIGEST, user.seq)?;
            if digest != user.password_digest() {
                self.report(Some(user.seq), "password", &user.id, "the password is not the one that was written");
            }
        }
        Ok(())
    }

    /// A webhook must be as the last change left it.
    async fn webhooks(&mut self) -> Result<(), StoreError> {
        const LAST: &str = "SELECT a.seq, w.*, a.digest AS written FROM webhooks w JOIN audit a ON a.seq = \
             (SELECT MAX(b.seq) FROM audit b WHERE b.subject = w.id AND b.kind = 'webhook')";
        let webhooks = fetch!(fetch_all, Transaction, &mut self.snapshot, LastChange, LAST);
        let webhooks = self.readable("webhook", None, webhooks)?;
        for LastChange { webhook, written } in webhooks {
            if written != webhook.digest() {
                self.report(Some(webhook.seq), "webhook", &webhook.id, "what is stored is not what was written");
            }
        }
        Ok(())
    }

    /// A case's state must follow from its reviews.
    async fn states(&mut self) -> Result<(), StoreError> {
        const ODD: &str = "SELECT c.id FROM cases c WHERE c.state <> \
             CASE WHEN EXISTS (SELECT 1 FROM reviews r WHERE r.case_id = c.id AND r.verdict IN ('approve', 'decline')) \
                  THEN 'closed' \
                  WHEN EXISTS (SELECT 1 FROM reviews r WHERE r.case_id = c.id) THEN 'asked' ELSE 'open' END LIMIT 20";
        let cases = fetch!(fetch_all, Transaction, &mut self.snapshot, (String,), ODD);
        let cases = self.readable("case", None, cases)?;
        for (id,) in cases {
            self.report(None, "case", &id, "the state of the case does not follow from its reviews");
        }
        Ok(())
    }
}
