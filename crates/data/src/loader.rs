//! [`Loader`]: batches made ahead of time by worker threads, in an order that does not depend on how many there are.
//!
//! The batch of (epoch, step) is a function of the source, the configuration and the stream, so there is no state to
//! save: resuming a run is asking for another step. The workers share one queue whose slots are the next `prefetch`
//! steps; a worker claims a free slot, makes its batch and puts it there. At most `prefetch` batches are therefore being
//! made or waiting, and after a jump at most `workers` abandoned ones more, until their makers notice.

use crate::{
    error::{Error, Result},
    source::Source,
    stream::Stream,
};
use std::{
    any::Any,
    collections::VecDeque,
    num::NonZeroUsize,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
};

/// Workers that a loader starts with unless told otherwise: one a core, up to this many.
const MOST_WORKERS: usize = 8;
/// Batches ahead for each worker.
const PREFETCH_PER_WORKER: usize = 2;

/// How rows become batches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoaderConfig {
    /// Rows per batch, at least 1.
    pub batch_size: usize,
    /// Threads that make batches; 0 makes them on the calling thread. The batches are the same.
    pub workers: usize,
    /// Batches that may be in the making or waiting, at least 1 where there are workers; fewer than `workers` leaves
    /// some of them idle.
    pub prefetch: usize,
    /// Whether every epoch has its own random order of the rows.
    pub shuffle: bool,
    /// Whether an epoch ends with a smaller batch when the rows do not divide evenly.
    pub keep_last: bool,
}

impl LoaderConfig {
    /// For training: a worker for each core, at most 8, with 2 batches ahead each; shuffled.
    pub fn training(batch_size: usize) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        Self { shuffle: true, ..Self::with_workers(batch_size, cores.min(MOST_WORKERS)) }
    }

    /// For validation: half the workers of [`training`](Self::training), at least one, in the order of the rows.
    pub fn validation(batch_size: usize) -> Self {
        let workers = (Self::training(batch_size).workers / 2).max(1);
        Self { shuffle: false, ..Self::with_workers(batch_size, workers) }
    }

    fn with_workers(batch_size: usize, workers: usize) -> Self {
        Self { batch_size, workers, prefetch: PREFETCH_PER_WORKER * workers, shuffle: false, keep_last: true }
    }
}

/// Serves the batches of a [`Source`]; dropping it ends its threads after the batches they are making.
pub struct Loader<S: Source> {
    recipe: Arc<Recipe<S>>,
    workers: Option<Workers<S>>,
}

impl<S: Source + 'static> Loader<S> {
    /// A loader over `source`, whose order and random choices come from `stream`. Work begins with the first
    /// [`get`](Self::get).
    ///
    /// # Errors
    /// [`Error::Setting`] when no batch could ever be made, [`Error::Workers`] when the system refuses a thread.
    ///
    /// # Example
    /// ```
    /// use cupel_data::{Loader, LoaderConfig, Result, Source, Stream};
    /// struct Squares;
    /// impl Source for Squares {
    ///     type Item = Vec<usize>;
    ///     fn len(&self) -> usize {
    ///         5
    ///     }
    ///     fn load(&self, rows: &[usize], _: Stream) -> Result<Vec<usize>> {
    ///         Ok(rows.iter().map(|row| row * row).collect())
    ///     }
    /// }
    /// # fn main() -> Result<()> {
    /// let config = LoaderConfig::validation(2);
    /// let mut loader = Loader::new(Squares.into(), config, Stream::new(0, "batches"))?;
    /// assert_eq!(loader.steps(), 3);
    /// assert_eq!(loader.get(0, 0)?, [0, 1]);
    /// assert_eq!(loader.get(0, 2)?, [16]);
    /// # Ok(())
    /// # }
    /// ```
    pub fn new(source: Arc<S>, config: LoaderConfig, stream: Stream) -> Result<Self> {
        let refuse =
            |name, value: usize, problem: String| Err(Error::Setting { name, value: value.to_string(), problem });
        let rows = source.len();
        if config.batch_size == 0 {
            return refuse("batch_size", 0, "a batch needs at least one row".into());
        }
        if rows == 0 {
            return refuse("rows", 0, "there is nothing to load".into());
        }
        if rows < config.batch_size && !config.keep_last {
            let problem = format!(
                "there are only {rows} rows and the last, smaller batch is dropped; keep it or shrink the batch"
            );
            return refuse("batch_size", config.batch_size, problem);
        }
        if config.workers > 0 && config.prefetch == 0 {
            return refuse(
                "prefetch",
                0,
                format!("{} workers would have nothing to do; use 1 or more, or no workers", config.workers),
            );
        }
        let (workers, prefetch) = (config.workers, config.prefetch);
        let recipe = Arc::new(Recipe { source, rows, config, stream, orders: Mutex::default() });
        let workers = if workers == 0 { None } else { Some(Workers::start(&recipe, workers, prefetch)?) };
        Ok(Self { recipe, workers })
    }

    /// The number of batches of an epoch.
    pub fn steps(&self) -> u64 {
        self.recipe.steps()
    }

    /// The source of the batches.
    pub fn source(&self) -> &S {
        &self.recipe.source
    }

    /// The batch of this step of this epoch.
    ///
    /// Asking in order (the first step of the next epoch follows the last of this one) takes the batch from the queue;
    /// asking for any other step throws the queue away and begins a new one there. After an error the same step may be
    /// asked for again.
    ///
    /// # Errors
    /// [`Error::Index`] for a step that an epoch does not have, the error of [`Source::load`],
    /// [`Error::LoadPanicked`] when it panicked.
    pub fn get(&mut self, epoch: u64, step: u64) -> Result<S::Item> {
        let steps = self.steps();
        if step >= steps {
            return Err(Error::Index { doing: "loading a batch", index: step as usize, len: steps as usize });
        }
        match &self.workers {
            None => self.recipe.make(Position { epoch, step }),
            Some(workers) => workers.take(Position { epoch, step }),
        }
    }
}

