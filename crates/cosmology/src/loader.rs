//! [`Observations`]: cosmological signals, each with a foreground added, as batches for training; from files, of which few are in memory.
//!
//! An observation is `x = y + g`: a signal `y` from one file and a foreground `g` from another one, cut to the first bins in right ascension,
//! turned by a common number of bins, and divided into chunks. Which foreground and how far a sky is turned are drawn from the stream of the
//! batch when training, and from that of the sky when validating, so that a loss is comparable from epoch to epoch.

mod cache;
mod layout;

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use cupel_data::{Axes, Axis, AxisKind, Complex, Cube, Fractions, Source, Split, Stream};

use self::cache::Cache;
pub(crate) use self::layout::Layout;
use crate::{
    Error, ObservationsConfig, ReadConfig, Result, Unit,
    read::{Raw, fault, in_file, raw_visibilities},
    sky::checked,
};

/// Endings of the files that a folder of observations holds.
const ENDINGS: [&str; 5] = ["h5", "hdf5", "uvh5", "npy", "npz"];
/// The file that says the frequencies of the others in its folder.
const FREQUENCIES: &str = "freqs_mhz.npy";
/// Hubble constant in km/s/Mpc of a file whose name says none.
pub const DEFAULT_HUBBLE_KM_S_MPC: f64 = 67.0;

/// Files with signals and files with foregrounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservationFiles {
    /// Files with the cosmological signal.
    pub cosmologies: Vec<PathBuf>,
    /// Files with the foregrounds.
    pub foregrounds: Vec<PathBuf>,
}

/// What is fitted on, and what no fit sees: no file is on both sides, neither of signals nor of foregrounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObservationParts {
    /// For components, normalisers and training.
    pub train: ObservationFiles,
    /// For validation.
    pub validation: ObservationFiles,
}

impl ObservationFiles {
    /// The files of two folders in the order of their names, or two files.
    ///
    /// # Errors
    /// [`Error::Sky`] for a folder without such files, [`cupel_data::Error::Io`] for one that cannot be read.
    pub fn find(cosmopath: &Path, galpath: &Path) -> Result<Self> {
        Ok(Self { cosmologies: files(cosmopath)?, foregrounds: files(galpath)? })
    }

    /// The files for training and for validation: of signals and of foregrounds the share
    /// [`ObservationsConfig::validation_fraction`], rounded, but at least one, goes to validation. Of those for training
    /// [`ObservationsConfig::num_train`] signals are taken.
    ///
    /// # Errors
    /// [`cupel_data::Error::Count`] when there are too few files for two parts.
    pub fn split(&self, config: &ObservationsConfig) -> Result<ObservationParts> {
        let share = config.validation_fraction;
        let stream = Stream::new(config.seed, "observations split");
        let part = |files: &[PathBuf], stream| -> Result<[Vec<PathBuf>; 2]> {
            if share == 0.0 {
                return Ok([files.to_vec(), Vec::new()]);
            }
            let fractions = Fractions { train: 1.0 - share, validation: share, test: 0.0 };
            let split = Split::random(files.len(), fractions, stream)?;
            let chosen = |rows: &[usize]| rows.iter().map(|&row| files[row].clone()).collect();
            Ok([chosen(&split.train), chosen(&split.validation)])
        };
        let [mut cosmologies, held_cosmologies] = part(&self.cosmologies, stream.child(0))?;
        let [foregrounds, held_foregrounds] = part(&self.foregrounds, stream.child(1))?;
        cosmologies.truncate(config.num_train.of(cosmologies.len()));
        Ok(ObservationParts {
            train: Self { cosmologies, foregrounds },
            validation: Self { cosmologies: held_cosmologies, foregrounds: held_foregrounds },
        })
    }
}

