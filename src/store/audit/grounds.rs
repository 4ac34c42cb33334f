//! What decisions rest on: every text must be the one that its digest names, every decision must have its own, and none may
//! stand there that no decision rests on.

use super::super::StoreError;
use super::super::database::{Transaction, fetch};
use super::report::AuditProblem;
use super::sha256;

/// Grounds that are read at a time; each has some tens of kilobytes.
const PAGE: i64 = 200;

/// What does not fit.
pub(super) async fn check(snapshot: &mut Transaction) -> Result<Vec<AuditProblem>, StoreError> {
    const NEXT: &str = "SELECT sha256, body FROM grounds WHERE sha256 > $1 ORDER BY sha256 LIMIT $2";
    const WITHOUT: &str = "SELECT d.id FROM decisions d WHERE d.grounds IS NOT NULL \
         AND NOT EXISTS (SELECT 1 FROM grounds g WHERE g.sha256 = d.grounds) LIMIT 20";
    const UNUSED: &str = "SELECT sha256 FROM grounds WHERE sha256 NOT IN \
         (SELECT grounds FROM decisions WHERE grounds IS NOT NULL) LIMIT 20";
    let problem = |kind: &str, subject: String, what: &str| AuditProblem {
        seq: None,
        kind: kind.to_owned(),
        subject,
        what: what.to_owned(),
    };
    let mut problems = Vec::new();
    let mut last = String::new();
    loop {
        let rows = fetch!(fetch_all, Transaction, snapshot, (String, String), NEXT, &last, PAGE)?;
        let Some((end, _)) = rows.last() else { break };
        last.clone_from(end);
        let changed = rows.into_iter().filter(|(digest, body)| sha256(body.as_bytes()) != *digest);
        problems
            .extend(changed.map(|(digest, _)| problem("grounds", digest, "what is stored is not what was written")));
    }
    for (id,) in fetch!(fetch_all, Transaction, snapshot, (String,), WITHOUT)? {
        problems.push(problem("decision", id, "what the decision rests on is not stored any more"));
    }
    for (digest,) in fetch!(fetch_all, Transaction, snapshot, (String,), UNUSED)? {
        problems.push(problem("grounds", digest, "no decision rests on this: it was put in from outside"));
    }
    Ok(problems)
}
