//! Laws of simulated scans.

use cupel_prism::{Noise, PtychographyConfig, ScanPattern, simulate_ptychography};

fn small() -> PtychographyConfig {
    PtychographyConfig { detector: 32, positions: 12, aperture_radius: 5.0, defocus_um: 75.0, ..Default::default() }
}

#[test]
fn a_scan_is_a_function_of_its_seed_alone() {
    let config = PtychographyConfig { photons: Some(1e4), position_error: 1.0, ..small() };
    let [a, b, c] = [3, 3, 4].map(|seed| simulate_ptychography(&config, seed).unwrap());
    let frames = |scene: &cupel_prism::PtychographyScene| scene.exposures.frames.frame(7).unwrap();
    assert_eq!((frames(&a), &a.exposures.centres, &a.object), (frames(&b), &b.exposures.centres, &b.object));
    assert_ne!(frames(&a), frames(&c));
}

#[test]
fn frames_have_the_photons_that_are_asked_for_and_their_noise() {
    let config = PtychographyConfig { photons: Some(1e5), ..small() };
    let scene = simulate_ptychography(&config, 1).unwrap();
    let clean = simulate_ptychography(&PtychographyConfig { photons: None, ..small() }, 1).unwrap();
    assert_eq!(clean.exposures.noise, Noise::None);
    let all = |scene: &cupel_prism::PtychographyScene| -> Vec<f64> {
        (0..12).flat_map(|k| scene.exposures.frames.frame(k).unwrap()).map(f64::from).collect()
    };
    let (counted, means) = (all(&scene), all(&clean));
    assert!((counted.iter().sum::<f64>() / 12.0 / 1e5 - 1.0).abs() < 5e-3);
    assert!(counted.iter().all(|value| value.fract() == 0.0 && *value >= 0.0));
    // The variance of counts is their mean.
    let bright = means.iter().zip(&counted).filter(|(mean, _)| **mean * 1e5 > 20.0);
    let (count, sum) = bright.fold((0, 0.0), |(n, sum), (mean, counted)| {
        let mean = mean * 1e5;
        (n + 1, sum + (counted - mean).powi(2) / mean)
    });
    assert!(count > 1000 && (sum / f64::from(count) - 1.0).abs() < 0.1, "{sum} {count}");
}

#[test]
fn the_power_of_a_frame_is_that_of_the_wave_and_errors_are_those_asked_for() {
    let config =
        PtychographyConfig { positions: 400, step: 2.0, position_error: 2.0, defocus_error_um: 20.0, ..small() };
    let scene = simulate_ptychography(&config, 5).unwrap();
    let errors: Vec<f64> = scene
        .centres
        .iter()
        .zip(&scene.exposures.centres)
        .flat_map(|(true_place, said)| [said[0] - true_place[0], said[1] - true_place[1]])
        .collect();
    let spread = (errors.iter().map(|error| error * error).sum::<f64>() / errors.len() as f64).sqrt();
    assert!((spread - 2.0).abs() < 0.2, "{spread}");
    let power = |plane: &cupel_prism::Plane| plane.values().iter().map(|value| value.norm_sqr()).sum::<f64>();
    assert!((power(&scene.probe) / power(&scene.exposures.optics.pupils[0]) - 1.0).abs() < 1e-9);
    assert_ne!(scene.probe, scene.exposures.optics.pupils[0]);
    // Behind an object that only absorbs, a frame has less light than the probe.
    let frame: f64 = scene.exposures.frames.frame(0).unwrap().iter().map(|value| f64::from(*value)).sum();
    assert!(frame < power(&scene.probe) && frame > 0.2 * power(&scene.probe));
}

#[test]
fn a_raster_is_regular_and_too_wide_an_aperture_is_refused() {
    let config = PtychographyConfig { scan: ScanPattern::Raster, positions: 9, step: 3.0, ..small() };
    let scene = simulate_ptychography(&config, 1).unwrap();
    assert_eq!(scene.centres[4], [0.0, 0.0]);
    assert_eq!(scene.centres[0], [-3.0, -3.0]);
    assert!(simulate_ptychography(&PtychographyConfig { aperture_radius: 16.0, ..small() }, 1).is_err());
}

#[test]
fn a_probe_that_reaches_over_its_window_is_refused() {
    for wide in [
        PtychographyConfig { defocus_um: 600.0, ..PtychographyConfig::default() },
        PtychographyConfig { defocus_error_um: -1000.0, ..PtychographyConfig::default() },
        PtychographyConfig { aperture_edge: 1.0, ..PtychographyConfig::default() },
    ] {
        let problem = simulate_ptychography(&wide, 1).unwrap_err().to_string();
        assert!(problem.contains("comes back at the opposite edge"), "{problem}");
    }
}
