//! [`TrainingSkies`]: a folder of skies of which the signal is known.

use std::{
    collections::HashMap,
    fs,
    path::{Path, PathBuf},
};

use cupel_data::{Error as DataError, Fractions, Split, Stream};
use rayon::prelude::*;

use crate::{
    ReadConfig, Result,
    estimators::Pair,
    read::{fault, read_sky},
};

/// Stems of what is observed, and of its signal: the first that is there counts.
const OBSERVED: [&str; 2] = ["obs", "observed"];
const SIGNAL: [&str; 2] = ["signal_beam", "signal"];
/// Endings of skies.
const ENDINGS: [&str; 7] = ["npy", "npz", "fits", "fit", "fts", "h5", "hdf5"];

/// Skies that estimators learn from: pairs of what is observed and the signal in it, as the instrument shows it. They are read when they
/// are asked for.
///
/// # Example
/// ```no_run
/// use cupel_cosmology::{ReadConfig, TrainingSkies, estimators::{Method, Training}};
/// let skies = TrainingSkies::find("skies".as_ref(), ReadConfig::default())?;
/// let pair = |number: usize| skies.pair(number);
/// let filter = Training::gather(skies.len(), &pair)?.fit(Method::Filter, &pair)?;
/// # Ok::<(), cupel_cosmology::Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TrainingSkies {
    skies: Vec<Files>,
    config: ReadConfig,
}

/// The files of one sky.
#[derive(Clone, Debug)]
struct Files {
    observed: PathBuf,
    signal: PathBuf,
}

impl TrainingSkies {
    /// The skies in the folders of a folder, in the order of their names, as `cupel cosmology simulate` writes them: `obs.npy` is observed,
    /// `signal_beam.npy` its signal as the instrument shows it (`signal.npy` where there is none); FITS, NPZ and HDF5 as well.
    ///
    /// # Errors
    /// [`crate::Error::Sky`] where there is no such folder, or one lacks a file; a folder that cannot be read.
    pub fn find(folder: &Path, config: ReadConfig) -> Result<Self> {
        let io = DataError::io("read", folder);
        let entries = fs::read_dir(folder).and_then(Iterator::collect::<std::io::Result<Vec<_>>>).map_err(io)?;
        let mut folders: Vec<PathBuf> = entries.iter().map(fs::DirEntry::path).filter(|path| path.is_dir()).collect();
        folders.sort();
        let mut skies = Vec::new();
        for sky in folders {
            let Some(observed) = first(&sky, &OBSERVED) else { continue };
            let signal = first(&sky, &SIGNAL).ok_or_else(|| {
                fault(&sky, "an observed sky without its signal", "add signal_beam.npy, the signal as it is observed")
            })?;
            skies.push(Files { observed, signal });
        }
        if skies.is_empty() {
            let problem = "none of its folders holds an observed sky";
            let fix =
                "give a folder of folders with obs.npy and signal_beam.npy, as cupel cosmology simulate writes it";
            return Err(fault(folder, problem, fix));
        }
        Ok(Self { skies, config })
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.skies.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.skies.is_empty()
    }

    /// The name of a sky: that of its folder.
    pub fn name(&self, sky: usize) -> String {
        let folder = self.skies[sky].observed.parent().and_then(Path::file_name);
        folder.unwrap_or_default().to_string_lossy().into_owned()
    }

    /// Reads a sky.
    ///
    /// # Errors
    /// Those of [`read_sky`]; a signal of another unit or of other axes.
    pub fn pair(&self, sky: usize) -> Result<Pair> {
        let Files { observed, signal } = &self.skies[sky];
        let seen = read_sky(observed, &self.config)?;
        // what leaves values out belongs to what is observed
        let of_signal = ReadConfig { weights: None, flags: None, ..self.config.clone() };
        let signal_sky = read_sky(signal, &of_signal)?;
        if signal_sky.unit() != seen.unit() || signal_sky.cube().axes() != seen.cube().axes() {
            let problem = format!(
                "{:?} in {}, but {} is {:?} in {}",
                signal_sky.cube().shape(),
                signal_sky.unit(),
                observed.display(),
                seen.cube().shape(),
                seen.unit()
            );
            return Err(fault(signal, problem, "give both on the same axes and in one unit"));
        }
        Ok(Pair { observed: seen, signal: signal_sky.cube().clone() })
    }

    /// Skies to learn from, and a share of them for validation, drawn by the seed; at least one.
    ///
    /// # Errors
    /// [`cupel_data::Error::Count`] for too few skies for two parts.
    pub fn split(&self, validation: f64, seed: u64) -> Result<[Self; 2]> {
        let fractions = Fractions { train: 1.0 - validation, validation, test: 0.0 };
        let split = Split::random(self.len(), fractions, Stream::new(seed, "skies of validation"))?;
        let part = |rows: &[usize]| {
            let skies = rows.iter().map(|row| self.skies[*row].clone()).collect();
            Self { skies, config: self.config.clone() }
        };
        Ok([part(&split.train), part(&split.validation)])
    }

    /// Checks that no sky of these, nor its signal, is one of the others.
    ///
    /// # Errors
    /// [`crate::Error::Sky`] that names both.
    pub fn check_apart(&self, others: &Self) -> Result<()> {
        let own: HashMap<[u8; 32], &Path> = self.hashes()?.into_iter().map(|(file, hash)| (hash, file)).collect();
        match others.hashes()?.into_iter().find_map(|(file, hash)| Some((file, *own.get(&hash)?))) {
            None => Ok(()),
            Some((file, same)) => {
                let problem = format!("the same values as {}, which is trained on", same.display());
                Err(fault(file, problem, "validate on skies that no training sees"))
            }
        }
    }

    /// What is in all files.
    fn hashes(&self) -> Result<Vec<(&Path, [u8; 32])>> {
        let files: Vec<&Path> = self.skies.iter().flat_map(|files| [&*files.observed, &*files.signal]).collect();
        let config = ReadConfig { weights: None, flags: None, ..self.config.clone() };
        let hash = |file: &Path| -> Result<[u8; 32]> {
            let sky = read_sky(file, &config)?;
            let bytes: Vec<u8> = sky.cube().values().iter().flat_map(|value| value.to_le_bytes()).collect();
            Ok(*blake3::hash(&bytes).as_bytes())
        };
        files.into_par_iter().map(|file| Ok((file, hash(file)?))).collect()
    }
}

fn first(folder: &Path, stems: &[&str]) -> Option<PathBuf> {
    let paths = stems.iter().flat_map(|stem| ENDINGS.iter().map(move |ending| folder.join(format!("{stem}.{ending}"))));
    paths.into_iter().find(|path| path.is_file())
}
