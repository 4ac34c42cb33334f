//! One test binary: a file per promise, and what they share in `support`.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test may end at what it did not expect")]

mod architecture;
mod bad_rows;
mod batch_scoring;
mod decisions;
mod durability;
mod export_command;
mod export_pmml;
mod export_sql;
mod fault_lab;
mod model_additive;
mod model_files;
mod model_serving;
mod model_training;
mod odd_requests;
mod office_browser;
mod office_pages;
#[cfg(feature = "parquet")]
mod parquet_files;
mod real_firms;
mod report_browser;
mod report_figures;
mod sandbox_departments;
mod sandbox_district;
mod sandbox_marginals;
mod sandbox_replay;
mod sources_faults;
mod sources_gathering;
mod sources_sandbox;
mod store_audit;
mod store_cases;
mod store_commands;
mod store_consents;
mod store_decisions;
mod store_keys;
mod store_users;
mod store_writer;
mod support;
mod watch;
