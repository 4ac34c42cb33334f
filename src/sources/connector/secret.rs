//! Secrets of the configuration: named there, kept elsewhere, never printed.

use std::path::Path;

use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// A secret as written: `{ env = "NAME" }`, `{ file = "path" }`, or a text, which is warned of.
#[derive(Deserialize)]
#[serde(untagged, expecting = "expected { env = \"NAME\" } or { file = \"path\" }")]
pub(super) enum SecretWire {
    Env(EnvWire),
    File(FileWire),
    Plain(SecretString),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EnvWire {
    env: SecretString,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileWire {
    file: String,
}

/// Where secrets are looked for, and what was noticed on the way.
pub(super) struct Keeper<'a> {
    /// The folder of the connectors' file, which paths are relative to.
    pub(super) folder: &'a Path,
    /// What is wrong.
    pub(super) problems: Vec<String>,
    /// What should be otherwise.
    pub(super) warnings: Vec<String>,
}

impl Keeper<'_> {
    /// The secret at the key `path`.
    pub(super) fn secret(&mut self, path: &str, wire: SecretWire) -> SecretString {
        let found = match wire {
            SecretWire::Plain(secret) => {
                self.warnings.push(format!(
                    "{path} is written in the file itself; {{ env = \"NAME\" }} or {{ file = \"path\" }} keeps it out"
                ));
                Ok(secret)
            }
            // The name is not repeated: whoever writes the secret itself there would read it in a log.
            SecretWire::Env(EnvWire { env }) => std::env::var(env.expose_secret())
                .map(SecretString::from)
                .map_err(|_| format!("{path}: the environment variable that `env` names is not set")),
            SecretWire::File(FileWire { file }) => {
                self.bytes(path, &file).and_then(|bytes| match String::from_utf8(bytes) {
                    // Editors end files with a line feed, which is no part of a secret.
                    Ok(text) => Ok(SecretString::from(text.trim_end_matches(['\r', '\n']))),
                    Err(_) => Err(format!("{path}: the file {file} is not text")),
                })
            }
        };
        match found {
            Ok(secret) if secret.expose_secret().is_empty() => {
                self.problems.push(format!("{path}: the secret is empty"));
                secret
            }
            Ok(secret) => secret,
            Err(problem) => {
                self.problems.push(problem);
                SecretString::from("")
            }
        }
    }

    /// The bytes of a file, for instance a certificate; empty where it cannot be read.
    pub(super) fn file(&mut self, path: &str, file: &str) -> Vec<u8> {
        self.bytes(path, file).unwrap_or_else(|problem| {
            self.problems.push(problem);
            Vec::new()
        })
    }

    fn bytes(&self, path: &str, file: &str) -> Result<Vec<u8>, String> {
        std::fs::read(self.folder.join(file))
            .map_err(|error| format!("{path}: the file {file} cannot be read: {error}"))
    }
}
