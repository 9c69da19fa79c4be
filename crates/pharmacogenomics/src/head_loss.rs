//! [`HeadLoss`]: the losses that a head of the network can be trained by.
//!
//! | loss | of a class with probability p of the truth |
//! |---|---|
//! | cross-entropy | `-ln p`, with smoothed targets `(1 - s) y + s / C` |
//! | focal | `-(1 - p)^gamma ln p` (Lin et al. 2017, arXiv:1708.02002) |
//! | adaptive focal | the same with `gamma = 3 - 2 accuracy of the batch`, between 1 and 3 |
//! | poly | `-ln p + epsilon (1 - p)` (Leng et al. 2022, arXiv:2204.12511) |
//! | asymmetric | for labels: focal with gamma 1 where true and 4 where not, probabilities of the false ones shifted down by 0.05 (Ridnik et al. 2021, arXiv:2009.14119) |
//!
//! The focal factor is of the probability itself, never of a smoothed loss, which is none.

use crate::schema::TargetKind;
use burn::tensor::{
    Tensor,
    activation::{log_softmax, sigmoid},
};
use cupel_settings::choices;

choices! {
    /// A loss.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum HeadLoss {
        /// Cross-entropy
        CrossEntropy = "cross-entropy",
        /// Focal
        Focal = "focal",
        /// Focal with a gamma that falls as the batch gets better
        AdaptiveFocal = "adaptive-focal",
        /// Cross-entropy with a linear term
        Poly = "poly",
        /// Asymmetric, for labels
        Asymmetric = "asymmetric",
    }
}

/// Exponents and shift of the asymmetric loss.
const ASYMMETRIC: (f64, f64, f64) = (1.0, 4.0, 0.05);
/// Keeps logarithms finite where a probability is shifted.
const TINY: f64 = 1e-8;

impl HeadLoss {
    /// The loss of each row, `[row, 1]`.
    ///
    /// `number` is the focal gamma, or the epsilon of poly; the other losses have none. `truth` is 1 where true, `aim` what the logarithm is
    /// weighted by: smoothed and weighted by class; both `[row, class]`.
    pub fn rows(self, number: f64, kind: TargetKind, logits: Tensor<2>, truth: Tensor<2>, aim: Tensor<2>) -> Tensor<2> {
        match kind {
            TargetKind::Class => self.classes(number, logits, truth, aim),
            TargetKind::Labels => self.labels(number, logits, truth, aim),
        }
    }

    fn classes(self, number: f64, logits: Tensor<2>, truth: Tensor<2>, aim: Tensor<2>) -> Tensor<2> {
        let log_p = log_softmax(logits, 1);
        let cross_entropy = -(aim * log_p.clone()).sum_dim(1);
        let of_truth = || -> Tensor<2> { (truth.clone() * log_p.clone().exp()).sum_dim(1) };
        match self {
            Self::CrossEntropy | Self::Asymmetric => cross_entropy,
            Self::Focal => power(rest(of_truth()), number) * cross_entropy,
            Self::AdaptiveFocal => {
                let most = log_p.clone().max_dim(1);
                let own = (truth.clone() * log_p.clone()).sum_dim(1);
                let hit = own.greater_equal(most).float().detach().mean();
                // (1 - p)^gamma = exp(gamma ln(1 - p)), since gamma is a tensor
                let gamma: Tensor<2> = (hit * -2.0 + 3.0).unsqueeze();
                ((rest(of_truth()) + TINY).log() * gamma).exp() * cross_entropy
            }
            Self::Poly => cross_entropy + (rest(of_truth())) * number,
        }
    }

    fn labels(self, number: f64, logits: Tensor<2>, truth: Tensor<2>, aim: Tensor<2>) -> Tensor<2> {
        let [_, labels] = logits.dims();
        // ln(1 + e^z) - aim z, without overflow
        let softplus = logits.clone().clamp_min(0.0) + (-logits.clone().abs()).exp().log1p();
        let cross_entropy = softplus - aim * logits.clone();
        let of_truth = || -> Tensor<2> {
            let p = sigmoid(logits.clone());
            p.clone() * truth.clone() + rest(p) * rest(truth.clone())
        };
        let each = match self {
            Self::CrossEntropy => cross_entropy,
            Self::Focal => power(rest(of_truth()), number) * cross_entropy,
            Self::AdaptiveFocal => {
                let hit = of_truth().greater_elem(0.5).float().detach().mean();
                let gamma: Tensor<2> = (hit * -2.0 + 3.0).unsqueeze();
                ((rest(of_truth()) + TINY).log() * gamma).exp() * cross_entropy
            }
            Self::Poly => cross_entropy + (rest(of_truth())) * number,
            Self::Asymmetric => {
                let (there, absent, shift) = ASYMMETRIC;
                let p = sigmoid(logits);
                let lower = (p.clone() - shift).clamp_min(0.0);
                let positive = truth.clone() * power(rest(p.clone()), there) * (p + TINY).log();
                let negative = rest(truth) * power(lower.clone(), absent) * (rest(lower) + TINY).log();
                -(positive + negative)
            }
        };
        each.sum_dim(1) / labels as f64
    }
}

/// `1 - p`.
fn rest(p: Tensor<2>) -> Tensor<2> {
    -p + 1.0
}

/// `x^gamma` of a number between 0 and 1.
fn power(x: Tensor<2>, gamma: f64) -> Tensor<2> {
    if gamma == 1.0 { x } else { x.clamp_min(TINY).powf_scalar(gamma) }
}
