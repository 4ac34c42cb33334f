//! Charts by month: the geometry of an inline SVG, its table, and its description in words.
//!
//! A month without data is a gap, marked as such, never a zero.

mod summary;

use crate::domain::Month;
use crate::http::words::{Words, figures};

/// Size of the drawing and of its margins, in units of the SVG's view box.
const WIDTH: f64 = 360.0;
const HEIGHT: f64 = 190.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 34.0;
/// Half the width of a month's label.
const LABEL_HALF: f64 = 21.0;
/// The most labels along the months.
const MONTH_LABELS_MAX: usize = 6;

/// How values are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Bars from zero, for amounts of a month.
    Bars,
    /// A line, for levels.
    Line,
}

/// Values by month under one name; `None` where there are no data.
#[derive(Debug, Clone)]
pub struct Series {
    /// The name.
    pub name: String,
    /// One value per month of the chart.
    pub values: Vec<Option<f64>>,
}

/// What a chart shows.
#[derive(Debug, Clone)]
pub struct Chart {
    /// The title.
    pub title: String,
    /// The unit along the vertical axis.
    pub unit: String,
    /// Bars or a line.
    pub shape: Shape,
    /// The months, ascending and without holes.
    pub months: Vec<Month>,
    /// One or two series.
    pub series: Vec<Series>,
}

/// A label at a place along an axis.
pub struct Tick {
    /// Where.
    pub at: String,
    /// What.
    pub label: String,
}

/// A rectangle.
pub struct Bar {
    /// Left edge.
    pub x: String,
    /// Upper edge.
    pub y: String,
    /// Width.
    pub width: String,
    /// Height.
    pub height: String,
    /// Number of the series, from 1.
    pub series: usize,
    /// What it says when pointed at.
    pub tip: String,
}

/// A point on a line.
pub struct Dot {
    /// Across.
    pub x: String,
    /// Down.
    pub y: String,
    /// What it says when pointed at.
    pub tip: String,
}

/// A row of the table: the month and a cell per series.
pub struct TableRow {
    /// The month.
    pub month: String,
    /// The cells.
    pub cells: Vec<String>,
}

/// A chart ready to be written into a page.
pub struct Drawing {
    /// The title.
    pub title: String,
    /// The unit along the vertical axis.
    pub unit: String,
    /// What the chart shows, in words.
    pub summary: String,
    /// Names of the series, for legend and table.
    pub names: Vec<String>,
    /// Whether there is anything to draw.
    pub empty: bool,
    /// Along the vertical axis, with grid lines.
    pub rows: Vec<Tick>,
    /// Along the months.
    pub columns: Vec<Tick>,
    /// Where zero lies.
    pub zero: String,
    /// Bars.
    pub bars: Vec<Bar>,
    /// Months without data.
    pub gaps: Vec<Bar>,
    /// Paths of lines, one per unbroken run of months.
    pub lines: Vec<String>,
    /// Points of lines.
    pub dots: Vec<Dot>,
    /// The figures.
    pub table: Vec<TableRow>,
}

impl Drawing {
    /// The view box's width.
    pub fn width(&self) -> f64 {
        WIDTH
    }
    /// The view box's height.
    pub fn height(&self) -> f64 {
        HEIGHT
    }
    /// The left end of the months.
    pub fn left(&self) -> f64 {
        LEFT
    }
    /// The right end of the months.
    pub fn right(&self) -> f64 {
        WIDTH - RIGHT
    }
    /// The baseline of the months' labels.
    pub fn labels(&self) -> f64 {
        HEIGHT - BOTTOM + 14.0
    }
}

/// Bounds and step of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Axis {
    low: f64,
    high: f64,
    step: f64,
}

impl Axis {
    /// An axis of round steps that holds zero and all `values`; what comes in whole numbers gets whole steps.
    fn around(values: impl Iterator<Item = f64> + Clone) -> Axis {
        let whole = values.clone().all(|value| value.fract() == 0.0);
        let (low, high) = values.fold((0.0_f64, 0.0_f64), |(low, high), v| (low.min(v), high.max(v)));
        let span = if high > low { high - low } else { 1.0 };
        let raw = span / 4.0;
        let power = 10.0_f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .into_iter()
            .map(|m| m * power)
            .find(|s| *s >= raw * 0.999 && !(whole && s.fract() != 0.0));
        let step = step.unwrap_or(if whole { 1.0 } else { power * 10.0 });
        Axis { low: (low / step).floor() * step, high: ((low + span).max(high) / step).ceil() * step, step }
    }

