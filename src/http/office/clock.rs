//! How a case stands against its due date.

use jiff::Timestamp;

use crate::domain::{Case, CaseState};
use crate::http::words::{Words, figures};

/// How a case stands against its due date.
pub struct Clock {
    /// In words.
    pub text: String,
    /// A class of the stylesheet: `over`, `soon`, `calm` or `done`.
    pub class: &'static str,
}

/// The clock of `case` at `now`; days are counted by the calendar in China.
pub fn clock(case: &Case, now: Timestamp, words: Words) -> Clock {
    if case.state == CaseState::Closed {
        return Clock { text: words.t("due-closed"), class: "done" };
    }
    until(case.due_at, now, words)
}

/// The clock of something open that is due at `due_at`; days are counted by the calendar in China.
pub fn until(due_at: Timestamp, now: Timestamp, words: Words) -> Clock {
    let days = figures::days_between(now, due_at);
    if now > due_at {
        let text = match -days {
            0 => words.t("due-overdue-today"),
            days => words.with("due-overdue-days", &[("days", days.into())]),
        };
        return Clock { text, class: "over" };
    }
    let text = match days {
        0 => words.t("due-today"),
        days => words.with("due-in-days", &[("days", days.into())]),
    };
    Clock { text, class: if days <= 5 { "soon" } else { "calm" } }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{BankId, CaseId, DecisionId, Fen, Language, Outcome};
    use uuid::Uuid;

    fn due(at: &str) -> Case {
        Case {
            id: CaseId(Uuid::from_u128(1)),
            decision: DecisionId(Uuid::from_u128(2)),
            bank: BankId(Uuid::from_u128(3)),
            bank_name: "bank".to_owned(),
            uscc: "91330604MA2XY0014W".parse().unwrap(),
            firm_name: None,
            refer_codes: Vec::new(),
            outcome: Outcome::Refer,
            score: 600,
            grade: "B".to_owned(),
            amount: Fen(1),
            state: CaseState::Open,
            opened_at: Timestamp::UNIX_EPOCH,
            due_at: at.parse().unwrap(),
            reviews: Vec::new(),
        }
    }

    #[test]
    fn days_are_counted_by_the_calendar_in_china_and_lateness_by_the_instant() {
        // 20:00 in China.
        let now: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        for (at, text, class) in [
            ("2026-12-22T12:00:00Z", "剩 30 天", "calm"),
            ("2026-11-22T17:00:00Z", "剩 1 天", "soon"),
            ("2026-11-22T13:00:00Z", "今天到期", "soon"),
            ("2026-11-22T11:00:00Z", "今天刚超期", "over"),
            ("2026-11-20T11:00:00Z", "超期 2 天", "over"),
        ] {
            let told = clock(&due(at), now, Words(Language::ZhCn));
            assert_eq!((told.text.as_str(), told.class), (text, class), "{at}");
        }
        let closed = Case { state: CaseState::Closed, ..due("2026-11-01T00:00:00Z") };
        assert_eq!(clock(&closed, now, Words(Language::En)).text, "closed", "a closed case is never overdue");
    }
}
