//! The default solver: derivatives of every parameter, the choice of the prior, resuming, intervals.

use std::{f64::consts::PI, sync::Arc};

use burn::tensor::{DType, Device};
use cupel_data::Stream;
use cupel_prism::{
    Exposures, Free, Geometry, InMemory, Knowledge, Misfit, Model, Noise, Optics, Plane, Reconstruction,
    ReconstructionConfig, Search, Solver, Units, reconstruct,
};
use cupel_settings::Settings;
use cupel_train::{Casting, Description, Objective, Opening, Policy, Run, checks::CutOff};
use num_complex::Complex;
use rand::RngExt;
use rand_distr::{Distribution, Poisson};
use rustfft::FftPlanner;

/// An instrument of `n` places with apertures of radius 5, or a probe as wide, at `centres`.
fn optics(geometry: Geometry, n: usize, detector: usize, soft: bool) -> Optics {
    let side = 13;
    let pupil = Plane::from_fn(side, side, |row, column| {
        let [y, x] = [row as f64 - 6.0, column as f64 - 6.0];
        let distance = y.hypot(x);
        if soft {
            // falls to nought before the edge, with a phase
            let size = (0.5 * (1.0 + (PI * distance / 6.0).cos())).max(0.0) * f64::from(u8::from(distance < 6.0));
            Complex::from_polar(size, 0.05 * (y * y - x))
        } else {
            Complex::new(f64::from(u8::from(distance <= 5.0)), 0.0)
        }
    });
    Optics { geometry, size: [n, n], pupils: vec![pupil], detector, pixel_size: None, wavelength: None }
}

fn transform(values: &mut Vec<Complex<f64>>, n: usize, inverse: bool) {
    let mut planner = FftPlanner::new();
    let plan = if inverse { planner.plan_fft_inverse(n) } else { planner.plan_fft_forward(n) };
    for _ in 0..2 {
        plan.process(values);
        *values = (0..n * n).map(|place| values[place % n * n + place / n]).collect();
    }
    values.iter_mut().for_each(|value| *value /= n as f64);
}

/// Frames by the equation of [`Optics`], written out for whole centres.
fn frames(optics: &Optics, object: &Plane, centres: &[[f64; 2]]) -> Vec<Vec<f64>> {
    let (n, d) = (optics.size[0], optics.detector);
    let pupil = &optics.pupils[0];
    let mut plane = object.values().to_vec();
    if optics.geometry == Geometry::Spectrum {
        transform(&mut plane, n, false);
    }
    let at = |offset: isize, size: usize| offset.rem_euclid(size as isize) as usize;
    let each = |centre: &[f64; 2]| {
        let mut window = vec![Complex::new(0.0, 0.0); d * d];
        for (place, value) in pupil.values().iter().enumerate() {
            let offset = [
                (place / pupil.columns()) as isize - (pupil.rows() / 2) as isize,
                (place % pupil.columns()) as isize - (pupil.columns() / 2) as isize,
            ];
            let from: [usize; 2] = std::array::from_fn(|axis| match optics.geometry {
                Geometry::Spectrum => at(offset[axis] + centre[axis] as isize, n),
                Geometry::Object => at(offset[axis] + centre[axis] as isize + (n / 2) as isize, n),
            });
            window[at(offset[0], d) * d + at(offset[1], d)] = plane[from[0] * n + from[1]] * value;
        }
        transform(&mut window, d, optics.geometry == Geometry::Spectrum);
        match optics.geometry {
            Geometry::Spectrum => window.iter().map(|z| (z * (d as f64 / n as f64)).norm_sqr()).collect(),
            // the frequency nought in the middle
            Geometry::Object => (0..d * d)
                .map(|place| window[(place / d + d - d / 2) % d * d + (place % d + d - d / 2) % d].norm_sqr())
                .collect(),
        }
    };
    centres.iter().map(each).collect()
}

fn spiral(count: usize, radius: f64) -> Vec<[f64; 2]> {
    (0..count)
        .map(|k| {
            let (r, angle) = (radius * (k as f64 / (count - 1) as f64).sqrt(), k as f64 * PI * (3.0 - 5f64.sqrt()));
            [(r * angle.sin()).round(), (r * angle.cos()).round()]
        })
        .collect()
}

