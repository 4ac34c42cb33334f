//! Who may begin, and who waits or is refused, when more is asked than can be done.
//!
//! What counts is time, not heads: how long work waits for this process's own resources (a worker's event loop, the store's
//! connections and its writer). While that is little, everybody begins at once, however many they are: a thousand requests that
//! wait for a slow department are no overload. Once it grows past the target, fewer may be under way; the others wait here, where
//! their waiting is known in advance: whoever would wait too long is refused at once, before anything was done for it.
//!
//! The order of shedding is batch, then reads, then live scoring. Within a class the banks take turns, so that one that floods
//! waits behind itself only.

mod limit;
mod line;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::observe::Metrics;
use limit::Limit;
use line::{Line, Waiter};

/// What a request is for; in the order in which work is shed, the last first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A loan officer waits for it: decisions, and all else that changes something.
    Live,
    /// Lists, pages, documents.
    Read,
    /// Nobody waits for it.
    Batch,
}

impl Class {
    /// As in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Class::Live => "live",
            Class::Read => "read",
            Class::Batch => "batch",
        }
    }
}

/// Whose turn it is: a bank, or everybody who is not known yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Flow(pub u128);

impl Flow {
    /// All that is not known to come from a bank shares one turn.
    pub const UNKNOWN: Flow = Flow(0);
}

/// The service has too much to do; to be tried again after a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overloaded;

/// How long work may wait.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Live requests that would wait longer to begin are refused; reads after half of it.
    pub wait_max: Duration,
    /// Past this mean wait for the process's own resources fewer requests may be under way.
    pub delay_target: Duration,
}

/// Live requests under way for each core, up to which rows of batches are begun. More of them, and something waits already.
const LIVE_BESIDE_BATCHES_PER_CORE: usize = 4;

/// A waiter that a stall of the service has kept for so many times its patience is refused late rather than kept.
const STALLED: u32 = 10;

/// Admission of work. Cheap to clone; the clones share one queue.
#[derive(Clone)]
pub struct Admission(Arc<Shared>);

struct Shared {
    patience: Patience,
    /// Live requests under way from which on no row of a batch is begun.
    live_beside_batches: usize,
    metrics: Metrics,
    state: Mutex<State>,
}

struct State {
    limit: Limit,
    under_way: usize,
    /// Those of them for which a loan officer waits.
    live_under_way: usize,
    live: Line,
    reads: Line,
}

/// The leave to work; gives the place to the next one when dropped.
pub struct Permit(Arc<Shared>, Class);

impl Admission {
    /// With nothing under way.
    pub fn new(patience: Patience, metrics: Metrics) -> Admission {
        let limit = Limit::new(patience.delay_target, Instant::now());
        let state = State { limit, under_way: 0, live_under_way: 0, live: Line::default(), reads: Line::default() };
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let live_beside_batches = cores * LIVE_BESIDE_BATCHES_PER_CORE;
        Admission(Arc::new(Shared { patience, live_beside_batches, metrics, state: Mutex::new(state) }))
    }

    /// Begins now, after a wait that is short enough, or not at all, which is said at once.
    ///
    /// # Errors
    /// [`Overloaded`].
    pub async fn enter(&self, class: Class, flow: Flow) -> Result<Permit, Overloaded> {
        let asked = Instant::now();
        let entered = self.queue(class, flow, asked);
        let admitted = match entered {
            Entered::Now(permit) => Ok(permit),
            Entered::Refused(reason) => Err(reason),
            Entered::Waits(turn) => {
                let stalled = self.0.patience.wait_max * STALLED;
                match tokio::time::timeout(stalled, turn).await {
                    Ok(Ok(permit)) => Ok(permit),
                    _ => Err("stalled"),
                }
            }
        };
        match admitted {
            Ok(permit) => {
                self.0.metrics.admitted(class.as_str(), asked.elapsed());
                Ok(permit)
            }
            Err(reason) => {
                self.0.metrics.shed(class.as_str(), reason);
                Err(Overloaded)
            }
        }
    }

    /// Whether work of this class may go on. What nobody waits for asks before each row of a batch, and pauses on `false`.
    pub fn permits(&self, class: Class) -> bool {
        let state = self.0.lock();
        match class {
            Class::Live => state.wait_of(Class::Live, Flow::UNKNOWN) <= self.0.patience.wait_max,
            Class::Read => state.wait_of(Class::Read, Flow::UNKNOWN) <= self.0.patience.wait_max / 2,
            // What batches do may strain the process by itself; that is nothing to spare anybody from.
            Class::Batch if state.under_way == 0 => true,
            Class::Batch => state.has_room_for_batches() && state.live_under_way < self.0.live_beside_batches,
        }
    }

