//! What a network is trained by.
//!
//! Every loss is the mean over all values, or over what the values are made into, in f32 at least, and has no unit but that of its argument.

use burn::tensor::{DType, Tensor, TensorData, activation::relu};
use cupel_kernels::{fft, mean_fixed};
use cupel_settings::choices;

choices! {
    /// What a prediction is compared with the truth by.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum LossKind {
        /// The logarithm of the mean square
        LogMse = "logmse" | "log-mse",
        /// The mean logarithm of the hyperbolic cosine
        LogCosh = "logcosh" | "log-cosh",
        /// The mean square
        Mse = "mse",
        /// The negative log-likelihood of a normal distribution, whose variance the network predicts too
        Nll = "nll",
    }
}

/// Bound of the logarithm of a variance, about that of its scale: standard deviations within e^-5 and e^5 of the scale, 150 times either way.
///
/// Beyond the lower one f32 gradients of the likelihood, which go by the inverse variance, are as large as those of everything else
/// together; the upper one keeps a network from calling everything noise before it has learnt anything.
pub const LOG_VARIANCE_BOUND: f64 = 10.0;
/// Power below which a mode counts as empty, as a share of the mean power of the truth, where no noise is known.
const EMPTY: f64 = 1e-6;
/// Coefficients of the Blackman-Harris window: F. J. Harris, Proc. IEEE 66, 51 (1978), the minimum 4-term one, sidelobes at -92 dB.
const BLACKMAN_HARRIS: [f64; 4] = [0.35875, 0.48829, 0.14128, 0.01168];

fn wide<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    if matches!(x.dtype(), DType::F16 | DType::BF16) { x.cast(DType::F32) } else { x }
}

/// `mean((p - y)^2)`.
pub fn mse<const D: usize>(prediction: Tensor<D>, truth: Tensor<D>) -> Tensor<1> {
    let difference = wide(prediction) - wide(truth);
    mean_fixed(difference.clone() * difference)
}

/// `ln mean((p - y)^2)`: its gradient does not shrink with the error. Of a prediction that is exact it is minus infinity.
pub fn log_mse<const D: usize>(prediction: Tensor<D>, truth: Tensor<D>) -> Tensor<1> {
    mse(prediction, truth).log()
}

/// `mean(ln cosh(p - y))`: a square about zero, a modulus far from it; without overflow.
pub fn log_cosh<const D: usize>(prediction: Tensor<D>, truth: Tensor<D>) -> Tensor<1> {
    let modulus = (wide(prediction) - wide(truth)).abs();
    let tail = modulus.clone().mul_scalar(-2.0).exp().log1p();
    mean_fixed(modulus + tail).sub_scalar(std::f64::consts::LN_2)
}

/// A logarithm of a variance that a network may predict: within [`LOG_VARIANCE_BOUND`] of 0, and about 0 the number itself.
///
/// A bound by a hyperbolic tangent has a gradient everywhere, so that no prediction sticks to it.
pub fn bounded_log_variance<const D: usize>(raw: Tensor<D>) -> Tensor<D> {
    wide(raw).mul_scalar(1.0 / LOG_VARIANCE_BOUND).tanh().mul_scalar(LOG_VARIANCE_BOUND)
}

/// `mean(((y - m)^2 exp(-s) + s + ln 2 pi) / 2)`, the negative log-likelihood of a normal distribution of mean `m` and variance `exp(s)`.
///
/// `s` is used as it is: bring it within bounds by [`bounded_log_variance`] where a network predicts it.
pub fn gaussian_nll<const D: usize>(mean: Tensor<D>, log_variance: Tensor<D>, truth: Tensor<D>) -> Tensor<1> {
    let (difference, log_variance) = (wide(truth) - wide(mean), wide(log_variance));
    let square = difference.clone() * difference * log_variance.clone().neg().exp();
    mean_fixed(square + log_variance).add_scalar((2.0 * std::f64::consts::PI).ln()).mul_scalar(0.5)
}

/// How the powers of delays are compared, in physical units.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct DelayLoss {
    /// Axis of the frequency behind batch and channels: 0, 1 or 2.
    pub frequency_axis: usize,
    /// Whether the first half of the channels are real parts, the second imaginary ones; otherwise each channel is real.
    pub complex: bool,
    /// Standard deviation of white noise of each part in the unit of the values: delays below the noise then count for little.
    pub noise: Option<f64>,
}

impl DelayLoss {
    /// `mean((ln(P_p + N) - ln(P_y + N))^2)` of the powers of all delays, `P = |FFT(w z)|^2` along the frequency with a Blackman-Harris
    /// window `w`, and `N = sigma^2 sum w^2` for each part.
    ///
    /// The values are those in the unit of the sky, not transformed ones: of an arcsinh the power is that of no delay. Without a noise `N` is
    /// 1e-6 of the mean power of the truth. The original divides by that mean power besides, which makes the loss depend on the unit.
    ///
    /// # Shapes
    /// Both `[batch, channels, x, y, z]`.
    ///
    /// # Panics
    /// "delay loss: axis 3 of 3", "delay loss: 3 channels are no pairs of real and imaginary parts".
    pub fn forward(&self, prediction: Tensor<5>, truth: Tensor<5>) -> Tensor<1> {
        assert!(self.frequency_axis < 3, "delay loss: axis {} of 3", self.frequency_axis);
        let extent = truth.dims()[self.frequency_axis + 2];
        let window = blackman_harris(extent);
        let [predicted, true_power] = [wide(prediction), wide(truth)].map(|x| self.power(x, &window));
        let floor: Tensor<1> = match self.noise {
            Some(noise) => {
                let parts = if self.complex { 2.0 } else { 1.0 };
                let power = parts * noise * noise * window.iter().map(|w| w * w).sum::<f64>();
                mean_fixed(true_power.clone()).detach().mul_scalar(0.0).add_scalar(power)
            }
            None => mean_fixed(true_power.clone()).detach().mul_scalar(EMPTY),
        };
        // no delay has no power at all: a truth of zeros would have no logarithm
        let floor = floor.add_scalar(f64::from(f32::MIN_POSITIVE)).reshape([1; 5]);
        let difference = (predicted + floor.clone()).log() - (true_power + floor).log();
        mean_fixed(difference.clone() * difference)
    }

    fn power(&self, x: Tensor<5>, window: &[f64]) -> Tensor<5> {
        let dim = self.frequency_axis + 2;
        let mut shape = [1; 5];
        shape[dim] = window.len();
        let window = Tensor::<5>::from_data(TensorData::new(window.to_vec(), shape), (&x.device(), x.dtype()));
        let x = x * window;
        let (re, im) = match self.complex {
            true => {
                let channels = x.dims()[1];
                let pairs = channels.is_multiple_of(2);
                assert!(pairs, "delay loss: {channels} channels are no pairs of real and imaginary parts");
                (x.clone().narrow(1, 0, channels / 2), x.narrow(1, channels / 2, channels / 2))
            }
            false => (x.clone(), x.zeros_like()),
        };
        let (re, im) = fft(re, im, dim);
        // powers are not negative, whatever the rounding
        relu(re.clone() * re + im.clone() * im)
    }
}

/// The symmetric window of `n` values.
fn blackman_harris(n: usize) -> Vec<f64> {
    let [a, b, c, d] = BLACKMAN_HARRIS;
    let step = 2.0 * std::f64::consts::PI / n.saturating_sub(1).max(1) as f64;
    let at = |i: usize| i as f64 * step;
    (0..n).map(|i| a - b * at(i).cos() + c * (2.0 * at(i)).cos() - d * (3.0 * at(i)).cos()).collect()
}
