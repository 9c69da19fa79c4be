//! The mixture model: that it finds what was mixed, that its intervals hold what they claim, and that stopping changes no bit.

use std::path::Path;

use burn::tensor::Device;
use cupel_data::Stream;
use cupel_train::{
    Advance, Casting, Checkpoint, Opening, Policy, Position, Run, Stamp, Trainer, TrainerConfig,
    checks::{self, Subject},
    device,
};
use cupel_unmixing::{
    Abundances, Agreement, Alternative, Compat, Convention, Endmembers, Extracted, Family, Guide, Inference, Method,
    Mixture, MixtureConfig, NoiseModel, Nuts, Pixels, Posterior, Recipe, Regime, Start, Unmixed, Unmixing,
    UnmixingConfig, Variational, VariationalConfig, VariationalModel, dirichlet, mix, smooth_endmembers,
    spectral_angle,
};

use super::samples::{brightened, extract, open_run, uniform, with_threads};

/// A scene of which a third of the abundances are nought and some pixels are pure, as in scenes that people labelled.
fn scene(endmembers: usize, side: usize, snr_db: f64, seed: u64) -> (Pixels, Endmembers, Abundances) {
    let stream = Stream::new(seed, "mixture test");
    let spectra = smooth_endmembers(endmembers, 60, stream.child(0)).unwrap();
    let mixed = dirichlet(side * side, endmembers, 1.0, stream.child(1)).unwrap();
    let absent = uniform(stream.child(2), side * side * endmembers);
    let values = mixed.values().iter().zip(absent).map(|(a, u)| if u < 0.4 { 1e-12 * a } else { *a }).collect();
    let abundances = Abundances::new(values, endmembers).unwrap().closed();
    (mix(&spectra, &abundances, snr_db, stream.child(3)).unwrap(), spectra, abundances)
}

fn fitted(pixels: &Pixels, endmembers: usize, seed: u64) -> (Extracted, Mixture) {
    let extracted = extract(pixels, Method::Auto, endmembers, seed).unwrap();
    let mut mixture = Mixture::new(pixels, &extracted, seed).unwrap();
    Run::in_memory().drive(&mut mixture, &Policy::default()).unwrap();
    (extracted, mixture)
}

#[test]
fn it_improves_on_its_start_and_its_intervals_hold_the_truth() {
    for (endmembers, snr_db) in [(2, 30.0), (3, 20.0), (3, 30.0), (3, 40.0), (4, 30.0)] {
        let (mut before, mut after, mut coverage, mut width, mut errors) = (0.0, 0.0, 0.0, 0.0, [0.0; 2]);
        for seed in 1..=3 {
            let (pixels, truth, abundances) = scene(endmembers, 40, snr_db, seed);
            let (extracted, mixture) = fitted(&pixels, endmembers, seed);
            assert_eq!(mixture.regime(), Regime::Even);
            let (found, posterior) = mixture.finish().unwrap();
            let agreement = Agreement::of(&found, &truth).unwrap();
            before += Agreement::of(&extracted.endmembers, &truth).unwrap().mean_sad_rad / 3.0;
            after += agreement.mean_sad_rad / 3.0;
            coverage += posterior.coverage(&abundances, &agreement.order).unwrap() / 3.0;
            width += posterior.mean_width() / 3.0;
            let fcls = Abundances::solve(&pixels, &found, Convention::Fcls).unwrap();
            for (error, estimate) in errors.iter_mut().zip([&posterior.abundances, &fcls]) {
                *error += agreement.abundance_errors(estimate, &abundances).unwrap().overall / 3.0;
            }
            assert!(posterior.lower.iter().zip(&posterior.upper).all(|(l, u)| 0.0 <= *l && l <= u && *u <= 1.0));
        }
        println!(
            "{endmembers} at {snr_db} dB: {before:.4} -> {after:.4} rad, abundances {:.4} (fcls {:.4}), coverage {coverage:.3}, width {width:.3}",
            errors[0], errors[1]
        );
        assert!(after <= before, "{endmembers} at {snr_db} dB: {before} -> {after}");
        assert!(errors[0] <= errors[1], "{endmembers} at {snr_db} dB: {errors:?}");
        // the model is right here, which no interval can know: nearly all hold, and they are narrow, but for those of a line of mixtures, which may
        // go on beyond its pixels
        let widest = if endmembers == 2 { 0.35 } else { 0.2 };
        assert!(coverage >= 0.86 && width <= widest, "{endmembers} at {snr_db} dB: {coverage}, {width}");
    }
}

