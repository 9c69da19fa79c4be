//! The spectral filter, and how much of a signal comes back without anybody saying a number of modes.

use cupel_data::{AxisKind, Complex, Cube, Stream};
use cupel_pca::{
    Bulk, Covariance, Error, GroupedCovariance, Grouping, Modes, Pca, Projector, SpectralFilter, group_count,
};

use super::samples::{complex_sky, cosmology_data, difference, parts, published, rms, sky, wide};

/// Seeds on which nothing of the filter was chosen, and signals over the rms of the foregrounds.
const SEEDS: [u64; 3] = [101, 102, 103];

fn correlation(a: &[f64], b: &[f64]) -> f64 {
    let cross: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    cross / (rms(a.iter().copied()) * rms(b.iter().copied()) * a.len() as f64)
}

#[test]
fn a_threshold_takes_its_share_of_every_mode() {
    let sky = sky(400, 16, 41);
    let components = Pca::new(Modes::Count(3)).fit(&sky, AxisKind::Frequency).unwrap();
    let t = components.eigenvalues()[3];
    let left = Projector::filtered(&components, SpectralFilter::Threshold(t)).unwrap();
    let cleaned = left.apply(&sky.map(|&v| f64::from(v))).unwrap();
    // variance along each mode is (t / (lambda + t))^2 of what it was
    let expected: f64 = components.eigenvalues().iter().map(|l| l * (t / (l + t)).powi(2)).sum();
    let variance = cleaned.values().iter().map(|v| v * v).sum::<f64>() / 399.0;
    assert!((variance / expected - 1.0).abs() < 1e-6, "{variance} {expected}");
    for wrong in [0.0, -1.0, f64::NAN] {
        let error = Projector::filtered(&components, SpectralFilter::Threshold(wrong)).unwrap_err();
        assert!(matches!(error, Error::Threshold { .. }), "{error}");
    }
}

#[test]
fn a_low_threshold_is_a_cut_of_everything_and_a_high_one_takes_the_mean_only() {
    let sky = sky(400, 16, 42).map(|&v| f64::from(v));
    let components = Pca::new(Modes::Count(0)).fit(&sky, AxisKind::Frequency).unwrap();
    let with = |t| Projector::filtered(&components, SpectralFilter::Threshold(t)).unwrap().apply(&sky).unwrap();
    let scale = rms(sky.values().iter().copied());
    assert!(rms(with(1e-12).values().iter().copied()) < 1e-9 * scale);
    let mean_only = Projector::new(&components).apply(&sky).unwrap();
    assert!(difference(with(1e20).values(), mean_only.values()) < 1e-9);
}

#[test]
fn the_bulk_of_a_sky_is_its_white_signal() {
    let sky = complex_sky(2000, 32, 43);
    let components = Pca::new(Modes::Count(1)).fit(&sky, AxisKind::Frequency).unwrap();
    let bulk = Bulk::of(&components).unwrap();
    // the sky is white of 0.2 in each part, and of its four modes one is hardly above that
    assert!((bulk.variance / 0.04 - 1.0).abs() < 0.03 && (3..=4).contains(&bulk.modes), "{bulk:?}");
    let hermitian = Pca::new(Modes::Count(1)).hermitian().fit(&sky, AxisKind::Frequency).unwrap();
    assert!((Bulk::of(&hermitian).unwrap().variance / 0.08 - 1.0).abs() < 0.03);
    // only one mode is kept, and the filter takes the others all the same
    let left = Projector::filtered(&components, SpectralFilter::Automatic).unwrap().apply(&sky).unwrap();
    assert!((rms(parts(left.values())) - 0.2 * ((32 - bulk.modes) as f64 / 32.0).sqrt()).abs() < 0.005);
}

#[test]
fn real_data_under_the_automatic_filter_keep_their_signal() {
    let sky = sky(1500, 32, 44);
    let components = Pca::new(Modes::MarchenkoPastur).fit(&sky, AxisKind::Frequency).unwrap();
    let hard = Projector::new(&components).apply(&sky).unwrap();
    let soft = Projector::filtered(&components, SpectralFilter::Automatic).unwrap().apply(&sky).unwrap();
    assert!(difference(&wide(soft.values()), &wide(hard.values())) < 0.05);
}

/// 96 baselines of 14.6 to 81 m, 60 channels and 40 times, with a white signal of `level` times the rms of the
/// foregrounds.
fn injected(foregrounds: &Cube<Complex<f32>>, level: f64, seed: u64) -> (Cube<Complex<f32>>, Vec<f64>) {
    let sigma = level * rms(parts(foregrounds.values())); // of one part
    let mut draws = vec![0.0f32; 2 * foregrounds.len()];
    Stream::new(seed, "white signal").fill_normal(&mut draws);
    let signal = |i: usize| Complex::new(draws[2 * i], draws[2 * i + 1]) * sigma as f32;
    let sum = foregrounds.values().iter().enumerate().map(|(i, v)| v + signal(i)).collect();
    let data = Cube::new(sum, foregrounds.axes().clone()).unwrap();
    let truth = (0..foregrounds.len()).flat_map(|i| [f64::from(signal(i).re), f64::from(signal(i).im)]).collect();
    (data, truth)
}

#[test]
fn a_signal_of_1e_4_comes_back_from_simulated_visibilities_without_a_number_of_modes() {
    let Some(folder) = cosmology_data() else { return };
    let kinds = [AxisKind::Baseline, AxisKind::Frequency, AxisKind::Time];
    let foregrounds = published::<Complex<f32>>(&folder, "hera_sim4_vis_bl96_freq60_time40.npy", &kinds);
    let vectors = published::<f64>(&folder, "hera_sim4_uvw_m.npy", &[AxisKind::Baseline, AxisKind::Dimension(1)]);
    let lengths: Vec<f64> = vectors.values().chunks(3).map(|b| b.iter().map(|v| v * v).sum::<f64>().sqrt()).collect();
    let count = group_count(96, 2 * 40, 60);
    assert_eq!(count, 8);
    let band = foregrounds.axis(AxisKind::Frequency).unwrap().clone();
    for (level, least) in [(1e-3, 0.88), (1e-4, 0.86), (1e-5, 0.84)] {
        let mut all = Vec::new();
        for seed in SEEDS {
            let (data, truth) = injected(&foregrounds, level, seed);
            let grouping = Grouping::by_size(AxisKind::Baseline, &lengths, count).unwrap();
            let mut covariance = GroupedCovariance::new(grouping, &Covariance::new(&band)).unwrap();
            covariance.update(&data, 0).unwrap();
            let components = covariance.components(Modes::MarchenkoPastur).unwrap();
            let cleaned = Projector::grouped(&components, SpectralFilter::Automatic).unwrap().apply(&data).unwrap();
            all.push(correlation(&parts(cleaned.values()), &truth));
        }
        eprintln!("signal at {level:e} of the foregrounds: r = {all:.4?}");
        assert!(all.iter().all(|r| *r >= least), "{level}: {all:?}");
    }
    // one basis and the best cut, for comparison
    let (data, truth) = injected(&foregrounds, 1e-4, SEEDS[0]);
    let components = Pca::new(Modes::Count(17)).fit(&data, AxisKind::Frequency).unwrap();
    let one = correlation(&parts(Projector::new(&components).apply(&data).unwrap().values()), &truth);
    assert!((one - 0.845).abs() < 0.004, "{one}");
}
