//! Gaussian skies: the power that was put in is found, and errors are as large as they say.

use cupel_cosmology::power::{Band, Binning, Bins, Estimator, Volume, Window};

use super::skies::{cube, gaussian, in_double, near, wave_numbers};

const SKIES: u64 = 30;

fn volume() -> Volume {
    Volume::comoving([32, 32, 32], [600.0, 800.0, 800.0]).unwrap()
}

/// The power of the kind of a 21-cm signal, without a beam.
fn spectrum([k_perp, k_par]: [f64; 2]) -> f64 {
    200.0 * (k_perp.hypot(k_par) / 0.1).powf(-1.4)
}

/// The mean power of the modes in bins, by a loop over all modes.
fn expected(
    volume: &Volume,
    edges: &[f64],
    coordinate: impl Fn([f64; 2]) -> f64,
    power: impl Fn([f64; 2]) -> f64,
) -> Vec<f64> {
    let (mut sums, mut counts) = (vec![0.0; edges.len() - 1], vec![0.0; edges.len() - 1]);
    for k in wave_numbers(volume).into_iter().filter(|[k_perp, _]| *k_perp > 0.0) {
        let bin = edges.partition_point(|edge| *edge <= coordinate(k) * (1.0 + 1e-9));
        if (1..edges.len()).contains(&bin) {
            sums[bin - 1] += power(k);
            counts[bin - 1] += 1.0;
        }
    }
    sums.iter().zip(counts).map(|(sum, count)| sum / count).collect()
}

/// Each sky's bands beside what they should be: the mean in each bin within 3 %, and errors that cover 68 +- 8 %.
fn check(name: &str, skies: &[Vec<Band>], expected: &[f64]) {
    let (mut covered, mut all) = (0, 0);
    for (bin, expected) in expected.iter().enumerate() {
        let mean = skies.iter().map(|bands| bands[bin].power).sum::<f64>() / skies.len() as f64;
        near(mean, *expected, 0.03, &format!("{name}, bin {bin} of {} modes", skies[0][bin].modes));
        covered += skies.iter().filter(|bands| (bands[bin].power - expected).abs() < bands[bin].sigma).count();
        all += skies.len();
    }
    let share = covered as f64 / all as f64;
    assert!((share - 0.68).abs() < 0.08, "{name}: errors cover {share}");
}

#[test]
fn an_injected_spectrum_is_found_and_its_errors_cover_it() {
    let volume = volume();
    let estimator = Estimator::new(volume).without_emptied_modes();
    // from where a shell has 400 modes on: 30 skies then know its power to 1.3 %
    let shells: Vec<f64> = (0..=8).map(|i| 0.04 * 5.0_f64.powf(f64::from(i) / 8.0)).collect();
    let planes: Vec<f64> = (1..=16).map(|i| (f64::from(i) - 0.5) * std::f64::consts::TAU / 600.0).collect();
    let (mut of_shells, mut of_planes) = (Vec::new(), Vec::new());
    for seed in 0..SKIES {
        let modes = estimator.modes(&in_double(gaussian(&volume, seed, spectrum), volume.shape())).unwrap();
        of_shells.push(estimator.power(&modes, &Binning::Spherical(Bins::Edges(shells.clone()))).unwrap());
        of_planes.push(estimator.power(&modes, &Binning::Parallel(Bins::Edges(planes.clone()))).unwrap());
    }
    check("shells", &of_shells, &expected(&volume, &shells, |[k_perp, k_par]| k_perp.hypot(k_par), spectrum));
    check("planes", &of_planes, &expected(&volume, &planes, |[_, k_par]| k_par, spectrum));
}

#[test]
fn white_noise_has_its_level_under_every_taper_and_mask() {
    let volume = volume();
    let level = volume.size() / volume.len() as f64;
    let shells: Vec<f64> = (0..=6).map(|i| 0.04 * 5.0_f64.powf(f64::from(i) / 6.0)).collect();
    let binnings = [
        Binning::Spherical(Bins::Edges(shells)),
        Binning::Parallel(Bins::Linear(15)),
        Binning::Cylindrical { perpendicular: Bins::Edges(vec![0.02, 0.08, 0.16]), parallel: Bins::Linear(5) },
    ];
    // a frame and a block of channels are left out, and the rest is not of one weight
    let weight = |cell: usize| {
        let (z, y, x) = (cell / 1024, cell / 32 % 32, cell % 32);
        let kept = (3..29).contains(&y) && x > 4 && !(10..13).contains(&z);
        if kept { 1.0 + (x % 2) as f32 } else { 0.0 }
    };
    let mask = cube((0..volume.len()).map(weight).collect(), volume.shape());
    let plain = Estimator::new(volume).without_emptied_modes();
    let tapered = plain.clone().with_window(Window::BlackmanHarris);
    let masked = plain.clone().with_weights(&mask).unwrap();
    let both = tapered.clone().with_weights(&mask).unwrap();
    for (name, estimator) in [("plain", plain), ("tapered", tapered), ("masked", masked), ("both", both)] {
        let mut skies = vec![Vec::new(); binnings.len()];
        for seed in 0..SKIES {
            let sky = in_double(super::skies::white(volume.shape(), 100 + seed), volume.shape());
            let modes = estimator.modes(&sky).unwrap();
            for (bands, binning) in skies.iter_mut().zip(&binnings) {
                bands.push(estimator.power(&modes, binning).unwrap());
            }
        }
        for (bands, binning) in skies.iter().zip(&binnings) {
            let mut scatter = (0.0, 0.0);
            for bin in 0..bands[0].len() {
                let mean = bands.iter().map(|bands| bands[bin].power).sum::<f64>() / bands.len() as f64;
                let sigma = level * (2.0 / bands[0][bin].effective_modes).sqrt();
                let allowed = 0.01 * level + 3.5 * sigma / (bands.len() as f64).sqrt();
                assert!((mean - level).abs() < allowed, "{name} {binning:?} bin {bin}: {mean} {level}");
                for bands in bands {
                    scatter.0 += ((bands[bin].power - level) / sigma).powi(2);
                    scatter.1 += 1.0;
                }
            }
            // the scatter over skies is that of the effective number of modes, not of the number
            let scatter = (scatter.0 / scatter.1).sqrt();
            assert!((scatter - 1.0).abs() < 0.12, "{name} {binning:?}: errors are {scatter} of the scatter");
        }
    }
}

#[test]
fn emptied_modes_are_counted_or_not() {
    let volume = volume();
    let counting = Estimator::new(volume);
    let sky = in_double(gaussian(&volume, 1, |_| 1.0), volume.shape());
    let binning = Binning::Spherical(Bins::Logarithmic(10));
    let power = |estimator: &Estimator| estimator.power(&estimator.modes(&sky).unwrap(), &binning).unwrap();
    let (with, without) = (power(&counting), power(&counting.clone().without_emptied_modes()));
    assert_eq!(with.iter().map(|band| band.modes).sum::<u64>(), 32 * 32 * 32 - 1);
    assert_eq!(without.iter().map(|band| band.modes).sum::<u64>(), 32 * 32 * 32 - 32);
    for (a, b) in with.iter().zip(&without).filter(|(_, b)| b.modes > 0) {
        near(a.power * a.modes as f64, b.power * b.modes as f64, 1e-12, "no power is lost");
    }
}
