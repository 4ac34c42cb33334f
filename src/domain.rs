//! The words of the trade: firms, evidence, consents, decisions, cases.
//!
//! Everything here is plain data and pure functions: no clock, no network, no database.

pub mod batch;
pub mod case;
pub mod consent;
pub mod day;
pub mod decision;
pub mod dispute;
pub mod evidence;
pub mod fen;
pub mod id;
pub mod language;
pub mod look;
pub mod month;
pub mod notice;
pub mod rejected;
pub mod rescore;
pub mod size;
pub mod uscc;
pub mod user;
pub mod webhook;

pub use batch::{Batch, BatchKind, BatchState, RowState};
pub use case::{Case, CaseState, Review, Verdict};
pub use consent::{Consent, ConsentPass, ConsentRefusal, FirmHistory, Scope};
pub use day::{china, china_date};
pub use decision::{Decision, DecisionRecord, Grounds, Outcome};
pub use dispute::{Dispute, DisputeMark, DisputeVerdict, DisputedFact, Resolution, Standing};
pub use evidence::{Dossier, Evidence, EvidenceStatus, SourceKind};
pub use fen::Fen;
pub use id::{
    BankId, BatchId, CaseId, ConsentId, DecisionId, DisputeId, EventId, KeyId, LookId, NoticeId, RescoreId, UserId,
    WebhookId,
};
pub use language::Language;
pub use look::{Look, LookBy, LookEnd};
pub use month::Month;
pub use notice::{Notice, NoticeKind};
pub use rejected::RejectedReply;
pub use rescore::Rescore;
pub use size::FirmSize;
pub use uscc::{Uscc, UsccError, UsccVerdict};
pub use user::{Role, User};
pub use webhook::{Delivery, DeliveryState, Disabled, EventKind, Webhook};
