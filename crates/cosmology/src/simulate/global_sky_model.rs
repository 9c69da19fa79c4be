//! Patches of the Global Sky Model: the radio sky as it is, without small scales.
//!
//! Zheng et al., "An improved model of diffuse Galactic radio emission from 10 MHz to 5 THz", MNRAS 464, 3486 (2017),
//! arXiv 1605.04920: six HEALPix maps `M_c` of 5 degrees of resolution (nside 64, nested, Galactic coordinates), and a
//! table of frequencies with a scale and six weights each: `I(nu) = s(nu) sum_c w_c(nu) M_c` in MJy/sr. Between the
//! frequencies of the table the logarithm of the scale and the weights are linear in log nu, as in the authors'
//! program. A patch of it is cut out around a random place, with rows to the north and columns to the east.
//!
//! Where there is no file, a stand-in has the same mean spectrum and power on the same scales:
//! `180 K (nu / 180 MHz)^-2.6` times a lognormal map with indices that vary by 0.1.

use std::path::Path;

use cupel_data::Stream;
use rand::RngExt;
use rayon::prelude::*;

use super::{gaussian_field::unit_field, planes::Planes, spectral_index};
use crate::{Error, Healpix, Interpolation, Ordering, Patch, Result, jansky_per_steradian_kelvin};

/// Files of the model within its folder.
const MAPS: &str = "gsm2016_nside64_nest_6comp.npy";
const SPECTRA: &str = "gsm2016_spectra_8x29.npy";
/// Maps, and rows of the table: frequency in GHz, scale in MJy/sr, weights.
const COMPONENTS: usize = 6;
const ROWS: usize = 2 + COMPONENTS;
/// Rms of the logarithm of the stand-in's map, of its indices, and the FWHM in degrees below which it is smooth.
const STAND_IN_CONTRAST: f64 = 0.25;
const STAND_IN_INDICES: f64 = 0.1;
const RESOLUTION_DEG: f64 = 5.0;

/// The maps and the table.
#[derive(Clone, Debug)]
pub struct GlobalSkyModel {
    healpix: Healpix,
    maps: Vec<f32>,
    /// ln nu in MHz, ln scale, weights, for each frequency of the table.
    knots: Vec<(f64, f64, [f64; COMPONENTS])>,
}

impl GlobalSkyModel {
    /// Reads the two files in `folder`.
    ///
    /// # Errors
    /// Files that are missing or hold something else.
    pub fn open(folder: &Path) -> Result<Self> {
        let read = |name: &str| {
            let path = folder.join(name);
            Ok::<_, Error>((cupel_data::open(&path)?.cube::<f64>(None)?, path))
        };
        let wrong = |path: &Path, shape: Vec<usize>, expected: &str| Error::Sky {
            path: path.to_path_buf(),
            problem: format!("an array of shape {shape:?}, expected {expected}"),
            fix: "give the folder with both files of the Global Sky Model 2016".into(),
        };
        let (maps, path) = read(MAPS)?;
        let healpix = match maps.shape()[..] {
            [COMPONENTS, pixels] => Healpix::of_pixels(pixels as u64)?,
            _ => return Err(wrong(&path, maps.shape(), "[6, 49152]: six HEALPix maps")),
        };
        maps.check_finite()?;
        let (table, path) = read(SPECTRA)?;
        let count = match table.shape()[..] {
            [ROWS, count] if count >= 2 => count,
            _ => return Err(wrong(&path, table.shape(), "[8, 29]: frequency, scale and six weights")),
        };
        let row = |row: usize, i: usize| table.values()[row * count + i];
        let knots: Vec<_> = (0..count)
            .map(|i| ((1e3 * row(0, i)).ln(), row(1, i).ln(), std::array::from_fn(|c| row(2 + c, i))))
            .collect();
        let finite = |(frequency, scale, weights): &(f64, f64, [f64; COMPONENTS])| {
            frequency.is_finite() && scale.is_finite() && weights.iter().all(|w| w.is_finite())
        };
        if !knots.iter().all(finite) || !knots.windows(2).all(|pair| pair[0].0 < pair[1].0) {
            return Err(wrong(&path, table.shape(), "rising frequencies, positive scales and finite weights"));
        }
        Ok(Self { healpix, maps: maps.values().iter().map(|v| *v as f32).collect(), knots })
    }

