//! Stopping so that no request fails: no new connections, then no idle ones, then no requests, then the store.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use actix_web::dev::{Extensions, ServerHandle};
use tokio::signal::unix::Signal;

use crate::observe::Readiness;

/// How often the open connections are counted.
const GLANCE: Duration = Duration::from_millis(20);

/// The times of stopping, see `[server]` in the settings.
#[derive(Clone, Copy)]
pub(super) struct Times {
    pub(super) notice: Duration,
    pub(super) idle: Duration,
}

/// The connections that are open.
#[derive(Clone, Default)]
pub(super) struct Connections(Arc<AtomicUsize>);

/// One of them, counted for as long as it lives.
struct Connection(Arc<AtomicUsize>);

impl Drop for Connection {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Connections {
    /// A connection was opened; it ends with its extensions.
    pub(super) fn opened(&self, of: &mut Extensions) {
        self.0.fetch_add(1, Ordering::AcqRel);
        of.insert(Connection(self.0.clone()));
    }

    async fn gone_within(&self, time: Duration) {
        let began = Instant::now();
        while self.0.load(Ordering::Acquire) > 0 && began.elapsed() < time {
            tokio::time::sleep(GLANCE).await;
        }
    }
}

/// The listening socket, to be closed before the server that accepts from it ends.
pub(super) struct Door(OwnedFd);

impl Door {
    pub(super) fn of(listener: &TcpListener) -> io::Result<Door> {
        Ok(Door(OwnedFd::from(listener.try_clone()?)))
    }

    /// From now on connections are refused, so that a balancer takes another replica before it has sent anything. Closing alone
    /// would not do that: the accepting thread holds the socket too.
    fn shut(self) {
        // The system call is the same for a listening socket, which the standard library has no name for.
        if let Err(error) = TcpStream::from(self.0).shutdown(Shutdown::Both) {
            tracing::warn!(%error, "the listener could not be closed early");
        }
    }
}

/// Waits for one of the signals to stop, then stops in order. An interrupt, from a terminal, does not wait for idle connections.
pub(super) async fn drain(
    signals: [Signal; 2],
    readiness: Readiness,
    (server, connections, door): (ServerHandle, Connections, Door),
    management: ServerHandle,
    times: Times,
) {
    let [mut terminate, mut interrupt] = signals;
    let patient = tokio::select! {
        _ = terminate.recv() => true,
        _ = interrupt.recv() => false,
    };
    tracing::info!("stopping: no longer ready, finishing requests under way");
    readiness.stop();
    if patient {
        let quietly = async {
            tokio::time::sleep(times.notice).await;
            door.shut();
            server.pause().await;
            connections.gone_within(times.idle).await;
        };
        tokio::select! {
            () = quietly => {}
            // Told twice: at once.
            _ = interrupt.recv() => {}
        }
    }
    server.stop(true).await;
    management.stop(true).await;
}
