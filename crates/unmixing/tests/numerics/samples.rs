//! Scenes that the other tests share.

use std::path::{Path, PathBuf};

use cupel_data::Stream;
use cupel_train::{Description, Opening, Run};
use cupel_unmixing::{
    Abundances, Endmembers, Extracted, Extraction, ExtractionConfig, Image, Method, Pixels, dirichlet, mix, patches,
};

/// A scene whose answer is known.
pub struct Known {
    pub pixels: Pixels,
    pub endmembers: Endmembers,
    pub abundances: Abundances,
}

/// Draws uniform in [0, 1).
pub fn uniform(stream: Stream, count: usize) -> Vec<f64> {
    let mut draws = vec![0.0f32; count];
    stream.fill_uniform(&mut draws);
    draws.into_iter().map(f64::from).collect()
}

/// Spectra of independent uniform values between 0.1 and 1: as far from collinear as positive spectra get.
pub fn rough_endmembers(count: usize, bands: usize, stream: Stream) -> Endmembers {
    Endmembers::new(uniform(stream, count * bands).iter().map(|u| 0.1 + 0.9 * u).collect(), bands).unwrap()
}

/// Mixtures without noise in which pixel `7 + 11 k` is endmember `k` and no other pixel is purer than 95 %.
pub fn with_pure_pixels(endmembers: usize, bands: usize, pixels: usize, stream: Stream) -> Known {
    assert!(7 + 11 * endmembers <= pixels);
    let spectra = rough_endmembers(endmembers, bands, stream.child(0));
    let mixed = dirichlet(pixels, endmembers, 1.0, stream.child(1)).unwrap();
    let even = 0.05 / endmembers as f64;
    let mut values: Vec<f64> = mixed.values().iter().map(|a| 0.95 * a + even).collect();
    for k in 0..endmembers {
        let row = &mut values[pure_pixel(k) * endmembers..][..endmembers];
        row.fill(0.0);
        row[k] = 1.0;
    }
    let abundances = Abundances::new(values, endmembers).unwrap();
    let pixels = mix(&spectra, &abundances, f64::INFINITY, stream.child(2)).unwrap();
    Known { pixels, endmembers: spectra, abundances }
}

/// An image of patches of materials with uniform spectra and noise.
pub fn image(
    rows: usize,
    columns: usize,
    endmembers: usize,
    bands: usize,
    snr_db: f64,
    stream: Stream,
) -> (Image, Known) {
    let spectra = rough_endmembers(endmembers, bands, stream.child(0));
    let abundances = patches(rows, columns, endmembers, 0.05, stream.child(1)).unwrap();
    let pixels = mix(&spectra, &abundances, snr_db, stream.child(2)).unwrap();
    (Image::new(pixels.clone(), rows, columns).unwrap(), Known { pixels, endmembers: spectra, abundances })
}

/// Runs `work` on so many threads.
pub fn with_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> T {
    rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(work)
}

/// Where [`with_pure_pixels`] puts the pure pixel of an endmember.
pub fn pure_pixel(endmember: usize) -> usize {
    7 + 11 * endmember
}

/// The places of the pure pixels of [`with_pure_pixels`].
pub fn pure_pixels(endmembers: usize) -> Vec<usize> {
    (0..endmembers).map(pure_pixel).collect()
}

/// The same numbers in ascending order.
pub fn sorted(mut values: Vec<usize>) -> Vec<usize> {
    values.sort_unstable();
    values
}

/// Every pixel multiplied by its own factor.
pub fn brightened(pixels: &Pixels, factor: impl Fn(usize) -> f64) -> Pixels {
    let values: Vec<f32> = pixels
        .spectra()
        .enumerate()
        .flat_map(|(n, s)| {
            let factor = factor(n);
            s.iter().map(move |&v| (f64::from(v) * factor) as f32)
        })
        .collect();
    Pixels::new(values.into(), pixels.bands()).unwrap()
}

/// All of a method's work on one scene.
pub fn extract(pixels: &Pixels, method: Method, endmembers: usize, seed: u64) -> cupel_unmixing::Result<Extracted> {
    let mut extraction = Extraction::new(pixels, ExtractionConfig { method, endmembers, restarts: 3, seed })?;
    extraction.complete()?;
    extraction.choose()
}

/// The published files, or `None` with a line that says so.
pub fn unmixing_data() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let folder = std::env::var_os("CUPEL_DATA").map_or_else(beside, PathBuf::from).join("unmixing");
    if folder.join("samson_hu_autoencoders.mat").is_file() {
        return Some(folder);
    }
    eprintln!(
        "SKIPPED: no published scenes in {}; set CUPEL_DATA to the folder that holds unmixing/",
        folder.display()
    );
    None
}

/// Opens a run folder without a line of progress.
pub fn open_run(dir: &std::path::Path, settings: &impl serde::Serialize, how: Opening) -> Run {
    let is = Description::new("test").settings(settings).unwrap();
    let mut run = Run::open(dir, &is, how).unwrap().run().unwrap();
    run.set_quiet(true);
    run
}
