//! The 21-cm signal: a random density with the power spectrum of matter, biased, seen in redshift space, as bright as
//! hydrogen is in each channel.
//!
//! `T(x, nu) = T_b(z_nu) delta(x)`, where `delta` has the power spectrum `(b + f mu^2)^2 D^2 P(k)` (Kaiser, MNRAS 227,
//! 1 (1987)) of the redshift `z_c` of the middle of the band, `mu = k_par / k`. White noise on `n` cells of a volume
//! `V` is multiplied by `sqrt(P n / V)` in Fourier space. A lognormal signal is `exp(delta - <delta^2> / 2) - 1` of it
//! (Coles & Jones, MNRAS 248, 1 (1991)), with mean 0 and variance `exp(<delta^2>) - 1`. The box has the comoving side
//! `chi(z_c) theta` and the depth `|chi(nu_1) - chi(nu_n)| n / (n - 1)`; its ends meet.

use cupel_data::Stream;
use cupel_settings::choices;
use num_complex::Complex;
use rayon::prelude::*;
use rustfft::FftPlanner;

use super::{
    hydrogen::Hydrogen,
    matter_power::MatterPower,
    planes::{Planes, wave_number},
};
use crate::{Background, Geometry, redshift};

choices! {
    /// Statistics of the signal.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Statistics {
        /// Gaussian density
        Gaussian = "gaussian",
        /// Lognormal density, which is never below -1
        Lognormal = "lognormal",
    }
}

/// What the signal is made of, at the middle of the band.
#[derive(Clone, Debug)]
pub(crate) struct SignalModel {
    pub(crate) statistics: Statistics,
    /// Redshift of the middle of the band.
    pub(crate) redshift: f64,
    /// Comoving depth and side in Mpc/h.
    pub(crate) lengths_mpc_h: [f64; 2],
    pub(crate) bias: f64,
    growth: f64,
    growth_rate: f64,
    power: MatterPower,
    /// Mean brightness of each channel in mK.
    pub(crate) brightness_mk: Vec<f64>,
}

impl SignalModel {
    pub(crate) fn new(
        statistics: Statistics,
        hydrogen: Hydrogen,
        background: &Background,
        geometry: &Geometry,
    ) -> Self {
        let frequencies = &geometry.frequencies_mhz;
        let middle = redshift(frequencies.iter().sum::<f64>() / frequencies.len() as f64);
        let [depth, side, _] = geometry.lengths_mpc_h(background);
        Self {
            statistics,
            redshift: middle,
            lengths_mpc_h: [depth, side],
            bias: hydrogen.bias(middle),
            growth: background.growth(middle),
            growth_rate: background.growth_rate(middle),
            power: MatterPower::new(background),
            brightness_mk: frequencies.iter().map(|nu| hydrogen.brightness_mk(background, redshift(*nu))).collect(),
        }
    }

    /// Power of the density in (Mpc/h)^3 at wave numbers across and along the line of sight in h/Mpc.
    pub(crate) fn power(&self, k_perpendicular: f64, k_parallel: f64) -> f64 {
        let k = k_perpendicular.hypot(k_parallel);
        if k == 0.0 {
            return 0.0;
        }
        let kaiser = self.bias + self.growth_rate * (k_parallel / k).powi(2);
        self.power.at(k) * (self.growth * kaiser).powi(2)
    }

    /// The density contrast on [channel, row, column].
    pub(crate) fn density(&self, planes: &Planes, stream: Stream) -> Vec<f64> {
        let (pixels, channels) = (planes.pixels(), self.brightness_mk.len());
        let mut noise = vec![0.0; channels * pixels];
        stream.fill_normal_f64(&mut noise);
        let transform = planes.forward(&noise);
        let [depth, side] = self.lengths_mpc_h;
        let cells = noise.len() as f64;
        let density = cells / (side * side * depth);
        let across: Vec<f64> = planes.multipoles().iter().map(|l| l * planes.side_rad() / side).collect();
        let along: Vec<f64> = (0..channels).map(|i| wave_number(i, channels, depth)).collect();
        let mut planner = FftPlanner::new();
        let (forward, inverse) = (planner.plan_fft_forward(channels), planner.plan_fft_inverse(channels));
        // one line of sight after the other, the last transform of three and the first of three back
        let mut lines = vec![Complex::new(0.0, 0.0); transform.len()];
        let variances: Vec<f64> = lines
            .par_chunks_mut(channels)
            .zip(&across)
            .enumerate()
            .map(|(place, (line, k_perpendicular))| {
                line.iter_mut().enumerate().for_each(|(channel, v)| *v = transform[channel * pixels + place]);
                forward.process(line);
                let powers = line.iter_mut().zip(&along).map(|(v, k_parallel)| {
                    let power = density * self.power(*k_perpendicular, *k_parallel);
                    *v *= power.sqrt() / cells;
                    power
                });
                let variance = powers.sum::<f64>() / cells;
                inverse.process(line);
                variance
            })
            .collect();
        let mut transform = transform;
        transform.par_chunks_mut(pixels).enumerate().for_each(|(channel, plane)| {
            plane.iter_mut().enumerate().for_each(|(place, v)| *v = lines[place * channels + channel]);
        });
        let mut contrast = planes.inverse(transform);
        if self.statistics == Statistics::Lognormal {
            let half = variances.iter().sum::<f64>() / 2.0;
            contrast.par_iter_mut().for_each(|v| *v = (*v - half).exp_m1());
        }
        contrast
    }

