//! Who speaks: the extractor [`Bank`] is the permission. A handler that takes one cannot be reached without a valid key.

use std::future::Future;
use std::pin::Pin;

use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev, web};

use super::problem::{Problem, ProblemKind};
use super::quota::{QuotaState, Quotas};
use crate::decide::Asker;
use crate::domain::BankId;
use crate::store::Store;

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
            let Some(bank) = store.bank_of_key(key).await? else {
                quotas.refused(key);
                return Err(Problem::new(ProblemKind::Unauthorized));
            };
            let quota = quotas.confirmed(key, bank.bank, &bank.name);
            // A key that was known was counted before it was let in.
            let counted = request.extensions().get::<QuotaState>().is_some();
            if !counted {
                let checked = quota.check();
                let (Ok(state) | Err(state)) = &checked;
                request.extensions_mut().insert(state.clone());
                checked
                    .map_err(|empty| Problem::new(ProblemKind::QuotaExceeded).retry_after(empty.reset()))
                    .map(drop)?;
            }
            Ok(Bank(Asker { bank: bank.bank, name: bank.name }))
        })
    }
}

/// The key that a request presents.
pub(super) fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, key) = value.split_once(' ')?;
    let key = key.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !key.is_empty()).then_some(key)
}
