//! `cupel cosmology clean`: a sky without its foregrounds.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use clap::Args;
use cupel::{
    cosmology::{
        Channels, CleanMethod, CleanedSky, Sky, clean, holds_visibilities,
        model::{Model, ObservedVisibilities, VisibilityModel},
    },
    pca::Modes,
    settings::Range,
};
use serde::Serialize;

use super::{
    by_model::{self, Found},
    input::{Input, Observed},
};
use crate::{
    Command, Session, choice, number,
    pca::modes,
    shared::{Device, Out, Output, Shared, Threads},
};

/// Take the foregrounds off a sky or off visibilities; without --out beside them: the file NAME_cleaned, by a model the folder of that name
#[derive(Args)]
pub struct Arguments {
    /// The sky (FITS, HEALPix, NPY, NPZ, HDF5) or the visibilities (UVH5, HDF5, NPY)
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    input: Input,

    /// How foregrounds are taken off [default: pca; of visibilities soft, unless --modes is given]
    #[arg(long, value_name = "METHOD", value_parser = choice::<CleanMethod>(), help_heading = "Foregrounds")]
    method: Option<CleanMethod>,

    /// How many modes: a number, a fraction of the variance such as 0.999, auto (eigen-gap) or marchenko-pastur [default: auto]
    #[arg(long, value_name = "K|RULE", value_parser = modes, help_heading = "Foregrounds")]
    modes: Option<Modes>,

    /// A model of `cosmology train`, in place of --method: signal, its standard deviation and its power go into the folder --out. A sky unlike
    /// those of the training is refused without --force
    #[arg(long, value_name = "DIR", conflicts_with_all = ["method", "modes"], help_heading = "Foregrounds")]
    model: Option<PathBuf>,

    /// Draws that the power of the signal is made of
    #[arg(long, value_name = "N", default_value_t = 40, requires = "model", value_parser = number::<usize>(Range::at_least(2.0).at_most(1e6)), help_heading = "Foregrounds")]
    draws: usize,

    #[command(flatten)]
    device: Device,
    #[command(flatten)]
    threads: Threads,
    #[command(flatten)]
    out: Out,
    #[command(flatten)]
    output: Output,
}

/// What is cleaned.
#[derive(Serialize)]
pub struct Plan {
    shape: Vec<usize>,
    unit: String,
    out: PathBuf,
    #[serde(skip)]
    source: Source,
}

/// What is cleaned, by what.
enum Source {
    ByComponents(Observed),
    ByModel(Box<(Sky, Model)>),
    OfVisibilities(Box<(ObservedVisibilities, VisibilityModel)>),
}

/// What came of it.
#[derive(Serialize)]
#[serde(untagged)]
pub enum Outcome {
    Components(Box<Cleaned>),
    Model(Box<Found>),
}

