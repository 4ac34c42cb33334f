//! What several tests set up alike.

pub mod browser;
pub mod console;
pub mod specimen;
