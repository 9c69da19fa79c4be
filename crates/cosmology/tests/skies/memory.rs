//! The loader of observations does not grow.

use std::sync::Arc;

use cupel_cosmology::{ObservationFiles, Observations, ObservationsConfig};
use cupel_data::{Array, Complex, Loader, Stream, Values, write_npy};

const SHAPE: [usize; 3] = [24, 32, 128];

/// Resident memory of this process in bytes.
#[cfg(target_os = "linux")]
fn resident_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[test]
#[cfg(target_os = "linux")]
fn a_hundred_batches_take_no_more_memory_than_twenty() {
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let count: usize = SHAPE.iter().product();
    for (folder, files) in folders.iter().zip([12, 6]) {
        for file in 0..files {
            let values = vec![Complex::new(file as f32, 1.0); count];
            let array = Array::new(SHAPE.to_vec(), Values::Complex64(values)).unwrap();
            write_npy(&folder.path().join(format!("vis_{file}.npy")), &array).unwrap();
        }
    }
    let config =
        ObservationsConfig { ra_bins: SHAPE[2], split: 4, ra_shift_aug: true, ..ObservationsConfig::default() };
    let files = ObservationFiles::find(folders[0].path(), folders[1].path()).unwrap();
    let source = Arc::new(Observations::training(files, &config).unwrap());
    let mut loader = Loader::new(source.clone(), config.training_loader(), Stream::new(0, "memory")).unwrap();
    let steps = loader.steps();
    let mut load = |batches: std::ops::Range<u64>| {
        for batch in batches {
            let own = loader.get(batch / steps, batch % steps).unwrap();
            assert_eq!(own.x.len(), 2 * config.batch_size * count);
        }
    };
    load(0..20);
    let before = resident_bytes();
    load(20..120);
    let grown = resident_bytes().saturating_sub(before);
    // one file that stays behind in each batch would be 79 MB, the original's caches 1.2 GB
    let file = (count * size_of::<Complex<f32>>()) as u64;
    assert!(grown < 40 * file, "{} MB more after 100 batches", grown / 1_000_000);
    assert_eq!(source.cached_bytes(), (0, 0));
}
