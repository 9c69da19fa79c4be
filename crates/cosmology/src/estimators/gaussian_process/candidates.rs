//! The models among which the evidence chooses, with starts that follow from the sky.

use faer::{Mat, Side};

use super::{
    evidence::{Band, Bands, whitening},
    fit::Fit,
    kernel::Kernel,
    model::{Channels, Model, Parameter, Role, Term},
};

/// What is known of a sky beforehand.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// Angular power of the noise.
    pub(super) noise: Option<f64>,
    /// Standard deviation in radians of a Gaussian beam in the middle of the band; 0 for none.
    pub(super) beam_rad: Option<f64>,
}

/// Standard deviation of the logarithm of the width of a beam that is known: dishes are not what their diameter says.
const KNOWN_BEAM: f64 = 0.05;
/// Multipole at which mixing keeps its coherence over [`MIXING_MHZ`].
const MIXING_MULTIPOLE: f64 = 100.0;
/// A beam of some degrees, whose far end is a twentieth of a radian off, delays by `l / (2 pi nu) * .05`, which turns by a radian in 80 MHz at
/// 400 MHz. Hydrogen keeps its coherence over a tenth of that.
const MIXING_MHZ: f64 = 60.0;

/// Logarithm of an angular power that is nothing in any unit.
const NOTHING: f64 = -200.0;

/// The name of the logarithm of the power of the signal.
pub(super) const SIGNAL_POWER: &str = "ln power of hydrogen";

/// A model that was tried, and the logarithm of its evidence.
pub(super) type Tried = (String, f64);

/// Standard deviation of the logarithm of noise that is seen for certain.
const CERTAIN: f64 = 0.2;

/// What is changed in the model of a fit, and where its parameters stand then; false where there is nothing to change.
type Change<'a> = &'a dyn Fn(&mut Fit) -> bool;

/// The model of the largest evidence: foregrounds of two smooth kernels, hydrogen and noise, with or without a beam; to the better one mixing, a third
/// smooth kernel, no noise but rounding, and a volume whose ends do not meet are tried one by one, and stay where they are worth it.
pub(super) fn choose(channels: &Channels, bands: &Bands, known: Known) -> Option<(Fit, Vec<Tried>)> {
    let start = Start::of(bands)?;
    let mut tried = Vec::new();
    let mut best: Option<Fit> = None;
    let mut consider = |model: Model, from: &[f64], best: &mut Option<Fit>| {
        let other = best.as_ref().map_or(f64::NEG_INFINITY, |best| best.log_posterior);
        let Some(fit) = Fit::search(&model, bands, from, other) else { return };
        tried.push((model.name.clone(), fit.log_evidence));
        if best.as_ref().is_none_or(|best| fit.log_evidence > best.log_evidence) {
            *best = Some(fit);
        }
    };
    // what is likelier goes first, so that the other is soon given up
    for with_beam in [start.narrows(), !start.narrows()] {
        if known.beam_rad.is_some_and(|width| (width > 0.0) != with_beam) {
            continue;
        }
        consider(start.model(channels, known, with_beam), &[], &mut best);
    }
    let changes: [Change<'_>; 4] = [
        &|fit| {
            fit.model.name += ", mixing";
            fit.model.terms.push(start.mixing());
            true
        },
        &|fit| {
            fit.model.name += ", a third foreground";
            fit.model.terms.push(start.smooth("third", -14.0, 0.3));
            true
        },
        &|fit| {
            let mut place = fit.model.beam.iter().count();
            for term in &mut fit.model.terms {
                if term.role == Role::Noise {
                    let (own, deviation) = (&mut term.amplitude[0], fit.deviations[place]);
                    *own = Parameter::new("ln noise", NOTHING, 0.0);
                    fit.parameters[place] = NOTHING;
                    fit.model.name += ", no noise";
                    return deviation > CERTAIN;
                }
                place += term.amplitude.len() + term.shape.len();
            }
            false
        },
        &|fit| {
            fit.model.name += ", open ends";
            let signal = fit.model.terms.iter_mut().filter(|term| term.role == Role::Signal);
            signal.for_each(|term| term.kernel = Kernel::Hydrogen { periods: 2 });
            true
        },
    ];
    for change in changes {
        let Some(mut other) = best.clone() else { continue };
        if change(&mut other) {
            consider(other.model, &other.parameters, &mut best);
        }
    }
    Some((best?, tried))
}

/// Levels of a sky, from which searches start.
struct Start {
    pivot: f64,
    last: f64,
    /// Logarithm of the variance of the channels at the pivot, its slope, and the square of the width of a beam that its curvature shows.
    bright: [f64; 3],
    /// Middle eigenvalue of the covariance near the pivot, where nothing is bright but what is not smooth, and in the last ring.
    bulk: f64,
    floor: f64,
}

