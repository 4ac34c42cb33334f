//! How often each bank may ask, and what it is told of that (RateLimit fields of draft-ietf-httpapi-ratelimit-headers).

use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::num::NonZeroU32;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use governor::clock::{Clock, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::{InMemoryState, NotKeyed};
use governor::{Quota, RateLimiter};

use crate::domain::BankId;

/// A quota: so many requests a second on the average, so many at once.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// Requests a second.
    pub per_second: u32,
    /// Requests at once.
    pub burst: u32,
}

/// The quotas of all banks, and which key was found to speak for which bank.
///
/// A key is known here by a hash with a secret of this process, after the store has confirmed it, and serves only to count and
/// to queue by bank before the store is asked again: whoever presents it is still checked by the store.
pub struct Quotas {
    common: Rate,
    /// By the bank's name.
    own: BTreeMap<String, Rate>,
    banks: RwLock<HashMap<BankId, Arc<BankQuota>>>,
    keys: RwLock<HashMap<u64, Arc<BankQuota>>>,
    hasher: RandomState,
}

/// One bank's quota.
pub struct BankQuota {
    bank: BankId,
    limiter: RateLimiter<NotKeyed, InMemoryState, DefaultClock, StateInformationMiddleware>,
    rate: Rate,
    policy: HeaderValue,
    clock: DefaultClock,
}

/// What is left of a quota, for the answer's headers.
#[derive(Clone)]
pub struct QuotaState {
    quota: Arc<BankQuota>,
    remaining: u32,
    /// Until there is something left, where nothing is; else until all of it is there again.
    reset: Duration,
}

impl Quotas {
    /// `common` for every bank, unless `own` has another by the bank's name; zeros count as one.
    pub fn new(common: Rate, own: BTreeMap<String, Rate>) -> Quotas {
        Quotas { common, own, banks: RwLock::default(), keys: RwLock::default(), hasher: RandomState::new() }
    }

    /// The bank for which this key spoke when the store was last asked.
    pub fn known(&self, key: &str) -> Option<Arc<BankQuota>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(&self.hash(key)).cloned()
    }

    /// The store confirmed that this key speaks for this bank.
    pub fn confirmed(&self, key: &str, bank: BankId, name: &str) -> Arc<BankQuota> {
        if let Some(known) = self.known(key)
            && known.bank == bank
        {
            return known;
        }
        let mut banks = self.banks.write().unwrap_or_else(PoisonError::into_inner);
        let rate = self.own.get(name).copied().unwrap_or(self.common);
        let quota = banks.entry(bank).or_insert_with(|| Arc::new(BankQuota::new(bank, rate))).clone();
        drop(banks);
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(self.hash(key), quota.clone());
        quota
    }

    /// The store does not know this key, or no more.
    pub fn refused(&self, key: &str) {
        let hash = self.hash(key);
        if self.keys.read().unwrap_or_else(PoisonError::into_inner).contains_key(&hash) {
            self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(&hash);
        }
    }

    fn hash(&self, key: &str) -> u64 {
        self.hasher.hash_one(key)
    }
}

impl BankQuota {
    fn new(bank: BankId, rate: Rate) -> BankQuota {
        let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let (per_second, burst) = (at_least_one(rate.per_second), at_least_one(rate.burst));
        let window = burst.get().div_ceil(per_second.get());
        let limiter = RateLimiter::direct(Quota::per_second(per_second).allow_burst(burst));
        BankQuota {
            bank,
            limiter: limiter.with_middleware::<StateInformationMiddleware>(),
            rate: Rate { per_second: per_second.get(), burst: burst.get() },
            policy: HeaderValue::from_str(&format!("\"bank\";q={burst};w={window}"))
                .unwrap_or_else(|_| HeaderValue::from_static("\"bank\"")),
            clock: DefaultClock::default(),
        }
    }

    /// The bank.
    pub fn bank(&self) -> BankId {
        self.bank
    }

    /// Counts one request.
    ///
    /// # Errors
    /// What is left, which is nothing, and the time until there is.
    pub fn check(self: &Arc<Self>) -> Result<QuotaState, QuotaState> {
        let state = |remaining, reset| QuotaState { quota: self.clone(), remaining, reset };
        match self.limiter.check() {
            Ok(snapshot) => {
                let remaining = snapshot.remaining_burst_capacity();
                let used = f64::from(self.rate.burst.saturating_sub(remaining));
                Ok(state(remaining, Duration::from_secs_f64(used / f64::from(self.rate.per_second))))
            }
            Err(until) => Err(state(0, until.wait_time_from(self.clock.now()))),
        }
    }
}

impl QuotaState {
    /// The time until something is left.
    pub fn reset(&self) -> Duration {
        self.reset
    }

    /// Tells the bank, in the fields of an answer.
    pub fn tell(&self, headers: &mut HeaderMap) {
        headers.insert(HeaderName::from_static("ratelimit-policy"), self.quota.policy.clone());
        let seconds = self.reset.as_secs() + u64::from(self.reset.subsec_nanos() > 0);
        if let Ok(value) = HeaderValue::from_str(&format!("\"bank\";r={};t={seconds}", self.remaining)) {
            headers.insert(HeaderName::from_static("ratelimit"), value);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    #[test]
    fn each_bank_has_its_own_quota_and_is_told_what_is_left() {
        let own = BTreeMap::from([("Small".to_owned(), Rate { per_second: 1, burst: 2 })]);
        let quotas = Quotas::new(Rate { per_second: 10, burst: 30 }, own);
        let (small, large) = (BankId(Uuid::from_u128(1)), BankId(Uuid::from_u128(2)));
        assert!(quotas.known("a key").is_none());
        let quota = quotas.confirmed("a key", small, "Small");
        let other = quotas.confirmed("another key", large, "Large");
        assert_eq!(quotas.known("a key").unwrap().bank(), small);
        let mut headers = HeaderMap::new();
        quota.check().ok().unwrap().tell(&mut headers);
        assert_eq!(headers.get("ratelimit").unwrap(), "\"bank\";r=1;t=1");
        assert_eq!(headers.get("ratelimit-policy").unwrap(), "\"bank\";q=2;w=2");
        assert!(quota.check().is_ok());
        let empty = quota.check().err().unwrap();
        assert!(empty.reset() > Duration::ZERO && empty.reset() <= Duration::from_secs(1));
        other.check().ok().unwrap().tell(&mut headers);
        assert_eq!(headers.get("ratelimit-policy").unwrap(), "\"bank\";q=30;w=3");
        assert!(Arc::ptr_eq(&quota, &quotas.confirmed("a second key", small, "Small")), "the quota is the bank's");
        quotas.refused("a key");
        assert!(quotas.known("a key").is_none());
    }
}
