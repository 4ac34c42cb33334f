//! A department's reply that broke a rule: never scored, kept for a while so that somebody can see what broke.

use jiff::Timestamp;

use super::{SourceKind, Uscc};

/// A reply that broke a rule.
#[derive(Clone, PartialEq, Eq)]
pub struct RejectedReply {
    /// The department.
    pub source: SourceKind,
    /// The firm that was asked about.
    pub uscc: Uscc,
    /// When it came.
    pub at: Timestamp,
    /// JSON pointer of what broke; empty for the whole reply.
    pub pointer: String,
    /// What is wrong with it, without the value.
    pub problem: String,
    /// SHA-256 of the whole body, in hexadecimal.
    pub digest: String,
    /// The body; `None` where the consent covers only parts of the record, and nobody may read the whole.
    pub body: Option<Vec<u8>>,
}

/// Says what and how much, never which firm or what the reply said.
impl std::fmt::Debug for RejectedReply {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let bytes = self.body.as_ref().map(Vec::len);
        f.debug_struct("RejectedReply").field("source", &self.source).field("bytes", &bytes).finish_non_exhaustive()
    }
}
