//! Prepared skies and the training on them.

use cupel_cosmology::network::{
    LossKind, NetworkConfig, PreparedSky, ResidualConfig, SkyFit, SkyFitConfig, UNet3dV2Config,
};
use cupel_train::{
    Casting, Clip, EarlyStopping, Goal, Optimizer, Policy, Precision, Run, Schedule, StageConfig, Trainer,
    TrainerConfig, Watch, Work, checks::exclusive, device,
};

use super::checked::sky;

#[test]
fn skies_that_are_none_are_refused() {
    let text = |sky: cupel_cosmology::Result<PreparedSky>| sky.unwrap_err().to_string();
    let ok = || vec![0.5f32; 8];
    assert_eq!(
        text(PreparedSky::new([2; 3], vec![0.0; 12], ok(), ok())),
        "the inputs of a training: 12 values are no whole number of volumes of 8; give all values of each channel"
    );
    let mut nan = ok();
    nan[3] = f32::NAN;
    assert!(text(PreparedSky::new([2; 3], ok(), ok(), nan)).contains("the target of a training: value 3 is NaN"));
    assert!(text(PreparedSky::new([2; 3], ok(), ok(), vec![0.0; 16])).contains("16 values for an estimate of 8"));
    let sky = PreparedSky::new([2; 3], vec![0.0; 24], ok(), ok()).unwrap();
    assert_eq!((sky.channels(), sky.truth()), ([3, 1], sky.target()));
    assert!(text(sky.clone().with_truth(vec![0.0; 16])).contains("16 values for a target of 8"));
    assert_eq!(sky.with_truth(vec![1.0; 8]).unwrap().truth(), [1.0; 8]);
}

/// The brief's training: bf16, accumulation, averaged weights, one cycle, values clipped, early stopping; the best weights are no worse
/// than the estimate that it began with, on a sky that it did not see.
#[test]
fn a_training_of_the_brief_ends_above_the_estimate() {
    let _one = exclusive();
    let plain = device::select("cpu").unwrap().device;
    let network = UNet3dV2Config { filters: 4, levels: 1, n_blocks_per_stage: 1, ..UNet3dV2Config::default() };
    let model = ResidualConfig {
        network: NetworkConfig::V2(network),
        inputs: 2,
        outputs: 1,
        scale: 0.5,
        variance: true,
        zero_start: true,
    };
    let config = SkyFitConfig { loss: LossKind::Nll, patch: Some(4), patches_per_sky: 4, ..SkyFitConfig::default() };
    let skies = |from: u64, count: u64| (from..from + count).map(|n| sky(n, [8, 8, 6], 1)).collect::<Vec<_>>();
    let fit = SkyFit::new(skies(0, 4), skies(20, 1), &model, config, 3).unwrap();
    let stage = StageConfig {
        optimizer: Optimizer::default(),
        learning_rate: 1e-2,
        schedule: Schedule::OneCycle { up: 0.05, start: 0.04, end: 4e-6 },
        epochs: 60,
        accumulation: 2,
        clip: Clip::Value(1.0),
        weight_average: Some(0.9),
        early_stopping: Some(EarlyStopping { patience: 20, minimum_delta: 1e-4 }),
        ..StageConfig::default()
    };
    let watch = Watch { metric: "residual_ratio".into(), goal: Goal::Lowest };
    let config = TrainerConfig { seed: 2, stage, watch, ..TrainerConfig::default() };
    let casting = Precision::Bf16.resolve(&plain, Work { elements: 0, reduced_precision_pays_from: 0 }).unwrap();
    let start = model.init(&plain.clone().autodiff()).unwrap();
    let mut trainer = Trainer::new(fit, start, config, casting, &plain).unwrap();
    let mut run = Run::in_memory();
    run.set_quiet(true);
    run.drive(&mut trainer, &Policy::default()).unwrap();
    let best = trainer.into_best();
    let unseen = sky(20, [8, 8, 6], 1);
    let found = SkyFit::predict(&best, &unseen, &Casting::f32(), &plain).unwrap();
    let square = |values: &[f32]| -> f64 {
        values.iter().zip(unseen.truth()).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>()
    };
    let (network, estimate) = (square(&found.mean), square(unseen.estimate()));
    assert!(network < 0.6 * estimate, "{network} beside {estimate}");
    assert!(found.sigma.unwrap().iter().all(|sigma| sigma.is_finite() && *sigma > 0.0));
}
