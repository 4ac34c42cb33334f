//! What the tests share.

pub mod department;
pub mod gathering;
pub mod service;
