//! What a firm is: the traits that stay with it, drawn once. Standard normal where nothing else is said, higher is healthier.
//!
//! The loadings on each other are rank correlations measured between real small firms (docs/district.md).

use super::dice::{Aspect, Dice, logistic};
use super::industries::{Form, INDUSTRIES, Industry, TOWNS, Town};

/// The traits of one firm.
#[derive(Debug)]
pub(super) struct Traits {
    pub(super) town: &'static Town,
    pub(super) industry: &'static Industry,
    pub(super) form: Form,
    /// Whole months since it was registered, at the date that the records are as of.
    pub(super) age_months: i32,
    /// General taxpayer (一般纳税人), as against small-scale.
    pub(super) general_taxpayer: bool,
    /// ln of an active month's sales in yuan.
    pub(super) sales_ln: f64,
    /// Size as a trait: what `sales_ln` was drawn from, without the industry.
    pub(super) size: f64,
    /// Breadth of the customer base.
    pub(super) breadth: f64,
    /// How steadily it invoices.
    pub(super) regularity: f64,
    /// Standard deviation of the logarithm of a month's sales.
    pub(super) volatility: f64,
    /// ln of the average sales invoice in yuan.
    pub(super) invoice_ln: f64,
    /// ln of purchases over sales.
    pub(super) purchases_ln: f64,
    /// ln of purchase invoices in a month with any.
    pub(super) purchase_count_ln: f64,
    /// Log-odds of a month with purchases.
    pub(super) purchase_activity: f64,
    /// Cash in hand, and the will to pay on time with it.
    pub(super) liquidity: f64,
    /// Order in books and filings.
    pub(super) discipline: f64,
    /// Share of void invoices among all issued.
    pub(super) void_rate: f64,
    /// Probability that a month of thirty invoices has red ones.
    pub(super) red_rate: f64,
    /// Months that the tax department's invoice data are behind the date they are as of.
    pub(super) invoice_lag: i32,
}

/// Months that invoices are late, and how often, as in the real data.
const LAGS: [(i32, f64); 6] = [(0, 0.18), (1, 0.36), (2, 0.25), (3, 0.11), (4, 0.08), (5, 0.02)];

impl Traits {
    /// Draws the traits of the firm `index`.
    pub(super) fn draw(seed: u64, index: u32) -> Traits {
        let dice = &mut Dice::new(seed, index, Aspect::Traits);
        let town = dice.weighted(TOWNS, |t| t.share);
        let industry = dice.weighted(INDUSTRIES, |i| i.share);
        let size = dice.normal();
        let breadth = dice.normal() - 0.1 * size;
        let frequency = dice.normal();
        let regularity = 0.68 * breadth + 0.3 * frequency + 0.25 * size + 0.5 * dice.normal() + industry.regularity;
        let form = match () {
            () if dice.chance(0.012) => Form::Cooperative,
            () if dice.chance(logistic(-1.9 - 1.2 * size)) => Form::Household,
            () => Form::Enterprise,
        };
        let sales_ln = 13.45 + industry.size + if size < 0.0 { 2.5 * size } else { 1.25 * size };
        let count_ln = -3.5 + 0.445 * sales_ln + 0.45 * breadth + 0.62 * frequency + 0.12 * frequency.max(0.0).powi(2);
        let purchasing = 0.12 * size + 0.9 * dice.normal() + industry.purchasing;
        let purchases_ln =
            -0.75 + if purchasing < 0.0 { 1.6 * purchasing - 0.85 * purchasing.powi(2) } else { 0.5 * purchasing };
        let counting = 0.62 * size + 0.25 * breadth + 0.3 * purchasing + 0.60 * dice.normal();
        let buying = 0.2 * size + 0.2 * regularity + 0.35 * purchasing + 0.3 * counting + 0.65 * dice.normal();
        let age = 0.35 * size + 0.94 * dice.normal();
        let liquidity = 0.15 * size + 0.15 * breadth + 0.15 * regularity + 0.93 * dice.normal();
        let discipline = 0.2 * size + 0.25 * liquidity + 0.93 * dice.normal();
        Traits {
            town,
            industry,
            form,
            age_months: (62.0 * (0.70 * age).exp()).round().clamp(3.0, 420.0) as i32,
            general_taxpayer: dice.chance(logistic(0.8 + 1.3 * size)),
            sales_ln,
            size,
            breadth,
            regularity,
            volatility: (0.77f64.ln() - 0.20 * regularity - 0.1 * frequency - 0.08 * (size + breadth)
                + 0.36 * dice.normal())
            .exp()
            .clamp(0.25, 2.2),
            invoice_ln: sales_ln - count_ln.max(0.2),
            purchases_ln,
            purchase_count_ln: 2.55 + 1.62 * counting,
            purchase_activity: 3.1 + 2.9 * buying,
            liquidity,
            discipline,
            void_rate: (0.09f64.ln() - 0.45 * discipline - 0.25 * frequency + 0.5 * dice.normal()).exp().min(0.6),
            red_rate: (0.10f64.ln() - 0.25 * discipline + 0.25 * counting + 0.8 * dice.normal()).exp().min(0.7),
            invoice_lag: dice.weighted(&LAGS, |l| l.1).0,
        }
    }
}
