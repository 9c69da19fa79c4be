//! Networks that unmix: the checks that every model of this workspace passes, the laws of their results, and a scene each must solve.

use burn::tensor::Device;
use cupel_data::{Axes, Axis, AxisKind, Cube, Stream};
use cupel_train::{
    Casting, Opening, Policy, Run, TrainerConfig,
    checks::{self, Subject, exclusive},
    device,
};
use cupel_unmixing::{
    Agreement, Cnnaeu, Convention, Deeptrans, Error, Extraction, ExtractionConfig, Image, LinearAutoencoder, Method,
    Misicnet, Network, Unmixed, Unmixing, UnmixingConfig,
};

use super::samples::{Known, image, open_run, with_threads};

const NETWORKS: [Method; 4] = [Method::LinearAe, Method::Cnnaeu, Method::Misicnet, Method::Deeptrans];

fn cpu() -> Device {
    device::select("cpu").unwrap().device
}

/// A network as a subject of the list of checks.
struct Checked<N> {
    network: N,
    overfit_share: f64,
}

impl<N: Network + Clone> Subject for Checked<N> {
    type Fit = N;

    fn name(&self) -> &str {
        N::METHOD.name()
    }

    fn model(&self, device: &Device) -> N::Model {
        self.network.model(device)
    }

    fn fit(&self) -> N {
        self.network.clone()
    }

    fn config(&self) -> TrainerConfig {
        TrainerConfig { log_every: 3, ..self.network.training(5, None) }
    }

    fn overfit_share(&self) -> f64 {
        self.overfit_share
    }
}

fn passes_every_check<N: Network + Clone>(network: N, overfit_share: f64) {
    let scratch = tempfile::tempdir().unwrap();
    checks::all(&Checked { network, overfit_share }, &cpu(), scratch.path());
}

fn small() -> (Image, Known) {
    image(12, 14, 3, 24, 30.0, Stream::new(21, "networks"))
}

fn cube(image: &Image) -> Cube<f32> {
    let (rows, columns, bands) = (image.rows(), image.columns(), image.pixels().bands());
    let axes = [(AxisKind::Row, rows), (AxisKind::Column, columns), (AxisKind::Wavelength, bands)];
    let axes = Axes::new(axes.map(|(kind, length)| Axis::new(kind, length)).to_vec()).unwrap();
    Cube::new(image.pixels().values().to_vec(), axes).unwrap()
}

fn unmix(image: &Image, config: UnmixingConfig, run: &mut Run) -> cupel_unmixing::Result<Unmixed> {
    let unmixing = Unmixing::new(config).on(&cpu(), Casting::f32());
    unmixing.fit(&cube(image), run, &Policy { save_every: Some(1), ..Policy::default() })
}

fn config(method: Method, endmembers: usize, steps: Option<u64>) -> UnmixingConfig {
    UnmixingConfig { method, steps, seed: 3, abundance: Convention::Own, ..UnmixingConfig::new(endmembers) }
}

#[test]
fn the_linear_autoencoder_passes_every_check() {
    passes_every_check(LinearAutoencoder::new(&small().0, 3, 1).unwrap(), 0.7);
}

#[test]
fn cnnaeu_passes_every_check() {
    passes_every_check(Cnnaeu::new(&small().0, 3, 1).unwrap(), 0.9);
}

#[test]
fn misicnet_passes_every_check() {
    passes_every_check(Misicnet::new(&small().0, 3, 1).unwrap(), 0.7);
}

#[test]
fn deeptrans_passes_every_check() {
    passes_every_check(Deeptrans::new(&small().0, 3, 1).unwrap(), 0.7);
}

#[test]
fn abundances_are_on_the_simplex_and_endmembers_are_not_negative() {
    let _one = exclusive();
    let (image, _) = small();
    for method in NETWORKS {
        for endmembers in [1, 2, 3] {
            let unmixed = unmix(&image, config(method, endmembers, Some(3)), &mut Run::in_memory()).unwrap();
            let own = unmixed.own_abundances();
            assert_eq!((own.count(), own.endmembers()), (image.pixels().count(), endmembers), "{}", method.name());
            for row in own.rows() {
                let sum: f64 = row.iter().sum();
                assert!((sum - 1.0).abs() < 1e-12 && row.iter().all(|a| *a >= 0.0), "{}: {row:?}", method.name());
            }
            let spectra = unmixed.endmembers.values();
            assert!(spectra.iter().all(|v| v.is_finite() && *v >= 0.0), "{}", method.name());
            assert!(unmixed.steps >= 3 && unmixed.evidence.is_empty());
            assert_eq!(unmixed.abundances.len(), Convention::OF_ENDMEMBERS.len() + 1);
        }
    }
}

