//! A chart with what the page says beside it.

use super::plot::Plot;
use super::said::Said;

/// A drawing with its title, what it shows in words, and its legend.
pub struct Chart {
    pub title: Said,
    pub told: Said,
    pub legend: Vec<Swatch>,
    pub plot: Plot,
}

/// An entry of a legend.
pub struct Swatch {
    /// How it is drawn.
    pub class: String,
    pub name: Said,
}

impl Swatch {
    pub fn line(class: &str, zh: &'static str, en: &'static str) -> Swatch {
        Swatch { class: format!("line-{class}"), name: Said::new(zh, en) }
    }

    pub fn area(class: &str, zh: &'static str, en: &'static str) -> Swatch {
        Swatch { class: format!("area-{class}"), name: Said::new(zh, en) }
    }
}
