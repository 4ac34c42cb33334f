//! What a connector does on the way to a record, told step by step to whoever tries it.

/// The steps so far; in service nobody listens, and none is worded.
#[derive(Debug, Default)]
pub(super) struct Steps(Option<Vec<(String, String)>>);

impl Steps {
    /// Nobody listens.
    pub(super) fn unheard() -> Steps {
        Steps(None)
    }

    /// Somebody does.
    pub(super) fn heard() -> Steps {
        Steps(Some(Vec::new()))
    }

    /// One step: its name and how it went.
    pub(super) fn tell(&mut self, step: &str, how: impl FnOnce() -> String) {
        if let Some(steps) = &mut self.0 {
            steps.push((step.to_owned(), how()));
        }
    }

    /// All of them, in order.
    pub(super) fn all(self) -> Vec<(String, String)> {
        self.0.unwrap_or_default()
    }
}
