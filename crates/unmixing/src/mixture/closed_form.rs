//! The fit in closed form: expectation maximisation over endmembers and faces.

mod answer;

use burn::tensor::Device;
use cupel_train::{
    Advance, Casting, Computing, Metrics, Position, Progress, SetReader, SetWriter, device::is_cpu, fingerprint,
};
use serde::{Deserialize, Serialize};

use super::{
    Regime,
    faces::{inverse, number_of_faces},
    plane::Plane,
    posterior::{Posterior, first_misfit, on_host, pass},
    typical::Typical,
};
use crate::{Alternative, Convention, Endmembers, Extracted, Pixels, Result, error::same, metrics::spectral_angle};

/// Most steps; both kinds of step have come to rest before, or creep by less than the errors of the endmembers.
const MOST_STEPS: u64 = 80;
/// Variances fall by this factor a step at least, until they are those of the noise.
const COOLING: f64 = 0.7;
/// At rest, no endmember turns by more in one step.
const AT_REST_RAD: f64 = 2e-5;
/// Most posteriors of pixels on faces in one step: the errors of the endmembers are far below those of the abundances by then.
const MOST_POSTERIORS: usize = 250_000;

/// The mixture model under way, in closed form; an [`Advance`] of one step of all endmembers at a time.
///
/// It begins with extracted endmembers. Where noise limits the fit, a step is one expectation maximisation of the marginal
/// likelihood, abundances integrated out face by face. Where materials vary, it moves endmembers to their typical spectra.
pub struct Mixture {
    pixels: Pixels,
    start: Endmembers,
    model: Model,
    state: State,
    /// Pixels that the endmembers are fitted to.
    chosen: Vec<usize>,
    /// Other answers that the scene leaves open.
    alternatives: Vec<Alternative>,
    convention: Convention,
    /// Where posteriors are computed, unless it is the host.
    device: Option<Device>,
    name: String,
}

enum Model {
    Noise { plane: Box<Plane>, regime: Regime },
    Varied(Typical),
}

/// What the marginal likelihood depends on.
pub(crate) struct Marginal<'a> {
    pub(crate) plane: &'a Plane,
    pub(crate) positions: &'a [f64],
    pub(crate) ln_faces: &'a [f64],
    pub(crate) chosen: &'a [usize],
}

/// All that changes from step to step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct State {
    /// Positions among the points of the plane, or unit-norm spectra.
    endmembers: Vec<f64>,
    ln_faces: Vec<f64>,
    /// What variances are multiplied by: endmembers that begin away from where they belong would be held there by pixels that are sure
    /// of the wrong face.
    inflation: f64,
}

impl Mixture {
    /// Prepares the fit to all `pixels`.
    ///
    /// # Errors
    /// When the moments of the scene cannot be had.
    pub fn new(pixels: &Pixels, extracted: &Extracted, seed: u64) -> Result<Self> {
        let start = extracted.endmembers.clone();
        let count = start.count();
        let faces = number_of_faces(count);
        let ln_faces = vec![-(faces as f64).ln(); faces];
        let (model, endmembers, chosen, inflation) = match Plane::of_noise(pixels, count)? {
            None => {
                let typical = Typical::new(pixels, &start)?;
                (Model::Varied(typical), start.unit_norm().values().to_vec(), Vec::new(), 1.0)
            }
            Some((plane, regime)) => {
                let (positions, chosen) = (plane.place(&start).0, plane.indices(MOST_POSTERIORS / faces));
                let inflation = first_misfit(&plane, &positions, count, &chosen).max(1.0);
                (Model::Noise { plane: Box::new(plane), regime }, positions, chosen, inflation)
            }
        };
        let state = State { endmembers, ln_faces, inflation };
        let alternatives = extracted.alternatives.clone();
        let (pixels, name) = (pixels.clone(), format!("pmm-seed-{seed}"));
        let convention = Convention::Rescaled;
        Ok(Self { pixels, start, model, state, chosen, alternatives, convention, device: None, name })
    }

    /// With abundances under this convention: relative to endmembers of unit maximum, or else to those of the brightness of the scene.
    #[must_use]
    pub fn under(self, convention: Convention) -> Self {
        Self { convention, ..self }
    }

    /// With posteriors computed on `device`, in f32; a CPU computes them as the host does without, in f64.
    #[must_use]
    pub fn on(self, device: &Device) -> Self {
        if is_cpu(device) { self } else { self.by_tensors(device) }
    }

    /// The same, whatever the device.
    #[must_use]
    pub fn by_tensors(mut self, device: &Device) -> Self {
        self.device = Some(device.clone().inner());
        if let Model::Noise { plane, regime } = self.model {
            self.model = Model::Noise { plane: Box::new(plane.on(self.device.clone())), regime };
        }
        self
    }

