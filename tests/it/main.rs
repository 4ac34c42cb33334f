//! One test binary: a file per promise, and what they share in `support`.
#![allow(clippy::unwrap_used, clippy::expect_used)] // what is shared by tests panics as tests do

mod store_audit;
mod store_cases;
mod store_commands;
mod store_consents;
mod store_decisions;
mod store_keys;
mod store_users;
mod store_writer;
mod support;
