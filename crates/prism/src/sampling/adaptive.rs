//! The next centre, chosen without the truth.
//!
//! A place of the spectrum with power `p` per exposure in units of its noise tells `ln(1 + m p)` nats in `m` exposures (the capacity of
//! a Gaussian channel, halved for a phase that is not measured, which changes no order). The gain of a centre is the sum, over the places that its aperture
//! sees, of what one exposure more tells: `ln((1 + (m + 1) p) / (1 + m p))`. The power is that of the current reconstruction where it was
//! measured, and elsewhere that of a power law fitted to it. A phase is found only through overlap, so a centre counts that overlaps what was
//! measured by at least a share.

use super::overlap::each_place;
use crate::{Aperture, Error, Plane, Result, fourier, spectrum_law::PowerLaw};

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
