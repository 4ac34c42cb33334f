//! One test binary: a file per promise.
#![allow(clippy::unwrap_used)] // a test that cannot go on says so best by panicking

mod model_files;
mod model_serving;
mod model_training;
