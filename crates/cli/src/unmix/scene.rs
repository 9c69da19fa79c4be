//! What to unmix, for `run` and `compare`.

use std::{fmt, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use cupel::{
    settings::Range,
    train::{Casting, Precision, Work},
    unmixing::{Method, Plan, SceneFiles, Source, Unmixing, UnmixingConfig, open_library},
};
use serde::Serialize;

use crate::{Session, number};

/// Values in a scene from which on networks take fewer bits with `--precision auto`, where the device has them.
const FEWER_BITS_FROM: usize = 1 << 26;

/// What to unmix.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Scene")]
pub struct SceneArguments {
    /// The scene: ENVI, MATLAB, HDF5, NPY, NPZ, FITS, TIFF or CSV; its format is found by its content
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The truth, where it is not in the scene's file: one file, or one with endmembers and one with abundances
    #[arg(long, value_name = "FILE", num_args = 1..=2)]
    truth: Vec<PathBuf>,

    /// The variable that holds the spectra, where the layout is not a known one
    #[arg(long, value_name = "NAME")]
    variable: Option<String>,

    /// Number of image rows, where the file does not tell and the image is not square
    #[arg(long, value_name = "N", value_parser = number::<usize>(Range::at_least(1.0).at_most(1e9)))]
    rows: Option<usize>,

    /// Spectra that sunsal chooses from [default: near-pure spectra of the scene]
    #[arg(long, value_name = "FILE")]
    library: Option<PathBuf>,
}

/// A scene that was read, and how it is unmixed.
#[derive(Serialize)]
pub struct Task {
    #[serde(flatten)]
    plan: Plan,
    #[serde(skip)]
    pub unmixing: Unmixing,
    #[serde(skip)]
    pub source: Source,
}

impl SceneArguments {
    /// Names the run folder where the user does not.
    pub fn stem(&self) -> String {
        self.file.file_stem().map_or_else(|| "scene".into(), |stem| stem.to_string_lossy().into_owned())
    }

    /// Reads the scene and checks what `plan` checks; in tiles, where it is larger than memory and `tiles` says that this will do.
    ///
    /// # Errors
    /// Files that hold no scene, a truth or a library that does not fit, a device or precision that is not there; as `plan`.
    pub fn task(
        &self,
        session: &Session,
        (config, methods): (UnmixingConfig, &[Method]),
        tiles: bool,
        plan: impl FnOnce(&Unmixing, &Source) -> cupel::unmixing::Result<Plan>,
    ) -> Result<Task> {
        let Self { file, truth, variable, rows, library } = self.clone();
        let source = Source::open(&SceneFiles { file, truth, variable, rows }, tiles)?;
        let casting = casting(session, methods, config.mixture.is_variational(), source.values()?)?;
        let mut unmixing = Unmixing::new(config).on(&session.device()?.device, casting);
        if let Some(path) = &library {
            unmixing = unmixing.with_library(open_library(path, source.band_axis()?.len())?);
        }
        let plan = plan(&unmixing, &source).with_context(|| self.file.display().to_string())?;
        Ok(Task { plan, unmixing, source })
    }
}

/// The precision of the methods for a scene of so many values, told to the user.
fn casting(session: &Session, methods: &[Method], variational: bool, values: usize) -> Result<Casting> {
    let networks = methods.iter().any(|method| method.is_network());
    if networks || !matches!(session.precision(), Precision::Auto | Precision::F32) {
        return session.casting(Work { elements: values, reduced_precision_pays_from: FEWER_BITS_FROM });
    }
    let device = session.device()?;
    let where_ = if variational { "variational inference runs there" } else { "these methods run on the CPU with any" };
    session.note(format_args!("device: {} ({}); {where_}, in f32", device.name, device.reason));
    Ok(Casting::f32())
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.fmt(f)
    }
}
