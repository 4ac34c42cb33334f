//! What is possible in a social insurance department's record.

use jiff::civil::Date;

use super::bounds::{self, Bounds, Located, Within, require};
use super::reply::{Breach, Record};
use crate::domain::evidence::{ContributionMonth, SocialInsuranceRecord};
use crate::domain::{Fen, SourceKind};

/// The most months that can be owed: 50 years.
const ARREARS_MONTHS_MAX: u32 = 600;

impl Record for SocialInsuranceRecord {
    const SOURCE: SourceKind = SourceKind::SocialInsurance;

    fn as_of(&self) -> Date {
        self.as_of
    }

    fn check(&self, bounds: &Bounds) -> Result<(), Breach> {
        require(!self.months.is_empty(), "has no month; who insures nobody is not known here, which is another answer")
            .at("months")?;
        bounds.gapless(self.months.iter().map(|month| month.month)).within("months")?;
        for (row, month) in self.months.iter().enumerate() {
            contributions(month).within(row).within("months")?;
        }
        if let Some(arrears) = &self.arrears {
            require(arrears.months <= ARREARS_MONTHS_MAX, "is beyond 600").at("months").within("arrears")?;
            bounds::amount_owned(arrears.amount).at("amount_fen").within("arrears")?;
            bounds.life(&arrears.life(), None).within("arrears")?;
        }
        let minimum = |base| bounds::amount(base).and(require(base > Fen::ZERO, "is not above zero"));
        self.minimum_base.map_or(Ok(()), minimum).at("minimum_base_fen")
    }
}

fn contributions(month: &ContributionMonth) -> Result<(), Breach> {
    bounds::count(month.heads).at("heads")?;
    bounds::amount_owned(month.base).at("base_fen")?;
    bounds::amount(month.due).at("due_fen")?;
    bounds::amount_owned(month.paid).at("paid_fen")
}

#[cfg(test)]
mod tests {
    use super::super::samples::{SOCIAL_INSURANCE, breach_of, refused, with};
    use super::*;
    use serde_json::Value;

    #[test]
    fn a_social_insurance_record_with_one_impossible_value_is_refused_and_the_value_named() {
        refused::<SocialInsuranceRecord>(
            SOCIAL_INSURANCE,
            &[
                ("/months", Value::Null, "wrong kind"),
                ("/months", Value::Array(Vec::new()), "has no month"),
                ("/months/1/month", "2026-09".into(), "not later"),
                ("/months/1/month", "2026-11".into(), "after as_of"),
                ("/months/1/heads", 10_000_001.into(), "10^7"),
                ("/months/1/base_fen", (-1).into(), "negative"),
                ("/months/1/due_fen", i64::MIN.into(), "10^15"),
                ("/months/1/paid_fen", (-1).into(), "negative"),
                ("/arrears/months", 601.into(), "600"),
                ("/arrears/amount_fen", (-1).into(), "negative"),
                ("/arrears/repaired_on", "2026-11-01".into(), "after as_of"),
                ("/minimum_base_fen", 0.into(), "above zero"),
            ],
        );
        let gap = breach_of::<SocialInsuranceRecord>(&with(SOCIAL_INSURANCE, "/months/0/month", &"2026-08".into()));
        assert!(gap.contains("/months/1/month is not the month after"), "{gap}");
    }
}