    /// A worker's event loop came so late to a task that was due; and how long the store lately let work wait, if it did any.
    /// Called a hundred times a second by every worker.
    pub fn delayed(&self, late: Duration, stored: impl FnOnce() -> Duration) {
        let mut state = self.0.lock();
        let now = Instant::now();
        state.limit.note(late);
        if !state.limit.is_due(now) {
            return;
        }
        let under_way = state.under_way;
        let waiting = state.live.waiting() + state.reads.waiting();
        state.limit.step(stored(), under_way, waiting, now);
        let (limit, delay) = (state.limit.places(), state.limit.delay());
        let woken = state.fill(&self.0);
        drop(state);
        woken.hand_over();
        self.0.metrics.admission(limit, under_way, waiting, delay);
    }

    fn queue(&self, class: Class, flow: Flow, now: Instant) -> Entered {
        let mut state = self.0.lock();
        if class == Class::Batch && !state.has_room_for_batches() {
            return Entered::Refused("busy");
        }
        let before_us = state.live.waiting() + if class == Class::Live { 0 } else { state.reads.waiting() };
        if before_us == 0 && state.under_way < state.limit.places() {
            return Entered::Now(state.begin(&self.0, class));
        }
        let patience = match class {
            Class::Live => self.0.patience.wait_max,
            Class::Read | Class::Batch => self.0.patience.wait_max / 2,
        };
        if state.wait_of(class, flow) > patience {
            return Entered::Refused("wait");
        }
        // The estimate may be wrong, the wait of the bank's first in line is not. Another bank's wait is no concern of this one.
        let line = state.line(class);
        if line.first_since(flow).is_some_and(|since| now.duration_since(since) > patience * 2) {
            return Entered::Refused("late");
        }
        let (turn, wait) = oneshot::channel();
        line.push(flow, Waiter { turn, since: now });
        state.limit.was_reached();
        Entered::Waits(wait)
    }
}

enum Entered {
    Now(Permit),
    Waits(oneshot::Receiver<Permit>),
    Refused(&'static str),
}

impl State {
    fn line(&mut self, class: Class) -> &mut Line {
        match class {
            Class::Live => &mut self.live,
            Class::Read | Class::Batch => &mut self.reads,
        }
    }

    /// How long one more of this class and flow would wait: the turns before it, at the rate at which work is finished.
    fn wait_of(&self, class: Class, flow: Flow) -> Duration {
        let ahead = match class {
            Class::Live => self.live.ahead_of(flow),
            Class::Read | Class::Batch => self.live.waiting() + self.reads.ahead_of(flow),
        };
        self.limit.time_for(ahead)
    }

    fn has_room_for_batches(&self) -> bool {
        let calm = self.live.waiting() == 0 && self.reads.waiting() == 0 && !self.limit.is_strained();
        calm && self.under_way * 4 < self.limit.places() * 3
    }

    /// One more is under way.
    fn begin(&mut self, shared: &Arc<Shared>, class: Class) -> Permit {
        self.under_way += 1;
        self.live_under_way += usize::from(class == Class::Live);
        Permit(shared.clone(), class)
    }

