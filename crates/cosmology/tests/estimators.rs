//! Laws of the estimators of the signal.

use cupel_cosmology::{
    Background, CleanMethod, Sky, Unit, clean,
    estimators::{Covariances, LinearEstimator, Method, Multipoles, Pair, SignalEstimator, Training},
    frequency_axis,
    power::{Binning, Bins, Estimator, Volume},
    simulate::{Family, SimulateConfig, Simulation},
};
use cupel_data::{Axes, Axis, AxisKind, Cube, Stream};

const CHANNELS: usize = 12;
const SIDE: usize = 24;
const SIDE_DEG: f64 = 12.0;
/// Correlation of the signal from channel to channel.
const NEXT: f64 = 0.6;
const FOREGROUND: f64 = 1e4;
const NOISE: f64 = 0.3;

fn frequencies_mhz(channels: usize) -> Vec<f64> {
    (0..channels).map(|i| 400.0 + i as f64).collect()
}

fn sky(values: Vec<f64>, channels: usize, unit: Unit) -> Sky {
    let axes = vec![
        frequency_axis(frequencies_mhz(channels)).unwrap(),
        Axis::new(AxisKind::Row, SIDE),
        Axis::new(AxisKind::Column, SIDE),
    ];
    let values = values.into_iter().map(|value| value as f32).collect();
    let cube = Cube::new(values, Axes::new(axes).unwrap()).unwrap();
    Sky::new(cube, unit, None).unwrap().with_sides([SIDE_DEG; 2]).unwrap()
}

fn spectra(channel: usize) -> [f64; 2] {
    let x = 1.0 + channel as f64 / CHANNELS as f64;
    [x.powf(-2.6), x.powf(-2.0) * x.ln()]
}

/// A sky of independent pixels and its signal, in f64.
fn gaussian(seed: u64) -> (Vec<f64>, Vec<f64>) {
    gaussian_of(seed, |_| NEXT, NOISE)
}

/// The same of a signal that correlates with the channel before as `next` says, under this noise.
fn gaussian_of(seed: u64, next: impl Fn(usize) -> f64, noise_rms: f64) -> (Vec<f64>, Vec<f64>) {
    let pixels = SIDE * SIDE;
    let draws = |purpose: &str, count: usize| {
        let mut draws = vec![0.0; count * pixels];
        Stream::new(seed, purpose).fill_normal_f64(&mut draws);
        draws
    };
    let (mut signal, noise) = (draws("signal", CHANNELS), draws("noise", CHANNELS));
    let foreground = draws("foreground", 2);
    for place in pixels..signal.len() {
        let next = next(place / pixels);
        signal[place] = next * signal[place - pixels] + (1.0 - next * next).sqrt() * signal[place];
    }
    let value = |place: usize| {
        let (channel, pixel) = (place / pixels, place % pixels);
        let [a, b] = spectra(channel);
        let smooth = FOREGROUND * (a * foreground[pixel] + b * foreground[pixels + pixel]);
        signal[place] + noise_rms * noise[place] + smooth
    };
    ((0..signal.len()).map(value).collect(), signal)
}

/// The best filter of these skies.
fn known(rest: f64) -> LinearEstimator {
    let pixel_sr = (SIDE_DEG.to_radians() / SIDE as f64).powi(2);
    let at = |f: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        (0..CHANNELS * CHANNELS).map(|at| pixel_sr * f(at / CHANNELS, at % CHANNELS)).collect()
    };
    let signal = at(&|i, j| NEXT.powi(i.abs_diff(j) as i32));
    let rest = at(&|i, j| {
        let ([a, b], [c, d]) = (spectra(i), spectra(j));
        let noise = if i == j { NOISE * NOISE } else { 0.0 };
        rest * (FOREGROUND * FOREGROUND * (a * c + b * d) + noise)
    });
    let multipoles = Multipoles::new(vec![1.0, 1e5]).unwrap();
    let covariances = [Covariances { signal, rest }];
    LinearEstimator::from_covariances("known", frequencies_mhz(CHANNELS), Unit::Millikelvin, multipoles, &covariances)
        .unwrap()
}

