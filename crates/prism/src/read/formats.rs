//! The layouts of files: each is known by the names in it, and read by what its documentation says of them.

use std::path::Path;

use cupel_data::{Attribute, Class, Complex, Dataset, Format};

use crate::{
    DataKind, Error, Instrument, InstrumentKind, Plane, PositionUnit, Result, ZeroPlace,
    read::{
        contents::{Contents, Positions},
        positions,
        stack::Stack,
    },
};

/// Metres of the wavelength of one joule: Planck's constant times the velocity of light (CODATA 2018, exact).
const WAVELENGTH_OF_JOULE: f64 = 1.986_445_857_148_928_6e-25;
/// Joules of one electronvolt (CODATA 2018, exact).
const ELECTRONVOLT: f64 = 1.602_176_634e-19;
/// The most chunks of a PtyPy file.
const MOST_CHUNKS: usize = 1 << 16;

/// What is in a file.
pub(super) fn contents(dataset: Dataset, instrument: &Instrument) -> Result<Contents> {
    match dataset.format() {
        Format::Tiff => Ok(Contents::new("TIFF stack", InstrumentKind::Found, Stack::pages(dataset)?)),
        Format::Hdf5
            if has(&dataset, "entry_1/data_1/data") || has(&dataset, "entry_1/instrument_1/detector_1/data") =>
        {
            cxi(&dataset)
        }
        Format::Hdf5 if has(&dataset, "ptychogram") => ptylab(&dataset),
        Format::Hdf5 if has(&dataset, "chunks/0/data") => ptypy(&dataset),
        Format::Npz if has(&dataset, "data") && has(&dataset, "scan") => tike(&dataset),
        Format::Matlab | Format::Matlab73 => matlab(&dataset, instrument),
        Format::Npy | Format::Npz | Format::Hdf5 => array(&dataset, instrument),
        other => Err(Error::Exposures {
            path: dataset.path().into(),
            problem: format!("a file of {other} holds no exposures that are known"),
            fix: "give a .mat, .cxi, PtyLab or PtyPy HDF5, NPZ, NPY or TIFF".into(),
        }),
    }
}

/// Frames of an array of lights, as published with Zheng's code: `imlow_HDR`, `wlength`, `z`, `xint`, `yint`, `theta`.
fn matlab(dataset: &Dataset, instrument: &Instrument) -> Result<Contents> {
    let name = match &instrument.frames {
        Some(name) => name.clone(),
        None if has(dataset, "imlow_HDR") => "imlow_HDR".into(),
        None => only_stack(dataset)?,
    };
    let known = has(dataset, "imlow_HDR");
    let layout = if known { "LED-array .mat" } else { "MATLAB stack" };
    let mut own = Contents::new(
        layout,
        if known { InstrumentKind::LedArray } else { InstrumentKind::Found },
        Stack::of_last(dataset, &name)?,
    );
    if known {
        const MILLIMETRE: f64 = 1e-3;
        own.wavelength = number(dataset, "wlength")?;
        own.defocus = number(dataset, "z")?;
        own.rotation = number(dataset, "theta")?;
        let (x, y) = (number(dataset, "xint")?, number(dataset, "yint")?);
        if x.is_some() || y.is_some() {
            own.offset = Some([x.unwrap_or(0.0) * MILLIMETRE, y.unwrap_or(0.0) * MILLIMETRE]);
        }
    }
    Ok(own)
}

