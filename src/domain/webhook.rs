//! Webhooks: a bank names an address, and is told there what happens, instead of having to ask.

use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;

use super::case::UnknownName;
use super::{BankId, EventId, NoticeKind, WebhookId};

/// The most webhooks of one bank.
pub const WEBHOOKS_MAX: usize = 10;
/// For how long the secret before the present one signs too.
pub const OLD_SECRET_HOURS: i64 = 24;

macro_rules! event_kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// What a bank can be told by webhook.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum EventKind { $($(#[$doc])* $name,)* }

        impl EventKind {
            /// All of them.
            pub const ALL: &'static [EventKind] = &[$(EventKind::$name,)*];

            /// The name in messages, requests and the store.
            pub fn as_str(self) -> &'static str {
                match self { $(EventKind::$name => $text,)* }
            }
        }
    };
}

event_kinds! {
    /// The office decided on a case: its decision has another outcome, or is confirmed.
    CaseClosed = "case.closed",
    /// The office asks the bank something about a case.
    CaseAsked = "case.asked",
    /// A firm's consent was revoked.
    ConsentRevoked = "consent.revoked",
    /// A dispute on a fact that the bank's decisions may rely on was answered.
    DisputeResolved = "dispute.resolved",
    /// An adverse fact left the score of a decision, which was judged again.
    FactExpired = "fact.expired",
    /// One of the bank's webhooks was disabled.
    WebhookDisabled = "webhook.disabled",
    /// A firm of the portfolio was judged anew and stands otherwise than before.
    StandingChanged = "standing.changed",
    /// The bank asked for a message to try its endpoint with.
    Ping = "webhook.ping",
}

impl EventKind {
    /// The event that goes with a notice.
    pub fn of_notice(kind: NoticeKind) -> EventKind {
        match kind {
            NoticeKind::ConsentRevoked => EventKind::ConsentRevoked,
            NoticeKind::DisputeResolved => EventKind::DisputeResolved,
            NoticeKind::FactExpired => EventKind::FactExpired,
            NoticeKind::WebhookDisabled => EventKind::WebhookDisabled,
            NoticeKind::StandingChanged => EventKind::StandingChanged,
        }
    }
}

impl fmt::Display for EventKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for EventKind {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<EventKind, UnknownName> {
        EventKind::ALL.iter().copied().find(|kind| kind.as_str() == text).ok_or_else(|| UnknownName(text.to_owned()))
    }
}

/// Who or what disabled a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disabled {
    /// The bank.
    ByBank,
    /// The endpoint answered 410 Gone.
    Gone,
    /// It failed for days, and not once succeeded.
    Failing,
}

impl Disabled {
    /// The name in answers and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Disabled::ByBank => "bank",
            Disabled::Gone => "gone",
            Disabled::Failing => "failing",
        }
    }
}

impl FromStr for Disabled {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<Disabled, UnknownName> {
        [Disabled::ByBank, Disabled::Gone, Disabled::Failing]
            .into_iter()
            .find(|because| because.as_str() == text)
            .ok_or_else(|| UnknownName(text.to_owned()))
    }
}

/// An address at which a bank wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// The bank.
    pub bank: BankId,
    /// The address.
    pub url: String,
    /// What is sent to it; empty: everything, also kinds to come.
    pub kinds: Vec<EventKind>,
    /// Why nothing is sent to it; `None` while it is enabled.
    pub disabled: Option<Disabled>,
    /// When it was registered.
    pub created_at: Timestamp,
    /// Until when the secret before the present one signs too.
    pub old_secret_until: Option<Timestamp>,
    /// Since when every try has failed.
    pub failing_since: Option<Timestamp>,
}

/// How far an event has come on its way to a webhook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// To be sent, for the first time or again.
    Pending,
    /// Taken with a 2xx.
    Delivered,
    /// Given up after the last try, or because the webhook was disabled.
    Failed,
}

impl DeliveryState {
    /// The name in answers and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            DeliveryState::Pending => "pending",
            DeliveryState::Delivered => "delivered",
            DeliveryState::Failed => "failed",
        }
    }
}

impl FromStr for DeliveryState {
    type Err = UnknownName;
    fn from_str(text: &str) -> Result<DeliveryState, UnknownName> {
        [DeliveryState::Pending, DeliveryState::Delivered, DeliveryState::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| UnknownName(text.to_owned()))
    }
}

/// An event on its way to a webhook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivery {
    /// The event, and the `webhook-id` of every try.
    pub event: EventId,
    /// What kind of event.
    pub kind: EventKind,
    /// When it happened.
    pub created_at: Timestamp,
    /// How far it has come.
    pub state: DeliveryState,
    /// Tries since it was last queued.
    pub attempts: u32,
    /// When the last try was begun.
    pub tried_at: Option<Timestamp>,
    /// The HTTP status of the last try, where there was an answer.
    pub status: Option<u16>,
    /// How the last try ended, in a word, for instance `delivered`, `status`, `timeout`.
    pub ended: Option<String>,
    /// When it is tried next.
    pub due_at: Option<Timestamp>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_reads_back_by_its_name_and_none_is_part_of_another() {
        for kind in EventKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
            // The store looks for a kind between blanks, with LIKE: none of its wildcards may stand in a name.
            assert!(kind.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'.'), "{kind}");
        }
    }
}
