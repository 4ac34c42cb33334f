//! What a firm sold and bought, as its invoices say, month by month and without gaps in the reporting.

use crate::domain::Fen;
use crate::domain::Month;
use crate::domain::evidence::InvoiceSide;

use super::course::Stage;
use super::dice::{Aspect, Dice, logistic, logit};
use super::industries::VatBand;
use super::traits::Traits;

/// One month's business.
#[derive(Debug, Clone, Copy)]
pub(super) struct Trade {
    pub(super) month: Month,
    pub(super) sales: InvoiceSide,
    pub(super) purchases: InvoiceSide,
}

/// The invoices of all months of the stages, months without any included.
pub(super) fn trades(seed: u64, index: u32, traits: &Traits, stages: &[Stage]) -> Vec<Trade> {
    let mut sales = Sales::new(seed, index, traits);
    let mut purchases = Purchases::new(seed, index, traits);
    stages
        .iter()
        .map(|stage| {
            let (sold, noise) = sales.month(stage);
            Trade { month: stage.month, sales: sold, purchases: purchases.month(stage, noise) }
        })
        .collect()
}

/// The value-added tax rate of a month: the reforms of May 2018 and April 2019, and small-scale taxpayers' relief since 2020.
pub(super) fn vat_rate(month: Month, band: VatBand, general_taxpayer: bool) -> f64 {
    let stage = match (month.year(), month.month()) {
        (..=2017, _) | (2018, ..=4) => 0,
        (2018, _) | (2019, ..=3) => 1,
        _ => 2,
    };
    match (general_taxpayer, band) {
        (true, VatBand::Goods) => [0.17, 0.16, 0.13][stage],
        (true, VatBand::BuildingAndTransport) => [0.11, 0.10, 0.09][stage],
        (true, VatBand::Services) => 0.06,
        (false, _) if month.year() >= 2021 || (month.year() == 2020 && month.month() >= 3) => 0.01,
        (false, _) => 0.03,
    }
}

struct Sales<'a> {
    dice: Dice,
    traits: &'a Traits,
    /// Log-odds of a month with invoices.
    activity: f64,
    active_before: bool,
    /// The part of the noise that carries over to the next month.
    carried: f64,
    /// The firm's own inclination to one large buyer.
    top: f64,
}

impl<'a> Sales<'a> {
    fn new(seed: u64, index: u32, traits: &'a Traits) -> Sales<'a> {
        let mut dice = Dice::new(seed, index, Aspect::Sales);
        let top = dice.normal();
        Sales { dice, traits, activity: 2.5 + 2.5 * traits.regularity, active_before: true, carried: 0.0, top }
    }

    /// A month's sales, and how far it lies above the firm's normal month (ln).
    fn month(&mut self, stage: &Stage) -> (InvoiceSide, f64) {
        let t = self.traits;
        let dice = &mut self.dice;
        self.carried = 0.45 * self.carried + 0.45 * t.volatility * dice.normal();
        let noise = self.carried + 0.84 * t.volatility * dice.normal();
        let rate = logistic(self.activity + stage.activity);
        let persistence = if self.active_before { 0.2 * (1.0 - rate) } else { -0.2 * rate };
        self.active_before = stage.open && dice.chance((rate + persistence).clamp(0.03, 1.0));
        let ln = t.sales_ln + stage.level + stage.season + noise;
        if !self.active_before {
            let void_count = if stage.open && dice.chance(0.02) { 1 } else { 0 };
            return (InvoiceSide { void_count, ..InvoiceSide::default() }, -1.0);
        }
        let mean = (ln - t.invoice_ln + 0.35 * dice.normal()).exp();
        let count = 1 + dice.poisson((mean - 1.0).max(0.0));
        let width =
            -0.84 + 0.76 * f64::from(count).ln() + 0.70 * t.breadth + 0.20 * t.breadth.powi(2) + 0.25 * dice.normal();
        let rate = vat_rate(stage.month, t.industry.vat, t.general_taxpayer);
        let drawn = Drawn { count, amount: ln.exp(), width, top_exponent: 0.40, top_shift: 0.5 * self.top, vat: rate };
        let mut side = drawn.side(dice);
        let voids = f64::from(count) * t.void_rate / (1.0 - t.void_rate) * (0.5 * dice.normal()).exp();
        side.void_count = dice.poisson(voids);
        if dice.chance(t.red_rate * (f64::from(count) / 30.0).sqrt()) {
            redden(&mut side, dice, rate);
        }
        (side, noise)
    }
}

struct Purchases<'a> {
    dice: Dice,
    traits: &'a Traits,
    active_before: bool,
    top: f64,
    void_rate: f64,
    /// Suppliers' tax rate as a share of the full one: some of them are small-scale taxpayers.
    vat_share: f64,
}

