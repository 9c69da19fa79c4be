//! What variational inference expects before it sees a pixel, and how far the guide is from it.

use burn::tensor::Tensor;
use cupel_kernels::sum_fixed;

use super::{endmembers::EndmemberPrior, guide::Guided, model::VariationalModel};
use crate::mixture::Guide;

/// Where the logarithm of the gamma function follows Stirling's series to f32 rounding.
const STIRLING_FROM: usize = 7;

impl VariationalModel {
    /// Divergence of the guide of some pixels from the prior of their abundances and, where it varies, of their light.
    pub(super) fn divergence(&self, guided: Guided, light_varies: bool) -> Tensor<1> {
        let Guided { means, ln_deviations, ln_brightness } = guided;
        let [pixels, count] = means.dims();
        let alpha = self.ln_concentrations.base().exp();
        let squares = ln_deviations.clone().mul_scalar(2.0).exp();
        let local =
            (means.clone() + squares.mul_scalar(0.5)).exp() - means * alpha.clone().unsqueeze_dim(0) - ln_deviations;
        let constant = 0.5 * (std::f64::consts::TAU * std::f64::consts::E).ln();
        let mut divergence = sum_fixed(local) + (ln_gamma(alpha).sum() - constant * count as f64) * pixels as f64;
        if light_varies {
            let light = self.light.base();
            let (mean, ln_tau) = (light.clone().narrow(0, 0, 1), light.narrow(0, 1, 1));
            let off = (ln_brightness - mean) / ln_tau.clone().exp();
            divergence = divergence + sum_fixed(off.clone() * off).mul_scalar(0.5) + ln_tau * pixels as f64;
        }
        divergence
    }

    /// Divergence of what all pixels share from its prior, up to a constant.
    pub(super) fn shared_divergence(&self, guide: Guide, prior: EndmemberPrior) -> Tensor<1> {
        let [count, _] = self.ln_endmembers.dims();
        let alpha = self.ln_concentrations.base().exp();
        let ln_total = (alpha.sum().log() - (count as f64).ln()).mul_scalar(2.0);
        let noise = self.ln_noise.base() + 4.0;
        (ln_total.clone() * ln_total).mul_scalar(0.5) + (noise.clone() * noise).mean().mul_scalar(0.5)
            - self.entropy(guide)
            + self.expected(prior)
    }
}

/// Logarithm of the gamma function of positive values: Stirling's series (Abramowitz & Stegun 6.1.41) after a shift by recurrence.
fn ln_gamma(x: Tensor<1>) -> Tensor<1> {
    let shifted = x.clone() + STIRLING_FROM as f64;
    let reciprocal = shifted.clone().recip();
    let square = reciprocal.clone() * reciprocal.clone();
    let series = (square.clone().mul_scalar(1.0 / 1260.0) - 1.0 / 360.0) * square + 1.0 / 12.0;
    let stirling = (shifted.clone() - 0.5) * shifted.clone().log() - shifted
        + 0.5 * std::f64::consts::TAU.ln()
        + series * reciprocal;
    (0..STIRLING_FROM).fold(stirling, |sum, i| sum - (x.clone() + i as f64).log())
}

#[cfg(test)]
mod tests {
    use burn::tensor::Device;

    use super::*;
    use crate::networks::values;

    #[test]
    fn the_gamma_function_has_its_values_and_slope() {
        let device = Device::flex().autodiff();
        let x = Tensor::<1>::from_floats([0.05, 0.5, 1.0, 3.0, 10.5], &device).require_grad();
        let expected = [2.968_879_2, 0.572_364_94, 0.0, std::f64::consts::LN_2, 13.940_625];
        // digamma, Abramowitz & Stegun table 6.1 and 6.3.2
        let slopes = [-20.497_845, -1.963_510_03, -0.577_215_66, 0.922_784_34, 2.303_001_0];
        let result = ln_gamma(x.clone());
        for (got, expected) in values(result.clone().inner()).unwrap().iter().zip(expected) {
            assert!((got - expected).abs() < 3e-6 * (1.0 + expected.abs()), "{got} {expected}");
        }
        let gradients = result.sum().backward();
        for (got, expected) in values(x.grad(&gradients).unwrap()).unwrap().iter().zip(slopes) {
            assert!((got - expected).abs() < 1e-5 * (1.0 + expected.abs()), "{got} {expected}");
        }
    }
}
