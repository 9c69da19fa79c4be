//! Simulated scenes keep what they promise.

use cupel_data::Stream;
use cupel_unmixing::{Error, dirichlet, mix, patches, smooth_endmembers};

#[test]
fn noise_follows_the_definition_of_the_signal_to_noise_ratio() {
    for seed in 1..=5 {
        let stream = Stream::new(seed, "noise law");
        let endmembers = smooth_endmembers(4, 60, stream.child(0)).unwrap();
        let abundances = patches(40, 40, 4, 0.05, stream.child(1)).unwrap();
        let clean = mix(&endmembers, &abundances, f64::INFINITY, stream.child(2)).unwrap();
        let square = clean.values().iter().map(|&v| f64::from(v).powi(2)).sum::<f64>();
        let power = square / clean.values().len() as f64;
        for snr_db in [-5.0, 10.0, 20.0, 30.0] {
            let noisy = mix(&endmembers, &abundances, snr_db, stream.child(2)).unwrap();
            let sigma = (power / 10f64.powf(snr_db / 10.0)).sqrt();
            // one band and another alike: white noise, equal over bands
            for band in 0..60 {
                let draws =
                    (0..clean.count()).map(|n| f64::from(noisy.spectrum(n)[band]) - f64::from(clean.spectrum(n)[band]));
                let (mut sum, mut squares) = (0.0, 0.0);
                draws.for_each(|d| {
                    sum += d;
                    squares += d * d;
                });
                let count = clean.count() as f64;
                // four standard errors each, 1200 bands in all
                assert!((sum / count).abs() < 4.5 * sigma / count.sqrt(), "band {band} at {snr_db} dB: mean {sum}");
                let ratio = (squares / count).sqrt() / sigma;
                assert!((ratio - 1.0).abs() < 4.5 / (2.0 * count).sqrt(), "band {band} at {snr_db} dB: {ratio}");
            }
        }
    }
}

#[test]
fn a_stream_is_a_scene() {
    let scene = |seed: u64| {
        let stream = Stream::new(seed, "repeat");
        let endmembers = smooth_endmembers(3, 30, stream.child(0)).unwrap();
        let abundances = patches(12, 10, 3, 0.05, stream.child(1)).unwrap();
        mix(&endmembers, &abundances, 25.0, stream.child(2)).unwrap().values().to_vec()
    };
    assert_eq!(scene(1), scene(1));
    assert_ne!(scene(1), scene(2));
}

#[test]
fn dirichlet_draws_have_their_mean_and_variance() {
    for concentration in [0.3, 1.0, 4.0] {
        let draws = dirichlet(20_000, 3, concentration, Stream::new(9, "dirichlet")).unwrap();
        let variance = (2.0 / 9.0) / (3.0 * concentration + 1.0); // alpha_i (alpha_0 - alpha_i) / (alpha_0^2 (alpha_0 + 1))
        for k in 0..3 {
            let map = draws.map(k);
            let mean = map.iter().sum::<f64>() / 20_000.0;
            let got = map.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / 20_000.0;
            assert!((mean - 1.0 / 3.0).abs() < 5.0 * (variance / 20_000.0).sqrt(), "{concentration}: {mean}");
            assert!((got / variance - 1.0).abs() < 0.05, "{concentration}: {got} {variance}");
        }
    }
    for wrong in [0.0, -1.0, f64::NAN] {
        assert!(matches!(dirichlet(10, 3, wrong, Stream::new(9, "dirichlet")), Err(Error::Setting(_))), "{wrong}");
    }
}
