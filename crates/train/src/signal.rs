//! Interruption and termination while work is being driven: the first signal asks to stop, the second quits at once.
//!
//! Outside [`StopSignals`] both signals keep their default action, which ends the process.

use crate::{Error, Result};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};
use std::{
    path::PathBuf,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
};

/// Handlers are per process and stay for its life: once removed, a signal would do nothing at all.
struct Handlers {
    /// Whether the next signal has its default action.
    quit: Arc<AtomicBool>,
    /// The signal that came, 0 for none.
    received: Arc<AtomicUsize>,
    /// Loops that listen; tests drive several in one process.
    listeners: Mutex<usize>,
}

impl Handlers {
    fn listeners(&self) -> MutexGuard<'_, usize> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Listens for as long as it lives.
pub(crate) struct StopSignals {
    handlers: &'static Handlers,
}

impl StopSignals {
    pub(crate) fn listen() -> Result<Self> {
        static HANDLERS: OnceLock<std::result::Result<Handlers, String>> = OnceLock::new();
        let handlers = HANDLERS.get_or_init(|| install().map_err(|error| error.to_string()));
        let handlers = handlers.as_ref().map_err(|text| Error::Io {
            action: "listen for signals in",
            path: PathBuf::from("this process"),
            source: std::io::Error::other(text.clone()),
        })?;
        let mut listeners = handlers.listeners();
        if *listeners == 0 {
            handlers.received.store(0, SeqCst);
            handlers.quit.store(false, SeqCst);
        }
        *listeners += 1;
        drop(listeners);
        Ok(Self { handlers })
    }

    /// The signal that asked to stop.
    pub(crate) fn received(&self) -> Option<i32> {
        i32::try_from(self.handlers.received.load(SeqCst)).ok().filter(|signal| *signal != 0)
    }
}

impl Drop for StopSignals {
    fn drop(&mut self) {
        let mut listeners = self.handlers.listeners();
        *listeners -= 1;
        if *listeners == 0 {
            self.handlers.quit.store(true, SeqCst);
        }
    }
}

fn install() -> std::io::Result<Handlers> {
    let quit = Arc::new(AtomicBool::new(true));
    let received = Arc::new(AtomicUsize::new(0));
    for signal in [SIGINT, SIGTERM] {
        // In this order: the first signal passes the conditional action and then arms it for the second.
        flag::register_conditional_default(signal, Arc::clone(&quit))?;
        flag::register_usize(signal, Arc::clone(&received), signal.unsigned_abs() as usize)?;
        flag::register(signal, Arc::clone(&quit))?;
    }
    Ok(Handlers { quit, received, listeners: Mutex::new(0) })
}
