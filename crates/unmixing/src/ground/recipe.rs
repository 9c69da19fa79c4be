//! [`Recipe`]: how one scene of the proving ground is made.

use cupel_data::{Axes, Axis, AxisKind, Cube, Stream};
use rand::RngExt;
use rayon::prelude::*;

use super::{Family, Half, Material, corruption, nonlinear, variability};
use crate::{Abundances, Endmembers, Image, Result, Truth, dirichlet, patches, smooth_endmembers, spectral_angle};

/// The seed of the suite: another is another suite.
const SEED: u64 = 1;
/// Scenes of a family: half for choosing, half for reporting. Those before the first one have all been looked at: what is chosen now was
/// chosen on them.
const FIRST: usize = 12;
const SCENES: usize = 12;
/// Materials of one scene differ by this angle at least, in radians.
const LEAST_ANGLE: f64 = 0.1;
/// Draws of materials until they do; the best draw is taken where none does.
const DRAWS: u64 = 60;
/// Pixels made by one task; fixed, so that nothing depends on the number of threads.
const BLOCK: usize = 256;

/// How one scene is made. Everything follows from family and index.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Recipe {
    /// What is special about it.
    pub family: Family,
    /// Its number in the family.
    pub index: usize,
    /// Rows and columns of the image.
    pub size: (usize, usize),
    /// Number of bands.
    pub bands: usize,
    /// Number of materials.
    pub endmembers: usize,
    /// The largest share of one material in any pixel.
    pub purest: f64,
    /// Signal to noise in decibels.
    pub snr_db: f64,
    /// Whether its materials are measured ones, where there are any.
    pub measured: bool,
}

/// A scene with its truth.
#[derive(Clone, Debug)]
pub struct GroundScene {
    /// Its pixels, the largest value as one.
    pub image: Image,
    /// Typical spectra of the materials, and their shares.
    pub truth: Truth,
}

/// All scenes, family by family.
pub fn suite() -> Vec<Recipe> {
    let scenes = FIRST..FIRST + SCENES;
    Family::ALL.iter().flat_map(|&family| scenes.clone().map(move |index| Recipe::new(family, index))).collect()
}

impl Recipe {
    /// The scene of this number in its family.
    pub fn new(family: Family, index: usize) -> Self {
        let mut rng = Self::stream(family, index).child(0).rng();
        let purest = [1.0, 1.0, 1.0, 0.9, 0.8][rng.random_range(0..5_usize)];
        let mixed = [0.9, 0.8, 0.65][index / 2 % 3];
        Self {
            family,
            index,
            size: (rng.random_range(25..=64), rng.random_range(25..=64)),
            bands: rng.random_range(50..=160),
            endmembers: rng.random_range(2..=8),
            purest: if family == Family::Mixed { mixed } else { purest },
            snr_db: rng.random_range(20.0..50.0),
            measured: index / 2 % 3 < 2,
        }
    }

    /// What the scene is for: every second one of a family, from the first on, is for choosing.
    pub fn half(&self) -> Half {
        if self.index.is_multiple_of(2) { Half::Choosing } else { Half::Reporting }
    }

    /// What to call it.
    pub fn name(&self) -> String {
        format!("{}-{}", self.family, self.index + 1)
    }

    fn stream(family: Family, index: usize) -> Stream {
        Stream::new(SEED, "proving ground").child(family as u64).child(index as u64)
    }

