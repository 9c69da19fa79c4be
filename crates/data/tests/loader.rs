//! The loader through its public face: same batches for any number of workers, bounded memory, no hang, no lost error.

use cupel_data::{Error, Loader, LoaderConfig, Result, Source, Stream};
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

const ROWS: usize = 23;

/// Batches that tell which rows and which stream they came from, made in a time that scrambles who finishes first.
struct Traced {
    live: Arc<AtomicUsize>,
    peak: Arc<AtomicUsize>,
    fail_on: Option<usize>,
    panic_on: Option<usize>,
}

fn traced() -> Traced {
    Traced { live: Arc::default(), peak: Arc::default(), fail_on: None, panic_on: None }
}

struct Batch {
    rows: Vec<usize>,
    draw: u64,
    live: Arc<AtomicUsize>,
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.live.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Source for Traced {
    type Item = Batch;

    fn len(&self) -> usize {
        ROWS
    }

    fn load(&self, rows: &[usize], stream: Stream) -> Result<Batch> {
        if self.fail_on.is_some_and(|row| rows.contains(&row)) {
            return Err(Error::Source { doing: "reading a bad row".into(), source: "it is bad".into() });
        }
        assert!(!self.panic_on.is_some_and(|row| rows.contains(&row)), "row {:?} is cursed", self.panic_on);
        self.peak.fetch_max(self.live.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        thread::sleep(Duration::from_micros(stream.u64(9) % 1500));
        Ok(Batch { rows: rows.to_vec(), draw: stream.u64(0), live: self.live.clone() })
    }
}

fn config(workers: usize) -> LoaderConfig {
    LoaderConfig { batch_size: 4, workers, prefetch: 3, shuffle: true, keep_last: true }
}

fn loader(source: Traced, config: LoaderConfig) -> Loader<Traced> {
    Loader::new(Arc::new(source), config, Stream::new(5, "loader test")).unwrap()
}

/// Fails the test instead of hanging it.
fn within<T: Send + 'static>(seconds: u64, work: impl FnOnce() -> T + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    let thread = thread::spawn(move || {
        let _ = done.send(work());
    });
    match result.recv_timeout(Duration::from_secs(seconds)) {
        Ok(result) => result,
        Err(mpsc::RecvTimeoutError::Timeout) => panic!("still running after {seconds} s"),
        Err(mpsc::RecvTimeoutError::Disconnected) => std::panic::resume_unwind(thread.join().unwrap_err()),
    }
}

type Trace = Vec<(Vec<usize>, u64)>;

fn trace(loader: &mut Loader<Traced>, places: impl IntoIterator<Item = (u64, u64)>) -> Trace {
    let batches = places.into_iter().map(|(epoch, step)| loader.get(epoch, step).unwrap());
    batches.map(|batch| (batch.rows.clone(), batch.draw)).collect()
}

fn in_order(epochs: u64, steps: u64) -> impl Iterator<Item = (u64, u64)> {
    (0..epochs).flat_map(move |epoch| (0..steps).map(move |step| (epoch, step)))
}

#[test]
fn batches_do_not_depend_on_the_number_of_workers() {
    within(60, || {
        let expected = trace(&mut loader(traced(), config(0)), in_order(4, 6));
        for workers in [1, 2, 5] {
            for prefetch in [1, 3, 16] {
                let config = LoaderConfig { prefetch, ..config(workers) };
                let got = trace(&mut loader(traced(), config), in_order(4, 6));
                assert_eq!(got, expected, "{workers} workers, {prefetch} ahead");
            }
        }
    });
}

#[test]
fn batches_do_not_depend_on_the_way_to_them() {
    within(60, || {
        let places =
            [(0, 0), (0, 1), (0, 2), (2, 3), (2, 4), (2, 5), (3, 0), (3, 0), (0, 5), (1, 0), (0, 0), (u64::MAX, 5)];
        let expected: Trace =
            places.iter().flat_map(|&place| trace(&mut loader(traced(), config(0)), [place])).collect();
        for workers in [0, 1, 2, 5] {
            assert_eq!(trace(&mut loader(traced(), config(workers)), places), expected, "{workers} workers");
        }
    });
}

