//! `yuxin sandbox`: the departments alone, synthetic or of a folder of real firms.

use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::Zoned;
use jiff::civil::Date;
use thiserror::Error;

use crate::domain::Month;
use crate::sandbox::{
    DEFAULT_FIRMS, DEFAULT_SEED, Departments, District, FIRMS_MAX, Faults, FaultsError, Marginals, RealFirms,
    ReplayError, Served,
};

/// The departments alone: tax, social insurance and payment history of made-up firms, or of a folder of real ones
#[derive(Debug, clap::Args)]
pub struct SandboxArgs {
    /// Where the departments listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Serve the firms of this folder (firms.csv and invoices_monthly.csv.gz) instead of the synthetic district
    #[arg(long, value_name = "DIR")]
    replay: Option<PathBuf>,
    /// Seed of the district
    #[arg(long, default_value_t = DEFAULT_SEED)]
    seed: u64,
    /// Firms of the district
    #[arg(long, default_value_t = DEFAULT_FIRMS, value_parser = clap::value_parser!(u32).range(1..=i64::from(FIRMS_MAX)))]
    firms: u32,
    /// Date that the district's records are as of [default: the end of the last complete month]
    #[arg(long, value_name = "DATE", value_parser = read_as_of)]
    as_of: Option<Date>,
    /// Play the faults of this script (docs/faults.md); requests are counted at /calls, with or without it
    #[arg(long, value_name = "FILE")]
    faults: Option<PathBuf>,
    /// Do not serve: print a Markdown table of how the district's invoices are distributed, beside the folder's with --replay
    #[arg(long)]
    marginals: bool,
}

/// Why the departments do not run.
#[derive(Debug, Error)]
pub enum SandboxError {
    /// The folder.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The script of faults.
    #[error(transparent)]
    Faults(#[from] FaultsError),
    /// The address.
    #[error("the departments cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The server failed while running.
    #[error("the departments failed: {0}")]
    Run(std::io::Error),
}

/// Serves until stopped with SIGINT or SIGTERM, or prints the marginals.
pub async fn run(args: SandboxArgs) -> Result<(), SandboxError> {
    let district = District::new(args.seed, args.firms, args.as_of.unwrap_or_else(last_month_end));
    let replay = args.replay.as_deref().map(RealFirms::open).transpose()?;
    if args.marginals {
        print!(
            "{}",
            Marginals::table(&Marginals::of_district(&district), replay.as_ref().map(Marginals::of_replay).as_ref())
        );
        return Ok(());
    }
    let (what, served) = match replay {
        Some(firms) => (format!("{} real firms", firms.len()), Served::Replay(firms)),
        None => (format!("{} made-up firms as of {}", district.len(), district.as_of()), Served::District(district)),
    };
    let listen = args.listen;
    let faults = args.faults.as_deref().map(Faults::open).transpose()?;
    let plays = faults.as_ref().map(plays).unwrap_or_default();
    let bound = match faults {
        Some(faults) => Departments::bind_failing(listen, served, faults),
        None => Departments::bind(listen, served),
    };
    let departments = bound.map_err(|source| SandboxError::Listen { address: listen, source })?;
    eprintln!(
        "departments of {what} on http://{0}, listed at http://{0}/firms, firms for your own tests at \
         http://{0}/firms?reserved=1;{plays} stop with Ctrl-C",
        departments.addr()
    );
    tokio::spawn(stop_on_signal(departments.handle()));
    departments.run().await.map_err(SandboxError::Run)
}

/// That a script plays, and for whom.
fn plays(faults: &Faults) -> String {
    let names: Vec<_> = faults.departments().map(|of| of.as_str()).collect();
    match names.as_slice() {
        [] => " the script of faults names no department;".to_owned(),
        names => format!(" a script of faults plays for {};", names.join(", ")),
    }
}

async fn stop_on_signal(departments: crate::sandbox::DepartmentsHandle) {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        // Without a handler SIGTERM still ends the process, only not gently.
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
    departments.stop().await;
}

/// A date that records can be as of.
pub fn read_as_of(text: &str) -> Result<Date, String> {
    let date: Date = text.parse().map_err(|error| format!("{error}; write it as YYYY-MM-DD"))?;
    match date.year() {
        1990..=2199 => Ok(date),
        year => Err(format!("records as of the year {year} cannot be made; take one from 1990 to 2199")),
    }
}

/// The last day of the last complete month today: the date that made-up records are as of, so that they are never stale.
pub fn last_month_end() -> Date {
    Month::last_complete_on(Zoned::now().date()).last_day()
}