    /// What each map is multiplied with for a brightness temperature in mK.
    ///
    /// # Errors
    /// A frequency outside the table.
    fn weights_mk(&self, frequency_mhz: f64) -> Result<[f64; COMPONENTS]> {
        let log = frequency_mhz.ln();
        let upper = self.knots.partition_point(|knot| knot.0 < log).max(1);
        let (Some(low), Some(high)) = (self.knots.get(upper - 1), self.knots.get(upper)) else {
            return Err(self.beyond(frequency_mhz));
        };
        if log < low.0 {
            return Err(self.beyond(frequency_mhz));
        }
        let share = (log - low.0) / (high.0 - low.0);
        let between = |a: f64, b: f64| a + share * (b - a);
        let scale = between(low.1, high.1).exp() * 1e6 / jansky_per_steradian_kelvin(frequency_mhz) * 1e3;
        Ok(std::array::from_fn(|c| scale * between(low.2[c], high.2[c])))
    }

    fn beyond(&self, frequency_mhz: f64) -> Error {
        let ends = self.knots.first().zip(self.knots.last()).map_or([0.0; 2], |(a, b)| [a.0.exp(), b.0.exp()]);
        let expected = format!("from {:.0} to {:.0} MHz, which the Global Sky Model covers", ends[0], ends[1]);
        cupel_settings::Problem::value("frequency", frequency_mhz, expected).into()
    }

    /// Mean brightness temperature of the sky in mK.
    ///
    /// # Errors
    /// A frequency outside the table.
    pub fn mean_mk(&self, frequency_mhz: f64) -> Result<f64> {
        let pixels = self.maps.len() / COMPONENTS;
        let weights = self.weights_mk(frequency_mhz)?;
        let means =
            self.maps.chunks_exact(pixels).map(|map| map.iter().map(|v| f64::from(*v)).sum::<f64>() / pixels as f64);
        Ok(weights.iter().zip(means).map(|(w, mean)| w * mean).sum())
    }

    /// A patch in mK on [channel, row, column].
    ///
    /// # Errors
    /// Frequencies outside the table.
    pub(crate) fn planes_mk(&self, frequencies_mhz: &[f64], patch: &Patch) -> Result<Vec<f64>> {
        let (size, map_pixels) = (patch.pixels, self.maps.len() / COMPONENTS);
        let sources = patch.sources(&self.healpix, Ordering::Nested);
        let mut components = vec![[0.0_f64; COMPONENTS]; size * size];
        components.par_iter_mut().enumerate().for_each(|(place, values)| {
            // columns of a patch go west
            for (pixel, weight) in &sources[place / size * size + size - 1 - place % size] {
                for (component, value) in values.iter_mut().enumerate() {
                    *value += weight * f64::from(self.maps[component * map_pixels + *pixel as usize]);
                }
            }
        });
        let mut cube = Vec::with_capacity(frequencies_mhz.len() * size * size);
        for frequency in frequencies_mhz {
            let weights = self.weights_mk(*frequency)?;
            cube.extend(components.iter().map(|values| values.iter().zip(&weights).map(|(v, w)| v * w).sum::<f64>()));
        }
        Ok(cube)
    }
}

/// A patch anywhere that is at least so many degrees away from the Galactic plane, each place equally likely.
pub(crate) fn random_patch(side_deg: f64, pixels: usize, away_deg: f64, stream: Stream) -> Patch {
    let mut rng = stream.rng();
    let lowest = away_deg.to_radians().sin();
    let height: f64 = rng.random_range(lowest..1.0);
    let latitude = height.asin().to_degrees();
    let north: bool = rng.random();
    let centre_deg = [rng.random_range(0.0..360.0), if north { latitude } else { -latitude }];
    Patch { centre_deg, side_deg, pixels, interpolation: Interpolation::Bilinear }
}

