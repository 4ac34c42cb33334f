//! The console on a free port, over a store in a temporary folder.

use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use jiff::Timestamp;
use secrecy::SecretString;
use tempfile::TempDir;
use uuid::Uuid;
use yuxin::app::load_engine;
use yuxin::decide::{Asker, Decider};
use yuxin::domain::decision::DecisionRequest;
use yuxin::domain::{BankId, CaseId, Consent, ConsentId, Review, Role, User, Verdict};
use yuxin::http::body::BodyLimits;
use yuxin::http::office::{self, Office};
use yuxin::observe::Metrics;
use yuxin::settings::Settings;
use yuxin::sources::Sources;
use yuxin::store::{DecisionEntry, Store};

use super::specimen::Specimen;

/// The password of every user of these tests.
pub const PASSWORD: &str = "a long test password";
/// Departments at a port that is never given to anybody.
const NOBODY_LISTENS: &str = r#"
[sources]
tax.base_url = "http://127.0.0.1:1"
social_insurance.base_url = "http://127.0.0.1:1"
payment_history.base_url = "http://127.0.0.1:1"
"#;
/// The bank that asks.
pub const BANK: &str = "上虞农商银行";

/// A running console.
pub struct Console {
    /// Its address, without a path.
    pub address: String,
    /// Its store.
    pub store: Store,
    decider: web::Data<Decider>,
    bank: BankId,
    server: ServerHandle,
    _folder: TempDir,
}

impl Console {
    /// Starts one, with a user per role; each is named after the role.
    pub async fn start() -> Console {
        Console::start_on(0).await
    }

    /// Starts one on a port of one's own choice.
    pub async fn start_on(port: u16) -> Console {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("yuxin.db").display());
        let store = Store::open(&url, Metrics::new().unwrap()).await.unwrap();
        let now = Timestamp::now();
        let bank = store.create_key(BANK, now).await.unwrap().info.bank;
        for role in Role::ALL {
            store.create_user(role.as_str(), role, &SecretString::from(PASSWORD), now).await.unwrap();
        }
        let data = web::Data::new(Office { store: store.clone(), secure_cookies: false });
        let settings = Settings::with_overrides(NOBODY_LISTENS).unwrap();
        let metrics = Metrics::new().unwrap();
        let sources = Sources::new(&settings.sources, metrics.clone()).unwrap();
        let engine = load_engine(&settings).unwrap();
        let decider = web::Data::new(Decider::new(store.clone(), sources, metrics, engine));
        let shared = decider.clone();
        let limits = web::Data::new(BodyLimits { bytes_max: 65_536, timeout: Duration::from_millis(1500) });
        let app = move || {
            App::new()
                .app_data(data.clone())
                .app_data(shared.clone())
                .app_data(limits.clone())
                .configure(office::configure)
        };
        let server = HttpServer::new(app).workers(1).disable_signals().bind(("127.0.0.1", port)).unwrap();
        let address = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        Console { address, store, decider, bank, server: handle, _folder: folder }
    }

    /// Records the decision on a firm, and its case.
    pub async fn refer(&self, firm: &Specimen) -> CaseId {
        let (record, case) = firm.decide(self.bank, BANK);
        let id = case.id;
        let entry = DecisionEntry { record, case: Some(case), idempotency: None, look: None };
        self.store.commit_decision(entry).await.unwrap();
        id
    }

    /// Decides on a firm, with departments that cannot be reached.
    pub async fn decide(&self, firm: &str) {
        let now = Timestamp::now();
        let consent = Consent {
            id: ConsentId(Uuid::now_v7()),
            bank: self.bank,
            uscc: firm.parse().unwrap(),
            purposes: vec!["working_capital".to_owned()],
            scope: yuxin::domain::Scope::default(),
            one_time: false,
            granted_at: now,
            valid_until: "2099-01-01T00:00:00Z".parse().unwrap(),
            document_sha256: None,
            revoked_at: None,
            used_at: None,
        };
        self.store.insert_consent(&consent).await.unwrap();
        let request = DecisionRequest {
            uscc: consent.uscc.clone(),
            consent_id: consent.id,
            purpose: "working_capital".to_owned(),
            amount: yuxin::domain::Fen::from_yuan(1_000_000),
            term_months: 12,
        };
        let asker = Asker { bank: self.bank, name: BANK.to_owned() };
        self.decider.decide(&asker, request, now, |_| None).await.unwrap();
    }

    /// The user named after `role`.
    pub async fn user(&self, role: Role) -> User {
        let users = self.store.list_users().await.unwrap();
        users.into_iter().map(|info| info.user).find(|user| user.role == role).unwrap()
    }

    /// Reviews a case as the user named after `role`, without a browser.
    pub async fn review(&self, case: CaseId, role: Role, verdict: Verdict, reason: &str) {
        let user = self.user(role).await;
        let review = Review {
            user: user.id,
            user_name: user.name,
            verdict,
            reason: reason.to_owned(),
            limit: (verdict == Verdict::Approve).then(|| yuxin::domain::Fen::from_yuan(1_000_000)),
            at: Timestamp::now(),
        };
        self.store.review_case(case, &review).await.unwrap();
    }

    /// The address of a page.
    pub fn page(&self, path: &str) -> String {
        format!("{}{path}", self.address)
    }

    /// Stops the server and closes the store.
    pub async fn stop(self) {
        self.server.stop(false).await;
        self.store.close().await;
    }
}
