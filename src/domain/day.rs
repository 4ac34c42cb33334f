//! Days as people in China count them.

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

/// China's time: UTC+8 in all provinces and seasons since 1991.
pub fn china() -> TimeZone {
    TimeZone::fixed(jiff::tz::offset(8))
}

/// The civil date in China at an instant.
pub fn china_date(at: Timestamp) -> Date {
    at.to_zoned(china()).date()
}