/// A real object of discs with sharp edges, `side` places wide in a field of `n`.
fn discs(n: usize, side: usize, seed: u64) -> Plane {
    let mut rng = Stream::new(seed, "discs of the tests").rng();
    let mut uniform = |low: f64, high: f64| low + (high - low) * rng.random::<f64>();
    let mut image = vec![0.1; side * side];
    for _ in 0..8 {
        let (centre, radius, height) =
            ([uniform(0.0, side as f64), uniform(0.0, side as f64)], uniform(2.0, 6.0), uniform(0.1, 1.0));
        for (place, value) in image.iter_mut().enumerate() {
            let distance = ((place / side) as f64 - centre[0]).hypot((place % side) as f64 - centre[1]);
            *value += (radius - distance + 0.5).clamp(0.0, 1.0) * (height - *value);
        }
    }
    Plane::new(side, side, image.into_iter().map(|value| Complex::new(value, 0.0)).collect())
        .unwrap()
        .padded(n, n)
        .unwrap()
}

/// A small instrument that sees discs, with as many photons at the brightest pixel, or without noise.
fn seen(n: usize, seed: u64, photons: Option<f64>) -> (Exposures, Plane) {
    let truth = discs(n, n / 2, seed);
    (exposed(&truth, seed, photons), truth)
}

fn exposed(truth: &Plane, seed: u64, photons: Option<f64>) -> Exposures {
    let n = truth.rows();
    let (side, optics) = (n / 2, optics(Geometry::Spectrum, n, n, false));
    let centres = spiral(24, n as f64 / 2.0 - 6.0);
    let clean = frames(&optics, truth, &centres);
    let (frames, noise) = match photons {
        None => (clean, Noise::None),
        Some(brightest) => {
            let photons = brightest / clean.iter().flatten().copied().fold(0.0, f64::max);
            (noisy(&clean, photons, seed), Noise::Counts { photons, read: 1.0 })
        }
    };
    let values = frames.into_iter().flatten().map(|value| value as f32).collect();
    Exposures {
        optics,
        centres,
        frames: Arc::new(InMemory { pixels: n * n, values }),
        noise,
        good: None,
        known: Knowledge { support: Some([side, side]), real: true, bounds: Some([0.0, 1.0]) },
        lights: None,
    }
}

/// Sets of bars on nothing, `n / 2` places wide in a field of `n`: parts that hardly know of one another.
fn bars(n: usize, seed: u64) -> Plane {
    let mut rng = Stream::new(seed, "bars of the tests").rng();
    let mut uniform = |low: f64, high: f64| low + (high - low) * rng.random::<f64>();
    let side = n / 2;
    let mut image = vec![0.0; side * side];
    for _ in 0..5 {
        let [top, left] = [0, 1].map(|_| uniform(0.0, (side - 7) as f64) as usize);
        let (width, height, across) = (uniform(1.0, 3.0) as usize, uniform(0.5, 1.0), uniform(0.0, 1.0) < 0.5);
        for (row, column) in (0..49).map(|place| (place / 7, place % 7)) {
            let along = if across { row } else { column };
            image[(top + row) * side + left + column] = if along / width % 2 == 1 { height } else { 0.0 };
        }
    }
    let image = image.into_iter().map(|value| Complex::new(value, 0.0)).collect();
    Plane::new(side, side, image).unwrap().padded(n, n).unwrap()
}

fn noisy(clean: &[Vec<f64>], photons: f64, seed: u64) -> Vec<Vec<f64>> {
    let stream = Stream::new(seed, "noise of the tests");
    let each = |(index, frame): (usize, &Vec<f64>)| {
        let (mut rng, mut read) = (stream.child(2 * index as u64).rng(), vec![0.0; frame.len()]);
        stream.child(2 * index as u64 + 1).fill_normal_f64(&mut read);
        let count = |value: f64, rng: &mut cupel_data::StreamRng| {
            Poisson::new((value * photons).max(1e-9)).unwrap().sample(rng)
        };
        frame.iter().zip(read).map(|(value, read)| (count(*value, &mut rng) + read) / photons).collect()
    };
    clean.iter().enumerate().map(each).collect()
}

