//! What a department said of firms of late, in memory, for as long as the department lets it be used again.
//!
//! What is kept may serve any bank that holds a valid consent of the firm: nobody gets here without a pass. When a firm's
//! consent is revoked, all that is kept of the firm goes, and what is on its way at that moment is not kept either.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::freshness::Life;
use crate::domain::Uscc;

/// What one department said, by firm.
pub(super) struct Cache<T> {
    entries_max: usize,
    kept: Mutex<Kept<T>>,
}

struct Kept<T> {
    by_firm: HashMap<Uscc, Entry<T>>,
    /// The firms in the order in which their entries were made, so that the oldest makes room.
    by_age: BTreeMap<u64, Uscc>,
    next: u64,
    forgotten: Epoch,
}

struct Entry<T> {
    value: T,
    number: u64,
    good_until: Instant,
    ageing_until: Instant,
    old_until: Instant,
}

/// Counts how often something was forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Epoch(u64);

/// What is kept of a firm, and what it is still good for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found<T> {
    /// As good as a new answer.
    Good(T),
    /// Likewise, but the department should be asked again meanwhile.
    Ageing(T),
    /// Better than nothing where the department is down.
    Old(T),
}

impl<T> Found<T> {
    /// What was kept.
    pub(super) fn kept(&self) -> &T {
        match self {
            Found::Good(kept) | Found::Ageing(kept) | Found::Old(kept) => kept,
        }
    }
}

impl<T: Clone> Cache<T> {
    /// Room for `entries_max` firms.
    pub(super) fn new(entries_max: usize) -> Cache<T> {
        let kept = Kept { by_firm: HashMap::new(), by_age: BTreeMap::new(), next: 0, forgotten: Epoch(0) };
        Cache { entries_max, kept: Mutex::new(kept) }
    }

    /// To be read before the department is asked, and given back to [`Cache::keep`].
    pub(super) fn epoch(&self) -> Epoch {
        self.lock().forgotten
    }

    /// What is kept of `uscc` at the instant `now`.
    pub(super) fn find(&self, uscc: &Uscc, now: Instant) -> Option<Found<T>> {
        let mut kept = self.lock();
        let entry = kept.by_firm.get(uscc)?;
        if now < entry.good_until {
            return Some(Found::Good(entry.value.clone()));
        }
        if now < entry.ageing_until {
            return Some(Found::Ageing(entry.value.clone()));
        }
        if now < entry.old_until {
            return Some(Found::Old(entry.value.clone()));
        }
        kept.remove(uscc);
        None
    }

    /// Keeps what came at the instant `now`, instead of what was kept before; with no life at all, keeps neither. Nothing is kept
    /// where something was forgotten since `asked`: it might have been this firm.
    pub(super) fn keep(&self, uscc: &Uscc, value: T, life: Life, now: Instant, asked: Epoch) {
        let mut kept = self.lock();
        kept.remove(uscc);
        if life.good.is_zero() || kept.forgotten != asked {
            return;
        }
        let (good_until, number) = (now + life.good, kept.next);
        let ageing_until = good_until + life.ageing;
        let entry = Entry { value, number, good_until, ageing_until, old_until: ageing_until + life.old };
        kept.next += 1;
        kept.by_firm.insert(uscc.clone(), entry);
        kept.by_age.insert(number, uscc.clone());
        kept.make_room(self.entries_max, now);
    }

    /// Drops all that is kept of `uscc`.
    pub(super) fn forget(&self, uscc: &Uscc) {
        let mut kept = self.lock();
        kept.forgotten.0 += 1;
        kept.remove(uscc);
    }

    /// Drops all that is kept.
    pub(super) fn forget_all(&self) {
        let mut kept = self.lock();
        kept.forgotten.0 += 1;
        kept.by_firm.clear();
        kept.by_age.clear();
    }

    /// How many firms something is kept of.
    pub(super) fn len(&self) -> usize {
        self.lock().by_firm.len()
    }

    fn lock(&self) -> MutexGuard<'_, Kept<T>> {
        // Both maps are changed together by code that cannot panic between the two.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Kept<T> {
    fn remove(&mut self, uscc: &Uscc) {
        if let Some(entry) = self.by_firm.remove(uscc) {
            self.by_age.remove(&entry.number);
        }
    }

    /// Drops the oldest entries while they are of no more use or there are too many.
    fn make_room(&mut self, entries_max: usize, now: Instant) {
        while let Some((_, uscc)) = self.by_age.first_key_value() {
            let over = self.by_firm.get(uscc).is_none_or(|entry| now >= entry.old_until);
            if !over && self.by_firm.len() <= entries_max {
                return;
            }
            if let Some((_, uscc)) = self.by_age.pop_first() {
                self.by_firm.remove(&uscc);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const LIFE: Life = Life { good: SECOND, ageing: SECOND, old: SECOND };

    fn firm(n: usize) -> Uscc {
        Uscc::with_checks("91330604", &format!("MA2XY00{n}")).unwrap()
    }

    fn keep(cache: &Cache<usize>, n: usize, life: Life, now: Instant) {
        cache.keep(&firm(n), n, life, now, cache.epoch());
    }

    #[test]
    fn an_entry_is_good_then_ageing_then_old_then_gone() {
        let (cache, now) = (Cache::new(9), Instant::now());
        keep(&cache, 0, LIFE, now);
        let at = |ms| cache.find(&firm(0), now + Duration::from_millis(ms));
        assert_eq!((at(999), at(1000)), (Some(Found::Good(0)), Some(Found::Ageing(0))));
        assert_eq!((at(1999), at(2000)), (Some(Found::Ageing(0)), Some(Found::Old(0))));
        assert_eq!((at(2999), at(3000), cache.len()), (Some(Found::Old(0)), None, 0));
    }

    #[test]
    fn the_oldest_makes_room_and_those_whose_time_is_over_go_first() {
        let (cache, now) = (Cache::new(2), Instant::now());
        (0..3).for_each(|n| keep(&cache, n, LIFE, now));
        assert!(cache.find(&firm(0), now).is_none() && cache.find(&firm(1), now).is_some() && cache.len() == 2);
        keep(&cache, 0, LIFE, now + 3 * SECOND);
        assert_eq!((cache.len(), cache.lock().by_age.len()), (1, 1));
    }

    #[test]
    fn an_answer_that_may_not_be_kept_takes_the_place_of_one_that_might() {
        let (cache, now) = (Cache::new(9), Instant::now());
        keep(&cache, 0, LIFE, now);
        keep(&cache, 0, Life::default(), now);
        assert_eq!((cache.find(&firm(0), now), cache.len(), cache.lock().by_age.len()), (None, 0, 0));
    }

    #[test]
    fn what_is_forgotten_is_gone_and_what_was_on_its_way_is_not_kept() {
        let (cache, now) = (Cache::new(9), Instant::now());
        keep(&cache, 0, LIFE, now);
        keep(&cache, 1, LIFE, now);
        let asked = cache.epoch();
        cache.forget(&firm(0));
        cache.keep(&firm(0), 7, LIFE, now, asked);
        assert_eq!(cache.find(&firm(0), now), None);
        assert_eq!(cache.find(&firm(1), now), Some(Found::Good(1)));
        keep(&cache, 0, LIFE, now);
        assert_eq!(cache.find(&firm(0), now), Some(Found::Good(0)));
    }
}
