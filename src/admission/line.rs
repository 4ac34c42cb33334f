//! A line in which the banks take turns.

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use tokio::sync::oneshot;

use super::{Flow, Permit};

/// Somebody who waits.
pub(super) struct Waiter {
    pub(super) turn: oneshot::Sender<Permit>,
    pub(super) since: Instant,
}

/// Those who wait: each bank's own line, and whose turn is next.
#[derive(Default)]
pub(super) struct Line {
    flows: HashMap<Flow, VecDeque<Waiter>>,
    /// Each bank that waits, once.
    turns: VecDeque<Flow>,
    waiting: usize,
}

impl Line {
    /// How many wait, or have gone while they waited.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// How many have their turn before one more of this bank.
    pub(super) fn ahead_of(&self, flow: Flow) -> usize {
        let (own, banks) = match self.flows.get(&flow) {
            Some(own) => (own.len(), self.turns.len()),
            None => (0, self.turns.len() + 1),
        };
        (own * banks + banks - 1).min(self.waiting)
    }

    /// Since when the first one of this bank has waited.
    pub(super) fn first_since(&self, flow: Flow) -> Option<Instant> {
        self.flows.get(&flow)?.front().map(|waiter| waiter.since)
    }

    pub(super) fn push(&mut self, flow: Flow, waiter: Waiter) {
        let own = self.flows.entry(flow).or_default();
        if own.is_empty() {
            self.turns.push_back(flow);
        }
        own.push_back(waiter);
        self.waiting += 1;
    }

    /// The next one who still waits; its bank's next turn comes after all others'.
    pub(super) fn pop(&mut self) -> Option<Waiter> {
        while let Some(flow) = self.turns.pop_front() {
            let Some(own) = self.flows.get_mut(&flow) else { continue };
            let mut found = None;
            while found.is_none()
                && let Some(waiter) = own.pop_front()
            {
                self.waiting -= 1;
                found = Some(waiter).filter(|waiter| !waiter.turn.is_closed());
            }
            match own.is_empty() {
                true => drop(self.flows.remove(&flow)),
                false => self.turns.push_back(flow),
            }
            if found.is_some() {
                return found;
            }
        }
        None
    }
}