/// Coherent X-ray imaging (Maia, Nature Methods 9, 854 (2012); "The CXI file format", version 1.4).
///
/// A translation is that of the sample, `x, y, z` with `y` upwards; the probe moves the other way. Rows of the detector run down and columns
/// against `x` unless `basis_vectors` say otherwise.
fn cxi(dataset: &Dataset) -> Result<Contents> {
    let frames = first_of(dataset, &["entry_1/data_1/data", "entry_1/instrument_1/detector_1/data"]);
    let frames = frames.unwrap_or("entry_1/data_1/data");
    let detector = "entry_1/instrument_1/detector_1";
    let mut own = Contents::new(".cxi", InstrumentKind::Ptychography, Stack::of(dataset, frames)?);
    own.data = DataKind::Intensity;
    own.distance = number(dataset, &format!("{detector}/distance"))?;
    let name = format!("{detector}/basis_vectors");
    let mut basis = numbers(dataset, &name, 6)?;
    if let Some(v) = &mut basis
        && dataset.variable(&name)?.shape() == [2, 3]
    {
        *v = vec![v[0], v[3], v[1], v[4], v[2], v[5]]; // a vector a row becomes a vector a column
    }
    let pixel = number(dataset, &format!("{detector}/y_pixel_size"))?;
    own.detector_pixel = match (pixel, &basis) {
        (Some(pixel), _) => Some(pixel),
        (None, Some(vectors)) => Some(length([vectors[0], vectors[2], vectors[4]])),
        (None, None) => None,
    };
    own.wavelength = match number(dataset, "entry_1/instrument_1/source_1/wavelength")? {
        Some(wavelength) => Some(wavelength),
        None => number(dataset, "entry_1/instrument_1/source_1/energy")?.map(|joules| WAVELENGTH_OF_JOULE / joules),
    };
    let translations =
        ["entry_1/data_1/translation", "entry_1/sample_1/geometry_1/translation", &format!("{detector}/translation")]
            .map(str::to_owned);
    let names: Vec<&str> = translations.iter().map(String::as_str).collect();
    if let Some(name) = first_of(dataset, &names) {
        let vectors = table(dataset, name, 3)?;
        // Columns of the array: along a row's step, along a column's step.
        let (down, along) = match &basis {
            Some(v) => ([v[0], v[2], v[4]], [v[1], v[3], v[5]]),
            None => ([0.0, -1.0, 0.0], [-1.0, 0.0, 0.0]),
        };
        let onto = |vector: &[f64], axis: [f64; 3]| {
            -vector.iter().zip(axis).map(|(a, b)| a * b).sum::<f64>() / length(axis).max(f64::MIN_POSITIVE)
        };
        let places = vectors.chunks_exact(3).map(|vector| [onto(vector, down), onto(vector, along)]).collect();
        own.positions = Some(Positions { places, unit: PositionUnit::Metres });
    }
    if let Some(name) = first_of(dataset, &[&format!("{detector}/mask"), "entry_1/data_1/mask"]) {
        // A pixel is good where no bit is set, or only that of a shadow or of a signal.
        const HARMLESS: u64 = 0x0001_0000 | 0x0000_1000;
        let mask = dataset.cube::<u64>(Some(name))?;
        own.good = Some(mask.values().iter().map(|bits| bits & !HARMLESS == 0).collect());
    }
    own.dark = dark(dataset, &format!("{detector}/data_dark"))?;
    own.probe = probe(dataset, &["entry_1/source_1/probe", "entry_1/instrument_1/source_1/probe"])?;
    Ok(own)
}

/// PtyLab (Loetgering and others, Optics Express 31, 13763 (2023)): `ptychogram`, `encoder`, `dxd`, `zo`, `wavelength`; with `zled` an array
/// of lights.
fn ptylab(dataset: &Dataset) -> Result<Contents> {
    let lights = number(dataset, "zled")?;
    let kind = if lights.is_some() { InstrumentKind::LedArray } else { InstrumentKind::Ptychography };
    let mut own = Contents::new("PtyLab HDF5", kind, Stack::of(dataset, "ptychogram")?);
    own.data = DataKind::Intensity;
    own.distance = if lights.is_some() { lights } else { number(dataset, "zo")? };
    own.detector_pixel = number(dataset, "dxd")?;
    own.magnification = number(dataset, "magnification")?;
    own.na = number(dataset, "NA")?;
    own.wavelength = number(dataset, "wavelength")?;
    own.diameter = number(dataset, "entrancePupilDiameter")?;
    own.zero = ZeroPlace::Middle;
    if has(dataset, "encoder") {
        let places = pairs(dataset, "encoder")?;
        own.positions = Some(Positions { places, unit: PositionUnit::Metres });
    }
    own.dark = dark(dataset, "background")?;
    own.probe = probe(dataset, &["probe", "probeInit"])?;
    Ok(own)
}

