//! What the social insurance department knows of a firm.

use crate::domain::evidence::{ContributionArrears, ContributionMonth, SocialInsuranceRecord};
use crate::domain::{Fen, Month};

use super::dice::{Aspect, Dice, logistic};
use super::industries::Form;
use super::life::{Life, yuan};

/// The minimum contribution base of a person and month: a round figure of the size in force in Zhejiang.
const MINIMUM_BASE: Fen = Fen::from_yuan(4_800);
/// Employer's and employee's contributions together, as a share of the base.
const RATE: f64 = 0.26;
const MONTHS: usize = 36;

/// The department's record; `None` when it does not know the firm, as with many households that employ nobody.
pub(super) fn record(life: &Life) -> Option<SocialInsuranceRecord> {
    let dice = &mut life.dice(Aspect::SocialInsurance);
    if dice.chance(unknown_share(life.traits.form)) {
        return None;
    }
    let months = contributions(life, dice);
    // Who never insured anybody is as unknown.
    if months.is_empty() {
        return None;
    }
    let owed: Vec<&ContributionMonth> = months.iter().filter(|m| m.paid < m.due).collect();
    let arrears = ContributionArrears {
        months: owed.len() as u32,
        amount: owed.iter().map(|m| m.due - m.paid).sum(),
        severity: None,
        ended_on: None,
        repaired_on: None,
        display_end: None,
    };
    Some(SocialInsuranceRecord {
        as_of: life.as_of,
        arrears: dice.shared(0.05, arrears),
        minimum_base: dice.shared(0.03, MINIMUM_BASE),
        months,
    })
}

/// The share of firms that the department does not know.
fn unknown_share(form: Form) -> f64 {
    match form {
        Form::Household => 0.14,
        Form::Enterprise | Form::Cooperative => 0.03,
    }
}

fn contributions(life: &Life, dice: &mut Dice) -> Vec<ContributionMonth> {
    let t = &life.traits;
    let insured = dice.between(0.75, 1.0);
    let base = (MINIMUM_BASE.yuan() * (1.0 + 0.25 * (0.3 * t.size + dice.normal()).exp())).min(24_000.0);
    let behind = dice.chance(logistic(-2.7 - 1.5 * life.liquidity())).then(|| dice.whole(1, 10));
    let late = i32::from(dice.chance(0.12));
    let first = life.stages[life.stages.len().saturating_sub(MONTHS)].month;
    let end = Month::last_complete_on(life.as_of);
    let mut months = Vec::new();
    for (stage, _, heads) in life.months().filter(|(s, ..)| s.month >= first) {
        let back = end.since(stage.month);
        let unreported = dice.chance(0.008);
        let misses = dice.chance(logistic(-4.6 - 1.1 * stage.liquidity - 0.3 * t.discipline));
        let part = if dice.chance(0.5) { 0.0 } else { dice.between(0.0, 0.8) };
        if unreported || back < late || heads == 0 {
            continue;
        }
        let heads = (f64::from(heads) * insured).round().max(1.0) as u32;
        let base = yuan(base * f64::from(heads));
        let due = base.share(RATE);
        let owes = behind.is_some_and(|b| back < b) || misses && back < 12;
        months.push(ContributionMonth {
            month: stage.month,
            heads,
            base,
            due,
            paid: if owes { due.share(part) } else { due },
        });
    }
    without_gaps(months)
}

/// The months with a row of zeros for each between two others that was not reported, or in which nobody was insured.
fn without_gaps(months: Vec<ContributionMonth>) -> Vec<ContributionMonth> {
    let mut whole: Vec<ContributionMonth> = Vec::with_capacity(months.len());
    for month in months {
        while let Some(next) = whole.last().map(|last| last.month.plus(1)).filter(|next| *next < month.month) {
            whole.push(ContributionMonth { month: next, heads: 0, base: Fen::ZERO, due: Fen::ZERO, paid: Fen::ZERO });
        }
        whole.push(month);
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    #[test]
    fn months_follow_each_other_and_few_firms_are_unknown_for_having_none() {
        let (mut filled, mut without) = (0, 0);
        for index in 0..2_000 {
            let life = Life::live(1, index, date(2026, 10, 31));
            let dice = &mut life.dice(Aspect::SocialInsurance);
            if dice.chance(unknown_share(life.traits.form)) {
                assert!(record(&life).is_none());
                continue;
            }
            let Some(record) = record(&life) else {
                without += 1;
                continue;
            };
            assert!(record.months.windows(2).all(|pair| pair[1].month == pair[0].month.plus(1)), "{record:?}");
            filled += record.months.iter().filter(|month| month.heads == 0).count();
        }
        assert!(filled > 100, "{filled}");
        assert!(without < 20, "{without} of 2,000 firms never insured anybody");
    }
}
