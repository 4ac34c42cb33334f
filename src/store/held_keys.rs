//! Idempotency keys held across replicas over one PostgreSQL, so that of requests that come to several replicas at once under one
//! key only the first asks the departments.
//!
//! One connection of each replica holds them as advisory locks: nothing is written, and a replica that dies lets go of its keys.
//! What is asked for at the same time goes in one statement. On SQLite there is one process, which has locks of its own.

use std::time::Duration;

use sqlx::{Connection, PgPool};
use tokio::sync::{mpsc, oneshot};

use super::Store;
use super::audit::sha256;
use crate::domain::BankId;

/// Time between two tries for a key that another replica holds, and how long it is tried: longer than a decision takes.
const BETWEEN_TRIES: Duration = Duration::from_millis(40);
const TRIES_MAX: u32 = 125;
/// The most requests that go in one statement.
const TOGETHER_MAX: usize = 256;
/// A server that takes longer is not waited for.
const TIMEOUT: Duration = Duration::from_secs(1);

enum Ask {
    Take(i64, oneshot::Sender<Option<HeldKey>>),
    LetGo(i64),
}

/// The task that holds keys, on PostgreSQL.
pub(super) struct KeyHolder(Option<mpsc::UnboundedSender<Ask>>);

/// A key that no other replica holds until this is dropped.
pub struct HeldKey {
    number: i64,
    holder: mpsc::UnboundedSender<Ask>,
}

impl Drop for HeldKey {
    fn drop(&mut self) {
        // Where the task has ended, its connection has let go of everything.
        let _ = self.holder.send(Ask::LetGo(self.number));
    }
}

impl KeyHolder {
    /// Starts the task; `pool` has one connection of its own. `None`: nothing to be held.
    pub(super) fn start(pool: Option<PgPool>) -> KeyHolder {
        KeyHolder(pool.map(|pool| {
            let (holder, asks) = mpsc::unbounded_channel();
            tokio::spawn(hold(pool, asks, holder.downgrade()));
            holder
        }))
    }
}

impl Store {
    /// Waits until no other replica holds this key; `None` where there are no replicas, or the server does not answer, or another
    /// replica holds the key for longer than a decision takes. The key is unique in the store whether it is held or not.
    pub async fn hold_key(&self, bank: BankId, route: &str, key: &str) -> Option<HeldKey> {
        let holder = self.0.holder.0.as_ref()?;
        let number = number_of(bank, route, key);
        for _ in 0..TRIES_MAX {
            let (answer, taken) = oneshot::channel();
            holder.send(Ask::Take(number, answer)).ok()?;
            if let Some(held) = taken.await.ok()? {
                return Some(held);
            }
            tokio::time::sleep(BETWEEN_TRIES).await;
        }
        None
    }
}

/// The number under which PostgreSQL knows the key. Two keys with one number would only wait for one another.
fn number_of(bank: BankId, route: &str, key: &str) -> i64 {
    let digest = sha256(format!("{bank}\n{route}\n{key}").as_bytes());
    i64::from_str_radix(&digest[..15], 16).unwrap_or_default()
}

async fn hold(pool: PgPool, mut asks: mpsc::UnboundedReceiver<Ask>, myself: mpsc::WeakUnboundedSender<Ask>) {
    let mut together = Vec::with_capacity(TOGETHER_MAX);
    while asks.recv_many(&mut together, TOGETHER_MAX).await > 0 {
        let (mut take, mut let_go) = (Vec::new(), Vec::new());
        for ask in together.drain(..) {
            match ask {
                Ask::Take(number, answer) => take.push((number, answer)),
                Ask::LetGo(number) => let_go.push(number),
            }
        }
        let numbers: Vec<i64> = take.iter().map(|(number, _)| *number).collect();
        match tokio::time::timeout(TIMEOUT, ask_server(&pool, &numbers, &let_go)).await {
            // In the order in which they were asked for.
            Ok(Ok(taken)) => {
                for ((number, answer), taken) in take.into_iter().zip(taken) {
                    let held = myself.upgrade().filter(|_| taken).map(|holder| HeldKey { number, holder });
                    // A caller that went away drops the key, which lets go of it.
                    let _ = answer.send(held);
                }
            }
            // Dropped answers: nobody waits. A connection that failed has let go of everything; one that hangs is given up.
            Ok(Err(error)) => {
                tracing::warn!(error = %super::failure::describe(&error), "keys are not held across replicas");
                give_up(&pool).await;
            }
            Err(_) => {
                tracing::warn!("keys are not held across replicas: the server does not answer");
                give_up(&pool).await;
            }
        }
    }
}

async fn ask_server(pool: &PgPool, take: &[i64], let_go: &[i64]) -> Result<Vec<bool>, sqlx::Error> {
    let mut connection = pool.acquire().await?;
    if !let_go.is_empty() {
        sqlx::query("SELECT pg_advisory_unlock(n) FROM unnest($1::BIGINT[]) AS n")
            .bind(let_go)
            .execute(&mut *connection)
            .await?;
    }
    if take.is_empty() {
        return Ok(Vec::new());
    }
    sqlx::query_scalar(
        "SELECT pg_try_advisory_lock(n) FROM unnest($1::BIGINT[]) WITH ORDINALITY AS keys (n, i) ORDER BY i",
    )
    .bind(take)
    .fetch_all(&mut *connection)
    .await
}

/// Closes the connection, and with it lets go of every key.
async fn give_up(pool: &PgPool) {
    if let Some(connection) = pool.try_acquire() {
        // It may hang: it is closed without a word to the server.
        let _ = connection.detach().close_hard().await;
    }
}
