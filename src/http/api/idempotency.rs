//! Requests that a bank may send again: under one `Idempotency-Key` a thing is done once, and a repetition within 72 hours gets
//! the first answer, byte for byte.
//!
//! Whoever comes second under a key waits until the first is done, in this process and in other replicas over one PostgreSQL, so
//! that the departments are asked once. Should the database that holds the keys go away meanwhile, they may be asked twice; that
//! a thing is done once does not rest on waiting but on the transaction that stores it together with its key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse};
use jiff::Timestamp;
use tokio::sync::OwnedMutexGuard;

use crate::domain::BankId;
use crate::http::problem::{Problem, ProblemKind};
use crate::store::{HeldKey, IdempotencyEntry, Store, StoredReply};

/// Locks that are in nobody's use are thrown away once there are this many.
const LOCKS_MAX: usize = 1024;

/// A bank's key on one route.
type BankKey = (BankId, &'static str, String);

/// One lock for each idempotency key in use.
#[derive(Default)]
pub struct KeysInUse(Mutex<HashMap<BankKey, Arc<tokio::sync::Mutex<()>>>>);

impl KeysInUse {
    fn lock_of(&self, key: BankKey) -> Arc<tokio::sync::Mutex<()>> {
        let mut locks = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A lock that only the map still holds is in nobody's use.
        if locks.len() > LOCKS_MAX {
            locks.retain(|_, lock| Arc::strong_count(lock) > 1);
        }
        locks.entry(key).or_default().clone()
    }

    /// Takes the request's key, waiting for whoever has it; a request without a key waits for nobody.
    pub(super) async fn take(
        &self,
        request: &HttpRequest,
        bank: BankId,
        route: &'static str,
        sha256: &str,
        store: &Store,
    ) -> Result<Keyed, Problem> {
        let key = match key_of(request)? {
            None => None,
            Some(text) => {
                let here = self.lock_of((bank, route, text.clone())).lock_owned().await;
                let everywhere = store.hold_key(bank, route, &text).await;
                Some(Taken { text, _everywhere: everywhere, _here: here })
            }
        };
        Ok(Keyed { bank, route, sha256: sha256.to_owned(), key })
    }
}

/// A request with its key, or without one.
pub(super) struct Keyed {
    bank: BankId,
    route: &'static str,
    /// Of the request's body.
    sha256: String,
    key: Option<Taken>,
}

/// A key that nobody else has until this is dropped: first in other replicas, then here.
struct Taken {
    text: String,
    _everywhere: Option<HeldKey>,
    _here: OwnedMutexGuard<()>,
}

impl Keyed {
    /// The answer that was given under the key before, if one was.
    pub(super) async fn earlier(&self, store: &Store, now: Timestamp) -> Result<Option<HttpResponse>, Problem> {
        let reply = self.earlier_reply(store, now).await?;
        reply.map(|reply| self.replay(reply)).transpose()
    }

    /// The same as it was kept, for a handler that keeps it otherwise than it is shown.
    pub(super) async fn earlier_reply(&self, store: &Store, now: Timestamp) -> Result<Option<StoredReply>, Problem> {
        let Some(Taken { text, .. }) = &self.key else { return Ok(None) };
        Ok(store.idempotent_reply(self.bank, self.route, text, now).await?)
    }

    /// What is kept of an answer with this status and body, in the transaction of what it tells.
    pub(super) fn entry(&self, status: StatusCode, body: &str) -> Option<IdempotencyEntry> {
        self.key.as_ref().map(|Taken { text, .. }| IdempotencyEntry {
            route: self.route.to_owned(),
            key: text.clone(),
            request_sha256: self.sha256.clone(),
            status: status.as_u16(),
            body: body.to_owned(),
        })
    }

    /// The kept answer, or a refusal where the key was used with another body.
    pub(super) fn replay(&self, reply: StoredReply) -> Result<HttpResponse, Problem> {
        if reply.request_sha256 != self.sha256 {
            return Err(Problem::new(ProblemKind::IdempotencyKeyReused));
        }
        let status = StatusCode::from_u16(reply.status).unwrap_or(StatusCode::CREATED);
        let mut answer = HttpResponse::build(status);
        answer.insert_header(("Idempotent-Replayed", "true")).content_type("application/json");
        Ok(answer.body(reply.body))
    }
}

fn key_of(request: &HttpRequest) -> Result<Option<String>, Problem> {
    let Some(value) = request.headers().get("idempotency-key") else {
        return Ok(None);
    };
    let invalid = || Problem::new(ProblemKind::IdempotencyKeyInvalid);
    let key = value.to_str().map_err(|_| invalid())?.trim();
    let visible = key.bytes().all(|b| b.is_ascii_graphic());
    if (1..=255).contains(&key.len()) && visible { Ok(Some(key.to_owned())) } else { Err(invalid()) }
}
