//! `cupel cosmology clean`: a sky without its foregrounds.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use anyhow::{Result, bail};
use clap::Args;
use cupel::{
    cosmology::{Channels, CleanMethod, CleanedSky, clean},
    pca::Modes,
};
use serde::Serialize;

use super::input::{Input, Observed};
use crate::{
    Command, Session, choice,
    pca::modes,
    shared::{Out, Output, Shared, Threads},
};

/// Take the foregrounds off a sky or off visibilities; without --out into a file beside them, NAME_cleaned
#[derive(Args)]
pub struct Arguments {
    /// The sky (FITS, HEALPix, NPY, NPZ, HDF5) or the visibilities (UVH5, HDF5, NPY)
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    input: Input,

    /// How foregrounds are taken off
    #[arg(long, value_name = "METHOD", default_value_t = CleanMethod::Pca, value_parser = choice::<CleanMethod>(), help_heading = "Foregrounds")]
    method: CleanMethod,

    /// How many modes: a number, a fraction of the variance such as 0.999, auto (eigen-gap) or marchenko-pastur
    #[arg(long, value_name = "K|RULE", default_value = "auto", value_parser = modes, help_heading = "Foregrounds")]
    modes: Modes,

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
    observed: Observed,
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
    type Outcome = Cleaned;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).threads(&self.threads).out(&self.out)
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        let out = session.out().map_or_else(|| self.beside(), Path::to_path_buf);
        let ends = |known: &[&str]| {
            out.extension().is_some_and(|own| known.iter().any(|ending| own.eq_ignore_ascii_case(ending)))
        };
        session.may_write(&out)?;
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
        Ok(Plan { shape: observed.shape(), unit: observed.unit(), out, observed })
    }

    fn work(self, plan: Plan, _: &mut Session) -> Result<Cleaned> {
        match &plan.observed {
            Observed::Sky(sky) => self.take_off(&**sky, &plan, |sky| sky.write(&plan.out)),
            Observed::Visibilities(visibilities) => self.take_off(&**visibilities, &plan, |left| left.write(&plan.out)),
        }
    }
}

impl Arguments {
    fn take_off<S: Channels>(
        &self,
        observed: &S,
        plan: &Plan,
        write: impl Fn(&S) -> cupel::cosmology::Result<()>,
    ) -> Result<Cleaned> {
        let CleanedSky { sky, components, rule, undetermined, warning } = clean(observed, self.method, self.modes)?;
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

    /// Where the sky goes when nobody says: `sky.fits` to `sky_cleaned.fits`, everything else to NPY.
    fn beside(&self) -> PathBuf {
        let stem = self.file.file_stem().unwrap_or_default().to_string_lossy();
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
