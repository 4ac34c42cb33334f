//! Settings: commented defaults compiled in, then a file, then the environment. Anything bad or unknown refuses to start.

mod sources;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use thiserror::Error;

pub use sources::{SourceSettings, SourcesSettings};

/// The defaults, documented line by line.
pub const DEFAULTS: &str = include_str!("../config/yuxin.toml");
/// The file that `serve` reads when it is there and no other is named.
pub const DEFAULT_FILE: &str = "config/yuxin.toml";
/// Where the model lies by default; where no file is there, the one compiled in is used.
pub const DEFAULT_MODEL_FILE: &str = "models/district-scorecard.json";
/// Where the policy lies by default; where no file is there, the one compiled in is used.
pub const DEFAULT_POLICY_FILE: &str = "config/policy.toml";

/// Where the connectors lie by default; where no file is there, all departments have the standard shape.
pub const DEFAULT_CONNECTORS_FILE: &str = "config/sources.toml";

/// All settings. Each key is documented in `config/yuxin.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // every key is documented in config/yuxin.toml, its one place
pub struct Settings {
    pub log: String,
    pub server: ServerSettings,
    pub management: ManagementSettings,
    pub store: StoreSettings,
    pub audit: AuditSettings,
    pub model: ModelSettings,
    pub policy: PolicySettings,
    pub batches: BatchesSettings,
    pub portfolio: PortfolioSettings,
    pub sources: SourcesSettings,
    pub disputes: DisputesSettings,
    pub webhooks: WebhooksSettings,
}

/// `[server]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // as above
pub struct ServerSettings {
    pub listen: SocketAddr,
    pub workers: usize,
    pub body_bytes_max: usize,
    pub body_timeout_ms: u64,
    pub quota_per_second: u32,
    pub quota_burst: u32,
    #[serde(default)]
    pub quotas: BTreeMap<String, QuotaSettings>,
    pub wait_ms_max: u64,
    pub delay_ms_target: u64,
    pub header_timeout_ms: u64,
    pub keep_alive_seconds: u64,
    pub connections_max: usize,
    pub drain_notice_seconds: u64,
    pub drain_idle_seconds: u64,
    pub drain_seconds: u64,
    pub secure_cookies: bool,
}

/// `[server.quotas."NAME OF THE BANK"]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // as above
pub struct QuotaSettings {
    pub per_second: u32,
    pub burst: u32,
}

/// `[management]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // as above
pub struct ManagementSettings {
    pub listen: SocketAddr,
}

/// `[store]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // as above
pub struct StoreSettings {
    pub url: secrecy::SecretString,
}

/// `[audit]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // as above
pub struct AuditSettings {
    pub checkpoint_key: PathBuf,
    pub checkpoint_path: PathBuf,
    pub checkpoint_rows: u32,
    pub checkpoint_seconds: u64,
}

/// `[model]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // as above
pub struct ModelSettings {
    pub path: PathBuf,
}

/// `[policy]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // as above
pub struct PolicySettings {
    pub path: PathBuf,
}

/// `[batches]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // as above
pub struct BatchesSettings {
    pub bytes_max: usize,
    pub rows_max: u64,
    pub body_timeout_ms: u64,
    pub waiting_rows_max: u64,
    pub workers: usize,
    pub keep_days: u32,
}

/// `[portfolio]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // as above
pub struct PortfolioSettings {
    pub rescore_every_days: u32,
}

/// `[disputes]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // as above
pub struct DisputesSettings {
    pub open_max: u32,
}

/// `[webhooks]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // as above
pub struct WebhooksSettings {
    pub allow_http: bool,
    pub allow_private: String,
    pub authorities: String,
    pub secret_keys: secrecy::SecretString,
    pub connect_timeout_ms: u64,
    pub timeout_ms: u64,
    pub concurrent_max: usize,
    pub concurrent_each_max: u32,
    pub retry_schedule: String,
    pub disable_after_days: u32,
    pub keep_days: u32,
}

/// Settings that cannot be used.
#[derive(Debug, Error)]
pub enum SettingsError {
    /// The file is not there or not TOML, a key is unknown, or a value is of the wrong kind.
    #[error("the settings cannot be read: {0}")]
    Read(#[from] config::ConfigError),
    /// A value is out of its range.
    #[error("setting {key} is {value}: {hint}")]
    Value {
        /// The key, for instance `sources.try_timeout_ms`.
        key: String,
        /// The value found.
        value: String,
        /// What it must be.
        hint: &'static str,
    },
}

impl Settings {
    /// Reads the defaults, then `file` (or [`DEFAULT_FILE`] where it is there and `file` is `None`), then the environment.
    pub fn load(file: Option<&Path>) -> Result<Settings, SettingsError> {
        let mut builder =
            config::Config::builder().add_source(config::File::from_str(DEFAULTS, config::FileFormat::Toml));
        builder = match file {
            Some(path) => builder.add_source(config::File::from(path).format(config::FileFormat::Toml)),
            None => builder.add_source(
                config::File::from(Path::new(DEFAULT_FILE)).format(config::FileFormat::Toml).required(false),
            ),
        };
        let environment =
            config::Environment::with_prefix("YUXIN").prefix_separator("_").separator("__").try_parsing(true);
        Settings::from_config(builder.add_source(environment.source(Some(yuxin_environment()))).build()?)
    }