fn rms(one: &Plane, other: &Plane) -> f64 {
    let sum: f64 = one.values().iter().zip(other.values()).map(|(a, b)| (a - b).norm_sqr()).sum();
    (sum / one.values().len() as f64).sqrt()
}

const UNITS: Units = Units { object: 0.7, pupils: 1.3, shifts: 0.5, flux: 0.9, background: 0.01 };
const ALL: Free = Free { object: true, pupils: true, shifts: true, flux: true, background: true };

/// Derivatives along random directions of each kind of parameter, in f64, against differences.
#[test]
fn derivatives_of_every_parameter_are_those_of_the_value() {
    let device = Device::flex();
    for geometry in [Geometry::Spectrum, Geometry::Object] {
        for noise in [Noise::Unknown, Noise::Counts { photons: 2000.0, read: 1.5 }] {
            for real in [false, true] {
                let optics = optics(geometry, 24, 20, true);
                let object = Plane::from_fn(24, 24, |r, c| {
                    Complex::from_polar(0.5 + 0.3 * ((r * c) as f64).sin(), if real { 0.0 } else { 0.2 * r as f64 })
                });
                let centres = vec![[0.3, -0.2], [4.0, 3.4], [-5.2, 2.0], [1.0, -6.0]];
                let values = (0..4 * 400).map(|i| 0.05 + 0.04 * (i as f32 * 0.7).sin()).collect();
                let exposures = Exposures {
                    optics,
                    centres,
                    noise,
                    good: Some((0..400).map(|i| i % 7 != 3).collect()),
                    frames: Arc::new(InMemory { pixels: 400, values }),
                    known: Knowledge { support: Some([16, 18]), real, bounds: None },
                    lights: None,
                };
                let mut model = Model::new(&exposures, object).unwrap();
                model.shifts = vec![[0.1, 0.2], [-0.3, 0.0], [0.2, -0.1], [0.0, 0.4]];
                model.flux = vec![1.1, 0.9, 1.0, 1.2];
                model.background = vec![0.01, 0.02, 0.005, 0.01];
                for free in [
                    Free::OBJECT,
                    Free { object: false, pupils: true, ..Free::OBJECT },
                    Free { object: false, shifts: true, ..Free::OBJECT },
                    Free { object: false, flux: true, ..Free::OBJECT },
                    Free { object: false, background: true, ..Free::OBJECT },
                    ALL,
                ] {
                    let which = vec![0, 1, 3];
                    let mut misfit =
                        Misfit::new(&exposures, which, model.clone(), free, UNITS, 0.05, (&device, DType::F64))
                            .unwrap();
                    let x = misfit.start();
                    assert_eq!(x.len(), misfit.len());
                    let (mut gradient, mut direction, mut unused) =
                        (vec![0.0; x.len()], vec![0.0; x.len()], vec![0.0; x.len()]);
                    misfit.value_and_gradient(&x, &mut gradient).unwrap();
                    Stream::new(3, "direction").fill_normal_f64(&mut direction);
                    let mut along = |step: f64| {
                        let place: Vec<f64> = x.iter().zip(&direction).map(|(x, d)| x + step * d).collect();
                        misfit.value_and_gradient(&place, &mut unused).unwrap()
                    };
                    let step = 1e-6;
                    let difference = (along(step) - along(-step)) / (2.0 * step);
                    let said: f64 = gradient.iter().zip(&direction).map(|(g, d)| g * d).sum();
                    let size = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
                    assert!(size > 0.0);
                    assert!(
                        (difference - said).abs() < 2e-6 * size.max(said.abs()),
                        "{geometry:?} {noise:?} real {real} {free:?}: {difference} for {said}"
                    );
                }
            }
        }
    }
}

