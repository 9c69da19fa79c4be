//! A prior of neighbours: abundances that change little from pixel to pixel, but may jump at borders.
//!
//! ```text
//! min 1/2 |Y - A E|^2 + lambda sum_n |(a_right - a_n, a_below - a_n)|,   A >= 0, rows that sum to one where the convention has it
//! ```
//! is the total variation of M.-D. Iordache, J. M. Bioucas-Dias, A. Plaza, "Total variation spatial regularization for sparse hyperspectral
//! unmixing", IEEE TGRS 50(11), 4484 (2012), doi:10.1109/TGRS.2012.2191590, for the few endmembers of a scene instead of a library, and so
//! without the l1 norm. A border is one for all materials at once: the norm is that of all differences of a pixel together (X. Bresson,
//! T. F. Chan, Inverse Problems and Imaging 2(4), 455 (2008), doi:10.3934/ipi.2008.2.455), not a sum over materials and directions.
//! Pixels that are left out are nobody's neighbours.
//!
//! [`TotalVariation`] is the problem with a solver that knows how far from the minimum it is; [`Smoothing`] chooses the weight on bands that
//! are held out, without a look at any truth, and solves it.

#[cfg(test)]
mod laws;
mod smoothing;
mod total_variation;

use cupel_settings::choices;
use serde::{Deserialize, Serialize};

pub(crate) use smoothing::Smoothing;
pub(crate) use total_variation::{Iterate, Neighbours, TotalVariation};

choices! {
    /// What is known of neighbouring pixels before their spectra are seen.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    pub enum Spatial {
        /// Nothing: every pixel is solved alone
        None = "none",
        /// Abundances have little total variation: they are alike but for borders
        Tv = "tv",
    }
}

/// How abundances were made alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Smoothed {
    /// Weight of the prior, as [`UnmixingConfig::spatial_weight`](crate::UnmixingConfig::spatial_weight) has it; nought where it does not pay.
    pub weight: f64,
    /// The weights that were tried, from nought on, with the root mean square error on bands that were held out; none where the weight was
    /// given.
    pub tried: Vec<(f64, f64)>,
    /// How far the cost is from its minimum at most, relative to it.
    pub gap: f64,
}

impl Smoothed {
    /// A line for people.
    pub(crate) fn told(&self) -> String {
        let least = self.tried.iter().map(|(_, error)| *error).reduce(f64::min);
        match (self.tried.first(), least) {
            (Some(_), _) if self.weight == 0.0 => {
                "every pixel is solved alone: no weight of the spatial prior describes bands that were held out better"
                    .to_owned()
            }
            (Some((_, alone)), Some(best)) => format!(
                "spatial prior of weight {:.4}: error on bands that were held out {best:.5}, of pixels alone {alone:.5}",
                self.weight
            ),
            _ => format!("spatial prior of weight {}, as asked", self.weight),
        }
    }
}