    /// Makes the scene, of these materials where it is one of measured ones and they are enough.
    ///
    /// # Errors
    /// Numbers that no scene can have; none that a recipe of [`suite`] has.
    pub fn scene(&self, materials: &[Material]) -> Result<GroundScene> {
        let stream = Self::stream(self.family, self.index);
        let chosen = self.materials(materials, stream.child(1))?;
        let (rows, columns) = self.size;
        let count = chosen.len();
        let abundances = self.abundances(count, stream.child(2))?;
        let mut values = self.light(&chosen, &abundances, stream.child(3));
        let power = values.iter().map(|v| v * v).sum::<f64>() / values.len() as f64;
        let sigma = crate::simulate::noise_sigma(power, self.snr_db)?;
        let mut spectra: Vec<f64> = chosen.iter().flat_map(|m| m.spectrum.iter().copied()).collect();
        if self.family == Family::Negative {
            let dark = corruption::dark_current(&values, self.bands, stream.child(4));
            for all in [&mut values, &mut spectra] {
                all.chunks_exact_mut(self.bands).for_each(|row| row.iter_mut().zip(&dark).for_each(|(v, d)| *v -= d));
            }
        }
        corruption::add_noise(&mut values, self.family, (columns, self.bands), sigma, stream.child(5));
        if self.family == Family::DeadBands {
            let dead = corruption::dead_bands(self.bands, stream.child(6));
            corruption::kill(&mut values, self.bands, &dead, sigma, stream.child(7));
            for &(band, _) in dead.iter().filter(|(_, zero)| *zero) {
                spectra.iter_mut().skip(band).step_by(self.bands).for_each(|s| *s = 0.0);
            }
        }
        if self.family == Family::Quantised {
            corruption::quantise(&mut values);
        }
        let scale = values.iter().copied().fold(f64::MIN_POSITIVE, f64::max);
        let cube: Vec<f32> = values.iter().map(|v| (v / scale) as f32).collect();
        spectra.iter_mut().for_each(|s| *s /= scale);
        let band =
            Axis::new(AxisKind::Wavelength, self.bands).with_coordinates(chosen[0].wavelengths_nm.clone(), "nm")?;
        let axes = Axes::new(vec![Axis::new(AxisKind::Row, rows), Axis::new(AxisKind::Column, columns), band])?;
        let names = chosen.into_iter().map(|m| m.name).collect();
        let truth = Truth { endmembers: Endmembers::new(spectra, self.bands)?, abundances: Some(abundances), names };
        Ok(GroundScene { image: Image::of(&Cube::new(cube, axes)?)?, truth })
    }

    /// Materials that differ from each other.
    fn materials(&self, given: &[Material], stream: Stream) -> Result<Vec<Material>> {
        let range = Material::common_range(given).filter(|_| self.measured && given.len() >= self.endmembers);
        let (low, high) = range.unwrap_or((400.0, 2400.0));
        let wavelengths: Vec<f64> =
            (0..self.bands).map(|b| low + (high - low) * b as f64 / (self.bands - 1) as f64).collect();
        let given: Vec<Material> =
            if range.is_some() { given.iter().map(|m| m.at(&wavelengths)).collect() } else { Vec::new() };
        let mut best: Option<(f64, Vec<Material>)> = None;
        for draw in 0..DRAWS {
            let stream = stream.child(draw);
            let drawn: Vec<Material> = if given.is_empty() {
                let made = smooth_endmembers(self.endmembers, self.bands, stream)?;
                let material = |(k, spectrum): (usize, &[f64])| Material {
                    name: format!("material {}", k + 1),
                    wavelengths_nm: wavelengths.clone(),
                    spectrum: spectrum.to_vec(),
                    samples: Vec::new(),
                };
                made.spectra().enumerate().map(material).collect()
            } else {
                stream.sample(given.len(), self.endmembers).into_iter().map(|place| given[place].clone()).collect()
            };
            let angle = least_angle(&drawn);
            if best.as_ref().is_none_or(|(least, _)| angle > *least) {
                best = Some((angle, drawn));
            }
            if angle >= LEAST_ANGLE {
                break;
            }
        }
        Ok(best.map(|(_, drawn)| drawn).unwrap_or_default())
    }

    fn abundances(&self, count: usize, stream: Stream) -> Result<Abundances> {
        let (rows, columns) = self.size;
        let mut rng = stream.child(0).rng();
        let made = if rng.random::<f64>() < 0.7 {
            patches(rows, columns, count, rng.random_range(0.02..0.1), stream.child(1))?
        } else {
            dirichlet(rows * columns, count, rng.random_range(0.2..1.0), stream.child(1))?
        };
        let even = 1.0 / count as f64;
        let limit = self.purest.max(even);
        let limited = made.rows().flat_map(|row| {
            let most = row.iter().copied().fold(0.0, f64::max);
            let keep = if most > limit { (limit - even) / (most - even) } else { 1.0 };
            row.iter().map(move |share| keep * share + (1.0 - keep) * even)
        });
        Abundances::new(limited.collect(), count)
    }

