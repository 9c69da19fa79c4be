//! The gain that calibration leaves over in each channel: 1 + a smooth random function of frequency.
//!
//! A Gaussian process of rms `ripple` whose channels correlate as `exp(-(d nu)^2 / (2 w^2))`, `w` an eighth of the
//! band: foregrounds times a gain are as smooth as the gain, and no smoother (for CHIME a ripple below 1e-4 is asked
//! for by arXiv 2506.09170).

use cupel_data::Stream;

use super::gaussian_field::ChannelRoot;
use crate::Result;

/// Widths of the correlation in the band.
const WIDTHS_A_BAND: f64 = 8.0;

/// The gain of each channel.
///
/// # Errors
/// Frequencies that are not finite.
pub(crate) fn gains(frequencies_mhz: &[f64], ripple: f64, stream: Stream) -> Result<Vec<f64>> {
    let ends = frequencies_mhz.first().zip(frequencies_mhz.last()).map_or(0.0, |(first, last)| (last - first).abs());
    let root = ChannelRoot::new(frequencies_mhz, |a, b| (-0.5 * ((a - b) * WIDTHS_A_BAND / ends).powi(2)).exp())?;
    let mut white = vec![0.0; root.modes()];
    stream.fill_normal_f64(&mut white);
    Ok(root.mix(&white, 1).into_iter().map(|v| 1.0 + ripple * v).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gains_have_their_rms_and_are_smooth() {
        let frequencies: Vec<f64> = (0..64).map(|i| 400.0 + f64::from(i)).collect();
        let (mut square, mut step, skies) = (0.0, 0.0, 400);
        for sky in 0..skies {
            let gains = gains(&frequencies, 1e-3, Stream::new(sky, "bandpass")).unwrap();
            square += gains.iter().map(|g| (g - 1.0).powi(2)).sum::<f64>() / 64.0 / skies as f64;
            step += gains.windows(2).map(|pair| (pair[1] - pair[0]).powi(2)).sum::<f64>() / 63.0 / skies as f64;
        }
        assert!((square.sqrt() / 1e-3 - 1.0).abs() < 0.05, "{}", square.sqrt());
        // <(g(x + d) - g(x))^2> = 2 s^2 (1 - exp(-d^2 / 2 w^2)), w = 63 / 8 MHz
        let wanted = 2e-6 * (1.0 - (-0.5 * (8.0_f64 / 63.0).powi(2)).exp());
        assert!((step / wanted - 1.0).abs() < 0.1, "{step} {wanted}");
    }
}
