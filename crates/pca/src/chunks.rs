//! [`Files`]: the samples of files that may be larger than memory, chunk by chunk.

use std::{
    fs::File,
    path::{Path, PathBuf},
};

use cupel_data::{Axis, AxisKind, Class, Cube, Dataset, Element, ElementType, Finite, Tiles, open};
use num_complex::Complex;

use crate::{Error, Result};

/// Bytes of a chunk as it is stored: with its copies in f64 and in the order of the samples some 40 MiB of memory.
const CHUNK_BYTES: usize = 8 << 20;

/// The samples of a chunk, with the numbers that they are stored as.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Samples {
    /// Real numbers; integers are read as such too.
    F32(Cube<f32>),
    /// Real numbers in double precision.
    F64(Cube<f64>),
    /// Complex numbers.
    Complex64(Cube<Complex<f32>>),
    /// Complex numbers in double precision.
    Complex128(Cube<Complex<f64>>),
}

/// Part of the data.
#[derive(Clone, Debug)]
pub struct Chunk {
    /// Its values.
    pub samples: Samples,
    /// A weight for each value, if there are weights: 0 for what is flagged.
    pub weights: Option<Cube<f32>>,
    /// The axis along which it is a part, and its first position there in the whole.
    pub along: (AxisKind, usize),
}

/// Data that come in chunks, always the same ones in the same order.
pub trait Chunks {
    /// The axis of the channels.
    fn axis(&self) -> &Axis;

    /// How many chunks there are.
    fn count(&self) -> usize;

    /// The chunk of this number, counted from 0; they are asked for in their order, possibly not from the first one on.
    ///
    /// # Errors
    /// What reading reports.
    fn chunk(&mut self, number: usize) -> Result<Chunk>;

    /// A hash of all data in hexadecimal digits.
    ///
    /// # Errors
    /// What reading reports.
    fn hash(&self) -> Result<String>;
}

/// One array in each of several files, alike but for the number of samples.
///
/// NPY, FITS, ENVI and HDF5 files are read a chunk at a time; other formats are read whole, one file after the other.
#[derive(Debug)]
pub struct Files {
    files: Vec<Opened>,
    axis: Axis,
    /// The file that is being read.
    current: Option<(usize, Reading)>,
}

/// What to read of each file.
#[derive(Clone, Debug, Default)]
pub struct Choice {
    /// Name of the array; `None` where a file has one only.
    pub variable: Option<String>,
    /// Names for its axes, in their order; `None` to leave them as the file has them.
    pub axes: Option<Vec<AxisKind>>,
    /// Coordinates of the channels, where the files do not have them.
    pub channels: Option<Axis>,
    /// For each file one with weights of the same shape, 0 for what is flagged; none at all for no weights.
    pub weights: Vec<PathBuf>,
}

#[derive(Debug)]
struct Opened {
    dataset: Dataset,
    weights: Option<Dataset>,
    variable: Option<String>,
    element: ElementType,
    /// Names that the axes are given.
    renamed: Vec<AxisKind>,
    /// The axis of the channels with its coordinates.
    channels: Axis,
    /// Which axis it is cut along: its place in the file's own names, and the positions in a chunk.
    along: usize,
    own: AxisKind,
    len: usize,
    chunks: usize,
}

#[derive(Debug)]
enum Parts {
    F32(Tiles<f32>),
    F64(Tiles<f64>),
    Complex64(Tiles<Complex<f32>>),
    Complex128(Tiles<Complex<f64>>),
}

#[derive(Debug)]
struct Reading {
    parts: Parts,
    weights: Option<Tiles<f32>>,
    next: usize,
}

impl Files {
    /// Opens files whose channels lie along the axis `along`.
    ///
    /// # Errors
    /// No file; another number of files with weights; a file without such an array or axis, without another axis for samples, or
    /// whose channels are not those of the first file.
    pub fn open(paths: &[PathBuf], along: AxisKind, choice: &Choice) -> Result<Self> {
        let Some(first) = paths.first() else {
            return Err(Error::Input { path: PathBuf::new(), problem: "no files were given".into() });
        };
        if !choice.weights.is_empty() && choice.weights.len() != paths.len() {
            let problem =
                format!("{} files of weights for {} of data; give one for each", choice.weights.len(), paths.len());
            return Err(Error::Input { path: first.clone(), problem });
        }
        let mut files: Vec<Opened> = Vec::with_capacity(paths.len());
        for (number, path) in paths.iter().enumerate() {
            let file = Opened::new(path, choice.weights.get(number), along, choice)?;
            if let Some(first) = files.first()
                && !crate::components::agree(&first.channels, &file.channels)
            {
                let [expected, got] = [&first.channels, &file.channels].map(crate::components::describe);
                let problem = format!("channels along {got}, unlike {expected} of {}", first.dataset.path().display());
                return Err(Error::Input { path: path.clone(), problem });
            }
            files.push(file);
        }
        Ok(Self { axis: files[0].channels.clone(), files, current: None })
    }

