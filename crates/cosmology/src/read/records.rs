//! HDF5 with `/vis` `[baseline, frequency, right ascension]` and what its axes are in `/index_map`.
//!
//! `/index_map/baselines` are vectors in metres, as an array `[baselines, 2 or 3]` or as records of two or three numbers; `/index_map/freq`
//! are frequencies in MHz or Hz, as an array or as records whose field `centre` (or the first one) they are; `/index_map/ra` are angles in
//! degrees.

use cupel_data::{Axes, Axis, AxisKind, Class, Complex, Cube, Dataset, Format};

use super::{Raw, ReadConfig, array, axis_with, fault, frequencies, has, in_file, named_axes, weights};
use crate::{Result, sky::frequency_axis};

/// The visibilities.
const VALUES: &str = "vis";
/// What is known of the axes.
const INDEX: &str = "index_map";
const AXES: [AxisKind; 3] = [AxisKind::Baseline, AxisKind::Frequency, AxisKind::RightAscension];

pub(super) fn recognises(file: &Dataset, config: &ReadConfig) -> bool {
    file.format() == Format::Hdf5 && has(file, VALUES) && config.variable.as_deref().is_none_or(|name| name == VALUES)
}

pub(super) fn read(file: &Dataset, config: &ReadConfig) -> Result<Raw<Complex<f32>>> {
    let kinds = named_axes(config, &AXES)?;
    let shape = file.variable(VALUES)?.shape().to_vec();
    if shape.len() != kinds.len() || shape.contains(&0) {
        let problem = format!("/{VALUES} has shape {shape:?}, expected [baseline, frequency, right ascension]");
        return Err(fault(file.path(), problem, "name its axes in their order with --axes"));
    }
    let cut = kinds.iter().position(|kind| matches!(kind, AxisKind::RightAscension | AxisKind::Time));
    let cube = array::cut_cube::<Complex<f32>>(file, VALUES, cut, config)?;
    let mut axes = Vec::with_capacity(kinds.len());
    for (&kind, len) in kinds.iter().zip(cube.shape()) {
        axes.push(in_file(file.path(), axis(file, kind, len, config))?);
    }
    let mut raw = Raw::new(file.path(), Cube::new(cube.into_values(), Axes::new(axes)?)?);
    raw.baselines_m = baselines(file)?;
    let baselines = raw.values.axis(AxisKind::Baseline)?.len();
    if !raw.baselines_m.is_empty() && raw.baselines_m.len() != baselines {
        let problem =
            format!("/{INDEX}/baselines names {} baselines, /{VALUES} has {baselines}", raw.baselines_m.len());
        return Err(fault(
            file.path(),
            problem,
            "the file is damaged, or its axes are in another order: name them with --axes",
        ));
    }
    let attributes = file.attributes(VALUES)?;
    raw.written_unit = ["units", "unit"].into_iter().find_map(|key| attributes.get(key)?.text()).map(str::to_owned);
    raw.weights = in_file(file.path(), own_weights(file, &raw, cut, config))?;
    Ok(raw)
}

fn axis(file: &Dataset, kind: AxisKind, len: usize, config: &ReadConfig) -> Result<Axis> {
    let axis = Axis::new(kind, len);
    match kind {
        AxisKind::Frequency if config.frequencies.is_none() => {
            let Some(values) = numbers(file, "freq", "centre")? else { return Ok(axis) };
            if values.len() != len {
                let problem = format!("/{INDEX}/freq has {} frequencies, /{VALUES} {len} channels", values.len());
                return Err(fault(
                    file.path(),
                    problem,
                    "the file is damaged, or its axes are in another order: name them with --axes",
                ));
            }
            frequency_axis(frequencies::in_mhz(values))
        }
        AxisKind::RightAscension => {
            let angles = numbers(file, "ra", "centre")?.map(|mut angles| {
                // of the bins that are taken
                angles.truncate(len);
                angles
            });
            Ok(axis_with(axis, angles, "deg"))
        }
        _ => Ok(axis),
    }
}

/// The numbers of an index, or of the field of its records with this name, or else of the first one.
fn numbers(file: &Dataset, index: &str, field: &str) -> Result<Option<Vec<f64>>> {
    let name = format!("{INDEX}/{index}");
    let is_number =
        |name: &str| file.variables().iter().any(|own| own.name() == name && matches!(own.class(), Class::Number(_)));
    let fields = fields(file, &name);
    let named = format!("{name}.{field}");
    let found = if is_number(&name) {
        name
    } else if is_number(&named) {
        named
    } else if let Some(first) = fields.first() {
        first.clone()
    } else {
        return Ok(None);
    };
    Ok(Some(file.cube::<f64>(Some(&found))?.into_values()))
}

/// The fields of records that are numbers.
fn fields(file: &Dataset, name: &str) -> Vec<String> {
    let prefix = format!("{name}.");
    let own = |variable: &&cupel_data::Variable| {
        variable.name().starts_with(&prefix) && matches!(variable.class(), Class::Number(_))
    };
    file.variables().iter().filter(own).map(|variable| variable.name().to_owned()).collect()
}

fn baselines(file: &Dataset) -> Result<Vec<[f64; 3]>> {
    let name = format!("{INDEX}/baselines");
    if !has(file, &name) {
        return Ok(Vec::new());
    }
    let fields = fields(file, &name);
    if fields.is_empty() {
        return array::vectors(file, file.cube::<f64>(Some(&name))?);
    }
    if !(2..=3).contains(&fields.len()) {
        let problem = format!("/{name} are records of {} numbers, expected the two or three of a vector", fields.len());
        return Err(fault(file.path(), problem, "write them as metres along two or three axes"));
    }
    let columns = fields
        .iter()
        .map(|field| Ok(file.cube::<f64>(Some(field))?.into_values()))
        .collect::<Result<Vec<Vec<f64>>>>()?;
    let rows = columns.iter().map(Vec::len).min().unwrap_or(0);
    Ok((0..rows).map(|row| std::array::from_fn(|axis| columns.get(axis).map_or(0.0, |column| column[row]))).collect())
}

/// Weights and flags of the file, cut like the values.
fn own_weights(
    file: &Dataset,
    raw: &Raw<Complex<f32>>,
    cut: Option<usize>,
    config: &ReadConfig,
) -> Result<Option<Cube<f32>>> {
    let axes = raw.values.axes();
    let mut product = weights::given(axes, config)?;
    for (name, what) in weights::names() {
        if has(file, name) {
            let expected = file.variable(VALUES)?.shape();
            let got = file.variable(name)?.shape();
            if got != expected {
                let (expected, got) = (expected.to_vec(), got.to_vec());
                return Err(crate::Error::WeightShape { what, expected, got });
            }
            let own = array::cut_cube::<f32>(file, name, cut, config)?;
            product = weights::multiplied(product, weights::fitted(own, axes, what)?)?;
        }
    }
    Ok(product)
}