#[test]
fn every_network_solves_a_planted_scene() {
    let _one = exclusive();
    let (image, known) = image(32, 32, 3, 40, 30.0, Stream::new(4, "planted"));
    let bars = [
        (Method::LinearAe, None, 0.04, 0.1),
        (Method::Cnnaeu, Some(200), 0.06, 0.25),
        (Method::Misicnet, Some(600), 0.1, 0.12),
        (Method::Deeptrans, None, 0.15, 0.3),
    ];
    for (method, steps, angle, error) in bars {
        let unmixed = unmix(&image, config(method, 3, steps), &mut Run::in_memory()).unwrap();
        let agreement = Agreement::of(&unmixed.endmembers, &known.endmembers).unwrap();
        let errors = agreement.abundance_errors(unmixed.own_abundances(), &known.abundances).unwrap();
        let (sad, rmse) = (agreement.mean_sad_rad, errors.overall);
        println!("{}: mean SAD {sad:.4}, RMSE {rmse:.4}, {} updates", method.name(), unmixed.steps);
        assert!(sad < angle && rmse < error, "{}: mean SAD {sad}, RMSE {rmse}", method.name());
    }
}

#[test]
fn results_have_the_same_bits_on_any_number_of_threads() {
    let _one = exclusive();
    let (image, _) = small();
    for method in NETWORKS {
        let run = |threads| {
            with_threads(threads, || {
                let unmixed = unmix(&image, config(method, 3, Some(4)), &mut Run::in_memory()).unwrap();
                let numbers = unmixed.endmembers.values().iter().chain(unmixed.own_abundances().values());
                numbers.map(|v| v.to_bits()).collect::<Vec<_>>()
            })
        };
        assert!(run(1) == run(3), "{}", method.name());
    }
}

#[test]
fn a_network_is_a_work_of_the_run_and_logs_its_loss() {
    let _one = exclusive();
    let (image, _) = small();
    for method in NETWORKS {
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("run");
        let settings = config(method, 3, Some(20));
        let first = unmix(&image, settings, &mut open_run(&dir, &settings, Opening::Create)).unwrap();
        let log = std::fs::read_to_string(dir.join("metrics.csv")).unwrap();
        let work = format!("{}-seed-3", method.name());
        assert!(log.lines().any(|line| line.contains(&work) && line.contains("loss")), "{log}");
        assert!(dir.join("checkpoints").join(work).is_dir());
        // a finished training is read, not repeated
        let mut again = open_run(&dir, &settings, Opening::Resume { strict: true });
        let second = unmix(&image, settings, &mut again).unwrap();
        assert!(second.seconds > 0.3 * first.seconds, "{} s of {} s are left", second.seconds, first.seconds);
        assert_eq!((first.endmembers, first.abundances), (second.endmembers, second.abundances), "{}", method.name());
    }
}

#[test]
fn what_cannot_be_is_refused_with_what_can() {
    let (image, _) = small();
    let text = |result: cupel_unmixing::Result<Unmixed>| result.unwrap_err().to_string();
    for method in NETWORKS {
        let mut run = Run::in_memory();
        for asked in [0, 25] {
            let refused = unmix(&image, config(method, asked, Some(1)), &mut run);
            assert!(matches!(refused, Err(Error::EndmemberCount { .. })), "{}", method.name());
        }
        assert!(text(unmix(&image, config(method, 3, Some(0)), &mut run)).contains("steps = 0"));
        let homeless = Unmixing::new(config(method, 3, Some(1))).fit(&cube(&image), &mut run, &Policy::default());
        assert!(matches!(homeless, Err(Error::Setting(problem)) if problem.name() == "device"), "{}", method.name());
        let extraction = ExtractionConfig { method, endmembers: 3, restarts: 1, seed: 1 };
        assert!(
            matches!(Extraction::new(image.pixels(), extraction), Err(Error::Setting(problem)) if problem.name() == "method")
        );
    }
    for method in NETWORKS.into_iter().filter(|method| method.looks_at_neighbours()) {
        let row = Unmixing::new(config(method, 3, Some(1))).on(&cpu(), Casting::f32()).fit_pixels(image.pixels());
        assert!(row.unwrap_err().to_string().contains("with 1 x 168 pixels"), "{}", method.name());
    }
    let classical = unmix(&image, config(Method::Vca, 3, None), &mut Run::in_memory());
    assert!(text(classical).contains("abundance = own with the method vca"));
    assert!(Image::new(image.pixels().clone(), 12, 13).unwrap_err().to_string().contains("12 x 13"));
}