/// What was taken off.
#[derive(Serialize)]
pub struct Cleaned {
    shape: Vec<usize>,
    unit: String,
    modes: usize,
    rule: String,
    eigenvalues: Vec<f64>,
    undetermined: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    out: PathBuf,
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Outcome;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).device(&self.device).threads(&self.threads).out(&self.out)
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        let out = session.out().map_or_else(|| self.beside(), Path::to_path_buf);
        session.may_write(&out)?;
        if let Some(folder) = &self.model {
            let visibilities = holds_visibilities(&self.file, &self.input.config())?;
            let device = &session.device()?.device;
            if VisibilityModel::is_in(folder) {
                if !visibilities {
                    bail!(
                        "{}: it is a sky, and {} is a model of visibilities; give visibilities, or a model that was trained on skies",
                        self.file.display(),
                        folder.display()
                    );
                }
                let model = VisibilityModel::load(folder, device)?;
                let observed = by_model::read_visibilities(&self.input, &self.file, &model, session)?;
                let (shape, unit) = (observed.shape(), model.about().unit.clone().unwrap_or_default());
                return Ok(Plan { shape, unit, out, source: Source::OfVisibilities(Box::new((observed, model))) });
            }
            let model = Model::load(folder, device)?;
            if visibilities {
                bail!(
                    "{}: it holds visibilities, and {} is a model of skies; give a sky, or a model that was trained on visibilities",
                    self.file.display(),
                    folder.display()
                );
            }
            let sky = by_model::read(&self.input, &self.file, &model, session)?;
            let (shape, unit) = (sky.cube().shape(), sky.unit().to_string());
            return Ok(Plan { shape, unit, out, source: Source::ByModel(Box::new((sky, model))) });
        }
        let ends = |known: &[&str]| {
            out.extension().is_some_and(|own| known.iter().any(|ending| own.eq_ignore_ascii_case(ending)))
        };
        let observed = self.input.read(&self.file)?;
        match &observed {
            Observed::Sky(_) if !ends(&["fits", "fit", "fts", "npy"]) => {
                bail!("{}: a sky is written as FITS or NPY; end the name in .fits or .npy", out.display());
            }
            Observed::Visibilities(_) if !ends(&["npy"]) => {
                bail!("{}: visibilities are written as NPY; end the name in .npy", out.display());
            }
            _ => {}
        }
        Ok(Plan { shape: observed.shape(), unit: observed.unit(), out, source: Source::ByComponents(observed) })
    }

    fn work(self, plan: Plan, session: &mut Session) -> Result<Outcome> {
        let cleaned = match &plan.source {
            Source::ByModel(both) => {
                let (sky, model) = &**both;
                let found = by_model::clean(sky, &self.file, model, self.draws, &plan.out, session)?;
                return Ok(Outcome::Model(Box::new(found)));
            }
            Source::OfVisibilities(both) => {
                let (observed, model) = &**both;
                let found = by_model::clean_visibilities(observed, &self.file, model, &plan.out, session)?;
                return Ok(Outcome::Model(Box::new(found)));
            }
            Source::ByComponents(Observed::Sky(sky)) => {
                self.take_off(&**sky, CleanMethod::Pca, &plan, |sky| sky.write(&plan.out))
            }
            Source::ByComponents(Observed::Visibilities(visibilities)) => {
                // foregrounds of an interferometer have no number of modes
                let method = if self.modes.is_some() { CleanMethod::Pca } else { CleanMethod::Soft };
                self.take_off(&**visibilities, method, &plan, |left| left.write(&plan.out))
            }
        };
        Ok(Outcome::Components(Box::new(cleaned?)))
    }
}

impl Arguments {
    fn take_off<S: Channels>(
        &self,
        observed: &S,
        method: CleanMethod,
        plan: &Plan,
        write: impl Fn(&S) -> cupel::cosmology::Result<()>,
    ) -> Result<Cleaned> {
        let CleanedSky { sky, components, rule, undetermined, warning } =
            clean(observed, self.method.unwrap_or(method), self.modes.unwrap_or(Modes::EigenGap))?;
        write(&sky)?;
        Ok(Cleaned {
            shape: plan.shape.clone(),
            unit: plan.unit.clone(),
            modes: components.count(),
            rule,
            eigenvalues: components.eigenvalues().to_vec(),
            undetermined,
            warning,
            out: plan.out.clone(),
        })
    }

    /// Where the sky goes when nobody says: `sky.fits` to `sky_cleaned.fits`, everything else to NPY, what a model gives to `sky_cleaned/`.
    fn beside(&self) -> PathBuf {
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
        if self.model.is_some() {
            return self.file.with_file_name(format!("{stem}_cleaned"));
        }
        let fits = self
            .file
            .extension()
            .filter(|own| ["fits", "fit", "fts"].iter().any(|fits| own.eq_ignore_ascii_case(fits)));
        self.file.with_file_name(format!("{stem}_cleaned.{}", fits.map_or("npy".into(), |own| own.to_string_lossy())))
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, unit, out, .. } = self;
        write!(f, "{shape:?} in {unit} would be written without foregrounds to {}", out.display())
    }
}

impl fmt::Display for Cleaned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, unit, rule, undetermined, warning, out, .. } = self;
        write!(f, "{shape:?} in {unit} without {rule}: {}", out.display())?;
        if *undetermined > 0 {
            write!(f, "\n{undetermined} lines of sight had too few channels to know their foregrounds: NaN")?;
        }
        warning.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Components(cleaned) => cleaned.fmt(f),
            Self::Model(found) => found.fmt(f),
        }
    }
}