/// Everything that decides what a batch contains.
struct Recipe<S> {
    source: Arc<S>,
    rows: usize,
    config: LoaderConfig,
    stream: Stream,
    // The row orders of the last two epochs: at the border between epochs the workers need both.
    orders: Mutex<VecDeque<(u64, Arc<Vec<usize>>)>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    epoch: u64,
    step: u64,
}

impl<S: Source> Recipe<S> {
    fn steps(&self) -> u64 {
        let (rows, batch) = (self.rows, self.config.batch_size);
        (if self.config.keep_last { rows.div_ceil(batch) } else { rows / batch }) as u64
    }

    fn after(&self, at: Position) -> Option<Position> {
        if at.step + 1 < self.steps() {
            return Some(Position { step: at.step + 1, ..at });
        }
        Some(Position { epoch: at.epoch.checked_add(1)?, step: 0 })
    }

    fn make(&self, at: Position) -> Result<S::Item> {
        // A panic in the source must neither take the worker with it nor leave the caller waiting.
        let made = catch_unwind(AssertUnwindSafe(|| {
            let begin = at.step as usize * self.config.batch_size;
            let rows = begin..self.rows.min(begin + self.config.batch_size);
            let stream = self.stream.child(1).at(at.epoch, at.step);
            if self.config.shuffle {
                self.source.load(&self.order(at.epoch)[rows], stream)
            } else {
                self.source.load(&rows.collect::<Vec<_>>(), stream)
            }
        }));
        made.unwrap_or_else(|panic| {
            Err(Error::LoadPanicked { epoch: at.epoch, step: at.step, message: message(&*panic) })
        })
    }

    fn order(&self, epoch: u64) -> Arc<Vec<usize>> {
        let mut orders = lock(&self.orders);
        if let Some((_, order)) = orders.iter().find(|(known, _)| *known == epoch) {
            return order.clone();
        }
        let order = Arc::new(self.stream.child(0).at(epoch, 0).permutation(self.rows));
        orders.truncate(1);
        orders.push_front((epoch, order.clone()));
        order
    }
}

/// The threads and the queue they share.
struct Workers<S: Source> {
    shared: Arc<Shared<S>>,
    threads: Vec<JoinHandle<()>>,
}

struct Shared<S: Source> {
    recipe: Arc<Recipe<S>>,
    prefetch: usize,
    queue: Mutex<Queue<S::Item>>,
    slot_free: Condvar,
    batch_ready: Condvar,
}

