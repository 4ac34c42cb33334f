//! The edge: the bank API, the console, the management listener. Nothing else names actix, and only `app` names this.

pub mod admit;
pub mod api;
pub mod auth;
pub mod body;
pub mod management;
pub mod office;
pub mod openapi;
pub mod problem;
pub mod quota;
pub mod reply;
pub mod watch;
pub mod words;
