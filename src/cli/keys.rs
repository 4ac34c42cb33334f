//! `yuxin keys`: API keys of banks.

use clap::Subcommand;
use jiff::Timestamp;
use secrecy::ExposeSecret;
use thiserror::Error;

use crate::domain::KeyId;
use crate::store::{Store, StoreError};

/// API keys of banks.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Makes a key for a bank (and the bank, when it is new) and prints it, alone, on stdout. It is shown only once.
    Create {
        /// The bank's name.
        #[arg(long, value_name = "NAME")]
        bank: String,
    },
    /// Lists the keys: id, bank, first characters, made, revoked.
    List,
    /// Revokes a key.
    Revoke {
        /// The key's id, as `keys list` shows it.
        id: KeyId,
    },
}

/// Why a command about keys failed.
#[derive(Debug, Error)]
pub enum KeysError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such key.
    #[error("there is no key {0}, or it is revoked already")]
    NoSuchKey(KeyId),
}

/// Does what the command says.
///
/// # Errors
/// [`KeysError`], for stderr and exit code 1.
pub async fn run(command: KeysCommand, store: &Store) -> Result<(), KeysError> {
    match command {
        KeysCommand::Create { bank } => {
            let key = store.create_key(&bank, Timestamp::now()).await?;
            eprintln!("key {} for {}; keep it safe, it is not shown again:", key.info.id, key.info.bank_name);
            println!("{}", key.secret.expose_secret());
        }
        KeysCommand::List => {
            println!("id\tbank\tbegins\tcreated_at\trevoked_at");
            for key in store.list_keys().await? {
                let revoked = key.revoked_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
                println!("{}\t{}\t{}\t{}\t{revoked}", key.id, key.bank_name, key.hint, key.created_at);
            }
        }
        KeysCommand::Revoke { id } => {
            if !store.revoke_key(id, Timestamp::now()).await? {
                return Err(KeysError::NoSuchKey(id));
            }
            eprintln!("key {id} is revoked");
        }
    }
    Ok(())
}
