//! The commands. Each module holds one command's arguments and its run; `main` only picks.

pub mod audit;
pub mod demo;
pub mod doctor;
pub mod evaluate;
pub mod export;
pub mod features;
pub mod interrupt;
pub mod keys;
pub mod progress;
pub mod rescore;
pub mod sandbox;
pub mod score;
pub mod serve;
pub mod train;
pub mod users;
