//! The model: an intercept plus a sum of lookup tables, in points.
//!
//! Every model that is served gives points to the bin that a feature's value falls into, one table a feature and some a pair of
//! features, and adds them to an intercept. The sum is the score; the probability of default follows from it by the scaling alone. Training (`train` and
//! what it uses) makes an [`Artifact`], one JSON file; serving ([`Model`]) reads it, verifies it, and knows nothing of how it
//! was trained. The artifact is described field by field in `models/README.md`.
//!
//! Points are multiples of 1/64, so that sums of them are exact in `f64`: whatever adds them up, in whatever order, gets the
//! same bits. Everything here is pure but for [`Model::load`], which reads one file: no clock, no network, no randomness that
//! a seed does not fix.

pub mod additive;
pub mod artifact;
pub mod bins;
pub mod bootstrap;
pub mod calibrate;
pub mod chance;
pub mod check;
pub mod collinear;
pub mod columnar;
pub mod dataset;
mod doubts;
pub mod export;
pub mod fit;
pub mod folds;
pub mod golden;
pub mod goodness;
mod interval;
mod lookup;
pub mod measure;
mod newton;
pub mod period;
mod regime;
pub mod report;
pub mod scaling;
pub mod scorecard;
pub mod screen;
pub mod serve;
pub mod spec;
mod tables;
pub mod train;
pub mod woe;

pub use artifact::{Artifact, GradeBand};
pub use check::ModelError;
pub use scaling::Scaling;
pub use serve::{BadValue, Model, PointsLost, Score, TablePoints};

/// One input of a model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Not known. Never the same as zero.
    Missing,
    /// A number. NaN counts as missing; infinities fall into the outer bins.
    Number(f64),
    /// A word. Spaces around it do not count.
    Text(&'a str),
}

/// The columns that scoring adds to a file.
pub const SCORED_COLUMNS: [&str; 7] = ["pd", "score", "grade", "reason_1", "reason_2", "reason_3", "reason_4"];

/// The reason code of a feature: its name in capitals.
pub fn reason_code(feature: &str) -> String {
    feature.to_uppercase()
}
