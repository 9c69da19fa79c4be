//! Neural networks that unmix: the methods that ours are compared with.
//!
//! Each is an autoencoder whose decoder is the linear mixture: abundances, which are non-negative and sum to one by their making, times
//! non-negative endmembers, which are the decoder's weights. They differ in how the abundances come about and in the loss. Settings are
//! those of the papers or of their authors' programs unless the module says otherwise; docs/unmixing.md says which of them were settled with a truth in sight.

mod angle;
mod cnnaeu;
mod deeptrans;
mod linear;
mod misicnet;
mod resident;
mod start;

pub use cnnaeu::{Cnnaeu, CnnaeuNet};
pub use deeptrans::{Deeptrans, DeeptransNet};
pub use linear::{LinearAutoencoder, LinearNet};
pub use misicnet::{Misicnet, MisicnetBatch, MisicnetNet};

use burn::tensor::{Device, Tensor};
use cupel_train::{Casting, Fit, StageConfig, Trainer, TrainerConfig};

use crate::{Abundances, Endmembers, Error, Evidence, Method, Posterior, Result, driver::Driver};

/// A network that unmixes, with the scene that it is fitted to.
pub trait Network: Fit {
    /// What it is as a method, which names it.
    const METHOD: Method;

    /// A fresh model on `device`, which has automatic differentiation.
    fn model(&self, device: &Device) -> Self::Model;

    /// Optimiser, schedule and number of epochs.
    fn stage(&self) -> StageConfig;

    /// The endmembers of a model in inference mode, in its own scale, and the abundances of all pixels.
    ///
    /// # Errors
    /// A device that cannot be read, numbers that are not finite.
    fn decode(&self, model: &Self::Model, casting: &Casting, device: &Device) -> Result<(Endmembers, Abundances)>;

    /// The training of this seed, with its own number of updates or `steps` of them, rounded up to whole epochs.
    fn training(&self, seed: u64, steps: Option<u64>) -> TrainerConfig {
        let mut stage = self.stage();
        if let Some(steps) = steps {
            stage.epochs = steps.div_ceil(self.steps_per_epoch()).max(1);
        }
        TrainerConfig { name: format!("{}-seed-{seed}", Self::METHOD), seed, stage, ..TrainerConfig::default() }
    }
}

/// What a method found before abundances are made of it.
pub(crate) struct Found {
    pub(crate) endmembers: Endmembers,
    /// The method's own.
    pub(crate) abundances: Option<Abundances>,
    /// What else is known of them.
    pub(crate) posterior: Option<Posterior>,
    /// Draws of the abundances.
    pub(crate) samples: Option<Vec<f32>>,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) steps: usize,
}

impl Found {
    pub(crate) fn new(endmembers: Endmembers, steps: usize) -> Self {
        Self { endmembers, abundances: None, posterior: None, samples: None, evidence: Vec::new(), steps }
    }
}

/// Trains `network` and reads what it found.
pub(crate) fn train<N: Network>(
    network: N,
    steps: Option<u64>,
    seed: u64,
    (device, casting): (&Device, &Casting),
    driver: &mut Driver<'_>,
) -> Result<Found> {
    let model = network.model(&device.clone().autodiff());
    let config = network.training(seed, steps);
    let mut trainer = Trainer::new(network, model, config, casting.clone(), device)?.with_monitor(driver.monitor());
    driver.drive(&mut trainer)?;
    let (endmembers, abundances) = trainer.fit().decode(&trainer.model(), casting, device)?;
    let steps = trainer.history().last().map_or(0, |epoch| epoch.update as usize);
    Ok(Found { abundances: Some(abundances), ..Found::new(endmembers, steps) })
}

/// The values of a tensor, row-major.
pub(crate) fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f64>> {
    let data = tensor.try_into_data().map_err(|error| Error::Device { problem: format!("{error:?}") })?;
    Ok(data.iter::<f64>().collect())
}

/// Abundances from a network, whose rows sum to one but for f32 rounding.
fn abundances(values: Vec<f64>, endmembers: usize) -> Result<Abundances> {
    Ok(Abundances::new(values, endmembers)?.closed())
}
