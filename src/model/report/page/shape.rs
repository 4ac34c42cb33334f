//! A feature's table as a drawing: points, bad rate and rows of each bin, one above the other.

use super::chart::{Chart, Swatch};
use super::names::span_name;
use super::plot::{Path, Plot, Scale, Unit};
use super::said::{Figures, Said};
use crate::model::artifact::Sign;
use crate::model::report::{BinRow, CharacteristicTable, Span};

const SIZE: [f64; 2] = [360.0, 288.0];
const X: [f64; 2] = [44.0, 344.0];
/// Lower and upper ends of the three panels.
const POINTS: [f64; 2] = [120.0, 20.0];
const RATES: [f64; 2] = [226.0, 152.0];
const ROWS: [f64; 2] = [266.0, 240.0];
/// Width of a digit of a label, about.
const DIGIT: f64 = 6.0;
/// Width of the label of missing values.
const MISSING: f64 = 42.0;

/// The drawing of a table; `place` tells it from the others of the page.
pub fn of_table(table: &CharacteristicTable, place: usize) -> Chart {
    let mut plot = Plot::new(format!("shape-{place}"), SIZE[0], SIZE[1]);
    let slots = Slots::new(table.bins.len());
    points(&mut plot, table, &slots);
    rates(&mut plot, table, &slots);
    rows(&mut plot, table, &slots);
    labels(&mut plot, table, &slots);
    Chart {
        title: Said::new("各分箱的分值、坏样本率与样本量", "Points, bad rate and rows of each bin"),
        told: told(table),
        legend: vec![
            Swatch::area("one", "分值；坏样本率与 95% 区间", "Points; bad rate with 95% interval"),
            Swatch::line("chance", "平均分值", "Average points"),
            Swatch::area("gap", "样本量", "Rows"),
        ],
        plot,
    }
}

/// Where the bins stand: side by side, the missing one apart.
struct Slots {
    width: f64,
    bins: usize,
}

impl Slots {
    fn new(bins: usize) -> Slots {
        Slots { width: (X[1] - X[0]) / (bins as f64 + 0.5), bins }
    }

    fn left(&self, place: usize) -> f64 {
        let apart = if place + 1 == self.bins { 0.5 } else { 0.0 };
        X[0] + self.width * (place as f64 + apart)
    }

    fn middle(&self, place: usize) -> f64 {
        self.left(place) + self.width / 2.0
    }

    fn bar(&self, path: &mut Path, place: usize, ends: [f64; 2]) {
        let margin = (self.width * 0.1).min(2.0);
        path.bar(self.left(place) + margin, self.width - 2.0 * margin, ends);
    }
}

fn points(plot: &mut Plot, table: &CharacteristicTable, slots: &Slots) {
    let all = table.bins.iter().map(|bin| bin.points).chain([0.0, table.baseline]);
    let (low, high) = (all.clone().fold(0.0, f64::min), all.fold(0.0, f64::max));
    let y = Scale::around(low, high, POINTS);
    plot.rows(&y, X, Unit::Number);
    plot.text("name", 4.0, 11.0, &Said::new("分值", "Points"));
    let (mut filled, mut hollow, mut average) = (Path::default(), Path::default(), Path::default());
    for (place, bin) in table.bins.iter().enumerate() {
        let bars = if bin.rows > 0 { &mut filled } else { &mut hollow };
        slots.bar(bars, place, [y.at(0.0), y.at(bin.points)]);
    }
    average.line([[X[0], y.at(table.baseline)], [X[1], y.at(table.baseline)]]);
    let mut zero = Path::default();
    zero.line([[X[0], y.at(0.0)], [X[1], y.at(0.0)]]);
    plot.path("fill-one", &filled);
    plot.path("hollow", &hollow);
    plot.path("axis", &zero);
    plot.path("chance", &average);
}

