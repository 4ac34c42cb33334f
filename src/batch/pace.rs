//! How a worker of batches gives way: before each row it asks admission, the one place that knows what is asked of the process.

use std::time::{Duration, Instant};

use crate::admission::{Admission, Class};

/// How long a worker waits for room before it does one row all the same, so that a busy day does not stop batches altogether.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

/// Whether rows may be begun. Cheap to clone; the clones ask the same admission.
#[derive(Clone)]
pub struct Pace(Option<Admission>);

impl Pace {
    /// Beside what this admission lets in.
    pub fn beside(admission: Admission) -> Pace {
        Pace(Some(admission))
    }

    /// In a process that serves nobody.
    pub fn alone() -> Pace {
        Pace(None)
    }

    /// Whether a row of a batch may be begun now.
    fn may_go_on(&self) -> bool {
        self.0.as_ref().is_none_or(|admission| admission.permits(Class::Batch))
    }

    /// Waits until a row may be begun, a second at most.
    pub(super) async fn wait(&self) {
        let began = Instant::now();
        while !self.may_go_on() && began.elapsed() < PATIENCE {
            tokio::time::sleep(LOOK).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admission::{Flow, Patience};
    use crate::observe::Metrics;

    fn admission() -> Admission {
        let patience = Patience { wait_max: Duration::from_millis(100), delay_target: Duration::from_millis(10) };
        Admission::new(patience, Metrics::new().unwrap())
    }

    #[tokio::test]
    async fn batches_wait_while_many_live_requests_are_under_way_and_go_on_once_they_are_done() {
        let admission = admission();
        let pace = Pace::beside(admission.clone());
        let mut live = Vec::new();
        while pace.may_go_on() {
            live.push(admission.enter(Class::Live, Flow(1)).await.ok().unwrap());
            assert!(live.len() < 10_000, "they never wait");
        }
        let waiting = tokio::spawn({
            let pace = pace.clone();
            async move {
                pace.wait().await;
                pace.may_go_on()
            }
        });
        tokio::time::sleep(Duration::from_millis(50)).await;
        assert!(!waiting.is_finished());
        live.pop();
        assert!(waiting.await.unwrap(), "it went on as soon as there was room");
    }

    #[tokio::test]
    async fn batches_wait_while_the_process_is_strained_although_few_requests_are_under_way() {
        let admission = admission();
        let pace = Pace::beside(admission.clone());
        let _one = admission.enter(Class::Read, Flow(1)).await.ok().unwrap();
        // Past the time of one step of the limit.
        tokio::time::sleep(Duration::from_millis(150)).await;
        admission.delayed(Duration::from_millis(60), || Duration::ZERO);
        assert!(!pace.may_go_on());
        let began = Instant::now();
        pace.wait().await;
        assert!(began.elapsed() >= PATIENCE, "one row is done all the same, after a while");
        admission.delayed(Duration::ZERO, || Duration::ZERO);
        assert!(pace.may_go_on());
        assert!(Pace::alone().may_go_on());
    }
}
