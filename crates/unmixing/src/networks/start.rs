//! Where decoders begin: the largest of several simplexes that VCA finds.

use burn::{
    module::Param,
    tensor::{Device, Tensor, TensorData},
};
use cupel_data::Stream;

use crate::{Endmembers, Pixels, Result, subspace::Moments, vca::VcaProjection};

/// Most pixels that are looked at; larger scenes are sampled evenly.
const MAX_PIXELS: usize = 100_000;
/// Draws of VCA: a single one misses a material now and then, which ten of ten do not.
const DRAWS: u64 = 10;

/// The endmembers of the draw of VCA with the largest volume.
pub(super) fn largest_of_vca(pixels: &Pixels, count: usize, stream: Stream) -> Result<Endmembers> {
    let pixels = pixels.sample(MAX_PIXELS, stream.child(0));
    let projection = VcaProjection::new(&pixels, &Moments::of(&pixels)?, count)?;
    let mut best = projection.choose(stream.child(1));
    for draw in 1..DRAWS {
        let found = projection.choose(stream.child(1 + draw));
        if log_volume(&found) > log_volume(&best) {
            best = found;
        }
    }
    Ok(best)
}

/// Logarithm of the volume of the simplex, up to a constant: the lengths of its edges from the first vertex after what lies along
/// earlier ones is taken off.
fn log_volume(endmembers: &Endmembers) -> f64 {
    let first = endmembers.spectrum(0);
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let mut sum = 0.0;
    for spectrum in endmembers.spectra().skip(1) {
        let mut edge: Vec<f64> = spectrum.iter().zip(first).map(|(s, f)| s - f).collect();
        for unit in &basis {
            let along: f64 = edge.iter().zip(unit).map(|(e, u)| e * u).sum();
            edge.iter_mut().zip(unit).for_each(|(e, u)| *e -= along * u);
        }
        let norm = edge.iter().map(|e| e * e).sum::<f64>().sqrt();
        sum += norm.ln();
        edge.iter_mut().for_each(|e| *e /= norm.max(f64::MIN_POSITIVE));
        basis.push(edge);
    }
    sum
}

/// Endmembers as a parameter, `[endmembers, bands]`.
pub(super) fn parameter(endmembers: &Endmembers, device: &Device) -> Param<Tensor<2>> {
    let values: Vec<f32> = endmembers.values().iter().map(|v| *v as f32).collect();
    Param::from_data(TensorData::new(values, [endmembers.count(), endmembers.bands()]), device)
}

/// A parameter with its values kept from `least` on, up to `most`.
pub(super) fn clamped<const D: usize>(parameter: Param<Tensor<D>>, least: f64, most: f64) -> Param<Tensor<D>> {
    parameter.map(|values| Tensor::from_inner(values.inner().clamp(least, most)).require_grad())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn volumes_are_those_of_simplexes() {
        let simplex = |c: f64| Endmembers::new(vec![0.0, 0.0, 0.0, 3.0, 0.0, 0.0, 5.0, c, 0.0], 3).unwrap();
        // a triangle of base 3 and height c has the area 3 c / 2
        assert!((log_volume(&simplex(2.0)) - 6f64.ln()).abs() < 1e-12);
        assert_eq!(log_volume(&simplex(0.0)), f64::NEG_INFINITY);
    }
}