fn centred(values: &[f32]) -> Vec<f64> {
    let mut values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
    for plane in values.chunks_exact_mut(SIDE * SIDE) {
        let mean = plane.iter().sum::<f64>() / plane.len() as f64;
        plane.iter_mut().for_each(|value| *value -= mean);
    }
    values
}

fn correlation(a: &[f32], b: &[f32]) -> f64 {
    let (a, b) = (centred(a), centred(b));
    let sum = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    sum(&a, &b) / (sum(&a, &a) * sum(&b, &b)).sqrt()
}

#[test]
fn errors_of_the_best_filter_are_those_that_it_claims() {
    let estimator = known(1.0);
    let (mut squares, mut error, mut of_pca) = (vec![0.0; CHANNELS], 0.0, 0.0);
    let skies = 20;
    let mut claimed = vec![0.0; CHANNELS];
    for seed in 0..skies {
        let (observed, signal) = gaussian(seed);
        let observed = sky(observed, CHANNELS, Unit::Millikelvin);
        let signal = sky(signal, CHANNELS, Unit::Millikelvin);
        let truth = centred(signal.cube().values());
        let estimate = estimator.estimate(&observed).unwrap();
        let pca = clean(&observed, CleanMethod::Pca, cupel_pca::Modes::Count(2)).unwrap();
        let pca = centred(pca.sky.cube().values());
        for (place, truth) in truth.iter().enumerate() {
            let off = truth - f64::from(estimate.signal.cube().values()[place]);
            squares[place / (SIDE * SIDE)] += off * off;
            error += off * off;
            of_pca += (truth - pca[place]).powi(2);
            claimed[place / (SIDE * SIDE)] += f64::from(estimate.sigma.values()[place]).powi(2);
        }
    }
    for (channel, (square, claimed)) in squares.iter().zip(&claimed).enumerate() {
        // sqrt(2 / 11520) is 1.3 %
        assert!((square / claimed - 1.0).abs() < 0.06, "{channel}: {square} {claimed}");
    }
    assert!(error < of_pca, "{error} {of_pca}");
}

#[test]
fn draws_scatter_as_claimed_and_have_the_power_of_the_signal() {
    let estimator = known(1.0);
    let (observed, signal) = gaussian(5);
    let observed = sky(observed, CHANNELS, Unit::Millikelvin);
    let estimate = estimator.estimate(&observed).unwrap();
    let (mut sum, mut count) = (0.0, 0.0);
    let each = &mut |draw: Cube<f32>| {
        for (place, value) in draw.values().iter().enumerate() {
            let off = (value - estimate.signal.cube().values()[place]) / estimate.sigma.values()[place];
            sum += f64::from(off * off);
            count += 1.0;
        }
        Ok(())
    };
    estimator.draw(&observed, 10, Stream::new(1, "draws"), each).unwrap();
    assert!((sum / count - 1.0).abs() < 0.03, "{}", sum / count);
    let volume = Volume::of(&observed.geometry().unwrap(), [SIDE; 2], &Background::default()).unwrap();
    let power = Estimator::new(volume).without_emptied_modes();
    let binning = Binning::Spherical(Bins::Linear(3));
    let found = estimator.power(&observed, &power, &binning, 20, Stream::new(2, "draws")).unwrap();
    let truth = sky(signal, CHANNELS, Unit::Millikelvin);
    let truth = power.power(&power.modes(truth.cube()).unwrap(), &binning).unwrap();
    for (found, truth) in found.iter().zip(&truth) {
        assert!((found.power - truth.power).abs() < 5.0 * found.sigma, "{found:?} {truth:?}");
    }
    assert!(estimator.power(&observed, &power, &binning, 1, Stream::new(2, "draws")).is_err());
}

