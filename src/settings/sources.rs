//! How departments are asked: `[sources]`.

use std::path::PathBuf;

use serde::Deserialize;

use super::{SettingsError, refuse};
use crate::domain::SourceKind;

/// `[sources]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // as above
pub struct SourcesSettings {
    pub connectors: PathBuf,
    pub connect_timeout_ms: u64,
    pub try_timeout_ms: u64,
    pub gather_timeout_ms: u64,
    pub body_bytes_max: usize,
    pub breaker_failures: usize,
    pub breaker_open_ms: u64,
    pub rejected_keep_days: u32,
    pub rejected_reply_bytes_max: usize,
    pub rejected_firm_bytes_max: u64,
    pub rejected_total_bytes_max: u64,
    pub concurrent_max: usize,
    pub cache_seconds: u64,
    pub cache_seconds_max: u64,
    pub cache_absent_seconds: u64,
    pub cache_stale_seconds: u64,
    pub cache_entries_max: usize,
    pub tax: SourceSettings,
    pub social_insurance: SourceSettings,
    pub payment_history: SourceSettings,
}

/// `[sources.tax]` and its like.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[allow(missing_docs)] // as above
pub struct SourceSettings {
    pub base_url: String,
    pub path: String,
    pub stale_after_days: i32,
}

impl SourcesSettings {
    /// Checks each by its range.
    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let s = self;
        if !(1..=60_000).contains(&s.connect_timeout_ms) {
            return refuse("sources.connect_timeout_ms", &s.connect_timeout_ms, "it must lie between 1 and 60000");
        }
        if !(1..=60_000).contains(&s.try_timeout_ms) {
            return refuse("sources.try_timeout_ms", &s.try_timeout_ms, "it must lie between 1 and 60000");
        }
        if s.gather_timeout_ms < s.try_timeout_ms || s.gather_timeout_ms > 60_000 {
            return refuse(
                "sources.gather_timeout_ms",
                &s.gather_timeout_ms,
                "it must lie between try_timeout_ms and 60000",
            );
        }
        if !(1024..=64 << 20).contains(&s.body_bytes_max) {
            return refuse("sources.body_bytes_max", &s.body_bytes_max, "it must lie between 1024 and 67108864");
        }
        if s.breaker_failures == 0 {
            return refuse("sources.breaker_failures", &s.breaker_failures, "it must be at least 1");
        }
        if !(1..=3650).contains(&s.rejected_keep_days) {
            return refuse("sources.rejected_keep_days", &s.rejected_keep_days, "it must lie between 1 and 3650");
        }
        if s.rejected_reply_bytes_max > 16 << 20 {
            return refuse(
                "sources.rejected_reply_bytes_max",
                &s.rejected_reply_bytes_max,
                "it must lie between 0 and 16777216",
            );
        }
        if s.rejected_firm_bytes_max > s.rejected_total_bytes_max {
            return refuse(
                "sources.rejected_firm_bytes_max",
                &s.rejected_firm_bytes_max,
                "it must not be above rejected_total_bytes_max",
            );
        }
        if s.rejected_total_bytes_max > 1 << 40 {
            return refuse(
                "sources.rejected_total_bytes_max",
                &s.rejected_total_bytes_max,
                "it must lie between 0 and 1099511627776",
            );
        }
        if !(1..=4096).contains(&s.concurrent_max) {
            return refuse("sources.concurrent_max", &s.concurrent_max, "it must lie between 1 and 4096");
        }
        if s.cache_seconds_max > 604_800 {
            return refuse(
                "sources.cache_seconds_max",
                &s.cache_seconds_max,
                "it must lie between 0 and 604800, a week",
            );
        }
        if s.cache_seconds > s.cache_seconds_max {
            return refuse("sources.cache_seconds", &s.cache_seconds, "it must lie between 0 and cache_seconds_max");
        }
        if s.cache_absent_seconds > 300 {
            return refuse("sources.cache_absent_seconds", &s.cache_absent_seconds, "it must lie between 0 and 300");
        }
        if s.cache_stale_seconds > 604_800 {
            return refuse(
                "sources.cache_stale_seconds",
                &s.cache_stale_seconds,
                "it must lie between 0 and 604800, a week",
            );
        }
        if !(1..=1_000_000).contains(&s.cache_entries_max) {
            return refuse("sources.cache_entries_max", &s.cache_entries_max, "it must lie between 1 and 1000000");
        }
        for source in SourceKind::ALL {
            let of = s.of(source);
            let key = |name: &str| format!("sources.{source}.{name}");
            let url = is_web_address(&of.base_url);
            if !url {
                // The value may hold a password.
                return refuse(key("base_url"), &"not an address", "it must begin with http:// or https://");
            }
            if !of.path.starts_with('/') || !of.path.contains("{uscc}") {
                return refuse(key("path"), &of.path, "it must begin with / and contain {uscc}");
            }
            if !(1..=3650).contains(&of.stale_after_days) {
                return refuse(key("stale_after_days"), &of.stale_after_days, "it must lie between 1 and 3650");
            }
        }
        Ok(())
    }

    /// The settings of one source; of an optional one those of the source that it fills.
    pub fn of(&self, source: SourceKind) -> &SourceSettings {
        match source {
            SourceKind::Tax | SourceKind::Registry => &self.tax,
            SourceKind::SocialInsurance => &self.social_insurance,
            SourceKind::PaymentHistory | SourceKind::Court | SourceKind::Utilities => &self.payment_history,
        }
    }
}

fn is_web_address(url: &str) -> bool {
    url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")).is_some_and(|rest| !rest.is_empty())
}
