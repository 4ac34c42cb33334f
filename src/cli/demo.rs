//! `yuxin demo`: everything embedded, without configuration.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Client;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};
use thiserror::Error;

use super::serve::ServeError;
use crate::app::{App, AppError};
use crate::domain::Role;
use crate::observe;
use crate::sandbox::{DEFAULT_FIRMS, DEFAULT_SEED, Departments, District, Served};
use crate::settings::{Settings, SettingsError};
use crate::store::{Store, StoreError};

/// Firms that are asked about besides the one that is printed, so that the office has something to review.
const FURTHER_FIRMS: usize = 60;
/// The console's user of the demo.
const OFFICER: &str = "officer";

/// Run everything with made-up firms
#[derive(Debug, clap::Args)]
pub struct DemoArgs {
    /// Folder for the demo's database
    #[arg(long, value_name = "DIR", default_value = "data/demo")]
    data: PathBuf,
}

/// Why the demo failed.
#[derive(Debug, Error)]
pub enum DemoError {
    /// The service.
    #[error(transparent)]
    Serve(#[from] ServeError),
    /// The service.
    #[error(transparent)]
    App(#[from] AppError),
    /// The settings.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// No address is free.
    #[error("the departments cannot listen: {0}")]
    Departments(std::io::Error),
    /// A request of the demo's bank failed.
    #[error("the demo's bank got no answer: {0}")]
    Request(#[from] reqwest::Error),
    /// A request of the demo's bank was refused.
    #[error("the demo's bank was refused: {0}")]
    Refused(String),
}

/// Starts departments and service, makes a decision, prints it, and serves until stopped.
pub async fn run(args: DemoArgs) -> Result<(), DemoError> {
    let _logs = observe::init_logs("warn").map_err(ServeError::Logs)?;
    let district = District::new(DEFAULT_SEED, DEFAULT_FIRMS, super::sandbox::last_month_end());
    let departments = Departments::bind(free_near(8090), Served::District(district)).map_err(DemoError::Departments)?;
    let departments_at = departments.addr();
    tokio::spawn(departments.run());
    let settings = Settings::with_overrides(&overrides(&args, departments_at))?;
    let app = App::build(settings).await?;
    let (address, management, store) = (app.address(), app.management_address(), app.store());
    let serving = tokio::spawn(app.run_until_stopped());
    let password = officer(&store).await?;
    let bank = Bank::open(&store, address).await?;
    let firms: Vec<Value> = bank.get(&format!("http://{departments_at}/firms?limit={}", FURTHER_FIRMS + 1)).await?;
    let mut codes = firms.iter().filter_map(|firm| firm["uscc"].as_str());
    let first = codes.next().ok_or_else(|| DemoError::Refused("the district has no firms".to_owned()))?;
    let (consent, decision) = bank.decide(first).await?;
    for code in codes {
        bank.decide(code).await?;
    }
    print(&bank, &Shown { first, consent: &consent, decision: &decision, management, departments_at, password });
    match serving.await {
        Ok(served) => Ok(served?),
        Err(error) => Err(DemoError::Refused(format!("the service ended: {error}"))),
    }
}

fn overrides(args: &DemoArgs, departments: SocketAddr) -> String {
    let url = format!("sqlite://{}", args.data.join("yuxin.db").display());
    let base = format!("http://{departments}");
    let quoted = |text: &str| Value::from(text).to_string(); // a JSON string is a TOML basic string
    format!(
        "[server]\nlisten = \"{}\"\n[management]\nlisten = \"{}\"\n[store]\nurl = {}\n\
         [sources.tax]\nbase_url = \"{base}\"\n[sources.social_insurance]\nbase_url = \"{base}\"\n\
         [sources.payment_history]\nbase_url = \"{base}\"\n",
        free_near(8080),
        free_near(9464),
        quoted(&url),
    )
}

/// This port on the loopback address, or, where it is taken, any free one.
fn free_near(port: u16) -> SocketAddr {
    let at = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let port = if TcpListener::bind(at(port)).is_ok() { port } else { 0 };
    at(port)
}

/// Makes the demo's officer, or gives the one of an earlier demo a new password.
async fn officer(store: &Store) -> Result<SecretString, StoreError> {
    let password = SecretString::from(uuid::Uuid::new_v4().simple().to_string()[..16].to_owned());
    match store.create_user(OFFICER, Role::Officer, &password, Timestamp::now()).await {
        Ok(_) => {}
        Err(StoreError::NameTaken) => store.set_password(OFFICER, &password, Timestamp::now()).await?,
        Err(other) => return Err(other),
    }
    Ok(password)
}

/// The demo's bank: a client of the API like any other.
struct Bank {
    client: Client,
    address: SocketAddr,
    key: SecretString,
}

impl Bank {
    async fn open(store: &Store, address: SocketAddr) -> Result<Bank, DemoError> {
        let key = store.create_key("Demo Bank 示范银行", Timestamp::now()).await?.secret;
        let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build()?;
        Ok(Bank { client, address, key })
    }

    async fn get(&self, url: &str) -> Result<Vec<Value>, DemoError> {
        Ok(self.client.get(url).send().await?.json().await?)
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, DemoError> {
        let url = format!("http://{}{path}", self.address);
        let request = self.client.post(url).bearer_auth(self.key.expose_secret()).header("accept-language", "en");
        let response = request.json(body).send().await?;
        let status = response.status();
        let answer: Value = response.json().await?;
        if status.is_success() { Ok(answer) } else { Err(DemoError::Refused(answer.to_string())) }
    }

    /// Registers a consent and asks for a decision; returns the consent's id and the answer.
    async fn decide(&self, code: &str) -> Result<(String, Value), DemoError> {
        let valid_until = Timestamp::now() + jiff::SignedDuration::from_hours(24 * 365);
        let consent = json!({ "uscc": code, "purposes": ["working_capital"], "valid_until": valid_until });
        let consent = self.post("/v1/consents", &consent).await?["id"].as_str().unwrap_or_default().to_owned();
        let answer = self.post("/v1/decisions", &ask(code, &consent)).await?;
        Ok((consent, answer))
    }
}

fn ask(code: &str, consent: &str) -> Value {
    json!({
        "uscc": code, "consent_id": consent, "purpose": "working_capital",
        "amount_fen": 100_000_000, "term_months": 12,
    })
}

struct Shown<'a> {
    first: &'a str,
    consent: &'a str,
    decision: &'a Value,
    management: SocketAddr,
    departments_at: SocketAddr,
    password: SecretString,
}

fn print(bank: &Bank, shown: &Shown<'_>) {
    let decision = serde_json::to_string_pretty(shown.decision).unwrap_or_default();
    let (address, key) = (bank.address, bank.key.expose_secret());
    let body = ask(shown.first, shown.consent);
    println!(
        "A bank asked for 1,000,000 yuan of working capital for a made-up firm, with its consent. The answer:\n\n{decision}\n\n\
         Ask again yourself:\n\n\
         curl -sS http://{address}/v1/decisions \\\n  -H 'Authorization: Bearer {key}' \\\n  \
         -H 'Content-Type: application/json' -H 'Accept-Language: en' \\\n  -d '{body}'\n\n\
         Console of the finance office:  http://{address}/console   user {OFFICER}   password {}\n\
         (with {FURTHER_FIRMS} further firms decided, so that there are cases to review)\n\
         API description:                http://{address}/docs\n\
         Metrics and readiness:          http://{m}/metrics  http://{m}/readyz\n\
         Departments:                    http://{d}/firms\n\
         For your own tests:             http://{d}/firms?reserved=1 lists codes that are approved, declined, referred or met by a \
         failing department\n\nServing. Stop with Ctrl-C.",
        shown.password.expose_secret(),
        d = shown.departments_at,
        m = shown.management,
    );
}