#[test]
fn a_sky_without_foreground_and_noise_comes_back() {
    let (_, signal) = gaussian(3);
    let signal = sky(signal, CHANNELS, Unit::Millikelvin);
    let estimate = known(0.0).estimate(&signal).unwrap();
    let truth = centred(signal.cube().values());
    let off = estimate.signal.cube().values().iter().zip(&truth).map(|(a, b)| (f64::from(*a) - b).abs());
    assert!(off.fold(0.0, f64::max) < 1e-6);
    assert!(estimate.sigma.values().iter().all(|sigma| *sigma == 0.0));
}

#[test]
fn whole_channels_may_be_missing_and_other_gaps_other_channels_and_units_are_refused() {
    let estimator = known(1.0);
    let (observed, signal) = gaussian(7);
    let observed = sky(observed, CHANNELS, Unit::Millikelvin);
    let plane = SIDE * SIDE;
    let with = |lost: &dyn Fn(usize) -> bool, under: f32| {
        let place = |place: usize, value: f32| if lost(place) { under } else { value };
        let values = observed.cube().values().iter().enumerate().map(|(i, v)| place(i, *v)).collect();
        let weights = (0..CHANNELS * plane).map(|i| if lost(i) { 0.0 } else { 1.0 }).collect();
        let axes = observed.cube().axes();
        let weights = Cube::new(weights, axes.clone()).unwrap();
        observed.with_cube(Cube::new(values, axes.clone()).unwrap(), Some(weights)).unwrap()
    };
    let channel = |place: usize| place / plane == 4;
    let dropped = estimator.estimate(&with(&channel, 0.0)).unwrap();
    assert_eq!(dropped, estimator.estimate(&with(&channel, 1e9)).unwrap(), "what lies under no weight does not matter");
    let whole = estimator.estimate(&observed).unwrap();
    // chi^2 is that of what is seen
    for sky in [&observed, &with(&channel, 1e9)] {
        let chi_square = estimator.mismatch(sky).unwrap().chi_square;
        assert!((chi_square - 1.0).abs() < 0.1, "{chi_square}");
    }
    assert!(dropped.sigma.values()[4 * plane] > 1.2 * whole.sigma.values()[4 * plane]);
    let truth = sky(signal, CHANNELS, Unit::Millikelvin);
    let truth = centred(truth.cube().values());
    let z = (0..truth.len()).map(|i| {
        ((truth[i] - f64::from(dropped.signal.cube().values()[i])) / f64::from(dropped.sigma.values()[i])).powi(2)
    });
    assert!((z.sum::<f64>() / truth.len() as f64 - 1.0).abs() < 0.1);

    let refused = |sky: &Sky| estimator.estimate(sky).unwrap_err().to_string();
    assert!(refused(&with(&|place| place == 77, 0.0)).contains("1 of 576 values of channel 0 have no weight"));
    let few = sky(vec![1.0; 4 * plane], 4, Unit::Millikelvin);
    assert!(refused(&few).contains("made for 12 channels, the sky has 4"), "{}", refused(&few));
    let kelvin = sky(vec![1.0; CHANNELS * plane], CHANNELS, Unit::Kelvin);
    assert!(refused(&kelvin).contains("the sky is in K, it was made for mK"), "{}", refused(&kelvin));
}

fn simulated(seed: u64, family: Family) -> Pair {
    let mut config = SimulateConfig { family, nfreq: 24, nx: SIDE, seed, ..SimulateConfig::default() };
    config.instrument.noise_mk = Some(0.02);
    let made = Simulation::new(config).unwrap().sky(0).unwrap();
    Pair { observed: made.observation().unwrap(), signal: made.signal_beam }
}

fn learned() -> (LinearEstimator, Vec<Pair>) {
    let pairs: Vec<Pair> = (1001..1041).map(|seed| simulated(seed, Family::Sck)).collect();
    let pair = |number: usize| Ok(pairs[number].clone());
    let training = Training::gather(pairs.len(), &pair).unwrap();
    (training.fit(Method::Filter, &pair).unwrap(), pairs)
}

