//! How near a prediction is to the truth, for the numbers after an epoch.

/// Sums over all values, the mean of each frequency taken off both.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Agreement {
    truth: f64,
    prediction: f64,
    common: f64,
    residual: f64,
}

impl Agreement {
    /// Of values with the frequency as the last axis.
    pub(super) fn of(prediction: &[f32], truth: &[f32], frequencies: usize) -> Self {
        let means = |values: &[f32]| -> Vec<f64> {
            let mut sums = vec![0.0; frequencies];
            for spectrum in values.chunks_exact(frequencies) {
                sums.iter_mut().zip(spectrum).for_each(|(sum, value)| *sum += f64::from(*value));
            }
            let spectra = (values.len() / frequencies.max(1)).max(1) as f64;
            sums.into_iter().map(|sum| sum / spectra).collect()
        };
        let (of_prediction, of_truth) = (means(prediction), means(truth));
        let mut sums = Self::default();
        for (i, (p, t)) in prediction.iter().zip(truth).enumerate() {
            let channel = i % frequencies;
            let (p, t) = (f64::from(*p) - of_prediction[channel], f64::from(*t) - of_truth[channel]);
            sums.truth += t * t;
            sums.prediction += p * p;
            sums.common += p * t;
            sums.residual += (p - t) * (p - t);
        }
        sums
    }

    /// Correlation (Pearson); 0 where either has no variance.
    pub(super) fn correlation(&self) -> f64 {
        let norm = (self.truth * self.prediction).sqrt();
        if norm > 0.0 { self.common / norm } else { 0.0 }
    }

    /// Mean square of what is left over that of the truth; infinite where there is no truth.
    pub(super) fn residual_ratio(&self) -> f64 {
        if self.truth > 0.0 { self.residual / self.truth } else { f64::INFINITY }
    }
}

#[cfg(test)]
mod tests {
    use super::Agreement;

    #[test]
    fn an_offset_of_a_channel_is_no_disagreement() {
        let truth = [1.0, 5.0, -1.0, 7.0, 0.5, -2.0];
        let same: Vec<f32> = truth.iter().enumerate().map(|(i, t)| t + [3.0, -4.0][i % 2]).collect();
        let agreement = Agreement::of(&same, &truth, 2);
        assert!((agreement.correlation() - 1.0).abs() < 1e-6 && agreement.residual_ratio() < 1e-12, "{agreement:?}");
        let half: Vec<f32> = truth.iter().map(|t| t / 2.0).collect();
        let agreement = Agreement::of(&half, &truth, 2);
        assert!((agreement.correlation() - 1.0).abs() < 1e-6 && (agreement.residual_ratio() - 0.25).abs() < 1e-6);
        assert_eq!(Agreement::of(&[0.0; 6], &truth, 2).correlation(), 0.0);
    }
}
