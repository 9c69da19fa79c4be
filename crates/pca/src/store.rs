//! Components as one `.npz`: what was fitted, along which axis, on which data.
//!
//! The arrays are those of the format that this one continues, so that NumPy shows them under the known names:
//! `fg_components` (channels, modes), `signal_components` (channels, channels - modes), `eigenvalues` (channels, descending),
//! `mean_per_freq` (channels), `N_FG`, `N_freq`. Beside them stand `coordinates` of the axis and `cupel`, the bytes of a JSON text
//! with the rest. With groups every name begins with `group_<number>_`, and `assignment` has the group of each position. A file of
//! the six plain arrays loads too; its channels are frequencies without coordinates until
//! [`with_axis`](crate::Components::with_axis) says more.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use cupel_data::{Array, Axis, AxisKind, Dataset, ElementType, Format, Values, open, write_npz};
use faer::MatRef;
use num_complex::Complex;
use serde::{Deserialize, Serialize};

use crate::{
    Basis, Components, Error, GroupedComponents, Grouping, Result, Solver, components::hexadecimal, eigen::Entry,
};

/// The version that is written, and the only one that is read.
const VERSION: u32 = 1;
/// The member that holds the header.
const HEADER: &str = "cupel";
/// Largest departure from orthonormal vectors: of f64, and of f32, in which PyTorch works.
const ORTHONORMAL: f64 = 1e-9;
const ORTHONORMAL_F32: f64 = 1e-4;
/// Eigenvalues of f32 may lie this far below zero, as a part of the largest.
const BELOW_ZERO: f64 = 1e-5;
/// Units of coordinates that an axis may have.
const UNITS: [&str; 13] = ["MHz", "GHz", "Hz", "nm", "um", "d", "s", "deg", "rad", "m", "K", "mK", ""];

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    version: u32,
    axis: String,
    axis_unit: Option<String>,
    /// [`Axis::fingerprint`] in hexadecimal digits.
    axis_hash: String,
    hermitian: bool,
    unit: Option<String>,
    data_hash: Option<String>,
    grouped_axis: Option<String>,
    parts: Vec<Part>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    samples: u64,
    rule: String,
    solver: String,
    total_variance: f64,
}

/// What a file holds: components for all, or for each group.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
#[allow(clippy::large_enum_variant, reason = "there is one of them at a time")]
pub enum Stored {
    /// One basis.
    Single(Components),
    /// One for each group of positions along an axis.
    Grouped(GroupedComponents),
}

impl Stored {
    /// Reads components from a `.npz`, or from the `components.npz` of a folder.
    ///
    /// # Errors
    /// [`Error::Torch`] for a file of PyTorch, with the lines that convert it; [`Error::Stored`] for arrays that are missing, have
    /// another shape, are not finite, not orthonormal or not in order, and for another version; what reading reports.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let path = if path.is_dir() { path.join("components.npz") } else { path.to_path_buf() };
        refuse_torch(&path)?;
        let dataset = open(&path)?;
        if dataset.format() != Format::Npz {
            let problem = format!("a {} file; components are saved as .npz", dataset.format());
            return Err(Error::Stored { path, problem });
        }
        let file = Reader { dataset, path };
        if file.dataset.variable(HEADER).is_ok() { file.versioned() } else { Ok(Self::Single(file.plain()?)) }
    }

    /// Writes them, replacing a file that is there as a whole.
    ///
    /// # Errors
    /// What writing reports.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        match self {
            Self::Single(components) => components.save(path),
            Self::Grouped(groups) => groups.save(path),
        }
    }
}

impl Components {
    /// Writes the components as one `.npz`, replacing a file that is there as a whole.
    ///
    /// # Errors
    /// What writing reports.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save(path.as_ref(), std::slice::from_ref(self), None)
    }

    /// Reads components from a `.npz`, or from the `components.npz` of a folder.
    ///
    /// # Errors
    /// As [`Stored::load`], and for a file of groups.
    #[doc(alias = "load_pca_components")]
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        match Stored::load(path)? {
            Stored::Single(components) => Ok(components),
            Stored::Grouped(groups) => {
                let (count, kind) = (groups.groups().len(), groups.grouping().kind());
                let problem = format!("{count} groups along the {kind} axis, where one basis is expected");
                Err(Error::Stored { path: path.into(), problem })
            }
        }
    }
}

impl GroupedComponents {
    /// Writes the components of all groups as one `.npz`.
    ///
    /// # Errors
    /// What writing reports.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        save(path.as_ref(), self.groups(), Some(self.grouping()))
    }

    /// Reads components of groups from a `.npz`, or from the `components.npz` of a folder.
    ///
    /// # Errors
    /// As [`Stored::load`], and for a file of one basis.
    pub fn load(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        match Stored::load(path)? {
            Stored::Grouped(groups) => Ok(groups),
            Stored::Single(_) => {
                Err(Error::Stored { path: path.into(), problem: "one basis, where groups are expected".into() })
            }
        }
    }
}