/// What stands in for a patch where there is no file, in mK on [channel, row, column].
pub(crate) fn stand_in_mk(planes: &Planes, frequencies_mhz: &[f64], stream: Stream) -> Vec<f64> {
    let sigma = RESOLUTION_DEG.to_radians() / spectral_index::FWHM_OF_SIGMA;
    // the slope of Galactic synchrotron emission, without an infinite mean
    let field = unit_field(planes, stream.child(0), |l| (l + 1.0).powf(-2.4) * (-(l * sigma).powi(2)).exp());
    let mean = spectral_index::mean_sky_mk(spectral_index::PIVOT_MHZ);
    let map: Vec<f64> = field
        .iter()
        .map(|v| mean * (STAND_IN_CONTRAST * v - STAND_IN_CONTRAST * STAND_IN_CONTRAST / 2.0).exp())
        .collect();
    let indices = spectral_index::index_map(planes, STAND_IN_INDICES, RESOLUTION_DEG.to_radians(), stream.child(1));
    spectral_index::scaled(&map, &indices, frequencies_mhz)
}

#[cfg(test)]
mod tests {
    use super::*;
    use cupel_data::{Array, Values, write_npy};
    use tempfile::TempDir;

    fn write(folder: &TempDir, name: &str, shape: Vec<usize>, values: Vec<f64>) {
        write_npy(&folder.path().join(name), &Array::new(shape, Values::F64(values)).unwrap()).unwrap();
    }

    #[test]
    fn the_sky_is_as_bright_as_it_was_published() {
        let Some(maps) = crate::simulate::shared_data(MAPS) else { return };
        let model = GlobalSkyModel::open(maps.parent().unwrap()).unwrap();
        // NumPy 2 by the recipe above; 34.4 K at 408 MHz and 389 K at 150 MHz
        for (frequency, kelvin) in
            [(150.0, 389.134_973), (354.03, 48.518_652), (408.0, 34.396_518), (474.97, 25.551_659), (820.0, 8.722_451)]
        {
            let found = model.mean_mk(frequency).unwrap() / 1e3;
            assert!((found / kelvin - 1.0).abs() < 1e-5, "{frequency}: {found} {kelvin}");
        }
        // the Galactic plane is brighter than the pole, everywhere in the band
        let mean = |centre_deg: [f64; 2]| {
            let patch = Patch { centre_deg, side_deg: 10.0, pixels: 16, interpolation: Interpolation::Bilinear };
            let cube = model.planes_mk(&[350.0, 479.0], &patch).unwrap();
            cube.iter().sum::<f64>() / cube.len() as f64
        };
        assert!(mean([0.0, 0.0]) > 5.0 * mean([0.0, 80.0]));
        for frequency in [5.0, 6e6] {
            let error = model.mean_mk(frequency).unwrap_err().to_string();
            assert!(error.contains("10 to 5000000 MHz"), "{error}");
        }
    }

    #[test]
    fn patches_lie_away_from_the_plane_and_anywhere_there() {
        let patches: Vec<Patch> =
            (0..400).map(|i| random_patch(20.0, 8, 30.0, Stream::new(1, "patch").child(i))).collect();
        assert!(patches.iter().all(|patch| (30.0..=90.0).contains(&patch.centre_deg[1].abs())));
        let share = |test: fn(&Patch) -> bool| patches.iter().filter(|patch| test(patch)).count() as f64 / 400.0;
        assert!((share(|patch| patch.centre_deg[1] > 0.0) - 0.5).abs() < 0.1);
        assert!((share(|patch| patch.centre_deg[0] < 90.0) - 0.25).abs() < 0.1);
        // half of the area beyond 30 degrees is below asin(3/4)
        assert!((share(|patch| patch.centre_deg[1].abs() < 48.590_378) - 0.5).abs() < 0.1);
    }

