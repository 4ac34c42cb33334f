//! `yuxin doctor`: everything that serving needs, checked one by one, each with a line.

use std::time::Duration;

use secrecy::ExposeSecret;
use thiserror::Error;

use super::serve::ConfigArgs;
use crate::observe::Metrics;
use crate::settings::Settings;
use crate::store::Store;

/// Something is not in order; the lines say what.
#[derive(Debug, Error)]
#[error("{0} of the checks failed")]
pub struct DoctorError(usize);

/// Prints one line a check on stdout.
pub async fn run(args: &ConfigArgs) -> Result<(), DoctorError> {
    let mut failed = 0;
    let mut tell = |name: &str, result: Result<String, String>| match result {
        Ok(detail) => println!("ok    {name}: {detail}"),
        Err(detail) => {
            failed += 1;
            println!("FAIL  {name}: {detail}");
        }
    };
    let settings = match Settings::load(args.config.as_deref()) {
        Ok(settings) => settings,
        Err(error) => {
            tell("settings", Err(error.to_string()));
            return Err(DoctorError(1));
        }
    };
    tell("settings", Ok("read".to_owned()));
    let engine = crate::app::load_engine(&settings).map_err(|error| error.to_string());
    tell(
        "model and policy",
        engine.map(|e| format!("{} verified on its golden firms, policy {}", e.model().id(), e.policy().version().id)),
    );
    tell("store", store(settings.store.url.expose_secret()).await);
    match crate::sources::addresses(&settings.sources) {
        Ok(addresses) => {
            for (name, base_url) in addresses {
                tell(&name, reach(&base_url).await);
            }
        }
        Err(error) => tell("connectors", Err(error.to_string())),
    }
    if failed == 0 { Ok(()) } else { Err(DoctorError(failed)) }
}

async fn store(url: &str) -> Result<String, String> {
    if let Some(path) = url.strip_prefix("sqlite://")
        && !std::path::Path::new(path).exists()
    {
        return Ok(format!("{path} is not there yet; serving creates it"));
    }
    let metrics = Metrics::new().map_err(|error| error.to_string())?;
    let store = Store::open(url, metrics).await.map_err(|error| error.to_string())?;
    let writable = store.check_writable().await.map_err(|error| error.to_string());
    let audit = store.verify_audit().await.map_err(|error| error.to_string());
    store.close().await;
    writable?;
    let audit = audit?;
    match audit.intact() {
        true => Ok(format!("writable, audit chain of {} entries intact", audit.entries)),
        false => Err(format!("the audit chain has {} problems; see `yuxin audit verify`", audit.problems.len())),
    }
}

/// Whether something listens at a department's address.
async fn reach(base_url: &str) -> Result<String, String> {
    let (default_port, rest) = match base_url.strip_prefix("https://") {
        Some(rest) => (443, rest),
        None => (80, base_url.strip_prefix("http://").unwrap_or(base_url)),
    };
    let authority = rest.split('/').next().unwrap_or(rest);
    // A user and a password are not part of the address that is reached, nor to be printed.
    let authority = authority.rsplit_once('@').map_or(authority, |(_, address)| address);
    let address = match authority.rsplit_once(':') {
        Some((_, port)) if port.bytes().all(|b| b.is_ascii_digit()) => authority.to_owned(),
        _ => format!("{authority}:{default_port}"),
    };
    match tokio::time::timeout(Duration::from_secs(2), tokio::net::TcpStream::connect(&address)).await {
        Ok(Ok(_)) => Ok(format!("{address} answers")),
        Ok(Err(error)) => Err(format!("{address}: {error}")),
        Err(_) => Err(format!("{address}: no answer within 2 s")),
    }
}
