//! What variational inference expects of endmembers before it sees a pixel.
//!
//! Endmembers are *tied* to where they begin, normal variables with its errors, or *free*, half-normal of unit scale. Free ones may be
//! smooth along wavelength and may span a small simplex besides:
//! ```text
//! -ln p(C) = ... + w_s/2 sum_kl (c_k,l-1 - 2 c_kl + c_k,l+1)^2 / kappa_k^2 + w_v N ln V(C),   V^2 = |D D^T|,  D_k = c_k - c_K
//! ```
//! The scale `kappa_k` of second differences is not a setting: it is that of the spectrum where the fit begins, less what its errors add.
//! Second differences do not cross gaps between bands. `V` is the volume of the simplex but for a constant; every one of the `N` pixels
//! carries it, as its density within the simplex does. Where light varies the length of an endmember means nothing, and `V` is that of
//! spectra of unit norm. Both act on the median of the guide. After L. Miao, H. Qi, "Endmember Extraction From Highly Mixed Data Using
//! Minimum Volume Constrained Nonnegative Matrix Factorization", IEEE TGRS 45(3), 765 (2007), with the logarithm of the volume as in
//! J. Li, J. M. Bioucas-Dias, "Minimum Volume Simplex Analysis", IGARSS 2008.

use burn::tensor::{Device, Tensor, TensorData};
use cupel_kernels::sum_fixed;
use cupel_statistics::quantile;

use super::{Start, VariationalConfig, likelihood::eliminate, model::VariationalModel};

/// Variance of second differences that errors leave at least, relative to what was found.
const LEAST_ROUGHNESS: f64 = 0.02;
/// Neighbouring bands further apart than the median by this factor have a gap between them.
const GAP: f64 = 1.5;
/// Added to the squared edges, relative to their mean: endmembers that coincide have a volume.
const RIDGE: f64 = 1e-6;

/// The prior of the endmembers on a device.
#[derive(Clone, Debug)]
pub struct EndmemberPrior {
    /// Place and reciprocal standard deviation; none where endmembers are free.
    tied: Option<[Tensor<2>; 2]>,
    /// Square root of the weight over the standard deviation of each second difference, `[endmember, band - 2]`.
    smooth: Option<Tensor<2>>,
}

impl EndmemberPrior {
    pub(super) fn new(start: &Start, config: &VariationalConfig, device: &Device) -> Self {
        let (count, bands) = (start.endmembers.count(), start.endmembers.bands());
        let matrix = |values: &mut dyn Iterator<Item = f64>| {
            let values: Vec<f32> = values.map(|v| v as f32).collect();
            let columns = values.len() / count;
            Tensor::<2>::from_data(TensorData::new(values, [count, columns]), device)
        };
        let tied = start.errors.as_ref().filter(|_| !start.are_free(config)).map(|errors| {
            let endmembers = start.endmembers.values().iter().copied();
            [matrix(&mut endmembers.clone()), matrix(&mut errors.iter().map(|t| 1.0 / t.max(1e-12)))]
        });
        let smooth = (tied.is_none() && config.smoothness > 0.0 && bands > 2)
            .then(|| matrix(&mut precisions(start).into_iter().map(|p| config.smoothness.sqrt() * p)));
        Self { tied, smooth }
    }

    /// The same with every tensor changed by `change`.
    pub(super) fn map(self, change: impl Fn(Tensor<2>) -> Tensor<2>) -> Self {
        Self { tied: self.tied.map(|tied| tied.map(&change)), smooth: self.smooth.map(&change) }
    }
}

/// Reciprocal standard deviations of the second differences, `endmembers x (bands - 2)`; nought across gaps.
fn precisions(start: &Start) -> Vec<f64> {
    let bands = start.endmembers.bands();
    let whole: Vec<bool> = match &start.wavelengths {
        Some(wavelengths) => {
            let steps: Vec<f64> = wavelengths.windows(2).map(|pair| (pair[1] - pair[0]).abs()).collect();
            let median = quantile(&steps, 0.5);
            steps.windows(2).map(|pair| pair.iter().all(|step| *step <= GAP * median)).collect()
        }
        None => vec![true; bands - 2],
    };
    let number = whole.iter().filter(|w| **w).count().max(1) as f64;
    let mean = |values: &mut dyn Iterator<Item = f64>| {
        values.zip(&whole).filter(|(_, whole)| **whole).map(|(value, _)| value).sum::<f64>() / number
    };
    let spectra = start.endmembers.spectra().enumerate();
    spectra
        .flat_map(|(k, spectrum)| {
            let found = mean(&mut spectrum.windows(3).map(|s| (s[0] - 2.0 * s[1] + s[2]).powi(2)));
            let added = start.errors.as_ref().map_or(0.0, |errors| {
                let errors = &errors[k * bands..(k + 1) * bands];
                mean(&mut errors.windows(3).map(|e| e[0] * e[0] + 4.0 * e[1] * e[1] + e[2] * e[2]))
            });
            let deviation = (found - added).max(LEAST_ROUGHNESS * found).max(f64::from(f32::MIN_POSITIVE)).sqrt();
            whole.iter().map(move |whole| if *whole { 1.0 / deviation } else { 0.0 }).collect::<Vec<f64>>()
        })
        .collect()
}

