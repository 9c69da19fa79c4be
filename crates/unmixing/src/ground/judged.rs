//! [`Judged`]: how one method did on one scene of the proving ground.

use serde::{Deserialize, Serialize};

use super::{Family, GroundScene, Half, Recipe};
use crate::{Agreement, Method, Posterior, Result, Summary, Unmixed};

/// Shares of the truths that intervals are asked to hold.
pub const LEVELS: [f64; 4] = [0.5, 0.8, 0.9, 0.95];
/// Truths this near to the end of an interval count as within.
const ROUNDING: f64 = 1e-6;

/// How one method did on one scene.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judged {
    /// The scene.
    pub scene: String,
    /// Its family.
    pub family: Family,
    /// What it is for.
    pub half: Half,
    /// The method.
    pub method: Method,
    /// Number of endmembers.
    pub endmembers: usize,
    /// Seed of the method.
    pub seed: u64,
    /// Mean spectral angle distance to the truth in radians.
    pub sad_rad: f64,
    /// Root mean square error of the abundances, of the convention asked for.
    pub abundance_rmse: f64,
    /// Root mean square error of the model that brightness, these abundances and the endmembers make.
    pub reconstruction_rmse: f64,
    /// Weight of the spatial prior of these abundances, where they have one.
    pub spatial_weight: Option<f64>,
    /// Share of the true abundances within intervals of [`LEVELS`], for methods that give any.
    pub coverage: Option<[f64; 4]>,
    /// Mean width of these intervals.
    pub width: Option<[f64; 4]>,
    /// Time taken.
    pub seconds: f64,
}

impl Judged {
    pub(super) fn of(recipe: &Recipe, scene: &GroundScene, unmixed: &Unmixed) -> Result<Self> {
        let summary = Summary::of(unmixed, Some(&scene.truth))?;
        let agreement = Agreement::of(&unmixed.endmembers, &scene.truth.endmembers)?;
        let truth = scene.truth.abundances.as_ref();
        let intervals = unmixed.posterior.as_ref().zip(truth).map(|(posterior, truth)| {
            let each = LEVELS.map(|level| held(posterior, level, truth.values(), &agreement.order));
            (each.map(|(coverage, _)| coverage), each.map(|(_, width)| width))
        });
        Ok(Self {
            scene: recipe.name(),
            family: recipe.family,
            half: recipe.half(),
            method: unmixed.config.method,
            endmembers: recipe.endmembers,
            seed: unmixed.config.seed,
            sad_rad: agreement.mean_sad_rad,
            abundance_rmse: summary.abundance_rmse.map_or(f64::NAN, |errors| errors.native),
            reconstruction_rmse: summary.reconstruction_rmse,
            spatial_weight: summary.spatial_weight,
            coverage: intervals.map(|(coverage, _)| coverage),
            width: intervals.map(|(_, width)| width),
            seconds: unmixed.seconds,
        })
    }
}

/// Share of the truths within intervals that are to hold so many of them, and the mean width.
fn held(posterior: &Posterior, level: f64, truth: &[f64], order: &[usize]) -> (f64, f64) {
    let (lower, upper) = posterior.interval(level);
    let (mut within, mut width) = (0usize, 0.0);
    for (n, row) in truth.chunks_exact(order.len()).enumerate() {
        for (truth, k) in row.iter().zip(order) {
            let at = n * posterior.abundances.endmembers() + k;
            within += usize::from(*truth >= lower[at] - ROUNDING && *truth <= upper[at] + ROUNDING);
            width += upper[at] - lower[at];
        }
    }
    (within as f64 / truth.len() as f64, width / truth.len() as f64)
}
