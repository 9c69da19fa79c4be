//! What holds of every sky.

use std::f64::consts::{PI, TAU};

use cupel_cosmology::power::{Band, Binning, Bins, Estimator, Volume, Window};
use cupel_data::{AxisKind, Cube};

use super::skies::{KINDS, centred, cube, gaussian, in_double, near, variance, white};

fn volume(shape: [usize; 3]) -> Volume {
    Volume::comoving(shape, [90.0, 120.0, 150.0]).unwrap()
}

fn sum(bands: &[Band]) -> f64 {
    bands.iter().filter(|band| band.modes > 0).map(|band| band.power * band.modes as f64).sum()
}

fn cylindrical() -> Binning {
    Binning::Cylindrical { perpendicular: Bins::Fundamental, parallel: Bins::Fundamental }
}

#[test]
fn the_power_of_all_modes_is_the_variance() {
    for shape in [[12, 10, 9], [7, 16, 16], [32, 24, 20]] {
        let volume = volume(shape);
        let values = gaussian(&volume, 1, |[k_perp, k_par]| (0.05 + k_perp + 2.0 * k_par).powi(-2));
        let expected = variance(&centred(&values, shape));
        let estimator = Estimator::new(volume);
        let modes = estimator.modes(&in_double(values.clone(), shape)).unwrap();
        for bins in [Bins::Logarithmic(9), Bins::Linear(6), Bins::Fundamental] {
            let bands = estimator.power(&modes, &Binning::Spherical(bins.clone())).unwrap();
            near(sum(&bands) / volume.size(), expected, 1e-12, &format!("{shape:?} {bins:?}"));
        }
        near(sum(&estimator.power(&modes, &cylindrical()).unwrap()) / volume.size(), expected, 1e-12, "rings");
        // planes leave k_par = 0 out: the means over frequency, which edges from zero take in
        let from_zero = Binning::Parallel(Bins::Edges(vec![0.0, 1e-9, 100.0]));
        near(sum(&estimator.power(&modes, &from_zero).unwrap()) / volume.size(), expected, 1e-12, "planes");
        // the radial spectrum, both signs of k_par, over the depth
        let radial = estimator.radial(&modes).unwrap();
        let planes = |band: &Band| if band.modes as usize == shape[1] * shape[2] { 1.0 } else { 2.0 };
        let along: f64 = radial.iter().map(|band| planes(band) * band.power).sum::<f64>() / volume.lengths()[0];
        let constant = estimator.power(&modes, &Binning::Parallel(Bins::Edges(vec![0.0, 1e-9]))).unwrap();
        near(along + sum(&constant) / volume.size(), expected, 1e-12, "radial");
    }
}

#[test]
fn under_a_taper_and_weights_it_is_the_weighted_variance() {
    let shape = [16, 12, 10];
    let volume = volume(shape);
    let values = white(shape, 2);
    let weights: Vec<f32> = (0..values.len()).map(|i| if i % 5 == 0 { 0.0 } else { 1.0 + (i % 3) as f32 }).collect();
    for window in [Window::BlackmanHarris, Window::Hann] {
        let estimator = Estimator::new(volume).with_window(window).with_weights(&cube(weights.clone(), shape)).unwrap();
        let taper = window.weights(shape[0]);
        let (mut square, mut total) = (0.0, 0.0);
        for (channel, taper) in taper.iter().enumerate() {
            let range = channel * 120..(channel + 1) * 120;
            let pairs = || values[range.clone()].iter().zip(&weights[range.clone()]).map(|(v, w)| (*v, f64::from(*w)));
            let mean = pairs().map(|(v, w)| v * w).sum::<f64>() / pairs().map(|(_, w)| w).sum::<f64>();
            square += pairs().map(|(v, w)| (taper * w * (v - mean)).powi(2)).sum::<f64>();
            total += pairs().map(|(_, w)| (taper * w).powi(2)).sum::<f64>();
        }
        let modes = estimator.modes(&in_double(values.clone(), shape)).unwrap();
        let bands = estimator.power(&modes, &Binning::Spherical(Bins::Fundamental)).unwrap();
        near(sum(&bands) / volume.size(), square / total, 1e-12, &format!("{window}"));
    }
}

