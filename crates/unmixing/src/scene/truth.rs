//! [`Truth`]: what is really in a scene, from its own file or from others.

use std::path::{Path, PathBuf};

use cupel_data::{Axes, Axis, AxisKind, Cube, Dataset, Variable};

use super::{
    PixelOrder, Usable,
    axes::order_of,
    library::{Bands, Library, Misfit},
    names::{Names, TRUE_ABUNDANCES, TRUE_ENDMEMBERS, Unnamed, unnamed},
    transposed,
};
use crate::{Abundances, Agreement, Endmembers, Error, Result};

/// True endmembers, abundances and names of materials.
#[derive(Clone, Debug, PartialEq)]
pub struct Truth {
    /// True spectra.
    pub endmembers: Endmembers,
    /// True abundances of the usable pixels, where they are known, in the order of the scene.
    pub abundances: Option<Abundances>,
    /// Names of the materials.
    pub names: Vec<String>,
}

/// The scene that a truth belongs to.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) usable: Usable,
    pub(super) bands: Bands,
    /// How matrices have their pixels, where the user says so.
    pub(super) order: Option<PixelOrder>,
}

impl Truth {
    /// Reads true endmembers and abundances of an image of `rows x columns` pixels from `paths`.
    ///
    /// # Errors
    /// Files that hold no truth, or one of another size.
    pub fn open(paths: &[PathBuf], rows: usize, columns: usize, bands: usize) -> Result<Self> {
        let bands = Bands::all(&Axis::new(AxisKind::Wavelength, bands));
        Ok(Self::read(paths, &Target { usable: Usable::all(rows, columns), bands, order: None })?.0)
    }

    /// The part of it that so few `estimated` endmembers can be compared with: the true ones that are nearest to them, in their order,
    /// without abundances, which are shares of all materials. All of it where as many were estimated.
    ///
    /// # Errors
    /// Bands that differ.
    pub(crate) fn nearest(&self, estimated: &Endmembers) -> Result<Self> {
        if estimated.count() >= self.endmembers.count() {
            return Ok(self.clone());
        }
        let mut chosen = Agreement::of(&self.endmembers, estimated)?.order;
        chosen.sort_unstable();
        let names = chosen.iter().map(|&k| self.names[k].clone()).collect();
        Ok(Self { endmembers: self.endmembers.reordered(&chosen), abundances: None, names })
    }

    /// The truth of an image for some of its bands.
    pub(crate) fn of_bands(paths: &[PathBuf], usable: Usable, bands: Bands) -> Result<(Self, Option<String>)> {
        Self::read(paths, &Target { usable, bands, order: None })
    }

    /// The truth in the file of a scene, and where it stands there; nothing where it has none.
    pub(super) fn within(dataset: &Dataset, target: &Target) -> Result<Option<(Self, Option<String>)>> {
        if Names::of(dataset).find(&TRUE_ENDMEMBERS).is_none() {
            return Ok(None);
        }
        let library = match Library::read(dataset, &target.bands)?.and_then(|library| library.at(&target.bands)) {
            Ok(library) => library,
            // Numbers of bands or of classes go by the same names, and are no spectra.
            Err(Misfit::None) => return Ok(None),
            Err(Misfit::Problem(problem)) => return Err(truth_error(dataset.path(), problem)),
        };
        // What has no name of a truth is the scene's, whatever its shape.
        let named = Names::of(dataset).find(&TRUE_ABUNDANCES).is_some();
        let maps = if named { true_abundances(dataset, target, library.spectra.count())? } else { None };
        let (abundances, maps) = maps.map_or((None, None), |(abundances, name)| (Some(abundances), name));
        let told = told(library.variable.as_deref(), maps.as_deref());
        Ok(Some((Self { endmembers: library.spectra, abundances, names: library.names }, told)))
    }

