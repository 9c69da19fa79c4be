//! Settings searched: the space, what a trial is worth, and the loop over trials.

use crate::{
    error::{Error, Result},
    examples::Examples,
    predictor::Predictor,
    schema::TargetKind,
    splits::Parts,
    train_config::{ModelKind, TrainConfig},
};
use burn::tensor::Device;
use cupel_settings::{Problem, Settings};
use cupel_train::stop;
use cupel_tune::{Distribution, Outcome, Parameter, Space, Study, Value};
use serde::Serialize;
use std::{collections::BTreeMap, f64::consts::LN_2};

/// What a search found.
#[derive(Clone, Debug, Serialize)]
pub struct Found {
    /// Trials in the study.
    pub trials: usize,
    /// The loss of the best.
    pub best_value: f64,
    /// Its settings.
    pub best: BTreeMap<String, Value>,
}

/// What matters most for each of the models.
///
/// # Errors
/// [`Error::Setting`] for models that have nothing to search.
pub fn search_space(models: &[ModelKind]) -> Result<Space> {
    use ModelKind::{Boosting, Counts, Linear, LinearCrosses, Neighbours, Network, Sites};
    let float = |name: &str, low, high| Parameter::float(name, low, high);
    let names = |parameter: Parameter| parameter.when("reads", ["names", "both"]);
    let of_models: [(&[ModelKind], Vec<Parameter>); 6] = [
        (
            &[Linear, LinearCrosses],
            vec![float("inverse_penalty", 0.03, 3.0).log(), float("parts", 0.0, 1.0), float("stems", 0.0, 1.0)],
        ),
        (&[LinearCrosses], vec![float("crosses", 0.1, 1.0)]),
        (&[Counts, Sites, Boosting], vec![float("strength", 0.5, 20.0).log()]),
        (&[Neighbours], vec![float("sharpness", 0.05, 0.5).log(), float("belief", 1.0, 20.0).log()]),
        (&[Boosting], vec![Parameter::int("depth", 2, 7), float("shrinkage", 0.03, 0.3).log()]),
        (
            &[Network],
            vec![
                float("learning_rate", 3e-4, 1e-2).log(),
                float("weight_decay", 1e-4, 1e-1).log(),
                float("smoothing", 0.0, 0.2),
                Parameter::categorical("reads", ["names", "counts", "both"]),
                Parameter::int("counted", 16, 128).step(16.0).when("reads", ["counts", "both"]),
                float("counted_dropout", 0.0, 0.5).when("reads", ["counts", "both"]),
                names(float("dropout", 0.0, 0.7)),
                names(float("unknown_dropout", 0.0, 0.3)),
                names(Parameter::int("embedding", 8, 64).step(8.0)),
                names(Parameter::int("hidden", 64, 512).step(64.0)),
                names(Parameter::int("layers", 0, 3)),
                names(Parameter::categorical("interaction", ["pairs", "matrices", "bi", "none"])),
            ],
        ),
    ];
    let chosen = of_models.into_iter().filter(|(kinds, _)| kinds.iter().any(|kind| models.contains(kind)));
    let parameters: Vec<Parameter> = chosen.flat_map(|(_, parameters)| parameters).collect();
    if parameters.is_empty() {
        return Err(Problem::value("models", "none with a search space", "one that has, or a space of your own").into());
    }
    Ok(Space::new(parameters)?)
}

/// The settings with those of a trial in the place of their own.
///
/// # Errors
/// [`Error::Setting`] for a name or value that is none.
pub fn in_trial(config: &TrainConfig, values: &BTreeMap<String, Value>) -> Result<TrainConfig> {
    let mut config = config.clone();
    for (name, value) in values.iter().filter(|(_, value)| **value != Value::Null) {
        config.set(name, &value.to_string())?;
    }
    Ok(config)
}

/// Whether the ends of every parameter are values of its setting, and some model has it.
///
/// # Errors
/// [`Error::Setting`] for the first that is none.
pub fn check_space(config: &TrainConfig, space: &Space) -> Result<()> {
    for parameter in space.parameters() {
        let ends = match &parameter.distribution {
            Distribution::Int { low, high, .. } => vec![Value::Int(*low), Value::Int(*high)],
            Distribution::Float { low, high, .. } => vec![Value::Float(*low), Value::Float(*high)],
            Distribution::Categorical { choices } => choices.clone(),
        };
        for end in ends {
            in_trial(config, &BTreeMap::from([(parameter.name.clone(), end)]))?;
        }
        let name = parameter.name.replace('_', "-");
        // what another parameter may give an effect, such as a loss its gamma, is no concern here: only what no model has
        if let Some(because) = config.without(&name) {
            return Err(Problem::Unused { name, because }.into());
        }
    }
    Ok(())
}

/// The mean over targets and splits of the log-loss relative to that of guessing: of classes `ln C`, of a label `ln 2`.
///
/// # Errors
/// What the training refuses; a stop by a signal.
pub fn search_loss(config: &TrainConfig, examples: &Examples, splits: &[Parts], device: &Device) -> Result<f64> {
    // settings are judged by the validation part, of which the models themselves speak
    let mut config = config.clone();
    config.ensemble.cross_fit = 0;
    let (mut sum, mut count) = (0.0, 0);
    for parts in splits {
        let predictor = Predictor::train(&config, examples, parts, device)?;
        for (classes, said) in predictor.classes().iter().zip(predictor.cross_fitted(examples, parts, config.seed)?) {
            let labels = classes.labels(examples)?;
            if let Some(loss) = said.log_loss(&labels, &parts.validation) {
                let of_guessing = match said.kind() {
                    TargetKind::Labels => LN_2,
                    TargetKind::Class => (classes.len() as f64).ln(),
                };
                sum += loss / of_guessing;
                count += 1;
            }
        }
    }
    Ok(sum / f64::from(count.max(1)))
}

/// Tries settings until the study has so many `trials`; `told` hears of the number of each trial here and of its loss, or why it has none. A trial that
/// cannot be is kept with its reason; one that a signal ends goes back to the study and ends the search.
///
/// # Errors
/// [`Error::Search`] for a study that cannot be written or that has no complete trial; a stop by a signal.
pub fn search(
    study: &Study,
    space: &Space,
    trials: usize,
    config: &TrainConfig,
    (examples, splits): (&Examples, &[Parts]),
    device: &Device,
    mut told: impl FnMut(usize, std::result::Result<f64, &str>),
) -> Result<Found> {
    let go_on = || stop::check().map_err(Error::from);
    study.optimize_while(space, trials, go_on, |trial| {
        let tried = in_trial(config, &trial.values());
        match tried.and_then(|config| search_loss(&config, examples, splits, device)) {
            Ok(loss) => {
                told(trial.number(), Ok(loss));
                Ok(Outcome::from(loss))
            }
            Err(Error::Train(error)) if error.stopped().is_some() => Err(error.into()),
            Err(error) => {
                let reason = error.to_string();
                told(trial.number(), Err(&reason));
                Ok(Outcome::Failed(reason))
            }
        }
    })?;
    let best = study.best()?;
    let best_value = best.values.as_ref().and_then(|values| values.first()).copied().unwrap_or(f64::NAN);
    let best = best.parameters.iter().map(|(name, setting)| (name.clone(), setting.value())).collect();
    Ok(Found { trials: study.record()?.trials.len(), best_value, best })
}