#[test]
fn planes_are_what_rings_add_up_to() {
    let volume = volume([16, 12, 10]);
    let estimator = Estimator::new(volume).without_emptied_modes();
    let modes = estimator.modes(&in_double(white(volume.shape(), 3), volume.shape())).unwrap();
    let rings = estimator.power(&modes, &cylindrical()).unwrap();
    let planes = estimator.power(&modes, &Binning::Parallel(Bins::Fundamental)).unwrap();
    let count = planes.len() + 1;
    for (index, plane) in planes.iter().enumerate() {
        let column: Vec<Band> = rings.iter().skip(index + 1).step_by(count).copied().collect();
        assert_eq!(column.iter().map(|band| band.modes).sum::<u64>(), plane.modes);
        near(sum(&column), sum(std::slice::from_ref(plane)), 1e-12, "plane");
        near(plane.k, TAU / 90.0 * (index + 1) as f64, 1e-12, "k_par");
    }
}

#[test]
fn a_radial_spectrum_is_that_of_its_lines() {
    let shape = [11, 6, 5];
    let volume = volume(shape);
    let values = centred(&white(shape, 4), shape);
    let estimator = Estimator::new(volume).with_window(Window::Blackman);
    let radial = estimator.radial(&estimator.modes(&in_double(values.clone(), shape)).unwrap()).unwrap();
    let taper = Window::Blackman.weights(11);
    let squares: f64 = taper.iter().map(|w| w * w).sum();
    for (index, band) in radial.iter().enumerate() {
        let mut power = 0.0;
        for line in 0..30 {
            let part = |f: fn(f64) -> f64| -> f64 {
                let phase = |z: usize| TAU * ((index + 1) * z) as f64 / 11.0;
                (0..11).map(|z| values[z * 30 + line] * taper[z] * f(phase(z))).sum()
            };
            power += (part(f64::cos).powi(2) + part(f64::sin).powi(2)) / 30.0;
        }
        near(band.power, power * (90.0 / 11.0) / squares, 1e-12, "radial");
    }
}

#[test]
fn a_plane_wave_is_in_its_bin_and_nowhere_else() {
    let shape = [16, 12, 20];
    let volume = volume(shape);
    for [z, y, x] in [[3, 2, 5], [8, 0, 1], [0, 6, 0], [5, 11, 10]] {
        let wave = |cell: usize| {
            let (l, j, i) = (cell / 240, cell / 20 % 12, cell % 20);
            (TAU * ((z * l) as f64 / 16.0 + (y * j) as f64 / 12.0 + (x * i) as f64 / 20.0) + 0.3).cos()
        };
        let values: Vec<f64> = (0..16 * 240).map(wave).collect();
        let estimator = Estimator::new(volume);
        let modes = estimator.modes(&in_double(values.clone(), shape)).unwrap();
        let k_par = TAU / 90.0 * z as f64;
        let k_perp = (TAU / 120.0 * y.min(12 - y) as f64).hypot(TAU / 150.0 * x as f64);
        let bands = estimator.power(&modes, &Binning::Spherical(Bins::Linear(15))).unwrap();
        let total = variance(&values) * volume.size();
        let full: Vec<&Band> = bands.iter().filter(|band| band.power * band.modes as f64 > 1e-9 * total).collect();
        assert_eq!(full.len(), 1, "{z} {y} {x}");
        near(sum(&bands), total, 1e-12, "wave");
        assert!((full[0].k - k_perp.hypot(k_par)).abs() < 0.05, "{z} {y} {x}: {}", full[0].k);
        let rings = estimator.power(&modes, &cylindrical()).unwrap();
        let ring = rings.iter().max_by(|a, b| a.power.total_cmp(&b.power)).unwrap();
        assert!((ring.k_par - k_par).abs() < 1e-9 && (ring.k_perp - k_perp).abs() < TAU / 150.0, "{z} {y} {x}");
    }
}

