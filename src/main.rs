//! `yuxin`: commands; nothing else.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use yuxin::cli::audit::AuditCommand;
use yuxin::cli::serve::ConfigArgs;
use yuxin::cli::{
    audit, check, consents, decisions, demo, doctor, evaluate, export, features, keys, ledger, rescore, sandbox, score,
    serve, sources, store, train, users, verify, webhooks,
};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Yuxin (虞信): credit scoring for small and micro firms
#[derive(Parser)]
#[command(version, about, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Everything embedded, without configuration: departments, store, console; makes a decision and goes on serving
    Demo(demo::DemoArgs),
    /// The service
    Serve(ConfigArgs),
    /// The departments alone, synthetic or of a folder of real firms
    Sandbox(sandbox::SandboxArgs),
    /// Train a model on any CSV
    Train(train::TrainArgs),
    /// Measure a model on labelled data
    Evaluate(evaluate::EvaluateArgs),
    /// Score a file
    Score(score::ScoreArgs),
    /// Write a model for other engines: PMML or SQL
    Export(export::ExportArgs),
    /// The feature matrix of many firms
    Features(features::FeaturesArgs),
    /// Recompute a recorded decision offline, and show which fact moved which points
    Verify(verify::VerifyArgs),
    /// Records of decisions
    Decisions {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(subcommand)]
        command: decisions::DecisionsCommand,
    },
    /// Consents of firms
    Consents {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(subcommand)]
        command: consents::ConsentsCommand,
    },
    /// Every look at a firm, to be given to it
    Ledger {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(flatten)]
        args: ledger::LedgerArgs,
    },
    /// API keys of banks
    Keys {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(subcommand)]
        command: keys::KeysCommand,
    },
    /// Users of the console
    Users {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(subcommand)]
        command: users::UsersCommand,
    },
    /// The audit chain
    Audit {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(subcommand)]
        command: audit::AuditCommand,
    },
    /// Backups of everything stored
    Store {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(subcommand)]
        command: store::StoreCommand,
    },
    /// Judge decisions again whose adverse facts have expired, or the whole portfolio anew
    Rescore(rescore::RescoreArgs),
    /// The settings
    Config {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// The departments: asked by hand, and replies of theirs that were not scored
    Sources {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(subcommand)]
        command: sources::SourcesCommand,
    },
    /// Webhooks of banks, and the key under which their secrets lie
    Webhooks {
        #[command(flatten)]
        config: ConfigArgs,
        #[command(subcommand)]
        command: webhooks::WebhooksCommand,
    },
    /// Check everything that serving needs, from settings to departments
    Doctor(ConfigArgs),
}

#[derive(Subcommand)]
enum ConfigCommand {
    /// Read the settings and the files that they name; say what is wrong. With --sample, map a department's reply offline
    Check(check::CheckArgs),
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("yuxin: no runtime: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(run(cli.command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("yuxin: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> anyhow::Result<()> {
    match command {
        Command::Demo(args) => demo::run(args).await?,
        Command::Serve(args) => serve::run(args).await?,
        Command::Sandbox(args) => sandbox::run(args).await?,
        Command::Train(args) => train::run(args)?,
        Command::Evaluate(args) => evaluate::run(args)?,
        Command::Score(args) => score::run(args)?,
        Command::Export(args) => export::run(&args)?,
        Command::Features(args) => features::run(&args)?,
        Command::Verify(args) => verify::run(&args)?,
        Command::Decisions { config, command } => decisions::run(command, &serve::open_store(&config).await?).await?,
        Command::Consents { config, command } => consents::run(command, &serve::open_store(&config).await?).await?,
        Command::Ledger { config, args } => ledger::run(args, &serve::open_store(&config).await?).await?,
        Command::Keys { config, command } => keys::run(command, &serve::open_store(&config).await?).await?,
        Command::Users { config, command } => users::run(command, &serve::open_store(&config).await?).await?,
        Command::Audit { config, command: AuditCommand::Verify(args) } => {
            audit::verify(args, &serve::open_store(&config).await?).await?;
        }
        Command::Audit { config: _, command: AuditCommand::Key { file } } => audit::make_key(&file)?,
        Command::Store { config, command } => store::run(&config, command).await?,
        Command::Config { config, command: ConfigCommand::Check(args) } => check::run(&config, &args)?,
        Command::Sources { config, command } => sources::run(&config, command).await?,
        Command::Webhooks { config, command } => webhooks::run(&config, command).await?,
        Command::Rescore(args) => rescore::run(&args).await?,
        Command::Doctor(args) => doctor::run(&args).await?,
    }
    Ok(())
}
