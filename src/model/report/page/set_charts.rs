//! Charts of a set of rows: ROC, the distance of the outcomes (KS), calibration, scores.

use super::chart::{Chart, Swatch};
use super::plot::{Path, Plot, Scale, Unit};
use super::said::{Figures, Said};
use crate::model::goodness::Goodness;
use crate::model::report::curves::Separation;
use crate::model::report::{HistogramBin, SetReport};

/// Size of a drawing and the ends of its axes, in units of the view box: as wide as a phone.
const SIZE: [f64; 2] = [360.0, 280.0];
const X: [f64; 2] = [44.0, 344.0];
const Y: [f64; 2] = [238.0, 22.0];
/// Places along the calibration line.
const BELT_STEPS: usize = 40;

/// The charts that can be drawn of a set, in the order of the page: what tells the order, then what tells the truth.
pub struct SetCharts {
    pub order: Vec<Chart>,
    pub truth: Vec<Chart>,
    pub scores: Vec<Chart>,
}

pub fn of_set(set: &SetReport, place: usize) -> SetCharts {
    let auc = set.measures.map(|of| of.auc);
    let order = [auc.map(|auc| roc(set, auc, place)), set.separation.as_ref().map(|of| separation(of, place))];
    let truth = set.goodness.as_ref().map(|of| calibration(of, place));
    let scores = (!set.histogram.is_empty()).then(|| histogram(&set.histogram, place));
    SetCharts {
        order: order.into_iter().flatten().collect(),
        truth: truth.into_iter().collect(),
        scores: scores.into_iter().collect(),
    }
}

fn frame(id: String, x: &Scale, y: &Scale, units: [Unit; 2], names: [Said; 2]) -> Plot {
    let mut plot = Plot::new(id, SIZE[0], SIZE[1]);
    plot.rows(y, X, units[1]);
    plot.columns(x, Y[0], units[0]);
    plot.text("name", 4.0, 11.0, &names[1]);
    plot.text("name end", X[1], SIZE[1] - 8.0, &names[0]);
    plot
}

fn scales(x: [f64; 2], y: [f64; 2]) -> (Scale, Scale) {
    (Scale { values: x, places: X }, Scale { values: y, places: Y })
}

fn roc(set: &SetReport, auc: f64, place: usize) -> Chart {
    let (x, y) = scales([0.0, 1.0], [0.0, 1.0]);
    let names = [
        Said::new("好样本占比（误报率）", "Share of goods (false alarms)"),
        Said::new("坏样本占比（命中率）", "Share of bads (hits)"),
    ];
    let mut plot = frame(format!("roc-{place}"), &x, &y, [Unit::Percent; 2], names);
    let (mut chance, mut curve) = (Path::default(), Path::default());
    chance.line([[X[0], Y[0]], [X[1], Y[1]]]);
    curve.line(set.roc.iter().map(|of| [x.at(of[0]), y.at(of[1])]));
    plot.path("chance", &chance);
    plot.path("one", &curve);
    let auc = Figures.fixed(auc, 4);
    plot.text("mark end", X[1] - 6.0, Y[0] - 10.0, &Said::same(format!("AUC {auc}")));
    let caught = |share: f64| set.roc.iter().rev().find(|of| of[0] <= share).map_or(0.0, |of| of[1]);
    let (ten, thirty) = (Figures.percent(caught(0.1)), Figures.percent(caught(0.3)));
    Chart {
        title: Said::new("ROC 曲线", "ROC curve"),
        told: Said::new(
            format!("AUC 为 {auc}。误拒 10% 的好样本时拦下 {ten} 的坏样本，误拒 30% 时拦下 {thirty}。"),
            format!("AUC is {auc}. Turning away 10% of the goods stops {ten} of the bads; 30% stops {thirty}."),
        ),
        legend: vec![Swatch::line("one", "模型", "Model"), Swatch::line("chance", "随机", "Chance")],
        plot,
    }
}

fn separation(of: &Separation, place: usize) -> Chart {
    let scores = |pick: fn(f64, f64) -> f64, from: f64| of.points.iter().map(|p| p.score).fold(from, pick);
    let x = Scale::around(scores(f64::min, f64::INFINITY), scores(f64::max, f64::NEG_INFINITY), X);
    let y = Scale { values: [0.0, 1.0], places: Y };
    let names = [Said::new("评分", "Score"), Said::new("不高于该评分的占比", "Share at or below the score")];
    let mut plot = frame(format!("ks-{place}"), &x, &y, [Unit::Number, Unit::Percent], names);
    let (mut goods, mut bads, mut widest) = (Path::default(), Path::default(), Path::default());
    goods.line(of.points.iter().map(|p| [x.at(p.score), y.at(p.goods)]));
    bads.line(of.points.iter().map(|p| [x.at(p.score), y.at(p.bads)]));
    let at = x.at(of.widest.score);
    widest.line([[at, y.at(of.widest.goods)], [at, y.at(of.widest.bads)]]);
    plot.path("one", &goods);
    plot.path("two", &bads);
    plot.path("distance", &widest);
    let ks = Figures.fixed((of.widest.bads - of.widest.goods).abs(), 4);
    let (score, bads, goods) =
        (Figures.fixed(of.widest.score, 0), Figures.percent(of.widest.bads), Figures.percent(of.widest.goods));
    plot.text("mark end", X[1] - 6.0, Y[0] - 10.0, &Said::same(format!("KS {ks} @ {score}")));
    Chart {
        title: Said::new("KS 曲线", "Goods and bads by score (KS)"),
        told: Said::new(
            format!("评分 {score} 处相距最远（KS {ks}）：{bads} 的坏样本和 {goods} 的好样本不高于该分。"),
            format!(
                "Furthest apart at {score} (KS {ks}): {bads} of the bads and {goods} of the goods score that or less."
            ),
        ),
        legend: vec![Swatch::line("one", "好样本", "Goods"), Swatch::line("two", "坏样本", "Bads")],
        plot,
    }
}