/// The misfit of the truth to its own frames is nought, in both geometries, and a reduced detector loses nothing.
#[test]
fn what_was_computed_by_the_equation_fits() {
    let device = Device::flex();
    for (geometry, n, d) in [(Geometry::Spectrum, 32, 32), (Geometry::Spectrum, 33, 26), (Geometry::Object, 30, 28)] {
        for soft in [false, true] {
            let optics = optics(geometry, n, d, soft);
            let object = Plane::from_fn(n, n, |r, c| {
                Complex::from_polar(1.0 + (r as f64 * 0.4).sin() * 0.5, (c as f64 * 0.3).cos())
            });
            let centres = vec![[0.0, 0.0], [5.0, -3.0], [-9.0, 2.0]];
            let values: Vec<f32> = frames(&optics, &object, &centres).into_iter().flatten().map(|v| v as f32).collect();
            let brightness: f64 = values.iter().map(|v| f64::from(*v)).sum();
            let exposures = |noise, centres: Vec<[f64; 2]>| Exposures {
                optics: optics.clone(),
                centres,
                noise,
                good: None,
                known: Knowledge::default(),
                frames: Arc::new(InMemory { pixels: d * d, values: values.clone() }),
                lights: None,
            };
            for noise in [Noise::None, Noise::Unknown] {
                let of = exposures(noise, centres.clone());
                let model = Model::new(&of, object.clone()).unwrap();
                let misfit =
                    Misfit::new(&of, vec![0, 1, 2], model.clone(), Free::OBJECT, UNITS, 0.0, (&device, DType::F64))
                        .unwrap();
                let losses = misfit.losses(&model).unwrap();
                assert!(
                    losses.iter().sum::<f64>() < 1e-8 * brightness,
                    "{geometry:?} {n} {soft} {noise:?}: {losses:?}"
                );
            }
            // centres said half a place away, and shifts that put them right
            let off = centres.iter().map(|[y, x]| [y + 0.5, x - 0.25]).collect();
            let of = exposures(Noise::Unknown, off);
            let mut model = Model::new(&of, object.clone()).unwrap();
            let apart = |model: &Model| {
                let misfit =
                    Misfit::new(&of, vec![0, 1, 2], model.clone(), Free::OBJECT, UNITS, 0.0, (&device, DType::F64))
                        .unwrap();
                misfit.losses(model).unwrap().iter().sum::<f64>() / brightness
            };
            assert!(apart(&model) > 1e-4);
            model.shifts = vec![[-0.5, 0.25]; 3];
            assert!(apart(&model) < 1e-8);
        }
    }
}

#[test]
fn objects_without_noise_are_found() {
    for seed in 0..2 {
        let (exposures, truth) = seen(48, seed, None);
        let config = ReconstructionConfig { certificate: false, ..Default::default() };
        let found =
            reconstruct(&exposures, &config, 1, (&Device::flex(), &Casting::f32()), &mut Run::in_memory()).unwrap();
        let error = rms(&found.model.object, &truth);
        assert!(error < 0.01, "object {seed}: {error}");
        assert!(found.certificate.held_out_r.unwrap() < 0.05 && found.certificate.r < 1e-3);
        assert_eq!(found.prior_weight, Some(1e-6));
    }
}

