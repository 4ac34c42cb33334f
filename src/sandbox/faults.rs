//! What goes wrong with the departments, and when: the script of `yuxin sandbox --faults`.
//!
//! docs/faults.md is its reference. Which request is met is a function of the seed and of the request's number, so that a run
//! can be repeated.

pub(super) mod front;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::Deserialize;
use thiserror::Error;

/// The most bytes of a `huge` reply: 1 TiB.
const BYTES_MAX: u64 = 1 << 40;

/// A department of the sandbox, by the first part of its path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Department {
    /// `/tax/…`
    Tax,
    /// `/social-insurance/…`
    SocialInsurance,
    /// `/payments/…`
    PaymentHistory,
    /// `/strange/tax/…`
    StrangeTax,
    /// `/strange/social/…`, the token address included.
    StrangeSocial,
}

impl Department {
    /// All of them.
    pub const ALL: [Department; 5] = [
        Department::Tax,
        Department::SocialInsurance,
        Department::PaymentHistory,
        Department::StrangeTax,
        Department::StrangeSocial,
    ];

    /// The name in the script and in the counts.
    pub fn as_str(self) -> &'static str {
        match self {
            Department::Tax => "tax",
            Department::SocialInsurance => "social_insurance",
            Department::PaymentHistory => "payment_history",
            Department::StrangeTax => "strange_tax",
            Department::StrangeSocial => "strange_social",
        }
    }

    /// The department that answers at a path.
    pub(super) fn at(path: &str) -> Option<Department> {
        let begins = |prefix| path.starts_with(prefix);
        match () {
            () if begins("/tax/") => Some(Department::Tax),
            () if begins("/social-insurance/") => Some(Department::SocialInsurance),
            () if begins("/payments/") => Some(Department::PaymentHistory),
            () if begins("/strange/tax/") => Some(Department::StrangeTax),
            () if begins("/strange/social/") => Some(Department::StrangeSocial),
            () => None,
        }
    }
}

/// How many requests came to each department since the start: what `GET /calls` tells.
#[derive(Debug, Default)]
pub(super) struct Calls([AtomicU64; Department::ALL.len()]);

impl Calls {
    /// Counts one request; returns how many came to this department before it.
    pub(super) fn count(&self, of: Department) -> u64 {
        self.0[of as usize].fetch_add(1, Ordering::Relaxed)
    }

    /// The counts by the departments' names.
    pub(super) fn told(&self) -> serde_json::Value {
        let count = |of: Department| self.0[of as usize].load(Ordering::Relaxed);
        Department::ALL.into_iter().map(|of| (of.as_str().to_owned(), serde_json::Value::from(count(of)))).collect()
    }
}

