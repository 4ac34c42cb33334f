//! `yuxin store`: backups of everything that is stored, and restoring them.

use std::path::PathBuf;

use clap::Subcommand;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use thiserror::Error;

use super::serve::ConfigArgs;
use crate::settings::{Settings, SettingsError};
use crate::store::backup::{self, BackupError};

/// Backups.
#[derive(Debug, Subcommand)]
pub enum StoreCommand {
    /// Writes everything stored, as it is at one instant, to one file, while the service works
    Backup {
        /// The file, which must not be there yet, or a folder to put it in.
        #[arg(value_name = "FILE|DIR")]
        target: PathBuf,
    },
    /// Restores a backup to the store that the settings name, SQLite or PostgreSQL, after checking it by its audit chain
    Restore {
        /// The backup.
        #[arg(value_name = "FILE")]
        file: PathBuf,
        /// Put what is there aside; without this a store that is not empty is refused.
        #[arg(long)]
        replace: bool,
    },
}

/// Why the command failed.
#[derive(Debug, Error)]
pub enum StoreCommandError {
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The backup.
    #[error(transparent)]
    Backup(#[from] BackupError),
}

/// Does what the command says; prints the head of the audit chain on stdout, the rest on stderr.
///
/// # Errors
/// [`StoreCommandError`], for stderr and exit code 1.
pub async fn run(config: &ConfigArgs, command: StoreCommand) -> Result<(), StoreCommandError> {
    let settings = Settings::load(config.config.as_deref())?;
    let url = settings.store.url.expose_secret();
    match command {
        StoreCommand::Backup { target } => {
            let made = backup::back_up(url, &target, Timestamp::now()).await?;
            for (table, rows) in &made.rows {
                eprintln!("{rows}\t{table}");
            }
            eprintln!("{} holds the store up to this head of its audit chain:", made.path.display());
            println!("{}:{}", made.head_seq, made.head_hash);
        }
        StoreCommand::Restore { file, replace } => {
            let restored = backup::restore(url, &file, replace, Timestamp::now()).await?;
            eprintln!("{} rows restored as they were at {}", restored.rows, restored.made_at);
            if let Some(aside) = restored.put_aside {
                eprintln!("what was there before is kept as {aside}");
            }
            eprintln!("{} entries of the audit chain, intact, up to this head:", restored.entries);
            println!("{}:{}", restored.head_seq, restored.head_hash);
        }
    }
    Ok(())
}
