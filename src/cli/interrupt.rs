//! What a signal to stop does to a job on files.

use std::path::PathBuf;

use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// From here on, SIGINT and SIGTERM remove `temporary` and end the process with 1. A job holds its files open on a thread that
/// cannot be asked to stop while it waits for a disk, so this ends the process from beside it; whatever is complete was put in
/// its place by then.
pub fn remove_when_stopped(temporary: Vec<PathBuf>) {
    // Outside of a runtime, in a test for instance, signals keep doing what they did.
    let Ok(runtime) = Handle::try_current() else { return };
    let _entered = runtime.enter();
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    runtime.spawn(async move {
        tokio::select! {
            () = received(&mut interrupt) => {}
            () = received(&mut terminate) => {}
        }
        for path in &temporary {
            // It may not be there yet, or not any more.
            let _ = std::fs::remove_file(path);
        }
        eprintln!("yuxin: stopped by a signal: the output was not written");
        std::process::exit(1);
    });
}

async fn received(signal: &mut Signal) {
    signal.recv().await;
}