/// PtyPy's own files of prepared data (Enders and Thibault, Proc. R. Soc. A 472, 20160640 (2016); documentation, "ptyd file format"):
/// `chunks/N/data`, `positions` in metres, `weights`; `meta/energy` in keV, `distance`, `psize` of the detector.
fn ptypy(dataset: &Dataset) -> Result<Contents> {
    let (mut stacks, mut places, mut good) = (Vec::new(), Vec::new(), None);
    for chunk in 0..MOST_CHUNKS {
        let part = |name: &str| format!("chunks/{chunk}/{name}");
        if !has(dataset, &part("data")) {
            break;
        }
        stacks.push(Stack::of(dataset, &part("data"))?);
        if has(dataset, &part("positions")) {
            places.extend(pairs(dataset, &part("positions"))?);
        }
        if good.is_none()
            && let Some(name) = first_of(dataset, &[&part("weights"), "info/mask", "meta/mask"])
        {
            let weights = dataset.cube::<f64>(Some(name))?.into_values();
            let pixels = stacks[0].rows * stacks[0].columns;
            good = (weights.len() >= pixels && pixels > 0)
                .then(|| weights[..pixels].iter().map(|weight| *weight > 0.0).collect());
        }
    }
    let mut own = Contents::new("PtyPy HDF5", InstrumentKind::Ptychography, Stack::chain(stacks, dataset.path())?);
    own.data = DataKind::Intensity;
    own.zero = ZeroPlace::Middle;
    own.good = good;
    let meta = |name: &str| -> Result<Option<f64>> {
        for group in ["meta", "info", "info/recipe"] {
            if let Some(number) = number(dataset, &format!("{group}/{name}"))? {
                return Ok(Some(number));
            }
        }
        Ok(None)
    };
    own.distance = meta("distance")?;
    own.detector_pixel = meta("psize")?;
    own.wavelength =
        meta("energy")?.map(|kiloelectronvolts| WAVELENGTH_OF_JOULE / (kiloelectronvolts * 1e3 * ELECTRONVOLT));
    if !places.is_empty() {
        own.positions = Some(Positions { places, unit: PositionUnit::Metres });
    }
    Ok(own)
}

/// `data`, `scan` in pixels and `probe`, as tike and its kin write them.
fn tike(dataset: &Dataset) -> Result<Contents> {
    let frames = Stack::of(dataset, "data")?;
    let mut own = Contents::new("NPZ of data, scan and probe", InstrumentKind::Ptychography, frames);
    let places = pairs(dataset, "scan")?;
    own.positions = Some(Positions { places, unit: PositionUnit::Found });
    own.probe = probe(dataset, &["probe"])?;
    for (name, place) in [
        ("wavelength", &mut own.wavelength),
        ("distance", &mut own.distance),
        ("detector_pixel_size", &mut own.detector_pixel),
    ] {
        *place = number(dataset, name)?;
    }
    Ok(own)
}

/// A stack with nothing said of it.
fn array(dataset: &Dataset, instrument: &Instrument) -> Result<Contents> {
    let name = match &instrument.frames {
        Some(name) => name.clone(),
        None => only_stack(dataset)?,
    };
    let mut own = Contents::new("stack of frames", InstrumentKind::Found, Stack::of(dataset, &name)?);
    if let Some(name) = first_of(dataset, &["positions", "scan"]) {
        own.positions = Some(positions::of_array(dataset, name)?);
    }
    Ok(own)
}

/// The one array of three axes.
fn only_stack(dataset: &Dataset) -> Result<String> {
    let is_stack = |v: &&cupel_data::Variable| matches!(v.class(), Class::Number(_)) && v.shape().len() == 3;
    let stacks: Vec<_> = dataset.variables().iter().filter(is_stack).collect();
    match stacks.as_slice() {
        [only] => Ok(only.name().to_owned()),
        several => {
            let have: Vec<String> = dataset.variables().iter().take(12).map(ToString::to_string).collect();
            Err(Error::Exposures {
                path: dataset.path().into(),
                problem: format!("{} arrays of three axes, among {}", several.len(), have.join(", ")),
                fix: "name the frames as `frames` in the instrument file".into(),
            })
        }
    }
}

fn has(dataset: &Dataset, name: &str) -> bool {
    dataset.variables().iter().any(|variable| variable.name() == name)
}

fn first_of<'a>(dataset: &Dataset, names: &[&'a str]) -> Option<&'a str> {
    names.iter().copied().find(|name| has(dataset, name))
}

fn length(vector: [f64; 3]) -> f64 {
    vector.iter().map(|value| value * value).sum::<f64>().sqrt()
}

/// One number, or the first of several equal ones; nothing where there is no such variable.
fn number(dataset: &Dataset, name: &str) -> Result<Option<f64>> {
    if !has(dataset, name) {
        let (group, own) = name.rsplit_once('/').unwrap_or(("", name));
        let attribute = dataset.attributes(group).ok().and_then(|mut attributes| attributes.remove(own));
        return Ok(attribute.as_ref().and_then(Attribute::number::<f64>));
    }
    if !matches!(dataset.variable(name)?.class(), Class::Number(_)) {
        return Ok(None);
    }
    let values = dataset.cube::<f64>(Some(name))?.into_values();
    match values.first() {
        Some(first) if first.is_finite() && values.iter().all(|value| value == first) => Ok(Some(*first)),
        _ => Err(Error::Exposures {
            path: dataset.path().into(),
            problem: format!("{name} is {:?}", &values[..values.len().min(4)]),
            fix: "one finite number is needed".into(),
        }),
    }
}