struct Queue<T> {
    /// The steps from `front` on; `None` while a worker makes the batch.
    slots: VecDeque<Option<Result<T>>>,
    /// The number of the first slot, counted from the start of the loader and never used twice.
    first: u64,
    /// The step of the first slot, and the step that is claimed next.
    front: Option<Position>,
    next: Option<Position>,
    running: usize,
    stop: bool,
}

impl<S: Source + 'static> Workers<S> {
    fn start(recipe: &Arc<Recipe<S>>, count: usize, prefetch: usize) -> Result<Self> {
        let queue = Queue { slots: VecDeque::new(), first: 0, front: None, next: None, running: 0, stop: false };
        let shared = Arc::new(Shared {
            recipe: recipe.clone(),
            prefetch,
            queue: Mutex::new(queue),
            slot_free: Condvar::new(),
            batch_ready: Condvar::new(),
        });
        let mut workers = Self { shared, threads: Vec::with_capacity(count) };
        for index in 0..count {
            let shared = workers.shared.clone();
            lock(&shared.queue).running += 1;
            let running = Running(shared);
            let thread = std::thread::Builder::new()
                .name(format!("loader-{index}"))
                .spawn(move || running.0.work())
                .map_err(|error| Error::Workers { message: error.to_string() })?;
            workers.threads.push(thread);
        }
        Ok(workers)
    }
}

impl<S: Source> Workers<S> {
    fn take(&self, at: Position) -> Result<S::Item> {
        let shared = &self.shared;
        let mut queue = lock(&shared.queue);
        if queue.front != Some(at) {
            let abandoned = std::mem::take(&mut queue.slots);
            queue.first += abandoned.len() as u64;
            queue.next = None;
            drop(queue);
            // Before the workers go on, to bound the memory, and not under the lock: the destructors are not ours.
            drop(abandoned);
            queue = lock(&shared.queue);
            (queue.front, queue.next) = (Some(at), Some(at));
            shared.slot_free.notify_all();
        }
        let mut queue = shared
            .batch_ready
            .wait_while(queue, |queue| !matches!(queue.slots.front(), Some(Some(_))) && queue.running > 0)
            .unwrap_or_else(PoisonError::into_inner);
        match queue.slots.pop_front().flatten() {
            Some(batch) => {
                queue.first += 1;
                queue.front = shared.recipe.after(at);
                shared.slot_free.notify_one();
                batch
            }
            None => {
                queue.front = None;
                Err(Error::Workers { message: "every worker thread has ended".into() })
            }
        }
    }
}

impl<S: Source> Shared<S> {
    fn work(&self) {
        let mut queue = lock(&self.queue);
        loop {
            queue = self
                .slot_free
                .wait_while(queue, |queue| !queue.stop && (queue.next.is_none() || queue.slots.len() >= self.prefetch))
                .unwrap_or_else(PoisonError::into_inner);
            let Some(at) = queue.next.filter(|_| !queue.stop) else {
                return;
            };
            let number = queue.first + queue.slots.len() as u64;
            queue.slots.push_back(None);
            queue.next = self.recipe.after(at);
            drop(queue);

            let mut batch = Some(self.recipe.make(at));

            queue = lock(&self.queue);
            let slot = number.checked_sub(queue.first).and_then(|slot| queue.slots.get_mut(slot as usize));
            if let Some(slot) = slot {
                *slot = batch.take();
                self.batch_ready.notify_one();
            } else {
                // The caller jumped elsewhere meanwhile.
                drop(queue);
                drop(batch);
                queue = lock(&self.queue);
            }
        }
    }
}

impl<S: Source> Drop for Workers<S> {
    fn drop(&mut self) {
        lock(&self.shared.queue).stop = true;
        self.shared.slot_free.notify_all();
        for thread in self.threads.drain(..) {
            // A worker that panicked has told the caller; there is nobody left to tell here.
            let _ = thread.join();
        }
    }
}

/// Counts a worker out when it ends, however it ends, so that nobody waits for it.
struct Running<S: Source>(Arc<Shared<S>>);

impl<S: Source> Drop for Running<S> {
    fn drop(&mut self) {
        lock(&self.0.queue).running -= 1;
        self.0.batch_ready.notify_all();
    }
}

/// A lock that outlives panics: what it guards is only ever left in a whole state.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("no message").to_string()
}
