//! The delay spectrum of visibilities: their Fourier transform along frequency, baseline by baseline.
//!
//! `V~(b, tau) = dnu sum_n w_n V(nu_n) exp(-2 pi i nu_n tau)` and `P(b, tau) = sum |V~|^2 / sum B`, both sums over times and polarisations, with
//! the effective bandwidth `B = dnu sum_n w_n^2` of taper times weights: white visibilities of variance `s^2` have `P = s^2 dnu`, whatever is
//! flagged. In temperature it is `(lambda^2 / 2 k_B)^2 X^2 Y / Omega_pp` times that, with `X = D_M`, `Y = c (1 + z)^2 / (H nu_21)` and the integral
//! `Omega_pp` of the primary beam's power squared: Parsons et al., ApJ 756, 165 (2012); Parsons et al., ApJ 788, 106 (2014), appendix B.

use std::f64::consts::TAU;

use cupel_data::{AxisKind, Cube};
use num_complex::Complex;
use rayon::prelude::*;
use rustfft::FftPlanner;
use serde::Serialize;

use super::{
    Binning, Comparison, Horizon, Window,
    binning::Edges,
    estimator::real_product,
    horizon::{depth_mpc_h_per_mhz, horizon_us, k_par_of_delay, k_perp_of_baseline},
};
use crate::{Background, Error, Result, SPEED_OF_LIGHT_KM_S, Visibilities, redshift};

/// Largest part of a step by which channels may be off even spacing.
const UNEVEN: f64 = 1e-3;
/// Boltzmann's constant in J/K, exact (SI 2019).
const BOLTZMANN_J_K: f64 = 1.380_649e-23;
/// W/m^2/Hz in a jansky.
const JANSKY_W_M2_HZ: f64 = 1e-26;

/// How delay spectra are made.
#[derive(Clone, Debug)]
pub struct DelayEstimator {
    background: Background,
    frequency_mhz: f64,
    /// Below zero where frequencies go down.
    step_mhz: f64,
    taper: Vec<f64>,
    lengths_m: Vec<f64>,
    weights: Option<Cube<f32>>,
}

/// Delay spectra of all baselines.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DelaySpectrum {
    /// Middle of the band in MHz.
    pub frequency_mhz: f64,
    /// Delays in us, ascending through zero.
    pub delays_us: Vec<f64>,
    /// `k_par` of each in h/Mpc, with the sign of the delay.
    pub k_par: Vec<f64>,
    /// One a baseline, in their order.
    pub lines: Vec<DelayLine>,
}

/// The delay spectrum of one baseline.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DelayLine {
    /// Length of the baseline in metres; NaN where it is not known, as is what follows from it.
    pub length_m: f64,
    /// `k_perp` in h/Mpc in the middle of the band.
    pub k_perp: f64,
    /// Delay of a source on the horizon in us.
    pub horizon_us: f64,
    /// Power at each delay in the unit of the visibilities squared times MHz; NaN where everything is flagged.
    pub power: Vec<f64>,
    /// Its standard deviation for Gaussian visibilities that are independent in all times and polarisations; drift scans, whose times share their sky, scatter
    /// more.
    pub sigma: Vec<f64>,
    /// Number of times and polarisations that are not flagged altogether.
    pub samples: usize,
}

/// Sums of one baseline at one delay: `|a|^2`, `|b|^2`, `Re[a b*]`, `|b - a|^2`.
type Sums = [f64; 4];

/// All sums of one baseline.
struct OfBaseline {
    sums: Vec<Sums>,
    bandwidth_mhz: f64,
    samples: usize,
}

impl DelayEstimator {
    /// Of channels at these frequencies and baselines with these vectors in metres; an empty list where those are not known.
    ///
    /// # Errors
    /// [`Error::Spectrum`] for fewer than two channels, or channels that are not evenly spaced.
    pub fn new(frequencies_mhz: &[f64], baselines_m: &[[f64; 3]], background: &Background) -> Result<Self> {
        let step_mhz = even_step_mhz(frequencies_mhz)?;
        let middle = (frequencies_mhz[0] + frequencies_mhz[frequencies_mhz.len() - 1]) / 2.0;
        let length = |[u, v, w]: &[f64; 3]| u.hypot(*v).hypot(*w);
        Ok(Self {
            background: *background,
            frequency_mhz: middle,
            step_mhz,
            taper: vec![1.0; frequencies_mhz.len()],
            lengths_m: baselines_m.iter().map(length).collect(),
            weights: None,
        })
    }

