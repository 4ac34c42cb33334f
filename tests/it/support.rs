//! What the tests share.

pub mod browser;
pub mod console;
pub mod department;
pub mod gathering;
pub mod postgres;
pub mod service;
pub mod specimen;
pub mod store;