/// Nothing in a line of mixtures says that it goes on beyond its pixels, and all extractors end with them.
#[test]
fn intervals_of_two_materials_hold_though_no_pixel_is_pure() {
    for purest in [0.9, 0.8, 0.65] {
        let (mut held, mut width) = (0.0, 0.0);
        for seed in 1..=3 {
            let stream = Stream::new(seed, "nowhere pure");
            let spectra = smooth_endmembers(2, 60, stream.child(0)).unwrap();
            let shares = dirichlet(1600, 2, 0.6, stream.child(1)).unwrap();
            let values = shares.values().iter().map(|share| share.clamp(1.0 - purest, purest)).collect();
            let abundances = Abundances::new(values, 2).unwrap();
            let pixels = mix(&spectra, &abundances, 35.0, stream.child(2)).unwrap();
            let (found, posterior) = fitted(&pixels, 2, seed).1.finish().unwrap();
            let agreement = Agreement::of(&found, &spectra).unwrap();
            held += posterior.coverage(&abundances, &agreement.order).unwrap() / 3.0;
            width += posterior.mean_width() / 3.0;
        }
        println!("at most {purest}: {held:.3} held, {width:.3} wide");
        assert!(held >= 0.8 && width <= 0.45, "{purest}: {held}, {width}");
    }
}

/// The fit by tensors is that of the host, but for rounding, on every device of this build: in noise of any strength, under light that varies, where
/// materials vary.
#[test]
fn posteriors_by_tensors_are_those_of_the_host() {
    let devices: Vec<Device> = device::compiled().filter_map(|name| Some(device::select(name).ok()?.device)).collect();
    assert!(!devices.is_empty());
    let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let made = [(2, 30.0), (3, 15.0), (3, 50.0), (4, 30.0), (5, 25.0)];
    let made = made.into_iter().map(|(endmembers, snr_db)| (endmembers, scene(endmembers, 24, snr_db, 7).0));
    let of_families = [Family::Lit, Family::Deviating, Family::UnevenNoise].into_iter().map(|family| {
        let recipe = (3000..).map(|index| Recipe::new(family, index)).find(|recipe| recipe.endmembers == 3).unwrap();
        (3, recipe.scene(&[]).unwrap().image.pixels().clone())
    });
    for (endmembers, pixels) in made.chain(of_families) {
        let extracted = extract(&pixels, Method::Auto, endmembers, 1).unwrap();
        let fit = |mut mixture: Mixture| {
            Run::in_memory().drive(&mut mixture, &Policy::default()).unwrap();
            mixture.finish().unwrap()
        };
        let mixture = || Mixture::new(&pixels, &extracted, 1).unwrap();
        let (found, posterior) = fit(mixture());
        for device in &devices {
            let (other, also) = fit(mixture().by_tensors(device));
            let turn = found.spectra().zip(other.spectra()).map(|(a, b)| spectral_angle(a, b)).fold(0.0, f64::max);
            let shares = apart(posterior.abundances.values(), also.abundances.values());
            let ends = apart(&posterior.lower, &also.lower).max(apart(&posterior.upper, &also.upper));
            let evidence = (posterior.ln_evidence - also.ln_evidence).abs();
            let what = format!("{endmembers}, {:?}: {turn:e} rad, {shares:e}, {ends:e}, {evidence:e}", also.regime);
            println!("{what}");
            assert!(turn < 1e-5 && shares < 1e-4 && ends < 1e-4 && evidence < 1e-3, "{what}");
        }
    }
}

