//! What components are fitted on and applied to: arrays in files, or observations for training by the original's settings.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Args;
use cupel::{
    cosmology::{FileCount, Frequencies, ObservationFiles, ObservationParts, ObservationsConfig, frequency_axis},
    data::{Axis, AxisKind, Format, open},
    pca::{Choice, Components, Modes},
    settings::{Range, Value},
};

use crate::number;

/// Modes where the original's settings say no number.
const ORIGINAL_MODES: usize = 7;
/// The data set of the original's files, and its axes.
const VISIBILITIES: (&str, [AxisKind; 3]) =
    ("vis", [AxisKind::Baseline, AxisKind::Frequency, AxisKind::RightAscension]);

/// How an array in a file is read.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Input")]
pub struct Array {
    /// Axis of the channels: its name (frequency, wavelength) or its position, from 0 [default: frequency, or the components' own]
    #[arg(long, value_name = "AXIS", value_parser = axis)]
    pub axis: Option<AxisKind>,

    /// Name of the array, in a file with several
    #[arg(long, value_name = "NAME")]
    pub variable: Option<String>,

    /// Names of the axes in their order, where the file does not name them: baseline,frequency,time
    #[arg(long, value_name = "AXES", value_delimiter = ',')]
    pub axes: Vec<AxisKind>,

    /// Frequencies of the channels in MHz, where the file has none: a list, LOW:HIGH:CHANNELS, or a file of them
    #[arg(long, alias = "freqs", value_name = "MHZ", value_parser = frequencies)]
    pub frequencies: Option<Frequencies>,
}

fn axis(text: &str) -> Result<AxisKind, String> {
    match text.parse::<u8>() {
        Ok(position) => Ok(AxisKind::Dimension(position)),
        Err(_) => text.parse().map_err(|error: cupel::data::Error| error.to_string()),
    }
}

fn frequencies(text: &str) -> Result<Frequencies, String> {
    Frequencies::parse(text)
}

impl Array {
    /// The axis of the channels.
    pub fn along(&self) -> AxisKind {
        self.axis.unwrap_or(AxisKind::Frequency)
    }

    /// How the files are read; `first` is one of them.
    pub fn choice(&self, first: &Path, weights: &[PathBuf]) -> Result<Choice> {
        let mut choice = Choice {
            variable: self.variable.clone(),
            axes: (!self.axes.is_empty()).then(|| self.axes.clone()),
            channels: None,
            weights: weights.to_vec(),
        };
        if choice.variable.is_none() && choice.axes.is_none() {
            let file = open(first)?;
            let (name, axes) = VISIBILITIES;
            let known = file.variable(name).is_ok_and(|variable| variable.shape().len() == axes.len());
            if file.format() == Format::Hdf5 && known {
                (choice.variable, choice.axes) = (Some(name.to_owned()), Some(axes.to_vec()));
            }
        }
        if let Some(frequencies) = &self.frequencies {
            if self.along() != AxisKind::Frequency {
                bail!("--frequencies are those of the frequency axis; the channels lie along {}", self.along());
            }
            choice.channels = Some(frequency_axis(frequencies.in_mhz()?)?);
        }
        Ok(choice)
    }
}

/// Observations for training, by the original's settings.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Observations")]
pub struct Observed {
    /// Folder of the files with the cosmological signal, or one file
    #[arg(long, value_name = "PATH", requires = "galpath")]
    pub cosmopath: Option<PathBuf>,

    /// Folder of the files with the foregrounds, or one file
    #[arg(long, value_name = "PATH", requires = "cosmopath")]
    pub galpath: Option<PathBuf>,

    /// How many of the files with the signal are trained on, or all
    #[arg(long, value_name = "N|all", default_value = "all", value_parser = count)]
    num_train: FileCount,

    /// Share of the files, of signals and of foregrounds, that no fit sees
    #[arg(long, value_name = "SHARE", default_value_t = 0.1, value_parser = number::<f64>(Range::at_least(0.0).below(1.0)))]
    validation_fraction: f64,

