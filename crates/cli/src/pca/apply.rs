//! `cupel pca apply`: data without the components that were fitted before.

use std::{fmt, path::PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use cupel::{
    data::{Array as Stored, Class, Complex, Cube, Element, ElementType, open, write_npy},
    pca::{self, Choice, Components, Number, Projector, SpectralFilter},
    settings::choices,
};
use serde::Serialize;

use super::input::{Array, along, channels};
use crate::{
    Command, Session, choice,
    shared::{Out, Output, Shared, Threads},
};

choices! {
    /// How much of each mode is taken out.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Filter {
        /// All of the components that were kept
        Cut = "cut",
        /// lambda / (lambda + t) of every mode, with t from the bulk of the spectrum
        Soft = "soft",
    }
}

/// Take components out of an array, whose mean is not restored
#[derive(Args)]
pub struct Arguments {
    /// The array
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    array: Array,

    /// A weight for each value; 0 leaves it out, and gives NaN
    #[arg(long, value_name = "FILE", help_heading = "Input")]
    weights: Option<PathBuf>,

    /// Components: a .npz, or a folder with components.npz
    #[arg(long, alias = "pca-components", value_name = "PATH", help_heading = "Components")]
    components: PathBuf,

    /// How much of each mode is taken out
    #[arg(long, value_name = "FILTER", default_value_t = Filter::Cut, value_parser = choice::<Filter>(), help_heading = "Components")]
    filter: Filter,

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
    file: PathBuf,
    shape: Vec<usize>,
    modes: usize,
    out: PathBuf,
    #[serde(skip)]
    projector: Projector,
    #[serde(skip)]
    choice: Choice,
}

/// What was written.
#[derive(Serialize)]
pub struct Applied {
    shape: Vec<usize>,
    modes: usize,
    floor: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    undetermined: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning: Option<String>,
    out: PathBuf,
}

impl Command for Arguments {
    type Plan = Plan;
    type Outcome = Applied;

    fn shared(&self) -> Shared<'_> {
        Shared::new(&self.output).threads(&self.threads).out(&self.out)
    }

    fn plan(&self, session: &Session) -> Result<Plan> {
        let out = session.out().context("apply writes an array: --out FILE.npy")?.to_path_buf();
        if !out.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("npy")) {
            bail!("{}: the cleaned array is written as NPY; end the name in .npy", out.display());
        }
        session.may_write(&out)?;
        let stored = pca::Stored::load(&self.components)?;
        let own = match &stored {
            pca::Stored::Single(components) => components.axis().kind(),
            pca::Stored::Grouped(groups) => groups.groups()[0].axis().kind(),
            _ => bail!("{}: components of another kind", self.components.display()),
        };
        let axis = self.array.axis.unwrap_or(own);
        let array = Array { axis: Some(axis), ..self.array.clone() };
        let choice = array.choice(&self.file, &[])?;
        let channels = channels(&self.file, &choice, axis)?;
        let projector = match stored {
            pca::Stored::Single(components) => self.single(&along(components, &channels)?)?,
            pca::Stored::Grouped(groups) => {
                let filter = match self.filter {
                    Filter::Cut => SpectralFilter::Cut,
                    Filter::Soft => SpectralFilter::Automatic,
                };
                Projector::grouped(&groups, filter)?
            }
            _ => bail!("{}: components of another kind", self.components.display()),
        };
        projector.check_axis(&channels)?;
        let shape = open(&self.file)?.axes(choice.variable.as_deref())?.shape();
        Ok(Plan { file: self.file.clone(), shape, modes: projector.modes(), out, projector, choice })
    }

    fn work(self, plan: Plan, _: &mut Session) -> Result<Applied> {
        let file = open(&plan.file)?;
        let name = plan.choice.variable.as_deref();
        let variables = file.variables().iter();
        let element =
            variables.filter(|own| name.is_none_or(|name| own.name() == name)).find_map(|own| match own.class() {
                Class::Number(element) | Class::Sparse(element) => Some(*element),
                _ => None,
            });
        match element {
            Some(ElementType::F64) => self.apply::<f64>(plan),
            Some(ElementType::Complex64) => self.apply::<Complex<f32>>(plan),
            Some(ElementType::Complex128) => self.apply::<Complex<f64>>(plan),
            _ => self.apply::<f32>(plan),
        }
    }
}

impl Arguments {
    fn single(&self, components: &Components) -> Result<Projector> {
        Ok(match self.filter {
            Filter::Cut => Projector::new(components),
            Filter::Soft => Projector::filtered(components, SpectralFilter::Automatic)?,
        })
    }

    fn apply<T: Number + Element>(&self, plan: Plan) -> Result<Applied> {
        let Plan { file, shape, modes, out, projector, choice } = plan;
        let mut cube: Cube<T> = open(&file)?.cube(choice.variable.as_deref())?;
        if let Some(names) = &choice.axes {
            cube = cube.rename(names)?;
        }
        if let Some(channels) = choice.channels {
            cube = cube.with_axis(channels)?;
        }
        let (cleaned, undetermined) = match &self.weights {
            None => (projector.apply(&cube)?, None),
            Some(path) => {
                let weights = open(path)?.array(None)?.into_cube::<f32>()?;
                if weights.shape() != cube.shape() {
                    bail!(
                        "{} has shape {:?}, the values {:?}; give a weight for each",
                        path.display(),
                        weights.shape(),
                        cube.shape()
                    );
                }
                let weights = Cube::new(weights.into_values(), cube.axes().clone())?;
                let cleaned = projector.apply_masked(&cube, &weights)?;
                (cleaned.values, Some(cleaned.undetermined))
            }
        };
        write_npy(&out, &Stored::from(&cleaned))?;
        Ok(Applied { shape, modes, floor: projector.floor(), undetermined, warning: projector.warning(), out })
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { file, shape, modes, out, .. } = self;
        write!(f, "{modes} modes would be taken out of {} {shape:?}, into {}", file.display(), out.display())
    }
}

impl fmt::Display for Applied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { shape, modes, undetermined, warning, out, .. } = self;
        write!(f, "{shape:?} without {modes} modes: {}", out.display())?;
        if let Some(undetermined) = undetermined.filter(|count| *count > 0) {
            write!(f, "\n{undetermined} samples had too few channels to know their modes: NaN")?;
        }
        warning.iter().try_for_each(|warning| write!(f, "\nwarning: {warning}"))
    }
}