/// One extractor alone says nothing of what the scene leaves open; the errors that the model knows of are not made less for it.
#[test]
fn intervals_after_a_single_extractor_are_those_of_the_model() {
    let mut held = 0.0;
    for seed in 1..=3 {
        let (pixels, truth, abundances) = scene(3, 40, 20.0, seed);
        let extracted = extract(&pixels, Method::Vca, 3, seed).unwrap();
        assert!(extracted.alternatives.is_empty());
        let mut mixture = Mixture::new(&pixels, &extracted, seed).unwrap();
        Run::in_memory().drive(&mut mixture, &Policy::default()).unwrap();
        let (found, posterior) = mixture.finish().unwrap();
        let order = Agreement::of(&found, &truth).unwrap().order;
        held += posterior.coverage(&abundances, &order).unwrap() / 3.0;
    }
    assert!(held >= 0.86, "{held}");
}

#[test]
fn light_that_varies_is_recognised_and_takes_no_part() {
    let (pixels, truth, abundances) = scene(3, 40, f64::INFINITY, 4);
    let light = uniform(Stream::new(4, "light"), pixels.count());
    let lit = brightened(&pixels, |n| 0.3 + 0.7 * light[n]);
    let mut noise = vec![0.0f32; lit.values().len()];
    Stream::new(4, "noise").fill_normal(&mut noise);
    let noisy = lit.values().iter().zip(noise).map(|(v, n)| v + 0.004 * n).collect::<Vec<f32>>();
    let pixels = Pixels::new(noisy.into(), pixels.bands()).unwrap();
    let (extracted, mixture) = fitted(&pixels, 3, 4);
    assert_eq!(mixture.regime(), Regime::Lit);
    let (found, posterior) = mixture.finish().unwrap();
    let agreement = Agreement::of(&found, &truth).unwrap();
    let before = Agreement::of(&extracted.endmembers, &truth).unwrap().mean_sad_rad;
    println!("{before:.4} -> {:.4} rad", agreement.mean_sad_rad);
    assert!(agreement.mean_sad_rad <= before);
    let fit = agreement.abundance_errors(&posterior.abundances, &abundances).unwrap().overall;
    assert!(fit < 0.1, "{fit}");
}

/// Noise that differs between bands is still nothing but noise.
#[test]
fn bands_count_by_their_noise() {
    let (mut before, mut after) = (0.0, 0.0);
    for seed in 1..=4 {
        let (pixels, truth, _) = scene(3, 40, f64::INFINITY, seed);
        let levels = uniform(Stream::new(seed, "levels"), pixels.bands());
        let mut noise = vec![0.0f32; pixels.values().len()];
        Stream::new(seed, "noise of bands").fill_normal(&mut noise);
        // from a thousandth to a tenth of the largest value
        let level = |band: usize| 1e-3 * 10f64.powf(2.0 * levels[band]) as f32;
        let noisy =
            pixels.values().iter().zip(noise).enumerate().map(|(at, (v, n))| v + level(at % pixels.bands()) * n);
        let pixels = Pixels::new(noisy.collect::<Vec<f32>>().into(), pixels.bands()).unwrap();
        let (extracted, mixture) = fitted(&pixels, 3, seed);
        assert_eq!(mixture.regime(), Regime::Even);
        before += Agreement::of(&extracted.endmembers, &truth).unwrap().mean_sad_rad;
        after += Agreement::of(&mixture.finish().unwrap().0, &truth).unwrap().mean_sad_rad;
    }
    println!("{before:.4} -> {after:.4} rad");
    assert!(after < 0.9 * before, "{before} -> {after}");
}