impl Start {
    fn of(bands: &Bands) -> Option<Self> {
        let first = bands.bands.first()?.multipole;
        let last = bands.bands.last()?.multipole;
        let pivot = (3.0 * first).min(last);
        let size = bands.seen.len() as f64;
        let variance = |band: &Band| (0..bands.seen.len()).map(|i| band.covariance[(i, i)]).sum::<f64>() / size;
        let enough = bands.bands.iter().map(|band| band.count).fold(0.0, f64::max).min(8.0);
        let middle = |k: f64| -> Option<f64> {
            let near = |band: &&Band| (band.multipole / k).ln().abs();
            let full = bands.bands.iter().filter(|band| band.count >= enough);
            let band = full.min_by(|a, b| near(a).total_cmp(&near(b)))?;
            let values = band.covariance.self_adjoint_eigenvalues(Side::Lower).ok()?;
            // among n modes only n directions are filled
            let rank = values.len().min(band.count as usize).max(1);
            Some(values[values.len() - 1 - rank / 2].max(variance(band) * 1e-16) * rank as f64 / size)
        };
        let (bulk, floor) = (middle(pivot)?, middle(last)?);
        // ln variance = a + b ln l - w^2 l^2, where the sky is far brighter than its floor
        let bright: Vec<&Band> = bands.bands.iter().filter(|band| variance(band) > 100.0 * floor).collect();
        let row = |band: &Band| [1.0, (band.multipole / pivot).ln(), -band.multipole.powi(2)];
        let scale = [1.0, 1.0, pivot.powi(-2)];
        let mut normal = Mat::from_fn(3, 3, |i, j| if i == j { 1e-9 } else { 0.0 });
        let mut right = Mat::<f64>::zeros(3, 1);
        for band in &bright {
            let row = row(band);
            for i in 0..3 {
                right[(i, 0)] += band.count * row[i] * scale[i] * variance(band).ln();
                (0..3).for_each(|j| normal[(i, j)] += band.count * row[i] * scale[i] * row[j] * scale[j]);
            }
        }
        let (inverse, _) = whitening(&normal)?;
        let found = inverse.transpose() * (&inverse * right);
        Some(Self { pivot, last, bright: [0, 1, 2].map(|i| found[(i, 0)] * scale[i]), bulk, floor })
    }

    /// Whether the sky falls over multipoles as under a beam.
    fn narrows(&self) -> bool {
        self.bright[2] * self.last.powi(2) > 1.0
    }

    fn model(&self, channels: &Channels, known: Known, with_beam: bool) -> Model {
        let widest = self.bright[2].max(1e-2 * self.pivot.powi(-2)).sqrt();
        let beam = with_beam.then(|| match known.beam_rad {
            Some(width) => Parameter::new("ln beam", width.ln(), KNOWN_BEAM),
            None => Parameter::new("ln beam", widest.ln(), 1.5),
        });
        let power = self.bulk * channels.cell_mpc_h * channels.distance_mpc_h.powi(2);
        let signal = Term {
            role: Role::Signal,
            kernel: Kernel::Hydrogen { periods: 1 },
            amplitude: vec![Parameter::new(SIGNAL_POWER, power.ln(), 4.0)],
            shape: vec![
                Parameter::new("tilt", 0.0, 0.4),
                Parameter::new("running", 0.0, 0.2),
                // f / b of galaxies and hydrogen alike
                Parameter::new("beta", 0.5, 0.25),
            ],
        };
        let level = match known.noise {
            Some(noise) => Parameter::new("ln noise", noise.max(f64::MIN_POSITIVE).ln(), 0.0),
            None => Parameter::new("ln noise", (0.3 * self.floor).max(channels.rounding).ln(), 4.0),
        };
        let noise = Term { role: Role::Noise, kernel: Kernel::White, amplitude: vec![level], shape: Vec::new() };
        let terms = vec![self.smooth("first", 0.0, 3.0), self.smooth("second", -3.5, 0.7), signal, noise];
        let name = if with_beam { "beam" } else { "no beam" }.to_owned();
        Model { name, channels: channels.clone(), terms, beam, pivot: self.pivot }
    }

    /// Foregrounds of this logarithm of their share of the variance.
    fn smooth(&self, name: &str, share: f64, coherence: f64) -> Term {
        let named = |what: &str, mean: f64, deviation: f64| {
            Parameter::new(format!("{what} of the {name} foreground"), mean, deviation)
        };
        Term {
            role: Role::Foreground,
            kernel: Kernel::Smooth,
            amplitude: vec![
                named("ln amplitude", share + self.bright[0], 4.0),
                named("slope", -2.0, 1.5),
                named("curvature", 0.0, 0.5),
            ],
            // brightness temperatures fall with an index from 2 to 3
            shape: vec![named("index", 2.5, 0.5), named("ln coherence", coherence.ln(), 1.0)],
        }
    }

    fn mixing(&self) -> Term {
        let length = MIXING_MHZ * MIXING_MULTIPOLE / self.pivot;
        Term {
            role: Role::Foreground,
            kernel: Kernel::Mixing,
            amplitude: vec![
                Parameter::new("ln amplitude of mixing", self.bright[0] - 9.0, 4.0),
                Parameter::new("slope of mixing", -2.0, 1.5),
            ],
            shape: vec![Parameter::new("ln length of mixing", length.ln(), 0.5)],
        }
    }
}