/// On noise that was never seen the chosen prior foretells at least as well as none, and comes nearer to the truth.
#[test]
fn the_chosen_prior_is_no_worse_than_none() {
    let device = Device::flex();
    for (seed, photons) in [(0, 3e3), (1, 3e4), (2, 3e5)] {
        let (exposures, truth) = seen(48, seed, Some(photons));
        let config = ReconstructionConfig { certificate: false, ..Default::default() };
        let with = reconstruct(&exposures, &config, 1, (&device, &Casting::f32()), &mut Run::in_memory()).unwrap();
        let config = ReconstructionConfig { prior_weight: Some(0.0), ..config };
        let without = reconstruct(&exposures, &config, 1, (&device, &Casting::f32()), &mut Run::in_memory()).unwrap();
        let Noise::Counts { photons, .. } = exposures.noise else { unreachable!() };
        let clean = frames(&exposures.optics, &truth, &exposures.centres);
        let fresh = Exposures {
            frames: Arc::new(InMemory {
                pixels: 48 * 48,
                values: noisy(&clean, photons, seed + 1000).into_iter().flatten().map(|v| v as f32).collect(),
            }),
            ..exposures.clone()
        };
        let which: Vec<usize> = (0..fresh.centres.len()).collect();
        let misfit =
            Misfit::new(&fresh, which, with.model.clone(), Free::OBJECT, UNITS, 0.0, (&device, DType::F32)).unwrap();
        let deviance = |model: &Model| misfit.losses(model).unwrap().iter().sum::<f64>();
        // half the deviance of n pixels varies by about sqrt(n / 2)
        let spread = (fresh.centres.len() as f64 * 48.0 * 48.0 / 2.0).sqrt();
        let (a, b) = (deviance(&with.model), deviance(&without.model));
        assert!(a < b + spread, "{seed}: {a} with, {b} without");
        let (a, b) = (rms(&with.model.object, &truth), rms(&without.model.object, &truth));
        assert!(a < b, "{seed}: errors of {a} with, {b} without");
        let chi2 = with.certificate.chi2_per_dof.unwrap();
        assert!((0.95..1.05).contains(&chi2), "{seed}: chi2 of {chi2}");
    }
}

#[test]
fn wrong_noise_shows_in_chi2() {
    let (mut exposures, _) = seen(48, 4, Some(1e4));
    let Noise::Counts { photons, read } = exposures.noise else { unreachable!() };
    exposures.noise = Noise::Counts { photons: 2.0 * photons, read };
    let config = ReconstructionConfig { certificate: false, ..Default::default() };
    let found = reconstruct(&exposures, &config, 1, (&Device::flex(), &Casting::f32()), &mut Run::in_memory()).unwrap();
    assert!(found.certificate.chi2_per_dof.unwrap() > 1.3);
    // every start leads there: the noise is wrong, not the object, and not all starts are tried
    assert!((2..=5).contains(&found.starts), "{} starts", found.starts);
}

/// Of sparse objects some searches end in a minimum that is not the deepest; chi2 tells, and another start mends it.
#[test]
fn another_start_finds_what_the_first_missed() {
    let device = Device::flex();
    let mut mended = 0;
    for seed in 0..7 {
        let truth = bars(48, seed);
        let exposures = exposed(&truth, seed, Some(1e5));
        let run = |restarts| {
            let config = ReconstructionConfig { certificate: false, restarts, ..Default::default() };
            reconstruct(&exposures, &config, 1, (&device, &Casting::f32()), &mut Run::in_memory()).unwrap()
        };
        let (once, found) = (run(0), run(10));
        let chi2 = |found: &Reconstruction| found.certificate.chi2_per_dof.unwrap();
        if chi2(&once) < 1.2 {
            assert_eq!((found.starts, &found.model), (1, &once.model), "{seed}");
            continue;
        }
        mended += 1;
        assert!(found.starts > 1 && chi2(&found) < 1.1, "{seed}: {} starts, chi2 {}", found.starts, chi2(&found));
        assert!(rms(&found.model.object, &truth) < 0.1 * rms(&once.model.object, &truth), "{seed}");
    }
    assert!(mended > 0, "no first search went wrong");
}

/// Without noise, and with too few exposures to foretell any, nothing is known to err.
#[test]
fn intervals_of_what_cannot_err_are_nought() {
    let exposures = seen(48, 1, None).0.only(&[0, 1, 2, 3, 4, 5]);
    let (config, casting) = (ReconstructionConfig::default(), Casting::f32());
    let found = reconstruct(&exposures, &config, 1, (&Device::flex(), &casting), &mut Run::in_memory()).unwrap();
    assert_eq!(found.certificate.interval.unwrap(), vec![0.0; 48 * 48]);
}

