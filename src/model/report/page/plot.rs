//! Drawing: scales, paths, and the SVG element that they make.

use std::fmt::{Display, Formatter, Result, Write};

use askama::filters::HtmlSafe;

use super::said::{Said, escaped};

/// From values to places along an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Scale {
    /// The values at either end.
    pub values: [f64; 2],
    /// Their places.
    pub places: [f64; 2],
}

impl Scale {
    /// A scale from round to round number that holds `low` and `high`.
    pub fn around(low: f64, high: f64, places: [f64; 2]) -> Scale {
        let step = round_step(low, high);
        Scale { values: [(low / step).floor() * step, (high / step).ceil() * step], places }
    }

    /// The place of `value`; values outside lie at the ends.
    pub fn at(&self, value: f64) -> f64 {
        let ([low, high], [from, to]) = (self.values, self.places);
        let share = if high > low { (value - low) / (high - low) } else { 0.5 };
        from + share.clamp(0.0, 1.0) * (to - from)
    }

    /// Round numbers along the scale.
    pub fn ticks(&self) -> Vec<f64> {
        let [low, high] = self.values;
        let step = round_step(low, high);
        let first = (low / step - 1e-9).ceil();
        let count = ((high / step + 1e-9).floor() - first).clamp(0.0, 50.0) as usize;
        (0..=count).map(|i| (first + i as f64) * step + 0.0).collect()
    }
}

/// A step of 1, 2 or 5 times a power of ten that parts the span into about five.
fn round_step(low: f64, high: f64) -> f64 {
    let raw = if high > low { (high - low) / 5.0 } else { 1.0 };
    let power = 10_f64.powf(raw.log10().floor());
    [1.0, 2.0, 5.0, 10.0].map(|m| m * power).into_iter().find(|step| *step >= raw * 0.999).unwrap_or(power * 10.0)
}

/// How the numbers along an axis are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// As they are.
    Number,
    /// As percentages.
    Percent,
}

impl Unit {
    fn write(self, value: f64) -> String {
        let value = if self == Unit::Percent { value * 100.0 } else { value };
        // Ticks are round numbers: six digits take off what binary fractions add.
        let shown = format!("{}", (value * 1e6).round() / 1e6 + 0.0).replace('-', "−");
        if self == Unit::Percent { format!("{shown}%") } else { shown }
    }
}

/// A drawing. Written out, it is an SVG element, named by the texts that the page puts beside it.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    /// The id of its title is this with `-t`, that of its description with `-d`.
    pub id: String,
    width: f64,
    height: f64,
    body: String,
}

impl Plot {
    pub fn new(id: String, width: f64, height: f64) -> Plot {
        Plot { id, width, height, body: String::new() }
    }

    /// A path; an empty one is not drawn.
    pub fn path(&mut self, class: &str, path: &Path) {
        if !path.0.is_empty() {
            let _ = write!(self.body, "<path class=\"{class}\" d=\"{}\"/>", path.0);
        }
    }

    /// Paths in units of `size`, from `origin` on.
    pub fn scaled(&mut self, origin: [f64; 2], size: f64, paths: &[(String, Path)]) {
        let ([x, y], size) = (origin.map(place), (size * 1e3).round() / 1e3);
        let _ = write!(self.body, "<g transform=\"translate({x} {y}) scale({size})\">");
        paths.iter().for_each(|(class, path)| self.path(class, path));
        self.body.push_str("</g>");
    }

    pub fn text(&mut self, class: &str, x: f64, y: f64, text: &Said) {
        let mut one = |lang: &str, text: &str| {
            let (x, y) = (place(x), place(y));
            let _ = write!(self.body, "<text{lang} class=\"{class}\" x=\"{x}\" y=\"{y}\">{}</text>", escaped(text));
        };
        if text.zh == text.en {
            one("", &text.en);
        } else {
            one(" lang=\"zh-CN\"", &text.zh);
            one(" lang=\"en\"", &text.en);
        }
    }

    /// Grid lines and numbers beside the vertical axis.
    pub fn rows(&mut self, y: &Scale, x: [f64; 2], unit: Unit) {
        let mut grid = Path::default();
        for tick in y.ticks() {
            grid.line([[x[0], y.at(tick)], [x[1], y.at(tick)]]);
            self.text("end", x[0] - 5.0, y.at(tick) + 3.5, &Said::same(unit.write(tick)));
        }
        self.path("grid", &grid);
    }

