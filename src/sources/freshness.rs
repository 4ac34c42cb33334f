//! For how long a department lets its answer be used again, by the headers of the answer (RFC 9111, RFC 5861).
//!
//! Yuxin asks for several banks, so it reads the headers as a shared cache does: `private` is not kept, `s-maxage` goes before
//! `max-age`. What contradicts itself or cannot be read is taken in the strictest way.

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;

use crate::settings::SourcesSettings;

/// What an answer says of its own life. The default is an answer that says nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Freshness {
    /// How long it is good for from now on, where that is said.
    stated: Option<Duration>,
    /// For how long after that it may be used while it is asked for anew (`stale-while-revalidate`).
    revalidate: Duration,
    /// It must not be kept at all.
    no_store: bool,
    /// It must not be used once it is no longer good, not even where the department is down.
    must_revalidate: bool,
}

/// For how long an answer is used again, counted from its arrival; each from the end of the one before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Life {
    /// As if it had just come.
    pub(super) good: Duration,
    /// Likewise, but the department is asked again meanwhile.
    pub(super) ageing: Duration,
    /// Only where the department is down, and marked.
    pub(super) old: Duration,
}

/// The settings that bound the life of an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    unstated: Duration,
    max: Duration,
    absent: Duration,
    old: Duration,
}

impl Limits {
    /// Those of `settings`; an answer that says nothing of its life is good for `unstated_seconds`.
    pub(super) fn new(settings: &SourcesSettings, unstated_seconds: u64) -> Limits {
        Limits {
            unstated: Duration::from_secs(unstated_seconds),
            max: Duration::from_secs(settings.cache_seconds_max),
            absent: Duration::from_secs(settings.cache_absent_seconds),
            old: Duration::from_secs(settings.cache_stale_seconds),
        }
    }
}

impl Freshness {
    /// That of two answers that are used as one: the strictest of what either says.
    pub(super) fn strictest(self, other: Freshness) -> Freshness {
        Freshness {
            stated: [self.stated, other.stated].into_iter().flatten().min(),
            revalidate: self.revalidate.min(other.revalidate),
            no_store: self.no_store || other.no_store,
            must_revalidate: self.must_revalidate || other.must_revalidate,
        }
    }

    /// Reads the headers; `header` gives all values of the one that it is asked for.
    pub(super) fn read<'a>(header: impl Fn(&'static str) -> Vec<&'a str>) -> Freshness {
        let mut read = Freshness::default();
        let (mut max_age, mut shared) = (None, None);
        for directive in header("cache-control").iter().flat_map(|value| value.split(',')) {
            let (name, value) = directive.split_once('=').unwrap_or((directive, ""));
            match name.trim().to_ascii_lowercase().as_str() {
                "no-store" | "private" => read.no_store = true,
                "no-cache" => max_age = Some(Duration::ZERO),
                "must-revalidate" | "proxy-revalidate" => read.must_revalidate = true,
                "max-age" => max_age = shorter(max_age, seconds(value)),
                "s-maxage" => shared = shorter(shared, seconds(value)),
                "stale-while-revalidate" => read.revalidate = seconds(value),
                name if !name.is_ascii() || name.contains('\u{fffd}') => read.no_store = true,
                _ => {}
            }
        }
        if max_age == Some(Duration::ZERO) {
            shared = None;
        }
        let age = age(&header("age"));
        read.no_store |= header("vary").iter().flat_map(|value| value.split(',')).any(|name| name.trim() == "*");
        let stated = shared.or(max_age).or_else(|| expires_in(&header("expires"), &header("date")));
        read.stated = stated.map(|stated| stated.saturating_sub(age));
        read
    }

    /// The life of a record that came with this.
    pub(super) fn of_record(self, limits: Limits) -> Life {
        let good = self.stated.unwrap_or(limits.unstated).min(limits.max);
        if self.no_store || good.is_zero() {
            return Life::default();
        }
        if self.must_revalidate {
            return Life { good, ..Life::default() };
        }
        Life { good, ageing: self.revalidate.min(limits.max.saturating_sub(good)), old: limits.old }
    }

    /// The life of the answer that the firm is not known. It is never used once it is no longer good: a firm may register.
    pub(super) fn of_absence(self, limits: Limits) -> Life {
        let good = if self.no_store { Duration::ZERO } else { limits.absent.min(self.stated.unwrap_or(limits.absent)) };
        Life { good, ..Life::default() }
    }
}

/// How old the answer is already. What cannot be read, or is said twice, is older than anything: the strictest.
fn age(values: &[&str]) -> Duration {
    match values {
        [] => Duration::ZERO,
        [one] => one.trim().parse().map_or(Duration::MAX, Duration::from_secs),
        _ => Duration::MAX,
    }
}

fn shorter(known: Option<Duration>, other: Duration) -> Option<Duration> {
    Some(known.map_or(other, |known| known.min(other)))
}

/// Whole seconds; what is not a number is none, which is the strictest.
fn seconds(value: &str) -> Duration {
    Duration::from_secs(value.trim().trim_matches('"').parse().unwrap_or(0))
}

