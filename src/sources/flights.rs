//! Single flight: who asks for a firm while it is being asked for already shares that call.
//!
//! The call is driven by whoever waits for it. One that gives up harms nobody; when the last one gives up, the call is dropped,
//! and with it its place and its part in the breaker.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures_util::FutureExt;
use futures_util::future::{BoxFuture, Shared, WeakShared};

use crate::domain::Uscc;

/// A call that several may wait for.
pub(super) type Flight<T> = Shared<BoxFuture<'static, T>>;

/// The calls under way to one department, by firm.
pub(super) struct Flights<T: Clone>(Arc<Mutex<UnderWay<T>>>);

struct UnderWay<T: Clone> {
    by_firm: HashMap<Uscc, (u64, WeakShared<BoxFuture<'static, T>>)>,
    next: u64,
}

/// Strikes a call off the list when it has ended, one way or the other.
struct Landing<T: Clone> {
    flights: Arc<Mutex<UnderWay<T>>>,
    uscc: Uscc,
    number: u64,
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// None under way.
    pub(super) fn new() -> Flights<T> {
        Flights(Arc::new(Mutex::new(UnderWay { by_firm: HashMap::new(), next: 0 })))
    }

    /// The call about `uscc` that is under way, with `true`, or the one that `start` begins.
    pub(super) fn join(&self, uscc: &Uscc, start: impl FnOnce() -> BoxFuture<'static, T>) -> (Flight<T>, bool) {
        let mut under_way = lock(&self.0);
        if let Some(flight) = under_way.by_firm.get(uscc).and_then(|(_, flight)| flight.upgrade()) {
            return (flight, true);
        }
        let number = under_way.next;
        under_way.next += 1;
        let landing = Landing { flights: self.0.clone(), uscc: uscc.clone(), number };
        let call = start();
        let flight = async move {
            let _landing = landing;
            call.await
        };
        let flight = flight.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            under_way.by_firm.insert(uscc.clone(), (number, weak));
        }
        (flight, false)
    }

    /// Nobody joins the call about `uscc` any more; those that wait for it get their answer.
    pub(super) fn forget(&self, uscc: &Uscc) {
        lock(&self.0).by_firm.remove(uscc);
    }

    /// Nobody joins any call that is under way.
    pub(super) fn forget_all(&self) {
        lock(&self.0).by_firm.clear();
    }
}

impl<T: Clone> Drop for Landing<T> {
    fn drop(&mut self) {
        let mut under_way = lock(&self.flights);
        if under_way.by_firm.get(&self.uscc).is_some_and(|(number, _)| *number == self.number) {
            under_way.by_firm.remove(&self.uscc);
        }
    }
}

fn lock<T: Clone>(flights: &Mutex<UnderWay<T>>) -> MutexGuard<'_, UnderWay<T>> {
    // Changed by single insertions and removals: a panic elsewhere cannot leave it half changed.
    flights.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures_util::future::{join_all, pending, ready};

    use super::*;

    fn firm() -> Uscc {
        "91330604MA2XY0014W".parse().unwrap()
    }

    #[tokio::test]
    async fn fifty_askers_share_one_call_and_the_next_one_begins_another() {
        let (flights, calls) = (Flights::new(), Arc::new(AtomicU32::new(0)));
        let ask = || {
            let calls = calls.clone();
            let call = async move {
                tokio::task::yield_now().await;
                calls.fetch_add(1, Ordering::SeqCst)
            };
            flights.join(&firm(), || call.boxed()).0
        };
        let answers = join_all((0..50).map(|_| ask())).await;
        assert!(answers.iter().all(|&answer| answer == 0), "{answers:?}");
        assert_eq!(ask().await, 1);
        assert!(lock(&flights.0).by_firm.is_empty());
    }

    #[tokio::test]
    async fn a_leader_that_gives_up_harms_nobody_and_without_any_waiter_the_call_ends() {
        let flights = Flights::new();
        let (sender, receiver) = tokio::sync::oneshot::channel::<u32>();
        let (leader, joined) = flights.join(&firm(), || receiver.map(|said| said.unwrap()).boxed());
        let (waiter, also_joined) = flights.join(&firm(), || ready(0).boxed());
        assert!(!joined && also_joined);
        let given_up = tokio::time::timeout(std::time::Duration::from_millis(5), leader).await;
        assert!(given_up.is_err());
        sender.send(7).unwrap();
        assert_eq!(waiter.await, 7);

        let (lonely, _) = flights.join(&firm(), || pending::<u32>().boxed());
        drop(lonely);
        assert!(lock(&flights.0).by_firm.is_empty());
    }

    #[tokio::test]
    async fn nobody_joins_a_call_that_was_forgotten() {
        let flights = Flights::new();
        let (old, _) = flights.join(&firm(), || ready(1).boxed());
        flights.forget(&firm());
        let (new, joined) = flights.join(&firm(), || ready(2).boxed());
        assert!(!joined);
        // The end of the old one does not strike off the new one.
        assert_eq!(old.await, 1);
        assert!(flights.join(&firm(), || ready(3).boxed()).1);
        assert_eq!(new.await, 2);
    }
}
