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
        bounds.ascending(self.months.iter().map(|month| month.month)).within("months")?;
        for (row, month) in self.months.iter().enumerate() {
            contributions(month).within(row).within("months")?;
        }
        if let Some(arrears) = &self.arrears {
            require(arrears.months <= ARREARS_MONTHS_MAX, "is beyond 600").at("months").within("arrears")?;
            bounds::amount_owned(arrears.amount).at("amount_fen").within("arrears")?;
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
