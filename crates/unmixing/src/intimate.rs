//! Intimate mixtures: light that meets grain after grain, so that albedos of single scattering mix linearly and reflectances do not
//! (B. Hapke, J. Geophys. Res. 86, 3039, 1981, doi:10.1029/JB086iB04p03039).

use crate::{Abundances, Convention, Endmembers, Pixels, Result};

/// Cosines of the angles of light and view, in their product and sum.
const COSINES: (f64, f64) = (0.866, 0.94);
/// What the largest value of a scene is as a reflectance is not known; of these the one counts that explains most.
const BRIGHTEST: [f64; 4] = [0.3, 0.5, 0.7, 1.0];
/// Mixtures are intimate where albedos leave less than this share of what reflectances leave: on scenes for choosing at most .86 where they
/// are, at least .95 where they are not.
const LEFT: f64 = 0.9;
/// Pixels that decide; more would say the same.
const PIXELS: usize = 2000;

/// Relative bidirectional reflectance of a surface of grains of this albedo that scatter evenly, without opposition effect:
/// `w / ((1 + 2 mu gamma)(1 + 2 mu0 gamma))`, `gamma = sqrt(1 - w)`.
pub(crate) fn reflectance(albedo: f64) -> f64 {
    let gamma = (1.0 - albedo).max(0.0).sqrt();
    albedo / ((1.0 + 2.0 * COSINES.0 * gamma) * (1.0 + 2.0 * COSINES.1 * gamma))
}

/// Its inverse.
pub(crate) fn albedo(reflectance: f64) -> f64 {
    let r = reflectance.clamp(0.0, 0.999);
    let (sum, product) = (COSINES.0 + COSINES.1, COSINES.0 * COSINES.1);
    let under = 1.0 + 4.0 * product * r;
    let gamma = ((sum * r).powi(2) + under * (1.0 - r)).sqrt() - sum * r;
    1.0 - (gamma / under).powi(2)
}

/// A scene whose albedos mix.
#[derive(Clone, Debug)]
pub(crate) struct Intimate {
    /// Reflectance of one unit of the scene.
    scale: f64,
    /// Albedos of all pixels.
    albedos: Pixels,
}

impl Intimate {
    /// Nothing where `pixels` are as well explained by mixtures of the reflectances of `endmembers`.
    pub(crate) fn of(pixels: &Pixels, endmembers: &Endmembers) -> Result<Option<Self>> {
        let step = pixels.count().div_ceil(PIXELS);
        let sample = pixels.select(&(0..pixels.count()).step_by(step).collect::<Vec<_>>());
        let largest = sample.values().iter().map(|v| f64::from(*v)).chain(endmembers.values().iter().copied());
        let largest = largest.fold(f64::MIN_POSITIVE, f64::max);
        let linear = Abundances::solve(&sample, endmembers, Convention::Nnls)?;
        let linear = left(&sample, endmembers, &linear, |value| value);
        let mut best = (f64::INFINITY, 1.0);
        for scale in BRIGHTEST.map(|brightest| brightest / largest) {
            let of_endmembers = of_spectra(endmembers, scale)?;
            let weights = Abundances::solve(&of_pixels(&sample, scale), &of_endmembers, Convention::Nnls)?;
            let now = left(&sample, &of_endmembers, &weights, |albedo| reflectance(albedo.min(1.0)) / scale);
            if now < best.0 {
                best = (now, scale);
            }
        }
        let (least, scale) = best;
        Ok((least < LEFT * LEFT * linear).then(|| Self { scale, albedos: of_pixels(pixels, scale) }))
    }

    /// Shares of the albedos of `endmembers` in those of the pixels, which sum to one.
    pub(crate) fn shares(&self, endmembers: &Endmembers) -> Result<Abundances> {
        Ok(Abundances::solve(&self.albedos, &of_spectra(endmembers, self.scale)?, Convention::Nnls)?.closed())
    }
}