fn files(path: &Path) -> Result<Vec<PathBuf>> {
    let io = |error| Error::Data(cupel_data::Error::io("read", path)(error));
    if !fs::metadata(path).map_err(io)?.is_dir() {
        return Ok(vec![path.into()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(io)? {
        let own = entry.map_err(io)?.path();
        let known =
            own.extension().is_some_and(|ending| ENDINGS.iter().any(|known| ending.eq_ignore_ascii_case(known)));
        if known && own.is_file() && own.file_name().is_none_or(|name| name != FREQUENCIES) {
            files.push(own);
        }
    }
    if files.is_empty() {
        let problem = format!("there is no file in it that ends in {}", ENDINGS.join(", "));
        return Err(fault(path, problem, "name the folder with the files"));
    }
    files.sort();
    Ok(files)
}

/// The Hubble constant in km/s/Mpc that the name of a file says, `cosmo_H0_60p894_vis_1.h5` being 60.894; nothing where it says none, as in
/// `cosmo_H0_pl18_vis_97.h5`, where [`DEFAULT_HUBBLE_KM_S_MPC`] is meant.
pub fn hubble_of_name(path: &Path) -> Option<f64> {
    let name = path.file_stem()?.to_str()?;
    let (_, rest) = name.split_once("H0_")?;
    let number = rest.split('_').next()?.replacen('p', ".", 1);
    let digits = number.starts_with(|first: char| first.is_ascii_digit());
    number.parse().ok().filter(|hubble: &f64| digits && *hubble > 0.0)
}

/// Observations and the signals in them.
#[derive(Clone, Debug, PartialEq)]
pub struct ObservationBatch {
    /// Observations `[chunk of a sky, real or imaginary part, right ascension, baseline, frequency]`: all chunks of the first sky first.
    pub x: Cube<f32>,
    /// The signals in them, of the same shape.
    pub y: Cube<f32>,
    /// Weights `[chunk of a sky, right ascension, baseline, frequency]` of both parts, 0 where a value of signal or foreground is left out;
    /// nothing where no file has any.
    pub weights: Option<Cube<f32>>,
}

/// Where random choices come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Draws {
    /// The batch: other ones in every epoch.
    Batch,
    /// The sky: the same ones always.
    Sky(Stream),
}

/// A [`Source`] of [`ObservationBatch`]es for [`cupel_data::Loader`].
///
/// # Example
/// ```no_run
/// use cupel_cosmology::{ObservationFiles, Observations, ObservationsConfig};
/// use cupel_data::{Loader, Stream};
/// let config = ObservationsConfig { cosmopath: Some("cosmo".into()), galpath: Some("galaxy".into()), ..Default::default() };
/// let (cosmopath, galpath) = config.paths()?;
/// let parts = ObservationFiles::find(cosmopath, galpath)?.split(&config)?;
/// let source = Observations::training(parts.train, &config)?;
/// let mut loader = Loader::new(source.into(), config.training_loader(), Stream::new(config.seed, "observations"))?;
/// let batch = loader.get(0, 0)?;
/// println!("{:?}", batch.x.shape());
/// # Ok::<(), cupel_cosmology::Error>(())
/// ```
#[derive(Debug)]
pub struct Observations {
    files: ObservationFiles,
    read: ReadConfig,
    chunks: usize,
    turns: bool,
    draws: Draws,
    /// Of the first signal; the others have to be like it.
    axes: Axes,
    unit: Option<Unit>,
    cache: Cache,
}

impl Observations {
    /// Observations to fit on: a random foreground and, if the configuration says so, a random turn for every sky of every epoch.
    ///
    /// # Errors
    /// Files that cannot be read or do not fit together: the first of each kind is read here, the others when they are loaded.
    pub fn training(files: ObservationFiles, config: &ObservationsConfig) -> Result<Self> {
        Self::new(files, config, Draws::Batch, config.ra_shift_aug)
    }

    /// Observations to validate on: every sky has its foreground, and none is turned.
    ///
    /// # Errors
    /// As [`training`](Self::training).
    pub fn validation(files: ObservationFiles, config: &ObservationsConfig) -> Result<Self> {
        Self::new(files, config, Draws::Sky(Stream::new(config.seed, "validation foregrounds")), false)
    }

    fn new(files: ObservationFiles, config: &ObservationsConfig, draws: Draws, turns: bool) -> Result<Self> {
        let (Some(first), false) = (files.cosmologies.first(), files.foregrounds.is_empty()) else {
            let why = "there has to be a signal and a foreground";
            return Err(Error::Missing { setting: "cosmopath or galpath", why });
        };
        let read = ReadConfig { ra_bins: Some(config.ra_bins), ..ReadConfig::default() };
        let chunks = config.split;
        if chunks == 0 || !config.ra_bins.is_multiple_of(chunks) {
            let expected = format!("a divisor of the {} bins in right ascension", config.ra_bins);
            return Err(cupel_settings::Problem::value("split", chunks, expected).into());
        }
        let part = load(first, &read)?;
        let axes = part.values.axes().clone();
        let (unit, cache) = (part.unit, Cache::new(config.cache_mb));
        let own = Self { files, read, chunks, turns, draws, axes, unit, cache };
        own.file(&own.files.foregrounds[0])?;
        Ok(own)
    }

    /// The files.
    pub fn files(&self) -> &ObservationFiles {
        &self.files
    }

    /// The axis of the channels, with frequencies in MHz where the files have them.
    ///
    /// # Errors
    /// Never, for observations that were made.
    pub fn frequencies(&self) -> Result<&Axis> {
        Ok(self.axes.axis(AxisKind::Frequency)?)
    }

    /// The Hubble constant in km/s/Mpc of a sky, by the name of its file.
    pub fn hubble_km_s_mpc(&self, row: usize) -> f64 {
        self.files.cosmologies.get(row).and_then(|path| hubble_of_name(path)).unwrap_or(DEFAULT_HUBBLE_KM_S_MPC)
    }

    /// Baselines, channels, and bins in right ascension of a chunk.
    pub fn chunk_shape(&self) -> [usize; 3] {
        let shape = self.axes.shape();
        [shape[0], shape[1], shape[2] / self.chunks]
    }

    /// The unit of the files, where they name one that is known.
    pub fn unit(&self) -> Option<Unit> {
        self.unit
    }

    /// Bytes that the cache holds, and those that it may.
    pub fn cached_bytes(&self) -> (u64, u64) {
        (self.cache.lock().bytes, self.cache.most_bytes)
    }

    /// A file as it lies, from the cache or read, and fit to be added to the first signal.
    fn file(&self, path: &Path) -> Result<Arc<Part>> {
        if let Some(part) = self.cache.lock().parts.get(path) {
            return Ok(part.clone());
        }
        let part = Arc::new(load(path, &self.read)?);
        let (own, first) = (part.values.axes(), &self.files.cosmologies[0]);
        let known = |axes: &Axes| axes.axis(AxisKind::Frequency).is_ok_and(|axis| axis.coordinates().is_some());
        if own.shape() != self.axes.shape() {
            let (got, expected) = (own.shape(), self.axes.shape());
            let problem = format!(
                "it has shape {got:?} [baseline, frequency, right ascension], {} {expected:?}",
                first.display()
            );
            return Err(fault(path, problem, "use files of one instrument"));
        }
        if known(own) && known(&self.axes) {
            let kind = AxisKind::Frequency;
            if own.fingerprint(kind)? != self.axes.fingerprint(kind)? {
                let problem = format!("its frequencies are not those of {}", first.display());
                return Err(fault(path, problem, "use files of one instrument"));
            }
        }
        if let (Some(own), Some(unit)) = (part.unit, self.unit)
            && own != unit
        {
            let problem = format!("it is in {own}, {} in {unit}", first.display());
            return Err(fault(path, problem, "convert one of them, or mend the attribute that names its unit"));
        }
        self.cache.keep(path, &part);
        Ok(part)
    }

    fn batch(&self, rows: &[usize], stream: Stream) -> Result<ObservationBatch> {
        let shape = self.axes.shape();
        let (baselines, channels, bins) = (shape[0], shape[1], shape[2]);
        let sky = baselines * channels * bins;
        let (mut x, mut y) = (vec![0.0; rows.len() * 2 * sky], vec![0.0; rows.len() * 2 * sky]);
        let mut weights: Option<Vec<f32>> = None;
        for (i, &row) in rows.iter().enumerate() {
            let draws = match self.draws {
                Draws::Batch => stream.child(i as u64),
                Draws::Sky(stream) => stream.child(row as u64),
            };
            let chosen = draws.child(0).rng().below(self.files.foregrounds.len() as u64) as usize;
            let turn = if self.turns { draws.child(1).rng().below(bins as u64) as usize } else { 0 };
            let signal = self.file(&self.files.cosmologies[row])?;
            let foreground = self.file(&self.files.foregrounds[chosen])?;
            let layout = Layout { baselines, channels, bins, chunks: self.chunks, turn };
            let own = i * 2 * sky..(i + 1) * 2 * sky;
            layout.observe(signal.values.values(), foreground.values.values(), &mut x[own.clone()], &mut y[own]);
            let [a, b] = [&signal, &foreground].map(|part| part.weights.as_ref().map(Cube::values));
            if a.is_some() || b.is_some() {
                let all = weights.get_or_insert_with(|| vec![1.0; rows.len() * sky]);
                layout.weigh(a, b, &mut all[i * sky..(i + 1) * sky]);
            }
        }
        let axis = |kind| self.axes.axis(kind).cloned();
        let count = rows.len() * self.chunks;
        let sample = Axis::new(AxisKind::Sample, count);
        let parts = Axis::new(AxisKind::Dimension(1), 2);
        let ra = Axis::new(AxisKind::RightAscension, bins / self.chunks);
        let (baseline, frequency) = (axis(AxisKind::Baseline)?, axis(AxisKind::Frequency)?);
        let axes = Axes::new(vec![sample.clone(), parts, ra.clone(), baseline.clone(), frequency.clone()])?;
        let weights = match weights {
            Some(weights) => Some(Cube::new(weights, Axes::new(vec![sample, ra, baseline, frequency])?)?),
            None => None,
        };
        Ok(ObservationBatch { x: Cube::new(x, axes.clone())?, y: Cube::new(y, axes)?, weights })
    }
}

impl Source for Observations {
    type Item = ObservationBatch;

    fn len(&self) -> usize {
        self.files.cosmologies.len()
    }

    fn load(&self, rows: &[usize], stream: Stream) -> cupel_data::Result<ObservationBatch> {
        self.batch(rows, stream).map_err(|error| match error {
            Error::Data(error) => error,
            error => cupel_data::Error::Source { doing: error.to_string(), source: Box::new(error) },
        })
    }
}

/// What is kept of a file: `[baseline, frequency, right ascension]`.
#[derive(Debug)]
pub(crate) struct Part {
    pub(crate) values: Cube<Complex<f32>>,
    /// Where the file names one that is known.
    unit: Option<Unit>,
    pub(crate) weights: Option<Cube<f32>>,
}

impl Part {
    fn bytes(&self) -> u64 {
        let weights = self.weights.as_ref().map_or(0, |weights| size_of_val(weights.values()));
        (size_of_val(self.values.values()) + weights) as u64
    }
}

fn load(path: &Path, read: &ReadConfig) -> Result<Part> {
    part(path, raw_visibilities(path, read)?)
}

/// Frequencies may be known by their index, and the unit be that of whatever wrote the files.
pub(crate) fn part(path: &Path, raw: Raw<Complex<f32>>) -> Result<Part> {
    let Raw { values, weights, written_unit, .. } = raw;
    let unit = written_unit.and_then(|unit| unit.parse().ok());
    let (values, weights) = in_file(path, checked(values, weights))?;
    let kinds = values.axes().kinds();
    let time = if kinds.contains(&AxisKind::Time) { AxisKind::Time } else { AxisKind::RightAscension };
    if kinds.len() != 3 {
        let problem = format!("it has shape {:?}, expected [baseline, frequency, right ascension]", values.shape());
        return Err(fault(path, problem, "write one polarisation to a file of its own"));
    }
    let order = [AxisKind::Baseline, AxisKind::Frequency, time];
    let values = values.permuted(&order)?;
    let weights = weights.map(|weights| weights.permuted(&order)).transpose()?;
    Ok(Part { values, unit, weights })
}

#[cfg(test)]
mod tests {
    use cupel_data::{Array, Loader, LoaderConfig, write_npy};

    use super::*;

    const BASELINES: usize = 3;
    const CHANNELS: usize = 4;
    const BINS: usize = 10;
    const TAKEN: usize = 8;

    /// Files whose values say where they are: `number + baseline / 10, channel + bin / 100`.
    fn folder(name: &str, first: usize, count: usize) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in 0..count {
            write(&folder.path().join(format!("{name}_H0_6{file}p5_vis_{file}.npy")), first + file, BINS);
        }
        folder
    }

    fn write(path: &Path, number: usize, bins: usize) {
        let mut values = Vec::new();
        for baseline in 0..BASELINES {
            for channel in 0..CHANNELS {
                for bin in 0..bins {
                    values.push(value(number, baseline, channel, bin));
                }
            }
        }
        let axes =
            [BASELINES, CHANNELS, bins].into_iter().zip(0..).map(|(len, i)| Axis::new(AxisKind::Dimension(i), len));
        let cube = Cube::new(values, Axes::new(axes.collect()).unwrap()).unwrap();
        write_npy(path, &Array::from(&cube)).unwrap();
    }

    fn value(number: usize, baseline: usize, channel: usize, bin: usize) -> Complex<f32> {
        Complex::new(number as f32 + baseline as f32 / 8.0, channel as f32 + bin as f32 / 64.0)
    }

    fn config(split: usize) -> ObservationsConfig {
        ObservationsConfig { ra_bins: TAKEN, split, ..ObservationsConfig::default() }
    }

    /// Ten signals numbered from 0, and five foregrounds numbered from 100.
    fn files() -> (ObservationFiles, [tempfile::TempDir; 2]) {
        let folders = [folder("cosmo", 0, 10), folder("galaxy", 100, 5)];
        (ObservationFiles::find(folders[0].path(), folders[1].path()).unwrap(), folders)
    }

    #[test]
    fn hubble_constants_are_read_off_names() {
        let of = |name: &str| hubble_of_name(Path::new(name));
        assert_eq!(of("a/cosmo_H0_60p894_vis_1.h5"), Some(60.894));
        assert_eq!(of("cosmo_H0_70_vis_1.h5"), Some(70.0));
        for none in ["cosmo_H0_pl18_vis_97.h5", "galaxy_gsm_vis_81.h5", "H0_", "H0_nan_1.h5", "H0_0_1.h5"] {
            assert_eq!(of(none), None, "{none}");
        }
    }

    #[test]
    fn no_file_is_on_both_sides_and_counts_are_exact() {
        let (files, _folders) = files();
        for seed in 0..20 {
            let config = ObservationsConfig { seed, validation_fraction: 0.2, ..config(4) };
            let parts = files.split(&config).unwrap();
            for (all, train, held, expected) in [
                (&files.cosmologies, &parts.train.cosmologies, &parts.validation.cosmologies, 2),
                (&files.foregrounds, &parts.train.foregrounds, &parts.validation.foregrounds, 1),
            ] {
                assert_eq!((held.len(), train.len()), (expected, all.len() - expected));
                assert!(held.iter().all(|file| !train.contains(file)));
                let mut both: Vec<_> = train.iter().chain(held).cloned().collect();
                both.sort();
                assert_eq!(&both, all);
            }
            assert_eq!(parts, files.split(&config).unwrap());
        }
        let held = |seed| files.split(&ObservationsConfig { seed, ..config(4) }).unwrap().validation;
        assert!((1..20).any(|seed| held(seed) != held(0)));
        let few = ObservationsConfig { num_train: crate::FileCount::First(3), ..config(4) };
        assert_eq!(files.split(&few).unwrap().train.cosmologies.len(), 3);
        // all of them, and not all but one
        assert_eq!(files.split(&config(4)).unwrap().train.cosmologies.len(), 9);
    }

    #[test]
    fn an_observation_is_a_signal_and_one_foreground_in_chunks() {
        let (files, _folders) = files();
        for (split, turns) in [(1, false), (4, false), (4, true), (2, true)] {
            let config = ObservationsConfig { ra_shift_aug: turns, ..config(split) };
            let source = Observations::training(files.clone(), &config).unwrap();
            let batch = source.load(&[7, 2], Stream::new(1, "test")).unwrap();
            let len = TAKEN / split;
            assert_eq!(batch.x.shape(), [2 * split, 2, len, BASELINES, CHANNELS]);
            assert_eq!(batch.y.axes(), batch.x.axes());
            assert!(batch.weights.is_none());
            let at = |cube: &Cube<f32>, index: [usize; 5]| {
                let offset = index.iter().zip(cube.shape()).fold(0, |offset, (i, len)| offset * len + i);
                cube.values()[offset]
            };
            for (i, row) in [7, 2].into_iter().enumerate() {
                let first = at(&batch.y, [i * split, 1, 0, 0, 0]);
                let turn = (TAKEN - (first * 64.0).round() as usize) % TAKEN;
                assert!(turns || turn == 0);
                let foreground = (at(&batch.x, [i * split, 0, 0, 0, 0]) - row as f32).round() as usize;
                assert!((100..105).contains(&foreground), "{foreground}");
                for bin in 0..TAKEN {
                    for baseline in 0..BASELINES {
                        for channel in 0..CHANNELS {
                            let to = (bin + turn) % TAKEN;
                            let place = |part| [i * split + to / len, part, to % len, baseline, channel];
                            let y = value(row, baseline, channel, bin);
                            let x = y + value(foreground, baseline, channel, bin);
                            assert_eq!([at(&batch.y, place(0)), at(&batch.y, place(1))], [y.re, y.im]);
                            assert_eq!([at(&batch.x, place(0)), at(&batch.x, place(1))], [x.re, x.im]);
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn foregrounds_change_from_epoch_to_epoch_when_training_and_never_when_validating() {
        let (files, _folders) = files();
        let config = ObservationsConfig { ra_shift_aug: true, ..config(4) };
        let training = Observations::training(files.clone(), &config).unwrap();
        let validation = Observations::validation(files, &config).unwrap();
        let stream = |epoch| Stream::new(3, "test").at(epoch, 0);
        let batch = |source: &Observations, epoch| source.load(&[0, 1, 2, 3], stream(epoch)).unwrap();
        assert_eq!(batch(&training, 0), batch(&training, 0));
        assert_ne!(batch(&training, 0), batch(&training, 1));
        assert_eq!(batch(&validation, 0), batch(&validation, 1));
        // whichever rows stand beside it
        let alone = validation.load(&[2], stream(5)).unwrap();
        let beside = batch(&validation, 0);
        let sky = alone.x.len();
        assert_eq!(alone.x.values(), &beside.x.values()[2 * sky..3 * sky]);
    }

    #[test]
    fn batches_do_not_depend_on_threads_and_caches() {
        let (files, _folders) = files();
        let load = |workers, cache_mb| {
            let config = ObservationsConfig { ra_shift_aug: true, cache_mb, ..config(2) };
            let source = Arc::new(Observations::training(files.clone(), &config).unwrap());
            let loader = LoaderConfig { workers, ..config.training_loader() };
            let mut loader = Loader::new(source.clone(), loader, Stream::new(9, "test")).unwrap();
            let steps = loader.steps();
            let batches: Vec<_> = (0..2).flat_map(|epoch| (0..steps).map(move |step| (epoch, step))).collect();
            let batches: Vec<_> = batches.into_iter().map(|(epoch, step)| loader.get(epoch, step).unwrap()).collect();
            (batches, source.cached_bytes())
        };
        let (alone, cached) = load(0, 0);
        assert_eq!((alone.len(), cached), (6, (0, 0)));
        let (several, _) = load(3, 0);
        assert_eq!(alone, several);
        let (with_cache, (bytes, most)) = load(2, 1);
        assert_eq!(alone, with_cache);
        assert!(bytes > 0 && bytes <= most);
    }

    #[test]
    fn a_cache_holds_what_it_may_and_no_more() {
        let (files, _folders) = files();
        let config = config(2);
        let mut source = Observations::training(files, &config).unwrap();
        let one = (BASELINES * CHANNELS * TAKEN * 8) as u64;
        source.cache.most_bytes = 3 * one + one / 2;
        source.load(&(0..10).collect::<Vec<_>>(), Stream::new(0, "test")).unwrap();
        assert_eq!(source.cached_bytes().0, 3 * one);
        assert_eq!(source.cache.lock().parts.len(), 3);
    }

    #[test]
    fn files_that_do_not_fit_are_named() {
        let (mut files, folders) = files();
        let refused = |files: &ObservationFiles, config: &ObservationsConfig| {
            Observations::training(files.clone(), config).unwrap_err().to_string()
        };
        assert_eq!(refused(&files, &config(3)), "split = 3: expected a divisor of the 8 bins in right ascension");
        let few = ObservationsConfig { ra_bins: 12, ..config(4) };
        assert!(refused(&files, &few).contains("it has 10 bins in right ascension, 12 are to be taken; take fewer"));
        let short = folders[1].path().join("short.npy");
        write(&short, 0, TAKEN);
        assert_eq!(Observations::training(files.clone(), &config(4)).map(|own| own.len()).unwrap(), 10);
        let mut values = vec![Complex::new(1.0_f32, 0.0); (BASELINES + 1) * CHANNELS * TAKEN];
        let axes = |baselines| {
            Axes::new(vec![
                Axis::new(AxisKind::Baseline, baselines),
                Axis::new(AxisKind::Frequency, CHANNELS),
                Axis::new(AxisKind::Time, TAKEN),
            ])
            .unwrap()
        };
        let other = folders[1].path().join("other.npy");
        write_npy(&other, &Array::from(&Cube::new(values.clone(), axes(BASELINES + 1)).unwrap())).unwrap();
        files.foregrounds = vec![other];
        assert!(refused(&files, &config(4)).contains("it has shape [4, 4, 8] [baseline, frequency, right ascension]"));
        values.truncate(BASELINES * CHANNELS * TAKEN);
        values[17] = Complex::new(f32::NAN, 0.0);
        let broken = folders[1].path().join("broken.npy");
        write_npy(&broken, &Array::from(&Cube::new(values, axes(BASELINES)).unwrap())).unwrap();
        files.foregrounds = vec![broken];
        let message = refused(&files, &config(4));
        assert!(message.contains("broken.npy: 1 of 96 values are not finite and not flagged"), "{message}");
        assert!(message.contains("[baseline 0, frequency 2, time 1]"), "{message}");
        let empty = tempfile::tempdir().unwrap();
        let error = ObservationFiles::find(empty.path(), folders[1].path()).unwrap_err().to_string();
        assert!(error.contains("there is no file in it that ends in h5, hdf5"), "{error}");
    }
}
