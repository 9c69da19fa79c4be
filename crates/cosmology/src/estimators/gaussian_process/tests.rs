//! Laws of Gaussian processes: of their evidence, of parameters found again, of intervals that hold, and of what is refused.

use cupel_data::{Axes, Axis, AxisKind};
use faer::{Mat, Side};

use super::{
    evidence::{Band, likelihood},
    kernel::Kernel,
    model::{Model, Parameter, Role, Term},
    *,
};
use crate::{
    frequency_axis,
    power::{Binning, Bins, Estimator, Volume},
    simulate::{Family, SimulateConfig, Simulation},
};

const CHANNELS: usize = 16;

fn channels() -> Channels {
    let background = Background::default();
    let frequencies_mhz: Vec<f64> = (0..CHANNELS).map(|i| 400.0 + 4.0 * i as f64).collect();
    let distance_mpc_h = background.comoving_distance_mpc_h(redshift(430.0));
    Channels {
        brightness: frequencies_mhz.iter().map(|nu| (430.0 / nu).powf(0.5)).collect(),
        frequencies_mhz,
        cell_mpc_h: 20.0,
        distance_mpc_h,
        matter: MatterPower::new(&background),
        rounding: 0.0,
    }
}

fn parameters(values: &[(&str, f64)]) -> Vec<Parameter> {
    values.iter().map(|(name, mean)| Parameter::new(*name, *mean, 1.0)).collect()
}

/// Every kernel at once, under a beam.
fn model() -> Model {
    let channels = channels();
    let term = |role, kernel, amplitude: &[(&str, f64)], shape: &[(&str, f64)]| Term {
        role,
        kernel,
        amplitude: parameters(amplitude),
        shape: parameters(shape),
    };
    // an angular power of hydrogen of about 1
    let power = (channels.cell_mpc_h * channels.distance_mpc_h.powi(2)).ln();
    let terms = vec![
        term(
            Role::Foreground,
            Kernel::Smooth,
            &[("bright", 12.0), ("slope", -2.4), ("curvature", 0.1)],
            &[("index", 2.6), ("ln coherence", 1.0)],
        ),
        term(Role::Foreground, Kernel::Mixing, &[("mixing", 4.0), ("slope", -1.0)], &[("ln length", 4.0)]),
        term(
            Role::Signal,
            Kernel::Hydrogen { periods: 2 },
            &[("power", power)],
            &[("tilt", 0.1), ("running", -0.1), ("beta", 0.5)],
        ),
        term(Role::Noise, Kernel::White, &[("noise", -2.0)], &[]),
    ];
    Model { name: "all".into(), channels, terms, beam: Some(Parameter::new("ln beam", -6.0, 1.0)), pivot: 60.0 }
}

/// Moments of modes that are drawn from a model.
fn drawn(model: &Model, at: &[f64], seed: u64) -> Bands {
    let shared = model.shared(at);
    let band = |number: usize| {
        let multipole = 30.0 * (number + 1) as f64;
        let count = 8 * (number + 1);
        let total = model.parts(at, &shared, multipole, false).total;
        let mut white = vec![0.0; CHANNELS * count];
        Stream::new(seed, "modes of a model").child(number as u64).fill_normal_f64(&mut white);
        let white = Mat::from_fn(CHANNELS, count, |i, j| white[i * count + j] / (count as f64).sqrt());
        let lines = total.llt(Side::Lower).unwrap().L() * white;
        Band { multipole, count: count as f64, covariance: &lines * lines.transpose() }
    };
    Bands { bands: (0..16).map(band).collect(), seen: (0..CHANNELS).collect() }
}

fn means(model: &Model) -> Vec<f64> {
    model.parameters().iter().map(|own| own.mean).collect()
}

#[test]
fn the_gradient_of_the_likelihood_is_that_of_its_differences() {
    let model = model();
    let mut bands = drawn(&model, &means(&model), 1);
    // a channel that is not seen
    bands.seen.remove(5);
    let part = |own: &Mat<f64>| super::super::matrix::part(own, &bands.seen, &bands.seen);
    let seen: Vec<Band> =
        bands.bands.iter().map(|own| Band { covariance: part(&own.covariance), ..own.clone() }).collect();
    bands.bands = seen;
    // away from the maximum
    let at: Vec<f64> = means(&model).iter().enumerate().map(|(i, mean)| mean + 0.05 * (i as f64).sin()).collect();
    let here = likelihood(&model, &at, &bands, true).unwrap();
    for (which, own) in model.parameters().iter().enumerate() {
        let step = 1e-4;
        let value = |off: f64| {
            let mut at = at.clone();
            at[which] += off;
            likelihood(&model, &at, &bands, false).unwrap().value
        };
        let difference = (value(step) - value(-step)) / (2.0 * step);
        // the curvature is the scale of a gradient that happens to be small; the fourth derivative goes with step^2
        let scale = here.fisher[(which, which)].sqrt().max(difference.abs());
        assert!(
            (here.gradient[which] - difference).abs() < 1e-4 * scale,
            "{}: {} {difference}",
            own.name,
            here.gradient[which]
        );
    }
}