/// The time from `Date` to `Expires`. Both are of the department's clock; without `Date` nobody knows what `Expires` means here.
fn expires_in(expires: &[&str], date: &[&str]) -> Option<Duration> {
    let instant =
        |text: &str| -> Option<Timestamp> { Some(rfc2822::DateTimeParser::new().parse_zoned(text).ok()?.timestamp()) };
    let date = instant(date.first()?)?;
    // `Expires: 0` and its like mean: already over.
    let Some(expires) = instant(expires.first()?) else { return Some(Duration::ZERO) };
    Some(Duration::try_from(expires.duration_since(date)).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LIMITS: Limits =
        Limits { unstated: Duration::ZERO, max: Duration::from_secs(600), absent: Duration::from_secs(5), old: SECOND };

    fn read(headers: &[(&str, &'static str)]) -> Freshness {
        Freshness::read(|name| headers.iter().filter(|(known, _)| *known == name).map(|(_, value)| *value).collect())
    }

    #[test]
    fn an_answer_is_good_for_as_long_as_the_department_says_and_the_settings_allow() {
        let date = ("date", "Wed, 25 Nov 2026 10:00:00 GMT");
        for (headers, good) in [
            (&[][..], 0),
            (&[("cache-control", "max-age=60")], 60),
            (&[("cache-control", "Max-Age=\"60\" , foo=1")], 60),
            (&[("cache-control", "max-age=60"), ("age", "20")], 40),
            (&[("cache-control", "max-age=60"), ("age", "90")], 0),
            (&[("cache-control", "max-age=60"), ("age", "99999999999999999999999")], 0),
            (&[("cache-control", "max-age=60"), ("age", "abc")], 0),
            (&[("cache-control", "max-age=60"), ("age", "-5")], 0),
            (&[("cache-control", "max-age=60"), ("age", "5, 1000")], 0),
            (&[("cache-control", "max-age=60"), ("age", "5"), ("age", "6")], 0),
            (&[("cache-control", "max-age=60"), ("vary", "Accept, *")], 0),
            (&[("cache-control", "max-age=60, \u{fffd}")], 0),
            (&[("cache-control", "max-age=60, max-age=30")], 30),
            (&[("cache-control", "max-age=60"), ("cache-control", "s-maxage=10")], 10),
            (&[("cache-control", "max-age=999999")], 600),
            (&[("cache-control", "max-age=99999999999999999999999")], 0),
            (&[("cache-control", "max-age=soon")], 0),
            (&[("cache-control", "max-age=-1")], 0),
            (&[("cache-control", "no-store, max-age=60")], 0),
            (&[("cache-control", "private, max-age=60")], 0),
            (&[("cache-control", "s-maxage=60, no-cache")], 0),
            (&[date, ("expires", "Wed, 25 Nov 2026 10:02:00 GMT")], 120),
            (&[date, ("expires", "Wed, 25 Nov 2026 09:00:00 GMT")], 0),
            (&[date, ("expires", "0")], 0),
            (&[("expires", "Wed, 25 Nov 2026 10:02:00 GMT")], 0),
            (&[date, ("expires", "Wed, 25 Nov 2026 10:02:00 GMT"), ("cache-control", "max-age=7")], 7),
        ] {
            assert_eq!(read(headers).of_record(LIMITS).good, Duration::from_secs(good), "{headers:?}");
        }
        let unstated = Limits { unstated: Duration::from_secs(30), ..LIMITS };
        assert_eq!(read(&[]).of_record(unstated).good, Duration::from_secs(30));
        assert_eq!(read(&[("cache-control", "max-age=0")]).of_record(unstated), Life::default());
    }

    #[test]
    fn beyond_that_it_is_used_only_where_the_department_allows_it_or_is_down() {
        let life = read(&[("cache-control", "max-age=60, stale-while-revalidate=30")]).of_record(LIMITS);
        assert_eq!(life, Life { good: 60 * SECOND, ageing: 30 * SECOND, old: SECOND });
        let strict = read(&[("cache-control", "max-age=60, stale-while-revalidate=30, must-revalidate")]);
        assert_eq!(strict.of_record(LIMITS), Life { good: 60 * SECOND, ..Life::default() });
        let capped = read(&[("cache-control", "max-age=590, stale-while-revalidate=30")]).of_record(LIMITS);
        assert_eq!(capped.ageing, 10 * SECOND);
    }

    #[test]
    fn an_absence_is_kept_for_a_moment_and_never_beyond() {
        let absence = |control| read(&[("cache-control", control)]).of_absence(LIMITS);
        assert_eq!(read(&[]).of_absence(LIMITS), Life { good: 5 * SECOND, ..Life::default() });
        assert_eq!(absence("max-age=2").good, 2 * SECOND);
        assert_eq!(absence("max-age=600").good, 5 * SECOND);
        assert_eq!(absence("no-store").good, Duration::ZERO);
    }
}