    /// Marks and numbers below the horizontal axis.
    pub fn columns(&mut self, x: &Scale, y: f64, unit: Unit) {
        let mut marks = Path::default();
        for tick in x.ticks() {
            marks.line([[x.at(tick), y], [x.at(tick), y + 4.0]]);
            self.text("mid", x.at(tick), y + 15.0, &Said::same(unit.write(tick)));
        }
        self.path("axis", &marks);
    }
}

impl Display for Plot {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result {
        let Plot { id, width, height, body } = self;
        write!(out, "<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{id}-t {id}-d\">{body}</svg>")
    }
}

impl HtmlSafe for Plot {}

/// A path of an SVG element.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Path(String);

impl From<String> for Path {
    /// The commands of a path, as SVG writes them.
    fn from(commands: String) -> Path {
        Path(commands)
    }
}

impl Path {
    /// A line through `points`.
    pub fn line(&mut self, points: impl IntoIterator<Item = [f64; 2]>) {
        for (i, [x, y]) in points.into_iter().enumerate() {
            let _ = write!(self.0, "{}{} {}", if i == 0 { 'M' } else { 'L' }, place(x), place(y));
        }
    }

    /// A closed surface with the given corners.
    pub fn surface(&mut self, points: impl IntoIterator<Item = [f64; 2]>) {
        self.line(points);
        self.0.push('Z');
    }

    /// A rectangle between two heights; one that would be invisible is not drawn.
    pub fn bar(&mut self, x: f64, width: f64, [a, b]: [f64; 2]) {
        if (a - b).abs() > 0.05 {
            let (x, y, width, height) = (place(x), place(a.min(b)), place(width), place((a - b).abs()));
            let _ = write!(self.0, "M{x} {y}h{width}v{height}h-{width}Z");
        }
    }

    /// A dot.
    pub fn dot(&mut self, x: f64, y: f64, radius: f64) {
        let (left, y, radius, across) = (place(x - radius), place(y), place(radius), place(2.0 * radius));
        let _ = write!(self.0, "M{left} {y}a{radius} {radius} 0 1 0 {across} 0a{radius} {radius} 0 1 0 -{across} 0");
    }

    /// A vertical whisker with short ends.
    pub fn whisker(&mut self, x: f64, [a, b]: [f64; 2], half_width: f64) {
        self.line([[x, a], [x, b]]);
        for end in [a, b] {
            self.line([[x - half_width, end], [x + half_width, end]]);
        }
    }
}

/// A coordinate: a tenth of a unit is enough.
fn place(x: f64) -> f64 {
    if x.is_finite() { (x * 10.0).round() / 10.0 + 0.0 } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_scale_holds_its_values_and_has_a_few_round_ticks(low in -1e6_f64..1e6, span in 0.0_f64..1e6) {
            let scale = Scale::around(low, low + span, [300.0, 10.0]);
            prop_assert!(scale.values[0] <= low + 1e-6 && scale.values[1] >= low + span - 1e-6);
            prop_assert!((10.0..=300.0).contains(&scale.at(low)));
            prop_assert!((1..=8).contains(&scale.ticks().len()), "{:?}", scale.ticks());
        }
    }

    #[test]
    fn ticks_are_written_round() {
        let scale = Scale::around(0.0, 0.28, [0.0, 100.0]);
        let written: Vec<String> = scale.ticks().into_iter().map(|t| Unit::Percent.write(t)).collect();
        assert_eq!(written, ["0%", "10%", "20%", "30%"]);
        assert_eq!(Unit::Number.write(-0.30000000000000004), "−0.3");
    }

    #[test]
    fn what_is_no_number_never_reaches_the_page_and_words_are_escaped() {
        let mut plot = Plot::new("p".into(), 100.0, 50.0);
        let mut path = Path::default();
        path.line([[f64::NAN, 1.0], [2.0, f64::INFINITY]]);
        plot.path("line", &path);
        plot.text("mid", f64::NAN, 1.0, &Said::new("<坏>", "<bad>"));
        let svg = plot.to_string();
        assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("<bad>"), "{svg}");
        assert_eq!(svg.matches("<text lang=").count(), 2);
    }
}