impl VariationalModel {
    /// Less than nothing, the logarithm of the prior of the endmembers but for their volume, up to a constant.
    pub(super) fn expected(&self, prior: EndmemberPrior) -> Tensor<1> {
        let ln_c = self.ln_endmembers.base();
        let place = match prior.tied {
            Some([at, precision]) => {
                let off = (ln_c.clone().exp() - at) * precision;
                sum_fixed(off.clone() * off).mul_scalar(0.5)
            }
            // half-normal of unit scale, with the volume of the logarithm
            None => sum_fixed(ln_c.clone().mul_scalar(2.0).exp().mul_scalar(0.5) - ln_c.clone()),
        };
        match prior.smooth {
            Some(precision) => {
                let rough = second_differences(ln_c.exp()) * precision;
                place + sum_fixed(rough.clone() * rough).mul_scalar(0.5)
            }
            None => place,
        }
    }

    /// Logarithm of the volume of the simplex of the endmembers, of unit norm where `unit_norm`, up to a constant.
    pub(super) fn ln_volume(&self, unit_norm: bool) -> Tensor<1> {
        ln_volume(self.ln_endmembers.base().exp(), unit_norm)
    }
}

/// `c_l-1 - 2 c_l + c_l+1` along the second axis.
fn second_differences(spectra: Tensor<2>) -> Tensor<2> {
    let [count, bands] = spectra.dims();
    let part = |first: usize| spectra.clone().slice([0..count, first..first + bands - 2]);
    part(0) + part(2) - part(1).mul_scalar(2.0)
}

fn ln_volume(spectra: Tensor<2>, unit_norm: bool) -> Tensor<1> {
    let [count, bands] = spectra.dims();
    if count < 2 {
        return Tensor::zeros([1], &spectra.device());
    }
    let spectra = if unit_norm {
        let norms = (spectra.clone() * spectra.clone()).sum_dim(1).sqrt();
        spectra / norms
    } else {
        spectra
    };
    let last = spectra.clone().slice([count - 1..count, 0..bands]);
    let edges = spectra.slice([0..count - 1, 0..bands]) - last;
    let ridge = (edges.clone() * edges.clone()).sum().mul_scalar(RIDGE / (count - 1) as f64);
    let one = Tensor::eye(count - 1, &edges.device());
    let gram = edges.clone().matmul(edges.transpose()) + one * ridge.unsqueeze_dim(1);
    let none = Tensor::zeros([1, count - 1], &gram.device());
    eliminate(gram, none).0.mul_scalar(0.5)
}

#[cfg(test)]
mod tests {
    use cupel_data::Stream;

    use super::*;
    use crate::{Abundances, Endmembers, networks::values, smooth_endmembers};

    fn tensor(endmembers: &Endmembers, device: &Device) -> Tensor<2> {
        let values: Vec<f32> = endmembers.values().iter().map(|v| *v as f32).collect();
        Tensor::from_data(TensorData::new(values, [endmembers.count(), endmembers.bands()]), device)
    }

    fn start(endmembers: Endmembers, errors: Option<Vec<f64>>, wavelengths: Option<Vec<f64>>) -> Start {
        let count = endmembers.count();
        Start {
            abundances: Abundances::new(vec![1.0 / count as f64; count], count).unwrap(),
            deviations: vec![0.1; count],
            endmembers,
            errors,
            wavelengths,
            brightness: None,
            noise: 0.01,
        }
    }

