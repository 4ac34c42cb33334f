//! What the tests share.

pub mod department;
pub mod gathering;
pub mod postgres;
pub mod service;
pub mod store;