/// Where all extractors nearly agree, a likelihood may not lead far from them.
#[test]
fn no_endmember_turns_further_than_extractors_leave_open() {
    let (pixels, _, _) = scene(3, 40, 20.0, 2);
    let extracted = extract(&pixels, Method::Vca, 3, 2).unwrap();
    let start = &extracted.endmembers;
    let other = Endmembers::new(start.values().iter().map(|v| v + 1e-4).collect(), start.bands()).unwrap();
    let turns = |extracted: &Extracted| -> Vec<f64> {
        let mut mixture = Mixture::new(&pixels, extracted, 2).unwrap();
        Run::in_memory().drive(&mut mixture, &Policy::default()).unwrap();
        let found = mixture.finish().unwrap().0;
        start.spectra().zip(found.spectra()).map(|(a, b)| spectral_angle(a, b)).collect()
    };
    let open: Vec<f64> = start.spectra().zip(other.spectra()).map(|(a, b)| spectral_angle(a, b)).collect();
    let free = turns(&extracted);
    let held =
        turns(&Extracted { alternatives: vec![Alternative { endmembers: other, weight: 1.0 }], ..extracted.clone() });
    assert!(free.iter().zip(&open).any(|(turn, open)| *turn > 4.0 * open), "{free:?} {open:?}");
    assert!(held.iter().zip(&open).all(|(turn, open)| *turn <= 2.01 * open), "{held:?} {open:?}");
}

#[test]
fn scenes_of_one_material_and_of_no_noise_are_no_trouble() {
    for (endmembers, snr_db) in [(1, 30.0), (2, f64::INFINITY), (3, f64::INFINITY)] {
        let (pixels, truth, _) = scene(endmembers, 15, snr_db, 5);
        let (found, posterior) = fitted(&pixels, endmembers, 5).1.finish().unwrap();
        let angle = Agreement::of(&found, &truth).unwrap().mean_sad_rad;
        assert!(angle < 0.2, "{endmembers} at {snr_db} dB: {angle}");
        for values in [&posterior.deviations, &posterior.lower, &posterior.upper, &posterior.endmember_errors] {
            assert!(values.iter().all(|v| v.is_finite()), "{endmembers} at {snr_db} dB");
        }
    }
}

#[test]
fn threads_change_no_bit() {
    let (pixels, ..) = scene(3, 25, 25.0, 6);
    let extracted = extract(&pixels, Method::Auto, 3, 6).unwrap();
    let run = |threads| {
        with_threads(threads, || {
            let mut mixture = Mixture::new(&pixels, &extracted, 6).unwrap();
            (0..5).for_each(|update| drop(mixture.advance(Position { update, ..Position::default() }).unwrap()));
            mixture.finish().unwrap()
        })
    };
    assert!(run(1) == run(2));
}

#[test]
fn a_fit_that_was_stopped_ends_as_one_that_was_not() {
    let (pixels, ..) = scene(3, 25, 25.0, 7);
    let extracted = extract(&pixels, Method::Auto, 3, 7).unwrap();
    let fresh = || Mixture::new(&pixels, &extracted, 7).unwrap();
    let go = |mixture: &mut Mixture, from: u64, to: u64| {
        (from..to).for_each(|update| drop(mixture.advance(Position { update, ..Position::default() }).unwrap()));
    };
    let mut whole = fresh();
    go(&mut whole, 0, 9);
    let mut first = fresh();
    go(&mut first, 0, 4);
    let folder = tempfile::tempdir().unwrap();
    let stamp =
        Stamp { at: Position { update: 4, ..Position::default() }, fingerprint: "x".into(), done: None, seconds: 0.0 };
    Checkpoint::write(folder.path(), stamp, |set| first.save(set)).unwrap();
    let mut second = fresh();
    second.load(Checkpoint::newest(folder.path(), true).unwrap().unwrap().reader()).unwrap();
    go(&mut second, 4, 9);
    assert!(whole.finish().unwrap() == second.finish().unwrap());
    assert_eq!(whole.fingerprint().unwrap(), second.fingerprint().unwrap());
}

