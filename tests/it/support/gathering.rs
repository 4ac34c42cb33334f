//! Departments that a test controls, the connectors to them, and a consent to use them.

use jiff::Timestamp;
use uuid::Uuid;
use yuxin::domain::evidence::EvidenceLine;
use yuxin::domain::{BankId, Consent, ConsentId, ConsentPass, Dossier, Scope, SourceKind, Uscc};
use yuxin::observe::Metrics;
use yuxin::settings::{Settings, SourcesSettings};
use yuxin::sources::Sources;

use super::department::{Behaviour, Department};

/// The firm of the samples.
pub const FIRM: &str = "91330604MA2XY0014W";

/// A consent of the samples' firm, checked.
pub fn pass() -> ConsentPass {
    pass_of(&FIRM.parse().unwrap())
}

/// A consent of this firm, checked.
pub fn pass_of(uscc: &Uscc) -> ConsentPass {
    let bank = BankId(Uuid::from_u128(2));
    let consent = Consent {
        id: ConsentId(Uuid::from_u128(1)),
        bank,
        uscc: uscc.clone(),
        purposes: vec!["working_capital".into()],
        scope: Scope::default(),
        one_time: false,
        granted_at: "2026-01-01T00:00:00Z".parse().unwrap(),
        valid_until: "2027-01-01T00:00:00Z".parse().unwrap(),
        document_sha256: None,
        revoked_at: None,
        used_at: None,
    };
    consent.check(bank, uscc, "working_capital", now()).unwrap()
}

/// Two weeks after the samples' `as_of`.
pub fn now() -> Timestamp {
    "2026-11-15T04:00:00Z".parse().unwrap()
}

/// Three departments of their own, and the connectors to them.
pub struct District {
    pub departments: [Department; 3],
    pub sources: Sources,
    pub metrics: Metrics,
}

impl District {
    /// All well but `faulty`.
    pub async fn with(faulty: SourceKind, behaviour: Behaviour) -> District {
        let of = |source| if source == faulty { behaviour.clone() } else { Behaviour::well(source) };
        District::of(SourceKind::ALL.map(of), |_| {}).await
    }

    /// Each with its own behaviour, in the order of `SourceKind::ALL`; `change` has the last word on the settings.
    pub async fn of(behaviours: [Behaviour; 3], change: impl FnOnce(&mut SourcesSettings)) -> District {
        let [a, b, c] = behaviours;
        let departments = [Department::start(a).await, Department::start(b).await, Department::start(c).await];
        let mut settings = Settings::with_overrides("").unwrap().sources;
        settings.tax.base_url = departments[0].base_url();
        settings.social_insurance.base_url = departments[1].base_url();
        settings.payment_history.base_url = departments[2].base_url();
        change(&mut settings);
        let metrics = Metrics::new().unwrap();
        let sources = Sources::new(&settings, metrics.clone()).unwrap();
        District { departments, sources, metrics }
    }

    /// Gathers once, two weeks after the samples' `as_of`.
    pub async fn gather(&self) -> Dossier {
        self.sources.gather(&pass(), now()).await
    }

    /// The requests that this department got.
    pub fn calls(&self, source: SourceKind) -> usize {
        self.departments[source as usize].requests().len()
    }

    /// How often the metrics counted this result.
    pub fn counted(&self, source: SourceKind, result: &str) -> u64 {
        let line = format!("yuxin_source_requests_total{{result=\"{result}\",source=\"{source}\"}} ");
        let text = self.metrics.render().unwrap();
        text.lines().find_map(|l| l.strip_prefix(&line)).map_or(0, |n| n.parse().unwrap())
    }
}

/// How the evidence of this source stands.
pub fn line(dossier: &Dossier, source: SourceKind) -> EvidenceLine {
    dossier.lines().into_iter().find(|line| line.source == source).unwrap()
}
