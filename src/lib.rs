//! Yuxin (虞信): credit scoring for small and micro firms, from evidence that public departments already hold.
//!
//! One path, one direction:
//!
//! ```text
//! request → consent → evidence → features → model → policy → record → answer
//!              │          │          └────── pure, a date goes in ──────┘   ├─► audit chain, case, idempotency: one transaction
//!            store     sources (departments over HTTP)                      └─► metrics
//! ```
//!
//! | module | holds | may use |
//! |---|---|---|
//! | [`domain`] | firms, evidence, consents, decisions, cases | nothing |
//! | [`features`] | the catalogue and its extraction | domain |
//! | [`model`] | training, the artifact, scoring, reasons, interval | domain |
//! | [`data`] | rows in CSV and XLSX files, for training and scoring | domain, model |
//! | [`policy`] | knock-outs, flags, cut-offs, limits | domain, features, model |
//! | [`sources`] | the departments, asked with a consent's pass | domain, settings, observe |
//! | [`store`] | everything durable, one writer, the audit chain | domain, settings, observe |
//! | [`outbox`] | events on their way to the banks' webhooks | domain, settings, observe, store |
//! | [`decide`] | the spine | all of the above but outbox |
//! | [`admission`] | who may begin, who waits, who is refused | observe |
//! | [`batch`] | files of requests and runs over the portfolio, through a durable queue | admission, decide, store, data, domain, observe |
//! | [`http`] | bank API, console, management | admission, decide, batch, store, outbox, features, domain, observe |
//! | [`sandbox`] | a synthetic district, the departments, replay | domain |
//! | [`app`], [`cli`] | wiring and commands | everything |
//!
//! Domain, features, model and policy are pure: no runtime, no network, no database, no clock. `tests/it/architecture.rs` holds
//! the table against the source. What holds always:
//!
//! - no department is asked without a [`domain::ConsentPass`], and only [`domain::Consent::check`] makes one;
//! - missing evidence is a value of its own, never zero;
//! - an answer leaves only after its decision, audit row, case and idempotency row are on disk, in one transaction;
//! - online, in a file and in a replay a decision is made by [`decide::Engine::judge`] and a score by [`model::Model::score`];
//! - nothing that is logged, measured or put into an error text names a firm.

pub mod admission;
pub mod app;
pub mod batch;
pub mod cli;
pub mod data;
pub mod decide;
pub mod domain;
pub mod features;
pub mod http;
pub mod model;
pub mod observe;
pub mod outbox;
pub mod policy;
pub mod sandbox;
pub mod settings;
pub mod sources;
pub mod store;
