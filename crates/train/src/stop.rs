//! Interruption and termination: the first signal asks to stop, the second ends the process at once.
//!
//! A program calls [`listen`] once. From then on a first SIGINT or SIGTERM is acknowledged on standard error, wherever the
//! program is, and [`Run::drive`](crate::Run::drive) ends with [`Error::Stopped`] after the step at hand; loops of another
//! kind call [`check`]. A library that does not listen leaves both signals alone but while a run with a folder is driven.

use crate::{Error, Result};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
    iterator::Signals,
};
use std::{
    io::{IsTerminal, Write},
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
};

/// Handlers are per process and stay for its life: once removed, a signal would do nothing at all.
struct Handlers {
    /// Whether the next signal has its default action.
    quit: Arc<AtomicBool>,
    /// The signal that came, 0 for none.
    received: Arc<AtomicUsize>,
    /// Who listens; tests drive several runs in one process.
    listeners: Mutex<usize>,
}

/// Whether the signal was acknowledged.
static SAID: Mutex<bool> = Mutex::new(false);

static HANDLERS: OnceLock<std::io::Result<Handlers>> = OnceLock::new();

/// Listens for the rest of the process.
pub fn listen() {
    // Without handlers a signal keeps its default action, which ends the process as well.
    let _ = Listening::begin().map(std::mem::forget);
}

/// The signal that asked to stop, where one came and somebody listens.
pub fn requested() -> Option<i32> {
    let handlers = HANDLERS.get()?.as_ref().ok()?;
    let received = if *handlers.listeners() > 0 { handlers.received.load(SeqCst) } else { 0 };
    let signal = i32::try_from(received).ok().filter(|signal| *signal != 0);
    if signal.is_some() {
        acknowledge(); // whoever sees the signal may end the process before the thread has spoken
    }
    signal
}

/// For loops that are not driven.
///
/// # Errors
/// [`Error::Stopped`] where a signal asked to stop.
pub fn check() -> Result<()> {
    requested().map_or(Ok(()), |signal| Err(Error::Stopped { signal, dir: None }))
}

/// Listens for as long as it lives.
pub(crate) struct Listening(&'static Handlers);

impl Listening {
    pub(crate) fn begin() -> Result<Self> {
        let handlers = HANDLERS.get_or_init(install).as_ref().map_err(|error| Error::Io {
            action: "listen for signals in",
            path: "this process".into(),
            source: std::io::Error::new(error.kind(), error.to_string()),
        })?;
        let mut listeners = handlers.listeners();
        if *listeners == 0 {
            handlers.received.store(0, SeqCst);
            handlers.quit.store(false, SeqCst);
            *SAID.lock().unwrap_or_else(PoisonError::into_inner) = false;
        }
        *listeners += 1;
        Ok(Self(handlers))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let mut listeners = self.0.listeners();
        *listeners -= 1;
        if *listeners == 0 {
            self.0.quit.store(true, SeqCst);
        }
    }
}

impl Handlers {
    fn listeners(&self) -> MutexGuard<'_, usize> {
        self.listeners.lock().unwrap_or_else(PoisonError::into_inner)
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
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    // A thread of its own: the others may compute for minutes.
    thread::Builder::new().name("signals".into()).spawn(move || signals.forever().for_each(|_| acknowledge()))?;
    Ok(Handlers { quit, received, listeners: Mutex::new(0) })
}

/// Says once that a signal was heard; who comes second waits until it is said.
fn acknowledge() {
    let mut said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
    if std::mem::replace(&mut *said, true) {
        return;
    }
    let mut out = std::io::stderr();
    // On a terminal the line of progress stands where the cursor is.
    let begin = if out.is_terminal() { "\n" } else { "" };
    let _ = writeln!(out, "{begin}stopping after this step; once more ends at once");
}