/// 90 % intervals hold about as much of the truth, over objects of the tests' own.
#[test]
fn intervals_hold_what_they_say() {
    let (mut inside, mut all) = (0, 0);
    for seed in 10..13 {
        let (exposures, truth) = seen(48, seed, Some(1e5));
        let found = reconstruct(
            &exposures,
            &ReconstructionConfig::default(),
            1,
            (&Device::flex(), &Casting::f32()),
            &mut Run::in_memory(),
        )
        .unwrap();
        let interval = found.certificate.interval.unwrap();
        let inner = |place: &usize| (12..36).contains(&(place / 48)) && (12..36).contains(&(place % 48));
        for place in (0..48 * 48).filter(inner) {
            let error = (found.model.object.values()[place].re - truth.values()[place].re).abs();
            all += 1;
            inside += usize::from(error <= interval[place]);
        }
        assert!(interval[..12 * 48].iter().all(|half| *half == 0.0));
        assert!(found.certificate.correlation.unwrap().resolution_px(cupel_prism::metrics::Threshold::Seventh) < 6.0);
    }
    let share = f64::from(inside as u32) / f64::from(all as u32);
    assert!((0.82..0.98).contains(&share), "{share}");
}

#[test]
fn a_reconstruction_that_was_cut_off_goes_on_to_the_same_bits() {
    let device = Device::flex();
    let (exposures, _) = seen(48, 7, Some(1e4));
    let config = ReconstructionConfig { iterations: Some(12), certificate: false, ..Default::default() };
    let whole = reconstruct(&exposures, &config, 5, (&device, &Casting::f32()), &mut Run::in_memory()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    // within the first weight, between weights, within the last fit
    for stop in [3, 20, 41, whole.curve.len() as u64 - 5] {
        let dir = folder.path().join(stop.to_string());
        let is = Description::new("prism").settings(&config).unwrap();
        let mut search = Search::new(&exposures, &config, 5, (&device, DType::F32)).unwrap();
        let mut run = Run::open(&dir, &is, Opening::Create).unwrap().run().unwrap();
        run.set_quiet(true);
        assert!(
            run.drive(&mut CutOff { work: &mut search, after: stop }, &Policy { save_every: Some(1), keep: 2 })
                .is_err()
        );
        drop(run);
        let mut run = Run::open(&dir, &is, Opening::Resume { strict: true }).unwrap().run().unwrap();
        run.set_quiet(true);
        let resumed = reconstruct(&exposures, &config, 5, (&device, &Casting::f32()), &mut run).unwrap();
        assert_eq!(resumed.model, whole.model, "cut off after {stop}");
        assert_eq!(resumed.tried, whole.tried);
    }
}

#[test]
fn what_cannot_be_is_refused_with_its_place() {
    let device = Device::flex();
    let (good, _) = seen(48, 1, Some(1e4));
    let run = |exposures: &Exposures, config: &ReconstructionConfig| {
        reconstruct(exposures, config, 1, (&device, &Casting::f32()), &mut Run::in_memory())
            .map(|_| ())
            .unwrap_err()
            .to_string()
    };
    let config = ReconstructionConfig::default();
    let pixels = 48 * 48;
    let with = |change: fn(&mut Vec<f32>), noise| {
        let mut values: Vec<f32> =
            (0..good.centres.len()).flat_map(|index| good.frames.frame(index).unwrap()).collect();
        change(&mut values);
        Exposures { frames: Arc::new(InMemory { pixels, values }), noise, ..good.clone() }
    };
    assert!(
        run(&with(|values| values[5 * 2304 + 100] = f32::NAN, good.noise), &config)
            .contains("frame 5, row 2, column 4")
    );
    assert!(run(&with(|values| values[7] = -1.0, Noise::Unknown), &config).contains("frame 0, row 0"));
    assert!(run(&with(|values| values.fill(0.0), Noise::Unknown), &config).contains("mean intensity"));
    assert!(
        run(&Exposures { centres: good.centres[1..].to_vec(), ..good.clone() }, &config).contains("number of frames")
    );
    let mut settings = ReconstructionConfig::default();
    assert!(settings.set("held-out", "0.9").is_err());
    assert!(settings.set("held_owt", "0.1").unwrap_err().to_string().contains("held-out"));
    settings.set("solver", "lbfgs").unwrap();
    assert_eq!(settings.solver, Solver::Lbfgs);
}