/// So many numbers; nothing where there is no such variable.
fn numbers(dataset: &Dataset, name: &str, count: usize) -> Result<Option<Vec<f64>>> {
    if !has(dataset, name) {
        return Ok(None);
    }
    let values = dataset.cube::<f64>(Some(name))?.into_values();
    if values.len() != count || values.iter().any(|value| !value.is_finite()) {
        return Err(Error::Exposures {
            path: dataset.path().into(),
            problem: format!("{name} has {} numbers", values.len()),
            fix: format!("{count} finite ones are needed"),
        });
    }
    Ok(Some(values))
}

/// A table of numbers with so many columns, row by row; leading axes of one are left out.
fn table(dataset: &Dataset, name: &str, columns: usize) -> Result<Vec<f64>> {
    let shape = dataset.variable(name)?.shape().to_vec();
    if shape.last() != Some(&columns) || shape.len() < 2 || shape[..shape.len() - 2].iter().any(|&len| len != 1) {
        return Err(Error::Exposures {
            path: dataset.path().into(),
            problem: format!("{name} has the shape {shape:?}"),
            fix: format!("positions are a table of {columns} columns, one row a frame"),
        });
    }
    let values = dataset.cube::<f64>(Some(name))?.into_values();
    match values.chunks_exact(columns).position(|row| row.iter().any(|value| !value.is_finite())) {
        None => Ok(values),
        Some(row) => Err(Error::Exposures {
            path: dataset.path().into(),
            problem: format!("position {row} in {name} is {:?}", &values[row * columns..(row + 1) * columns]),
            fix: "give finite numbers".into(),
        }),
    }
}

/// A table of rows and columns.
fn pairs(dataset: &Dataset, name: &str) -> Result<Vec<[f64; 2]>> {
    Ok(table(dataset, name, 2)?.chunks_exact(2).map(|place| [place[0], place[1]]).collect())
}

fn dark(dataset: &Dataset, name: &str) -> Result<Option<Vec<f32>>> {
    if !has(dataset, name) {
        return Ok(None);
    }
    let shape = dataset.variable(name)?.shape().to_vec();
    let values = dataset.cube::<f32>(Some(name))?.into_values();
    let &[.., rows, columns] = shape.as_slice() else { return Ok(None) };
    let pixels = rows * columns;
    if pixels == 0 {
        return Ok(None);
    }
    // The mean of several.
    let count = values.len() / pixels;
    let mean = |pixel: usize| (0..count).map(|frame| values[frame * pixels + pixel]).sum::<f32>() / count as f32;
    Ok(Some((0..pixels).map(mean).collect()))
}

/// Modes of a probe: the last two axes are rows and columns, all others modes.
fn probe(dataset: &Dataset, names: &[&str]) -> Result<Vec<Plane>> {
    let Some(name) = first_of(dataset, names) else { return Ok(Vec::new()) };
    let variable = dataset.variable(name)?;
    let shape = variable.shape().to_vec();
    let values: Vec<Complex<f64>> = match (variable.class(), shape.as_slice()) {
        (Class::Number(element), [.., _, _]) if element.name().starts_with("complex") || shape.last() != Some(&2) => {
            dataset.cube::<Complex<f64>>(Some(name))?.into_values()
        }
        _ => return Ok(Vec::new()),
    };
    let &[.., rows, columns] = shape.as_slice() else { return Ok(Vec::new()) };
    if rows == 0 || columns == 0 || values.iter().any(|value| !(value.re.is_finite() && value.im.is_finite())) {
        return Err(Error::Exposures {
            path: dataset.path().into(),
            problem: format!("the probe `{name}` of {shape:?} has values that are no numbers"),
            fix: "leave it out, and it is found from the frames".into(),
        });
    }
    values.chunks_exact(rows * columns).map(|mode| Plane::new(rows, columns, mode.to_vec())).collect()
}

/// The file of positions, where the instrument names one, or one of the same name with the ending `.csv`.
pub(super) fn positions_beside(path: &Path, instrument: &Instrument) -> Result<Option<Positions>> {
    match &instrument.positions {
        Some(own) => positions::read(own).map(Some),
        None => {
            let beside = path.with_extension("csv");
            if beside != path && beside.is_file() { positions::read(&beside).map(Some) } else { Ok(None) }
        }
    }
}
