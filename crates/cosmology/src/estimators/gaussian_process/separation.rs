//! [`Separation`]: what a fit says of the signal, as linear estimators: one of the likeliest parameters, and some of parameters as they could be
//! after all.
//!
//! Where parameters are uncertain, so are the matrices. The covariance of the error is then the mean over parameters of what each of them leaves
//! unknown and of how far its estimate lies from the likeliest one.

use cupel_data::Stream;
use faer::Mat;
use rayon::prelude::*;

use super::{
    super::{LinearEstimator, Multipoles, linear::Ring, matrix::symmetric},
    fit::Fit,
};
use crate::{Result, Unit};

/// Estimators of a fit.
#[derive(Clone, Debug)]
pub(super) struct Separation {
    /// Of the likeliest parameters, with errors that hold the uncertainty of the parameters.
    pub(super) best: LinearEstimator,
    /// Of each of the drawn ones.
    pub(super) drawn: Vec<LinearEstimator>,
}

impl Separation {
    /// The estimators of `draws` parameters at these multipoles, one for each ring.
    pub(super) fn new(
        fit: &Fit,
        rings: &Multipoles,
        multipoles: &[f64],
        unit: Unit,
        draws: usize,
        stream: &Stream,
    ) -> Result<Self> {
        let of = |parameters: &[f64]| -> Result<LinearEstimator> {
            let shared = fit.model.shared(parameters);
            let ring = |(number, multipole): (usize, &f64)| {
                let parts = fit.model.parts(parameters, &shared, *multipole, false);
                let rest = &parts.total - &parts.signal;
                let floor = |i: usize, j: usize| if i == j { rest[(i, j)].max(0.0) } else { rest[(i, j)] };
                let rest = Mat::from_fn(rest.nrows(), rest.nrows(), floor);
                Ring::wiener(parts.signal, rest, number)
            };
            let rings_of = multipoles.par_iter().enumerate().map(ring).collect::<Result<Vec<_>>>()?;
            let frequencies_mhz = fit.model.channels.frequencies_mhz.clone();
            Ok(LinearEstimator::of_rings("gpr".into(), frequencies_mhz, unit, rings.clone(), rings_of))
        };
        let mut best = of(&fit.parameters)?;
        let drawn = (0..draws).map(|number| of(&fit.drawn(stream.child(number as u64)))).collect::<Result<Vec<_>>>()?;
        if !drawn.is_empty() {
            best.rings.par_iter_mut().enumerate().for_each(|(number, ring)| {
                let total = &ring.signal + &ring.rest;
                let mut sum = Mat::<f64>::zeros(total.nrows(), total.nrows());
                for other in drawn.iter().map(|own| &own.rings[number]) {
                    let off = &other.filter - &ring.filter;
                    sum += &other.posterior + &off * &total * off.transpose();
                }
                ring.posterior = symmetric(&(faer::Scale(1.0 / drawn.len() as f64) * sum));
            });
        }
        Ok(Self { best, drawn })
    }
}
