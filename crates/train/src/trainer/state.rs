//! The checkpoint of a training: what is in it, and what must fit when it is read back.

use super::{Trainer, TrainingState};
use crate::{
    Error, Fit, LossScaler, Result, SetReader, SetWriter,
    average::weights_by_id,
    gradients::{self, Measure},
    losses::SavedLosses,
    parameters::{Parameter, check_fit, parameters},
};
use burn::{module::Module, optim::OptimizerRecord, tensor::Bytes};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

const MODEL: &str = "model.bpk";
const OPTIMIZER: &str = "optimizer.bpk";
const AVERAGE: &str = "average.bpk";
const BEST: &str = "best.bpk";
const STATE: &str = "state.json";

/// `state.json`: everything that is no tensor.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Saved {
    /// Version of cupel that wrote it.
    cupel: String,
    precision: String,
    /// The settings, for the reader; what must agree is in the fingerprint of the set.
    config: serde_json::Value,
    /// Paths, ids and shapes of the parameters; optimisers know parameters by their ids.
    parameters: Vec<Parameter>,
    /// Entries of the optimiser.
    optimizer_entries: usize,
    scaler: Option<LossScaler>,
    losses: SavedLosses,
    progress: TrainingState,
    /// Seconds of the epoch at hand.
    #[serde(default)]
    epoch_seconds: f64,
}

impl<F: Fit> Trainer<F> {
    pub(super) fn write_state(&self, set: &mut SetWriter) -> Result<()> {
        // `valid` settles running statistics, which otherwise are one update old
        let model = self.current().valid();
        // where gradients are not looked at after every update, bad weights must not replace good ones
        let measured = gradients::measure(&model, &weights_by_id(&model), Measure::Sum);
        if let Some(parameter) = measured.first_not_finite() {
            return Err(Error::WeightsNotFinite { parameter: parameter.to_string() });
        }
        set.module(MODEL, &model)?;
        let optimizer = self.optimizer.to_record();
        let optimizer_entries = optimizer.len();
        let bytes = optimizer.into_bytes().map_err(Error::record("encode", OPTIMIZER))?;
        set.bytes(OPTIMIZER, &bytes)?;
        if let Some(average) = &self.average {
            set.module(AVERAGE, average.model())?;
        }
        if let Some(best) = &self.best_model {
            set.module(BEST, best)?;
        }
        let saved = Saved {
            cupel: env!("CARGO_PKG_VERSION").into(),
            precision: self.casting.name().into(),
            config: serde_json::to_value(&self.config).map_err(Error::encoding("encode", "the configuration"))?,
            parameters: parameters(self.current()),
            optimizer_entries,
            scaler: self.scaler.clone(),
            losses: self.losses.save()?,
            progress: self.progress.clone(),
            epoch_seconds: self.epoch_began.elapsed().as_secs_f64(),
        };
        set.json(STATE, &saved)?;
        self.fit.save(set)
    }

    pub(super) fn read_state(&mut self, set: &SetReader) -> Result<()> {
        let saved: Saved = set.json(STATE)?;
        let what = set.dir().display().to_string();
        check_fit(&what, &saved.parameters, &parameters(self.current()))?;
        // before the weights: a stage of its own has an optimiser and an average of its own
        self.optimizer = self.fit.optimizer(&saved.progress.stage);
        let Some(fresh) = self.model.take() else { unreachable!("the model is there between updates") };
        let model = set.load_module(MODEL, fresh)?;
        // Burn keys the state of optimisers by parameter ids, and starts anew without a word where it finds none.
        let here = parameters(&model);
        let strangers: Vec<&str> = saved
            .parameters
            .iter()
            .zip(&here)
            .filter(|(saved, here)| saved.trained && saved.id != here.id)
            .map(|(saved, _)| saved.path.as_str())
            .collect();
        if !strangers.is_empty() {
            let problem = format!("the optimiser would not find: {}", strangers.join(", "));
            return Err(Error::OtherModel { what, problem });
        }
        let record = OptimizerRecord::from_bytes(Bytes::from_bytes_vec(set.bytes(OPTIMIZER)?))
            .map_err(Error::record("decode", OPTIMIZER))?;
        let optimizer = self.optimizer.clone().load_record(record);
        let loaded = optimizer.to_record().len();
        if loaded != saved.optimizer_entries {
            let expected = saved.optimizer_entries;
            let problem = format!("the optimiser took over {loaded} of {expected} entries; it is another optimiser");
            return Err(Error::OtherModel { what, problem });
        }
        self.optimizer = optimizer;
        self.average = match saved.progress.stage.weight_average {
            Some(decay) => {
                let mut average = crate::WeightAverage::new(&model, decay);
                average.replace(set.load_module(AVERAGE, model.valid())?);
                Some(average)
            }
            None => None,
        };
        self.best_model = match saved.progress.best.value {
            Some(_) => Some(set.load_module(BEST, model.valid())?),
            None => None,
        };
        self.model = Some(model);
        self.scaler = saved.scaler;
        self.losses.restore(saved.losses, &self.device.clone().inner());
        self.progress = saved.progress;
        if self.progress.next.stage == 0 {
            self.progress.stage.epochs = self.config.stage.epochs;
        }
        let epoch = Duration::try_from_secs_f64(saved.epoch_seconds).unwrap_or_default();
        self.epoch_began = Instant::now().checked_sub(epoch).unwrap_or_else(Instant::now);
        self.fit.load(set)
    }
}