#[test]
fn parameters_of_modes_that_are_drawn_from_the_model_are_found_again_within_their_errors() {
    let model = model();
    let truth = means(&model);
    let (mut squares, mut far) = (0.0, 0.0_f64);
    let seeds = 4;
    for seed in 0..seeds {
        let bands = drawn(&model, &truth, 10 + seed);
        let start: Vec<f64> = truth.iter().map(|value| value + 0.2).collect();
        let fit = Fit::search(&model, &bands, &start, f64::NEG_INFINITY).unwrap();
        for ((found, truth), deviation) in fit.parameters.iter().zip(&truth).zip(&fit.deviations) {
            assert!(*deviation > 0.0 && *deviation <= 1.0 + 1e-9);
            // the prior is of the size 1, and pulls to the truth here
            let z = (found - truth) / deviation;
            squares += z * z;
            far = far.max(z.abs());
        }
        let goodness = Goodness::of(&fit, &bands).unwrap();
        assert!(goodness.score < 0.6, "{seed}: {}", goodness.score);
        assert!(goodness.deviations.iter().all(|own| own.abs() < 5.0), "{:?}", goodness.deviations);
    }
    let mean = squares / (seeds as f64 * truth.len() as f64);
    assert!((0.4..1.4).contains(&mean) && far < 4.0, "{mean} {far}");
}

#[test]
fn a_part_that_no_kernel_has_is_seen() {
    let model = model();
    let mut bands = drawn(&model, &means(&model), 3);
    // a ripple over frequency, as a reflection in a cable leaves it
    let wave = |i: usize| (std::f64::consts::TAU * 3.5 * i as f64 / CHANNELS as f64).cos();
    for band in &mut bands.bands {
        band.covariance += Mat::from_fn(CHANNELS, CHANNELS, |i, j| 10.0 * wave(i) * wave(j));
    }
    let fit = Fit::search(&model, &bands, &[], f64::NEG_INFINITY).unwrap();
    let goodness = Goodness::of(&fit, &bands).unwrap();
    assert!(goodness.score > 1.0, "{goodness:?} {:?}", fit.parameters);
}

fn simulated(seed: u64, family: Family, dish_m: f64) -> (Sky, Cube<f32>) {
    let mut config = SimulateConfig { family, nfreq: 24, nx: 24, seed, ..SimulateConfig::default() };
    config.instrument.noise_mk = Some(0.02);
    config.instrument.beam_dish = dish_m;
    let made = Simulation::new(config).unwrap().sky(0).unwrap();
    (made.observation().unwrap(), made.signal_beam)
}

fn process(sky: &Sky) -> GaussianProcess {
    GaussianProcess::new(GaussianProcessConfig::default(), sky.frequencies_mhz().unwrap().to_vec(), sky.unit()).unwrap()
}

#[test]
fn intervals_hold_on_simulated_skies_with_and_without_a_beam() {
    for dish_m in [0.0, 30.0] {
        let (mut within, mut count, mut correlation) = (0.0, 0.0, Vec::new());
        for seed in 1..=4 {
            let (observed, signal) = simulated(seed, Family::Sck, dish_m);
            let process = process(&observed);
            let estimate = process.estimate(&observed).unwrap();
            let truth = centred(&signal);
            let (mut cross, mut own, mut squares) = (0.0, 0.0, 0.0);
            for ((truth, found), sigma) in
                truth.iter().zip(estimate.signal.cube().values()).zip(estimate.sigma.values())
            {
                let found = f64::from(*found);
                within += f64::from(u8::from((truth - found).abs() <= f64::from(*sigma)));
                count += 1.0;
                cross += truth * found;
                own += found * found;
                squares += truth * truth;
            }
            correlation.push(cross / (own * squares).sqrt());
            let mismatch = process.mismatch(&observed).unwrap();
            assert!(!mismatch.refused, "{seed}: {}", mismatch.score);
            assert_eq!(process.estimate(&observed).unwrap(), estimate);
        }
        let share = within / count;
        assert!((0.6..0.76).contains(&share), "dish {dish_m}: {share}");
        assert!(correlation.iter().all(|r| *r > 0.85), "dish {dish_m}: {correlation:?}");
    }
}

#[test]
fn noise_alone_holds_no_signal() {
    let (observed, _) = simulated(5, Family::Sck, 0.0);
    let mut noise = vec![0.0; observed.cube().len()];
    Stream::new(5, "noise alone").fill_normal_f64(&mut noise);
    let values = noise.iter().map(|value| *value as f32).collect();
    let noise = observed.with_cube(Cube::new(values, observed.cube().axes().clone()).unwrap(), None).unwrap();
    let process = process(&noise);
    let estimate = process.estimate(&noise).unwrap();
    let pairs = estimate.signal.cube().values().iter().zip(estimate.sigma.values());
    let square = pairs.map(|(value, sigma)| f64::from(value / sigma).powi(2)).sum::<f64>() / noise.cube().len() as f64;
    assert!(square < 1.0, "{square}");
    let volume = Volume::of(&noise.geometry().unwrap(), [24, 24], &Background::default()).unwrap();
    let power = Estimator::new(volume).without_emptied_modes();
    let binning = Binning::Spherical(Bins::Linear(4));
    for band in process.power(&noise, &power, &binning, 16, Stream::new(1, "noise alone")).unwrap() {
        assert!(band.power < 2.5 * band.sigma, "{band:?}");
    }
}