fn cpu() -> Device {
    device::select("cpu").unwrap().device
}

fn start(pixels: &Pixels, truth: &Endmembers, brightness: bool) -> Start {
    let abundances = Abundances::solve(pixels, truth, Convention::Fcls).unwrap();
    Start {
        endmembers: truth.clone(),
        errors: None,
        wavelengths: None,
        deviations: vec![0.05; abundances.values().len()],
        brightness: brightness.then(|| (0..pixels.count()).map(|n| 0.8 + 0.05 * (n % 8) as f64).collect()),
        abundances,
        noise: 0.02,
    }
}

struct Checked(Variational, &'static str);

impl Subject for Checked {
    type Fit = Variational;

    fn name(&self) -> &str {
        self.1
    }

    fn model(&self, device: &Device) -> VariationalModel {
        self.0.model(device)
    }

    fn fit(&self) -> Variational {
        self.0.clone()
    }

    fn config(&self) -> TrainerConfig {
        TrainerConfig { log_every: 3, ..self.0.training(self.1.into(), 5) }
    }
}

#[test]
fn variational_inference_passes_the_checks_of_every_model() {
    let (pixels, truth, _) = scene(3, 12, 25.0, 8);
    let scratch = tempfile::tempdir().unwrap();
    for (name, guide, noise, batch_pixels) in [
        ("diagonal", Guide::Diagonal, NoiseModel::Scalar, None),
        ("minibatch", Guide::Diagonal, NoiseModel::Band, Some(40)),
        ("low-rank", Guide::LowRank, NoiseModel::LowRank, Some(40)),
        ("full", Guide::FullGlobals, NoiseModel::Full, None),
        ("amortised", Guide::Amortised, NoiseModel::Band, Some(40)),
    ] {
        let config = VariationalConfig {
            guide,
            noise,
            batch_pixels,
            steps: 20,
            smoothness: if name == "full" { 0.0 } else { 1.0 },
            minimum_volume: if name == "full" { 0.0 } else { 0.5 },
            ..MixtureConfig::default().variational(None)
        };
        let subject = Checked(Variational::new(&pixels, config, start(&pixels, &truth, true)).unwrap(), name);
        let _one = checks::exclusive();
        checks::every_parameter_gets_a_gradient(&subject, &cpu());
        checks::gradients_are_derivatives(&subject, &cpu());
        checks::weights_survive_files(&subject, &cpu(), scratch.path());
        checks::resumes_exactly(&subject, &cpu(), scratch.path());
    }
}

/// The bound of a minibatch is on average that of all pixels: local terms carry the number of pixels over those of the batch.
#[test]
fn minibatches_estimate_the_bound_of_all_pixels() {
    let (pixels, truth, _) = scene(3, 20, 25.0, 9);
    let mean = |batch_pixels: Option<usize>, count: u64| {
        let config = VariationalConfig {
            batch_pixels,
            steps: 20,
            learning_rate: 1e-12,
            ..MixtureConfig::default().variational(None)
        };
        let subject = Checked(Variational::new(&pixels, config, start(&pixels, &truth, true)).unwrap(), "bound");
        let _one = checks::exclusive();
        let mut trainer = checks::trainer(&subject, &cpu());
        let mut at = Position::default();
        for _ in 0..count {
            trainer.advance(at).unwrap();
            at = trainer.next(at);
        }
        trainer.history().epochs().iter().map(|e| e.metrics.get("loss").unwrap()).sum::<f64>()
            / trainer.history().epochs().len() as f64
    };
    let (all, some) = (mean(None, 20), mean(Some(50), 200));
    assert!((all - some).abs() < 0.05 * all.abs(), "{all} {some}");
}

fn unmix(pixels: &Pixels, mixture: MixtureConfig, steps: u64, out: &Path) -> Unmixed {
    let config = UnmixingConfig {
        method: Method::Pmm,
        abundance: Convention::Own,
        mixture,
        steps: Some(steps),
        seed: 3,
        ..UnmixingConfig::new(3)
    };
    let mut run = open_run(out, &mixture, Opening::Create);
    let axes = cupel_data::Axes::new(vec![
        cupel_data::Axis::new(cupel_data::AxisKind::Sample, pixels.count()),
        cupel_data::Axis::new(cupel_data::AxisKind::Wavelength, pixels.bands()),
    ]);
    let cube = cupel_data::Cube::new(pixels.values().to_vec(), axes.unwrap()).unwrap();
    let unmixing = Unmixing::new(config).on(&cpu(), Casting::f32());
    unmixing.fit(&cube, &mut run, &Policy::default()).unwrap()
}

#[test]
fn every_inference_unmixes() {
    let (pixels, truth, abundances) = scene(3, 20, 30.0, 10);
    let scratch = tempfile::tempdir().unwrap();
    let svi = MixtureConfig { inference: Inference::Svi, ..MixtureConfig::default() };
    for (name, mixture, most) in [
        ("laplace", MixtureConfig::default(), 0.02),
        ("fraction", MixtureConfig { pixel_fraction: 0.5, ..MixtureConfig::default() }, 0.03),
        ("svi", MixtureConfig { save_samples: true, ..svi }, 0.05),
        ("svi-fraction", MixtureConfig { pixel_fraction: 0.5, batch_pixels: Some(50), ..svi }, 0.05),
        ("nuts", MixtureConfig { inference: Inference::Nuts, ..MixtureConfig::default() }, 0.02),
        ("brief", MixtureConfig { compat: Some(Compat::Brief), ..MixtureConfig::default() }, 0.3),
    ] {
        let _one = checks::exclusive();
        let unmixed = unmix(&pixels, mixture, 100, &scratch.path().join(name));
        let agreement = Agreement::of(&unmixed.endmembers, &truth).unwrap();
        let posterior: &Posterior = unmixed.posterior.as_ref().unwrap();
        let error = agreement.abundance_errors(&posterior.abundances, &abundances).unwrap().overall;
        println!("{name}: {:.4} rad, abundances {error:.4}", agreement.mean_sad_rad);
        assert!(agreement.mean_sad_rad < most && error < 2.0 * most, "{name}: {} {error}", agreement.mean_sad_rad);
        let samples = unmixed.samples.as_ref().map(Vec::len);
        assert_eq!(samples, (name == "svi").then_some(50 * pixels.count() * 3));
    }
}

/// The errors of the closed form against draws from the posterior.
#[test]
fn draws_agree_with_the_closed_form() {
    let (pixels, truth, _) = scene(3, 20, 25.0, 11);
    let (_, mixture) = fitted(&pixels, 3, 11);
    let mut sampler = Nuts::new(&mixture, 150, 11).unwrap();
    Run::in_memory().drive(&mut sampler, &Policy::default()).unwrap();
    let draws = sampler.draws().to_vec();
    let (found, closed) = mixture.finish().unwrap();
    let (drawn, sampled) = mixture.finish_with(&draws).unwrap();
    let angle = Agreement::of(&drawn, &found).unwrap().mean_sad_rad;
    let error = Agreement::of(&found, &truth).unwrap().mean_sad_rad;
    let root_mean_square = |p: &Posterior| {
        (p.endmember_errors.iter().map(|e| e * e).sum::<f64>() / p.endmember_errors.len() as f64).sqrt()
    };
    let ratio = root_mean_square(&sampled) / root_mean_square(&closed);
    println!(
        "mean of the draws {angle:.4} rad from the fit, which is {error:.4} rad from the truth; errors {ratio:.2} times"
    );
    assert!(angle <= 2.0 * error.max(0.002), "{angle} {error}");
    assert!((0.7..3.0).contains(&ratio), "{ratio}");
}

/// A fit with free endmembers from where the closed form ends, under these weights of their priors.
fn freed(pixels: &Pixels, extracted: &Mixture, smoothness: f64, minimum_volume: f64, steps: u64) -> Endmembers {
    let (endmembers, posterior) = extracted.finish().unwrap();
    let start = Start {
        errors: Some(posterior.endmember_errors.clone()),
        wavelengths: None,
        abundances: posterior.abundances.clone(),
        deviations: posterior.deviations.clone(),
        brightness: None,
        noise: extracted.noise(),
        endmembers,
    };
    let settings = MixtureConfig {
        free_endmembers: true,
        smoothness: Some(smoothness),
        minimum_volume: Some(minimum_volume),
        ..MixtureConfig::default()
    };
    let fit = Variational::new(pixels, settings.variational(Some(steps)), start).unwrap();
    let _one = checks::exclusive();
    let (model, training) = (fit.model(&cpu().autodiff()), fit.training("free".into(), 1));
    let mut trainer = Trainer::new(fit, model, training, Casting::f32(), &cpu()).unwrap();
    Run::in_memory().drive(&mut trainer, &Policy::default()).unwrap();
    let model = trainer.best();
    trainer.into_fit().finish(&model, &cpu(), 50, 1).unwrap().endmembers
}

/// Mean angle to the truth over three scenes of 625 pixels, of free endmembers under each of these weights of smoothness and volume.
fn angles_when_free(abundances: impl Fn(Stream) -> Abundances, snr_db: f64, weights: &[[f64; 2]]) -> Vec<f64> {
    let mut sums = vec![0.0; weights.len()];
    for seed in 1..=3 {
        let stream = Stream::new(seed, "free endmembers");
        let truth = smooth_endmembers(3, 60, stream.child(0)).unwrap();
        let pixels = mix(&truth, &abundances(stream.child(1)), snr_db, stream.child(3)).unwrap();
        let (_, mixture) = fitted(&pixels, 3, seed);
        for (sum, [smoothness, volume]) in sums.iter_mut().zip(weights) {
            let found = freed(&pixels, &mixture, *smoothness, *volume, 400);
            *sum += Agreement::of(&found, &truth).unwrap().mean_sad_rad / 3.0;
        }
    }
    for (weights, angle) in weights.iter().zip(&sums) {
        println!("smoothness and volume {weights:?} at {snr_db} dB: {angle:.4} rad");
    }
    sums
}

/// Where no pixel is pure, nothing but a prior says how large the simplex is.
#[test]
fn a_prior_of_the_volume_makes_the_simplex_smaller_where_no_pixel_is_pure() {
    let stream = Stream::new(1, "free endmembers");
    let truth = smooth_endmembers(3, 60, stream.child(0)).unwrap();
    let all = dirichlet(6000, 3, 1.0, stream.child(1)).unwrap();
    let kept = all.rows().filter(|row| row.iter().all(|w| *w <= 0.7)).take(625);
    let impure = Abundances::new(kept.flatten().copied().collect(), 3).unwrap();
    let pixels = mix(&truth, &impure, 30.0, stream.child(3)).unwrap();
    let (_, mixture) = fitted(&pixels, 3, 1);
    let area = |volume: f64| {
        let found = freed(&pixels, &mixture, 0.0, volume, 400);
        let edge = |k: usize| found.spectrum(k).iter().zip(found.spectrum(2)).map(|(a, b)| a - b).collect::<Vec<_>>();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let (a, b) = (edge(0), edge(1));
        (dot(&a, &a) * dot(&b, &b) - dot(&a, &b).powi(2)).sqrt()
    };
    let (without, with) = (area(0.0), area(1.0));
    assert!(with < 0.99 * without, "{without} {with}");
}

#[test]
fn smooth_endmembers_are_nearer_to_the_truth_in_noise() {
    let mixed = |stream| dirichlet(625, 3, 1.0, stream).unwrap();
    let angles = angles_when_free(mixed, 10.0, &[[0.0, 0.0], [0.3, 0.0]]);
    assert!(angles[1] < angles[0], "{angles:?}");
}
