//! [`Kernel`]: how a part of the sky covaries from channel to channel, with the derivatives by its parameters.
//!
//! With channels `nu`, the middle of the band `nu0`, and the multipole `l`:
//! ```text
//! smooth      (nu nu' / nu0^2)^-alpha exp(-ln^2(nu / nu') / (2 xi^2))
//! mixing      exp(-(nu - nu')^2 / (2 d^2)),   d = d0 l0 / l
//! hydrogen    1 / (chi^2 depth) sum_m P(k_m) cos(k_m (z - z')),   P = P_lin(k) / P_lin(k0) (k / k0)^(n + r ln(k / k0) / 2) (1 + beta mu^2)^2
//! ```
//! The smooth one is the covariance of foregrounds of Santos, Cooray & Knox, ApJ 625, 575 (2005), equation 4. An instrument mixes the sky along
//! frequency the faster the longer the baseline is, as in Mertens, Ghosh & Koopmans, MNRAS 478, 3640 (2018), arXiv:1711.10834, section 3, whose
//! squared exponential has one length for all baselines. Hydrogen follows matter: `k^2 = (l / chi)^2 + k_m^2`, the linear power of matter, a tilt and a
//! running to depart from it, and the squashing of Kaiser, MNRAS 227, 1 (1987), `mu = k_m / k`. Over frequency this is a kernel like Matern's, whose
//! coherence grows shorter as `1 / l`.

use faer::Mat;

use super::model::Channels;

/// Wave number in h/Mpc at which the power of hydrogen is given.
const PIVOT_K: f64 = 0.1;

/// How a part of the sky covaries along frequency.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Kernel {
    /// A power law in frequency that loses coherence over the logarithm of frequency: spectral index `alpha` and `ln xi`.
    Smooth,
    /// What an instrument mixes into other channels: `ln d0`, in MHz.
    Mixing,
    /// Hydrogen in a volume that repeats after so many of its depths: tilt `n`, running `r`, and `beta` of redshift space. The ends of simulated
    /// volumes meet after one; two keep those of others apart.
    Hydrogen { periods: usize },
    /// Nothing in common between channels.
    White,
}

/// A kernel's matrix and its derivatives by each parameter.
pub(super) struct Shape {
    pub(super) matrix: Mat<f64>,
    pub(super) derivatives: Vec<Mat<f64>>,
}

impl Kernel {
    /// Whether the matrix differs from one multipole to the next by more than a factor.
    pub(super) fn varies(self) -> bool {
        matches!(self, Self::Hydrogen { .. } | Self::Mixing)
    }

    /// The matrix at a multipole, and `ratio`, that multipole over the one of the parameters.
    pub(super) fn shape(self, parameters: &[f64], channels: &Channels, multipole: f64, ratio: f64) -> Shape {
        let nu = &channels.frequencies_mhz;
        let count = nu.len();
        match self {
            Self::White => Shape { matrix: Mat::identity(count, count), derivatives: Vec::new() },
            Self::Smooth => {
                let (alpha, xi, middle) = (parameters[0], parameters[1].exp(), channels.middle_mhz());
                let scale = |i: usize, j: usize| (nu[i] * nu[j] / (middle * middle)).ln();
                let distance = |i: usize, j: usize| ((nu[i] / nu[j]).ln() / xi).powi(2);
                let matrix = Mat::from_fn(count, count, |i, j| (-alpha * scale(i, j) - 0.5 * distance(i, j)).exp());
                let by_index = Mat::from_fn(count, count, |i, j| -scale(i, j) * matrix[(i, j)]);
                let by_coherence = Mat::from_fn(count, count, |i, j| distance(i, j) * matrix[(i, j)]);
                Shape { matrix, derivatives: vec![by_index, by_coherence] }
            }
            Self::Mixing => {
                let length = parameters[0].exp() / ratio;
                let squared = |i: usize, j: usize| ((nu[i] - nu[j]) / length).powi(2);
                let matrix = Mat::from_fn(count, count, |i, j| (-0.5 * squared(i, j)).exp());
                let by_length = Mat::from_fn(count, count, |i, j| squared(i, j) * matrix[(i, j)]);
                Shape { matrix, derivatives: vec![by_length] }
            }
            Self::Hydrogen { periods } => hydrogen(parameters, channels, multipole, periods),
        }
    }
}

/// A volume seen in one mode across the line of sight: sums over the modes along it, a number for each distance in cells.
fn hydrogen(parameters: &[f64], channels: &Channels, multipole: f64, periods: usize) -> Shape {
    let [tilt, running, beta] = [parameters[0], parameters[1], parameters[2]];
    let Channels { cell_mpc_h, distance_mpc_h, matter, .. } = channels;
    let (count, across) = (channels.frequencies_mhz.len(), multipole / distance_mpc_h);
    let modes = count * periods;
    let cosines: Vec<f64> = (0..modes).map(|i| (std::f64::consts::TAU * i as f64 / modes as f64).cos()).collect();
    let step = std::f64::consts::TAU / (cell_mpc_h * modes as f64);
    // sum over m of P cos(k_m z) / depth, and an area in (Mpc/h)^2 is chi^2 times a solid angle: an angular power
    let norm = 1.0 / (modes as f64 * cell_mpc_h * distance_mpc_h.powi(2) * matter.at(PIVOT_K));
    let mut lags = vec![[0.0; 4]; count];
    for mode in 0..modes {
        let along = step * mode.min(modes - mode) as f64;
        let k = across.hypot(along);
        let squared_mu = (along / k).powi(2);
        let (slope, kaiser) = ((k / PIVOT_K).ln(), 1.0 + beta * squared_mu);
        let power = norm * matter.at(k) * ((tilt + 0.5 * running * slope) * slope).exp() * kaiser * kaiser;
        let terms = [power, power * slope, 0.5 * power * slope * slope, 2.0 * power * squared_mu / kaiser];
        for (lag, sums) in lags.iter_mut().enumerate() {
            let cosine = cosines[mode * lag % modes];
            sums.iter_mut().zip(terms).for_each(|(sum, term)| *sum += term * cosine);
        }
    }
    let part = |which: usize| Mat::from_fn(count, count, |i, j| lags[i.abs_diff(j)][which]);
    Shape { matrix: part(0), derivatives: vec![part(1), part(2), part(3)] }
}
