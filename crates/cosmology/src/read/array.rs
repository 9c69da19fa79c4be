//! Arrays without coordinates: NPY, NPZ and whatever else [`cupel_data::open`] reads. What they mean is said in [`ReadConfig`], or by
//! arrays of usual names beside them.

use cupel_data::{Axes, Axis, AxisKind, Class, Complex, Cube, Dataset, Element, open};

use super::{Raw, ReadConfig, axis_with, fault, frequencies, has, named_axes, simulated, weights};
use crate::{Result, sky::frequency_axis};

/// Axes of a sky that names none.
const SKY: [AxisKind; 3] = [AxisKind::Frequency, AxisKind::Row, AxisKind::Column];
/// Axes of visibilities that name none; of three, the last one is left out.
const VISIBILITIES: [AxisKind; 4] = [AxisKind::Baseline, AxisKind::Frequency, AxisKind::Time, AxisKind::Polarisation];
/// Names of arrays with the vectors of the baselines in metres.
const BASELINES: [&str; 4] = ["baselines_m", "uvw_m", "baselines", "uvw"];
/// Names of arrays with the times in days.
const TIMES: [&str; 2] = ["times_jd", "times_d"];

pub(super) fn read_sky(file: &Dataset, config: &ReadConfig) -> Result<Raw<f32>> {
    let name = values_name(file, config)?;
    let cube = file.cube::<f32>(Some(&name))?;
    let kinds = named_axes(config, &SKY)?;
    let mut raw = named(file, &name, cube, &kinds)?;
    if let Some(info) = simulated::beside(file.path(), &raw.values.shape())? {
        raw.written_unit.get_or_insert(info.unit);
        // sides that the user gives count, as for a patch that was cut out
        raw.side_deg = config.side_deg.is_empty().then_some([info.side_deg; 2]);
    }
    finished(file, raw, config)
}

pub(super) fn read_visibilities(file: &Dataset, config: &ReadConfig) -> Result<Raw<Complex<f32>>> {
    let name = values_name(file, config)?;
    let rank = file.variable(&name)?.shape().len();
    let kinds = named_axes(config, &VISIBILITIES[..rank.clamp(3, 4)])?;
    let cut = kinds.iter().position(|kind| matches!(kind, AxisKind::RightAscension | AxisKind::Time));
    let cube = cut_cube::<Complex<f32>>(file, &name, cut.filter(|&axis| axis < rank), config)?;
    let mut raw = named(file, &name, cube, &kinds)?;
    let sibling = file.path().with_file_name("baselines_m.npy");
    if let Some(name) = BASELINES.into_iter().find(|name| has(file, name)) {
        raw.baselines_m = vectors(file, file.cube::<f64>(Some(name))?)?;
    } else if sibling.is_file() {
        let beside = open(&sibling)?;
        raw.baselines_m = vectors(&beside, beside.cube::<f64>(None)?)?;
    }
    if let (Some(name), Ok(times)) =
        (TIMES.into_iter().find(|name| has(file, name)), raw.values.axis(AxisKind::Time).cloned())
    {
        let coordinates = file.cube::<f64>(Some(name))?.into_values();
        raw.values = raw.values.with_axis(axis_with(times, Some(coordinates), "d"))?;
    }
    finished(file, raw, config)
}

/// An array of a file, or its first [`ReadConfig::ra_bins`] positions along an axis.
pub(super) fn cut_cube<T: Element>(
    file: &Dataset,
    name: &str,
    axis: Option<usize>,
    config: &ReadConfig,
) -> Result<Cube<T>> {
    let (Some(axis), Some(bins)) = (axis, config.ra_bins) else { return Ok(file.cube::<T>(Some(name))?) };
    let there = file.variable(name)?.shape().get(axis).copied().unwrap_or(0);
    if there < bins {
        let problem = format!("it has {there} bins in right ascension, {bins} are to be taken");
        return Err(fault(file.path(), problem, "take fewer with --ra-bins"));
    }
    if there == bins {
        return Ok(file.cube::<T>(Some(name))?);
    }
    let kind = file.axes(Some(name))?.kinds()[axis];
    match file.tiles::<T>(Some(name), kind, bins)?.next() {
        Some(piece) => Ok(piece?),
        None => Ok(file.cube::<T>(Some(name))?),
    }
}