#[test]
fn shifts_and_the_order_of_axes_change_nothing() {
    let shape = [8, 10, 12];
    let volume = volume(shape);
    let values = white(shape, 5);
    let estimator = Estimator::new(volume);
    let power = |sky: &Cube<f64>| {
        estimator.power(&estimator.modes(sky).unwrap(), &Binning::Spherical(Bins::Logarithmic(6))).unwrap()
    };
    let expected = power(&in_double(values.clone(), shape));
    let moved = |cell: usize| {
        let (z, y, x) = (cell / 120, cell / 12 % 10, cell % 12);
        values[((z + 3) % 8) * 120 + ((y + 7) % 10) * 12 + (x + 5) % 12]
    };
    let shifted = power(&in_double((0..960).map(moved).collect(), shape));
    let [frequency, row, column] = KINDS;
    let permuted = in_double(values.clone(), shape).permuted(&[column, frequency, row]).unwrap();
    assert_eq!(format!("{:?}", power(&permuted)), format!("{expected:?}"));
    for (a, b) in shifted.iter().zip(&expected) {
        near(a.power, b.power, 1e-12, "shifted");
        assert_eq!(a.modes, b.modes);
    }
}

#[test]
fn the_cross_of_equals_is_the_power_and_the_residual_follows_from_the_rest() {
    let shape = [12, 10, 8];
    let volume = volume(shape);
    let (t, noise) = (white(shape, 6), white(shape, 7));
    let e: Vec<f64> = t.iter().zip(&noise).map(|(t, noise)| 0.7 * t + 0.4 * noise).collect();
    for window in [Window::None, Window::BlackmanHarris] {
        let estimator = Estimator::new(volume).with_window(window);
        let modes = |values: &[f64]| estimator.modes(&in_double(values.to_vec(), shape)).unwrap();
        let (t, e) = (modes(&t), modes(&e));
        for binning in [Binning::Spherical(Bins::Logarithmic(5)), Binning::Parallel(Bins::Fundamental), cylindrical()] {
            let (power, cross) = (estimator.power(&t, &binning).unwrap(), estimator.cross(&t, &t, &binning).unwrap());
            for (a, b) in power.iter().zip(&cross).filter(|(a, _)| a.modes > 0) {
                near(b.power, a.power, 1e-12, "cross");
                near(b.sigma, a.sigma, 1e-12, "sigma of cross");
            }
            for bin in estimator.compare(&t, &e, &binning).unwrap().iter().filter(|bin| bin.modes > 0) {
                // an emptied plane or ring has no power at all
                if bin.p_true < 1e-20 {
                    continue;
                }
                near(bin.residual_ratio, bin.t * bin.t + 1.0 - 2.0 * bin.t_cross, 1e-9, "residual");
                near(bin.r, bin.t_cross / bin.t, 1e-12, "r");
                let scaled = bin.best_gain.powi(2) * bin.p_est - 2.0 * bin.best_gain * bin.p_cross + bin.p_true;
                near(scaled / bin.p_true, bin.least_residual_ratio, 1e-9, "least residual");
                assert!(bin.least_residual_ratio <= bin.residual_ratio * (1.0 + 1e-12) && bin.r.abs() <= 1.0);
            }
            let same = estimator.compare(&t, &t, &binning).unwrap();
            for bin in same.iter().filter(|bin| bin.p_true > 1e-20) {
                assert!((bin.r - 1.0).abs() < 1e-12 && (bin.t - 1.0).abs() < 1e-12 && bin.residual_ratio == 0.0);
            }
        }
    }
}

#[test]
fn the_residual_scaled_by_the_best_gain_is_what_was_promised() {
    let shape = [8, 8, 8];
    let volume = volume(shape);
    let (t, e) = (white(shape, 8), white(shape, 9));
    let mixed: Vec<f64> = t.iter().zip(&e).map(|(t, e)| t + 2.0 * e).collect();
    let estimator = Estimator::new(volume);
    let modes = |values: Vec<f64>| estimator.modes(&in_double(values, shape)).unwrap();
    // one bin of everything, so that one gain serves
    let binning = Binning::Spherical(Bins::Linear(1));
    let before = estimator.compare(&modes(t.clone()), &modes(mixed.clone()), &binning).unwrap()[0];
    let scaled = mixed.iter().map(|value| value * before.best_gain).collect();
    let after = estimator.compare(&modes(t), &modes(scaled), &binning).unwrap()[0];
    near(after.residual_ratio, 1.0 - before.r * before.r, 1e-12, "the least residual");
    near(after.best_gain, 1.0, 1e-12, "nothing is left to gain");
}

