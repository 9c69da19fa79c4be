use std::sync::Arc;

use cupel_data::{Complex, Stream};
use cupel_prism::{Exposures, InMemory, Noise, NoiseConfig, Plane, Telescope, TelescopeConfig, observe};

use super::samples::{lcg, object, telescope, vectors};

fn full(n: usize, radius: f64) -> Telescope {
    let config = TelescopeConfig {
        n_pixels: n,
        aperture_radius_pixels: radius,
        detector: Some(n),
        ..TelescopeConfig::default()
    };
    Telescope::new(config).unwrap()
}

fn frame(exposures: &Exposures, index: usize) -> Vec<f64> {
    exposures.frames.frame(index).unwrap().iter().map(|value| f64::from(*value)).collect()
}

#[test]
fn golden_apertures_are_measured() {
    let Some(golden) = vectors() else { return };
    let values = lcg(1024, 42).into_iter().map(|value| Complex::new(value, 0.0)).collect();
    let object = Plane::new(32, 32, values).unwrap();
    let rows = golden["mask"]["measurements"].as_array().unwrap();
    let centres: Vec<[f64; 2]> =
        rows.iter().map(|row| [0, 1].map(|axis| row["center_yx"][axis].as_f64().unwrap())).collect();
    let exposures = observe(&object, &full(64, 6.0), &centres, &NoiseConfig::default(), 0).unwrap();
    for (index, row) in rows.iter().enumerate() {
        let golden = |name: &str| row[name].as_f64().unwrap();
        let amplitude: Vec<f64> = frame(&exposures, index).iter().map(|value| value.sqrt()).collect();
        for (name, got) in [
            ("sum_A", amplitude.iter().sum::<f64>()),
            ("sum_A2", amplitude.iter().map(|value| value * value).sum()),
            ("max_A", amplitude.iter().copied().fold(0.0, f64::max)),
            ("A[20,30]", amplitude[20 * 64 + 30]),
            ("A[40,10]", amplitude[40 * 64 + 10]),
        ] {
            assert!(
                (got - golden(name)).abs() < 3e-7 * golden(name).max(1.0),
                "{name} of {index}: {got} {}",
                golden(name)
            );
        }
        assert_eq!(
            golden("mask_pixels"),
            exposures.optics.pupils[0].values().iter().filter(|v| v.re > 0.0).count() as f64
        );
    }
    let seen = cupel_prism::sampling::union(
        &[centres[0], centres[1], centres[3]],
        &full(64, 6.0).aperture().clone(),
        64,
        false,
    );
    assert_eq!(seen.iter().filter(|seen| **seen).count() as u64, golden["mask"]["union_of_first_second_fourth_pixels"]);
    // the reduced detector
    let reduced = observe(&object, &telescope(64, 6.0), &[[5.0, -7.0]], &NoiseConfig::default(), 0).unwrap();
    assert_eq!(reduced.optics.detector, 32);
    let (small, large) = (frame(&reduced, 0), frame(&exposures, 1));
    for (place, value) in small.iter().enumerate() {
        assert!((value - large[place / 32 * 2 * 64 + place % 32 * 2]).abs() < 1e-7);
    }
}

#[test]
fn an_aperture_that_passes_everything_shows_the_object_where_it_is() {
    // Defect 1 of the original: its images lay one pixel up and left.
    for n in [32, 33] {
        let object = object(n, 3);
        let whole = TelescopeConfig {
            n_pixels: n,
            aperture_radius_pixels: (n - 1) as f64 / 2.0 * 1.5,
            detector: Some(n),
            ..TelescopeConfig::default()
        };
        // A disc around the whole square would need a window larger than the field: the sum of the parts does.
        assert!(Telescope::new(whole).is_err());
        let exposures =
            observe(&object, &full(n, (n / 2 - 1) as f64), &[[0.0; 2]], &NoiseConfig::default(), 0).unwrap();
        let amplitude: Vec<f64> = frame(&exposures, 0).iter().map(|value| value.sqrt()).collect();
        let distance = |down: usize, along: usize| -> f64 {
            (0..n * n)
                .map(|place| {
                    let from = (place / n + down) % n * n + (place % n + along) % n;
                    (amplitude[from] - object.values()[place].re).powi(2)
                })
                .sum()
        };
        let here = distance(0, 0);
        for (down, along) in [(1, 1), (n - 1, n - 1), (0, 1), (1, 0), (0, n - 1), (n - 1, 0)] {
            assert!(here < 0.5 * distance(down, along), "{n} moved by {down}, {along}");
        }
    }
}

