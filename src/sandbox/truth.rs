//! The truth: how likely a firm really is to be 90 days past due within the next twelve months.
//!
//! A logistic function of the firm's real state on the day, which the departments' records show only in part: traits that
//! nobody records, months that have not come in yet, fields that are not shared. docs/district.md explains each term.

use super::business::Trade;
use super::course::Stage;
use super::dice::logistic;
use super::traits::Traits;

/// Sets the mean probability at about 8 %.
const INTERCEPT: f64 = -4.1;

/// The real state of a firm, each part scaled so that one is a usual difference between firms.
struct State {
    /// Sales of the last 12 months.
    size: f64,
    /// Months with sales among the last 24.
    regularity: f64,
    /// Counterparties a month on both sides.
    breadth: f64,
    /// Sales of the last half year against the year before it, where they fell.
    fall: f64,
    /// Months since the last sale.
    silence: f64,
    /// Void invoices.
    voids: f64,
    /// Red invoices.
    reds: f64,
    /// Purchases far above sales, or none.
    imbalance: f64,
}

/// The true probability of default within 12 months.
pub(super) fn probability(traits: &Traits, stages: &[Stage], trades: &[Trade]) -> f64 {
    let s = State::of(traits, trades);
    let liquidity = stages.last().map_or(0.0, |stage| stage.liquidity).clamp(-3.5, 2.5);
    let age = (f64::from(traits.age_months) / 62.0).ln().clamp(-2.5, 1.5);
    logistic(
        INTERCEPT - 0.43 * s.size - 0.32 * s.regularity - 0.26 * s.breadth
            + 0.42 * s.fall
            + 0.40 * s.silence
            + 0.40 * s.voids
            + 0.20 * s.reds
            + 0.35 * s.imbalance
            - 0.66 * liquidity
            - 0.32 * traits.discipline
            - 0.10 * age,
    )
}

impl State {
    fn of(traits: &Traits, trades: &[Trade]) -> State {
        let n = trades.len();
        let sold = |from: usize, to: usize| -> f64 {
            trades[n.saturating_sub(from)..n.saturating_sub(to)].iter().map(|t| t.sales.amount.yuan().max(0.0)).sum()
        };
        let months = (traits.age_months as usize).min(n);
        let active = trades[n - months.min(24)..].iter().filter(|t| t.sales.count > 0).count();
        let share = active as f64 / months.clamp(1, 24) as f64;
        let counterparties = trades[n - 12..]
            .iter()
            .map(|t| f64::from(t.sales.counterparties + t.purchases.counterparties))
            .sum::<f64>();
        let bought: f64 = trades[n - 12..].iter().map(|t| t.purchases.amount.yuan().max(0.0)).sum();
        let (year, before) = (sold(12, 0), sold(18, 6));
        let silence = trades.iter().rev().take_while(|t| t.sales.count == 0).count();
        let ratio = if year > 0.0 { bought / year } else { 3.0 };
        State {
            size: (((year + 1e4).ln() - 15.3) / 2.0).clamp(-2.6, 1.8),
            regularity: (share - 0.8) / 0.25,
            breadth: ((counterparties / 12.0 + 1.0).ln() - 2.5) / 1.1,
            fall: -((sold(6, 0) + 1e4) / (0.5 * before + 1e4)).ln().clamp(-2.0, 0.0),
            silence: (silence as f64 / 3.0).min(2.0),
            voids: ((traits.void_rate / 0.09).ln() / 0.7).clamp(-2.0, 2.5),
            reds: ((traits.red_rate / 0.1).ln() / 0.8).clamp(-2.0, 2.0),
            imbalance: (ratio / 1.2).max(1.0).ln().min(1.5) + if ratio < 0.01 { 0.8 } else { 0.0 },
        }
    }
}