fn calibration(of: &Goodness, place: usize) -> Chart {
    let largest = of.curve.iter().map(|bin| bin.predicted.max(bin.interval[1])).fold(0.0, f64::max);
    let (x, y) = (Scale::around(0.0, largest.min(1.0), X), Scale::around(0.0, largest.min(1.0), Y));
    let names = [Said::new("预测违约概率", "Predicted"), Said::new("实际坏样本率", "Observed bad rate")];
    let mut plot = frame(format!("calibration-{place}"), &x, &y, [Unit::Percent; 2], names);
    let (mut truth, mut belt) = (Path::default(), Path::default());
    truth.line([[X[0], Y[0]], [X[1], Y[1]]]);
    let ends = (of.curve.first().map_or(0.0, |bin| bin.range[0]), of.curve.last().map_or(1.0, |bin| bin.range[1]));
    let places = (0..=BELT_STEPS).map(|i| ends.0 + (ends.1.min(x.values[1]) - ends.0) * i as f64 / BELT_STEPS as f64);
    if let Some(line) = &of.recalibration {
        let edge = |pd: f64, side: usize| [x.at(pd), y.at(line.at(pd).interval[side])];
        belt.surface(places.clone().map(|pd| edge(pd, 0)).chain(places.rev().map(|pd| edge(pd, 1))));
    }
    plot.path("belt", &belt);
    plot.path("chance", &truth);
    let (mut whiskers, mut dots) = (Path::default(), Path::default());
    for bin in &of.curve {
        whiskers.whisker(x.at(bin.predicted), bin.interval.map(|rate| y.at(rate)), 3.0);
        dots.dot(x.at(bin.predicted), y.at(bin.observed), 2.8);
    }
    plot.path("thin-one", &whiskers);
    plot.path("fill-one", &dots);
    let within = of.curve.iter().filter(|bin| bin.interval[0] <= bin.predicted && bin.predicted <= bin.interval[1]);
    let (within, groups) = (within.count(), of.curve.len());
    Chart {
        title: Said::new("校准曲线", "Calibration"),
        told: Said::new(
            format!("{groups} 组中有 {within} 组的预测值落在实际坏样本率的 95% 区间内。"),
            format!(
                "In {within} of {groups} groups the predicted rate lies within the 95% interval of the observed one."
            ),
        ),
        legend: vec![
            Swatch::area("one", "各组实际值与 95% 区间", "Groups with 95% interval"),
            Swatch::area("belt", "校准带（逻辑校准线的 95% 区间）", "Belt: 95% interval of the logistic line"),
            Swatch::line("chance", "完全准确", "Perfectly true"),
        ],
        plot,
    }
}

fn histogram(bars: &[HistogramBin], place: usize) -> Chart {
    let sum = |of: fn(&HistogramBin) -> u64| bars.iter().map(of).sum::<u64>().max(1) as f64;
    let (goods, bads) = (sum(|bar| bar.goods), sum(|bar| bar.bads));
    let most = bars.iter().map(|bar| (bar.goods as f64 / goods).max(bar.bads as f64 / bads)).fold(0.0, f64::max);
    let ends = [bars[0].from, bars[bars.len() - 1].below];
    let (x, y) = (Scale { values: ends, places: X }, Scale::around(0.0, most, Y));
    let names = [Said::new("评分", "Score"), Said::new("占本类样本的比例", "Share of the outcome's rows")];
    let mut plot = frame(format!("scores-{place}"), &x, &y, [Unit::Number, Unit::Percent], names);
    let (mut filled, mut outline) = (Path::default(), Path::default());
    let mut steps = vec![[X[0], Y[0]]];
    for bar in bars {
        let (from, below) = (x.at(bar.from), x.at(bar.below));
        filled.bar(from + 0.4, (below - from - 0.8).max(0.4), [y.at(bar.goods as f64 / goods), Y[0]]);
        let height = y.at(bar.bads as f64 / bads);
        steps.extend([[from, height], [below, height]]);
    }
    steps.push([X[1], Y[0]]);
    outline.line(steps);
    plot.path("fill-one soft", &filled);
    plot.path("two", &outline);
    let mean = |of: fn(&HistogramBin) -> u64, all: f64| {
        Figures.fixed(bars.iter().map(|bar| of(bar) as f64 * 0.5 * (bar.from + bar.below)).sum::<f64>() / all, 0)
    };
    let (good, bad) = (mean(|bar| bar.goods, goods), mean(|bar| bar.bads, bads));
    Chart {
        title: Said::new("评分分布", "Scores by outcome"),
        told: Said::new(
            format!("好样本平均约 {good} 分，坏样本平均约 {bad} 分。两类各以自身总数为 100%。"),
            format!(
                "Goods score about {good} on average, bads about {bad}. Each outcome counts as 100% of its own rows."
            ),
        ),
        legend: vec![Swatch::area("one soft", "好样本", "Goods"), Swatch::line("two", "坏样本", "Bads")],
        plot,
    }
}