#[test]
fn an_epoch_is_every_row_once_in_an_order_of_its_own() {
    let mut loader = loader(traced(), config(2));
    let epochs: Vec<Vec<usize>> = (0..3)
        .map(|epoch| {
            trace(&mut loader, (0..6).map(|step| (epoch, step))).into_iter().flat_map(|(rows, _)| rows).collect()
        })
        .collect();
    for (i, epoch) in epochs.iter().enumerate() {
        let mut sorted = epoch.clone();
        sorted.sort_unstable();
        assert!(sorted.into_iter().eq(0..ROWS), "epoch {i}");
        assert!(epochs[..i].iter().all(|other| other != epoch), "epoch {i} repeats an order");
    }
}

#[test]
fn shuffling_and_the_last_batch_can_be_switched_off() {
    let plain = LoaderConfig { shuffle: false, keep_last: false, ..config(2) };
    let mut loader = loader(traced(), plain);
    assert_eq!(loader.steps(), 5);
    let rows: Vec<usize> = trace(&mut loader, in_order(1, 5)).into_iter().flat_map(|(rows, _)| rows).collect();
    assert!(rows.into_iter().eq(0..20));
    assert!(matches!(loader.get(0, 5), Err(Error::Index { index: 5, len: 5, .. })));
}

#[test]
fn every_step_has_a_random_stream_of_its_own() {
    let draws: std::collections::HashSet<u64> =
        trace(&mut loader(traced(), config(2)), in_order(5, 6)).into_iter().map(|(_, draw)| draw).collect();
    assert_eq!(draws.len(), 30);
}

#[test]
fn live_batches_are_bounded() {
    within(60, || {
        for (workers, prefetch) in [(5, 2), (2, 4), (1, 1)] {
            let source = traced();
            let peak = source.peak.clone();
            let mut loader = loader(source, LoaderConfig { prefetch, ..config(workers) });
            for (epoch, step) in in_order(6, 6) {
                let batch = loader.get(epoch, step).unwrap();
                thread::sleep(Duration::from_millis(1));
                drop(batch);
            }
            let in_order = peak.load(Ordering::SeqCst);
            assert!(in_order <= prefetch + 1, "{in_order} live batches, {prefetch} ahead and one in use");
            assert!(prefetch == 1 || in_order > 1, "nothing was made ahead");
            for epoch in 10..60 {
                loader.get(epoch, 1).unwrap();
            }
            let jumping = peak.load(Ordering::SeqCst);
            assert!(jumping <= prefetch + workers + 1, "{jumping} live batches after jumps");
        }
    });
}

#[test]
fn an_error_belongs_to_its_step_and_the_loader_goes_on() {
    within(60, || {
        for workers in [0, 1, 2, 5] {
            let failing = Traced { fail_on: Some(9), ..traced() };
            let plain = LoaderConfig { shuffle: false, ..config(workers) };
            let mut loader = loader(failing, plain);
            for epoch in 0..3 {
                for step in 0..6 {
                    // Row 9 is in the batch of rows 8..12.
                    match loader.get(epoch, step) {
                        Ok(batch) => assert!(step != 2 && batch.rows[0] == 4 * step as usize),
                        Err(error) => {
                            assert_eq!((step, error.to_string().as_str()), (2, "reading a bad row"))
                        }
                    }
                }
            }
            assert!(loader.get(0, 2).is_err(), "asking again is a retry, not the next step");
            assert_eq!(loader.get(0, 3).unwrap().rows, [12, 13, 14, 15]);
        }
    });
}