    /// For these visibilities, with their weights.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of(visibilities: &Visibilities, background: &Background) -> Result<Self> {
        let estimator = Self::new(visibilities.frequencies_mhz()?, visibilities.baselines_m(), background)?;
        Ok(Self { weights: visibilities.weights().cloned(), ..estimator })
    }

    /// The same under a taper along frequency.
    #[must_use]
    pub fn with_window(mut self, window: Window) -> Self {
        self.taper = window.weights(self.taper.len());
        self
    }

    /// The same under weights with the axes of the visibilities; what has weight 0 is left out, NaN included.
    #[must_use]
    pub fn with_weights(mut self, weights: Cube<f32>) -> Self {
        self.weights = Some(weights);
        self
    }

    /// The delay spectra of visibilities, whose axes are baseline, frequency and any others.
    ///
    /// # Errors
    /// When axes or lengths are others, or a value that counts is not finite.
    pub fn power(&self, visibilities: &Cube<Complex<f32>>) -> Result<DelaySpectrum> {
        self.cross(visibilities, visibilities)
    }

    /// What two sets of visibilities have in common, as even and odd times do, of which noise is no part.
    ///
    /// # Errors
    /// As [`power`](Self::power).
    pub fn cross(&self, a: &Cube<Complex<f32>>, b: &Cube<Complex<f32>>) -> Result<DelaySpectrum> {
        let lines = self.sums(a, b)?.into_iter().enumerate().map(|(baseline, of_baseline)| {
            let norm = self.norm(of_baseline.bandwidth_mhz);
            let power: Vec<f64> = of_baseline.sums.iter().map(|[_, _, common, _]| norm * common).collect();
            let sigma = of_baseline.sums.iter().map(|[a, b, common, _]| {
                norm * ((common * common + a * b) / (2.0 * of_baseline.samples as f64)).sqrt()
            });
            let length_m = self.length_m(baseline);
            DelayLine {
                length_m,
                k_perp: k_perp_of_baseline(&self.background, self.frequency_mhz, length_m),
                horizon_us: horizon_us(length_m, 90.0),
                sigma: sigma.collect(),
                power,
                samples: of_baseline.samples,
            }
        });
        let lines = lines.collect();
        let delays_us = self.delays_us();
        let k_par =
            delays_us.iter().map(|delay| k_par_of_delay(&self.background, self.frequency_mhz, *delay)).collect();
        Ok(DelaySpectrum { frequency_mhz: self.frequency_mhz, delays_us, k_par, lines })
    }

    /// Compares estimated visibilities with true ones in bins of `|k_par|` or of `|k|`; a mode of complex visibilities counts as two, as `k` and `-k` of a
    /// sky do. Powers are in the unit of the visibilities squared times MHz.
    ///
    /// # Errors
    /// As [`power`](Self::power); [`Error::Spectrum`] for rings, and for shells where lengths of baselines are not known.
    pub fn compare(
        &self,
        truth: &Cube<Complex<f32>>,
        estimate: &Cube<Complex<f32>>,
        binning: &Binning,
    ) -> Result<Vec<Comparison>> {
        let all = self.sums(truth, estimate)?;
        let k_par: Vec<f64> = self
            .delays_us()
            .iter()
            .map(|delay| k_par_of_delay(&self.background, self.frequency_mhz, delay.abs()))
            .collect();
        let first = TAU
            / depth_mpc_h_per_mhz(&self.background, self.frequency_mhz)
            / (self.step_mhz.abs() * self.taper.len() as f64);
        let last = k_par.iter().copied().fold(0.0, f64::max);
        let k_perp: Vec<f64> = (0..all.len())
            .map(|i| k_perp_of_baseline(&self.background, self.frequency_mhz, self.length_m(i)))
            .collect();
        let (edges, across) = match binning {
            Binning::Parallel(bins) => (bins.edges(first, last)?, vec![0.0; all.len()]),
            Binning::Spherical(bins) if k_perp.iter().all(|k| k.is_finite()) => {
                let least = k_perp.iter().copied().fold(f64::INFINITY, f64::min);
                let most = k_perp.iter().copied().fold(0.0, f64::max).hypot(last);
                (bins.edges(if least > 0.0 { least.min(first) } else { first }, most)?, k_perp)
            }
            _ => {
                let (expected, got) = ("bins of k_par, or of k and the lengths of the baselines", "none".to_owned());
                return Err(Error::Spectrum { expected, got });
            }
        };
        let edges = Edges::new(edges);
        let mut bins = vec![([0.0; 4], 0.0, 0.0, 0_u64); edges.bins()];
        for (of_baseline, k_perp) in all.iter().zip(&across) {
            for (sums, k_par) in of_baseline.sums.iter().zip(&k_par) {
                let k = k_perp.hypot(*k_par);
                let Some(bin) = edges.bin(k).filter(|_| *k_par > 0.0) else { continue };
                let (total, bandwidth_mhz, of_k, samples) = &mut bins[bin];
                total.iter_mut().zip(sums).for_each(|(total, sum)| *total += sum);
                *bandwidth_mhz += of_baseline.bandwidth_mhz;
                *of_k += k * of_baseline.samples as f64;
                *samples += of_baseline.samples as u64;
            }
        }
        let comparison = |(sums, bandwidth_mhz, of_k, samples): ([f64; 4], f64, f64, u64)| {
            let norm = self.norm(bandwidth_mhz);
            let powers = sums.map(|sum| norm * sum);
            Comparison::new(of_k / samples as f64, 2 * samples, powers, powers[1] / (samples as f64).sqrt())
        };
        Ok(bins.into_iter().map(comparison).collect())
    }

    /// Whether the lengths of the baselines are known.
    pub fn knows_baselines(&self) -> bool {
        !self.lengths_m.is_empty()
    }

    /// The weights in the order of `values`.
    pub(crate) fn weights_like(&self, values: &Cube<Complex<f32>>) -> Result<Option<Vec<f64>>> {
        let Some(weights) = &self.weights else { return Ok(None) };
        let weights = weights.permuted(&values.axes().kinds())?;
        Ok(Some(weights.values().iter().map(|weight| f64::from(*weight)).collect()))
    }

    fn length_m(&self, baseline: usize) -> f64 {
        self.lengths_m.get(baseline).copied().unwrap_or(f64::NAN)
    }

    /// `dnu^2 / B`, NaN where everything is flagged.
    fn norm(&self, bandwidth_mhz: f64) -> f64 {
        if bandwidth_mhz > 0.0 { self.step_mhz * self.step_mhz / bandwidth_mhz } else { f64::NAN }
    }

    /// Delays in the order of [`shifted`].
    fn delays_us(&self) -> Vec<f64> {
        let channels = self.taper.len();
        let lowest = (channels / 2) as f64;
        (0..channels).map(|i| (i as f64 - lowest) / (channels as f64 * self.step_mhz.abs())).collect()
    }

    fn sums(&self, a: &Cube<Complex<f32>>, b: &Cube<Complex<f32>>) -> Result<Vec<OfBaseline>> {
        let order = line_order(a.axes().kinds())?;
        let (a, b) = (a.permuted(&order)?, b.permuted(&order)?);
        let shape = a.shape();
        let channels = self.taper.len();
        let (baselines, last) = (shape[0], shape[shape.len() - 1]);
        if !self.lengths_m.is_empty() && self.lengths_m.len() != baselines || last != channels {
            let mut expected = shape.clone();
            expected[0] = if self.lengths_m.is_empty() { baselines } else { self.lengths_m.len() };
            expected[shape.len() - 1] = channels;
            let with = "the baselines and channels of their delay spectrum";
            return Err(Error::Compared { what: "visibilities", got: shape, with, expected });
        }
        if a.shape() != b.shape() {
            let (got, expected) = (b.shape(), a.shape());
            return Err(Error::Compared { what: "visibilities", got, with: "those they are compared with", expected });
        }
        let weights = self.weights.as_ref().map(|weights| weights.permuted(&order)).transpose()?;
        if let Some(weights) = weights.as_ref().filter(|weights| weights.shape() != a.shape()) {
            return Err(Error::WeightShape { what: "weights", expected: a.shape(), got: weights.shape() });
        }
        let per_baseline = a.len() / baselines.max(1);
        let plan = FftPlanner::<f64>::new().plan_fft_forward(channels);
        let of_baseline = |baseline: usize| {
            let range = baseline * per_baseline..(baseline + 1) * per_baseline;
            let (a, b) = (&a.values()[range.clone()], &b.values()[range.clone()]);
            let weights = weights.as_ref().map(|weights| &weights.values()[range]);
            let mut scratch = vec![Complex::new(0.0, 0.0); plan.get_inplace_scratch_len()];
            let mut total = OfBaseline { sums: vec![[0.0; 4]; channels], bandwidth_mhz: 0.0, samples: 0 };
            for (line, (a, b)) in a.chunks_exact(channels).zip(b.chunks_exact(channels)).enumerate() {
                let weight = |channel: usize| {
                    self.taper[channel] * weights.map_or(1.0, |all| f64::from(all[line * channels + channel]))
                };
                let all: Vec<f64> = (0..channels).map(weight).collect();
                let squares: f64 = all.iter().map(|weight| weight * weight).sum();
                if squares == 0.0 {
                    continue;
                }
                let mut spectra = [a, b].map(|values| self.weighted(values, &all));
                for spectrum in &mut spectra {
                    plan.process_with_scratch(spectrum, &mut scratch);
                    shifted(spectrum);
                }
                let [a, b] = &spectra;
                for (sums, (a, b)) in total.sums.iter_mut().zip(a.iter().zip(b)) {
                    let values = [a.norm_sqr(), b.norm_sqr(), real_product(*a, *b), (b - a).norm_sqr()];
                    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
                }
                total.bandwidth_mhz += self.step_mhz.abs() * squares;
                total.samples += 1;
            }
            if total.sums.iter().flatten().all(|sum| sum.is_finite()) {
                return Ok(total);
            }
            let expected = "finite visibilities; give weights of 0 where they are not";
            Err(Error::Spectrum { expected, got: format!("NaN or infinite ones of baseline {baseline}") })
        };
        (0..baselines).into_par_iter().map(of_baseline).collect()
    }

    /// Weighted values in the order of ascending frequency; a weight of 0 takes everything off, NaN included.
    fn weighted(&self, values: &[Complex<f32>], weights: &[f64]) -> Vec<Complex<f64>> {
        let one = |(value, weight): (&Complex<f32>, &f64)| {
            if *weight == 0.0 { Complex::default() } else { Complex::new(value.re.into(), value.im.into()) * *weight }
        };
        let mut line: Vec<Complex<f64>> = values.iter().zip(weights).map(one).collect();
        if self.step_mhz < 0.0 {
            line.reverse();
        }
        line
    }
}