#[test]
fn halves_of_the_data_tell_signal_and_noise_apart() {
    let shape = [16, 16, 16];
    let volume = volume(shape);
    let estimator = Estimator::new(volume).without_emptied_modes();
    let cell = volume.size() / volume.len() as f64;
    let sky = white(shape, 10);
    let modes = |seed: u64| {
        let noisy = sky.iter().zip(white(shape, seed)).map(|(sky, noise)| sky + 3.0 * noise).collect();
        estimator.modes(&in_double(noisy, shape)).unwrap()
    };
    let halves = estimator.halves(&modes(11), &modes(12), &Binning::Spherical(Bins::Linear(4))).unwrap();
    for half in halves {
        assert!((half.signal.power - cell).abs() < 4.0 * half.signal.sigma, "{half:?}");
        assert!((half.noise.power - 4.5 * cell).abs() < 4.0 * half.noise.sigma, "{half:?}");
        // 1 of signal and 9 of noise in each: sqrt((1 + 100) / n)
        let expected = cell * (101.0 / half.signal.modes as f64).sqrt();
        near(half.signal.sigma, expected, 0.25, "sigma of a cross-power");
    }
}

#[test]
fn empty_bins_have_no_numbers_and_wrong_skies_are_refused() {
    let volume = volume([8, 8, 8]);
    let estimator = Estimator::new(volume);
    let sky = in_double(white([8, 8, 8], 13), [8, 8, 8]);
    let modes = estimator.modes(&sky).unwrap();
    let bands = estimator.power(&modes, &Binning::Spherical(Bins::Edges(vec![1e-6, 1e-5, 10.0]))).unwrap();
    assert!(bands[0].modes == 0 && bands[0].power.is_nan() && bands[0].sigma.is_nan() && bands[0].k.is_nan());
    let text = serde_json::to_string(&bands[0]).unwrap();
    assert!(text.contains("\"power\":null") && text.contains("\"modes\":0"), "{text}");
    near(bands[1].dimensionless(), bands[1].k.powi(3) * bands[1].power / (2.0 * PI * PI), 1e-15, "Delta^2");

    let mut values = vec![1.0_f32; 512];
    (values[70], values[300]) = (f32::NAN, f32::INFINITY);
    let message = estimator.modes(&cube(values.clone(), [8, 8, 8])).unwrap_err().to_string();
    assert!(message.starts_with("2 of 512 values are not finite") && message.contains("row 0, column 6"), "{message}");
    let mut weights = vec![1.0_f32; 512];
    (weights[70], weights[300]) = (0.0, 0.0);
    let masked = estimator.clone().with_weights(&cube(weights.clone(), [8, 8, 8])).unwrap();
    assert!(masked.modes(&cube(values, [8, 8, 8])).is_ok() && masked.note().is_some() && estimator.note().is_none());
    weights[3] = -1.0;
    assert!(estimator.clone().with_weights(&cube(weights, [8, 8, 8])).is_err());
    assert!(estimator.clone().with_weights(&cube(vec![0.0; 512], [8, 8, 8])).is_err());
    assert!(estimator.clone().with_weights(&cube(vec![1.0; 64], [4, 4, 4])).is_err());
    let other = Estimator::new(Volume::cells([8, 8, 8]).unwrap());
    assert!(other.power(&modes, &Binning::Spherical(Bins::Linear(3))).is_err(), "modes of another box");
    let visibilities = sky.rename(&[AxisKind::Baseline, AxisKind::Row, AxisKind::Column]).unwrap();
    assert!(estimator.modes(&visibilities).unwrap_err().to_string().contains("no frequency axis"));
}

#[test]
fn what_lies_under_a_mask_changes_nothing() {
    let shape = [8, 9, 10];
    let estimator = Estimator::new(volume(shape));
    let weights: Vec<f32> = (0..720).map(|i| if i % 7 < 2 || (160..250).contains(&i) { 0.0 } else { 1.0 }).collect();
    let masked = estimator.with_weights(&cube(weights.clone(), shape)).unwrap();
    let values: Vec<f32> = white(shape, 14).iter().map(|value| *value as f32).collect();
    let mut hidden = values.clone();
    hidden.iter_mut().zip(&weights).filter(|(_, w)| **w == 0.0).for_each(|(value, _)| *value = 1e30);
    let power = |values: Vec<f32>| {
        let modes = masked.modes(&cube(values, shape)).unwrap();
        format!("{:?}", masked.power(&modes, &Binning::Spherical(Bins::Linear(4))).unwrap())
    };
    assert_eq!(power(values), power(hidden));
}
