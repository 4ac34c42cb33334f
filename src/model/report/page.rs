//! The report as one page: no script, no network, both languages in it, charts as inline SVG. The language switch is a pair of radio
//! buttons and the style sheet.

mod chart;
mod heat;
mod names;
mod phrases;
mod plot;
mod said;
mod set_charts;
mod shape;
mod time;

use askama::Template;
use thiserror::Error;

use self::chart::Chart;
use self::heat::Heat;
use self::said::{Figures, Said, Words};
use self::set_charts::SetCharts;
use super::{BinRow, CharacteristicTable, Report, SetName, SetReport, Span};
use crate::model::artifact::{Kind, Sign};
use crate::model::bootstrap::Intervals;
use crate::model::measure::Measures;

/// Features and pairs that are unfolded at first.
const UNFOLDED: usize = 6;
/// Below this, a test says that the probabilities are not true.
const P_SMALL: f64 = 0.05;

/// A report that could not be written as a page.
#[derive(Debug, Error)]
#[error("the report cannot be written as a page: {0}")]
pub struct RenderError(#[from] askama::Error);

/// The report as one self-contained HTML page. Names and words from the data are escaped.
///
/// # Errors
/// None in practice; the template engine's are passed on.
pub fn html(report: &Report) -> Result<String, RenderError> {
    let sets = || report.sets.iter().enumerate();
    let page = Page {
        w: Words,
        f: Figures,
        report,
        kind: kind_name(report.model.kind),
        measures: measures(&report.sets),
        sets: sets().map(|(i, set)| SetView::new(set, i)).collect(),
        features: report.characteristics.iter().enumerate().map(|(i, of)| FeatureView::new(of, i, report)).collect(),
        pairs: report.pairs.iter().enumerate().map(|(i, pair)| heat::of_pair(pair, i)).collect(),
        correlations: heat::of_correlations(&report.dependence),
        period_charts: report.stability.as_ref().map(time::of).unwrap_or_default(),
        warnings: report.warnings.iter().map(|warning| phrases::said(warning)).collect(),
        left_out: report.left_out.iter().map(|of| (of.column.as_str(), phrases::said(&of.reason))).collect(),
    };
    Ok(page.render()?)
}

#[derive(Template)]
#[template(path = "report/page.html")]
struct Page<'a> {
    w: Words,
    f: Figures,
    report: &'a Report,
    kind: Said,
    measures: Vec<MeasureRow>,
    sets: Vec<SetView<'a>>,
    features: Vec<FeatureView<'a>>,
    pairs: Vec<Heat>,
    correlations: Option<Heat>,
    period_charts: Vec<Chart>,
    warnings: Vec<Said>,
    left_out: Vec<(&'a str, Said)>,
}

/// A set with its charts.
struct SetView<'a> {
    name: Said,
    of: &'a SetReport,
    charts: SetCharts,
    /// Whether the probabilities were calibrated on these rows.
    calibrated_here: bool,
}

impl<'a> SetView<'a> {
    fn new(of: &'a SetReport, place: usize) -> SetView<'a> {
        let calibrated_here = of.name == SetName::OutOfFold;
        SetView { name: set_name(of.name), of, charts: set_charts::of_set(of, place), calibrated_here }
    }
}

/// A measure in all sets.
struct MeasureRow {
    name: &'static str,
    meaning: Said,
    /// Value and interval, one entry a set.
    cells: Vec<(String, String)>,
}

/// A feature with its chart.
struct FeatureView<'a> {
    table: &'a CharacteristicTable,
    chart: Chart,
    bins: Vec<BinView<'a>>,
    sign: Said,
    /// In percent of the most important feature's.
    importance: f64,
    worst: Option<&'a super::Drift>,
    unfolded: bool,
}

impl<'a> FeatureView<'a> {
    fn new(table: &'a CharacteristicTable, place: usize, report: &'a Report) -> FeatureView<'a> {
        let most = report.characteristics.iter().map(|of| of.importance).fold(0.0, f64::max);
        let drifts = report.stability.iter().flat_map(|of| &of.features);
        FeatureView {
            table,
            chart: shape::of_table(table, place),
            bins: table.bins.iter().map(BinView::new).collect(),
            sign: sign_name(table.sign),
            importance: if most > 0.0 { 100.0 * table.importance / most } else { 0.0 },
            worst: drifts.into_iter().find(|drift| drift.feature == table.feature),
            unfolded: place < UNFOLDED,
        }
    }
}

