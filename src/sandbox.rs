//! The sandbox: departments to try Yuxin with, where no real ones are at hand.
//!
//! Either a synthetic [`District`], whose firms have a known truth and are made anew from a seed whenever one is asked for,
//! or a replay of [`RealFirms`] from a folder; [`Departments`] serves both in the same way over HTTP. docs/district.md tells
//! how the district is made and how close it is to real firms.

mod business;
mod codes;
mod course;
mod departments;
mod dice;
mod district;
mod industries;
mod life;
mod payments;
mod replay;
mod social_insurance;
mod tax;
mod traits;
mod truth;

pub use departments::{Departments, DepartmentsHandle};
pub use district::{District, SyntheticFirm};
pub use replay::{RealFirm, RealFirms, ReplayError};

/// What the departments know of.
#[derive(Debug, Clone)]
pub enum Served {
    /// A synthetic district.
    District(District),
    /// The firms of a folder.
    Replay(RealFirms),
}