#[test]
fn noise_is_that_of_counts_in_units_of_intensity_and_never_biased() {
    // Defect 2 of the original: noisy data were intensities and clean ones amplitudes; and its faint pixels were brightened.
    let (object, telescope) = (object(64, 5), telescope(128, 10.0));
    let centres: Vec<[f64; 2]> = vec![[0.0, 0.0], [14.0, -9.0], [40.0, 12.0]];
    let clean = observe(&object, &telescope, &centres, &NoiseConfig::default(), 0).unwrap();
    assert_eq!(clean.noise, Noise::None);
    let brightest = (0..3).flat_map(|index| frame(&clean, index)).fold(0.0, f64::max);
    let config = NoiseConfig { photons: Some(2e4), read_noise: 3.0, dark_current: 4.0, ..NoiseConfig::default() };
    let Noise::Counts { photons, read } = config.of_brightest(brightest).unwrap() else { panic!("no counts") };
    assert!((photons * brightest - 2e4).abs() < 1e-6 && (read - 13.0_f64.sqrt()).abs() < 1e-12);
    let draws = 300;
    let all: Vec<Exposures> =
        (0..draws).map(|seed| observe(&object, &telescope, &centres, &config, seed).unwrap()).collect();
    for index in 0..3 {
        let mean = frame(&clean, index);
        let (mut bias, mut chi2) = (0.0, 0.0);
        for exposures in &all {
            for (value, mean) in frame(exposures, index).iter().zip(&mean) {
                let deviation = (photons * mean + read * read).sqrt() / photons;
                bias += (value - mean) / deviation;
                chi2 += ((value - mean) / deviation).powi(2);
            }
        }
        let count = (draws as usize * mean.len()) as f64;
        assert!((bias / count).abs() < 5.0 / count.sqrt(), "frame {index}: mean off by {} deviations", bias / count);
        assert!((chi2 / count - 1.0).abs() < 5.0 * (2.5 / count).sqrt(), "frame {index}: {}", chi2 / count);
    }
    // decibels are photons of one unit of intensity
    let decibels = NoiseConfig { snr: Some(40.0), ..NoiseConfig::default() };
    assert!(
        matches!(decibels.of_brightest(0.3).unwrap(), Noise::Counts { photons, .. } if (photons - 1e4).abs() < 1e-8)
    );
    // the telescope's own, unless the noise says more
    let own = TelescopeConfig { snr: Some(30.0), ..telescope.config().clone() };
    let seen = observe(&object, &Telescope::new(own).unwrap(), &centres, &NoiseConfig::default(), 0).unwrap();
    assert!(matches!(seen.noise, Noise::Counts { photons, read: 0.0 } if (photons - 1e3).abs() < 1e-9));
    let faint = config.expose(&[0.0; 40_000], photons, Stream::new(1, "t"));
    let mean = faint.iter().map(|value| f64::from(*value)).sum::<f64>() / 4e4 * photons;
    assert!(mean.abs() < 5.0 * read / 200.0 && faint.iter().any(|value| *value < 0.0), "{mean}");
}

#[test]
fn a_draw_belongs_to_seed_and_exposure() {
    let (object, telescope) = (object(32, 7), telescope(64, 6.0));
    let centres = [[0.0, 0.0], [5.0, 3.0], [-4.0, 8.0], [9.0, 9.0]];
    let config = NoiseConfig { photons: Some(100.0), read_noise: 1.0, ..NoiseConfig::default() };
    let of = |centres: &[[f64; 2]], seed| observe(&object, &telescope, centres, &config, seed).unwrap();
    let all = of(&centres, 4);
    // The brightest pixel is in the first frame: fewer centres are the same exposures.
    assert_eq!(frame(&of(&centres[..2], 4), 1), frame(&all, 1));
    assert_ne!(frame(&of(&centres, 5), 1), frame(&all, 1));
    let twice = of(&[centres[0], centres[0]], 4);
    assert_ne!(frame(&twice, 0), frame(&twice, 1), "a repeated exposure has noise of its own");
    let one = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap().install(|| of(&centres, 4));
    assert_eq!((0..4).map(|i| frame(&one, i)).collect::<Vec<_>>(), (0..4).map(|i| frame(&all, i)).collect::<Vec<_>>());
    assert_eq!(Arc::new(InMemory { pixels: 0, values: vec![] }).pixels, 0);
}

#[test]
fn impossible_observations_are_refused_in_words() {
    let (own, telescope) = (object(32, 7), telescope(64, 6.0));
    let see = |object: &Plane, centres: &[[f64; 2]], noise: NoiseConfig| {
        observe(object, &telescope, centres, &noise, 0).unwrap_err().to_string()
    };
    let plain = NoiseConfig::default();
    let dark = Plane::from_fn(8, 8, |_, _| Complex::new(0.0, 0.0));
    let holed =
        Plane::from_fn(8, 8, |row, column| Complex::new(if (row, column) == (2, 3) { f64::NAN } else { 1.0 }, 0.0));
    for (refusal, words) in [
        (see(&own, &[[0.0, 0.0], [27.0, 0.0]], plain), "centre 1"),
        (see(&own, &[[0.0, f64::NAN]], plain), "centre 0"),
        (see(&own, &[], plain), "at least one"),
        (see(&object(65, 1), &[[0.0; 2]], plain), "65 x 65"),
        (see(&holed, &[[0.0; 2]], plain), "row 2, column 3"),
        (see(&dark, &[[0.0; 2]], NoiseConfig { photons: Some(1e3), ..plain }), "all exposures are dark"),
        (see(&own, &[[0.0; 2]], NoiseConfig { read_noise: 1.0, ..plain }), "give photons or snr"),
        (see(&own, &[[0.0; 2]], NoiseConfig { photons: Some(1.0), snr: Some(3.0), ..plain }), "snr"),
        (see(&own, &[[0.0; 2]], NoiseConfig { photons: Some(-1.0), ..plain }), "photons = -1"),
    ] {
        assert!(refusal.contains(words), "{refusal}");
    }
}
