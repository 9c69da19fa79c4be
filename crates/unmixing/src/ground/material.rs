//! [`Material`]: a measured spectrum that scenes of the proving ground are made of, with the ways in which it varies.

use std::path::Path;

use cupel_data::{Axis, AxisKind};

use crate::{Error, PUBLISHED, Result, Scene, SceneFiles, SpectralLibrary, open_library};

/// A pixel with so much of a material counts as nearly pure.
const NEAR_PURE: f64 = 0.95;
/// So many near-pure pixels say how a material varies.
const ENOUGH: usize = 20;
/// No more are kept.
const MOST: usize = 200;

/// A measured spectrum.
#[derive(Clone, Debug, PartialEq)]
pub struct Material {
    /// Its name, with that of its scene.
    pub name: String,
    /// Centre of each band in nanometres, ascending.
    pub wavelengths_nm: Vec<f64>,
    /// Reflectance in each band, the largest value of its scene as one.
    pub spectrum: Vec<f64>,
    /// Spectra of near-pure pixels; none where a scene has too few of them.
    pub samples: Vec<Vec<f64>>,
}

impl Material {
    /// The materials of a file: of a scene with a truth (the mean of the near-pure pixels of each, with these pixels), or of a library of spectra with wavelengths, which may be
    /// those of a published scene.
    ///
    /// # Errors
    /// A file that cannot be read, or is neither.
    pub fn read(path: &Path) -> Result<Vec<Self>> {
        let refused = match Self::of_scene(path) {
            Ok(materials) => return Ok(materials),
            Err(error) => error,
        };
        for published in PUBLISHED {
            let centres = published.wavelengths_nm();
            let axis = Axis::new(AxisKind::Wavelength, centres.len()).with_coordinates(centres.clone(), "nm")?;
            let Ok(SpectralLibrary { spectra, names }) = open_library(path, &axis) else { continue };
            let most = spectra.values().iter().copied().fold(f64::MIN_POSITIVE, f64::max);
            let of = |(name, spectrum): (String, &[f64])| Self {
                name: format!("{} {name}", published.name),
                wavelengths_nm: centres.clone(),
                spectrum: spectrum.iter().map(|s| s / most).collect(),
                samples: Vec::new(),
            };
            return Ok(names.into_iter().zip(spectra.spectra()).map(of).collect());
        }
        Err(refused)
    }

    /// The materials of a scene with a truth: the mean of the near-pure pixels of each, and the pixels; the true spectrum where these are
    /// fewer than twenty.
    fn of_scene(path: &Path) -> Result<Vec<Self>> {
        let scene = Scene::open(&SceneFiles { file: path.to_path_buf(), ..SceneFiles::default() })?;
        let axis = scene.cube.axis(AxisKind::Wavelength)?;
        let missing = |what: &str| Error::setting("spectra", path.display(), format!("a scene with {what}"));
        let centres = axis.coordinates_in("nm").map_err(|_| missing("wavelengths"))?;
        let truth = scene.truth.as_ref().ok_or_else(|| missing("a truth"))?;
        let pixels = crate::Image::of_scene(&scene)?.pixels().clone();
        let mut order: Vec<usize> = (0..centres.len()).collect();
        order.sort_by(|&a, &b| centres[a].total_cmp(&centres[b]));
        let ordered = |value: &dyn Fn(usize) -> f64| order.iter().map(|&band| value(band)).collect::<Vec<f64>>();
        let wavelengths_nm = ordered(&|band| centres[band]);
        Ok(truth
            .names
            .iter()
            .enumerate()
            .map(|(k, name)| {
                let pure = truth
                    .abundances
                    .iter()
                    .flat_map(|all| all.rows().enumerate().filter(move |(_, row)| row[k] >= NEAR_PURE).map(|(n, _)| n));
                let pure: Vec<usize> = pure.collect();
                let step = pure.len().div_ceil(MOST).max(1);
                let samples: Vec<Vec<f64>> = if pure.len() < ENOUGH {
                    Vec::new()
                } else {
                    let spectrum = |n: usize| ordered(&|band| f64::from(pixels.spectrum(n)[band]));
                    pure.into_iter().step_by(step).map(spectrum).collect()
                };
                let mean = |at: usize| samples.iter().map(|s| s[at]).sum::<f64>() / samples.len() as f64;
                let spectrum = if samples.is_empty() {
                    ordered(&|band| truth.endmembers.spectrum(k)[band])
                } else {
                    (0..centres.len()).map(mean).collect()
                };
                let name = format!("{} {name}", scene.name);
                Self { name, wavelengths_nm: wavelengths_nm.clone(), spectrum, samples }
            })
            .collect())
    }

    /// The same at other wavelengths within its range, by lines between its bands.
    pub(super) fn at(&self, wavelengths_nm: &[f64]) -> Self {
        let x = &self.wavelengths_nm;
        let at = |spectrum: &Vec<f64>| -> Vec<f64> {
            let value = |&nm: &f64| {
                let right = x.partition_point(|&centre| centre < nm).clamp(1, x.len() - 1);
                let share = ((nm - x[right - 1]) / (x[right] - x[right - 1])).clamp(0.0, 1.0);
                (1.0 - share) * spectrum[right - 1] + share * spectrum[right]
            };
            wavelengths_nm.iter().map(value).collect()
        };
        Self {
            name: self.name.clone(),
            wavelengths_nm: wavelengths_nm.to_vec(),
            spectrum: at(&self.spectrum),
            samples: self.samples.iter().map(at).collect(),
        }
    }

    /// The part of the spectrum that all of these have, in nanometres.
    pub(super) fn common_range(materials: &[Self]) -> Option<(f64, f64)> {
        let ends = |m: &Self| Some((*m.wavelengths_nm.first()?, *m.wavelengths_nm.last()?));
        let ranges = materials.iter().map(ends).collect::<Option<Vec<_>>>()?;
        let (low, high) = ranges.iter().fold((0.0_f64, f64::INFINITY), |(l, h), r| (l.max(r.0), h.min(r.1)));
        (low < high && high.is_finite()).then_some((low, high))
    }
}