impl DelaySpectrum {
    /// Which delays of which baselines are in the wedge of smooth foregrounds, which reaches `buffer_us` beyond the horizon at this zenith angle: one a
    /// baseline, in the order of the delays.
    pub fn wedge(&self, zenith_angle_deg: f64, buffer_us: f64) -> Vec<Vec<bool>> {
        let of_line = |line: &DelayLine| {
            let end = horizon_us(line.length_m, zenith_angle_deg) + buffer_us;
            self.delays_us.iter().map(|delay| delay.abs() <= end).collect()
        };
        self.lines.iter().map(of_line).collect()
    }

    /// The factor that makes powers in Jy^2 MHz ones in K^2 (Mpc/h)^3, for a primary beam whose squared power has the integral `omega_pp_sr`.
    pub fn kelvin_factor(&self, background: &Background, omega_pp_sr: f64) -> f64 {
        let wavelength_m = SPEED_OF_LIGHT_KM_S * 1e-3 / self.frequency_mhz;
        let kelvin_sr = wavelength_m * wavelength_m * JANSKY_W_M2_HZ / (2.0 * BOLTZMANN_J_K);
        let across = background.comoving_distance_mpc_h(redshift(self.frequency_mhz));
        let along = depth_mpc_h_per_mhz(background, self.frequency_mhz);
        kelvin_sr * kelvin_sr * across * across * along / omega_pp_sr
    }

