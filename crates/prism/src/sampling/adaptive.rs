//! The next centre, chosen without the truth.
//!
//! A place of the spectrum with power `p` per exposure in units of its noise tells `ln(1 + m p)` nats in `m` exposures (the capacity of
//! a Gaussian channel, halved for a phase that is not measured, which changes no order). The gain of a centre is the sum, over the places that its aperture
//! sees, of what one exposure more tells: `ln((1 + (m + 1) p) / (1 + m p))`. The power is that of the current reconstruction where it was
//! measured, and elsewhere that of a power law fitted to it. A phase is found only through overlap, so a centre counts that overlaps what was
//! measured by at least a share.

use burn::tensor::Device;
use cupel_train::Run;

use super::overlap::each_place;
use crate::{
    Aperture, Error, Exposures, Noise, Plane, ReconstructionConfig, Result, Solver, fourier, solvers::swept,
    spectrum_law::PowerLaw, start::start,
};

/// Sweeps from which the next centres are chosen.
const SWEEPS: u64 = 15;
/// So many centres are chosen at once for each that was measured: the image changes little by one among many.
const AT_ONCE: f64 = 0.25;

/// How the next centre is chosen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Adaptive {
    /// Power of the noise at a place of the spectrum, in units of the reconstruction's.
    pub noise: f64,
    /// Least share of the new aperture that was seen before.
    pub least_overlap: f64,
    /// The object is real: opposite places are seen at once.
    pub real: bool,
}

impl Default for Adaptive {
    fn default() -> Self {
        Self { noise: 1e-6, least_overlap: 0.35, real: true }
    }
}

/// That of the `candidates` from which most is to be learnt, by its number, and how many nats; the first of equal ones.
///
/// `reconstruction` is the current image in the whole field, `measured` the centres so far.
///
/// # Errors
/// [`Error::Measurement`] where there is no candidate, or none that overlaps enough; [`Error::Optics`] for a field that is not square.
pub fn next_centre(
    reconstruction: &Plane,
    measured: &[[f64; 2]],
    candidates: &[[f64; 2]],
    aperture: &Aperture,
    how: &Adaptive,
) -> Result<(usize, f64)> {
    let n = reconstruction.rows();
    if n != reconstruction.columns() {
        return Err(Error::Optics {
            what: "field of a reconstruction",
            got: format!("{n} x {}", reconstruction.columns()),
            expected: "as many rows as columns".into(),
        });
    }
    let spectrum = fourier::spectrum(reconstruction);
    let mut times = vec![0_u32; n * n];
    for centre in measured {
        each_place(*centre, aperture, n, |place| times[place] += 1);
        if how.real {
            each_place([-centre[0], -centre[1]], aperture, n, |place| times[place] += 1);
        }
    }
    let law = PowerLaw::fit(&spectrum, &times);
    let gain = |place: usize| {
        let power = match times[place] {
            0 => law.at(place, n),
            _ => spectrum.values()[place].norm_sqr(),
        } / how.noise;
        (power / (1.0 + f64::from(times[place]) * power)).ln_1p()
    };
    let mut best: Option<(usize, f64)> = None;
    for (index, candidate) in candidates.iter().enumerate() {
        let (mut total, mut seen, mut all) = (0.0, 0_usize, 0_usize);
        each_place(*candidate, aperture, n, |place| {
            total += gain(place);
            seen += usize::from(times[place] > 0);
            all += 1;
        });
        let overlaps = measured.is_empty() || seen as f64 >= how.least_overlap * all as f64;
        if overlaps && best.is_none_or(|(_, most)| total > most) {
            best = Some((index, total));
        }
    }
    best.ok_or_else(|| Error::Measurement {
        what: "next centre".into(),
        got: format!(
            "{} candidates, none of which overlaps what was measured by {}",
            candidates.len(),
            how.least_overlap
        ),
        expected: "candidates nearer to the measured centres, or a smaller least overlap".into(),
    })
}

/// Measures `samples` exposures, the first at the first of the `candidates` and each other where most is to be learnt after those before, a few at a
/// time: the image is that of sweeps over what `measure` gave, and nothing else is known of the object.
///
/// `measure` gives the exposures at all centres so far.
///
/// # Errors
/// What `measure` reports; as [`next_centre`].
pub fn scan(
    mut measure: impl FnMut(&[[f64; 2]]) -> Result<Exposures>,
    aperture: &Aperture,
    candidates: &[[f64; 2]],
    samples: usize,
    seed: u64,
    device: &Device,
) -> Result<Exposures> {
    let mut left = candidates.to_vec();
    let mut centres: Vec<[f64; 2]> = Vec::new();
    if samples == 0 || left.len() < samples {
        return Err(Error::Measurement {
            what: "exposures to choose".into(),
            got: samples.to_string(),
            expected: format!("at least one, and no more than the {} candidates", left.len()),
        });
    }
    centres.push(left.remove(0));
    loop {
        let exposures = measure(&centres)?;
        if centres.len() >= samples {
            return Ok(exposures);
        }
        let image = image(&exposures, seed, device)?;
        let how = Adaptive { noise: noise(&exposures), real: exposures.known.real, ..Adaptive::default() };
        let some = ((AT_ONCE * centres.len() as f64) as usize).max(1).min(samples - centres.len());
        for _ in 0..some {
            let (index, _) = next_centre(&image, &centres, &left, aperture, &how)?;
            centres.push(left.remove(index));
        }
    }
}

/// The object as far as the exposures show it.
fn image(exposures: &Exposures, seed: u64, device: &Device) -> Result<Plane> {
    if exposures.centres.len() == 1 {
        return start(exposures, None);
    }
    let which: Vec<usize> = (0..exposures.centres.len()).collect();
    let config =
        ReconstructionConfig { solver: Solver::Epie, iterations: Some(SWEEPS), ..ReconstructionConfig::default() };
    Ok(swept(exposures, &which, "", &config, seed, device, &mut Run::in_memory())?.model.object)
}

/// Power of the noise at a place of the spectrum: `(N / D)^2 / (4 F)` for `F` photons of one unit of intensity.
fn noise(exposures: &Exposures) -> f64 {
    let scale = exposures.optics.size[0] as f64 / exposures.optics.detector as f64;
    match exposures.noise {
        Noise::Counts { photons, .. } => scale * scale / (4.0 * photons),
        Noise::None | Noise::Unknown => Adaptive::default().noise,
    }
}
