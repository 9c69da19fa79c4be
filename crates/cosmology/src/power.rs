//! Power spectra: how strongly a sky fluctuates on each scale.
//!
//! A sky `T` on a grid of `n` cells in a comoving box of volume `V` loses the mean of each channel, then `F` is its unnormalised Fourier
//! transform and `P_ab(k) = V / n^2 Re[F_a F_b*]`, in the unit of the sky squared times (Mpc/h)^3. `sum P / V` over all modes is the variance.
//! Modes are gathered in shells of `|k|`, in planes of `k_par`, in rings of `(k_perp, k_par)`, or, of one channel, in annuli of the
//! multipole. Each pair of modes `k` and `-k` of a real sky counts twice in the number of modes, so that the error of the power `P` of
//! Gaussian modes is `P sqrt(2 / n)`.
//!
//! Under weights or a mask the transform is of weights times sky, divided by the mean square of the weights: a pseudo-power, whose level is
//! right for white skies, while modes mix over the inverse extent of the mask and what the mask's sharp edges let through is not undone.
//!
//! Feldman, Kaiser & Peacock, ApJ 426, 23 (1994), for weights; Parsons et al., ApJ 756, 165 (2012), for delays and the horizon; Cunnington et
//! al., MNRAS 523, 2453 (2023), for transfer by injection.

mod angular;
mod band;
mod binning;
mod comparison;
mod delay;
mod delay_report;
mod effective;
mod estimator;
mod fourier;
mod halves;
mod horizon;
mod radial;
mod spectra;
mod transfer;
mod volume;
mod window;

pub use angular::Angular;
pub use band::Band;
pub use binning::{Binning, Bins};
pub use comparison::Comparison;
pub use delay::{DelayEstimator, DelayLine, DelaySpectrum};
pub use estimator::Estimator;
pub use fourier::Modes;
pub use halves::Halves;
pub use horizon::{Horizon, k_par_of_delay, k_perp_of_baseline};
pub use spectra::{Power, PowerConfig, Spacing};
pub use transfer::{Transfer, TransferBand, transfer};
pub use volume::Volume;
pub use window::Window;
