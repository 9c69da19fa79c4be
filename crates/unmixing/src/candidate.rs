//! One set of endmembers that an extractor proposes.

use cupel_data::Stream;
use serde::{Deserialize, Serialize};

use crate::{
    Endmembers, Error, Pixels, Result,
    edaa::Edaa,
    method::{Method, Space},
    nfindr,
    prepared::{Prepared, View},
    spa,
};

/// Alternations and steps of one archetypal analysis; more change the endmembers by less than restarts differ.
const ALTERNATIONS: usize = 50;
const STEPS: usize = 20;
/// Random starts within one N-FINDR.
const NFINDR_STARTS: usize = 3;

/// One run of one extractor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Proposal {
    /// The extractor.
    pub method: Method,
    /// What it works on.
    pub space: Space,
    /// Which of its random draws.
    pub draw: u32,
}

/// The endmembers of one proposal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Candidate {
    pub(crate) proposal: Proposal,
    /// In the scale of the space they were found in.
    pub(crate) endmembers: Endmembers,
    /// Mean absolute residual of the archetypal fit; other extractors have none.
    pub(crate) residual: Option<f64>,
}

impl Proposal {
    pub(crate) fn new(method: Method, space: Space, draw: u32) -> Self {
        Self { method, space, draw }
    }

    /// Runs the extractor; the result depends on nothing but the scene, this proposal and `stream`.
    pub(crate) fn run(self, prepared: &Prepared, count: usize, stream: Stream) -> Result<Candidate> {
        let Some(view) = prepared.view(self.space) else {
            return Err(Error::setting("space", self.space, "one of the spaces that were prepared"));
        };
        let stream = stream.child(self.method as u64).child(self.space as u64).child(u64::from(self.draw));
        let (endmembers, residual) = match self.method {
            Method::Vca => (view.vca.choose(stream), None),
            Method::Nfindr => {
                let pixels = view.pixels.count();
                let chosen = nfindr::largest_simplex(&view.centred, pixels, count, NFINDR_STARTS, stream);
                (Endmembers::at_pixels(&view.pixels, &chosen), None)
            }
            Method::Spa => (Endmembers::at_pixels(&view.pixels, &spa(&view.pixels, count)?), None),
            Method::Edaa => archetypes(view, count, stream)?,
            other => return Err(not_an_extractor(other)),
        };
        Ok(Candidate { proposal: self, endmembers, residual })
    }
}

/// What to say of a method that proposes no endmembers.
pub(crate) fn not_an_extractor(method: Method) -> Error {
    Error::setting("method", method, "auto, edaa, vca, nfindr or spa to extract")
}

/// One archetypal analysis: its endmembers as averages of the pixels, and how well they fit them.
fn archetypes(view: &View, count: usize, stream: Stream) -> Result<(Endmembers, Option<f64>)> {
    let settings = Edaa { endmembers: count, alternations: ALTERNATIONS, steps: STEPS };
    let found = settings.restart(&view.columns, stream);
    let (pixels, bands) = (view.pixels.count(), view.pixels.bands());
    let mut values = vec![0.0f64; count * bands];
    for (n, spectrum) in view.pixels.spectra().enumerate() {
        for (k, row) in values.chunks_exact_mut(bands).enumerate() {
            let weight = f64::from(found.weights[k * pixels + n]);
            // all weights are positive, nearly all too small to matter
            if weight > 1e-12 {
                row.iter_mut().zip(spectrum).for_each(|(e, &s)| *e += weight * f64::from(s));
            }
        }
    }
    let residual = mean_absolute_residual(&view.pixels, &values, &found.abundances);
    Ok((Endmembers::new(values, bands)?, Some(residual)))
}

/// Mean absolute difference between the pixels and their archetypal fit, by which the paper compares restarts.
fn mean_absolute_residual(pixels: &Pixels, endmembers: &[f64], abundances: &[f32]) -> f64 {
    let (count, bands) = (pixels.count(), pixels.bands());
    let mut fit = vec![0.0f64; bands];
    let mut sum = 0.0;
    for (n, spectrum) in pixels.spectra().enumerate() {
        fit.fill(0.0);
        for (k, endmember) in endmembers.chunks_exact(bands).enumerate() {
            let abundance = f64::from(abundances[k * count + n]);
            fit.iter_mut().zip(endmember).for_each(|(f, e)| *f += abundance * e);
        }
        sum += spectrum.iter().zip(&fit).map(|(&s, f)| (f64::from(s) - f).abs()).sum::<f64>();
    }
    sum / (count * bands) as f64
}
