//! What is known of how a firm pays: electricity, loans, suppliers, wages, courts.

use crate::domain::Month;
use crate::domain::evidence::{Enforcement, LoanMonth, PaymentHistoryRecord, SupplierDelay, UtilityBill, WageArrears};

use super::dice::{Aspect, Dice, logistic};
use super::life::{Life, after, yuan};

/// Yuan for a kilowatt-hour.
const TARIFF: f64 = 0.72;
const MONTHS: usize = 36;

/// The payment history; `None` when nobody who reports to it knows the firm.
pub(super) fn record(life: &Life) -> Option<PaymentHistoryRecord> {
    let dice = &mut life.dice(Aspect::Payments);
    if dice.chance(0.04) {
        return None;
    }
    let (bills, loans, delays) = (bills(life, dice), loans(life, dice), supplier_delays(life, dice));
    let (wages, enforcements) = (wage_arrears(life, dice), enforcements(life, dice));
    Some(PaymentHistoryRecord {
        as_of: life.as_of,
        bills: dice.shared(0.05, bills),
        loans: dice.shared(0.04, loans),
        supplier_delays: dice.shared(0.12, delays),
        wage_arrears: dice.shared(0.03, wages),
        enforcements: dice.shared(0.02, enforcements),
    })
}

fn first(life: &Life) -> Month {
    life.stages[life.stages.len().saturating_sub(MONTHS)].month
}

/// Electricity follows demand, less strongly than sales do and without their noise; a late payer is late again.
fn bills(life: &Life, dice: &mut Dice) -> Vec<UtilityBill> {
    let t = &life.traits;
    let normal = (life.normal_revenue() / 12.0 / 1e4 * t.industry.kwh_per_wan * (0.5 * dice.normal()).exp()).max(40.0);
    let (late_month, habit) = (i32::from(dice.chance(0.15)), 0.3 * dice.normal());
    let end = Month::last_complete_on(life.as_of);
    let mut bills = Vec::new();
    for (stage, ..) in life.months().filter(|(s, ..)| s.month >= first(life)) {
        let noise = (0.10 * dice.normal()).exp();
        let demand = if stage.open { (0.75 * stage.level + 0.4 * stage.season).exp() } else { 0.08 };
        let late = dice.chance(logistic(-2.5 - 1.35 * stage.liquidity + habit));
        let (days, unpaid) = (dice.whole(1, 50), dice.chance(0.10));
        let early = dice.whole(0, 12);
        let kwh = (normal * demand * noise).round().max(0.0);
        let due_on = after(stage.month.plus(1).first_day(), 19);
        if end.since(stage.month) < late_month || due_on > life.as_of {
            continue;
        }
        let paid_on = after(due_on, if late { days } else { -early });
        let paid_on = Some(paid_on).filter(|on| *on <= life.as_of && !(late && unpaid));
        bills.push(UtilityBill { month: stage.month, kwh: kwh as u64, amount: yuan(kwh * TARIFF), due_on, paid_on });
    }
    bills
}

/// Loans of all banks together. Nobody here is 90 days past due yet: such a firm has defaulted and asks for no decision.
fn loans(life: &Life, dice: &mut Dice) -> Vec<LoanMonth> {
    let t = &life.traits;
    let borrows = dice.chance(logistic(0.9 + 0.7 * t.size));
    let since = dice.whole(2, 60);
    let line = (life.normal_revenue() * dice.between(0.08, 0.35) / 1e4).ceil().clamp(5.0, 3000.0) * 1e4;
    let (appetite, term) = (0.5 * dice.normal(), dice.whole(8, 24));
    let end = Month::last_complete_on(life.as_of);
    let (mut months, mut past_due) = (Vec::new(), 0u32);
    for (stage, ..) in life.months().filter(|(s, ..)| s.month >= first(life)) {
        let back = end.since(stage.month);
        let used = logistic(0.1 - 0.85 * stage.liquidity + appetite + 0.25 * dice.normal());
        let slips = dice.chance(logistic(-4.0 - 1.6 * stage.liquidity));
        let cures = dice.chance(logistic(0.4 + 0.5 * stage.liquidity));
        let days = dice.whole(2, 29) as u32;
        past_due = match past_due {
            0 if slips => days,
            0 => 0,
            _ if cures => 0,
            before => (before + 30).min(89),
        };
        if !borrows || back > since {
            past_due = 0;
            continue;
        }
        // Lines are raised when they are renewed.
        let line = line * 1.1f64.powi(-(back / term));
        months.push(LoanMonth {
            month: stage.month,
            balance: yuan(line * used),
            line: yuan(line),
            days_past_due: past_due,
            severity: None,
            ended_on: None,
            repaired_on: None,
            display_end: None,
        });
    }
    months
}

fn supplier_delays(life: &Life, dice: &mut Dice) -> Vec<SupplierDelay> {
    let habit = 2.0 * dice.normal();
    let mut delays = Vec::new();
    for (stage, trade, _) in life.months().filter(|(s, ..)| s.month >= first(life)) {
        let noise = 4.0 * dice.normal();
        let reported = dice.chance(0.9);
        if reported && trade.purchases.count > 0 {
            let days = 7.0 - 7.5 * stage.liquidity + habit + noise;
            delays.push(SupplierDelay { month: stage.month, days: (days.clamp(-15.0, 120.0) * 10.0).round() / 10.0 });
        }
    }
    delays
}

fn wage_arrears(life: &Life, dice: &mut Dice) -> Vec<WageArrears> {
    let liquidity = life.liquidity();
    let found = dice.chance(logistic(-4.6 - 1.1 * liquidity));
    let (ago, amount, repaired, days) =
        (dice.whole(5, 700), dice.between(0.5, 3.0), dice.chance(0.75), dice.whole(10, 200));
    let heads = life.heads.last().copied().unwrap_or(1).max(1);
    let found_on = after(life.as_of, -ago).max(life.registered_on());
    let repaired_on = Some(after(found_on, days)).filter(|on| repaired && *on <= life.as_of);
    let finding = WageArrears {
        found_on,
        amount: yuan(amount * 6_000.0 * f64::from(heads)),
        repaired_on,
        severity: None,
        ended_on: None,
        display_end: None,
    };
    if found { vec![finding] } else { Vec::new() }
}

fn enforcements(life: &Life, dice: &mut Dice) -> Vec<Enforcement> {
    let t = &life.traits;
    let liquidity = life.liquidity();
    let (open, closed) = (
        dice.chance(logistic(-5.6 - 0.9 * liquidity - 0.3 * t.discipline)),
        dice.chance(logistic(-4.0 - 0.6 * t.discipline)),
    );
    let mut all = Vec::new();
    let mut one = |dice: &mut Dice, from: i32, to: i32, ends: bool| {
        let opened_on = after(life.as_of, -dice.whole(from, to)).max(life.registered_on());
        let closed_on = Some(after(opened_on, dice.whole(20, 300))).filter(|on| ends && *on <= life.as_of);
        let amount = yuan(life.normal_revenue().max(5e4) * dice.between(0.02, 0.25));
        // A closed one whose end lies ahead would be open: leave it out.
        if closed_on.is_some() || !ends {
            all.push(Enforcement {
                opened_on,
                closed_on,
                amount,
                severity: None,
                repaired_on: None,
                display_end: None,
            });
        }
    };
    one(dice, 320, 1_200, true);
    one(dice, 3, 400, false);
    all.into_iter().filter(|e| if e.closed_on.is_some() { closed } else { open }).collect()
}