fn save(path: &Path, parts: &[Components], grouping: Option<&Grouping>) -> Result<()> {
    let first = &parts[0];
    let header = Header {
        version: VERSION,
        axis: first.axis.kind().to_string(),
        axis_unit: first.axis.unit().map(str::to_string),
        axis_hash: hexadecimal(&first.axis.fingerprint()),
        hermitian: first.basis.is_hermitian(),
        unit: first.unit.clone(),
        data_hash: first.data_hash.clone(),
        grouped_axis: grouping.map(|grouping| grouping.kind().to_string()),
        parts: parts
            .iter()
            .map(|part| Part {
                samples: part.samples,
                rule: part.rule.clone(),
                solver: part.solver.to_string(),
                total_variance: part.total_variance,
            })
            .collect(),
    };
    let text = serde_json::to_vec(&header)
        .map_err(|error| Error::Stored { path: path.into(), problem: format!("cannot be written: {error}") })?;
    let mut arrays = vec![(HEADER.to_string(), Array::new(vec![text.len()], Values::U8(text))?)];
    if let Some(coordinates) = first.axis.coordinates() {
        let coordinates = Array::new(vec![coordinates.len()], Values::F64(coordinates.to_vec()))?;
        arrays.push(("coordinates".into(), coordinates));
    }
    if let Some(grouping) = grouping {
        let groups: Vec<i64> = grouping.assignment().iter().map(|&group| group as i64).collect();
        arrays.push(("assignment".into(), Array::new(vec![groups.len()], Values::I64(groups))?));
    }
    for (number, part) in parts.iter().enumerate() {
        let named = |name: &str| prefixed(grouping.map(|_| number), name);
        let (channels, whole) = (part.channels(), |number: usize| Array::new(vec![], Values::I64(vec![number as i64])));
        let mean = match part.basis.is_hermitian() {
            true => Values::Complex128(part.complex_mean()),
            false => Values::F64(part.mean.clone()),
        };
        arrays.extend([
            (named("fg_components"), columns(&part.basis, channels)?),
            (named("signal_components"), columns(&part.complement, channels)?),
            (named("eigenvalues"), Array::new(vec![part.eigenvalues.len()], Values::F64(part.eigenvalues.clone()))?),
            (named("mean_per_freq"), Array::new(vec![channels], mean)?),
            (named("N_FG"), whole(part.count())?),
            (named("N_freq"), whole(channels)?),
        ]);
    }
    let arrays: Vec<(&str, &Array)> = arrays.iter().map(|(name, array)| (name.as_str(), array)).collect();
    Ok(write_npz(path, &arrays)?)
}

fn prefixed(group: Option<usize>, name: &str) -> String {
    group.map_or_else(|| name.to_string(), |group| format!("group_{group}_{name}"))
}

/// The vectors as columns of a matrix.
fn columns(basis: &Basis, channels: usize) -> Result<Array> {
    let turned = |at: usize| (at / basis.len(), at % basis.len());
    let count = channels * basis.len();
    let values = match basis {
        Basis::Real(vectors) => Values::F64((0..count).map(turned).map(|(row, column)| vectors[column][row]).collect()),
        Basis::Hermitian(vectors) => {
            Values::Complex128((0..count).map(turned).map(|(row, column)| vectors[column][row]).collect())
        }
    };
    Ok(Array::new(vec![channels, basis.len()], values)?)
}

/// PyTorch writes pickles, bare or in a ZIP archive whose first member is `<name>/data.pkl`.
fn refuse_torch(path: &Path) -> Result<()> {
    let mut head = Vec::new();
    if let Ok(file) = File::open(path)
        && path.is_file()
    {
        file.take(4096)
            .read_to_end(&mut head)
            .map_err(|error| Error::Stored { path: path.into(), problem: format!("cannot be read: {error}") })?;
    }
    let pickle = head.len() > 2 && head[0] == 0x80 && (2..=5).contains(&head[1]);
    let archive = head.starts_with(b"PK") && head.windows(8).any(|bytes| bytes == b"data.pkl");
    if pickle || archive { Err(Error::Torch { path: path.into() }) } else { Ok(()) }
}

/// An archive whose arrays are read by name.
struct Reader {
    dataset: Dataset,
    path: PathBuf,
}

impl Reader {
    fn wrong(&self, problem: impl Into<String>) -> Error {
        Error::Stored { path: self.path.clone(), problem: problem.into() }
    }

