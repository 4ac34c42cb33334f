//! `yuxin users`: people who work in the console.

use std::io::{BufRead, IsTerminal};

use clap::Subcommand;
use jiff::Timestamp;
use rand::distributions::{Alphanumeric, DistString};
use rand::rngs::OsRng;
use secrecy::{ExposeSecret, SecretString};
use thiserror::Error;

use crate::domain::Role;
use crate::store::{Store, StoreError};

/// Characters of a password that is made here: 119 bits.
const MADE_CHARS: usize = 20;

/// People who work in the console.
#[derive(Debug, Subcommand)]
pub enum UsersCommand {
    /// Makes a user. Without --password-stdin a password is made and printed, alone, on stdout.
    Create {
        /// The login name.
        #[arg(long)]
        name: String,
        /// officer, supervisor, observer or admin.
        #[arg(long)]
        role: Role,
        /// Reads the password from the first line of stdin; at least 12 characters.
        #[arg(long)]
        password_stdin: bool,
    },
    /// Lists the users: name, role, made, disabled.
    List,
    /// Disables a user for good and ends the user's sessions.
    Disable {
        /// The login name.
        name: String,
    },
    /// Gives a user a new password and ends the user's sessions; made and printed unless --password-stdin is given.
    Password {
        /// The login name.
        name: String,
        /// Reads the password from the first line of stdin; at least 12 characters.
        #[arg(long)]
        password_stdin: bool,
    },
}

/// Why a command about users failed.
#[derive(Debug, Error)]
pub enum UsersError {
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// There is no such user.
    #[error("there is no user {0:?}, or the user is disabled already")]
    NoSuchUser(String),
    /// No password came.
    #[error("no password could be read from stdin")]
    NoPassword,
}

/// Does what the command says.
///
/// # Errors
/// [`UsersError`], for stderr and exit code 1.
pub async fn run(command: UsersCommand, store: &Store) -> Result<(), UsersError> {
    match command {
        UsersCommand::Create { name, role, password_stdin } => {
            let password = password(password_stdin)?;
            let user = store.create_user(&name, role, &password, Timestamp::now()).await?;
            eprintln!("user {} ({}) is made", user.name, user.role);
            show(&password, password_stdin);
        }
        UsersCommand::List => {
            println!("name\trole\tcreated_at\tdisabled_at");
            for info in store.list_users().await? {
                let disabled = info.disabled_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
                println!("{}\t{}\t{}\t{disabled}", info.user.name, info.user.role, info.created_at);
            }
        }
        UsersCommand::Disable { name } => {
            if !store.disable_user(&name, Timestamp::now()).await? {
                return Err(UsersError::NoSuchUser(name));
            }
            eprintln!("user {name} is disabled");
        }
        UsersCommand::Password { name, password_stdin } => {
            let password = password(password_stdin)?;
            store.set_password(&name, &password, Timestamp::now()).await?;
            eprintln!("user {name} has a new password and must log in again");
            show(&password, password_stdin);
        }
    }
    Ok(())
}

fn password(from_stdin: bool) -> Result<SecretString, UsersError> {
    if !from_stdin {
        return Ok(Alphanumeric.sample_string(&mut OsRng, MADE_CHARS).into());
    }
    let stdin = std::io::stdin().lock();
    if stdin.is_terminal() {
        eprintln!("password (it is shown while you type):");
    }
    let line = stdin.lines().next().and_then(Result::ok).ok_or(UsersError::NoPassword)?;
    Ok(line.trim_end_matches('\r').into())
}

fn show(password: &SecretString, from_stdin: bool) {
    if !from_stdin {
        println!("{}", password.expose_secret());
    }
}