    /// What limits the fit of this scene.
    pub fn regime(&self) -> Regime {
        match &self.model {
            Model::Noise { regime, .. } => *regime,
            Model::Varied(_) => Regime::Varied,
        }
    }

    /// The fit of these `pixels` with endmembers as they are given, at the scene's brightness.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for another number of endmembers or bands.
    pub fn with_endmembers(mut self, endmembers: &Endmembers) -> Result<Self> {
        let (got, expected) = ((endmembers.count(), endmembers.bands()), (self.start.count(), self.start.bands()));
        same("(endmembers, bands)", expected, got)?;
        self.state.endmembers = match &self.model {
            Model::Noise { plane, .. } => plane.place(endmembers).0,
            Model::Varied(_) => endmembers.unit_norm().values().to_vec(),
        };
        self.start = endmembers.clone(); // nothing is to be unmixed from them
        Ok(self)
    }

    /// Fits endmembers to this share of the pixels that they would be fitted to otherwise.
    #[must_use]
    pub fn with_fraction(mut self, fraction: f64) -> Self {
        let keep = ((self.chosen.len() as f64 * fraction).ceil() as usize).max(1);
        let step = (self.chosen.len() / keep).max(1);
        self.chosen = self.chosen.into_iter().step_by(step).collect();
        self
    }

    pub(crate) fn count(&self) -> usize {
        self.start.count()
    }

    /// Points, positions, prior of the faces and pixels of the marginal likelihood; none where materials vary.
    pub(crate) fn marginal(&self) -> Option<Marginal<'_>> {
        match &self.model {
            Model::Noise { plane, .. } => Some(Marginal {
                plane,
                positions: &self.state.endmembers,
                ln_faces: &self.state.ln_faces,
                chosen: &self.chosen,
            }),
            Model::Varied(_) => None,
        }
    }

    /// `A` with `A A^T` the covariance between the errors of endmembers along one direction, `count x count`.
    pub(crate) fn covariance_root(&self) -> Vec<f64> {
        let count = self.count();
        let covariance = match self.marginal() {
            Some(Marginal { plane, positions, ln_faces, chosen }) => {
                let (sums, _) = on_host(plane, positions, count, ln_faces, Some(chosen), 1.0);
                inverse(&regular(sums.weights, count), count).0
            }
            None => (0..count * count).map(|at| f64::from(u8::from(at / count == at % count))).collect(),
        };
        let mut root = vec![0.0; count * count];
        for i in 0..count {
            for j in 0..=i {
                let done: f64 = (0..j).map(|m| root[i * count + m] * root[j * count + m]).sum();
                let rest = covariance[i * count + j] - done;
                root[i * count + j] =
                    if i == j { rest.max(f64::MIN_POSITIVE).sqrt() } else { rest / root[j * count + j] };
            }
        }
        root
    }

    /// As [`finish`](Self::finish), with endmembers and their errors from these draws.
    ///
    /// # Errors
    /// As [`finish`](Self::finish); a sampler without draws.
    pub fn finish_with(mut self, draws: &[f64]) -> Result<(Endmembers, Posterior)> {
        let width = self.state.endmembers.len();
        let number = (draws.len() / width) as f64;
        if draws.is_empty() {
            return Err(crate::Error::setting("draws", 0, "at least 1"));
        }
        let mean: Vec<f64> = (0..width).map(|i| draws.iter().skip(i).step_by(width).sum::<f64>() / number).collect();
        let bands = self.start.bands();
        let mut of_draws = vec![0.0; self.count() * bands];
        if let Some(Marginal { plane, .. }) = self.marginal() {
            let middle = plane.lift(&mean, bands)?;
            for draw in draws.chunks_exact(width) {
                let drawn = plane.lift(draw, bands)?;
                for ((sum, d), m) in of_draws.iter_mut().zip(drawn.values()).zip(middle.values()) {
                    *sum += (d - m).powi(2) / (number - 1.0).max(1.0);
                }
            }
        }
        self.state.endmembers = mean;
        let (endmembers, mut posterior) = self.finish()?;
        // draws move within the signal's directions; noise in the others is that of the fit
        posterior.endmember_errors.iter_mut().zip(&of_draws).for_each(|(e, d)| *e = e.hypot(d.sqrt()));
        Ok((endmembers, posterior))
    }

    /// Root mean square noise of the bands; where materials vary, of what is left of the spectra of unit brightness.
    pub fn noise(&self) -> f64 {
        match &self.model {
            Model::Noise { plane, .. } => plane.noise(),
            Model::Varied(typical) => typical.variance().sqrt(),
        }
    }

    /// One step; returns the logarithm of the evidence a pixel, where there is one, and the largest turn of an endmember.
    fn step(&mut self) -> Result<(Option<f64>, f64)> {
        let count = self.start.count();
        match &self.model {
            Model::Noise { plane, .. } => {
                let rank = plane.rank();
                let (State { endmembers, ln_faces, .. }, inflation) = (&self.state, self.state.inflation);
                let (sums, _) = pass(plane, endmembers, count, ln_faces, Some(&self.chosen), inflation)?;
                let solve = inverse(&regular(sums.weights.clone(), count), count).0;
                let mut moved = vec![0.0; count * rank];
                for (i, row) in moved.chunks_exact_mut(rank).enumerate() {
                    for j in 0..count {
                        let factor = solve[i * count + j];
                        row.iter_mut().zip(&sums.weighted[j * rank..]).for_each(|(m, w)| *m += factor * w);
                    }
                }
                let left = inflation * sums.misfit(&moved, self.chosen.len());
                self.state.inflation = left.min(COOLING * inflation).max(1.0);
                let number = self.chosen.len() as f64;
                let faces = sums.faces.len() as f64;
                self.state.ln_faces = sums.faces.iter().map(|p| ((p + 1.0) / (number + faces)).ln()).collect();
                let turn = largest_turn(&self.state.endmembers, &moved, rank);
                self.state.endmembers = moved;
                Ok((Some(sums.ln_evidence / number), turn))
            }
            Model::Varied(typical) => {
                let bands = self.start.bands();
                let before = Endmembers::new(self.state.endmembers.clone(), bands)?;
                let moved = typical.shift(&before)?.values().to_vec();
                let turn = largest_turn(&self.state.endmembers, &moved, bands);
                self.state.endmembers = moved;
                Ok((None, turn))
            }
        }
    }
}

