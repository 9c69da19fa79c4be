//! The numbers of one run, as `metrics.json` and the printed result have them.

use cupel_statistics::Spread;
use serde::{Deserialize, Serialize};

use crate::{Agreement, Convention, Result, Truth, Unmixed, UnmixingConfig};

/// The numbers of one run. What needs a truth is missing without one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Name of the method.
    pub method: String,
    /// Number of endmembers.
    pub endmembers: usize,
    /// Seed of the random draws.
    pub seed: u64,
    /// Time taken.
    pub seconds: f64,
    /// Candidates made.
    pub steps: usize,
    /// Convention of the abundances that are written.
    pub abundance: Convention,
    /// Root mean square error of the model that brightness, these abundances and the endmembers make, with the largest value of the scene
    /// as one.
    pub reconstruction_rmse: f64,
    /// Mean spectral angle distance to the truth in radians.
    pub mean_sad_rad: Option<f64>,
    /// The same for each true endmember.
    pub sad_rad: Option<Vec<f64>>,
    /// Root mean square error of the abundances over all pixels and endmembers, by convention.
    pub abundance_rmse: Option<AbundanceRmse>,
    /// Share of true abundances within their 90 % intervals, for methods that give intervals.
    pub coverage_90: Option<f64>,
    /// Weight of the spatial prior of these abundances, where they have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub spatial_weight: Option<f64>,
    /// Where everything was written.
    pub run_dir: Option<String>,
}

/// Abundance errors under every convention that sums to one, and of the method's own.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct AbundanceRmse {
    /// Under the convention that was asked for.
    pub native: f64,
    /// Fully constrained.
    pub fcls: f64,
    /// Non-negative on unit-maximum endmembers, closed.
    pub unit_max: f64,
    /// Fully constrained at the brightness of near-pure pixels.
    pub rescaled: f64,
}

impl AbundanceRmse {
    /// All errors with their names.
    pub(crate) fn named(&self) -> [(&'static str, f64); 4] {
        let Self { native, fcls, unit_max, rescaled } = *self;
        [("native", native), ("fcls", fcls), ("unit_max", unit_max), ("rescaled", rescaled)]
    }
}

impl Summary {
    /// Without measures.
    pub(crate) fn new(config: &UnmixingConfig, endmembers: usize, seconds: f64) -> Self {
        Self {
            method: config.method.name().into(),
            endmembers,
            seed: config.seed,
            seconds,
            steps: 0,
            abundance: config.abundance,
            reconstruction_rmse: f64::NAN,
            mean_sad_rad: None,
            sad_rad: None,
            abundance_rmse: None,
            coverage_90: None,
            spatial_weight: None,
            run_dir: None,
        }
    }

    /// Compares a result with the truth, where there is one.
    ///
    /// # Errors
    /// A truth that does not fit the result.
    pub fn of(unmixed: &Unmixed, truth: Option<&Truth>) -> Result<Self> {
        let mut summary = Self {
            steps: unmixed.steps,
            reconstruction_rmse: unmixed.reconstruction_rmse(),
            spatial_weight: unmixed.smoothed.as_ref().map(|smoothed| smoothed.weight),
            ..Self::new(&unmixed.config, unmixed.endmembers.count(), unmixed.seconds)
        };
        let Some(truth) = truth else { return Ok(summary) };
        let agreement = Agreement::of(&unmixed.endmembers, &truth.endmembers)?;
        if let Some(true_abundances) = &truth.abundances {
            let error = |convention| {
                let errors = agreement.abundance_errors(unmixed.abundances(convention), true_abundances)?;
                Ok::<f64, crate::Error>(errors.overall)
            };
            if let Some(posterior) = &unmixed.posterior {
                summary.coverage_90 = Some(posterior.coverage(true_abundances, &agreement.order)?);
            }
            summary.abundance_rmse = Some(AbundanceRmse {
                native: error(unmixed.config.abundance)?,
                fcls: error(Convention::Fcls)?,
                unit_max: error(Convention::UnitMax)?,
                rescaled: error(Convention::Rescaled)?,
            });
        }
        summary.mean_sad_rad = Some(agreement.mean_sad_rad);
        summary.sad_rad = Some(agreement.sad_rad);
        Ok(summary)
    }

    /// Several runs as one: means of all measures, the rest as in the first; `None` for no runs.
    pub fn mean(runs: &[Self]) -> Option<Self> {
        let first = runs.first()?.clone();
        let of = |pick: &dyn Fn(&Self) -> Option<f64>| spread(runs, pick).map(|spread| spread.mean);
        let error = |at: usize| of(&|run| Some(run.abundance_rmse?.named()[at].1));
        let each = first.sad_rad.as_ref().map(|sad| {
            let mean = |k: usize| of(&|run| run.sad_rad.as_ref()?.get(k).copied()).unwrap_or(f64::NAN);
            (0..sad.len()).map(mean).collect()
        });
        Some(Self {
            seconds: of(&|run| Some(run.seconds))?,
            reconstruction_rmse: of(&|run| Some(run.reconstruction_rmse))?,
            mean_sad_rad: of(&|run| run.mean_sad_rad),
            sad_rad: each,
            abundance_rmse: match [error(0), error(1), error(2), error(3)] {
                [Some(native), Some(fcls), Some(unit_max), Some(rescaled)] => {
                    Some(AbundanceRmse { native, fcls, unit_max, rescaled })
                }
                _ => None,
            },
            coverage_90: of(&|run| run.coverage_90),
            ..first
        })
    }
}

/// How a measure scatters over the runs that have it.
pub(crate) fn spread(runs: &[Summary], pick: &dyn Fn(&Summary) -> Option<f64>) -> Option<Spread> {
    Spread::of(&runs.iter().filter_map(pick).collect::<Vec<_>>())
}
