//! Networks as estimators: what they are never worse than, what they promise, and what they refuse.

use std::path::Path;

use burn::tensor::Device;
use cupel_cosmology::{
    Sky, Unit,
    estimators::{Covariances, LinearEstimator, Multipoles, Pair, SignalEstimator},
    frequency_axis,
    network::{NetworkEstimator, NetworkInput, NetworkTrainConfig, NetworkTraining, SkyCounts, Start, TrainedNetwork},
};
use cupel_data::{Axes, Axis, AxisKind, Cube, Stream};
use cupel_settings::Settings;
use cupel_train::{Description, Opening, Precision, Run, Work, checks::exclusive, device};

const CHANNELS: usize = 8;
const SIDE: usize = 12;
const PIXEL_DEG: f64 = 0.5;
/// Correlation of the signal from channel to channel, which the base does not know.
const NEXT: f64 = 0.9;
const FOREGROUND: f64 = 1e3;
const NOISE: f64 = 0.5;
const COUNTS: SkyCounts = SkyCounts { training: 8, validation: 2, calibration: 4 };

fn spectrum(channel: usize) -> f64 {
    (1.0 + channel as f64 / CHANNELS as f64).powf(-2.6)
}

fn sky_of(values: &[f64], [rows, columns]: [usize; 2], unit: Unit) -> Sky {
    let frequencies = (0..values.len() / (rows * columns)).map(|i| 400.0 + i as f64).collect();
    let axes = vec![
        frequency_axis(frequencies).unwrap(),
        Axis::new(AxisKind::Row, rows),
        Axis::new(AxisKind::Column, columns),
    ];
    let cube = Cube::new(values.iter().map(|value| *value as f32).collect(), Axes::new(axes).unwrap()).unwrap();
    Sky::new(cube, unit, None).unwrap().with_sides([rows as f64 * PIXEL_DEG, columns as f64 * PIXEL_DEG]).unwrap()
}

/// One smooth foreground, a signal that changes slowly with the frequency, and noise.
fn pair(number: usize, sides: [usize; 2]) -> Pair {
    let pixels = sides[0] * sides[1];
    let draws = |purpose: &str, count: usize| {
        let mut draws = vec![0.0; count * pixels];
        Stream::new(number as u64, purpose).fill_normal_f64(&mut draws);
        draws
    };
    let (mut signal, noise, foreground) = (draws("signal", CHANNELS), draws("noise", CHANNELS), draws("foreground", 1));
    for place in pixels..signal.len() {
        signal[place] = NEXT * signal[place - pixels] + (1.0 - NEXT * NEXT).sqrt() * signal[place];
    }
    let value = |place: usize| {
        signal[place] + NOISE * noise[place] + FOREGROUND * spectrum(place / pixels) * foreground[place % pixels]
    };
    let observed: Vec<f64> = (0..signal.len()).map(value).collect();
    let signal = sky_of(&signal, sides, Unit::Millikelvin).cube().clone();
    Pair { observed: sky_of(&observed, sides, Unit::Millikelvin), signal }
}

fn of_number(number: usize) -> cupel_cosmology::Result<Pair> {
    Ok(pair(number, [SIDE; 2]))
}

/// The filter of a signal without correlation from channel to channel; with `next` the best one.
fn base(next: f64) -> LinearEstimator {
    let pixel_sr = PIXEL_DEG.to_radians().powi(2);
    let at = |f: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        (0..CHANNELS * CHANNELS).map(|at| pixel_sr * f(at / CHANNELS, at % CHANNELS)).collect()
    };
    let signal = at(&|i, j| next.powi(i.abs_diff(j) as i32));
    let rest = at(&|i, j| {
        let noise = if i == j { NOISE * NOISE } else { 0.0 };
        FOREGROUND * FOREGROUND * spectrum(i) * spectrum(j) + noise
    });
    let frequencies = (0..CHANNELS).map(|i| 400.0 + i as f64).collect();
    let multipoles = Multipoles::new(vec![1.0, 1e5]).unwrap();
    let covariances = [Covariances { signal, rest }];
    LinearEstimator::from_covariances("known", frequencies, Unit::Millikelvin, multipoles, &covariances).unwrap()
}

fn config(settings: &[(&str, &str)]) -> NetworkTrainConfig {
    let mut config = NetworkTrainConfig::default();
    let all = [
        ("filters", "4"),
        ("levels", "1"),
        ("depths", "1,2"),
        ("epochs", "10"),
        ("learning-rate", "1e-2"),
        ("two-conv-head", "false"),
    ];
    for (name, value) in all.iter().chain(settings) {
        config.set(name, value).unwrap();
    }
    config
}

