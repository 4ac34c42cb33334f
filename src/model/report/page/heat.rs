//! Grids whose cells are coloured by their value: pairs of features, correlations.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::names::group_name;
use super::plot::{Path, Plot};
use super::said::{Figures, Said};
use crate::model::report::{Dependence, PairTable};

/// Steps of colour on either side of 0.
const STEPS: f64 = 5.0;
/// Grids with more cells are drawn without numbers: they would be too small to read and make the file large.
const WRITTEN_CELLS_MAX: usize = 144;
/// Width of a drawing and the height of its legend.
const WIDTH: f64 = 360.0;

/// A grid.
pub struct Heat {
    pub id: String,
    pub title: Said,
    pub told: Said,
    /// Names of rows and columns.
    pub corner: Said,
    pub columns: Vec<Said>,
    pub rows: Vec<(Said, Vec<HeatCell>)>,
    /// Mean distance of a row's points from the average.
    pub importance: f64,
    /// Instead of the rows, where they are too many.
    pub plot: Option<Plot>,
    /// What rows and columns of the drawing hold, by their numbers.
    pub names: Vec<(Said, Vec<Said>)>,
}

/// A cell with its numbers.
pub struct HeatCell {
    pub class: String,
    pub value: String,
    pub count: Option<String>,
}

/// The colour class of a value: `n5` to `n1` below 0, `z`, `p1` to `p5` above.
fn class(value: f64, largest: f64) -> String {
    let step = if largest > 0.0 { (value / largest * STEPS).round().clamp(-STEPS, STEPS) as i32 } else { 0 };
    match step {
        0 => "z".to_owned(),
        step if step > 0 => format!("p{step}"),
        step => format!("n{}", -step),
    }
}

/// The table of two features.
pub fn of_pair(pair: &PairTable, place: usize) -> Heat {
    let [low, high] = pair.range;
    let largest = low.abs().max(high.abs());
    let (fewest, most) = (Figures.points(low), Figures.points(high));
    let cells = pair.points.iter().map(Vec::len).sum::<usize>();
    let title = Said::same(format!("{} × {}", pair.first, pair.second));
    let mut heat = Heat {
        id: format!("pair-{place}"),
        told: Said::new(
            format!(
                "行为 {}，列为 {}；分值从 {fewest} 到 {most}，叠加在两项特征各自的分值之上。",
                pair.first, pair.second
            ),
            format!(
                "Rows are {}, columns {}; from {fewest} to {most} points, on top of those of either feature.",
                pair.first, pair.second
            ),
        ),
        title,
        corner: Said::same(format!("{} \\ {}", pair.first, pair.second)),
        columns: pair.columns.iter().map(group_name).collect(),
        rows: Vec::new(),
        importance: pair.importance,
        plot: None,
        names: Vec::new(),
    };
    let cell = |points: f64, count: u64| (count > 0).then(|| class(points, largest));
    if cells > WRITTEN_CELLS_MAX {
        let grid: Vec<Vec<Option<String>>> = (pair.points.iter().zip(&pair.counts))
            .map(|(points, counts)| points.iter().zip(counts).map(|(points, count)| cell(*points, *count)).collect())
            .collect();
        heat.plot = Some(draw(&heat.id, &grid));
        let side = |feature: &String, groups: &[crate::model::report::Group]| {
            (Said::same(feature.clone()), groups.iter().map(group_name).collect())
        };
        heat.names = vec![side(&pair.first, &pair.rows), side(&pair.second, &pair.columns)];
        return heat;
    }
    for ((group, points), counts) in pair.rows.iter().zip(&pair.points).zip(&pair.counts) {
        let written = points.iter().zip(counts).map(|(points, count)| HeatCell {
            class: cell(*points, *count).unwrap_or_else(|| "void".to_owned()),
            value: Figures.points(*points),
            count: Some(Figures.count(*count)),
        });
        heat.rows.push((group_name(group), written.collect()));
    }
    heat
}

/// The correlations; `None` where there is only one feature.
pub fn of_correlations(of: &Dependence) -> Option<Heat> {
    if of.features.len() < 2 {
        return None;
    }
    let mut heat = Heat {
        id: "correlations".to_owned(),
        title: Said::new("特征分值的相关系数", "Correlations of the features' points"),
        told: Said::new(
            format!("最重要的 {} 项特征，按重要性排序。蓝色为正相关，橙色为负相关。", of.features.len()),
            format!(
                "The {} most important features, most important first. Blue is positive, orange negative.",
                of.features.len()
            ),
        ),
        corner: Said::new("特征", "Feature"),
        columns: (1..=of.features.len()).map(|i| Said::same(i.to_string())).collect(),
        rows: Vec::new(),
        importance: 0.0,
        plot: None,
        names: Vec::new(),
    };
    if of.features.len().pow(2) > 2 * WRITTEN_CELLS_MAX {
        let lower = |(i, row): (usize, &Vec<Option<f64>>)| {
            row.iter().enumerate().map(|(j, r)| r.filter(|_| j <= i).map(|r| class(r, 1.0))).collect()
        };
        let grid: Vec<Vec<Option<String>>> = of.matrix.iter().enumerate().map(lower).collect();
        heat.plot = Some(draw(&heat.id, &grid));
        heat.names =
            vec![(Said::new("特征", "Features"), of.features.iter().map(|of| Said::same(of.clone())).collect())];
        return Some(heat);
    }
    for (i, (name, row)) in of.features.iter().zip(&of.matrix).enumerate() {
        let cells = row.iter().take(i + 1).map(|r| HeatCell {
            class: r.map_or_else(|| "void".to_owned(), |r| class(r, 1.0)),
            value: Figures.maybe(*r, 2),
            count: None,
        });
        heat.rows.push((Said::same(format!("{} {name}", i + 1)), cells.collect()));
    }
    Some(heat)
}

