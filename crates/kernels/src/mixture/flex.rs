//! The log likelihood on flex.

use super::{
    Each, MixtureGradients, MixtureOps,
    pixels::{Likelihood, Mixture, Wanted},
};
use crate::flex::{tensor, with_values};
use burn::backend::{Flex, TensorMetadata, tensor::FloatTensor};

impl MixtureOps for Flex {
    fn mixture_log_likelihood(
        observations: FloatTensor<Self>,
        logits: FloatTensor<Self>,
        endmembers: FloatTensor<Self>,
        brightness: FloatTensor<Self>,
        log_noise: FloatTensor<Self>,
    ) -> FloatTensor<Self> {
        Self::mixture_and_gradients([observations, logits, endmembers, brightness, log_noise], [false; 5]).0
    }
}

impl MixtureGradients for Flex {
    fn mixture_and_gradients(
        inputs: Each<FloatTensor<Self>>,
        wanted: Each<bool>,
    ) -> (FloatTensor<Self>, Each<Option<FloatTensor<Self>>>) {
        let [observations, logits, endmembers, brightness, log_noise] = &inputs;
        let [_, bands] = observations.shape().dims();
        let wanted_of = Wanted {
            observations: wanted[0],
            logits: wanted[1],
            endmembers: wanted[2],
            brightness: wanted[3],
            log_noise: wanted[4],
        };
        let likelihood = with_values(observations, |observations| {
            with_values(logits, |logits| {
                with_values(endmembers, |endmembers| {
                    with_values(brightness, |brightness| {
                        with_values(log_noise, |log_noise| {
                            let mixture = Mixture { observations, logits, endmembers, brightness, log_noise, bands };
                            mixture.log_likelihood(wanted_of)
                        })
                    })
                })
            })
        });
        let Likelihood { sum, observations, logits, endmembers, brightness, log_noise } = likelihood;
        let mut gradients = [observations, logits, endmembers, brightness, log_noise].into_iter();
        let gradients = std::array::from_fn(|index| {
            let gradient = gradients.next().unwrap_or_default();
            wanted[index].then(|| tensor(gradient, inputs[index].shape()))
        });
        (tensor(vec![sum as f32], [1]), gradients)
    }
}
