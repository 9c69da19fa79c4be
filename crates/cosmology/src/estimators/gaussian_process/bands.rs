//! What a Gaussian process is fitted to: covariances over channels of the modes of a sky, ring by ring of multipoles.

use faer::Mat;
use rayon::prelude::*;

use super::{
    super::{
        Multipoles,
        plane_modes::{Plane, PlaneModes, Shell},
    },
    evidence::{Band, Bands},
};
use crate::{Result, Sky};

/// Least width of a ring relative to its multipole, beyond those in which each multipole has a ring of its own.
const WIDTH: f64 = 0.08;
/// Fundamental modes up to which each multipole has a ring of its own.
const OWN: f64 = 4.5;

/// Rings of a patch: those of [`Multipoles::of_patch`], wider where they are many, and each with modes in it.
pub(super) fn rings(sky: &Sky, shells: &[Shell]) -> Result<Multipoles> {
    let shape = sky.cube().shape();
    let side_deg = sky.geometry()?.side_deg;
    let all = Multipoles::of_patch([shape[1], shape[2]], side_deg)?;
    let edges = all.edges();
    let fundamental = std::f64::consts::TAU / side_deg[0].max(side_deg[1]).to_radians();
    let (mut kept, last) = (vec![edges[0]], edges[edges.len() - 1]);
    for edge in &edges[1..] {
        let lower = kept[kept.len() - 1];
        let filled = shells.iter().any(|shell| shell.multipole >= lower && shell.multipole < *edge);
        if filled && (*edge < OWN * fundamental || *edge > lower * (1.0 + WIDTH)) {
            kept.push(*edge);
        }
    }
    // what is left over belongs to the last ring
    if kept.len() > 1 {
        kept.pop();
    }
    kept.push(last.max(kept[kept.len() - 1] * (1.0 + WIDTH)));
    Multipoles::new(kept)
}

/// The covariances of a sky whose modes lie in these rings.
pub(super) fn bands(plane: &Plane, shells: &[Shell], rings: &[usize], modes: &PlaneModes, dropped: &[bool]) -> Bands {
    let seen: Vec<usize> = (0..dropped.len()).filter(|channel| !dropped[*channel]).collect();
    let count = rings.iter().max().map_or(0, |last| last + 1);
    let of_ring = |ring: usize| {
        let shells = || shells.iter().zip(rings).filter(move |(_, of)| **of == ring).map(|(shell, _)| shell);
        let own: Vec<usize> = shells().flat_map(|shell| shell.modes.iter().copied()).collect();
        let weights: Vec<f64> = own.iter().map(|mode| plane.multiplicity(*mode)).collect();
        let count: f64 = weights.iter().sum();
        let multipole =
            own.iter().zip(&weights).map(|(mode, weight)| weight * plane.multipole(*mode)).sum::<f64>() / count;
        // real and imaginary parts side by side
        let lines = Mat::from_fn(seen.len(), 2 * own.len(), |channel, column| {
            let value = modes.line(own[column / 2])[seen[channel]];
            (weights[column / 2] / count).sqrt() * if column % 2 == 0 { value.re } else { value.im }
        });
        (count > 0.0).then(|| Band { multipole, count, covariance: &lines * lines.transpose() })
    };
    let bands = (0..count).into_par_iter().filter_map(of_ring).collect();
    Bands { bands, seen }
}
