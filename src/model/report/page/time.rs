//! Charts over the periods.

use super::chart::{Chart, Swatch};
use super::plot::{Path, Plot, Scale, Unit};
use super::said::{Figures, Said};
use crate::model::report::{PeriodRow, Stability};

const SIZE: [f64; 2] = [360.0, 220.0];
const X: [f64; 2] = [44.0, 344.0];
const Y: [f64; 2] = [182.0, 22.0];
/// Width of a letter of a label, about.
const LETTER: f64 = 6.0;
/// Indices from here are a significant shift, and from the other on worth a look.
pub const PSI_SHIFT: f64 = 0.25;
pub const PSI_LOOK: f64 = 0.10;

/// Observed and predicted rates, and the stability index of the score.
pub fn of(stability: &Stability) -> Vec<Chart> {
    vec![rates(&stability.periods), shifts(&stability.periods)]
}

struct Slots {
    width: f64,
}

impl Slots {
    fn of(periods: &[PeriodRow]) -> Slots {
        Slots { width: (X[1] - X[0]) / periods.len().max(1) as f64 }
    }

    fn middle(&self, place: usize) -> f64 {
        X[0] + self.width * (place as f64 + 0.5)
    }
}

fn frame(id: &str, y: &Scale, unit: Unit, name: Said, periods: &[PeriodRow]) -> Plot {
    let mut plot = Plot::new(id.to_owned(), SIZE[0], SIZE[1]);
    plot.rows(y, X, unit);
    plot.text("name", 4.0, 11.0, &name);
    let (slots, mut free) = (Slots::of(periods), 0.0);
    for (place, period) in periods.iter().enumerate() {
        let half = period.period.chars().count() as f64 * LETTER / 2.0;
        let at = slots.middle(place).min(SIZE[0] - half - 1.0);
        if at - half >= free {
            plot.text("mid", at, Y[0] + 16.0, &Said::same(period.period.clone()));
            free = at + half + LETTER;
        }
    }
    plot
}

fn rates(periods: &[PeriodRow]) -> Chart {
    let highest = periods.iter().map(|of| of.bad_rate.max(of.predicted)).fold(0.0, f64::max);
    let most = periods.iter().map(|of| of.interval[1].max(of.predicted)).fold(0.0, f64::max);
    let y = Scale::around(0.0, most.min((2.0 * highest).max(0.01)), Y);
    let mut plot = frame("period-rates", &y, Unit::Percent, Said::new("坏样本率", "Bad rate"), periods);
    let slots = Slots::of(periods);
    let (mut predicted, mut whiskers, mut dots) = (Path::default(), Path::default(), Path::default());
    predicted.line(periods.iter().enumerate().map(|(i, of)| [slots.middle(i), y.at(of.predicted)]));
    for (i, of) in periods.iter().enumerate() {
        whiskers.whisker(slots.middle(i), of.interval.map(|rate| y.at(rate)), (slots.width / 4.0).min(3.0));
        dots.dot(slots.middle(i), y.at(of.bad_rate), (slots.width / 3.0).min(2.8));
    }
    plot.path("two", &predicted);
    plot.path("thin-one", &whiskers);
    plot.path("fill-one", &dots);
    let outside = periods.iter().filter(|of| of.predicted < of.interval[0] || of.predicted > of.interval[1]).count();
    let all = periods.len();
    Chart {
        title: Said::new("各期坏样本率与平均预测值", "Bad rate and mean prediction by period"),
        told: Said::new(
            format!("{all} 期中有 {outside} 期的平均预测值落在实际坏样本率的 95% 区间之外。"),
            format!("In {outside} of {all} periods the mean prediction lies outside the 95% interval of the bad rate."),
        ),
        legend: vec![
            Swatch::area("one", "实际值与 95% 区间", "Observed with 95% interval"),
            Swatch::line("two", "平均预测值", "Mean prediction"),
        ],
        plot,
    }
}

fn shifts(periods: &[PeriodRow]) -> Chart {
    let largest = periods.iter().filter_map(|of| of.score_psi).fold(0.0, f64::max);
    let y = Scale::around(0.0, largest.max(PSI_SHIFT * 1.1), Y);
    let mut plot = frame("period-psi", &y, Unit::Number, Said::same("PSI"), periods);
    let (slots, mut bars) = (Slots::of(periods), Path::default());
    for (i, psi) in periods.iter().enumerate().filter_map(|(i, of)| Some((i, of.score_psi?))) {
        let width = slots.width * 0.7;
        bars.bar(slots.middle(i) - width / 2.0, width, [Y[0], y.at(psi)]);
    }
    plot.path("fill-one", &bars);
    for (level, class) in [(PSI_LOOK, "chance"), (PSI_SHIFT, "limit")] {
        let mut line = Path::default();
        line.line([[X[0], y.at(level)], [X[1], y.at(level)]]);
        plot.path(class, &line);
    }
    let shown = Figures.fixed(largest, 3);
    Chart {
        title: Said::new("各期评分的群体稳定性指数（PSI）", "Stability index of the score (PSI) by period"),
        told: Said::new(
            format!("与训练样本相比，最大为 {shown}。0.10 以下稳定，0.25 及以上为显著偏移。"),
            format!(
                "Against the training rows; the largest is {shown}. Below 0.10 is stable, 0.25 and above a significant shift."
            ),
        ),
        legend: vec![
            Swatch::area("one", "PSI", "PSI"),
            Swatch::line("chance", "0.10", "0.10"),
            Swatch::line("limit", "0.25", "0.25"),
        ],
        plot,
    }
}
