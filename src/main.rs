//! The `yuxin` command.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use yuxin::cli::{evaluate, score, train};

#[derive(Debug, Parser)]
#[command(name = "yuxin", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Train(train::TrainArgs),
    Evaluate(evaluate::EvaluateArgs),
    Score(score::ScoreArgs),
}

fn main() -> ExitCode {
    let done: anyhow::Result<()> = match Cli::parse().command {
        Command::Train(args) => train::run(args).map_err(Into::into),
        Command::Evaluate(args) => evaluate::run(args).map_err(Into::into),
        Command::Score(args) => score::run(args).map_err(Into::into),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
