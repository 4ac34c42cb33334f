//! What verifying the audit chain tells.

/// What a walk along the audit chain found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditReport {
    /// Rows in the chain.
    pub entries: u64,
    /// Sequence number of the last row; 0 for an empty chain.
    pub head_seq: i64,
    /// Hash of the last row. Noted down elsewhere, it proves later that the chain up to here is the same.
    pub head_hash: String,
    /// The first problems found, at most 20; empty: the chain and what it speaks of are intact.
    pub problems: Vec<AuditProblem>,
}

impl AuditReport {
    /// Whether no problem was found.
    pub fn intact(&self) -> bool {
        self.problems.is_empty()
    }
}

/// Something that does not fit the audit chain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditProblem {
    /// Sequence number in the chain; `None` where a stored row has no place in it.
    pub seq: Option<i64>,
    /// The kind of entry, for instance `decision`.
    pub kind: String,
    /// The id that the entry speaks of; never a firm.
    pub subject: String,
    /// What is wrong.
    pub what: String,
}
