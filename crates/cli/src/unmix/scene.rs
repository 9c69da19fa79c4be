//! The options that say what to unmix, shared by `run` and `compare`.

use std::{
    fs,
    path::{Path, PathBuf},
    str::FromStr,
};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use cupel::unmixing::{Convention, Endmembers, Pixels, Scene, Suggestion, open_library, suggest};
use serde::Serialize;

use super::mixture::MixtureArguments;
use crate::output::Output;

/// Copies of the scene that extraction holds at once, in all its spaces.
const COPIES_HELD: u64 = 8;
/// Most endmembers that `auto` considers.
pub const MOST_ENDMEMBERS: usize = 12;

/// What to unmix.
#[derive(Args, Clone, Debug, Serialize)]
pub struct SceneArguments {
    /// The scene: ENVI, MATLAB, HDF5, NPY, NPZ, FITS, TIFF or CSV; its format is found by its content
    #[arg(value_name = "FILE")]
    pub file: PathBuf,

    /// The truth, where it is not in the scene's file: one file, or one with endmembers and one with abundances
    #[arg(long, value_name = "FILE", num_args = 1..=2)]
    pub truth: Vec<PathBuf>,

    /// The variable that holds the spectra, where the layout is not a known one
    #[arg(long, value_name = "NAME")]
    pub variable: Option<String>,

    /// Number of image rows, where the file does not tell and the image is not square
    #[arg(long, value_name = "N")]
    pub rows: Option<usize>,

    /// Number of endmembers, or auto [default: as many as the truth has, else auto]
    #[arg(long, value_name = "K|auto")]
    pub endmembers: Option<EndmemberCount>,

    /// Convention of the abundances that are written (all are measured)
    #[arg(long, value_enum, default_value_t = Abundance::Rescaled)]
    pub abundance: Abundance,

    /// Restarts of archetypal analysis with --method edaa; 50 as published
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..))]
    pub restarts: u32,

    /// Updates of a network, rounded up to whole epochs [default: chosen by the method]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub steps: Option<u64>,

    /// Spectra that --method sunsal chooses from [default: near-pure spectra of the scene]
    #[arg(long, value_name = "FILE")]
    pub library: Option<PathBuf>,

    #[command(flatten)]
    pub mixture: MixtureArguments,
}

/// A number of endmembers, or the wish to have one suggested.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum EndmemberCount {
    Auto,
    #[serde(untagged)]
    Fixed(usize),
}

impl FromStr for EndmemberCount {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            _ => text.parse().map(Self::Fixed).map_err(|_| "expected a whole number or `auto`".to_owned()),
        }
    }
}

/// How abundances are defined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Abundance {
    /// Fully constrained least squares: non-negative, sum to one, brightness fixed
    Fcls,
    /// Non-negative least squares: abundances times brightness
    Nnls,
    /// Non-negative on endmembers of unit maximum, divided by the sum
    UnitMax,
    /// Fully constrained at the brightness of near-pure pixels
    Rescaled,
    /// As the method itself gives them, for methods that find endmembers and abundances together; with pmm, the posterior mean
    #[value(alias = "posterior")]
    Own,
}

impl From<Abundance> for Convention {
    fn from(abundance: Abundance) -> Self {
        match abundance {
            Abundance::Fcls => Self::Fcls,
            Abundance::Nnls => Self::Nnls,
            Abundance::UnitMax => Self::UnitMax,
            Abundance::Rescaled => Self::Rescaled,
            Abundance::Own => Self::Own,
        }
    }
}

/// A scene that was read and checked, with the number of endmembers to look for.
pub struct Task {
    pub scene: Scene,
    pub endmembers: usize,
    pub suggestion: Option<Suggestion>,
    pub library: Option<Endmembers>,
}

impl SceneArguments {
    /// Reads and checks everything that can be wrong before anything is written.
    ///
    /// # Errors
    /// Files without a scene or with a truth that does not fit, scenes that memory cannot hold.
    pub fn task(&self, seed: u64, output: Output) -> Result<Task> {
        check_memory(&self.file)?;
        let mut scene = Scene::open(&self.file, self.variable.as_deref(), self.rows)?;
        if !self.truth.is_empty() {
            scene = scene.with_truth(&self.truth)?;
        }
        self.task_of(scene, seed, output)
    }

    /// The same for a scene in memory.
    ///
    /// # Errors
    /// Spectra that are not finite or zero, a number of endmembers that the scene cannot have.
    pub fn task_of(&self, scene: Scene, seed: u64, output: Output) -> Result<Task> {
        let pixels = Pixels::of(&scene.cube).with_context(|| self.file.display().to_string())?;
        let known = scene.truth.as_ref().map(|t| EndmemberCount::Fixed(t.endmembers.count()));
        let (endmembers, suggestion) = match self.endmembers.or(known).unwrap_or(EndmemberCount::Auto) {
            EndmemberCount::Fixed(count) => (count, None),
            EndmemberCount::Auto => {
                output.note("looking for the number of endmembers ...");
                let suggestion = suggest(&pixels, MOST_ENDMEMBERS, seed)?;
                output.note(&suggestion.reason);
                (suggestion.endmembers, Some(suggestion))
            }
        };
        let most = pixels.count().min(pixels.bands());
        if endmembers == 0 || endmembers > most {
            bail!(
                "--endmembers {endmembers}: {} has {} pixels of {} bands, which allow 1 to {most} endmembers",
                self.file.display(),
                pixels.count(),
                pixels.bands()
            );
        }
        if let Some(truth) = &scene.truth
            && truth.endmembers.count() > endmembers
        {
            bail!(
                "--endmembers {endmembers}: the truth has {} endmembers; ask for at least as many, or leave --endmembers out",
                truth.endmembers.count()
            );
        }
        let library = match &self.library {
            Some(path) => Some(open_library(path, pixels.bands())?),
            None => None,
        };
        Ok(Task { scene, endmembers, suggestion, library })
    }
}

/// Refuses a file that would not fit into memory as f32 in all the spaces of extraction.
fn check_memory(path: &Path) -> Result<()> {
    let Ok(dataset) = cupel::data::open(path) else { return Ok(()) }; // the reader gives the better error
    let values = dataset.variables().iter().map(|v| v.shape().iter().product::<usize>() as u64).max().unwrap_or(0);
    let needed = values.saturating_mul(4 * COPIES_HELD);
    match available_memory_bytes() {
        Some(free) if needed > free => bail!(
            "{}: a scene of {values} values needs about {:.1} GiB, {:.1} GiB are free; crop it, or use a larger machine",
            path.display(),
            gibibytes(needed),
            gibibytes(free)
        ),
        _ => Ok(()),
    }
}

fn gibibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 30)
}

/// What the operating system says is free, where it says so.
fn available_memory_bytes() -> Option<u64> {
    crate::doctor::bytes(&fs::read_to_string("/proc/meminfo").ok()?, "MemAvailable")
}
