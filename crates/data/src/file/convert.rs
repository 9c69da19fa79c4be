//! [`convert`]: from any format that is read to any that is written.

use crate::{
    array::Array,
    axes::AxisKind,
    error::Result,
    file::{
        dataset::{Dataset, Format},
        fits::{FitsHeader, write_fits_array},
        open::open,
        target::Target,
        write::{write_csv, write_mat, write_npy, write_npz, write_png},
    },
    image::Image,
};
use std::path::Path;

/// Reads `input` and writes its arrays to `output`, in the format that the ending of `output` names: `npy`, `npz`, `mat`,
/// `png`, `tif`, `tiff`, `csv`, `tsv`, `fits`, or for ENVI `img`, `hdr`, `bip` (the bands of a pixel together), `bil` or `bsq`.
///
/// Without a variable, NPZ and MATLAB files take all arrays of the input, the other formats its only one. Letters that
/// MATLAB does not take in names become underscores. An ENVI image is two files, the numbers and `.hdr` beside them. ENVI and TIFF
/// take over what is known of the [`Image`]: its wavelengths, what its numbers stand for, its place on the map, and what else a
/// header says. A FITS file takes over unit, beam and world coordinates of another.
///
/// Returns what the format does not keep, a line.
///
/// # Errors
/// [`Error::Exists`](crate::Error::Exists) when there is an `output` and `force` is not given, [`Error::CannotHold`](crate::Error::CannotHold) when its ending is unknown or
/// the format cannot hold the array, and every error of reading and writing; `output` is then as it was.
pub fn convert(input: &Path, output: &Path, variable: Option<&str>, force: bool) -> Result<Option<String>> {
    let target = Target::of(output, force)?;
    let dataset = open(input)?;
    if matches!(target, Target::Envi { .. } | Target::Tiff) {
        let name = match variable {
            Some(name) => name.to_owned(),
            None => dataset.only_array_name()?,
        };
        let shape = dataset.variable(&name)?.shape();
        // A matrix is an image of one band here, whatever its sides are.
        let matrix = [AxisKind::Row, AxisKind::Column];
        let is_matrix = shape.len() == 2 && dataset.format() != Format::Envi;
        let axes = is_matrix.then_some(&matrix[..]);
        return Image::open(&dataset, Some(&name), axes)?.write(output, force);
    }
    match &target {
        Target::Npy => write_npy(output, &dataset.array(variable)?)?,
        Target::Png => write_png(output, &dataset.array(variable)?)?,
        Target::Fits => {
            let cards = dataset.fits_header(variable)?.map(FitsHeader::cards).transpose()?.unwrap_or_default();
            write_fits_array(output, &dataset.array(variable)?, &dataset.axes(variable)?, &cards)?;
        }
        Target::Delimited => write_csv(output, &[], &dataset.array(variable)?)?,
        target => {
            let arrays = read_all(&dataset, variable, target)?;
            let arrays: Vec<(&str, &Array)> = arrays.iter().map(|(name, array)| (name.as_str(), array)).collect();
            if *target == Target::Matlab { write_mat(output, &arrays)? } else { write_npz(output, &arrays)? }
        }
    }
    // What is no image says nothing that could be lost.
    let image = match variable {
        None if dataset.only_array_name().is_err() => return Ok(None),
        variable => Image::open(&dataset, variable, None),
    };
    Ok(image.ok().and_then(|image| image.info().lost_in(&target)))
}

fn read_all(dataset: &Dataset, variable: Option<&str>, target: &Target) -> Result<Vec<(String, Array)>> {
    let positions = dataset.array_positions();
    let names: Vec<&str> = match variable {
        Some(name) => vec![dataset.variable(name)?.name()],
        None => positions.iter().map(|&position| dataset.variables()[position].name()).collect(),
    };
    if names.is_empty() {
        // Says what there is instead.
        dataset.array(None)?;
    }
    names.into_iter().map(|name| Ok((target.variable_name(name), dataset.array(Some(name))?))).collect()
}