    fn versioned(&self) -> Result<Stored> {
        let text = self.dataset.cube::<u8>(Some(HEADER))?;
        // what another version wrote need not have the fields of this one
        let value: serde_json::Value = serde_json::from_slice(text.values())
            .map_err(|error| self.wrong(format!("`{HEADER}` is no JSON text: {error}")))?;
        if value["version"] != VERSION {
            return Err(self.wrong(format!("version {}, this program reads {VERSION}", value["version"])));
        }
        let header: Header =
            serde_json::from_value(value).map_err(|error| self.wrong(format!("`{HEADER}` is damaged: {error}")))?;
        let grouping = match &header.grouped_axis {
            None => None,
            Some(kind) => {
                let assignment = self.dataset.cube::<u32>(Some("assignment"))?;
                let assignment = assignment.values().iter().map(|&group| group as usize).collect();
                Some(Grouping::new(kind.parse()?, assignment)?)
            }
        };
        if header.parts.len() != grouping.as_ref().map_or(1, Grouping::count) {
            return Err(self.wrong(format!("`{HEADER}` describes {} components", header.parts.len())));
        }
        let mut groups = Vec::with_capacity(header.parts.len());
        for (number, part) in header.parts.iter().enumerate() {
            let group = grouping.as_ref().map(|_| number);
            let solver = Solver::named(&part.solver)
                .ok_or_else(|| self.wrong(format!("`{}` is no solver of this program", part.solver)))?;
            let channels = self.channels(group)?;
            let axis = self.axis(&header, channels)?;
            groups.push(self.part(group, axis, solver, Some(&header))?);
            let read = &mut groups[number];
            if !(part.total_variance.is_finite() && part.total_variance >= 0.0) {
                return Err(self.wrong(format!("the total variance is {}", part.total_variance)));
            }
            (read.samples, read.total_variance, read.rule) = (part.samples, part.total_variance, part.rule.clone());
            (read.unit, read.data_hash) = (header.unit.clone(), header.data_hash.clone());
        }
        match grouping {
            Some(grouping) => Ok(Stored::Grouped(GroupedComponents::new(grouping, groups)?)),
            None => groups.pop().map(Stored::Single).ok_or_else(|| self.wrong("it is empty")),
        }
    }

    /// The six arrays alone, as NumPy or a conversion from PyTorch writes them.
    fn plain(&self) -> Result<Components> {
        let axis = Axis::new(AxisKind::Frequency, self.channels(None)?);
        self.part(None, axis, Solver::Eigen, None)
    }

    fn channels(&self, group: Option<usize>) -> Result<usize> {
        self.whole(&prefixed(group, "N_freq"))
    }

    fn axis(&self, header: &Header, channels: usize) -> Result<Axis> {
        let mut axis = Axis::new(header.axis.parse()?, channels);
        if let Some(unit) = &header.axis_unit {
            let known = UNITS.into_iter().find(|known| known == unit);
            let unit = known.ok_or_else(|| self.wrong(format!("`{unit}` is no unit of an axis")))?;
            axis = axis.with_coordinates(self.dataset.cube::<f64>(Some("coordinates"))?.into_values(), unit)?;
        }
        if hexadecimal(&axis.fingerprint()) != header.axis_hash {
            return Err(self.wrong("the coordinates are not those that the components were fitted along"));
        }
        Ok(axis)
    }

    /// A number in an array without axes, or of one position.
    fn whole(&self, name: &str) -> Result<usize> {
        let cube = self.dataset.cube::<u32>(Some(name))?;
        match cube.values() {
            [number] => Ok(*number as usize),
            values => Err(self.wrong(format!("`{name}` holds {} numbers, expected one", values.len()))),
        }
    }

    fn array(&self, name: &str, shape: &[usize]) -> Result<Array> {
        let array = self.dataset.array(Some(name))?;
        if array.shape() != shape {
            return Err(self.wrong(format!("`{name}` has shape {:?}, expected {shape:?}", array.shape())));
        }
        Ok(array)
    }

