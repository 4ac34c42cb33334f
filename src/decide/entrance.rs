//! What must hold before a firm is looked at: the consent, and a turn where it covers one look only.

use jiff::Timestamp;

use super::Decider;
use super::asking::{Asker, DecideError};
use super::turns::Turn;
use crate::domain::ConsentPass;
use crate::domain::decision::DecisionRequest;

/// Leave to look at a firm.
pub(super) struct Entry {
    pub(super) pass: ConsentPass,
    _turn: Option<Turn>,
}

impl Decider {
    /// The pass to look now, with what is on record of the firm; with a turn where the consent covers one look only.
    ///
    /// Where a department will be asked, the consent is read anew: what was read a moment ago is good enough only where it takes
    /// no more than what is at hand, and the commit to come.
    pub(super) async fn enter(
        &self,
        asker: &Asker,
        request: &DecisionRequest,
        now: Timestamp,
    ) -> Result<Entry, DecideError> {
        let pass = self.pass_as_of(true, asker, request, now).await?;
        let firm = self.store.firm_on_record(&request.uscc).await?;
        let pass = pass.knowing(firm.history.clone());
        if !pass.is_for_one_look() && self.sources().has_at_hand(&pass, now) {
            return Ok(Entry { pass, _turn: None });
        }
        if !pass.is_for_one_look() {
            // Departments will be asked: the consent is read anew. What was on record of the firm a moment ago will do.
            let pass = self.pass_as_of(false, asker, request, now).await?;
            return Ok(Entry { pass: pass.knowing(firm.history.clone()), _turn: None });
        }
        let turn = Some(self.turns.take(pass.consent()).await);
        // Whoever had the turn before may have used the consent up.
        let pass = self.pass_as_of(false, asker, request, now).await?;
        let history = self.store.history_of(&request.uscc).await?;
        Ok(Entry { pass: pass.knowing(history), _turn: turn })
    }

    /// Checks the consent as it is stored now; or, where `late` will do, as it was a moment ago.
    pub(super) async fn pass_as_of(
        &self,
        late: bool,
        asker: &Asker,
        request: &DecisionRequest,
        now: Timestamp,
    ) -> Result<ConsentPass, DecideError> {
        let check = |consent: &crate::domain::Consent| {
            consent.check(asker.bank, &request.uscc, &request.purpose, now).map_err(DecideError::from)
        };
        if late {
            let consent = self.store.consent_of_late(request.consent_id).await?;
            return check(&*consent.ok_or(DecideError::ConsentUnknown)?);
        }
        let consent = self.store.consent(request.consent_id).await?;
        check(&consent.ok_or(DecideError::ConsentUnknown)?)
    }
}