    /// The light of every pixel before the instrument, `pixels x bands`.
    fn light(&self, materials: &[Material], abundances: &Abundances, stream: Stream) -> Vec<f64> {
        let (rows, columns) = self.size;
        let bands = self.bands;
        let brightness = match self.family {
            Family::Lit => variability::brightness(rows, columns, stream.child(0)),
            Family::Shadow => variability::shadow(rows, columns, stream.child(0)),
            _ => vec![1.0; rows * columns],
        };
        let bundles: Vec<Vec<Vec<f64>>> = if self.family == Family::Bundles {
            let of = |(k, m): (usize, &Material)| {
                variability::bundle(&m.spectrum, &m.samples, stream.child(1).child(k as u64))
            };
            materials.iter().enumerate().map(of).collect()
        } else {
            Vec::new()
        };
        let typical: Vec<Vec<f64>> = materials.iter().map(|m| m.spectrum.clone()).collect();
        let mut values = vec![0.0; rows * columns * bands];
        values.par_chunks_mut(BLOCK * bands).enumerate().for_each(|(block, values)| {
            for (i, out) in values.chunks_exact_mut(bands).enumerate() {
                let n = block * BLOCK + i;
                let stream = stream.child(2).child(n as u64);
                let mut rng = stream.rng();
                let shares = &abundances.values()[n * materials.len()..(n + 1) * materials.len()];
                let varied = |of: &dyn Fn(&Material, Stream) -> Vec<f64>| -> Vec<Vec<f64>> {
                    materials.iter().enumerate().map(|(k, m)| of(m, stream.child(k as u64))).collect()
                };
                let light = match self.family {
                    Family::Bandwise => {
                        nonlinear::linear(&varied(&|m, s| variability::bandwise(&m.spectrum, s)), shares)
                    }
                    Family::Deviating => {
                        nonlinear::linear(&varied(&|m, s| variability::deviating(&m.spectrum, &m.samples, s)), shares)
                    }
                    Family::Bundles => {
                        let drawn: Vec<Vec<f64>> =
                            bundles.iter().map(|bundle| bundle[rng.random_range(0..bundle.len())].clone()).collect();
                        nonlinear::linear(&drawn, shares)
                    }
                    Family::Fan => nonlinear::bilinear(&typical, shares, || 1.0),
                    Family::Bilinear => nonlinear::bilinear(&typical, shares, || rng.random_range(0.0..1.0)),
                    Family::Hapke => nonlinear::hapke(&typical, shares),
                    _ => nonlinear::linear(&typical, shares),
                };
                out.iter_mut().zip(light).for_each(|(o, l)| *o = brightness[n] * l);
            }
        });
        values
    }
}

fn least_angle(materials: &[Material]) -> f64 {
    let pairs = materials.iter().enumerate().flat_map(|(i, a)| materials[..i].iter().map(move |b| (a, b)));
    pairs.map(|(a, b)| spectral_angle(&a.spectrum, &b.spectrum)).fold(f64::INFINITY, f64::min)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn every_family_has_as_many_scenes_for_choosing_as_for_reporting() {
        let all = suite();
        assert!(all.len() >= 80);
        let mut halves: BTreeMap<(Family, Half), usize> = BTreeMap::new();
        all.iter().for_each(|recipe| *halves.entry((recipe.family, recipe.half())).or_default() += 1);
        assert_eq!(halves.len(), 2 * Family::ALL.len());
        assert!(halves.values().all(|n| *n == SCENES / 2), "{halves:?}");
        for half in [Half::Choosing, Half::Reporting] {
            let counts: std::collections::BTreeSet<usize> =
                all.iter().filter(|r| r.half() == half).map(|r| r.endmembers).collect();
            assert_eq!(counts, (2..=8).collect(), "{half}");
        }
    }

    #[test]
    fn scenes_are_what_their_family_says() {
        for recipe in suite().into_iter().filter(|recipe| recipe.index < FIRST + 2) {
            let GroundScene { image, truth } = recipe.scene(&[]).unwrap();
            let abundances = truth.abundances.unwrap();
            assert_eq!(image.pixels().count(), recipe.size.0 * recipe.size.1);
            assert_eq!((truth.endmembers.count(), truth.endmembers.bands()), (recipe.endmembers, recipe.bands));
            let most = abundances.values().iter().copied().fold(0.0, f64::max);
            assert!(most <= recipe.purest.max(1.0 / recipe.endmembers as f64) + 1e-9, "{}: {most}", recipe.name());
            let negative = image.pixels().values().iter().filter(|v| **v < 0.0).count() as f64;
            let share = negative / image.pixels().values().len() as f64;
            if recipe.family == Family::Negative {
                assert!((0.001..0.2).contains(&share), "{}: {share}", recipe.name());
            }
            let again = recipe.scene(&[]).unwrap();
            assert!(again.image.pixels().values() == image.pixels().values(), "{}", recipe.name());
        }
    }
}
