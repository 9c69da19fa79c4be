//! `cupel unmix evaluate`: how near an estimate is to the truth, whoever made it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use cupel::unmixing::{AbundanceErrors, Agreement, open_estimate};
use serde::{Deserialize, Serialize};

use crate::{
    Command, Session,
    shared::{Output, Shared},
};

/// Compare endmembers and abundances with the truth
#[derive(Args)]
pub struct Arguments {
    /// Folder of a run; its scene's own truth is used unless --truth names another
    #[arg(value_name = "RUN", required_unless_present = "endmembers", conflicts_with_all = ["endmembers", "abundances"])]
    run: Option<PathBuf>,

    /// Estimated endmembers
    #[arg(long, value_name = "FILE", requires = "truth")]
    endmembers: Option<PathBuf>,

    /// Estimated abundances
    #[arg(long, value_name = "FILE", requires = "endmembers")]
    abundances: Option<PathBuf>,

    /// The truth: one file, or one with endmembers and one with abundances
    #[arg(long, value_name = "FILE", num_args = 1..=2)]
    truth: Vec<PathBuf>,

    #[command(flatten)]
    output: Output,
}

/// What `evaluate` prints.
#[derive(Serialize)]
pub struct Measured {
    #[serde(flatten)]
    agreement: Agreement,
    abundance_rmse: Option<AbundanceErrors>,
}

/// The part of a run's `config.toml` that says where its truth was.
#[derive(Deserialize)]
struct RunConfig {
    scene: RunScene,
}

#[derive(Deserialize)]
struct RunScene {
    file: PathBuf,
    #[serde(default)]
    truth: Vec<PathBuf>,
}

impl Command for Arguments {
    type Plan = Measured;
    type Outcome = Measured;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output)
    }

    fn plan(&self, _: &Session) -> Result<Measured> {
        let (estimate, truth) = match &self.run {
            Some(run) => {
                let truth = if self.truth.is_empty() { truth_of_run(run)? } else { self.truth.clone() };
                (vec![run.join("endmembers.npy"), run.join("abundances.npy")], truth)
            }
            None => (self.endmembers.iter().chain(&self.abundances).cloned().collect(), self.truth.clone()),
        };
        let (estimate, truth) = open_estimate(&estimate, &truth)?;
        let agreement = Agreement::of(&estimate.endmembers, &truth.endmembers)?;
        let abundance_rmse = match (&estimate.abundances, &truth.abundances) {
            (Some(estimate), Some(truth)) => Some(agreement.abundance_errors(estimate, truth)?),
            _ => None,
        };
        Ok(Measured { agreement, abundance_rmse })
    }

    fn work(self, measured: Measured, _: &mut Session) -> Result<Measured> {
        Ok(measured)
    }
}

/// The files in which the run found its truth.
fn truth_of_run(run: &Path) -> Result<Vec<PathBuf>> {
    let path = run.join("config.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}: this is not a run", path.display()))?;
    let config: RunConfig =
        toml::from_str(&text).with_context(|| format!("{}: this is not a run of unmix", path.display()))?;
    if !config.scene.truth.is_empty() {
        return Ok(config.scene.truth);
    }
    if !config.scene.file.exists() {
        bail!("{}: the scene of this run is gone; name the truth with --truth", config.scene.file.display());
    }
    Ok(vec![config.scene.file])
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "mean SAD         {:.4} rad", self.agreement.mean_sad_rad)?;
        for (k, (sad, from)) in self.agreement.sad_rad.iter().zip(&self.agreement.order).enumerate() {
            write!(f, "  true {:<3} = estimated {:<3} SAD {sad:.4} rad", k + 1, from + 1)?;
            match &self.abundance_rmse {
                Some(errors) => writeln!(f, "  RMSE {:.4}", errors.per_endmember[k])?,
                None => writeln!(f)?,
            }
        }
        match &self.abundance_rmse {
            Some(errors) => writeln!(f, "abundance RMSE   {:.4}", errors.overall),
            None => writeln!(f, "abundance RMSE   -"),
        }
    }
}