    fn part(&self, group: Option<usize>, axis: Axis, solver: Solver, header: Option<&Header>) -> Result<Components> {
        let named = |name: &str| prefixed(group, name);
        let (channels, count) = (axis.len(), self.whole(&named("N_FG"))?);
        if count > channels || channels == 0 {
            return Err(self.wrong(format!("N_FG {count} of N_freq {channels}")));
        }
        let leading = solver == Solver::Randomized;
        let rest = if leading { 0 } else { channels - count };
        let foreground = self.array(&named("fg_components"), &[channels, count])?;
        let signal = self.array(&named("signal_components"), &[channels, rest])?;
        let eigenvalues = self.array(&named("eigenvalues"), &[count + rest])?.into_cube::<f64>()?;
        let mean = self.array(&named("mean_per_freq"), &[channels])?;
        let element = foreground.element_type();
        let hermitian = matches!(element, ElementType::Complex64 | ElementType::Complex128);
        if header.is_some_and(|header| header.hermitian != hermitian) {
            return Err(self.wrong(format!("`fg_components` are {element}, which `{HEADER}` says otherwise")));
        }
        let single = matches!(element, ElementType::F32 | ElementType::Complex64);
        let eigenvalues = self.checked_eigenvalues(eigenvalues.values(), single)?;
        let (basis, complement) = if hermitian {
            self.vectors::<Complex<f64>>(&[foreground, signal], single, Basis::Hermitian)?.split(count)
        } else {
            self.vectors::<f64>(&[foreground, signal], single, Basis::Real)?.split(count)
        };
        let mean = mean.into_cube::<Complex<f64>>()?;
        if let Some(at) = mean.values().iter().position(|mean| !mean.is_finite()) {
            return Err(self.wrong(format!("the mean of channel {at} is not finite")));
        }
        let imaginary = |mean: &Complex<f64>| mean.im;
        if !hermitian && mean.values().iter().any(|mean| mean.im != 0.0) {
            return Err(self.wrong("a complex mean beside a real basis"));
        }
        Ok(Components {
            mean: mean.values().iter().map(|mean| mean.re).collect(),
            mean_imaginary: if hermitian { mean.values().iter().map(imaginary).collect() } else { Vec::new() },
            basis,
            complement,
            total_variance: eigenvalues.iter().sum(),
            eigenvalues,
            axis,
            samples: 0,
            rule: "count".into(),
            solver,
            unit: None,
            data_hash: None,
        })
    }

    fn checked_eigenvalues(&self, values: &[f64], single: bool) -> Result<Vec<f64>> {
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(self.wrong(format!("eigenvalue {at} is not finite")));
        }
        if let Some(at) = values.windows(2).position(|pair| pair[0] < pair[1]) {
            return Err(self.wrong(format!("eigenvalue {} is larger than the one before; they must descend", at + 1)));
        }
        let lowest = if single { -BELOW_ZERO * values.first().copied().unwrap_or(0.0).abs() } else { 0.0 };
        if let Some(at) = values.iter().position(|&value| value < lowest) {
            return Err(self.wrong(format!("eigenvalue {at} is {}, a variance below 0", values[at])));
        }
        Ok(values.iter().map(|value| value.max(0.0)).collect())
    }

    /// The columns of both matrices, checked; those that were stored in f32 are made orthonormal in f64.
    fn vectors<T: Entry + cupel_data::Element>(
        &self,
        matrices: &[Array],
        single: bool,
        basis: fn(Vec<Vec<T>>) -> Basis,
    ) -> Result<Basis> {
        let mut vectors: Vec<Vec<T>> = Vec::new();
        for matrix in matrices {
            let (rows, columns) = (matrix.shape()[0], matrix.shape()[1]);
            let cube = matrix.clone().into_cube::<T>()?;
            let values = cube.values();
            vectors.extend((0..columns).map(|column| (0..rows).map(|row| values[row * columns + column]).collect()));
        }
        if let Some(at) = vectors.iter().position(|vector| vector.iter().any(|entry| !entry.modulus().is_finite())) {
            return Err(self.wrong(format!("component {at} is not finite")));
        }
        let tolerance = if single { ORTHONORMAL_F32 } else { ORTHONORMAL };
        let (channels, count) = (matrices[0].shape()[0], vectors.len());
        let flat: Vec<T> = vectors.iter().flatten().copied().collect();
        let matrix = MatRef::from_column_major_slice(&flat, channels, count);
        let products = matrix.adjoint() * matrix;
        for (row, column) in (0..count * count).map(|at| (at / count, at % count)) {
            let expected = T::of([f64::from(u8::from(row == column)), 0.0]);
            let distance = (products[(row, column)] - expected).modulus();
            if distance > tolerance {
                let what = format!("components {row} and {column} are not orthonormal: off by {distance:.1e}");
                return Err(self.wrong(what));
            }
        }
        if single {
            orthonormalise(&mut vectors);
        }
        Ok(basis(vectors))
    }
}

/// Gram and Schmidt, from the first vector on, which keeps its direction.
fn orthonormalise<T: Entry>(vectors: &mut [Vec<T>]) {
    for index in 0..vectors.len() {
        let (before, from) = vectors.split_at_mut(index);
        let vector = &mut from[0];
        for other in before.iter() {
            let zero = T::of([0.0; 2]);
            let along = other.iter().zip(vector.iter()).fold(zero, |sum, (&o, &v)| sum + o.conjugate() * v);
            vector.iter_mut().zip(other).for_each(|(v, &o)| *v -= along * o);
        }
        let norm = vector.iter().map(|v| v.modulus() * v.modulus()).sum::<f64>().sqrt();
        vector.iter_mut().for_each(|v| *v *= T::of([norm.recip(), 0.0]));
    }
}
