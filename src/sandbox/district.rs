//! The synthetic district: firms with known truth, each made anew from the seed whenever it is asked for.

use jiff::civil::Date;

use crate::domain::Uscc;
use crate::domain::evidence::{PaymentHistoryRecord, SocialInsuranceRecord, TaxRecord};

use super::codes;
use super::dice::{Aspect, Dice};
use super::industries;
use super::life::Life;
use super::traits::Traits;
use super::{payments, social_insurance, tax, truth};

/// A district of firms that do not exist. It keeps no firm: a firm is a function of the seed, its index and the date.
#[derive(Debug, Clone)]
pub struct District {
    seed: u64,
    firms: u32,
    as_of: Date,
}

/// A firm of the district, with what each department says of it and the truth that none of them knows.
#[derive(Debug, Clone, PartialEq)]
pub struct SyntheticFirm {
    /// Its code.
    pub uscc: Uscc,
    /// Its invented name.
    pub name: String,
    /// Its town or subdistrict.
    pub town: &'static str,
    /// Its industry, a code of GB/T 4754 with the section letter.
    pub industry: &'static str,
    /// The probability that it is 90 or more days past due within 12 months of the date.
    pub true_pd: f64,
    /// Whether it was: drawn with that probability.
    pub defaulted: bool,
    /// What the tax department says; `None` when it does not know the firm.
    pub tax: Option<TaxRecord>,
    /// What the social insurance department says; `None` when it does not know the firm.
    pub social_insurance: Option<SocialInsuranceRecord>,
    /// The payment history; `None` when the firm is not known there.
    pub payment_history: Option<PaymentHistoryRecord>,
}

impl District {
    /// The district of `seed` with `firms` firms (at most [`codes::FIRMS_MAX`]), whose records are as of `as_of`, a date from
    /// 1990 to 2199; a date outside is taken to the nearer end, since months before it could not be written.
    pub fn new(seed: u64, firms: u32, as_of: Date) -> District {
        let as_of = as_of.clamp(Date::constant(1990, 1, 1), Date::constant(2199, 12, 31));
        District { seed, firms: firms.min(codes::FIRMS_MAX), as_of }
    }

    /// The same firms as they were recorded so many days before.
    pub(super) fn aged(&self, days: i32) -> District {
        let earlier = self.as_of.saturating_sub(jiff::Span::new().days(days));
        District::new(self.seed, self.firms, earlier)
    }

    /// How many firms there are.
    pub fn len(&self) -> u32 {
        self.firms
    }

    /// Whether there is no firm at all.
    pub fn is_empty(&self) -> bool {
        self.firms == 0
    }

    /// The date that all records are as of.
    pub fn as_of(&self) -> Date {
        self.as_of
    }

    /// The firm `index`, counted from 0. Beyond the last one it is a firm that a larger district would have.
    pub fn firm(&self, index: u32) -> SyntheticFirm {
        let index = index % codes::FIRMS_MAX;
        let (uscc, name) = self.label(index);
        let life = Life::live(self.seed, index, self.as_of);
        let true_pd = truth::probability(&life.traits, &life.stages, &life.trades);
        SyntheticFirm {
            town: life.traits.town.name,
            industry: life.traits.industry.code,
            true_pd,
            defaulted: life.dice(Aspect::Outcome).chance(true_pd),
            tax: tax::record(&life, &name),
            social_insurance: social_insurance::record(&life),
            payment_history: payments::record(&life),
            uscc,
            name,
        }
    }

    /// The firm that a code stands for; `None` when it is no firm of this district.
    pub fn find(&self, uscc: &Uscc) -> Option<SyntheticFirm> {
        let index = codes::index(uscc).filter(|index| *index < self.firms)?;
        (self.label(index).0 == *uscc).then(|| self.firm(index))
    }

    /// All firms, in the order of their indices.
    pub fn iter(&self) -> impl Iterator<Item = SyntheticFirm> + '_ {
        (0..self.firms).map(|index| self.firm(index))
    }

    /// The code and the name of the firm `index`, without making the firm.
    pub fn label(&self, index: u32) -> (Uscc, String) {
        let index = index % codes::FIRMS_MAX;
        let traits = Traits::draw(self.seed, index);
        let mut dice = Dice::new(self.seed, index, Aspect::Names);
        let name = industries::name(&mut dice, traits.town, traits.industry, traits.form);
        (codes::code(index, traits.form), name)
    }
}
