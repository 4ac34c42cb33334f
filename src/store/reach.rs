//! PostgreSQL's server may be away: then one caller at a time finds out whether it is back, and the others are refused at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use super::database::ACQUIRE_TIMEOUT;

/// How long nobody tries to reach a server that could not be reached.
const SHUT: Duration = Duration::from_millis(250);

/// Whether the server could be reached of late, so that a caller does not wait for one that is away.
pub(super) struct Reach {
    since: Instant,
    /// When a connection was had last, and until when none is tried for; milliseconds after `since`.
    had_ms: AtomicU64,
    shut_until_ms: AtomicU64,
}

impl Reach {
    pub(super) fn new() -> Reach {
        Reach { since: Instant::now(), had_ms: AtomicU64::new(0), shut_until_ms: AtomicU64::new(0) }
    }

    /// Whether it could not be reached the last time.
    pub(super) fn is_away(&self) -> bool {
        self.shut_until_ms.load(Ordering::Relaxed) > 0
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// Waits for a connection, or refuses at once where none was had of late and another caller is trying already.
    pub(super) async fn through<C>(
        &self,
        connect: impl Future<Output = Result<C, sqlx::Error>>,
    ) -> Result<C, sqlx::Error> {
        let (now, shut_until) = (self.now_ms(), self.shut_until_ms.load(Ordering::Relaxed));
        if shut_until > 0 {
            // One caller at a time finds out whether it is back.
            let trying = now + ms(ACQUIRE_TIMEOUT) + ms(SHUT);
            let relaxed = Ordering::Relaxed;
            if now < shut_until || self.shut_until_ms.compare_exchange(shut_until, trying, relaxed, relaxed).is_err() {
                return Err(sqlx::Error::Io(std::io::ErrorKind::NotConnected.into()));
            }
        }
        let outcome = connect.await;
        let now = self.now_ms();
        match &outcome {
            Ok(_) => {
                self.had_ms.store(now, Ordering::Relaxed);
                self.shut_until_ms.store(0, Ordering::Relaxed);
            }
            // Others had one meanwhile: the server is there, and busy.
            Err(_) if now < self.had_ms.load(Ordering::Relaxed) + ms(ACQUIRE_TIMEOUT) / 2 => {}
            Err(_) => self.shut_until_ms.store(now + ms(SHUT), Ordering::Relaxed),
        }
        outcome
    }
}

fn ms(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