/// What one request meets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    TimeOut,
    Slow(Duration),
    Status(u16),
    Reset,
    Empty,
    Garbage,
    CutBody,
    Dribble { bytes_per_second: u64 },
    WrongSchema,
    OtherFirm,
    Huge { bytes: u64 },
    Redirect,
    Flapping { period: Duration },
    Stale { days: i32 },
    Contradictory,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Kind {
    TimeOut,
    Slow,
    Status,
    Reset,
    Empty,
    Garbage,
    CutBody,
    Dribble,
    WrongSchema,
    OtherFirm,
    Huge,
    Redirect,
    Flapping,
    Stale,
    Contradictory,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct StepWire {
    fault: Kind,
    #[serde(default)]
    after_seconds: f64,
    for_seconds: Option<f64>,
    share: Option<f64>,
    ms: Option<u64>,
    status: Option<u16>,
    bytes_per_second: Option<u64>,
    bytes: Option<u64>,
    period_ms: Option<u64>,
    days: Option<i32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CourseWire {
    repeat_seconds: Option<f64>,
    steps: Vec<StepWire>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptWire {
    #[serde(default)]
    seed: u64,
    tax: Option<CourseWire>,
    social_insurance: Option<CourseWire>,
    payment_history: Option<CourseWire>,
    strange_tax: Option<CourseWire>,
    strange_social: Option<CourseWire>,
}

#[derive(Debug, Clone)]
struct Step {
    fault: Fault,
    after: f64,
    until: f64,
    share: f64,
}

#[derive(Debug, Clone)]
struct Course {
    repeat: Option<f64>,
    steps: Vec<Step>,
}

/// What goes wrong with each department over time.
#[derive(Debug, Clone)]
pub struct Faults {
    seed: u64,
    courses: BTreeMap<Department, Course>,
}

/// Why a script is refused.
#[derive(Debug, Error)]
pub enum FaultsError {
    /// The file cannot be read.
    #[error("the faults {path} cannot be read: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is no script.
    #[error("the faults are not understood: {0}")]
    Parse(Box<toml::de::Error>),
    /// What holds for all steps of a department cannot be.
    #[error("[{department}]: {problem}")]
    Course {
        /// Which department.
        department: &'static str,
        /// The key, and what would do.
        problem: &'static str,
    },
    /// A step cannot be played.
    #[error("step {step} of {department}: {problem}")]
    Step {
        /// Of which department.
        department: &'static str,
        /// Counted from 1.
        step: usize,
        /// What is wrong, and what would do.
        problem: String,
    },
}

impl Faults {
    /// Reads a script.
    ///
    /// # Errors
    /// When the file cannot be read, or a key or a value is not one of docs/faults.md.
    pub fn open(path: &Path) -> Result<Faults, FaultsError> {
        let text =
            std::fs::read_to_string(path).map_err(|source| FaultsError::Read { path: path.to_owned(), source })?;
        Faults::parse(&text)
    }

    /// The script in a text.
    ///
    /// # Errors
    /// When a key or a value is not one of docs/faults.md.
    pub fn parse(text: &str) -> Result<Faults, FaultsError> {
        let wire: ScriptWire = toml::from_str(text).map_err(|error| FaultsError::Parse(Box::new(error)))?;
        let courses = [wire.tax, wire.social_insurance, wire.payment_history, wire.strange_tax, wire.strange_social];
        let courses = Department::ALL.into_iter().zip(courses).filter_map(|(of, course)| Some((of, course?)));
        let courses = courses.map(|(of, wire)| Ok((of, course(of, wire)?))).collect::<Result<_, _>>()?;
        Ok(Faults { seed: wire.seed, courses })
    }

    /// What the request `number` (from 0) to a department meets, so long after the start.
    pub(super) fn meets(&self, of: Department, number: u64, elapsed: Duration) -> Option<Fault> {
        let course = self.courses.get(&of)?;
        let at = elapsed.as_secs_f64();
        let at = course.repeat.map_or(at, |repeat| at % repeat);
        // Each step draws for itself: of two that are on at once, the second has its share of what the first lets by.
        let drawn = |step: usize| part(part_seed(self.seed, of, step) ^ number);
        let steps = course.steps.iter().enumerate();
        let mut on = steps.filter(|(_, step)| step.after <= at && at < step.until);
        on.find(|(place, step)| drawn(*place) < step.share).map(|(_, step)| step.fault)
    }

    /// The departments that the script speaks of.
    pub fn departments(&self) -> impl Iterator<Item = Department> + '_ {
        self.courses.keys().copied()
    }

    /// How old, in days, the records of `stale` departments are.
    pub(super) fn ages_days(&self) -> Vec<i32> {
        let steps = self.courses.values().flat_map(|course| &course.steps);
        steps.filter_map(|step| if let Fault::Stale { days } = step.fault { Some(days) } else { None }).collect()
    }
}

/// The seed of one step's draws.
fn part_seed(seed: u64, of: Department, step: usize) -> u64 {
    mixed(seed ^ ((of as u64 + 1) << 56) ^ ((step as u64 + 1) << 32))
}

/// A number in [0, 1) that a seed fixes.
fn part(seed: u64) -> f64 {
    (mixed(seed) >> 11) as f64 / (1u64 << 53) as f64
}

/// SplitMix64.
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

fn course(of: Department, wire: CourseWire) -> Result<Course, FaultsError> {
    let department = of.as_str();
    if wire.repeat_seconds.is_some_and(|repeat| !(repeat > 0.0 && repeat.is_finite())) {
        return Err(FaultsError::Course { department, problem: "repeat_seconds must be above 0" });
    }
    let repeat = wire.repeat_seconds.unwrap_or(f64::INFINITY);
    let refuse = |step, problem| FaultsError::Step { department, step, problem };
    let steps = wire.steps.iter().enumerate();
    let steps = steps.map(|(at, wire)| step(of, wire, repeat).map_err(|why| refuse(at + 1, why)));
    Ok(Course { repeat: wire.repeat_seconds, steps: steps.collect::<Result<_, _>>()? })
}

fn step(of: Department, wire: &StepWire, repeat: f64) -> Result<Step, String> {
    let duration = wire.for_seconds.unwrap_or(f64::INFINITY);
    if !(wire.after_seconds >= 0.0 && wire.after_seconds.is_finite()) {
        return Err("after_seconds must be 0 or more".to_owned());
    }
    if wire.after_seconds >= repeat {
        return Err(format!("after_seconds must be below repeat_seconds ({repeat}), or the step never plays"));
    }
    if duration.is_nan() || duration <= 0.0 {
        return Err("for_seconds must be above 0".to_owned());
    }
    let share = wire.share.unwrap_or(1.0);
    if !(share > 0.0 && share <= 1.0) {
        return Err("share must be above 0 and at most 1".to_owned());
    }
    Ok(Step { fault: fault(of, wire)?, after: wire.after_seconds, until: wire.after_seconds + duration, share })
}

fn fault(of: Department, wire: &StepWire) -> Result<Fault, String> {
    let own = match wire.fault {
        Kind::Slow => "ms",
        Kind::Status => "status",
        Kind::Dribble => "bytes_per_second",
        Kind::Huge => "bytes",
        Kind::Flapping => "period_ms",
        Kind::Stale => "days",
        _ => "",
    };
    let given = [
        ("ms", wire.ms.is_some()),
        ("status", wire.status.is_some()),
        ("bytes_per_second", wire.bytes_per_second.is_some()),
        ("bytes", wire.bytes.is_some()),
        ("period_ms", wire.period_ms.is_some()),
        ("days", wire.days.is_some()),
    ];
    if let Some((name, _)) = given.iter().find(|(name, there)| *there && *name != own) {
        return Err(format!("{name} is no parameter of this fault"));
    }
    let standard = matches!(of, Department::Tax | Department::SocialInsurance | Department::PaymentHistory);
    let whole = |value: Option<u64>, max: u64| {
        let problem = || format!("{own} must be a whole number from 1 to {max}");
        value.filter(|value| (1..=max).contains(value)).ok_or_else(problem)
    };
    Ok(match wire.fault {
        Kind::TimeOut => Fault::TimeOut,
        Kind::Slow => Fault::Slow(Duration::from_millis(whole(wire.ms, 600_000)?)),
        Kind::Status => match wire.status {
            Some(status @ 400..=599) => Fault::Status(status),
            _ => return Err("status must be from 400 to 599".to_owned()),
        },
        Kind::Reset => Fault::Reset,
        Kind::Empty => Fault::Empty,
        Kind::Garbage => Fault::Garbage,
        Kind::CutBody => Fault::CutBody,
        Kind::Dribble => Fault::Dribble { bytes_per_second: whole(wire.bytes_per_second, 1_000)? },
        Kind::WrongSchema => Fault::WrongSchema,
        Kind::OtherFirm => Fault::OtherFirm,
        Kind::Huge => Fault::Huge { bytes: whole(wire.bytes, BYTES_MAX)? },
        Kind::Redirect => Fault::Redirect,
        Kind::Flapping => Fault::Flapping { period: Duration::from_millis(whole(wire.period_ms, 3_600_000)?) },
        Kind::Stale if of == Department::StrangeSocial => {
            return Err("stale is for the departments without tokens".to_owned());
        }
        Kind::Stale => match wire.days {
            Some(days @ 1..=3650) => Fault::Stale { days },
            _ => return Err("days must be from 1 to 3650".to_owned()),
        },
        Kind::Contradictory if standard && of != Department::PaymentHistory => Fault::Contradictory,
        Kind::Contradictory => return Err("only tax and social_insurance can contradict each other".to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_begin_end_and_repeat_as_they_say() {
        let faults = Faults::parse(
            "[tax]\nrepeat_seconds = 10\nsteps = [{fault = 'reset', after_seconds = 2, for_seconds = 3}]",
        )
        .unwrap();
        let met = |at: u64| faults.meets(Department::Tax, 0, Duration::from_secs(at));
        assert_eq!([met(1), met(2), met(4), met(5)], [None, Some(Fault::Reset), Some(Fault::Reset), None]);
        assert_eq!([met(11), met(12)], [None, Some(Fault::Reset)]);
        assert_eq!(faults.meets(Department::PaymentHistory, 0, Duration::ZERO), None);
    }

    #[test]
    fn a_share_of_the_requests_is_met_and_the_same_ones_with_the_same_seed() {
        let drawn = |seed: u64| -> Vec<bool> {
            let text = format!("seed = {seed}\n[tax]\nsteps = [{{fault = 'empty', share = 0.3}}]");
            let faults = Faults::parse(&text).unwrap();
            (0..10_000).map(|n| faults.meets(Department::Tax, n, Duration::ZERO).is_some()).collect()
        };
        let met = drawn(1).into_iter().filter(|met| *met).count();
        assert!((2_800..3_200).contains(&met), "{met}");
        assert_eq!(drawn(1), drawn(1));
        assert_ne!(drawn(1), drawn(2));
    }

    #[test]
    fn each_of_two_steps_that_are_on_at_once_draws_for_itself() {
        let text = "[tax]\nsteps = [{fault = 'empty', share = 0.5}, {fault = 'reset', share = 0.5}]";
        let faults = Faults::parse(text).unwrap();
        let met: Vec<_> = (0..10_000).map(|n| faults.meets(Department::Tax, n, Duration::ZERO)).collect();
        let share = |fault| met.iter().filter(|met| **met == fault).count();
        assert!((4_700..5_300).contains(&share(Some(Fault::Empty))), "{}", share(Some(Fault::Empty)));
        assert!((2_300..2_700).contains(&share(Some(Fault::Reset))), "{}", share(Some(Fault::Reset)));
        assert!((2_300..2_700).contains(&share(None)), "{}", share(None));
    }

    #[test]
    fn what_cannot_be_played_is_refused_with_its_place_and_name() {
        for (text, says) in [
            ("[tax]\nsteps = [{fault = 'slow'}]", "step 1 of tax: ms must be"),
            ("[tax]\nsteps = [{fault = 'reset', ms = 1}]", "ms is no parameter"),
            ("[tax]\nsteps = [{fault = 'reset', share = 1.5}]", "share must be"),
            (
                "[tax]\nrepeat_seconds = 10\nsteps = [{fault = 'reset'}, {fault = 'empty', after_seconds = 10}]",
                "step 2 of tax: after_seconds must be below repeat_seconds (10)",
            ),
            ("[tax]\nrepeat_seconds = 0\nsteps = []", "[tax]: repeat_seconds must be above 0"),
            ("[tax]\nrepeat_seconds = nan\nsteps = []", "[tax]: repeat_seconds must be above 0"),
            ("[tax]\nsteps = [{fault = 'reset', for_seconds = 0}]", "step 1 of tax: for_seconds must be"),
            ("[tax]\nsteps = [{fault = 'reset', for_seconds = nan}]", "step 1 of tax: for_seconds must be"),
            ("[tax]\nsteps = [{fault = 'reset', after_seconds = -1}]", "step 1 of tax: after_seconds must be"),
            ("[tax]\nsteps = [{fault = 'rest'}]", "unknown variant `rest`"),
            ("[taxes]\nsteps = []", "unknown field `taxes`"),
            ("[tax]\nsteps = [{fault = 'reset', shares = 1}]", "unknown field `shares`"),
            ("[payment_history]\nsteps = [{fault = 'contradictory'}]", "step 1 of payment_history: only tax"),
        ] {
            let refusal = Faults::parse(text).unwrap_err().to_string();
            assert!(refusal.contains(says), "{text}: {refusal}");
        }
    }
}