fn cpu() -> Device {
    device::select("cpu").unwrap().device
}

fn trained(config: NetworkTrainConfig, base: LinearEstimator, run: &mut Run) -> TrainedNetwork {
    run.set_quiet(true);
    NetworkTraining::new(config, base, COUNTS, &of_number, 3, &cpu()).unwrap().run(run).unwrap()
}

/// The same where the training skies have the opposite of their signal.
fn misled(config: NetworkTrainConfig, base: LinearEstimator) -> TrainedNetwork {
    let pair = |number: usize| {
        let Pair { observed, signal } = of_number(number)?;
        let signal = if number < COUNTS.training { signal.map(|value| -value) } else { signal };
        Ok(Pair { observed, signal })
    };
    let mut run = Run::in_memory();
    run.set_quiet(true);
    NetworkTraining::new(config, base, COUNTS, &pair, 3, &cpu()).unwrap().run(&mut run).unwrap()
}

fn in_memory(settings: &[(&str, &str)], next: f64) -> TrainedNetwork {
    trained(config(settings), base(next), &mut Run::in_memory())
}

/// Shares of values of unseen skies within the interval of each margin.
fn held(estimator: &dyn SignalEstimator) -> Vec<[f64; 2]> {
    let skies = 100..106;
    let mut shares = Vec::new();
    for number in skies.clone() {
        let Pair { observed, signal } = pair(number, [SIDE; 2]);
        let estimate = estimator.estimate(&observed).unwrap();
        let truth: Vec<f64> = signal
            .values()
            .chunks_exact(SIDE * SIDE)
            .flat_map(|plane| {
                let mean = plane.iter().map(|value| f64::from(*value)).sum::<f64>() / plane.len() as f64;
                plane.iter().map(move |value| f64::from(*value) - mean)
            })
            .collect();
        shares.resize(estimate.margins.len(), [0.0; 2]);
        for (share, margin) in shares.iter_mut().zip(&estimate.margins) {
            let within = (0..truth.len()).filter(|at| {
                let off = truth[*at] - f64::from(estimate.signal.cube().values()[*at]);
                off.abs() <= margin.sigmas * f64::from(estimate.sigma.values()[*at])
            });
            *share = [margin.coverage, share[1] + within.count() as f64 / (truth.len() * skies.len()) as f64];
        }
    }
    shares
}

#[test]
fn networks_better_a_base_that_knows_too_little_and_their_intervals_hold() {
    let _one = exclusive();
    for settings in [
        &[("members", "2"), ("loss", "nll"), ("epochs", "6")][..],
        &[("inputs", "raw,difference,pca,estimate"), ("ema-decay", "0.8"), ("grad-accum-steps", "2"), ("epochs", "14")],
        &[("start", "zero"), ("inputs", "pca"), ("coarsening", "2"), ("loss", "logcosh"), ("epochs", "16")],
        &[("model-version", "v1"), ("levels", "2"), ("two-conv-head", "true"), ("epochs", "6")],
    ] {
        let found = in_memory(settings, 0.0);
        let better =
            found.estimate.residual_ratio < 0.98 * found.start.residual_ratio && found.estimate.r > found.start.r;
        assert!(better, "{settings:?}: {:?} {:?} {:?}", found.start, found.members, found.estimate);
        assert_eq!((found.estimator.members(), found.estimator.name()), (found.kept.len(), "unet"));
        let shares = held(&found.estimator);
        assert_eq!(shares.len(), 4);
        for [promised, share] in shares {
            assert!((share - promised).abs() < 0.04, "{settings:?}: {share} of {promised}");
        }
    }
}

/// Networks that learned what is wrong: what comes out is the base to the bit, with errors that hold.
#[test]
fn a_training_that_fails_ends_at_what_it_began_with() {
    let _one = exclusive();
    let found = misled(config(&[("epochs", "3"), ("members", "2")]), base(NEXT));
    assert!(found.members.iter().all(|member| member.residual_ratio > found.start.residual_ratio), "{found}");
    assert_eq!((found.estimate, found.estimator.members()), (found.start, 0));
    assert!(found.to_string().contains("left out: no better than what it began with"), "{found}");
    let sky = pair(50, [SIDE; 2]).observed;
    let [network, linear] = [found.estimator.estimate(&sky).unwrap(), base(NEXT).estimate(&sky).unwrap()];
    assert_eq!(network.signal, linear.signal);
    for [promised, share] in held(&found.estimator) {
        assert!((share - promised).abs() < 0.04, "{share} of {promised}");
    }
}