fn rates(plot: &mut Plot, table: &CharacteristicTable, slots: &Slots) {
    let known = || table.bins.iter().enumerate().filter_map(|(place, bin)| Some((place, bin.bad_rate?, bin.interval?)));
    // A bin with few rows has an interval up to 1 and would press all others to the ground: it is cut at twice the highest rate.
    let (highest, most) = known().fold((0.0_f64, 0.0_f64), |of, (_, rate, [_, high])| (of.0.max(rate), of.1.max(high)));
    let y = Scale::around(0.0, most.min((2.0 * highest).max(0.01)), RATES);
    plot.rows(&y, X, Unit::Percent);
    plot.text("name", 4.0, RATES[1] - 11.0, &Said::new("坏样本率", "Bad rate"));
    let (mut whiskers, mut dots) = (Path::default(), Path::default());
    for (place, rate, interval) in known() {
        let x = slots.middle(place);
        whiskers.whisker(x, interval.map(|rate| y.at(rate)), (slots.width / 4.0).min(3.0));
        dots.dot(x, y.at(rate), (slots.width / 3.0).min(2.8));
    }
    plot.path("thin-one", &whiskers);
    plot.path("fill-one", &dots);
}

fn rows(plot: &mut Plot, table: &CharacteristicTable, slots: &Slots) {
    let most = table.bins.iter().map(|bin| bin.rows).max().unwrap_or(0).max(1);
    let y = Scale { values: [0.0, most as f64], places: ROWS };
    let mut bars = Path::default();
    for (place, bin) in table.bins.iter().enumerate() {
        slots.bar(&mut bars, place, [ROWS[0], y.at(bin.rows as f64)]);
    }
    plot.path("fill-gap", &bars);
    plot.text("end", X[0] - 5.0, ROWS[1] + 8.0, &Said::new("样本", "Rows"));
}

/// What the bins are called below the drawing: edges where bins of numbers meet, numbers of the table's rows for words.
fn labels(plot: &mut Plot, table: &CharacteristicTable, slots: &Slots) {
    let y = ROWS[0] + 15.0;
    let missing = slots.middle(table.bins.len().saturating_sub(1)).min(SIZE[0] - MISSING / 2.0);
    plot.text("mid", missing, y, &Said::new("缺失", "missing"));
    let (mut free, end) = (0.0, missing - MISSING / 2.0);
    for (place, bin) in table.bins.iter().enumerate() {
        let (at, text) = match &bin.holds {
            Span::Numbers { from: Some(from), .. } => (slots.left(place), Figures.value(*from)),
            Span::Words { .. } => (slots.middle(place), (place + 1).to_string()),
            _ => continue,
        };
        let half = text.chars().count() as f64 * DIGIT / 2.0;
        if at - half >= free && at + half <= end {
            plot.text("mid", at, y, &Said::same(text));
            free = at + half + DIGIT;
        }
    }
}

fn told(table: &CharacteristicTable) -> Said {
    let known = || table.bins.iter().filter(|bin| bin.rows > 0);
    let best = known().max_by(|a, b| a.points.total_cmp(&b.points));
    let worst = known().min_by(|a, b| a.points.total_cmp(&b.points));
    let (Some(best), Some(worst)) = (best, worst) else {
        return Said::new("没有训练样本。", "No training rows.");
    };
    let say = |bin: &BinRow| (span_name(&bin.holds), Figures.points(bin.points));
    let ((best, most), (worst, fewest)) = (say(best), say(worst));
    let (zh, en) = match table.sign {
        Sign::Plus => ("数值越大，分值不会越高。", "A larger value never has more points."),
        Sign::Minus => ("数值越大，分值不会越低。", "A larger value never has fewer points."),
        Sign::Free => ("", ""),
    };
    Said::new(
        format!("最高 {most} 分（{}），最低 {fewest} 分（{}）。{zh}", best.zh, worst.zh),
        format!("Most points {most} ({}), fewest {fewest} ({}). {en}", best.en, worst.en),
    )
}