    /// The line of the horizon in comoving wave numbers.
    pub fn horizon(&self, background: &Background, zenith_angle_deg: f64) -> Horizon {
        Horizon::new(background, self.frequency_mhz, zenith_angle_deg, 0.0)
    }
}

/// The step between channels in MHz, below zero where frequencies go down.
///
/// # Errors
/// [`Error::Spectrum`] for fewer than two channels, or channels that are not evenly spaced.
pub(crate) fn even_step_mhz(frequencies_mhz: &[f64]) -> Result<f64> {
    let (Some(first), Some(last)) = (frequencies_mhz.first(), frequencies_mhz.last()) else {
        return Err(Error::Spectrum { expected: "two channels at least", got: "none".to_owned() });
    };
    if frequencies_mhz.len() < 2 {
        return Err(Error::Spectrum { expected: "two channels at least", got: "one".to_owned() });
    }
    let step = (last - first) / (frequencies_mhz.len() - 1) as f64;
    let off = |(index, frequency): (usize, &f64)| (frequency - first - step * index as f64).abs() > UNEVEN * step.abs();
    if step == 0.0 || !step.is_finite() {
        return Err(Error::Spectrum {
            expected: "frequencies that go up or down",
            got: format!("steps of {step} MHz"),
        });
    }
    match frequencies_mhz.iter().enumerate().find(|channel| off(*channel)) {
        None => Ok(step),
        Some((index, frequency)) => Err(Error::Spectrum {
            expected: "evenly spaced channels; fill gaps with channels of weight 0",
            got: format!("channel {index} at {frequency} MHz, which is not {}", first + step * index as f64),
        }),
    }
}

/// Baseline first, frequency last.
fn line_order(kinds: Vec<AxisKind>) -> Result<Vec<AxisKind>> {
    for wanted in [AxisKind::Baseline, AxisKind::Frequency] {
        if !kinds.contains(&wanted) {
            return Err(cupel_data::Error::MissingAxis { wanted, have: kinds }.into());
        }
    }
    let others = kinds.into_iter().filter(|kind| !matches!(kind, AxisKind::Baseline | AxisKind::Frequency));
    Ok(std::iter::once(AxisKind::Baseline).chain(others).chain([AxisKind::Frequency]).collect())
}

/// From the order of a transform to ascending delays, along this one axis.
fn shifted(spectrum: &mut [Complex<f64>]) {
    spectrum.rotate_right(spectrum.len() / 2);
}