#[test]
fn ensembles_are_the_mean_and_draws_scatter_as_the_errors() {
    let _one = exclusive();
    let one = in_memory(&[("epochs", "4")], 0.0);
    let two = in_memory(&[("epochs", "4"), ("members", "2")], 0.0);
    assert_eq!(one.members[0], two.members[0], "a member does not depend on how many there are");
    assert_ne!(two.members[0], two.members[1]);
    let mean = (two.members[0].residual_ratio + two.members[1].residual_ratio) / 2.0;
    assert!(two.estimate.residual_ratio <= mean, "a mean has no more error than its parts in the mean");
    let (sky, estimator) = (pair(60, [SIDE; 2]).observed, &two.estimator);
    let estimate = estimator.estimate(&sky).unwrap();
    let (mut sum, mut count) = (0.0, 0.0);
    let each = &mut |draw: Cube<f32>| {
        let values = draw.values().iter().zip(estimate.signal.cube().values()).zip(estimate.sigma.values());
        values.for_each(|((draw, mean), sigma)| sum += f64::from((draw - mean) / sigma).powi(2));
        count += draw.values().len() as f64;
        Ok(())
    };
    estimator.draw(&sky, 8, Stream::new(1, "draws"), each).unwrap();
    assert!((sum / count - 1.0).abs() < 0.05, "{}", sum / count);
    let [network, linear] = [estimator.mismatch(&sky).unwrap(), estimator.base().mismatch(&sky).unwrap()];
    assert_eq!(network.chi_square, linear.chi_square);
}