/// A bin; words of the data are shown one by one.
struct BinView<'a> {
    name: Said,
    words: Vec<String>,
    more: usize,
    other: bool,
    of: &'a BinRow,
}

impl<'a> BinView<'a> {
    fn new(of: &'a BinRow) -> BinView<'a> {
        let (words, more, other) = match &of.holds {
            Span::Words { words, more, other } => (words.iter().map(|w| names::shortened(w)).collect(), *more, *other),
            _ => (Vec::new(), 0, false),
        };
        BinView { name: names::span_name(&of.holds), words, more, other, of }
    }

    fn is_words(&self) -> bool {
        matches!(self.of.holds, Span::Words { .. })
    }
}

fn set_name(name: SetName) -> Said {
    match name {
        SetName::OutOfFold => Said::new("折外（训练样本，交叉验证）", "Out of fold (training rows, cross-validated)"),
        SetName::OutOfTime => Said::new("跨期（训练期之后的样本）", "Out of time (rows after the training period)"),
    }
}

fn kind_name(kind: Kind) -> Said {
    match kind {
        Kind::Scorecard => Said::new("评分卡", "Scorecard"),
        Kind::Additive => Said::new("可加模型（形状表与两两交互表）", "Additive model (shapes and pairs)"),
    }
}

fn sign_name(sign: Sign) -> Said {
    match sign {
        Sign::Plus => Said::new("越大风险越高", "larger is riskier"),
        Sign::Minus => Said::new("越大风险越低", "larger is safer"),
        Sign::Free => Said::new("不限方向", "any direction"),
    }
}

fn measures(sets: &[SetReport]) -> Vec<MeasureRow> {
    type Value = fn(&Measures) -> f64;
    type Bounds = fn(&Intervals) -> [f64; 2];
    let row = |name: &'static str, zh: &'static str, en: &'static str, value: Value, bounds: Bounds| MeasureRow {
        name,
        meaning: Said::new(zh, en),
        cells: (sets.iter())
            .map(|set| {
                let value = Figures.maybe(set.measures.as_ref().map(value), 4);
                let interval = set.intervals.as_ref().map(|of| Figures.interval(bounds(of), 4));
                (value, interval.unwrap_or_default())
            })
            .collect(),
    };
    vec![
        row(
            "AUC",
            "随机一个坏样本的违约概率高于随机一个好样本的机会",
            "chance that a bad row has a higher probability than a good one",
            |m| m.auc,
            |i| i.auc,
        ),
        row(
            "KS",
            "好、坏样本评分分布的最大距离",
            "largest distance between goods and bads by score",
            |m| m.ks,
            |i| i.ks,
        ),
        row("Gini", "2 · AUC − 1", "2 · AUC − 1", |m| m.gini, |i| i.gini),
        row(
            "Brier",
            "违约概率的均方误差，越小越好",
            "mean squared error of the probabilities, smaller is better",
            |m| m.brier,
            |i| i.brier,
        ),
        row(
            "Log loss",
            "对数损失，越小越好",
            "mean negative log-likelihood, smaller is better",
            |m| m.log_loss,
            |i| i.log_loss,
        ),
        row(
            "ECE",
            "预测与实际坏样本率的平均差距，越小越好",
            "mean gap between predicted and observed rates, smaller is better",
            |m| m.ece,
            |i| i.ece,
        ),
    ]
}

impl Page<'_> {
    /// What a p-value says.
    fn verdict(&self, p: &f64) -> Said {
        if *p < P_SMALL {
            Said::new("有偏差的迹象", "deviates")
        } else {
            Said::new("未见偏差", "no deviation seen")
        }
    }

    fn verdict_class(&self, p: &f64) -> &'static str {
        if *p < P_SMALL { "warn" } else { "good" }
    }

    /// What an interval says that should hold `truth`.
    fn holds(&self, interval: &[f64; 2], truth: f64) -> bool {
        (interval[0]..=interval[1]).contains(&truth)
    }

    /// How far a stability index is from calm; what chance alone may give is calm.
    fn shift_class(&self, psi: &f64, of_chance: &f64) -> &'static str {
        match *psi {
            psi if psi < time::PSI_LOOK || psi <= *of_chance => "good",
            psi if psi < time::PSI_SHIFT => "warn",
            _ => "bad",
        }
    }
}
