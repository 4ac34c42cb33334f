//! The commands: one file for each that is more than a few lines.

pub mod audit;
pub mod keys;
pub mod users;
