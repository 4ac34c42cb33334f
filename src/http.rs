//! (to come)

pub mod office;
pub mod words;
