//! Networks on simulated visibilities: they beat the components alone, stop and go on with the same bits, and find their components.

use std::{fs, path::Path};

use cupel_cosmology::{
    ObservationsConfig, PreprocessConfig, ReadConfig,
    model::{
        ComponentSource, Model, ObservationTraining, Place, TrainedVisibilities, VisibilityModel, VisibilityTrainConfig,
    },
    network::NetworkTrainConfig,
    simulate::{SimulateConfig, Simulation, VisibilityConfig},
};
use cupel_data::{Array, Complex, Values, open, write_npy};
use cupel_settings::Settings;
use cupel_train::{Casting, Description, Opened, Opening, Run, checks::exclusive, device};

const CHANNELS: usize = 16;

/// Folders with the signals and the foregrounds of skies, a sky with both, and its truth.
fn files(folder: &Path) {
    let visibility = VisibilityConfig { visibilities: true, baselines: 4, times: 32, ..VisibilityConfig::default() };
    let config =
        SimulateConfig { skies: 9, nfreq: CHANNELS, nx: 16, visibility, seed: 1001, ..SimulateConfig::default() };
    let simulation = Simulation::new(config).unwrap();
    for name in ["cosmo", "galaxy"] {
        fs::create_dir(folder.join(name)).unwrap();
    }
    for sky in 0..9 {
        let own = folder.join(format!("{sky}"));
        simulation.write(sky, &own).unwrap();
        if sky == 8 {
            continue;
        }
        fs::copy(own.join("vis_signal.npy"), folder.join(format!("cosmo/{sky}.npy"))).unwrap();
        fs::copy(own.join("vis.npy"), folder.join(format!("galaxy/{sky}.npy"))).unwrap();
    }
}

fn observations(folder: &Path) -> ObservationsConfig {
    let path = |name: &str| Some(folder.join(name).to_string_lossy().into_owned());
    ObservationsConfig {
        cosmopath: path("cosmo"),
        galpath: path("galaxy"),
        model_dir: path("models"),
        model_name: Some("unet".to_owned()),
        validation_fraction: 0.25,
        ra_bins: 32,
        split: 2,
        batch_size: 2,
        n_fg: 4,
        num_workers: Some(1),
        ra_shift_aug: true,
        add_noise: true,
        noiseamp: 1e-9,
        seed: 3,
        ..ObservationsConfig::default()
    }
}

fn network(epochs: u64) -> NetworkTrainConfig {
    let mut network = NetworkTrainConfig::default();
    for (name, value) in [("filters", "4"), ("learning-rate", "5e-3"), ("loss", "logmse"), ("lr-schedule", "onecycle")]
    {
        network.set(name, value).unwrap();
    }
    network.epochs = epochs;
    network
}

fn visibilities() -> VisibilityTrainConfig {
    // the signal of these skies is about 1e-5 K
    let preprocess = PreprocessConfig { predict_residual: true, ..PreprocessConfig::default() };
    VisibilityTrainConfig { preprocess, ..VisibilityTrainConfig::default() }
}

fn place() -> Place {
    Place { device: device::select("cpu").unwrap().device, others: Vec::new(), casting: Casting::f32() }
}

fn quiet() -> Run {
    let mut run = Run::in_memory();
    run.set_quiet(true);
    run
}

#[test]
fn a_network_beats_the_components_alone_and_cleans_what_it_has_not_seen() {
    let _one = exclusive();
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    files(folder);
    let training = ObservationTraining::new(observations(folder), visibilities(), network(12)).unwrap();
    assert_eq!(training.counts(), [6, 2]);
    let trained = training.run(&mut quiet(), &place()).unwrap();
    let validation = &trained.model.about().validation;
    let (pca, unet) = (validation["pca"], validation["unet"]);
    println!("pca {pca:?}, unet {unet:?}, {} parameters", trained.parameters());
    assert!(unet.residual_ratio < pca.residual_ratio && unet.r >= pca.r, "{unet:?} beside {pca:?}");
    // from its folder, on a sky that was in neither part
    let model = folder.join("model");
    trained.model.save(&model).unwrap();
    let loaded = VisibilityModel::load(&model, &place().device).unwrap();
    assert_eq!(loaded.about().sigma.len(), CHANNELS);
    let mut notes = Vec::new();
    let observed = loaded.read(&folder.join("8/vis.npy"), &ReadConfig::default(), &mut notes).unwrap();
    let cleaned = loaded.clean(&observed).unwrap();
    assert_eq!((cleaned.signal.shape(), cleaned.sigma.shape()), (observed.shape(), vec![4, CHANNELS, 32]));
    let same = trained.model.clean(&observed).unwrap();
    assert_eq!(cleaned.signal, same.signal);
    assert!(cleaned.mismatch.is_finite() && cleaned.sigma.values().iter().all(|sigma| *sigma > 0.0));
    // a sky a hundred times as bright is none of those
    let bright = folder.join("bright.npy");
    let file = open(folder.join("8/vis.npy")).unwrap();
    let cube = file.cube::<Complex<f32>>(None).unwrap().map(|value| value * 100.0);
    write_npy(&bright, &Array::from(&cube)).unwrap();
    let bright = loaded.read(&bright, &ReadConfig::default(), &mut notes).unwrap();
    assert!(loaded.clean(&bright).unwrap().refused);
    // what does not fit is refused
    let cut = |name: &str, shape: [usize; 3]| {
        let values = cube.values()[..shape.iter().product()].to_vec();
        let array = Array::new(shape.to_vec(), Values::Complex64(values)).unwrap();
        write_npy(&folder.join(name), &array).unwrap();
        loaded.read(&folder.join(name), &ReadConfig::default(), &mut Vec::new()).unwrap_err().to_string()
    };
    assert!(cut("a.npy", [4, 8, 32]).contains("8 channels, the model was trained on 16"));
    assert!(cut("b.npy", [3, CHANNELS, 32]).contains("3 baselines, the model was trained on 4"));
    assert!(
        cut("c.npy", [4, CHANNELS, 24]).contains("24 bins in right ascension, the model takes them in chunks of 16")
    );
    let error = Model::load(&model, &place().device).unwrap_err().to_string();
    assert!(error.contains("a model of visibilities"), "{error}");
}