#[test]
fn what_it_cannot_take_is_refused_and_whole_channels_may_be_missing() {
    let (observed, _) = simulated(6, Family::PointSources, 0.0);
    let plane = 24 * 24;
    let with = |lost: &dyn Fn(usize) -> bool, under: f32| {
        let axes = observed.cube().axes();
        let values =
            observed.cube().values().iter().enumerate().map(|(i, v)| if lost(i) { under } else { *v }).collect();
        let weights = (0..24 * plane).map(|i| if lost(i) { 0.0 } else { 1.0 }).collect();
        let weights = Cube::new(weights, axes.clone()).unwrap();
        observed.with_cube(Cube::new(values, axes.clone()).unwrap(), Some(weights)).unwrap()
    };
    let process = process(&observed);
    let whole = process.estimate(&observed).unwrap();
    let channel = |place: usize| place / plane == 7;
    let without = process.estimate(&with(&channel, 0.0)).unwrap();
    assert_eq!(without.sigma, process.estimate(&with(&channel, 1e9)).unwrap().sigma);
    assert!(without.sigma.values()[7 * plane] > 1.2 * whole.sigma.values()[7 * plane]);

    let said = |sky: &Sky| process.estimate(sky).err().unwrap().to_string();
    assert!(said(&with(&|place| place == 77, 0.0)).contains("1 of 576 values of channel 0 have no weight"));
    assert!(said(&with(&|place| place >= 2 * plane, 0.0)).contains("2 channels have data"));
    assert!(said(&observed.in_unit(Unit::Kelvin).unwrap()).contains("the sky is in K, it was made for mK"));
    let nothing = Cube::new(vec![0.0; 24 * plane], observed.cube().axes().clone()).unwrap();
    assert!(said(&observed.with_cube(nothing, None).unwrap()).contains("channel 0 has one value in all pixels"));
    let small = Axes::new(vec![
        frequency_axis(vec![400.0, 401.0, 402.0]).unwrap(),
        Axis::new(AxisKind::Row, 4),
        Axis::new(AxisKind::Column, 4),
    ]);
    let small = Sky::new(Cube::new(vec![1.0; 48], small.unwrap()).unwrap(), Unit::Millikelvin, None).unwrap();
    assert!(said(&small).contains("made for 24 channels, the sky has 3"));
    assert!(self::process(&small).estimate(&small).err().unwrap().to_string().contains("side-deg is not given"));
    let two = GaussianProcess::new(GaussianProcessConfig::default(), vec![400.0, 401.0], Unit::Kelvin);
    assert!(two.unwrap_err().to_string().contains("2 channels are too few"));
    let wrong = GaussianProcessConfig { noise: Some(-1.0), ..GaussianProcessConfig::default() };
    assert!(GaussianProcess::new(wrong, vec![400.0, 401.0, 402.0], Unit::Kelvin).is_err());
}

#[test]
fn bits_do_not_depend_on_threads_and_settings_survive_a_file() {
    let (observed, _) = simulated(7, Family::SpectralIndex, 0.0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gpr.json");
    let config = GaussianProcessConfig { noise: Some(0.02), seed: 3, ..GaussianProcessConfig::default() };
    let own = observed.frequencies_mhz().unwrap().to_vec();
    let process = GaussianProcess::new(config, own, observed.unit()).unwrap();
    process.save(&path).unwrap();
    let read = GaussianProcess::load(&path).unwrap();
    assert_eq!(
        (read.config(), read.frequencies_mhz(), read.unit()),
        (process.config(), process.frequencies_mhz(), process.unit())
    );
    let at = |threads: usize, process: &GaussianProcess| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let mut draws = Vec::new();
            let keep = &mut |draw: Cube<f32>| {
                draws.push(draw);
                Ok(())
            };
            process.draw(&observed, 2, Stream::new(1, "draws"), keep).unwrap();
            (process.fit(&observed).unwrap(), process.estimate(&observed).unwrap(), draws)
        })
    };
    let (one, two) = (at(1, &process), at(2, &read));
    assert_eq!(one, two);
    assert_ne!(one.2[0], one.2[1]);
    std::fs::write(&path, "{\"estimator\": \"filter\", \"version\": 1}").unwrap();
    let other = GaussianProcess::load(&path).unwrap_err().to_string();
    assert!(other.contains("it holds the estimator \"filter\" of version 1"), "{other}");
    std::fs::write(&path, "nothing").unwrap();
    assert!(GaussianProcess::load(&path).unwrap_err().to_string().contains("no JSON text"));
}
