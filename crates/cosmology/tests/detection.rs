//! No signal is found where there is none, and one is found where it is.

use cupel_cosmology::{
    Result, Sky,
    estimators::{Method, Pair, SignalEstimator, Training},
    simulate::{Family, SimulateConfig, Simulation},
};
use cupel_data::Cube;

/// A sky of 24^3 values with noise, through a beam.
fn pair(seed: u64, family: Family) -> Result<Pair> {
    let mut config = SimulateConfig { family, seed, nx: 24, nfreq: 24, ..SimulateConfig::default() };
    (config.instrument.beam_dish, config.instrument.noise_mk) = (13.5, Some(0.02));
    let made = Simulation::new(config)?.sky(0)?;
    Ok(Pair { observed: made.observation()?, signal: made.signal_beam })
}

fn without_signal(Pair { observed, signal }: &Pair) -> Sky {
    let rest = observed.cube().values().iter().zip(signal.values()).map(|(x, s)| x - s).collect();
    observed.with_cube(Cube::new(rest, signal.axes().clone()).unwrap(), None).unwrap()
}

#[test]
fn of_forty_skies_without_a_signal_at_most_two_show_one_and_all_with_it_do() {
    let of_training = |number: usize| pair(1001 + number as u64, Family::Sck);
    let estimator = Training::gather(60, &of_training).unwrap().fit(Method::Filter, &of_training).unwrap();
    let (mut false_alarms, mut amplitudes) = (0, Vec::new());
    for seed in 1..=40 {
        let pair = pair(seed, Family::Sck).unwrap();
        let without = estimator.detect(&without_signal(&pair)).unwrap();
        false_alarms += usize::from(without.detected);
        let with = estimator.detect(&pair.observed).unwrap();
        assert!(with.detected && with.sigmas > 4.0, "{seed}: {with:?}");
        amplitudes.push(with.amplitude);
    }
    assert!(false_alarms <= 2, "{false_alarms} of 40");
    let mean = amplitudes.iter().sum::<f64>() / 40.0;
    assert!((mean - 1.0).abs() < 0.1, "{mean}");
}

#[test]
fn a_patch_of_another_size_has_no_known_power_and_is_refused() {
    let of_training = |number: usize| pair(1001 + number as u64, Family::Sck);
    let estimator = Training::gather(5, &of_training).unwrap().fit(Method::Filter, &of_training).unwrap();
    let sky = pair(1, Family::Sck).unwrap().observed.with_sides([20.1; 2]).unwrap();
    let refused = estimator.detect(&sky).unwrap_err().to_string();
    assert!(refused.contains("a patch of another size"), "{refused}");
}