#[test]
fn the_learned_filter_beats_components_on_skies_it_has_not_seen_and_its_intervals_hold() {
    let (filter, pairs) = learned();
    let pair = |number: usize| Ok(pairs[number].clone());
    let training = Training::gather(pairs.len(), &pair).unwrap();
    let components = training.fit(Method::Components(4), &pair).unwrap();
    let with_gain = training.fit(Method::ComponentsWithGain(4), &pair).unwrap();
    for seed in 1..=3 {
        let Pair { observed, signal } = simulated(seed, Family::Sck);
        let estimate = filter.estimate(&observed).unwrap();
        let r = |estimator: &LinearEstimator| {
            correlation(estimator.estimate(&observed).unwrap().signal.cube().values(), signal.values())
        };
        let best = (2..8)
            .map(|modes| {
                let cleaned = clean(&observed, CleanMethod::Pca, cupel_pca::Modes::Count(modes)).unwrap();
                correlation(cleaned.sky.cube().values(), signal.values())
            })
            .fold(0.0, f64::max);
        let found = [r(&filter), r(&with_gain), r(&components), best];
        assert!(found[0] > found[1] && found[0] > found[2] && found[0] > found[3], "{seed}: {found:?}");
        let truth = centred(signal.values());
        let within = (0..truth.len()).filter(|i| {
            let off = truth[*i] - f64::from(estimate.signal.cube().values()[*i]);
            let margin = estimate.margins.iter().find(|margin| margin.coverage == 0.68).unwrap().sigmas;
            off.abs() <= margin * f64::from(estimate.sigma.values()[*i])
        });
        let share = within.count() as f64 / truth.len() as f64;
        assert!((0.63..0.73).contains(&share), "{seed}: {share}");
        assert!(!filter.mismatch(&observed).unwrap().refused, "{seed}");
    }
    let bright = simulated(1, Family::Sck).observed;
    let noise: Vec<f32> =
        bright.cube().values().iter().enumerate().map(|(i, v)| v + ((i * 7919 % 101) as f32 - 50.0)).collect();
    let noisy = bright.with_cube(Cube::new(noise, bright.cube().axes().clone()).unwrap(), None).unwrap();
    assert!(filter.mismatch(&noisy).unwrap().refused);
}

#[test]
fn bits_do_not_depend_on_threads_and_survive_a_file() {
    let at = |threads: usize| {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(|| {
            let (filter, _) = learned();
            let estimate = filter.estimate(&simulated(1, Family::Sck).observed).unwrap();
            (filter, estimate)
        })
    };
    let (one, two) = (at(1), at(2));
    assert_eq!(one, two);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("filter.npz");
    one.0.save(&path).unwrap();
    let read = LinearEstimator::load(&path).unwrap();
    assert_eq!(read, one.0);
    assert_eq!(read.estimate(&simulated(1, Family::Sck).observed).unwrap(), one.1);
    std::fs::write(&path, b"nothing").unwrap();
    assert!(LinearEstimator::load(&path).is_err());
}

#[test]
fn training_of_few_or_different_skies_is_refused() {
    let pair = |number: usize| {
        let unit = if number == 3 { Unit::Kelvin } else { Unit::Millikelvin };
        let (observed, signal) = gaussian(number as u64);
        Ok(Pair { observed: sky(observed, CHANNELS, unit), signal: sky(signal, CHANNELS, unit).cube().clone() })
    };
    assert!(Training::gather(4, &pair).err().unwrap().to_string().contains("4 skies are too few"));
    assert!(Training::gather(6, &pair).err().unwrap().to_string().contains("the sky is in K"));
}

/// Correlated in the lower half of the band, not in the upper.
fn changing(channel: usize) -> f64 {
    if channel < CHANNELS / 2 { 0.95 } else { 0.0 }
}

fn pair_of(seed: u64, next: fn(usize) -> f64, noise_rms: f64) -> Pair {
    let (observed, signal) = gaussian_of(seed, next, noise_rms);
    let signal = sky(signal, CHANNELS, Unit::Millikelvin).cube().clone();
    Pair { observed: sky(observed, CHANNELS, Unit::Millikelvin), signal }
}