/// Vectors of baselines `[baseline, 2 or 3]`, in metres.
pub(super) fn vectors(file: &Dataset, cube: Cube<f64>) -> Result<Vec<[f64; 3]>> {
    match cube.shape()[..] {
        [_, 3] => Ok(cube.values().as_chunks::<3>().0.to_vec()),
        [_, 2] => Ok(cube.values().as_chunks::<2>().0.iter().map(|&[x, y]| [x, y, 0.0]).collect()),
        ref other => {
            let problem = format!("the vectors of the baselines have shape {other:?}, expected [baselines, 2 or 3]");
            Err(fault(file.path(), problem, "write them as metres along two or three axes"))
        }
    }
}

/// The array with the values: the one that was named, or the only one that is not about another.
fn values_name(file: &Dataset, config: &ReadConfig) -> Result<String> {
    if let Some(name) = &config.variable {
        file.variable(name)?;
        return Ok(name.clone());
    }
    let about_another = |name: &str| {
        frequencies::is_name(name) || weights::is_name(name) || BASELINES.contains(&name) || TIMES.contains(&name)
    };
    let arrays: Vec<_> = file
        .variables()
        .iter()
        .filter(|variable| matches!(variable.class(), Class::Number(_) | Class::Sparse(_) | Class::Table))
        .collect();
    let own: Vec<_> = arrays.iter().filter(|variable| arrays.len() == 1 || !about_another(variable.name())).collect();
    match own[..] {
        [one] => Ok(one.name().to_owned()),
        [] => Err(fault(file.path(), "there is no array in it", "give a file with the values")),
        ref several => {
            let names: Vec<String> = several.iter().map(|variable| variable.to_string()).collect();
            let problem = format!("it holds {} arrays: {}", names.len(), names.join(", "));
            Err(fault(file.path(), problem, "name the one to read with --variable"))
        }
    }
}

/// The array under its axes.
fn named<T: Element>(file: &Dataset, name: &str, cube: Cube<T>, kinds: &[AxisKind]) -> Result<Raw<T>> {
    if cube.axes().rank() != kinds.len() {
        let names: Vec<String> = kinds.iter().map(ToString::to_string).collect();
        let problem = format!("{name:?} has shape {:?}, expected the axes {}", cube.shape(), names.join(", "));
        return Err(fault(file.path(), problem, "name its axes in their order with --axes"));
    }
    if cube.is_empty() {
        let problem = format!("{name:?} has shape {:?}, there are no values in it", cube.shape());
        return Err(fault(file.path(), problem, "give a file with values"));
    }
    let axes = cube.shape().into_iter().zip(kinds).map(|(len, &kind)| Axis::new(kind, len)).collect();
    let mut raw = Raw::new(file.path(), Cube::new(cube.into_values(), Axes::new(axes)?)?);
    let attributes = file.attributes(name)?;
    let unit = ["units", "unit", "BUNIT"].into_iter().find_map(|key| attributes.get(key)?.text());
    raw.written_unit = unit.map(str::to_owned);
    Ok(raw)
}

/// The same with what lies beside it.
fn finished<T: Element>(file: &Dataset, mut raw: Raw<T>, config: &ReadConfig) -> Result<Raw<T>> {
    let axis = raw.values.axis(AxisKind::Frequency)?.clone();
    if config.frequencies.is_none()
        && let Some(frequencies_mhz) = frequencies::beside(file, axis.len())?
    {
        let own = super::in_file(file.path(), frequency_axis(frequencies_mhz))?;
        raw.values = super::in_file(file.path(), raw.values.with_axis(own).map_err(Into::into))?;
    }
    let weights = weights::read(file, raw.values.axes(), config);
    raw.weights = super::in_file(file.path(), weights)?;
    Ok(raw)
}
