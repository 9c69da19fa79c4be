//! [`plan`]: what a scan will show, before it is made.
//!
//! The resolution is where the correlation with the truth falls below one half, ring by ring of the spectrum, which is where two halves of the data
//! correlate by one seventh (P. B. Rosenthal, R. Henderson, Journal of Molecular Biology 333, 721 (2003), doi:10.1016/j.jmb.2003.07.013,
//! equation 17). A linear estimate from known phases, Wiener's, correlates by
//! ```text
//! FRC(q)^2 = mean over the ring of  s / (1 + s),   s = m P(q) / (c n),   n = (N / D)^2 v,   v = (1 + r^2 / (F I(q))) / (4 F)
//! ```
//! with `m` apertures that see a place (opposite ones too, of a real object), `P` the power of a natural object
//! (Field 1987: `P = A / q^2`), `v` the variance of an amplitude of `F` photons a unit of intensity and `r` electrons of read-out where
//! a frame has the mean intensity `I = pi r_a^2 P(q) / M^2`, and `c` what the unknown phases cost.

use serde::Serialize;

use crate::{
    Error, Noise, NoiseConfig, Result, Telescope,
    sampling::{Line, coverage, each_place, overlap},
    simulate::check_centres,
};

/// Mean of the squared amplitude of a natural object of 0 to 1, less that of its mean: the variance of the root of an image's values.
const VARIANCE: f64 = 0.04;
/// Intensity of the brightest pixel of a natural object's blurred image.
const BRIGHTEST: f64 = 0.8;
/// What unknown phases and objects of less contrast than a natural one's cost: noise of a reconstruction over that of known phases. Found on five
/// objects of our own (discs, random fields, bars, blobs, craters), fitted with total variation at 1e3 to 1e6 photons.
const PHASES: f64 = 32.0;
/// Correlation with the truth at the resolution.
const RESOLVED: f64 = 0.5;

/// What a scan will show.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Plan {
    /// Number of exposures.
    pub exposures: usize,
    /// Least overlap of an aperture with its nearest neighbour.
    pub overlap_min: f64,
    /// Mean of that.
    pub overlap_mean: f64,
    /// Share of the spectrum's disc of radius `N / 2` that is seen.
    pub coverage: f64,
    /// Least period that will be resolved, in pixels of the object; infinite where nothing is.
    pub resolution_px: f64,
}

/// What exposures at these centres will show of a natural object of `object_size` pixels; `real` where it has no phase.
///
/// Noise of neither photons nor decibels is the telescope's own, as in [`observe`](crate::observe).
///
/// # Errors
/// [`Error::Optics`] for an object that does not fit, [`Error::Measurement`] for centres beyond the field, [`Error::Setting`] for noise that cannot
/// be.
pub fn plan(
    telescope: &Telescope,
    centres: &[[f64; 2]],
    object_size: usize,
    noise: &NoiseConfig,
    real: bool,
) -> Result<Plan> {
    plan_moving(telescope, centres, [0.0; 2], object_size, noise, real)
}

/// [`plan`] for an aperture that moves by `way` rows and columns during each exposure: a place counts as long as it is seen. Overlap is that of
/// apertures in the middle of their ways.
///
/// # Errors
/// As [`plan`].
pub fn plan_moving(
    telescope: &Telescope,
    centres: &[[f64; 2]],
    way: [f64; 2],
    object_size: usize,
    noise: &NoiseConfig,
    real: bool,
) -> Result<Plan> {
    let seen: Vec<([f64; 2], f64)> = centres.iter().flat_map(|centre| Line::around(*centre, way).shares()).collect();
    let places: Vec<[f64; 2]> = seen.iter().map(|(place, _)| *place).collect();
    check_centres(telescope, &places)?;
    let (n, aperture) = (telescope.config().n_pixels, telescope.aperture());
    if !(2..=n).contains(&object_size) {
        return Err(Error::Optics {
            what: "size of the object",
            got: object_size.to_string(),
            expected: format!("2 to {n} pixels, those of the field"),
        });
    }
    let noise = match (noise.photons, noise.snr) {
        (None, None) => NoiseConfig { snr: telescope.config().snr, ..*noise },
        _ => *noise,
    };
    let model = noise.of_brightest(BRIGHTEST)?;
    let mut times = vec![0.0; n * n];
    for (centre, share) in &seen {
        each_place(*centre, aperture, n, |place| times[place] += share);
        if real {
            each_place([-centre[0], -centre[1]], aperture, n, |place| times[place] += share);
        }
    }
    let overlap = overlap(centres, aperture.radius(), real);
    let cutoff = cutoff(&times, n, |ring| {
        let pixels = (object_size * object_size) as f64;
        // All the variance lies between one period over the object and two pixels.
        let power =
            VARIANCE * pixels / (std::f64::consts::TAU * (object_size as f64 / 2.0).ln().max(0.5)) / (ring * ring);
        match model {
            Noise::Counts { photons, read } => {
                let frame = aperture.area() as f64 * power / pixels;
                let variance = (1.0 + read * read / (photons * frame)) / (4.0 * photons);
                let scale = n as f64 / telescope.detector() as f64;
                power / (PHASES * scale * scale * variance)
            }
            _ => f64::INFINITY,
        }
    });
    Ok(Plan {
        exposures: centres.len(),
        overlap_min: overlap.min,
        overlap_mean: overlap.mean,
        coverage: coverage(&places, aperture, n, real),
        resolution_px: n as f64 / cutoff,
    })
}

/// The last frequency at which the correlation is high enough, between rings by a straight line; `signal` is the power over the noise of one
/// exposure at a ring.
fn cutoff(times: &[f64], n: usize, signal: impl Fn(f64) -> f64) -> f64 {
    let half = (n / 2) as f64;
    let mut rings = vec![(0.0, 0_usize); n / 2 + 1];
    for (place, times) in times.iter().enumerate() {
        let radius = ((place / n) as f64 - half).hypot((place % n) as f64 - half).round() as usize;
        let Some(ring) = rings.get_mut(radius) else { continue };
        let signal = signal((radius as f64).max(0.5));
        let kept = match *times {
            0.0 => 0.0,
            _ if signal.is_infinite() => 1.0,
            times => times * signal / (1.0 + times * signal),
        };
        *ring = (ring.0 + kept, ring.1 + 1);
    }
    let correlation = |ring: usize| (rings[ring].0 / rings[ring].1.max(1) as f64).sqrt();
    let last = rings.len() - 1;
    match (0..=last).rev().find(|ring| correlation(*ring) >= RESOLVED) {
        None => 0.0,
        Some(ring) if ring == last => half,
        Some(ring) => {
            let (here, next) = (correlation(ring), correlation(ring + 1));
            ring as f64 + (here - RESOLVED) / (here - next)
        }
    }
}