#[test]
fn a_folder_gives_the_same_bits_and_what_is_damaged_is_refused() {
    let _one = exclusive();
    let found = in_memory(&[("epochs", "3"), ("members", "2"), ("loss", "nll")], 0.0);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("estimator");
    found.estimator.save(&path).unwrap();
    found.estimator.save(&path).unwrap();
    let read = NetworkEstimator::load(&path, &cpu()).unwrap();
    let sky = pair(70, [SIDE; 2]).observed;
    assert_eq!(read.estimate(&sky).unwrap(), found.estimator.estimate(&sky).unwrap());
    assert_eq!(
        (read.config(), read.chosen(), read.margins()),
        (found.estimator.config(), found.estimator.chosen(), found.estimator.margins())
    );
    let refused = || NetworkEstimator::load(&path, &cpu()).unwrap_err().to_string();
    let weights = path.join("network-1.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    assert!(refused().contains("not the file that was written with the others"), "{}", refused());
    std::fs::write(path.join("estimator.json"), b"{\"version\": 9}").unwrap();
    assert!(refused().contains("version 9, this program reads 1"), "{}", refused());
    std::fs::write(path.join("estimator.json"), b"{").unwrap();
    assert!(refused().contains("no JSON text"), "{}", refused());
    std::fs::remove_file(path.join("estimator.json")).unwrap();
    assert!(refused().contains("estimator.json"), "{}", refused());
}

/// Two epochs, a new process of two more, and another network: as if all had been made at once.
#[test]
fn a_training_that_goes_on_has_the_bits_of_one_that_never_stopped() {
    let _one = exclusive();
    let folder = tempfile::tempdir().unwrap();
    let asked = |epochs: u64, members: u32| {
        let (epochs, members) = (epochs.to_string(), members.to_string());
        config(&[("epochs", &epochs), ("members", &members), ("lr-schedule", "none"), ("ema-decay", "0.9")])
    };
    let in_folder = |epochs: u64, members: u32, path: &Path| {
        let is = Description::new("networks");
        let mut run = Run::open(path, &is, Opening::Resume { strict: true }).unwrap().run().unwrap();
        run.set_save_every(Some(1));
        trained(asked(epochs, members), base(0.0), &mut run)
    };
    in_folder(2, 1, folder.path());
    let resumed = in_folder(4, 2, folder.path());
    let straight = trained(asked(4, 2), base(0.0), &mut Run::in_memory());
    assert_eq!((&resumed.members, resumed.estimate), (&straight.members, straight.estimate));
    let sky = pair(80, [SIDE; 2]).observed;
    assert_eq!(resumed.estimator.estimate(&sky).unwrap(), straight.estimator.estimate(&sky).unwrap());
}

#[test]
fn low_precision_is_for_the_training_and_what_is_kept_is_f32() {
    let _one = exclusive();
    let casting = Precision::Bf16.resolve(&cpu(), Work { elements: 0, reduced_precision_pays_from: 0 }).unwrap();
    let mut run = Run::in_memory();
    run.set_quiet(true);
    let training = NetworkTraining::new(config(&[("epochs", "3")]), base(0.0), COUNTS, &of_number, 3, &cpu()).unwrap();
    let training = training.with_casting(casting).with_folds(vec![base(0.0), base(0.1)]);
    let found = training.run(&mut run).unwrap();
    assert!(
        found.estimate.residual_ratio < found.start.residual_ratio && found.parameters > 1000 && found.updates == 12
    );
    let loss = training.dry_run().unwrap().get("loss").unwrap();
    assert!(loss.is_finite() && training.overfit_one_batch(3).unwrap().losses.len() == 3);
    assert!(training.learning_rate_range(1e-4, 1e-1).unwrap().suggestion.is_some());
}

#[test]
fn what_does_not_fit_is_refused() {
    let _one = exclusive();
    let new = |config, counts, pair| NetworkTraining::new(config, base(0.0), counts, pair, 0, &cpu());
    let refused = |settings: &[(&str, &str)]| new(config(settings), COUNTS, &of_number).err().unwrap().to_string();
    for (settings, words) in [
        (&[("depths", "8")][..], "less than the 8 channels"),
        (&[("inputs", "pca,pca")], "each once"),
        (&[("start", "zero")], "no estimate: start zero has none"),
        (&[("coarsening", "5")], "divides the 12 and 12 pixels"),
        (&[("levels", "5")], "a multiple of 32"),
        (&[("model-version", "v1")], "network v1 has one shape"),
        (&[("inputs", "estimate")], "pca is none of the inputs"),
        (&[("complex", "true")], "skies are real"),
        (&[("freq-axis", "1"), ("freq-pos-encoding", "true")], "the frequency of a sky"),
        (&[("patch", "64")], "patch"),
    ] {
        let text = match settings {
            [("patch", _)] => {
                let training = new(config(settings), COUNTS, &of_number).unwrap();
                training.dry_run().unwrap_err().to_string()
            }
            _ => refused(settings),
        };
        assert!(text.contains(words), "{settings:?}: {text}");
    }
    let none = SkyCounts { validation: 0, ..COUNTS };
    assert!(new(config(&[]), none, &of_number).err().unwrap().to_string().contains("validation skies = 0"));

    let estimator = in_memory(&[("epochs", "1")], 0.0).estimator;
    let text = |sky: &Sky| estimator.estimate(sky).unwrap_err().to_string();
    let pixels = SIDE * SIDE;
    let few = sky_of(&vec![1.0; 4 * pixels], [SIDE; 2], Unit::Millikelvin);
    assert!(text(&few).contains("made for 8 channels, the sky has 4"), "{}", text(&few));
    let kelvin = sky_of(&vec![1.0; CHANNELS * pixels], [SIDE; 2], Unit::Kelvin);
    assert!(text(&kelvin).contains("the sky is in K, it was made for mK"), "{}", text(&kelvin));
    let odd = pair(1, [11, 12]).observed;
    assert!(text(&odd).contains("a multiple of 2"), "{}", text(&odd));
    let larger = pair(1, [20, 24]).observed;
    assert_eq!(estimator.estimate(&larger).unwrap().signal.cube().shape(), [CHANNELS, 20, 24]);
    let other = pair(1, [SIDE; 2]).observed.with_sides([4.0, 4.0]).unwrap();
    assert!(text(&other).contains("pixels of 0.5000 x 0.5000 degrees"), "{}", text(&other));
    let whole = pair(1, [SIDE; 2]).observed;
    let weights = (0..CHANNELS * pixels).map(|at| if at < pixels { 0.0 } else { 1.0 }).collect();
    let weights = Cube::new(weights, whole.cube().axes().clone()).unwrap();
    let gap = whole.with_cube(whole.cube().clone(), Some(weights)).unwrap();
    assert!(text(&gap).contains("144 values of the sky have no weight"), "{}", text(&gap));
    assert_eq!(NetworkTrainConfig::default().start, Start::Base);
    assert!(NetworkTrainConfig::default().inputs.contains(&NetworkInput::Pca));
}