    /// Bins in right ascension that are taken, from the first
    #[arg(long, value_name = "N", default_value_t = 1024, value_parser = number::<usize>(Range::at_least(1.0).at_most(1e6)))]
    ra_bins: usize,

    /// Folder of the models
    #[arg(long, value_name = "DIR")]
    model_dir: Option<PathBuf>,

    /// Name of the model, which is its folder there
    #[arg(long, value_name = "NAME")]
    model_name: Option<String>,

    /// Seed of the split and of the foregrounds
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    pub seed: u64,
}

fn count(text: &str) -> Result<FileCount, String> {
    FileCount::parse(text)
}

impl Observed {
    /// As the library has it.
    pub fn config(&self, modes: Modes) -> ObservationsConfig {
        let text = |path: &PathBuf| path.to_string_lossy().into_owned();
        let mut config = ObservationsConfig {
            cosmopath: self.cosmopath.as_ref().map(text),
            galpath: self.galpath.as_ref().map(text),
            num_train: self.num_train,
            validation_fraction: self.validation_fraction,
            ra_bins: self.ra_bins,
            split: 1,
            model_dir: self.model_dir.as_ref().map(text),
            model_name: self.model_name.clone(),
            seed: self.seed,
            ..ObservationsConfig::default()
        };
        if let Modes::Count(count) = modes {
            config.n_fg = count;
        }
        config
    }

    /// Files for training and for validation, if observations were asked for.
    pub fn parts(&self, config: &ObservationsConfig) -> Result<Option<ObservationParts>> {
        if self.cosmopath.is_none() {
            return Ok(None);
        }
        let (cosmopath, galpath) = config.paths()?;
        Ok(Some(ObservationFiles::find(cosmopath, galpath)?.split(config)?))
    }

    /// Where the components of the model lie, if the model is named.
    pub fn components(&self, config: &ObservationsConfig) -> Option<PathBuf> {
        (self.model_dir.is_some() && self.model_name.is_some()).then(|| config.components_path().ok()).flatten()
    }

    /// The number of modes, or the rule for it: the original's 7 for observations, else a rule.
    pub fn modes(&self, given: Option<Modes>) -> Modes {
        given.unwrap_or(if self.cosmopath.is_some() { Modes::Count(ORIGINAL_MODES) } else { Modes::EigenGap })
    }
}

/// A rule for the number of modes, as an argument.
pub fn modes(text: &str) -> Result<Modes, String> {
    text.parse().map_err(|error: cupel::pca::Error| error.to_string())
}

/// The lengths in metres of the baselines that a file lists: vectors `[baseline, 2 or 3]`, or lengths.
pub fn lengths_m(path: &Path) -> Result<Vec<f64>> {
    let cube = open(path)?.cube::<f64>(None)?;
    match cube.shape()[..] {
        [_] => Ok(cube.into_values()),
        [_, width @ (2 | 3)] => {
            Ok(cube.values().chunks(width).map(|v| v.iter().map(|x| x * x).sum::<f64>().sqrt()).collect())
        }
        ref other => bail!("{}: shape {other:?}; expected [baselines], or [baselines, 2 or 3]", path.display()),
    }
}

/// The axis of the channels of an array, as its file and the user name it.
pub fn channels(path: &Path, choice: &Choice, along: AxisKind) -> Result<Axis> {
    let file = open(path)?;
    let mut axes = file.axes(choice.variable.as_deref())?;
    if let Some(names) = &choice.axes {
        axes = axes.renamed(names)?;
    }
    if let Some(channels) = &choice.channels {
        axes = axes.with_axis(channels.clone())?;
    }
    axes.axis(along).cloned().with_context(|| format!("reading {}", path.display()))
}

/// Components along the axis that the user named, where their file names none: those of the original are of frequencies, and say no more.
pub fn along(components: Components, axis: &Axis) -> Result<Components> {
    let own = components.axis();
    let nameless = own.kind() == AxisKind::Frequency && own.coordinates().is_none() && components.data_hash().is_none();
    if nameless && own.len() == axis.len() {
        return Ok(components.with_axis(axis.clone())?);
    }
    components.check_axis(axis)?;
    Ok(components)
}