fn learned_from(skies: usize, next: fn(usize) -> f64) -> LinearEstimator {
    let pair = |number: usize| Ok(pair_of(1000 + number as u64, next, NOISE));
    Training::gather(skies, &pair).unwrap().fit(Method::Filter, &pair).unwrap()
}

#[test]
fn a_stationary_signal_is_found_to_be_one_and_learned_from_few_skies() {
    let (learned, known) = (learned_from(5, |_| NEXT), known(1.0));
    assert!(learned.chosen()[0].contains("stationary"), "{:?}", learned.chosen());
    for seed in 1..=3 {
        let Pair { observed, signal } = pair_of(seed, |_| NEXT, NOISE);
        let [learned, known] = [&learned, &known].map(|estimator| {
            correlation(estimator.estimate(&observed).unwrap().signal.cube().values(), signal.values())
        });
        assert!(learned > known - 0.01, "{seed}: {learned} {known}");
    }
}

#[test]
fn a_signal_that_is_not_stationary_is_taken_as_measured() {
    let learned = learned_from(20, changing);
    assert!(!learned.chosen()[0].contains("stationary"), "{:?}", learned.chosen());
}

#[test]
fn power_is_true_and_its_errors_hold_on_skies_that_were_not_seen() {
    let filter = learned_from(20, changing);
    let geometry = pair_of(1, changing, NOISE).observed.geometry().unwrap();
    let volume = Volume::of(&geometry, [SIDE; 2], &Background::default()).unwrap();
    let power = Estimator::new(volume).without_emptied_modes();
    let binning = Binning::Spherical(Bins::Linear(5));
    let (mut found, mut truths, mut held, mut count) = ([0.0; 5], [0.0; 5], 0.0, 0.0);
    for seed in 1..=20 {
        let Pair { observed, signal } = pair_of(seed, changing, NOISE);
        let bands = filter.power(&observed, &power, &binning, 20, Stream::new(seed, "draws")).unwrap();
        let truth = power.power(&power.modes(&signal).unwrap(), &binning).unwrap();
        for (bin, (band, truth)) in bands.iter().zip(&truth).enumerate() {
            found[bin] += band.power;
            truths[bin] += truth.power;
            held += f64::from(u8::from((band.power - truth.power).abs() <= band.sigma));
            count += 1.0;
        }
    }
    for (bin, (found, truth)) in found.iter().zip(&truths).enumerate() {
        assert!((found / truth - 1.0).abs() < 0.05, "{bin}: {found} {truth}");
    }
    // of 100, which are not all independent
    assert!((0.55..0.82).contains(&(held / count)), "{held} of {count}");
}

#[test]
fn louder_noise_and_foregrounds_of_another_spectrum_are_refused_and_skies_of_the_training_are_not() {
    let filter = learned_from(20, |_| NEXT);
    let far = |sky: &Sky| filter.mismatch(sky).unwrap();
    for seed in 1..=20 {
        let own = far(&pair_of(seed, |_| NEXT, NOISE).observed);
        assert!(!own.refused, "{seed}: {own:?}");
    }
    let noisy = far(&pair_of(1, |_| NEXT, 2.0 * NOISE).observed);
    // four times the noise: the error grows by three times its share
    assert!(noisy.refused && (0.3..3.0).contains(&noisy.excess), "{noisy:?}");
    let mut other = gaussian(1).0;
    let mut draws = vec![0.0; SIDE * SIDE];
    Stream::new(1, "another foreground").fill_normal_f64(&mut draws);
    for (place, value) in other.iter_mut().enumerate() {
        let x = (place / (SIDE * SIDE)) as f64 / CHANNELS as f64;
        *value += 3.0 * (9.0 * x).sin() * draws[place % (SIDE * SIDE)];
    }
    let other = far(&sky(other, CHANNELS, Unit::Millikelvin));
    assert!(other.refused, "{other:?}");
}