/// The cells as thick lines, one path a colour and one stroke for neighbours of one colour in a row: a grid of chance with thousands
/// of cells stays within some ten kilobytes.
fn draw(id: &str, grid: &[Vec<Option<String>>]) -> Plot {
    let across = grid.iter().map(Vec::len).max().unwrap_or(0).max(1);
    let (left, top) = (28.0, 18.0);
    // The last column's number reaches beyond its column.
    let size = ((WIDTH - left - 8.0) / across as f64).min(24.0);
    let mut plot = Plot::new(id.to_owned(), WIDTH, top + size * grid.len() as f64 + 2.0);
    let mut strokes: BTreeMap<&str, Strokes> = BTreeMap::new();
    for (y, row) in grid.iter().enumerate() {
        let mut x = 0;
        for run in row.chunk_by(|a, b| a == b) {
            if let Some(Some(class)) = run.first() {
                strokes.entry(class).or_default().add(x, y, run.len());
            }
            x += run.len();
        }
    }
    let scaled: Vec<(String, Path)> =
        strokes.into_iter().map(|(class, strokes)| (format!("heat {class}"), Path::from(strokes.path))).collect();
    plot.scaled([left, top + size / 2.0], size, &scaled);
    let every = ((14.0 / size).ceil() as usize).max(1);
    for i in (0..across).step_by(every) {
        plot.text("mid", left + size * (i as f64 + 0.5), 12.0, &Said::same((i + 1).to_string()));
    }
    for i in (0..grid.len()).step_by(every) {
        plot.text("end", left - 4.0, top + size * (i as f64 + 0.5) + 4.0, &Said::same((i + 1).to_string()));
    }
    plot
}

/// Horizontal strokes on a grid of units, from left to right and from top to bottom.
#[derive(Default)]
struct Strokes {
    path: String,
    /// Where the pen is.
    pen: [usize; 2],
}

impl Strokes {
    fn add(&mut self, x: usize, y: usize, length: usize) {
        let _ = match self.pen {
            [at, row] if row == y && !self.path.is_empty() => write!(self.path, "m{} 0h{length}", x - at),
            _ => write!(self.path, "M{x} {y}h{length}"),
        };
        self.pen = [x + length, y];
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::report::{Group, Span};

    fn pair(side: usize) -> PairTable {
        let group =
            |i: usize| Group { spans: vec![Span::Numbers { from: Some(i as f64), below: Some(i as f64 + 1.0) }] };
        PairTable {
            first: "<a>".into(),
            second: "b".into(),
            importance: 1.0,
            range: [-4.0, 4.0],
            rows: (0..side).map(group).collect(),
            columns: (0..side).map(group).collect(),
            points: (0..side).map(|i| (0..side).map(|j| if i == j { 4.0 } else { -4.0 }).collect()).collect(),
            counts: (0..side).map(|i| (0..side).map(|j| u64::from(i + j > 0)).collect()).collect(),
        }
    }

    #[test]
    fn a_small_grid_is_written_out_and_a_large_one_drawn_in_few_bytes() {
        let small = of_pair(&pair(3), 0);
        assert!(small.plot.is_none() && small.rows.len() == 3);
        assert_eq!((small.rows[0].1[0].class.as_str(), small.rows[1].1[1].class.as_str()), ("void", "p5"));
        let large = of_pair(&pair(60), 0);
        assert!(large.rows.is_empty());
        let drawn = large.plot.unwrap().to_string();
        assert!(
            drawn.contains("d=\"M1 0h59M0 1h1m1 0h58M")
                && drawn.len() < 8000
                && drawn.contains("heat n5")
                && drawn.contains("heat p5"),
            "{}",
            drawn.len()
        );
    }

    #[test]
    fn colours_reach_from_the_lowest_to_the_highest() {
        assert_eq!([-2.0, -0.1, 0.0, 1.0, 2.0].map(|x| class(x, 2.0)), ["n5", "z", "z", "p3", "p5"]);
        assert_eq!(class(0.0, 0.0), "z");
    }
}