    /// Whether the numbers are complex.
    pub fn is_complex(&self) -> bool {
        self.files.iter().any(|file| matches!(file.element, ElementType::Complex64 | ElementType::Complex128))
    }

    /// Samples of all files: values of a channel.
    ///
    /// # Errors
    /// What reading a header reports.
    pub fn samples(&self) -> Result<usize> {
        let of =
            |file: &Opened| Ok(file.dataset.axes(file.variable.as_deref())?.value_count() / self.axis.len().max(1));
        self.files.iter().map(of).sum()
    }

    /// The length of an axis that all files have.
    ///
    /// # Errors
    /// [`Error::Input`] for a file without it, or where it has another length than in the first.
    pub fn length(&self, kind: AxisKind) -> Result<usize> {
        let mut length = None;
        for file in &self.files {
            let wrong = |problem: String| Err(Error::Input { path: file.dataset.path().into(), problem });
            let Some(place) = file.renamed.iter().position(|&own| own == kind) else {
                return wrong(format!("there is no {kind} axis; it has {:?}", file.renamed));
            };
            let axes = file.dataset.axes(file.variable.as_deref())?;
            let got = axes.shape()[place];
            if *length.get_or_insert(got) != got {
                return wrong(format!("the {kind} axis has {got} positions, that of the first file {length:?}"));
            }
        }
        Ok(length.unwrap_or(0))
    }
}

impl Opened {
    fn new(path: &Path, weights: Option<&PathBuf>, along: AxisKind, choice: &Choice) -> Result<Self> {
        let (dataset, variable) = (open(path)?, choice.variable.clone());
        let wrong = |problem: String| Error::Input { path: path.into(), problem };
        let mut axes = dataset.axes(variable.as_deref())?;
        let own = axes.kinds();
        if let Some(names) = &choice.axes {
            axes = axes.renamed(names)?;
        }
        if let Some(channels) = &choice.channels {
            axes = axes.with_axis(channels.clone())?;
        }
        let (channels, place) = (axes.axis(along)?.clone(), axes.position(along)?);
        let element = element(&dataset, variable.as_deref())?;
        let shape = axes.shape();
        let bytes = axes.value_count().saturating_mul(element.size_bytes());
        // the outermost axis is contiguous, unless a single position of it is too much
        let others = || (0..shape.len()).filter(|&axis| axis != place);
        let fits = others().find(|&axis| shape[axis] > 1 && bytes / shape[axis] <= CHUNK_BYTES);
        let cut = fits.or_else(|| others().max_by_key(|&axis| shape[axis])).ok_or_else(|| {
            wrong(format!("the {along} axis is the only one: there are no samples, give an array of at least two axes"))
        })?;
        let row_bytes = (bytes / shape[cut].max(1)).max(1);
        let len = (CHUNK_BYTES / row_bytes).clamp(1, shape[cut].max(1));
        let weights = weights.map(open).transpose()?;
        if let Some(weights) = &weights {
            let got = weights.axes(None)?.shape();
            if got != shape {
                let problem =
                    format!("weights of shape {got:?} for data of shape {shape:?}; give one weight per value");
                return Err(Error::Input { path: weights.path().into(), problem });
            }
        }
        let chunks = shape[cut].div_ceil(len);
        let renamed = axes.kinds();
        Ok(Self { dataset, weights, variable, element, renamed, channels, along: cut, own: own[cut], len, chunks })
    }

    fn start(&self, first: usize) -> Result<Reading> {
        let name = self.variable.as_deref();
        let parts = match self.element {
            ElementType::F64 | ElementType::I64 | ElementType::U64 | ElementType::I32 | ElementType::U32 => {
                Parts::F64(self.tiles(&self.dataset, name, first)?)
            }
            ElementType::Complex64 => Parts::Complex64(self.tiles(&self.dataset, name, first)?),
            ElementType::Complex128 => Parts::Complex128(self.tiles(&self.dataset, name, first)?),
            _ => Parts::F32(self.tiles(&self.dataset, name, first)?),
        };
        let weights = self.weights.as_ref().map(|weights| self.weight_tiles(weights, first)).transpose()?;
        Ok(Reading { parts, weights, next: first })
    }

