//! One test binary: a file per promise, and what they share in `support`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may end at what it did not expect")]

mod architecture;
mod decisions;
mod office_browser;
mod office_pages;
mod sources_faults;
mod sources_gathering;
mod support;