    /// The compiled-in defaults with `overrides` (TOML) on top; no file, no environment. For the demo and for tests.
    pub fn with_overrides(overrides: &str) -> Result<Settings, SettingsError> {
        let builder = config::Config::builder()
            .add_source(config::File::from_str(DEFAULTS, config::FileFormat::Toml))
            .add_source(config::File::from_str(overrides, config::FileFormat::Toml));
        Settings::from_config(builder.build()?)
    }

    fn from_config(config: config::Config) -> Result<Settings, SettingsError> {
        let settings: Settings = config.try_deserialize()?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), SettingsError> {
        self.sources.check()?;
        if !(1024..=64 << 20).contains(&self.server.body_bytes_max) {
            return refuse(
                "server.body_bytes_max",
                &self.server.body_bytes_max,
                "it must lie between 1024 and 67108864",
            );
        }
        let b = &self.batches;
        let batches: [(&str, u64, u64, u64, &'static str); 6] = [
            ("bytes_max", b.bytes_max as u64, 1024, 256 << 20, "it must lie between 1024 and 268435456"),
            ("rows_max", b.rows_max, 1, 1_000_000, "it must lie between 1 and 1000000"),
            ("body_timeout_ms", b.body_timeout_ms, 1000, 600_000, "it must lie between 1000 and 600000"),
            ("waiting_rows_max", b.waiting_rows_max, 1, 100_000_000, "it must lie between 1 and 100000000"),
            ("workers", b.workers as u64, 0, 256, "it must lie between 0 and 256"),
            ("keep_days", u64::from(b.keep_days), 1, 3650, "it must lie between 1 and 3650"),
        ];
        if let Some((key, value, .., hint)) = batches.iter().find(|(_, v, low, high, _)| !(low..=high).contains(&v)) {
            return refuse(format!("batches.{key}"), value, hint);
        }
        if self.portfolio.rescore_every_days > 3650 {
            return refuse(
                "portfolio.rescore_every_days",
                &self.portfolio.rescore_every_days,
                "it must lie between 0 and 3650",
            );
        }
        if !(1..=100).contains(&self.disputes.open_max) {
            return refuse("disputes.open_max", &self.disputes.open_max, "it must lie between 1 and 100");
        }
        if self.server.workers > 1024 {
            return refuse("server.workers", &self.server.workers, "it must lie between 0 and 1024");
        }
        let w = &self.webhooks;
        if !(1..=60_000).contains(&w.connect_timeout_ms) {
            return refuse("webhooks.connect_timeout_ms", &w.connect_timeout_ms, "it must lie between 1 and 60000");
        }
        if !(100..=60_000).contains(&w.timeout_ms) {
            return refuse("webhooks.timeout_ms", &w.timeout_ms, "it must lie between 100 and 60000");
        }
        if !(1..=4096).contains(&w.concurrent_max) {
            return refuse("webhooks.concurrent_max", &w.concurrent_max, "it must lie between 1 and 4096");
        }
        if !(1..=64).contains(&w.concurrent_each_max) {
            return refuse("webhooks.concurrent_each_max", &w.concurrent_each_max, "it must lie between 1 and 64");
        }
        if !(1..=365).contains(&w.disable_after_days) {
            return refuse("webhooks.disable_after_days", &w.disable_after_days, "it must lie between 1 and 365");
        }
        if !(7..=3650).contains(&w.keep_days) {
            return refuse("webhooks.keep_days", &w.keep_days, "it must lie between 7 and 3650");
        }
        let store = secrecy::ExposeSecret::expose_secret(&self.store.url);
        if !["sqlite://", "postgres://", "postgresql://"]
            .iter()
            .any(|s| store.strip_prefix(s).is_some_and(|r| !r.is_empty()))
        {
            return refuse(
                "store.url",
                &"not a store",
                "it must be sqlite://PATH or postgres://USER:PASSWORD@HOST/DATABASE",
            );
        }
        let audit = &self.audit;
        if audit.checkpoint_rows == 0 {
            return refuse("audit.checkpoint_rows", &audit.checkpoint_rows, "it must be at least 1");
        }
        if !(1..=86_400).contains(&audit.checkpoint_seconds) {
            return refuse(
                "audit.checkpoint_seconds",
                &audit.checkpoint_seconds,
                "it must lie between 1 and 86400, a day",
            );
        }
        if !audit.checkpoint_key.as_os_str().is_empty() && audit.checkpoint_path.as_os_str().is_empty() {
            return refuse("audit.checkpoint_path", &"empty", "it must name a file where checkpoint_key names a key");
        }
        if self.server.listen == self.management.listen && self.server.listen.port() != 0 {
            return refuse("management.listen", &self.management.listen, "it must differ from server.listen");
        }
        if self.server.quota_per_second == 0 || self.server.quota_burst == 0 {
            return refuse("server.quota_per_second", &self.server.quota_per_second, "quotas must be at least 1");
        }
        for (bank, quota) in &self.server.quotas {
            if quota.per_second == 0 || quota.burst == 0 {
                return refuse(format!("server.quotas.{bank:?}"), &0, "quotas must be at least 1");
            }
        }
        let at = &self.server;
        let between = |key: &'static str, value: u64, low: u64, high: u64, hint: &'static str| match value {
            value if (low..=high).contains(&value) => Ok(()),
            value => refuse(key, &value, hint),
        };
        between("server.wait_ms_max", at.wait_ms_max, 1, 60_000, "it must lie between 1 and 60000")?;
        between("server.delay_ms_target", at.delay_ms_target, 1, 10_000, "it must lie between 1 and 10000")?;
        between("server.body_timeout_ms", at.body_timeout_ms, 1, 600_000, "it must lie between 1 and 600000")?;
        between("server.header_timeout_ms", at.header_timeout_ms, 1, 600_000, "it must lie between 1 and 600000")?;
        between("server.keep_alive_seconds", at.keep_alive_seconds, 1, 86_400, "it must lie between 1 and 86400")?;
        between(
            "server.connections_max",
            at.connections_max as u64,
            1,
            1_000_000,
            "it must lie between 1 and 1000000",
        )?;
        between("server.drain_notice_seconds", at.drain_notice_seconds, 0, 600, "it must lie between 0 and 600")?;
        between("server.drain_idle_seconds", at.drain_idle_seconds, 0, 600, "it must lie between 0 and 600")?;
        Ok(())
    }
}

/// The `YUXIN_` variables that are settings; `YUXIN_DATA` names a data folder for tests and benchmarks.
fn yuxin_environment() -> std::collections::HashMap<String, String> {
    std::env::vars().filter(|(key, _)| key.starts_with("YUXIN_") && key != "YUXIN_DATA").collect()
}

/// Says which setting is out of its range.
fn refuse(key: impl Into<String>, value: &dyn ToString, hint: &'static str) -> Result<(), SettingsError> {
    Err(SettingsError::Value { key: key.into(), value: value.to_string(), hint })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_compiled_in_defaults_are_complete_and_valid() {
        let settings = Settings::with_overrides("").unwrap();
        assert_eq!(settings.server.listen.port(), 8080);
        assert_eq!(settings.sources.gather_timeout_ms, 2000);
    }

    #[test]
    fn unknown_keys_and_bad_values_are_refused_with_the_key_named() {
        for (overrides, named) in [
            ("[server]\nlisten_on = 1", "listen_on"),
            ("[server]\nlisten = \"everywhere\"", "server.listen"),
            ("[sources]\ngather_timeout_ms = 10", "sources.gather_timeout_ms"),
            ("[sources]\nrejected_keep_days = 0", "sources.rejected_keep_days"),
            ("[sources]\nrejected_reply_bytes_max = 16777217", "sources.rejected_reply_bytes_max"),
            ("[sources]\nrejected_firm_bytes_max = 3\nrejected_total_bytes_max = 2", "sources.rejected_firm_bytes_max"),
            ("[disputes]\nopen_max = 0", "disputes.open_max"),
            ("[sources.tax]\nbase_url = \"ftp://x\"", "base_url"),
            ("[sources.tax]\npath = \"/firms\"", "{uscc}"),
            ("[sources]\nconcurrent_max = 0", "sources.concurrent_max"),
            ("[sources]\ncache_seconds = 86401", "sources.cache_seconds"),
            ("[sources]\ncache_seconds_max = 604801", "sources.cache_seconds_max"),
            ("[sources]\ncache_absent_seconds = 301", "sources.cache_absent_seconds"),
            ("[sources]\ncache_stale_seconds = 604801", "sources.cache_stale_seconds"),
            ("[sources]\ncache_entries_max = 0", "sources.cache_entries_max"),
            ("[webhooks]\ntimeout_ms = 10", "webhooks.timeout_ms"),
            ("[webhooks]\nkeep_days = 1", "webhooks.keep_days"),
            ("[batches]\nrows_max = 0", "batches.rows_max"),
            ("[batches]\nworkers = 257", "batches.workers"),
            ("[batches]\nkeep_days = 0", "batches.keep_days"),
            ("[portfolio]\nrescore_every_days = 3651", "portfolio.rescore_every_days"),
            ("[server]\nwait_ms_max = 0", "server.wait_ms_max"),
            ("[server.quotas.A]\nper_second = 0\nburst = 1", "server.quotas"),
            ("[nonsense]\na = 1", "nonsense"),
            ("[store]\nurl = \"mysql://x\"", "store.url"),
            ("[audit]\ncheckpoint_rows = 0", "audit.checkpoint_rows"),
            ("[audit]\ncheckpoint_seconds = 0", "audit.checkpoint_seconds"),
            ("[audit]\ncheckpoint_key = \"k\"\ncheckpoint_path = \"\"", "audit.checkpoint_path"),
            ("[management]\nlisten = \"127.0.0.1:8080\"", "management.listen"),
        ] {
            let error = Settings::with_overrides(overrides).unwrap_err().to_string();
            assert!(error.contains(named), "{overrides}: {error}");
        }
    }
}