    /// Logarithm of the volume in f64, by another way: the product of what is left of each edge after those before.
    fn by_orthogonalisation(endmembers: &[f64], bands: usize) -> f64 {
        let rows: Vec<&[f64]> = endmembers.chunks_exact(bands).collect();
        let (last, first) = rows.split_last().unwrap();
        let mut found: Vec<Vec<f64>> = Vec::new();
        first
            .iter()
            .map(|row| {
                let mut edge: Vec<f64> = row.iter().zip(*last).map(|(a, b)| a - b).collect();
                for direction in &found {
                    let along: f64 = edge.iter().zip(direction).map(|(a, b)| a * b).sum();
                    edge.iter_mut().zip(direction).for_each(|(e, d)| *e -= along * d);
                }
                let length = edge.iter().map(|e| e * e).sum::<f64>().sqrt();
                found.push(edge.iter().map(|e| e / length).collect());
                length.ln()
            })
            .sum()
    }

    #[test]
    fn the_volume_is_one_whatever_endmember_is_the_last_and_its_gradient_its_derivative() {
        let device = Device::flex().autodiff();
        let endmembers = smooth_endmembers(4, 12, Stream::new(3, "volume test")).unwrap();
        let (bands, expected) = (12, by_orthogonalisation(endmembers.values(), 12));
        let spectra = tensor(&endmembers, &device).require_grad();
        let volume = ln_volume(spectra.clone(), false);
        let found = values(volume.clone().inner()).unwrap()[0];
        assert!((found - expected).abs() < 1e-3, "{found} {expected}");
        let turned = tensor(&endmembers.reordered(&[2, 3, 0, 1]), &device);
        assert!((values(ln_volume(turned, false).inner()).unwrap()[0] - found).abs() < 1e-4);
        let gradient = values(spectra.grad(&volume.backward()).unwrap()).unwrap();
        let largest = gradient.iter().map(|g| g.abs()).fold(0.0, f64::max);
        for at in 0..gradient.len() {
            let moved = |by: f64| {
                let mut moved = endmembers.values().to_vec();
                moved[at] += by;
                by_orthogonalisation(&moved, bands)
            };
            let derivative = (moved(1e-5) - moved(-1e-5)) / 2e-5;
            assert!((gradient[at] - derivative).abs() < 2e-3 * largest, "{at}: {} {derivative}", gradient[at]);
        }
        // of unit norm, length means nothing
        let longer: Vec<f64> =
            endmembers.values().iter().enumerate().map(|(at, v)| v * (1 + at / bands) as f64).collect();
        let longer = Endmembers::new(longer, bands).unwrap();
        let [a, b] = [&endmembers, &longer].map(|e| values(ln_volume(tensor(e, &device), true).inner()).unwrap()[0]);
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }

    #[test]
    fn roughness_is_that_of_the_spectrum_without_its_errors_and_stops_at_gaps() {
        let bands = 60;
        let clean = smooth_endmembers(2, bands, Stream::new(4, "roughness test")).unwrap();
        let mut noise = vec![0.0f64; 2 * bands];
        Stream::new(5, "roughness test").fill_normal_f64(&mut noise);
        let noisy = clean.values().iter().zip(&noise).map(|(v, n)| v + 0.002 * n).collect();
        let noisy = Endmembers::new(noisy, bands).unwrap();
        let deviation = |start: &Start| precisions(start).iter().map(|p| 1.0 / p).collect::<Vec<f64>>();
        let expected = deviation(&start(clean, None, None));
        let naive = deviation(&start(noisy.clone(), None, None));
        let found = deviation(&start(noisy.clone(), Some(vec![0.002; 2 * bands]), None));
        for k in [0, bands - 2] {
            assert!(naive[k] > 1.3 * expected[k], "{} {}", naive[k], expected[k]);
            assert!(found[k] < 0.8 * naive[k], "{} {}", found[k], naive[k]);
        }
        let wavelengths = (0..bands).map(|l| 400.0 + 10.0 * l as f64 + if l >= 30 { 100.0 } else { 0.0 }).collect();
        let gapped = precisions(&start(noisy, None, Some(wavelengths)));
        for (at, precision) in gapped.iter().enumerate() {
            assert_eq!(*precision == 0.0, [28, 29].contains(&(at % (bands - 2))), "{at}");
        }
    }

    #[test]
    fn second_differences_of_a_parabola_are_its_curvature() {
        let device = Device::flex();
        let parabola = Tensor::<2>::from_floats([[0.0, 1.0, 4.0, 9.0, 16.0], [3.0, 3.0, 3.0, 3.0, 3.0]], &device);
        assert_eq!(values(second_differences(parabola)).unwrap(), [2.0, 2.0, 2.0, 0.0, 0.0, 0.0]);
    }
}
