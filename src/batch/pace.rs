//! How batches give way to live scoring: the one place where a worker asks whether it may go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Live decisions under way for each core, up to which batches go on. More of them, and something waits already.
const LIVE_MAX_PER_CORE: usize = 4;
/// How long a worker waits for room before it does one row all the same, so that a busy day does not stop batches altogether.
const PATIENCE: Duration = Duration::from_secs(1);
/// How often it looks.
const LOOK: Duration = Duration::from_millis(20);

/// What live scoring is doing. Cheap to clone; the clones look at the same.
#[derive(Debug, Clone)]
pub struct Pace {
    live: Arc<AtomicUsize>,
    live_max: usize,
}

/// A live decision under way, until dropped.
#[derive(Debug)]
pub struct Live(Arc<AtomicUsize>);

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Default for Pace {
    fn default() -> Pace {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Pace { live: Arc::default(), live_max: cores * LIVE_MAX_PER_CORE }
    }
}

impl Pace {
    /// A live decision begins.
    pub fn live(&self) -> Live {
        self.live.fetch_add(1, Ordering::Relaxed);
        Live(self.live.clone())
    }

    /// Whether a row of a batch may be begun now.
    pub fn may_go_on(&self) -> bool {
        self.live.load(Ordering::Relaxed) < self.live_max
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

    #[tokio::test]
    async fn batches_wait_while_many_live_decisions_are_under_way_and_go_on_once_they_are_done() {
        let pace = Pace::default();
        let mut live: Vec<Live> = (0..pace.live_max).map(|_| pace.live()).collect();
        assert!(!pace.may_go_on());
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
}
