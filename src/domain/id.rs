//! Identifiers. Each is its own type, so that a case id cannot stand where a decision id is meant.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, uuid::Error> {
                text.parse().map(Self)
            }
        }
    )*};
}

ids! {
    /// A bank, the tenant of the bank API.
    BankId,
    /// An API key of a bank (the id, not the secret).
    KeyId,
    /// A firm's consent.
    ConsentId,
    /// A decision.
    DecisionId,
    /// A case of the finance office.
    CaseId,
    /// A person who works in the console.
    UserId,
    /// A look at a firm.
    LookId,
    /// A notice to a bank.
    NoticeId,
    /// A dispute.
    DisputeId,
    /// A re-score of a decision.
    RescoreId,
    /// An address at which a bank wants to be told.
    WebhookId,
    /// Something that banks are told by webhook; the `webhook-id` of its messages.
    EventId,
    /// A batch of requests.
    BatchId,
}
