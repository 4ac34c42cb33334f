//! How the standard departments answer about a reserved firm.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use jiff::{Timestamp, ToSpan};

use super::{refusal, reply};
use crate::domain::day::china_date;
use crate::domain::{SourceKind, Uscc};
use crate::sandbox::reserved::{Case, Manner, OTHER_FIRM};

/// A department that does not answer gives up after this time: longer than any client waits.
const SILENT_FOR: Duration = Duration::from_secs(60);

/// The answer of one department, with records as they were so many days ago.
pub(super) async fn answer(case: &Case, uscc: &Uscc, source: SourceKind, aged_days: i32) -> HttpResponse {
    let [tax, social_insurance, payment_history] = case.manners();
    let manner = match source {
        SourceKind::Tax => tax,
        SourceKind::SocialInsurance => social_insurance,
        SourceKind::PaymentHistory => payment_history,
        SourceKind::Registry | SourceKind::Court | SourceKind::Utilities => Manner::Unknown,
    };
    let other;
    let about = match manner {
        Manner::Answers => uscc,
        Manner::Late(wait) => {
            tokio::time::sleep(wait).await;
            uscc
        }
        Manner::AboutAnother => match OTHER_FIRM.parse() {
            Ok(code) => {
                other = code;
                &other
            }
            Err(why) => unreachable!("{OTHER_FIRM} is a code: {why}"),
        },
        Manner::Unknown => return reply::<()>(uscc, None),
        Manner::Fails => return refusal(StatusCode::SERVICE_UNAVAILABLE, "out of order"),
        Manner::Silent => {
            tokio::time::sleep(SILENT_FOR).await;
            return refusal(StatusCode::SERVICE_UNAVAILABLE, "out of order");
        }
    };
    let firm = case.firm(china_date(Timestamp::now()).saturating_sub(aged_days.days()));
    match source {
        SourceKind::Tax => reply(about, Some(&firm.tax)),
        SourceKind::SocialInsurance => reply(about, Some(&firm.social_insurance)),
        SourceKind::PaymentHistory => reply(about, Some(&firm.payment_history)),
        SourceKind::Registry | SourceKind::Court | SourceKind::Utilities => reply::<()>(about, None),
    }
}
