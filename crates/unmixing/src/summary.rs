//! The numbers of one run, as `--json` and `metrics.json` give them.

use std::collections::BTreeMap;

use cupel_statistics::Spread;
use serde::{Deserialize, Serialize};

use crate::{Agreement, Convention, Result, Truth, Unmixed};

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
    /// Root mean square error of the non-negative fit, with the largest value of the scene as one.
    pub reconstruction_rmse: f64,
    /// Mean spectral angle distance to the truth in radians.
    pub mean_sad_rad: Option<f64>,
    /// The same for each true endmember.
    pub sad_rad: Option<Vec<f64>>,
    /// Root mean square error of the abundances over all pixels and endmembers, by convention.
    pub abundance_rmse: Option<AbundanceRmse>,
    /// Share of true abundances within their 90 % intervals, for methods that give intervals.
    pub coverage_90: Option<f64>,
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

impl Summary {
    /// Compares a result with the truth, where there is one.
    ///
    /// # Errors
    /// A truth that does not fit the result.
    pub fn of(unmixed: &Unmixed, truth: Option<&Truth>) -> Result<Self> {
        let mut summary = Self {
            method: unmixed.config.method.name().into(),
            endmembers: unmixed.endmembers.count(),
            seed: unmixed.config.seed,
            seconds: unmixed.seconds,
            steps: unmixed.steps,
            reconstruction_rmse: unmixed.reconstruction_rmse(),
            mean_sad_rad: None,
            sad_rad: None,
            abundance_rmse: None,
            coverage_90: None,
            run_dir: None,
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
}

/// One method over several runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name of the method.
    pub method: String,
    /// Number of runs.
    pub runs: usize,
    /// Mean spectral angle distance in radians.
    pub mean_sad_rad: Option<Spread>,
    /// Abundance errors by convention.
    pub abundance_rmse: BTreeMap<String, Spread>,
    /// Reconstruction error.
    pub reconstruction_rmse: Option<Spread>,
    /// Share of true abundances within their 90 % intervals.
    pub coverage_90: Option<Spread>,
    /// Time of one run.
    pub seconds: Option<Spread>,
}

impl Row {
    /// Summarises the runs of one method.
    pub fn of(method: &str, runs: &[Summary]) -> Self {
        let spread = |of: &dyn Fn(&Summary) -> Option<f64>| Spread::of(&runs.iter().filter_map(of).collect::<Vec<_>>());
        type Pick = fn(&AbundanceRmse) -> f64;
        let errors: [(&str, Pick); 4] = [
            ("native", |e| e.native),
            ("fcls", |e| e.fcls),
            ("unit_max", |e| e.unit_max),
            ("rescaled", |e| e.rescaled),
        ];
        Self {
            method: method.into(),
            runs: runs.len(),
            mean_sad_rad: spread(&|r| r.mean_sad_rad),
            abundance_rmse: errors
                .into_iter()
                .filter_map(|(name, of)| Some((name.to_owned(), spread(&|r| r.abundance_rmse.as_ref().map(of))?)))
                .collect(),
            reconstruction_rmse: spread(&|r| Some(r.reconstruction_rmse)),
            coverage_90: spread(&|r| r.coverage_90),
            seconds: spread(&|r| Some(r.seconds)),
        }
    }
}