impl<'a> Purchases<'a> {
    fn new(seed: u64, index: u32, traits: &'a Traits) -> Purchases<'a> {
        let mut dice = Dice::new(seed, index, Aspect::Purchases);
        let top = dice.normal();
        let void_rate = (0.027f64.ln() + 0.6 * dice.normal()).exp().min(0.4);
        let vat_share = dice.between(0.25, 0.98);
        Purchases { dice, traits, active_before: true, top, void_rate, vat_share }
    }

    fn month(&mut self, stage: &Stage, sales_noise: f64) -> InvoiceSide {
        let t = self.traits;
        let dice = &mut self.dice;
        let rate = logistic(t.purchase_activity + stage.activity + 0.3 * sales_noise);
        let persistence = if self.active_before { 0.2 * (1.0 - rate) } else { -0.2 * rate };
        self.active_before = stage.open && dice.chance((rate + persistence).clamp(0.02, 1.0));
        if !self.active_before {
            return InvoiceSide::default();
        }
        let swing = 0.35 * sales_noise + 0.75 * dice.normal();
        // Less bought for stock than sold: purchases follow the season and the level at a distance.
        let ln = t.sales_ln + t.purchases_ln + 0.8 * stage.level + 0.7 * stage.season + swing;
        let mean = (t.purchase_count_ln + 0.5 * stage.level + 0.5 * stage.season + 0.5 * swing).exp();
        let count = 1 + dice.poisson((mean - 1.0).max(0.0));
        let width = -0.28 + 0.90 * f64::from(count).ln() + 0.33 * dice.normal();
        let vat = vat_rate(stage.month, VatBand::Goods, true) * self.vat_share;
        let drawn = Drawn { count, amount: ln.exp(), width, top_exponent: 0.28, top_shift: 0.10 + 1.0 * self.top, vat };
        let mut side = drawn.side(dice);
        side.void_count = dice.poisson(f64::from(count) * self.void_rate);
        if dice.chance(0.09) {
            redden(&mut side, dice, vat);
        }
        side
    }
}

/// What a month's invoices in one direction are made from.
struct Drawn {
    count: u32,
    /// Yuan.
    amount: f64,
    /// ln of the number of counterparties.
    width: f64,
    /// The largest counterparty's share falls with the number of counterparties to this power.
    top_exponent: f64,
    top_shift: f64,
    vat: f64,
}

impl Drawn {
    fn side(&self, dice: &mut Dice) -> InvoiceSide {
        let counterparties = (self.width.exp().round() as u32).clamp(1, self.count);
        let many = f64::from(counterparties);
        let share = logistic(logit(many.powf(-self.top_exponent)) + self.top_shift + 0.5 * dice.normal());
        let top_share = if counterparties == 1 { 1.0 } else { share.clamp(1.02 / many, 0.9999) };
        InvoiceSide {
            count: self.count,
            amount: yuan(self.amount),
            tax: yuan(self.amount * self.vat),
            counterparties,
            top_share: (top_share * 1e4).round() / 1e4,
            ..InvoiceSide::default()
        }
    }
}

/// Turns some of a month's invoices red: few and small as a rule, now and then a large part of an earlier month.
fn redden(side: &mut InvoiceSide, dice: &mut Dice, vat: f64) {
    let part = (0.05f64.ln() + 1.0 * dice.normal()).exp();
    let red = (f64::from(side.count) * part).round().clamp(1.0, 1.0 + 0.5 * f64::from(side.count)) as u32;
    let amount = side.amount.yuan() * ((0.045f64.ln() + 1.6 * dice.normal()).exp()).min(1.3);
    side.count += red;
    side.red_count = red;
    side.red_amount = yuan(-amount);
    side.amount = side.amount + side.red_amount;
    side.tax = side.tax + yuan(-amount * vat);
}

fn yuan(amount: f64) -> Fen {
    Fen((amount * 100.0).round() as i64)
}