    #[test]
    fn rows_go_north_and_columns_east() {
        let folder = tempfile::tempdir().unwrap();
        let healpix = Healpix::new(16).unwrap();
        let centres = || (0..healpix.pixels()).map(|pixel| healpix.centre_deg(pixel, Ordering::Nested));
        // maps of longitude and latitude
        let mut maps: Vec<f64> = centres().map(|c| c[0]).chain(centres().map(|c| c[1])).collect();
        maps.resize(6 * healpix.pixels() as usize, 0.0);
        write(&folder, MAPS, vec![6, healpix.pixels() as usize], maps);
        for (map, rising) in [(0, 1), (1, 8)] {
            let mut table = vec![0.0; 16];
            (table[0], table[1], table[2], table[3]) = (0.1, 1.0, 1.0, 1.0);
            (table[4 + 2 * map], table[5 + 2 * map]) = (1.0, 1.0);
            write(&folder, SPECTRA, vec![8, 2], table);
            let patch =
                Patch { centre_deg: [100.0, 5.0], side_deg: 40.0, pixels: 8, interpolation: Interpolation::Bilinear };
            let plane = GlobalSkyModel::open(folder.path()).unwrap().planes_mk(&[400.0], &patch).unwrap();
            assert!((0..56 - rising).all(|place| place % 8 == 7 || plane[place + rising] > plane[place]), "{map}");
        }
    }

    #[test]
    fn a_constant_map_gives_constant_patches_on_the_interpolated_spectrum() {
        let folder = tempfile::tempdir().unwrap();
        let maps: Vec<f64> = (0..6).flat_map(|c| vec![f64::from(c) + 1.0; 12 * 16]).collect();
        write(&folder, MAPS, vec![6, 192], maps);
        let mut table = vec![0.0; 16];
        // 0.1 and 1 GHz, 4 and 1 MJy/sr, all weight on the second map, half of it at the higher frequency
        (table[0], table[1], table[2], table[3], table[6], table[7]) = (0.1, 1.0, 4.0, 1.0, 1.0, 0.5);
        write(&folder, SPECTRA, vec![8, 2], table);
        let model = GlobalSkyModel::open(folder.path()).unwrap();
        let middle = 316.227_766_016_837_9;
        let cube = model.planes_mk(&[middle], &random_patch(20.0, 8, 0.0, Stream::new(1, "patch"))).unwrap();
        let wanted = 2.0 * 0.75 * 2.0 * 1e6 / jansky_per_steradian_kelvin(middle) * 1e3;
        assert!(cube.iter().all(|v| (v / wanted - 1.0).abs() < 1e-6), "{} {wanted}", cube[0]);
        write(&folder, SPECTRA, vec![4, 4], vec![1.0; 16]);
        let error = GlobalSkyModel::open(folder.path()).unwrap_err().to_string();
        assert!(error.contains("[4, 4]") && error.contains(SPECTRA), "{error}");
    }

    #[test]
    fn the_stand_in_has_the_mean_spectrum_of_the_sky() {
        let planes = Planes::new(32, 20.0_f64.to_radians());
        let skies = 60;
        let mut means = [0.0; 2];
        for sky in 0..skies {
            let cube = stand_in_mk(&planes, &[360.0, 408.0], Stream::new(sky, "stand-in"));
            assert!(cube.iter().all(|v| *v > 0.0));
            cube.chunks_exact(1024)
                .zip(&mut means)
                .for_each(|(p, mean)| *mean += p.iter().sum::<f64>() / 1024.0 / skies as f64);
        }
        assert!((means[1] / spectral_index::mean_sky_mk(408.0) - 1.0).abs() < 0.1, "{means:?}");
        let index = (means[0] / means[1]).ln() / (360.0_f64 / 408.0).ln();
        assert!((index + 2.7).abs() < 0.03, "{index}");
    }
}
