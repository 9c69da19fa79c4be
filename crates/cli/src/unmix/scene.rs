//! What to unmix, for `run` and `compare`.

use std::{fmt, path::PathBuf};

use anyhow::{Context, Result};
use clap::Args;
use cupel::{
    settings::{Range, Value},
    train::{Casting, Precision, Work, device::is_cpu},
    unmixing::{AxisOrder, BandRange, Method, PixelOrder, Plan, Roi, SceneFiles, Source, Unmixing, UnmixingConfig},
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

    /// Leave the truth in the scene's file aside
    #[arg(long, conflicts_with = "truth")]
    no_truth: bool,

    /// Number of image rows, where the file does not tell and the image is not square
    #[arg(long, value_name = "N", value_parser = number::<usize>(Range::at_least(1.0).at_most(1e9)))]
    rows: Option<usize>,

    /// Axes of a cube in the order of the file, as in bands,rows,columns, where the file does not tell
    #[arg(long, value_name = "ORDER")]
    axes: Option<AxisOrder>,

    /// How the pixels of a matrix of spectra lie, row or column [default: column in MATLAB's files, else row]
    #[arg(long, value_name = "ORDER", value_parser = |text: &str| PixelOrder::parse(text))]
    pixel_order: Option<PixelOrder>,

    /// Band centres, where the scene has none: a file of numbers in nanometres or micrometres
    #[arg(long, value_name = "FILE")]
    wavelengths: Option<PathBuf>,

    /// Take numbers as they are stored, without the scale and offset that the file gives
    #[arg(long)]
    raw: bool,

    /// Bands to leave out, as in 104-113,148 or 1350-1420nm,1800-1950nm
    #[arg(long, value_name = "RANGES", value_delimiter = ',')]
    drop_bands: Vec<BandRange>,

    /// A stored number that stands for missing values, beside those that the file names; may be given several times
    #[arg(long, value_name = "V", allow_negative_numbers = true)]
    ignore_value: Vec<f64>,

    /// A map of rows and columns: pixels where it is 0 are left out
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,

    /// The part of the image to use, as in 10-50,20-80: rows and columns counted from 1
    #[arg(long, value_name = "ROWS,COLUMNS")]
    roi: Option<Roi>,

    /// Named spectra that the endmembers are matched to, by wavelength where both have them
    #[arg(long = "match", value_name = "FILE")]
    match_with: Option<PathBuf>,

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

    fn files(&self) -> SceneFiles {
        let Self { file, truth, no_truth, variable, rows, axes, pixel_order, wavelengths, raw, drop_bands, .. } =
            self.clone();
        let Self { ignore_value: ignore_values, mask, roi, .. } = self.clone();
        SceneFiles {
            file,
            truth,
            no_truth,
            variable,
            rows,
            axes,
            pixel_order,
            wavelengths,
            raw,
            drop_bands,
            ignore_values,
            mask,
            roi,
        }
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
        let source = Source::open(&self.files(), tiles)?;
        source.notes().iter().for_each(|note| session.note(format_args!("{note}")));
        let casting = casting(session, methods, config.mixture.is_variational(), source.values()?)?;
        let mut unmixing = Unmixing::new(config).on(&session.device()?.device, casting);
        if let Some(path) = &self.library {
            unmixing = unmixing.with_library(source.library(path)?.spectra);
        }
        if let Some(path) = &self.match_with {
            unmixing = unmixing.matched_to(source.library(path)?);
        }
        let plan = plan(&unmixing, &source).with_context(|| self.file.display().to_string())?;
        Ok(Task { plan, unmixing, source })
    }
}

/// The precision of the methods for a scene of so many values, told to the user.
pub fn casting(session: &Session, methods: &[Method], variational: bool, values: usize) -> Result<Casting> {
    let networks = methods.iter().any(|method| method.is_network());
    if networks || !matches!(session.precision(), Precision::Auto | Precision::F32) {
        return session.casting(Work { elements: values, reduced_precision_pays_from: FEWER_BITS_FROM });
    }
    let device = session.device()?;
    let where_ = if variational {
        "variational inference runs there"
    } else if methods.contains(&Method::Pmm) && !is_cpu(&device.device) {
        "pmm computes posteriors of pixels there"
    } else {
        "these methods run on the CPU with any"
    };
    session.note(format_args!("device: {} ({}); {where_}, in f32", device.name, device.reason));
    Ok(Casting::f32())
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.plan.fmt(f)
    }
}
