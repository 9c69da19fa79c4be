//! Variables by the names that circulate.

use cupel_data::{Class, Dataset, Format, SPECTRA, Variable};

use crate::Result;

/// Names of variables that hold true endmembers.
pub(super) const TRUE_ENDMEMBERS: [&str; 5] = ["GT", "M", "E_GT", "E", "endmembers"];
/// Names of variables that hold true abundances.
pub(super) const TRUE_ABUNDANCES: [&str; 5] = ["S_GT", "A", "a_GT", "abundances", "label"];
/// Names of variables that hold the number of image rows, in small letters.
const ROWS: [&str; 9] = ["nrow", "nrows", "lines", "nlines", "rows", "height", "numrows", "imgrows", "h"];
/// Names of variables that hold the number of image columns, in small letters.
const COLUMNS: [&str; 10] =
    ["ncol", "ncols", "cols", "columns", "samples", "nsamples", "width", "numcols", "imgcols", "w"];
/// Names of variables that hold the materials' names.
pub(super) const MATERIALS: [&str; 4] = ["cood", "names", "materials", "labels"];

/// What a variable is called within its group or structure.
pub(super) fn base(name: &str) -> &str {
    name.rsplit(['/', '.']).next().unwrap_or(name)
}

/// The group or structure that a variable is in, with its separator.
fn prefix(name: &str) -> &str {
    &name[..name.len() - base(name).len()]
}

/// The variables of a file as seen from one of them: those beside it come first.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) dataset: &'a Dataset,
    beside: &'a str,
}

impl<'a> Names<'a> {
    /// As seen from the variable that holds the spectra.
    pub(super) fn beside(dataset: &'a Dataset, variable: &'a str) -> Self {
        Self { dataset, beside: prefix(variable) }
    }

    /// As seen from the spectra where they have one of their names, else from the top.
    pub(super) fn of(dataset: &'a Dataset) -> Self {
        let spectra = dataset.variables().iter().find(|v| SPECTRA.contains(&base(v.name())));
        Self { dataset, beside: spectra.map_or("", |variable| prefix(variable.name())) }
    }

    /// The first of these names that a variable has: beside the spectra, at the top, or alone in the file.
    pub(super) fn find(&self, names: &[&str]) -> Option<&'a Variable> {
        let variables = self.dataset.variables();
        let is_array = |v: &&Variable| !matches!(v.class(), Class::Struct);
        names.iter().find_map(|name| {
            let called = |full: &str| variables.iter().filter(is_array).find(|v| v.name() == full);
            called(&format!("{}{name}", self.beside)).or_else(|| called(name)).or_else(|| {
                // A letter or two may mean anything in another group.
                if name.len() <= 2 {
                    return None;
                }
                let mut elsewhere = variables.iter().filter(is_array).filter(|v| base(v.name()) == *name);
                elsewhere.next().filter(|_| elsewhere.next().is_none())
            })
        })
    }

    /// The image size that the file states.
    pub(super) fn image_size(&self) -> Result<Option<(usize, usize)>> {
        let number = |names: &[&str]| -> Result<Option<usize>> {
            let single = |v: &&Variable| v.shape().iter().product::<usize>() == 1;
            let plain = |v: &Variable| -> String {
                base(v.name()).chars().filter(|c| *c != '_').map(|c| c.to_ascii_lowercase()).collect()
            };
            // As they are called in the file, so that those beside the spectra come first.
            let called = |name: &&&str| -> Option<&'a Variable> {
                let mut own = self.dataset.variables().iter().filter(single).filter(|v| plain(v) == ***name);
                own.find_map(|v| self.find(&[base(v.name())]).filter(single))
            };
            let Some(variable) = names.iter().find_map(|name| called(&name)) else { return Ok(None) };
            let value = self.dataset.cube::<f64>(Some(variable.name()))?.values().first().copied();
            Ok(value.filter(|value| *value >= 1.0).map(|value| value as usize))
        };
        Ok(number(&ROWS)?.zip(number(&COLUMNS)?))
    }

    /// Whether the file has the names of HySUPP, whose matrices have their pixels row by row.
    pub(super) fn is_hysupp(&self) -> bool {
        ["H", "W", "Y"].iter().all(|name| self.find(&[name]).is_some())
    }
}

/// The array of a file that is meant where none has a known name.
pub(super) enum Unnamed<'a> {
    /// The only one that fits; without a name where the format has none.
    One(Option<&'a str>),
    /// More than one that fits.
    Several(Vec<&'a str>),
    /// None that fits.
    None,
}

/// The only array of a file whose shape fits. The largest is no better than others here: a wrong truth would be taken without a word.
pub(super) fn unnamed(dataset: &Dataset, fits: impl Fn(&[usize]) -> bool) -> Unnamed<'_> {
    match dataset.format() {
        Format::Npy | Format::Delimited | Format::Envi => return Unnamed::One(None),
        Format::Fits if dataset.fits_header(None).is_ok() => return Unnamed::One(None),
        _ => {}
    }
    let arrays = dataset.variables().iter().filter(|v| matches!(v.class(), Class::Number(_)));
    let fitting: Vec<&str> = arrays.filter(|v| fits(v.shape())).map(Variable::name).collect();
    match fitting.as_slice() {
        [] => Unnamed::None,
        &[one] => Unnamed::One(Some(one)),
        _ => Unnamed::Several(fitting),
    }
}

/// The array of a scene without a known name: the only one of a file that holds one, or one that is much the largest; nothing where several
/// could be meant.
pub(super) fn only_array(dataset: &Dataset) -> Option<Option<&str>> {
    match dataset.format() {
        Format::Npy | Format::Delimited | Format::Envi => return Some(None),
        // Of the tables beside a FITS image none is meant.
        Format::Fits => return dataset.fits_header(None).is_ok().then_some(None),
        _ => {}
    }
    let size = |v: &Variable| v.shape().iter().product::<usize>();
    let arrays = || dataset.variables().iter().filter(|v| matches!(v.class(), Class::Number(_)));
    let cubes: Vec<&Variable> =
        arrays().filter(|v| v.shape().len() == 3 && v.shape().iter().all(|&len| len > 1)).collect();
    let candidates: Vec<&Variable> = match (cubes.is_empty(), dataset.format()) {
        (false, _) => cubes,
        (true, Format::Tiff | Format::Hdf5) => arrays().collect(),
        // A matrix among named variables may be anything.
        (true, _) => Vec::new(),
    };
    let largest = candidates.iter().max_by_key(|v| size(v))?;
    // Much larger than every other one: the maps of a truth are smaller than the spectra by bands over materials.
    let others = candidates.iter().filter(|v| v.name() != largest.name()).map(|v| size(v)).max().unwrap_or(0);
    (size(largest) >= others.saturating_mul(4) && size(largest) > 0).then(|| Some(largest.name()))
}
