//! Who speaks: the extractor [`Bank`] is the permission. A handler that takes one cannot be reached without a valid key.

use std::future::Future;
use std::num::NonZeroU32;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::http::header;
use actix_web::{FromRequest, HttpRequest, dev, web};
use governor::clock::{Clock, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota};

use super::problem::{Problem, ProblemKind};
use crate::decide::Asker;
use crate::domain::BankId;
use crate::store::Store;

/// How often each bank may ask.
#[derive(Clone)]
pub struct Quotas {
    limiter: Arc<DefaultKeyedRateLimiter<BankId>>,
    clock: DefaultClock,
}

impl Quotas {
    /// `per_second` requests a second for each bank, `burst` at once; zeros count as one.
    pub fn new(per_second: u32, burst: u32) -> Quotas {
        let at_least_one = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
        let quota = Quota::per_second(at_least_one(per_second)).allow_burst(at_least_one(burst));
        Quotas { limiter: Arc::new(DefaultKeyedRateLimiter::keyed(quota)), clock: DefaultClock::default() }
    }

    fn check(&self, bank: BankId) -> Result<(), Duration> {
        self.limiter.check_key(&bank).map_err(|until| until.wait_time_from(self.clock.now()))
    }
}

/// A bank that presented a valid key and is within its quota.
#[derive(Debug, Clone)]
pub struct Bank(pub Asker);

impl Bank {
    /// Its id.
    pub fn id(&self) -> BankId {
        self.0.bank
    }
}

impl FromRequest for Bank {
    type Error = Problem;
    type Future = Pin<Box<dyn Future<Output = Result<Bank, Problem>>>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let missing = || Problem::new(ProblemKind::Internal);
            let store = request.app_data::<web::Data<Store>>().ok_or_else(missing)?;
            let quotas = request.app_data::<web::Data<Quotas>>().ok_or_else(missing)?;
            let key = bearer(&request).ok_or_else(|| Problem::new(ProblemKind::Unauthorized))?;
            let bank = store.bank_of_key(key).await?.ok_or_else(|| Problem::new(ProblemKind::Unauthorized))?;
            quotas.check(bank.bank).map_err(|wait| Problem::new(ProblemKind::QuotaExceeded).retry_after(wait))?;
            Ok(Bank(Asker { bank: bank.bank, name: bank.name }))
        })
    }
}

fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}
