//! Promises of the running service, a file per promise.

mod office_browser;
mod office_pages;
mod support;
