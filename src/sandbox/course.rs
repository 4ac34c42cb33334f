//! What happened to a firm: growth, lost customers, slumps and recoveries, decline and silence, month by month.

use crate::domain::Month;

use super::dice::{Aspect, Dice, logistic};
use super::traits::Traits;

/// Months of history that the district's departments keep, like the real invoice data.
pub(super) const HISTORY: usize = 38;

/// The state of a firm's business in one month.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stage {
    pub(super) month: Month,
    /// ln of demand relative to the firm's normal month.
    pub(super) level: f64,
    /// ln of the season's factor.
    pub(super) season: f64,
    /// Shift of the log-odds that the firm invoices at all.
    pub(super) activity: f64,
    /// Cash in this month: the trait, and what the course did to it.
    pub(super) liquidity: f64,
    /// Trades at all: false before it was founded and once it has stopped.
    pub(super) open: bool,
}

/// ln factors of the calendar months in an ordinary year, as measured on real firms: Chinese New Year empties February.
const SEASON: [f64; 12] = [0.25, -0.45, -0.22, -0.15, -0.10, -0.05, 0.0, 0.06, 0.02, 0.05, 0.18, 0.34];

/// How a firm came to dwindle.
struct Decline {
    /// Months before the end at which it began.
    onset: i32,
    /// Loss of ln demand per month.
    slope: f64,
    /// Months before the end at which the last invoice was written; `None` when it still writes some.
    stopped: Option<i32>,
}

/// The stages of the last [`HISTORY`] months up to `end`, oldest first.
pub(super) fn stages(seed: u64, index: u32, traits: &Traits, end: Month) -> Vec<Stage> {
    let dice = &mut Dice::new(seed, index, Aspect::Course);
    let growth = 0.14 + 0.30 * dice.normal();
    let decline = decline(dice, traits);
    let slumps: Vec<(i32, f64, f64)> = (0..dice.poisson(0.45))
        .map(|_| (dice.whole(1, HISTORY as i32), dice.between(0.3, 1.1), dice.between(0.0, 0.25)))
        .collect();
    let mut drift = 0.0;
    let mut stages = Vec::with_capacity(HISTORY);
    for i in 0..HISTORY {
        let back = (HISTORY - 1 - i) as i32;
        drift += 0.07 * dice.normal();
        let mut level = growth * (12.0 - f64::from(back)) / 12.0 + drift;
        let mut stress = 0.0;
        for &(onset, depth, recovery) in &slumps {
            if back < onset {
                let left = depth * (-recovery * f64::from(onset - back)).exp();
                level -= left;
                stress += left;
            }
        }
        let mut activity = 0.0;
        let mut open = back < traits.age_months;
        if let Some(d) = &decline {
            let months = f64::from((d.onset - back).max(0));
            level -= d.slope * months;
            activity -= (0.14 * months).min(2.2);
            stress += (0.09 * months).min(1.1);
            open &= d.stopped.is_none_or(|stopped| back >= stopped);
        }
        let month = end.minus(back);
        let season = SEASON[month.month() as usize - 1] * traits.industry.season;
        if month.month() == 2 {
            activity -= 0.7;
        }
        // A firm's first months are its smallest.
        let ramp = (-f64::from(traits.age_months - back).max(0.0) / 6.0).exp();
        stages.push(Stage {
            month,
            level: level - 0.8 * ramp,
            season,
            activity,
            liquidity: traits.liquidity - stress,
            open,
        });
    }
    stages
}

/// Weak firms dwindle more often; some of those that dwindle stop for good, and a few firms stop from one day to the next.
fn decline(dice: &mut Dice, traits: &Traits) -> Option<Decline> {
    let weakness = -2.7 - 0.45 * traits.liquidity - 0.4 * traits.regularity - 0.4 * traits.size;
    let (dwindles, stops, sudden) = (dice.chance(logistic(weakness)), dice.chance(0.42), dice.chance(0.008));
    let onset = dice.whole(3, 20);
    let stopped = (onset - dice.whole(2, 10)).max(1);
    let slope = dice.between(0.03, 0.22);
    match (dwindles, stops, sudden) {
        (true, true, _) => Some(Decline { onset, slope, stopped: Some(stopped) }),
        (true, false, _) => Some(Decline { onset, slope, stopped: None }),
        (false, _, true) => Some(Decline { onset: 0, slope: 0.0, stopped: Some(dice.whole(1, 7)) }),
        (false, ..) => None,
    }
}