#[test]
fn a_training_that_was_stopped_goes_on_with_the_same_bits() {
    let _one = exclusive();
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    files(folder);
    let start = |epochs: u64| {
        let mut own = network(epochs);
        own.set("lr-schedule", "none").unwrap();
        ObservationTraining::new(observations(folder), visibilities(), own).unwrap()
    };
    let weights = |trained: &TrainedVisibilities| {
        let out = folder.join("weights");
        trained.model.save(&out).unwrap();
        fs::read(out.join("network.safetensors")).unwrap_or_default()
    };
    let open_run = |how| {
        let is = Description::new("test");
        match Run::open(&folder.join("run"), &is, how).unwrap() {
            Opened::Run(mut run) => {
                run.set_quiet(true);
                run
            }
            Opened::Finished(_) => unreachable!("it never finished"),
        }
    };
    let whole = start(4).run(&mut quiet(), &place()).unwrap();
    let mut first = open_run(Opening::Create);
    start(2).run(&mut first, &place()).unwrap();
    drop(first);
    let mut second = open_run(Opening::Resume { strict: true });
    let resumed = start(4).run(&mut second, &place()).unwrap();
    assert!(weights(&whole) == weights(&resumed));
    assert_eq!(whole.model.about(), resumed.model.about());
}

#[test]
fn components_are_found_in_four_ways_and_the_user_is_told() {
    let _one = exclusive();
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path();
    files(folder);
    let find = |change: &dyn Fn(&mut ObservationsConfig, &mut VisibilityTrainConfig)| {
        let (mut config, mut own) = (observations(folder), visibilities());
        change(&mut config, &mut own);
        ObservationTraining::new(config, own, network(1))
    };
    let fitted = find(&|_, _| ()).unwrap();
    assert!(matches!(fitted.source(), ComponentSource::Fitted(_)));
    assert!(fitted.notes().join("\n").contains("4 components are fitted on the files for training alone"));
    let missing = find(&|config, _| config.pca_components_path = Some("nowhere.npz".to_owned())).unwrap();
    assert!(missing.notes()[0].contains("warning: nowhere.npz: there are no components"), "{:?}", missing.notes());
    let flying = find(&|_, own| own.pca_on_the_fly = true).unwrap();
    assert_eq!(flying.source(), &ComponentSource::OnTheFly(4));
    assert!(flying.notes()[0].contains("warning: --pca-on-the-fly"));
    // in the folder of the model, where pca fit puts them
    let own = folder.join("models/unet");
    fs::create_dir_all(&own).unwrap();
    let trained = fitted.run(&mut quiet(), &place()).unwrap();
    trained.model.save(&own).unwrap();
    let kept = own.join("pca_components_nfg4.npz");
    fs::rename(own.join("components.npz"), &kept).unwrap();
    let in_folder = find(&|_, _| ()).unwrap();
    assert!(matches!(in_folder.source(), ComponentSource::File(path, _) if *path == kept));
    // the same components give the same bits, whoever fitted them
    let again = in_folder.run(&mut quiet(), &place()).unwrap();
    assert_eq!(again.model.about().validation, trained.model.about().validation);
    let named = find(&|config, _| config.pca_components_path = Some(kept.to_string_lossy().into_owned())).unwrap();
    assert!(named.notes()[0].contains("pca_components_nfg4.npz"));
    let other = find(&|config, _| {
        config.pca_components_path = Some(kept.to_string_lossy().into_owned());
        config.n_fg = 3;
    });
    assert!(other.unwrap().notes()[1].contains("--n-fg says 3 components, and the file has 4"));
    // every batch its own, with delays in the loss and activations computed again
    let mut own = visibilities();
    (own.pca_on_the_fly, own.use_delay_loss, own.use_grad_checkpoint) = (true, true, true);
    let flying = ObservationTraining::new(observations(folder), own, network(1)).unwrap();
    flying.run(&mut quiet(), &place()).unwrap();
    let refused = |change: &dyn Fn(&mut ObservationsConfig, &mut VisibilityTrainConfig)| {
        find(change).err().map(|error| error.to_string()).unwrap_or_default()
    };
    assert!(refused(&|config, _| config.n_fg = CHANNELS).contains("fewer than the 16 channels"));
    assert!(refused(&|config, _| config.split = 16).contains("a multiple of 4"));
    assert!(refused(&|config, _| config.validation_fraction = 0.0).contains("validation-fraction"));
}