#[test]
fn a_panic_becomes_an_error_of_its_step() {
    within(60, || {
        for workers in [0, 1, 2, 5] {
            let cursed = Traced { panic_on: Some(9), ..traced() };
            let mut loader = loader(cursed, LoaderConfig { shuffle: false, ..config(workers) });
            for epoch in 0..3 {
                for step in 0..6 {
                    match loader.get(epoch, step) {
                        Ok(batch) => assert!(step != 2 && batch.rows[0] == 4 * step as usize),
                        Err(error) => {
                            let expected =
                                format!("loading the batch of epoch {epoch}, step 2 panicked: row Some(9) is cursed");
                            assert_eq!(error.to_string(), expected);
                        }
                    }
                }
            }
        }
    });
}

#[test]
fn dropping_the_loader_ends_its_threads_and_frees_its_batches() {
    within(60, || {
        for asked in [0, 1, 7] {
            let source = Arc::new(traced());
            let live = source.live.clone();
            let mut loader = Loader::new(source.clone(), config(5), Stream::new(1, "drop test")).unwrap();
            for (epoch, step) in in_order(2, 6).take(asked) {
                loader.get(epoch, step).unwrap();
            }
            drop(loader);
            assert_eq!(live.load(Ordering::SeqCst), 0);
            assert_eq!(Arc::strong_count(&source), 1, "a thread still holds the source");
        }
    });
}

#[test]
fn settings_that_make_no_batch_are_refused() {
    let refused = |config: LoaderConfig| {
        let error = Loader::new(Arc::new(traced()), config, Stream::new(0, "test")).err().expect("refused");
        assert!(matches!(error, Error::Setting { .. }), "{error}");
        error.to_string()
    };
    assert_eq!(
        refused(LoaderConfig { batch_size: 0, ..config(1) }),
        "batch_size = 0 is not possible: a batch needs at least one row"
    );
    assert!(refused(LoaderConfig { prefetch: 0, ..config(2) }).contains("2 workers would have nothing to do"));
    assert!(refused(LoaderConfig { batch_size: 24, keep_last: false, ..config(2) }).contains("only 23 rows"));
    assert!(Loader::new(Arc::new(traced()), LoaderConfig { prefetch: 0, ..config(0) }, Stream::new(0, "test")).is_ok());
}

#[cfg(target_os = "linux")]
#[test]
fn memory_stays_flat_over_fifty_epochs() {
    struct Large;
    impl Source for Large {
        type Item = Vec<u8>;
        fn len(&self) -> usize {
            40
        }
        fn load(&self, rows: &[usize], _: Stream) -> Result<Vec<u8>> {
            Ok(vec![rows[0] as u8; 4 << 20]) // 4 MiB, written
        }
    }
    let resident_kib = || {
        let status = std::fs::read_to_string("/proc/self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap()
    };
    within(60, move || {
        let config = LoaderConfig { workers: 2, prefetch: 4, ..LoaderConfig::training(4) };
        let mut loader = Loader::new(Arc::new(Large), config, Stream::new(0, "memory")).unwrap();
        let mut after = Vec::new();
        for epoch in 0..50 {
            for step in 0..loader.steps() {
                assert_eq!(loader.get(epoch, step).unwrap().len(), 4 << 20);
            }
            after.push(resident_kib());
        }
        // other tests of this process come and go: a leak of one batch an epoch would be 4 MiB each, 160 over 40 epochs
        let growth = after[49].saturating_sub(after[9]) >> 10;
        assert!(growth < 60, "resident memory grew by {growth} MiB from epoch 10 to 50");
    });
}

#[test]
fn defaults_follow_the_machine() {
    let (training, validation) = (LoaderConfig::training(32), LoaderConfig::validation(32));
    let cores = thread::available_parallelism().unwrap().get();
    assert_eq!((training.workers, training.prefetch, training.shuffle), (cores.min(8), 2 * cores.min(8), true));
    assert_eq!((validation.workers, validation.shuffle), ((cores.min(8) / 2).max(1), false));
    assert_eq!((training.batch_size, training.keep_last), (32, true));
}