impl Advance for Mixture {
    fn advance(&mut self, at: Position) -> cupel_train::Result<Progress> {
        let (evidence, turn) = self.step().map_err(cupel_train::Error::work)?;
        let mut metrics = Metrics::from([("turn_rad", turn)]);
        if let Some(evidence) = evidence {
            metrics.push("ln_evidence", evidence);
        }
        let done = if turn <= AT_REST_RAD && self.state.inflation <= 1.0 {
            Some("the endmembers are at rest")
        } else {
            (at.update + 1 >= MOST_STEPS).then_some("all steps are made")
        };
        Ok(Progress { metrics, done })
    }

    fn save(&self, set: &mut SetWriter) -> cupel_train::Result<()> {
        set.json("mixture", &self.state)
    }

    fn load(&mut self, set: &SetReader) -> cupel_train::Result<()> {
        let state: State = set.json("mixture")?;
        let got = (state.endmembers.len(), state.ln_faces.len());
        let expected = (self.state.endmembers.len(), self.state.ln_faces.len());
        same("saved endmembers and faces of a mixture", expected, got).map_err(cupel_train::Error::work)?;
        self.state = state;
        Ok(())
    }

    fn fingerprint(&self) -> cupel_train::Result<[u8; 32]> {
        fingerprint(&("mixture", self.regime(), self.pixels.hash(), self.start.values(), self.chosen.len()))
    }

    fn computing(&self) -> Option<Computing> {
        Some(Computing::of(self.device.as_ref()?, &Casting::f32(), 0)) // nothing is drawn
    }

    fn name(&self) -> &str {
        &self.name
    }

    fn total(&self) -> Option<u64> {
        Some(MOST_STEPS)
    }
}

/// A sum of second moments whose inverse exists, though no pixel may hold some material.
fn regular(mut weights: Vec<f64>, count: usize) -> Vec<f64> {
    let trace: f64 = (0..count).map(|k| weights[k * count + k]).sum();
    (0..count).for_each(|k| weights[k * count + k] += f64::EPSILON * trace);
    weights
}

/// The largest angle between rows of the same place.
fn largest_turn(before: &[f64], after: &[f64], width: usize) -> f64 {
    before.chunks_exact(width).zip(after.chunks_exact(width)).map(|(a, b)| angle(a, b)).fold(0.0, f64::max)
}

/// [`spectral_angle`], without the rounding of the cosine of small angles.
fn angle(a: &[f64], b: &[f64]) -> f64 {
    let (a_norm, b_norm) = (norm(a).max(f64::MIN_POSITIVE), norm(b).max(f64::MIN_POSITIVE));
    let chord = a.iter().zip(b).map(|(x, y)| (x / a_norm - y / b_norm).powi(2)).sum::<f64>().sqrt();
    if chord < 1.0 { 2.0 * (0.5 * chord).asin() } else { spectral_angle(a, b) }
}

fn norm(spectrum: &[f64]) -> f64 {
    spectrum.iter().map(|x| x * x).sum::<f64>().sqrt()
}