    /// Gives free places to those who wait, live requests first.
    fn fill(&mut self, shared: &Arc<Shared>) -> Woken {
        let mut woken = Woken(Vec::new());
        while self.under_way < self.limit.places() {
            let live = self.live.pop().map(|waiter| (waiter, Class::Live));
            let Some((waiter, class)) = live.or_else(|| Some((self.reads.pop()?, Class::Read))) else { break };
            woken.0.push((waiter.turn, self.begin(shared, class)));
        }
        woken
    }
}

/// Places that are given away once the lock is released: one whose waiter has gone falls back, which takes the lock.
#[must_use]
struct Woken(Vec<(oneshot::Sender<Permit>, Permit)>);

impl Woken {
    fn hand_over(self) {
        for (turn, permit) in self.0 {
            // Where the waiter has gone the permit comes back and is dropped.
            let _ = turn.send(permit);
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that holds the lock can panic between two changes that belong together.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.under_way -= 1;
        state.live_under_way -= usize::from(self.1 == Class::Live);
        state.limit.finished();
        let woken = state.fill(&self.0);
        drop(state);
        woken.hand_over();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Patience =
        Patience { wait_max: Duration::from_millis(100), delay_target: Duration::from_millis(10) };

    fn admission() -> Admission {
        Admission::new(PATIENCE, Metrics::new().unwrap())
    }

    #[tokio::test]
    async fn many_that_wait_for_something_else_are_no_overload() {
        let admission = admission();
        let mut held = Vec::new();
        for n in 0..200 {
            held.push(admission.enter(Class::Live, Flow(n)).await.ok().unwrap());
        }
        assert!(admission.permits(Class::Live) && admission.permits(Class::Read));
        admission.delayed(Duration::ZERO, || Duration::ZERO);
        drop(held);
        let state = admission.0.lock();
        assert_eq!((state.under_way, state.live_under_way), (0, 0));
    }

    #[tokio::test]
    async fn rows_of_batches_are_not_begun_beside_many_live_requests_and_are_beside_reads() {
        let admission = admission();
        let beside = admission.0.live_beside_batches;
        let mut reads = Vec::new();
        for n in 0..u128::try_from(beside).unwrap() {
            reads.push(admission.enter(Class::Read, Flow(n)).await.ok().unwrap());
        }
        assert!(admission.permits(Class::Batch), "reads are no loan officers who wait");
        let mut live = Vec::new();
        for n in 0..u128::try_from(beside).unwrap() {
            live.push(admission.enter(Class::Live, Flow(n)).await.ok().unwrap());
        }
        assert!(!admission.permits(Class::Batch) && admission.permits(Class::Read));
        assert!(admission.enter(Class::Batch, Flow(1)).await.is_ok(), "a file may arrive; its rows wait");
        live.pop();
        assert!(admission.permits(Class::Batch));
    }

    #[tokio::test]
    async fn a_delay_sheds_batches_first_then_reads_then_live_requests() {
        let admission = admission();
        assert!(admission.permits(Class::Batch));
        strain_now(&admission);
        assert!(admission.permits(Class::Batch), "nobody is there who would feel it");
        let one = admission.enter(Class::Read, Flow(9)).await.ok().unwrap();
        assert!(!admission.permits(Class::Batch) && admission.permits(Class::Read));
        drop(one);
        let _held = full(&admission).await;
        // A hundred a second were finished of late: eight ahead are 80 ms.
        admission.0.lock().limit.set_rate(100.0);
        let waiting: Vec<_> = (0..8).map(|_| admission.queue(Class::Live, Flow(1), Instant::now())).collect();
        assert!(waiting.iter().all(|entered| matches!(entered, Entered::Waits(_))));
        assert!(matches!(admission.queue(Class::Read, Flow(2), Instant::now()), Entered::Refused("wait")));
        let more: Vec<_> = (0..5).map(|_| admission.queue(Class::Live, Flow(1), Instant::now())).collect();
        assert!(matches!(more[4], Entered::Refused("wait")), "a bank's own line is as long as its patience");
        assert!(
            matches!(admission.queue(Class::Live, Flow(2), Instant::now()), Entered::Waits(_)),
            "another bank waits"
        );
    }

    /// Takes all places that there are.
    async fn full(admission: &Admission) -> Vec<Permit> {
        let places = admission.0.lock().limit.places();
        let mut held = Vec::new();
        for _ in 0..places {
            held.push(admission.enter(Class::Live, Flow(1)).await.ok().unwrap());
        }
        held
    }

    /// The limit at its lowest, at once.
    fn strain_now(admission: &Admission) {
        let mut state = admission.0.lock();
        for _ in 0..60 {
            state.limit.note(Duration::from_millis(60));
            state.limit.step(Duration::ZERO, 16, 1, Instant::now());
        }
    }

    #[tokio::test]
    async fn banks_take_turns_and_live_requests_go_before_reads() {
        let admission = admission();
        strain_now(&admission);
        let mut held = full(&admission).await;
        let wait = |class, flow| match admission.queue(class, Flow(flow), Instant::now()) {
            Entered::Waits(turn) => turn,
            _ => panic!("it does not wait"),
        };
        let mut read = wait(Class::Read, 3);
        let mut flood: Vec<_> = (0..3).map(|_| wait(Class::Live, 1)).collect();
        let mut other = wait(Class::Live, 2);
        held.pop();
        let first = flood[0].try_recv().unwrap();
        assert!(other.try_recv().is_err());
        drop(first);
        let second = other.try_recv().expect("the second turn is the other bank's");
        assert!(flood[1].try_recv().is_err());
        drop(second);
        drop(flood[1].try_recv().unwrap());
        drop(flood[2].try_recv().unwrap());
        read.try_recv().expect("the read comes last");
    }

    #[tokio::test]
    async fn a_waiter_that_goes_away_leaves_its_place_to_the_next() {
        let admission = admission();
        strain_now(&admission);
        let mut held = full(&admission).await;
        let gone = admission.queue(Class::Live, Flow(1), Instant::now());
        let Entered::Waits(mut stays) = admission.queue(Class::Live, Flow(1), Instant::now()) else { panic!() };
        drop(gone);
        held.pop();
        stays.try_recv().expect("the next one's turn");
    }

    #[test]
    fn the_limit_falls_under_strain_and_rises_again_where_it_is_reached() {
        let admission = admission();
        let before = admission.0.lock().limit.places();
        strain_now(&admission);
        let low = admission.0.lock().limit.places();
        assert!(low < before / 4, "{low}");
        let mut state = admission.0.lock();
        for _ in 0..60 {
            state.limit.was_reached();
            state.limit.note(Duration::from_millis(1));
            state.limit.step(Duration::ZERO, low, 5, Instant::now());
        }
        assert!(state.limit.places() > before, "{}", state.limit.places());
    }
}
