//! What a signal to stop does to a job on files.

use std::path::PathBuf;

use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// From here on, SIGINT, SIGTERM and SIGHUP (a closed terminal) remove `temporary` and end the process with 1. A job holds its
/// files open on a thread that cannot be asked to stop while it waits for a disk, so this ends the process from beside it;
/// whatever is complete was put in its place by then. Under `nohup` a SIGHUP goes on being ignored.
pub fn remove_when_stopped(temporary: Vec<PathBuf>) {
    // Outside of a runtime, in a test for instance, signals keep doing what they did.
    let Ok(runtime) = Handle::try_current() else { return };
    let _entered = runtime.enter();
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return;
    };
    // To listen to a signal is to ignore it no longer, so what was ignored is not listened to.
    let mut hang_up = if ignores_hang_up() { None } else { signal(SignalKind::hangup()).ok() };
    runtime.spawn(async move {
        tokio::select! {
            () = received(&mut interrupt) => {}
            () = received(&mut terminate) => {}
            () = received_if_any(hang_up.as_mut()) => {}
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

async fn received_if_any(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => received(signal).await,
        None => std::future::pending().await,
    }
}

/// Whether the process was started with SIGHUP ignored, as `nohup` does; where this cannot be told, it is taken to be so, for the
/// job of one who closes the terminal on purpose must not end with it.
fn ignores_hang_up() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    // SIGHUP is signal 1: the lowest bit.
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).is_none_or(|ignored| ignored & 1 == 1)
}
