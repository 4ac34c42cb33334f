//! The commands, one file each.

pub mod evaluate;
pub mod progress;
pub mod score;
pub mod train;