    fn y(self, value: f64) -> f64 {
        let plot = HEIGHT - TOP - BOTTOM;
        TOP + (self.high - value) / (self.high - self.low) * plot
    }

    fn ticks(self) -> Vec<Tick> {
        let count = ((self.high - self.low) / self.step).round() as i32;
        (0..=count)
            .map(|i| {
                let value = self.low + f64::from(i) * self.step;
                Tick { at: fixed(self.y(value)), label: figures::number(value, 2) }
            })
            .collect()
    }
}

fn fixed(value: f64) -> String {
    format!("{value:.1}")
}

/// Lays `chart` out.
pub fn draw(chart: &Chart, words: Words) -> Drawing {
    let values = chart.series.iter().flat_map(|s| s.values.iter().flatten().copied());
    let axis = Axis::around(values.clone());
    let slot = (WIDTH - LEFT - RIGHT) / chart.months.len().max(1) as f64;
    let mut drawing = Drawing {
        title: chart.title.clone(),
        unit: chart.unit.clone(),
        summary: summary::tell(chart, words),
        names: chart.series.iter().map(|s| s.name.clone()).collect(),
        empty: values.count() == 0,
        rows: axis.ticks(),
        columns: month_ticks(&chart.months, slot),
        zero: fixed(axis.y(0.0)),
        bars: Vec::new(),
        gaps: gaps(chart, slot, words),
        lines: Vec::new(),
        dots: Vec::new(),
        table: table(chart, words),
    };
    match chart.shape {
        Shape::Bars => drawing.bars = bars(chart, axis, slot),
        Shape::Line => (drawing.lines, drawing.dots) = lines(chart, axis, slot),
    }
    drawing
}

fn month_ticks(months: &[Month], slot: f64) -> Vec<Tick> {
    let every = months.len().div_ceil(MONTH_LABELS_MAX).max(1);
    let centre = |i: usize| LEFT + (i as f64 + 0.5) * slot;
    let labelled = months.iter().enumerate().rev().step_by(every);
    labelled.map(|(i, month)| Tick { at: fixed(centre(i).min(WIDTH - LABEL_HALF)), label: month.to_string() }).collect()
}

fn tip(month: Month, series: &Series, value: f64) -> String {
    format!("{month} {} {}", series.name, figures::number(value, 2))
}

fn bars(chart: &Chart, axis: Axis, slot: f64) -> Vec<Bar> {
    let width = slot * 0.76 / chart.series.len().max(1) as f64;
    let mut bars = Vec::new();
    for (s, series) in chart.series.iter().enumerate() {
        for (i, value) in series.values.iter().enumerate() {
            let (Some(value), Some(month)) = (*value, chart.months.get(i)) else { continue };
            let (top, bottom) = (axis.y(value.max(0.0)), axis.y(value.min(0.0)));
            bars.push(Bar {
                x: fixed(LEFT + i as f64 * slot + slot * 0.12 + s as f64 * width),
                y: fixed(top),
                width: fixed(width.max(0.6)),
                height: fixed(bottom - top),
                series: s + 1,
                tip: tip(*month, series, value),
            });
        }
    }
    bars
}

fn lines(chart: &Chart, axis: Axis, slot: f64) -> (Vec<String>, Vec<Dot>) {
    let (mut lines, mut dots) = (Vec::new(), Vec::new());
    for series in &chart.series {
        let mut run = String::new();
        for (i, month) in chart.months.iter().enumerate() {
            let Some(value) = series.values.get(i).copied().flatten() else {
                lines.push(std::mem::take(&mut run));
                continue;
            };
            let (x, y) = (fixed(LEFT + (i as f64 + 0.5) * slot), fixed(axis.y(value)));
            run.push_str(&format!("{}{x} {y}", if run.is_empty() { "M" } else { " L" }));
            dots.push(Dot { x, y, tip: tip(*month, series, value) });
        }
        lines.push(run);
    }
    lines.retain(|line| line.contains('L'));
    (lines, dots)
}

/// Whether no series has a value in the month at `i`.
fn is_gap(chart: &Chart, i: usize) -> bool {
    chart.series.iter().all(|s| s.values.get(i).copied().flatten().is_none())
}