    /// The truth in files of its own, and which of their variables it is, where they have several.
    pub(super) fn read(paths: &[PathBuf], target: &Target) -> Result<(Self, Option<String>)> {
        let datasets = paths.iter().map(cupel_data::open).collect::<cupel_data::Result<Vec<_>>>()?;
        let anywhere = paths.first().map_or(Path::new("truth"), PathBuf::as_path);
        let (mut found, mut problem) = (None, None);
        let mut used = vec![false; datasets.len()];
        for (dataset, used) in datasets.iter().zip(&mut used) {
            match Library::read(dataset, &target.bands)?.and_then(|library| library.at(&target.bands)) {
                Ok(library) if found.is_none() => (found, *used) = (Some(library), true),
                Ok(_) | Err(Misfit::None) => {}
                Err(Misfit::Problem(other)) => problem = problem.or(Some((dataset.path(), other))),
            }
        }
        let library = match (found, problem) {
            (Some(library), _) => library,
            (None, Some((path, problem))) => return Err(truth_error(path, problem)),
            (None, None) => {
                let bands = target.bands.kept.len();
                let names = TRUE_ENDMEMBERS.join(", ");
                return Err(truth_error(anywhere, format!("no endmembers of {bands} bands (one of {names})")));
            }
        };
        let count = library.spectra.count();
        let mut maps = None;
        for (dataset, used) in datasets.iter().zip(&mut used) {
            if maps.is_none() {
                maps = true_abundances(dataset, target, count)?;
                *used |= maps.is_some();
            }
        }
        if let Some((dataset, _)) = datasets.iter().zip(&used).find(|(_, used)| !**used) {
            let (rows, columns) = (target.usable.rows(), target.usable.columns());
            let found: Vec<String> = dataset.variables().iter().map(ToString::to_string).collect();
            let problem = format!(
                "nothing in it is taken as truth: it holds {}; expected are {count} spectra, or abundances of {rows} x {columns} pixels and \
                 {count} materials",
                found.join(", ")
            );
            return Err(truth_error(dataset.path(), problem));
        }
        let (abundances, maps) = maps.map_or((None, None), |(abundances, name)| (Some(abundances), name));
        let told = told(library.variable.as_deref(), maps.as_deref());
        Ok((Self { endmembers: library.spectra, abundances, names: library.names }, told))
    }
}

/// Which variables the truth is, where the files have several.
fn told(endmembers: Option<&str>, abundances: Option<&str>) -> Option<String> {
    let of = |what: &str, name: Option<&str>| name.map(|name| format!("{what} from `{name}`"));
    let parts: Vec<String> =
        [of("endmembers", endmembers), of("abundances", abundances)].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| format!("truth: {}", parts.join(", ")))
}

/// The true abundances in a file with the name of their variable, where the file has several; nothing where it has none.
fn true_abundances(
    dataset: &Dataset,
    target: &Target,
    endmembers: usize,
) -> Result<Option<(Abundances, Option<String>)>> {
    let names = Names::of(dataset);
    let (rows, columns) = (target.usable.rows(), target.usable.columns());
    let pixels = rows * columns;
    let fits = |shape: &[usize]| {
        [
            [rows, columns, endmembers].as_slice(),
            &[endmembers, rows, columns],
            &[endmembers, pixels],
            &[pixels, endmembers],
        ]
        .contains(&shape)
    };
    let known = names.find(&TRUE_ABUNDANCES).map(Variable::name);
    let variable = match known.map_or_else(|| unnamed(dataset, fits), |name| Unnamed::One(Some(name))) {
        Unnamed::One(name) => name,
        Unnamed::None => return Ok(None),
        Unnamed::Several(names) => {
            let problem = format!("{} could be the abundances: call the right one A", names.join(" and "));
            return Err(truth_error(dataset.path(), problem));
        }
    };
    let (name, cube) = (known.unwrap_or_default(), dataset.cube::<f64>(variable)?);
    let order = target.order.unwrap_or_else(|| order_of(dataset, &names));
    let image = |cube: Cube<f64>, sides: [(AxisKind, usize); 3]| -> Result<Vec<f64>> {
        let axes = Axes::new(sides.map(|(kind, len)| Axis::new(kind, len)).to_vec())?;
        let cube = Cube::new(cube.into_values(), axes)?;
        Ok(cube.permuted(&[AxisKind::Row, AxisKind::Column, AxisKind::Endmember])?.into_values())
    };
    let (row, column, material) =
        ((AxisKind::Row, rows), (AxisKind::Column, columns), (AxisKind::Endmember, endmembers));
    let matrix = |cube| match order {
        PixelOrder::Row => image(cube, [material, row, column]),
        PixelOrder::Column => image(cube, [material, column, row]),
    };
    let values = match *cube.shape().as_slice() {
        [r, c, k] if (r, c, k) == (rows, columns, endmembers) => cube.into_values(),
        [k, r, c] if (r, c, k) == (rows, columns, endmembers) => image(cube, [material, row, column])?,
        [k, n] if (k, n) == (endmembers, pixels) => matrix(cube)?,
        [n, k] if (k, n) == (endmembers, pixels) => matrix(transposed(&cube)?)?,
        _ if name.is_empty() => return Ok(None),
        ref shape => {
            return Err(truth_error(
                dataset.path(),
                format!(
                    "{name} has shape {shape:?}, expected {rows} x {columns} x {endmembers}, {endmembers} x {rows} x {columns} or {endmembers} x {pixels}: \
                     the scene has {rows} x {columns} pixels and {endmembers} true endmembers"
                ),
            ));
        }
    };
    let values = target.usable.gathered(&values, endmembers);
    let abundances = Abundances::new(values, endmembers).map_err(|e| truth_error(dataset.path(), e.to_string()))?;
    let variable = variable.filter(|_| dataset.variables().len() > 1).map(str::to_owned);
    Ok(Some((abundances, variable)))
}

fn truth_error(path: &Path, problem: String) -> Error {
    Error::Truth { path: path.to_path_buf(), problem }
}
