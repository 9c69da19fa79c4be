//! [`Band`]: the power of one bin of modes.

use std::f64::consts::PI;

use serde::Serialize;

/// The power of the modes of one bin. A bin without modes has none of the numbers: they are NaN, in JSON `null`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Band {
    /// Mean of what is binned: of `k_par` in planes, of `|k|` elsewhere; of one channel the multipole.
    pub k: f64,
    /// Mean `k_perp` of the modes.
    pub k_perp: f64,
    /// Mean `|k_par|` of the modes.
    pub k_par: f64,
    /// Number of modes; `k` and `-k` of a real sky are two.
    pub modes: u64,
    /// As many independent modes would have the same scatter; fewer than there are where a taper or weights correlate them.
    pub effective_modes: f64,
    /// Mean power.
    pub power: f64,
    /// Its standard deviation over skies with Gaussian modes.
    pub sigma: f64,
}

impl Band {
    /// `Delta^2 = k^3 P / (2 pi^2)`, the variance per logarithm of the wave number.
    pub fn dimensionless(&self) -> f64 {
        self.k.powi(3) * self.power / (2.0 * PI * PI)
    }
}