    fn tiles<T: Element>(&self, dataset: &Dataset, name: Option<&str>, first: usize) -> Result<Tiles<T>> {
        let mut tiles = dataset.tiles(name, self.own, self.len)?;
        tiles.seek(first);
        Ok(tiles)
    }

    fn weight_tiles(&self, dataset: &Dataset, first: usize) -> Result<Tiles<f32>> {
        let own = dataset.axes(None)?.kinds()[self.along];
        let mut tiles = dataset.tiles(None, own, self.len)?;
        tiles.seek(first);
        Ok(tiles)
    }

    /// A part of which every value is finite where there are no weights that could take one out.
    fn checked<T: Finite>(
        &self,
        part: Option<cupel_data::Result<Cube<T>>>,
        along: (AxisKind, usize),
    ) -> Result<Cube<T>> {
        let part = self.dressed(part)?;
        if self.weights.is_none() {
            part.check_finite().map_err(|error| {
                let problem = format!("in the part from {} {} on, {error}", along.0, along.1);
                Error::Input { path: self.dataset.path().into(), problem }
            })?;
        }
        Ok(part)
    }

    /// A part under the names and coordinates of the whole.
    fn dressed<T>(&self, part: Option<cupel_data::Result<Cube<T>>>) -> Result<Cube<T>> {
        let Some(part) = part else {
            let problem = "it became shorter while it was read".into();
            return Err(Error::Input { path: self.dataset.path().into(), problem });
        };
        Ok(part?.rename(&self.renamed)?.with_axis(self.channels.clone())?)
    }
}

fn element(dataset: &Dataset, name: Option<&str>) -> Result<ElementType> {
    let arrays = || {
        dataset.variables().iter().filter(|variable| matches!(variable.class(), Class::Number(_) | Class::Sparse(_)))
    };
    let variable = match name {
        Some(name) => Some(dataset.variable(name)?),
        None => arrays().next(),
    };
    Ok(match variable.map(cupel_data::Variable::class) {
        Some(Class::Number(element) | Class::Sparse(element)) => *element,
        _ => ElementType::F64,
    })
}

impl Chunks for Files {
    fn axis(&self) -> &Axis {
        &self.axis
    }

    fn count(&self) -> usize {
        self.files.iter().map(|file| file.chunks).sum()
    }

    fn chunk(&mut self, number: usize) -> Result<Chunk> {
        let mut within = number;
        let mut place = 0;
        while let Some(file) = self.files.get(place)
            && within >= file.chunks
        {
            within -= file.chunks;
            place += 1;
        }
        let Some(file) = self.files.get(place) else {
            let problem = format!("chunk {number} of {}", self.count());
            return Err(Error::Input { path: self.files[0].dataset.path().into(), problem });
        };
        let mut reading = match self.current.take() {
            Some((current, reading)) if current == place && reading.next == within => reading,
            _ => file.start(within)?,
        };
        let along = (file.renamed[file.along], within * file.len);
        let samples = match &mut reading.parts {
            Parts::F32(tiles) => Samples::F32(file.checked(tiles.next(), along)?),
            Parts::F64(tiles) => Samples::F64(file.checked(tiles.next(), along)?),
            Parts::Complex64(tiles) => Samples::Complex64(file.checked(tiles.next(), along)?),
            Parts::Complex128(tiles) => Samples::Complex128(file.checked(tiles.next(), along)?),
        };
        let weights = reading.weights.as_mut().map(|tiles| file.dressed(tiles.next())).transpose()?;
        reading.next += 1;
        self.current = Some((place, reading));
        Ok(Chunk { samples, weights, along })
    }

    fn hash(&self) -> Result<String> {
        let mut all = blake3::Hasher::new();
        for file in &self.files {
            for dataset in [Some(&file.dataset), file.weights.as_ref()].into_iter().flatten() {
                all.update(content(dataset.path())?.as_bytes());
                // the numbers of an ENVI image stand beside the header
                if let Some(partner) = cupel_data::envi_partner(dataset.path()) {
                    all.update(content(&partner)?.as_bytes());
                }
            }
            all.update(file.variable.as_deref().unwrap_or_default().as_bytes());
        }
        Ok(all.finalize().to_hex().to_string())
    }
}

fn content(path: &Path) -> Result<blake3::Hash> {
    let unreadable =
        |error: std::io::Error| Error::Input { path: path.into(), problem: format!("cannot be read: {error}") };
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(File::open(path).map_err(unreadable)?).map_err(unreadable)?;
    Ok(hasher.finalize())
}
