//! Yuxin.
pub mod app;
pub mod cli;
pub mod data;
pub mod decide;
pub mod domain;
pub mod features;
pub mod http;
pub mod model;
pub mod observe;
pub mod policy;
pub mod sandbox;
pub mod settings;
pub mod sources;
pub mod store;
