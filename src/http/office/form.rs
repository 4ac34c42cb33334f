//! Forms, read within a limit of size and of time.

use std::time::Duration;

use actix_web::dev::Payload;
use actix_web::{Error, FromRequest, HttpRequest, web};
use futures_util::future::{FutureExt, LocalBoxFuture};
use serde::de::DeserializeOwned;

use super::failure::{Failure, Kind};
use crate::http::body::BodyLimits;

/// How long a form may take to arrive where nothing else is set.
const TIMEOUT: Duration = Duration::from_secs(10);

/// A form as it was filled in. Its size is limited by the `FormConfig` of the routes, its time by [`BodyLimits`].
pub struct Filled<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Filled<T> {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Filled<T>, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let timeout = request.app_data::<web::Data<BodyLimits>>().map_or(TIMEOUT, |limits| limits.timeout);
        let too_slow = Failure::of(request, Kind::TooSlow);
        let form = tokio::time::timeout(timeout, web::Form::<T>::from_request(request, payload));
        form.map(|read| match read {
            Ok(form) => form.map(|form| Filled(form.into_inner())),
            Err(_) => Err(too_slow.into()),
        })
        .boxed_local()
    }
}
