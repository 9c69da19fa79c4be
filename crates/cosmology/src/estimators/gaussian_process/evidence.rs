//! The likelihood of a model: `ln L = -1/2 sum_b n_b (ln det K_b + tr(K_b^-1 C_b))`, its gradient and its Fisher matrix.
//!
//! Modes of like multipole share one covariance `K_b`, so that the likelihood knows them by their empirical covariance `C_b` of `n_b` real numbers
//! alone, and one decomposition serves them all. With `K = L L^T` and `A_p = L^-1 (dK / dp) L^-T`, `E = L^-1 C L^-T`:
//! ```text
//! d ln L / dp = -n/2 (tr A_p - <A_p, E>),    F_pq = n/2 <A_p, A_q>
//! ```

use faer::{Mat, Side};
use rayon::prelude::*;

use super::{super::matrix::part, kernel::Shape, model::Model};

/// The modes of one ring of multipoles.
#[derive(Clone, Debug)]
pub(super) struct Band {
    /// Their mean multipole.
    pub(super) multipole: f64,
    /// How many independent real numbers there are in each channel.
    pub(super) count: f64,
    /// Their covariance over the channels that are seen, of mean 0.
    pub(super) covariance: Mat<f64>,
}

/// What a model is fitted to.
#[derive(Clone, Debug)]
pub(super) struct Bands {
    pub(super) bands: Vec<Band>,
    /// The channels that are seen, ascending.
    pub(super) seen: Vec<usize>,
}

/// A likelihood with its derivatives.
#[derive(Clone, Debug)]
pub(super) struct Likelihood {
    pub(super) value: f64,
    pub(super) gradient: Vec<f64>,
    pub(super) fisher: Mat<f64>,
}

/// `L^-1` of `K = L L^T`, and `ln det K`.
pub(super) fn whitening(matrix: &Mat<f64>) -> Option<(Mat<f64>, f64)> {
    let size = matrix.nrows();
    let decomposition = matrix.llt(Side::Lower).ok()?;
    let lower = decomposition.L();
    let determinant = (0..size).map(|i| 2.0 * lower[(i, i)].ln()).sum();
    let mut inverse = Mat::identity(size, size);
    faer::linalg::triangular_solve::solve_lower_triangular_in_place(lower, inverse.as_mut(), faer::Par::Seq);
    Some((inverse, determinant))
}

/// `W C W^T`.
pub(super) fn turned(by: &Mat<f64>, matrix: &Mat<f64>) -> Mat<f64> {
    &(by * matrix) * by.transpose()
}

fn inner(a: &Mat<f64>, b: &Mat<f64>) -> f64 {
    (0..a.ncols()).map(|j| a.col(j).iter().zip(b.col(j).iter()).map(|(a, b)| a * b).sum::<f64>()).sum()
}

fn trace(matrix: &Mat<f64>) -> f64 {
    (0..matrix.nrows()).map(|i| matrix[(i, i)]).sum()
}

fn of_band(
    model: &Model,
    parameters: &[f64],
    shared: &[Option<Shape>],
    band: &Band,
    seen: &[usize],
    derive: bool,
) -> Option<Likelihood> {
    let parts = model.parts(parameters, shared, band.multipole, derive);
    let (inverse, determinant) = whitening(&part(&parts.total, seen, seen))?;
    let empirical = turned(&inverse, &band.covariance);
    let value = -0.5 * band.count * (determinant + trace(&empirical));
    let matrices: Vec<Mat<f64>> =
        parts.derivatives.iter().map(|own| turned(&inverse, &part(&own.matrix, seen, seen))).collect();
    // which matrix, and by what factor, each parameter has
    let own: Vec<(usize, f64)> = parts
        .derivatives
        .iter()
        .enumerate()
        .flat_map(|(place, own)| own.factors.iter().map(move |factor| (place, *factor)))
        .collect();
    let slopes: Vec<f64> = matrices.iter().map(|own| trace(own) - inner(own, &empirical)).collect();
    let gradient = own.iter().map(|(place, factor)| -0.5 * band.count * factor * slopes[*place]).collect();
    let products =
        Mat::from_fn(
            matrices.len(),
            matrices.len(),
            |p, q| {
                if q <= p { inner(&matrices[p], &matrices[q]) } else { 0.0 }
            },
        );
    let fisher = Mat::from_fn(own.len(), own.len(), |p, q| {
        let ((p, a), (q, b)) = (own[p], own[q]);
        0.5 * band.count * a * b * products[(p.max(q), p.min(q))]
    });
    value.is_finite().then_some(Likelihood { value, gradient, fisher })
}

/// The likelihood of all bands; nothing where a covariance has lost its positivity to rounding.
pub(super) fn likelihood(model: &Model, parameters: &[f64], bands: &Bands, derive: bool) -> Option<Likelihood> {
    let shared = model.shared(parameters);
    let of = |band: &Band| of_band(model, parameters, &shared, band, &bands.seen, derive);
    let all: Vec<Option<Likelihood>> = bands.bands.par_iter().map(of).collect();
    // in the order of the bands, whatever thread had them
    all.into_iter().reduce(|sum, one| {
        let (mut sum, one) = (sum?, one?);
        sum.value += one.value;
        sum.gradient.iter_mut().zip(one.gradient).for_each(|(sum, one)| *sum += one);
        sum.fisher += one.fisher;
        Some(sum)
    })?
}
