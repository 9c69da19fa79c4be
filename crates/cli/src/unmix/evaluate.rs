//! `cupel unmix evaluate`: how near an estimate is to the truth, whoever made it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, bail};
use clap::Args;
use cupel::{
    settings::Value,
    unmixing::{AbundanceErrors, Agreement, PixelOrder, RunBands, open_estimate},
};
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
    /// How matrices have their pixels, where the user said so.
    #[serde(alias = "pixel-order")]
    pixel_order: Option<String>,
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
                let scene = scene_of_run(run)?;
                let (order, bands) = (scene.pixel_order.clone(), bands_of_run(run)?);
                let order = order.map(|order| PixelOrder::parse(&order)).transpose().map_err(anyhow::Error::msg)?;
                let truth = if self.truth.is_empty() { scene.truth()? } else { self.truth.clone() };
                let maps = ["abundances.npy", "abundances.hdr"].map(|name| run.join(name));
                let maps = maps.iter().find(|path| path.exists()).unwrap_or(&maps[0]).clone();
                open_estimate(&[run.join("endmembers.npy"), maps], &truth, bands.as_ref(), order)?
            }
            None => {
                let estimate: Vec<PathBuf> = self.endmembers.iter().chain(&self.abundances).cloned().collect();
                open_estimate(&estimate, &self.truth, None, None)?
            }
        };
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

/// What the run says of its scene.
fn scene_of_run(run: &Path) -> Result<RunScene> {
    let path = run.join("config.toml");
    let text = std::fs::read_to_string(&path).with_context(|| format!("{}: this is not a run", path.display()))?;
    let config: RunConfig =
        toml::from_str(&text).with_context(|| format!("{}: this is not a run of unmix", path.display()))?;
    Ok(config.scene)
}

impl RunScene {
    /// The files in which the run found its truth.
    fn truth(self) -> Result<Vec<PathBuf>> {
        if !self.truth.is_empty() {
            return Ok(self.truth);
        }
        if !self.file.exists() {
            bail!("{}: the scene of this run is gone; name the truth with --truth", self.file.display());
        }
        Ok(vec![self.file])
    }
}

/// Which bands of its scene's file the run used; runs of before do not say it.
fn bands_of_run(run: &Path) -> Result<Option<RunBands>> {
    let path = run.join(RunBands::FILE);
    if !path.exists() {
        return Ok(None);
    }
    let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
    Ok(Some(serde_json::from_slice(&text).with_context(|| path.display().to_string())?))
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