/// Albedos of pixels of which one unit is a reflectance of `scale`.
fn of_pixels(pixels: &Pixels, scale: f64) -> Pixels {
    let values = pixels.values().iter().map(|v| albedo(scale * f64::from(*v)) as f32).collect();
    Pixels::of_checked(values, pixels.bands())
}

/// The same of spectra.
fn of_spectra(endmembers: &Endmembers, scale: f64) -> Result<Endmembers> {
    Endmembers::new(endmembers.values().iter().map(|v| albedo(scale * v)).collect(), endmembers.bands())
}

/// Sum of the squares that mixtures of `endmembers`, seen as `seen` says, leave of `pixels`.
fn left(pixels: &Pixels, endmembers: &Endmembers, weights: &Abundances, seen: impl Fn(f64) -> f64) -> f64 {
    let mut sum = 0.0;
    let mut mixed = vec![0.0; pixels.bands()];
    for (spectrum, weights) in pixels.spectra().zip(weights.rows()) {
        mixed.fill(0.0);
        for (weight, endmember) in weights.iter().zip(endmembers.spectra()) {
            mixed.iter_mut().zip(endmember).for_each(|(m, e)| *m += weight * e);
        }
        sum += spectrum.iter().zip(&mixed).map(|(x, m)| (f64::from(*x) - seen(*m)).powi(2)).sum::<f64>();
    }
    sum
}

#[cfg(test)]
mod tests {
    use cupel_data::Stream;

    use super::*;
    use crate::{dirichlet, smooth_endmembers};

    #[test]
    fn albedo_and_reflectance_are_inverse() {
        for r in [0.0, 0.01, 0.2, 0.5, 0.8, 0.99] {
            assert!((reflectance(albedo(r)) - r).abs() < 1e-12, "{r}: {}", reflectance(albedo(r)));
        }
    }

    /// Whatever unit the scene is in; and a mixture of reflectances never is one of albedos.
    #[test]
    fn intimate_mixtures_are_told_and_unmixed() {
        for seed in 0..6 {
            let (count, bands) = (2 + seed as usize % 4, 60);
            let stream = Stream::new(seed, "intimate");
            let endmembers = smooth_endmembers(count, bands, stream.child(0)).unwrap();
            let shares = dirichlet(400, count, 0.6, stream.child(1)).unwrap();
            let unit = [1.0, 0.6, 1e4][seed as usize % 3];
            let mut noise = vec![0.0; 400 * bands];
            stream.child(2).fill_normal_f64(&mut noise);
            let scene = |mix: fn(f64) -> f64, seen: fn(f64) -> f64| {
                let value = |at: usize| {
                    let (n, band) = (at / bands, at % bands);
                    let mixed = (0..count).map(|k| shares.values()[n * count + k] * mix(endmembers.spectrum(k)[band]));
                    (unit * (seen(mixed.sum()) + 2e-3 * noise[at])) as f32
                };
                Pixels::new((0..400 * bands).map(value).collect(), bands).unwrap()
            };
            let bright = Endmembers::new(endmembers.values().iter().map(|v| unit * v).collect(), bands).unwrap();
            assert!(Intimate::of(&scene(|v| v, |v| v), &bright).unwrap().is_none(), "seed {seed}");
            let pixels = scene(albedo, reflectance);
            let own = Intimate::of(&pixels, &bright).unwrap().expect("albedos mix");
            let error = |found: Abundances| -> f64 {
                found.values().iter().zip(shares.values()).map(|(f, s)| (f - s).powi(2)).sum::<f64>().sqrt()
            };
            let linear = Abundances::solve(&pixels, &bright, Convention::Nnls).unwrap().closed();
            let (own, linear) = (error(own.shares(&bright).unwrap()), error(linear));
            assert!(own < 0.5 * linear, "seed {seed}: {own} {linear}");
        }
    }
}
