//! Which axes of an array are rows, columns and bands, as far as its file says.

use super::{centre_names::base, centres::BandCentres};
use crate::{
    axes::AxisKind::{self, Column, Row, Wavelength},
    error::Result,
    file::{Attribute, Dataset, Format},
};

const IMAGE: [AxisKind; 3] = [Row, Column, Wavelength];
/// What the axes of a cube are called in messages.
pub(super) const PLACES: [&str; 3] = ["first", "second", "last"];

/// The kinds of the axes of a cube whose bands lie on this axis: rows come before columns.
fn with_bands(axis: usize) -> [AxisKind; 3] {
    let mut others = [Row, Column].into_iter();
    [0, 1, 2].map(|place| if place == axis { Wavelength } else { others.next().unwrap_or(Column) })
}

impl Dataset {
    /// The axes of an array of three axes in the order of the file, by its header, its format, the names of its dimensions or the number of
    /// these band centres, with the words for that; nothing where nobody says it.
    ///
    /// # Errors
    /// Attributes that cannot be read.
    pub fn image_axes(&self, name: &str, centres: &[BandCentres]) -> Result<Option<([AxisKind; 3], String)>> {
        let &[a, b, c] = self.variable(name)?.shape() else { return Ok(None) };
        let shape = [a, b, c];
        let own = self.axes(Some(name))?.kinds();
        if let [a, b, c] = own.as_slice()
            && IMAGE.iter().all(|kind| own.contains(kind))
        {
            return Ok(Some(([*a, *b, *c], "by its header".into())));
        }
        match self.format() {
            Format::Tiff | Format::Png | Format::Jpeg => {
                return Ok(Some((IMAGE, format!("as {} has them", self.format()))));
            }
            Format::Fits => {
                let spectral = own.iter().position(|kind| matches!(kind, Wavelength | AxisKind::Frequency));
                if let Some(axis) = spectral {
                    return Ok(Some((with_bands(axis), "by its CTYPE".to_owned())));
                }
            }
            _ => {}
        }
        if let Some(kinds) = self.dimensions(name, shape)? {
            return Ok(Some((kinds, "by the names of its dimensions".into())));
        }
        Ok(only_axis(shape, centres).map(|axis| (with_bands(axis), by_wavelengths(shape, axis))))
    }

    /// The axes that a cube has by custom where nobody says it, with the words for that: the bands slowest in FITS, else last.
    pub fn usual_image_axes(&self) -> ([AxisKind; 3], &'static str) {
        match self.format() {
            Format::Fits => (with_bands(0), "bands slowest by default, as in FITS; --axes changes it"),
            _ => (IMAGE, "bands on the last axis by default, since nothing says so; --axes changes it"),
        }
    }

    /// The axes by the names that HDF5 and NetCDF give to dimensions.
    fn dimensions(&self, name: &str, shape: [usize; 3]) -> Result<Option<[AxisKind; 3]>> {
        if self.format() != Format::Hdf5 {
            return Ok(None);
        }
        let attributes = self.attributes(name)?;
        let mut kinds: [Option<AxisKind>; 3] = [None; 3];
        let letters = |key: &str| key.chars().filter(char::is_ascii_alphabetic).collect::<String>().to_lowercase();
        // "Line, Sample, Wavelength"
        let labels = attributes
            .iter()
            .find(|(key, _)| ["dimensionlabels", "dimensions", "dims"].contains(&letters(key).as_str()));
        if let Some((_, Attribute::Texts(texts))) = labels {
            let names: Vec<&str> = texts.iter().flat_map(|text| text.split(',')).map(str::trim).collect();
            if names.len() == 3 {
                kinds.iter_mut().zip(names).for_each(|(kind, name)| *kind = AxisKind::called(name));
            }
        }
        let whole = |attribute: Option<&Attribute>| attribute.and_then(Attribute::numbers::<i64>).unwrap_or_default();
        // NetCDF: the numbers of its dimensions, each of which is a variable with that number.
        let numbers = whole(attributes.get("_Netcdf4Coordinates"));
        for variable in self.variables().iter().filter(|variable| variable.shape().len() == 1) {
            let Some(kind) = AxisKind::called(base(variable.name())) else { continue };
            let own = whole(self.attributes(variable.name())?.get("_Netcdf4Dimid"));
            let axis = match own.as_slice() {
                &[number] if numbers.len() == 3 => numbers.iter().position(|&other| other == number),
                // A scale of the only axis that is as long.
                _ => only(shape, variable.shape()[0]),
            };
            if let Some(axis) = axis {
                kinds[axis] = kinds[axis].or(Some(kind));
            }
        }
        // Between rows and columns there are bands, whatever they are called.
        if kinds.contains(&Some(Row)) && kinds.contains(&Some(Column)) {
            kinds.iter_mut().filter(|kind| kind.is_none()).for_each(|kind| *kind = Some(Wavelength));
        }
        let [Some(a), Some(b), Some(c)] = kinds else { return Ok(None) };
        Ok(Some([a, b, c]).filter(|found| IMAGE.iter().all(|kind| found.contains(kind))))
    }
}

/// The only axis of this length.
fn only(shape: [usize; 3], len: usize) -> Option<usize> {
    let mut axes = (0..3).filter(|&axis| shape[axis] == len);
    axes.next().filter(|_| axes.next().is_none())
}

/// The only axis that is as long as one of these lists.
fn only_axis(shape: [usize; 3], centres: &[BandCentres]) -> Option<usize> {
    centres.iter().find_map(|list| only(shape, list.nanometres.len()))
}

fn by_wavelengths(shape: [usize; 3], axis: usize) -> String {
    format!("bands on the {} axis, by its {} wavelengths", PLACES[axis], shape[axis])
}
