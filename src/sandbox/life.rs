//! One firm's life as it really is, before any department looks at it.

use jiff::ToSpan;
use jiff::civil::Date;

use crate::domain::{Fen, Month};

use super::business::{self, Trade};
use super::course::{self, Stage};
use super::dice::{Aspect, Dice};
use super::traits::Traits;

/// A firm's traits, its course, its trade and its staff.
pub(super) struct Life {
    pub(super) seed: u64,
    pub(super) index: u32,
    /// The date that all records are as of.
    pub(super) as_of: Date,
    pub(super) traits: Traits,
    pub(super) stages: Vec<Stage>,
    pub(super) trades: Vec<Trade>,
    /// Persons employed in each month.
    pub(super) heads: Vec<u32>,
}

impl Life {
    /// Lives the life of the firm `index` up to the last complete month on `as_of`.
    pub(super) fn live(seed: u64, index: u32, as_of: Date) -> Life {
        let end = Month::last_complete_on(as_of);
        let traits = Traits::draw(seed, index);
        let stages = course::stages(seed, index, &traits, end);
        let trades = business::trades(seed, index, &traits, &stages);
        let mut life = Life { seed, index, as_of, traits, stages, trades, heads: Vec::new() };
        life.heads = life.staff();
        life
    }

    /// The draws for one department's view of this firm.
    pub(super) fn dice(&self, aspect: Aspect) -> Dice {
        Dice::new(self.seed, self.index, aspect)
    }

    /// When the firm was registered.
    pub(super) fn registered_on(&self) -> Date {
        let end = Month::last_complete_on(self.as_of);
        let day = i64::from(self.index % 27);
        end.minus(self.traits.age_months - 1).first_day().saturating_add(day.days())
    }

    /// Whether the firm had stopped trading at the end.
    pub(super) fn stopped(&self) -> bool {
        self.stages.last().is_some_and(|stage| !stage.open)
    }

    /// Cash at the end.
    pub(super) fn liquidity(&self) -> f64 {
        self.stages.last().map_or(0.0, |stage| stage.liquidity)
    }

    /// The yearly revenue that the firm is built for.
    pub(super) fn normal_revenue(&self) -> f64 {
        let activity = super::dice::logistic(2.5 + 2.5 * self.traits.regularity);
        12.0 * self.traits.sales_ln.exp() * (0.5 * self.traits.volatility.powi(2)).exp() * activity
    }

    /// Staff follow demand slowly: people are hired and let go months after the orders came or stayed away.
    fn staff(&self) -> Vec<u32> {
        let dice = &mut self.dice(Aspect::Staff);
        let normal = self.normal_revenue() / self.traits.industry.revenue_per_head * (0.4 * dice.normal()).exp();
        let mut level = self.stages.first().map_or(0.0, |s| s.level);
        self.stages
            .iter()
            .map(|stage| {
                level += 0.25 * (stage.level.max(-2.5) - level);
                let heads = normal.clamp(1.0, 900.0) * (0.7 * level + 0.03 * dice.normal()).exp();
                if stage.open { heads.round().clamp(1.0, 3000.0) as u32 } else { (heads * 0.4).round() as u32 }
            })
            .collect()
    }

    /// The first month that the departments' data cover: the firm's first, or the first of the history that is kept.
    pub(super) fn first_month(&self) -> Month {
        let covered = self.stages.len().min(self.traits.age_months as usize).max(1);
        Month::last_complete_on(self.as_of).minus(covered as i32 - 1)
    }

    /// The months that the firm existed in, oldest first: stage, trade and staff of each.
    pub(super) fn months(&self) -> impl Iterator<Item = (&Stage, &Trade, u32)> {
        let before = self.stages.len().saturating_sub(self.traits.age_months as usize);
        self.stages.iter().zip(&self.trades).zip(self.heads.iter().copied()).skip(before).map(|((s, t), h)| (s, t, h))
    }
}

/// A number of yuan as an amount.
pub(super) fn yuan(amount: f64) -> Fen {
    Fen((amount * 100.0).round() as i64)
}

/// The day `days` after `date`.
pub(super) fn after(date: Date, days: i32) -> Date {
    date.saturating_add(i64::from(days).days())
}