    /// The signal in mK on [channel, row, column].
    pub(crate) fn signal_mk(&self, planes: &Planes, stream: Stream) -> Vec<f64> {
        let mut signal = self.density(planes, stream);
        signal
            .par_chunks_mut(planes.pixels())
            .zip(&self.brightness_mk)
            .for_each(|(plane, brightness)| plane.iter_mut().for_each(|v| *v *= brightness));
        signal
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(statistics: Statistics, size: usize, channels: usize) -> (SignalModel, Planes) {
        let frequencies: Vec<f64> = (0..channels).map(|i| 350.0 + 129.0 * (i as f64 + 0.5) / channels as f64).collect();
        let geometry = Geometry { side_deg: [20.0; 2], frequencies_mhz: frequencies };
        let model = SignalModel::new(statistics, Hydrogen::Crighton, &Background::default(), &geometry);
        (model, Planes::new(size, 20.0_f64.to_radians()))
    }

    /// Power of a box by its definition, on [channel, row, column], in bins of |mu| by |k|.
    fn measured(density: &[f64], size: usize, channels: usize, model: &SignalModel, bins: usize) -> Vec<[f64; 3]> {
        let planes = Planes::new(size, 20.0_f64.to_radians());
        let transform = planes.forward(density);
        let [depth, side] = model.lengths_mpc_h;
        let fft = FftPlanner::new().plan_fft_forward(channels);
        let volume = side * side * depth;
        let mut sums = vec![[0.0; 3]; 2 * bins];
        for (place, l) in planes.multipoles().iter().enumerate() {
            let mut line: Vec<Complex<f64>> = (0..channels).map(|c| transform[c * size * size + place]).collect();
            fft.process(&mut line);
            for (index, value) in line.iter().enumerate() {
                let (across, along) = (l * planes.side_rad() / side, wave_number(index, channels, depth));
                let k = across.hypot(along);
                // the highest wave numbers of the grid have no partner of their own sign
                if k > 0.012 && k < 0.12 {
                    let bin = ((k / 0.012).ln() / 10.0_f64.ln() * bins as f64) as usize;
                    let slanted = usize::from((along / k).abs() > 0.7);
                    let sum = &mut sums[slanted * bins + bin.min(bins - 1)];
                    sum[0] += value.norm_sqr() * volume / (density.len() as f64).powi(2);
                    sum[1] += model.power(across, along);
                    sum[2] += 1.0;
                }
            }
        }
        sums
    }

    #[test]
    fn the_box_has_the_power_spectrum_bias_and_kaiser_factor_of_its_model() {
        let (model, planes) = model(Statistics::Gaussian, 32, 32);
        let mut sums = vec![[0.0; 3]; 8];
        for seed in 0..6 {
            let density = model.density(&planes, Stream::new(seed, "density"));
            let mean = density.iter().sum::<f64>() / density.len() as f64;
            assert!(mean.abs() < 1e-12, "{mean}");
            for (sum, one) in sums.iter_mut().zip(measured(&density, 32, 32, &model, 4)) {
                (0..3).for_each(|i| sum[i] += one[i]);
            }
        }
        for [found, wanted, modes] in sums {
            // every mode counts beside its partner -k, which is the same
            let sigma: f64 = (2.0 / modes).sqrt();
            assert!((found / wanted - 1.0).abs() < 4.0 * sigma, "{found} {wanted} {modes}");
            assert!(sigma < 0.1, "{modes}");
        }
        // the Kaiser factor by itself
        let (across, along) = (model.power(0.05, 0.0), model.power(0.0, 0.05));
        let rate = Background::default().growth_rate(model.redshift);
        assert!((along / across - (1.0 + rate / model.bias).powi(2)).abs() < 1e-12);
        let matter =
            MatterPower::new(&Background::default()).at(0.05) * Background::default().growth(model.redshift).powi(2);
        assert!((across / matter - model.bias.powi(2)).abs() < 1e-12);
    }

    #[test]
    fn the_variance_of_either_statistics_is_its_closed_form() {
        let (gaussian, planes) = model(Statistics::Gaussian, 32, 32);
        let lognormal = SignalModel { statistics: Statistics::Lognormal, ..gaussian.clone() };
        let (mut square, mut mean, mut log_square) = (0.0, 0.0, 0.0);
        for seed in 0..6 {
            let stream = Stream::new(seed, "density");
            let (normal, log) = (gaussian.density(&planes, stream), lognormal.density(&planes, stream));
            assert!(log.iter().all(|v| *v > -1.0));
            let count = 6.0 * normal.len() as f64;
            square += normal.iter().map(|v| v * v).sum::<f64>() / count;
            mean += log.iter().sum::<f64>() / count;
            log_square += log.iter().map(|v| v * v).sum::<f64>() / count;
            // a local function of the same density
            let shift = normal[0] - (1.0 + log[0]).ln();
            for (a, b) in normal.iter().zip(&log) {
                assert!((a - (1.0 + b).ln() - shift).abs() < 1e-9);
            }
        }
        assert!(mean.abs() < 0.02, "{mean}");
        assert!((log_square / square.exp_m1() - 1.0).abs() < 0.1, "{log_square} {square}");
    }

    #[test]
    fn each_channel_is_as_bright_as_its_redshift() {
        let (model, planes) = model(Statistics::Gaussian, 16, 8);
        let stream = Stream::new(4, "density");
        let (density, signal) = (model.density(&planes, stream), model.signal_mk(&planes, stream));
        for (channel, brightness) in model.brightness_mk.iter().enumerate() {
            let nu = 350.0 + 129.0 * (channel as f64 + 0.5) / 8.0;
            let wanted = Hydrogen::Crighton.brightness_mk(&Background::default(), redshift(nu));
            assert_eq!(*brightness, wanted);
            assert_eq!(signal[channel * 256], density[channel * 256] * wanted);
        }
    }
}
