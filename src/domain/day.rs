//! Days as people in China count them.

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

/// The civil date in China at an instant: one time zone, UTC+8, without summer time.
pub fn china_date(at: Timestamp) -> Date {
    at.to_zoned(TimeZone::fixed(jiff::tz::offset(8))).date()
}