fn gaps(chart: &Chart, slot: f64, words: Words) -> Vec<Bar> {
    let gap = |(i, month): (usize, &Month)| Bar {
        x: fixed(LEFT + i as f64 * slot),
        y: fixed(TOP),
        width: fixed(slot),
        height: fixed(HEIGHT - TOP - BOTTOM),
        series: 0,
        tip: format!("{month} {}", words.t("chart-gap")),
    };
    chart.months.iter().enumerate().filter(|(i, _)| is_gap(chart, *i)).map(gap).collect()
}

fn table(chart: &Chart, words: Words) -> Vec<TableRow> {
    let cell = |value: Option<f64>| value.map_or_else(|| words.t("chart-gap"), |v| figures::number(v, 2));
    let row = |(i, month): (usize, &Month)| TableRow {
        month: month.to_string(),
        cells: chart.series.iter().map(|s| cell(s.values.get(i).copied().flatten())).collect(),
    };
    chart.months.iter().enumerate().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Language;
    use proptest::prelude::*;

    fn chart(shape: Shape, values: Vec<Option<f64>>) -> Chart {
        let first = Month::new(2025, 1).unwrap();
        Chart {
            title: "Heads".to_owned(),
            unit: "persons".to_owned(),
            shape,
            months: (0..values.len()).map(|i| first.plus(i as i32)).collect(),
            series: vec![Series { name: "Heads".to_owned(), values }],
        }
    }

    #[test]
    fn a_month_without_data_is_a_gap_and_not_a_zero() {
        let values = vec![Some(10.0), Some(12.0), None, Some(0.0), Some(9.0)];
        let drawn = draw(&chart(Shape::Line, values), Words(Language::En));
        assert_eq!(drawn.gaps.len(), 1);
        assert_eq!(drawn.lines.len(), 2, "the line is broken at the gap");
        assert_eq!(drawn.dots.len(), 4, "a real zero is drawn");
        assert_eq!(drawn.table[2].cells, ["no data"]);
        assert_eq!(drawn.table[3].cells, ["0"]);
        assert!(drawn.summary.contains("lowest 0 (2025-04)"), "{}", drawn.summary);
        assert!(drawn.summary.contains("1 month without data"), "{}", drawn.summary);
    }

    #[test]
    fn heads_are_counted_in_whole_persons() {
        let drawn = draw(&chart(Shape::Line, vec![Some(1.0), Some(2.0)]), Words(Language::En));
        assert_eq!(drawn.rows.iter().map(|row| row.label.as_str()).collect::<Vec<_>>(), ["0", "1", "2"]);
    }

    #[test]
    fn negative_months_hang_below_zero() {
        let drawn = draw(&chart(Shape::Bars, vec![Some(-5.0), Some(10.0)]), Words(Language::ZhCn));
        let zero: f64 = drawn.zero.parse().unwrap();
        assert_eq!(drawn.bars[0].y.parse::<f64>().unwrap(), zero);
        assert!(drawn.bars[1].y.parse::<f64>().unwrap() < zero);
    }

    #[test]
    fn nothing_to_draw_is_said() {
        for values in [vec![], vec![None, None]] {
            let drawn = draw(&chart(Shape::Bars, values), Words(Language::En));
            assert!(drawn.empty);
            assert!(drawn.summary.contains("no data"), "{}", drawn.summary);
        }
    }

    proptest! {
        #[test]
        fn everything_is_drawn_inside_the_frame(
            values in proptest::collection::vec(proptest::option::of(-1e9..1e9_f64), 1..40)
        ) {
            for shape in [Shape::Bars, Shape::Line] {
                let drawn = draw(&chart(shape, values.clone()), Words(Language::En));
                let inside = |y: &str| (TOP - 0.1..=HEIGHT - BOTTOM + 0.1).contains(&y.parse::<f64>().unwrap());
                prop_assert!(drawn.bars.iter().all(|b| inside(&b.y)));
                prop_assert!(drawn.dots.iter().all(|d| inside(&d.y)));
                prop_assert!((2..=8).contains(&drawn.rows.len()), "{} ticks", drawn.rows.len());
                prop_assert!(drawn.columns.len() <= MONTH_LABELS_MAX);
            }
        }
    }
}
