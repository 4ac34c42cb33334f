//! The sandbox: departments to try Yuxin with, where no real ones are at hand.
//!
//! Either a synthetic [`District`], whose firms have a known truth and are made anew from a seed whenever one is asked for,
//! or a replay of [`RealFirms`] from a folder; [`Departments`] serves both in the same way over HTTP. docs/district.md tells
//! how the district is made and how close it is to real firms. Beside either, a few reserved codes behave as banks' own tests need
//! them to (docs/reserved-codes.md).

mod business;
mod codes;
mod course;
mod departments;
mod dice;
mod district;
mod faults;
mod industries;
mod life;
mod marginals;
mod payments;
mod replay;
mod reserved;
mod social_insurance;
mod tax;
mod traits;
mod truth;

pub use codes::FIRMS_MAX;
pub use departments::{Departments, DepartmentsHandle};
pub use district::{District, SyntheticFirm};
pub use faults::{Department, Faults, FaultsError};
pub use marginals::{MEASURES, Marginals, Measure};
pub use replay::{RealFirm, RealFirms, ReplayError};

/// The seed of the district that documents, the demo and the shipped model speak of.
pub const DEFAULT_SEED: u64 = 330_604;
/// How many firms that district has.
pub const DEFAULT_FIRMS: u32 = 5_000;

/// What the departments know of.
#[derive(Debug, Clone)]
pub enum Served {
    /// A synthetic district.
    District(District),
    /// The firms of a folder.
    Replay(RealFirms),
}

impl Served {
    /// The same with records as of so many days earlier; a folder's records have the dates that they have.
    fn aged(&self, days: i32) -> Served {
        match self {
            Served::District(district) => Served::District(district.aged(days)),
            Served::Replay(firms) => Served::Replay(firms.clone()),
        }
    }
}
