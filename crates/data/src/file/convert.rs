//! [`convert`]: from any format that is read to any that is written.

use crate::{
    array::Array,
    error::{Error, Result},
    file::{
        dataset::Dataset,
        envi::{EnviHeader, interleave_of, write_envi_array},
        fits::{FitsHeader, write_fits_array},
        mat,
        open::open,
        write::{write_csv, write_mat, write_npy, write_npz, write_png, write_tiff},
    },
};
use std::path::Path;

/// The endings of the formats that are written.
const ENDINGS: [&str; 14] =
    ["npy", "npz", "mat", "png", "tif", "tiff", "csv", "tsv", "fits", "img", "hdr", "bsq", "bil", "bip"];

/// Reads `input` and writes its arrays to `output`, in the format that the ending of `output` names: `npy`, `npz`, `mat`,
/// `png`, `tif`, `tiff`, `csv`, `tsv`, `fits`, or for ENVI `img`, `hdr`, `bip` (the bands of a pixel together), `bil` or `bsq`.
///
/// Without a variable, NPZ and MATLAB files take all arrays of the input, the other formats its only one. Letters that
/// MATLAB does not take in names become underscores. An ENVI image is two files, the numbers and `.hdr` beside them; from
/// another ENVI image it takes over what its header says, from other formats the wavelengths, if a variable called
/// `wavelength` has as many numbers as the image has bands. A FITS file takes over unit, beam and world coordinates of another.
///
/// # Errors
/// [`Error::Exists`] when there is an `output` and `force` is not given, [`Error::CannotHold`] when its ending is unknown or
/// the format cannot hold the array, and every error of reading and writing; `output` is then as it was.
pub fn convert(input: &Path, output: &Path, variable: Option<&str>, force: bool) -> Result<()> {
    let ending = output.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let format = ending.as_deref().unwrap_or_default();
    if !ENDINGS.contains(&format) {
        return Err(Error::CannotHold {
            path: output.into(),
            format: "any format",
            problem: "its ending says none that is written".into(),
            fix: format!("end the name in .{}", ENDINGS.join(", .")),
        });
    }
    let interleave = interleave_of(format);
    let numbers = if format == "hdr" { output.with_extension("img") } else { output.to_path_buf() };
    let header = interleave.map(|_| output.with_extension("hdr"));
    for written in [Some(&numbers), header.as_ref()].into_iter().flatten() {
        // Of a link that leads nowhere too: it would be replaced.
        if !force && written.symlink_metadata().is_ok() {
            return Err(Error::Exists { path: written.into() });
        }
    }
    let dataset = open(input)?;
    if let Some(interleave) = interleave {
        let image = dataset.array(variable)?;
        let header = EnviHeader { interleave, ..header_of(&dataset, &image, variable)? };
        return write_envi_array(&numbers, &header, &image).map(drop);
    }
    match format {
        "npy" => write_npy(output, &dataset.array(variable)?),
        "png" => write_png(output, &dataset.array(variable)?),
        "tif" | "tiff" => write_tiff(output, &dataset.array(variable)?),
        "fits" => {
            let cards = dataset.fits_header(variable)?.map(FitsHeader::cards).transpose()?.unwrap_or_default();
            write_fits_array(output, &dataset.array(variable)?, &dataset.axes(variable)?, &cards)
        }
        "csv" | "tsv" => write_csv(output, &[], &dataset.array(variable)?),
        format => {
            let arrays = read_all(&dataset, variable, format == "mat")?;
            let arrays: Vec<(&str, &Array)> = arrays.iter().map(|(name, array)| (name.as_str(), array)).collect();
            if format == "mat" { write_mat(output, &arrays) } else { write_npz(output, &arrays) }
        }
    }
}

/// What is known of an image for the header of an ENVI file.
fn header_of(dataset: &Dataset, image: &Array, variable: Option<&str>) -> Result<EnviHeader> {
    if let Some(header) = dataset.envi_header()
        && variable.is_none_or(|name| dataset.variables().first().is_some_and(|first| first.name() == name))
    {
        return Ok(header.clone());
    }
    let bands = image.shape().get(2).copied().unwrap_or(1);
    let mut header = EnviHeader::new(1, 1, bands);
    let wavelengths = dataset.variables().iter().find(|variable| {
        variable.name() == "wavelength" && variable.shape().iter().product::<usize>() == bands && bands > 1
    });
    if let Some(wavelengths) = wavelengths {
        header.wavelengths_nm = dataset.cube::<f64>(Some(wavelengths.name()))?.into_values();
    }
    Ok(header)
}

fn read_all(dataset: &Dataset, variable: Option<&str>, for_matlab: bool) -> Result<Vec<(String, Array)>> {
    let positions = dataset.array_positions();
    let names: Vec<&str> = match variable {
        Some(name) => vec![dataset.variable(name)?.name()],
        None => positions.iter().map(|&position| dataset.variables()[position].name()).collect(),
    };
    if names.is_empty() {
        // Says what there is instead.
        dataset.array(None)?;
    }
    names
        .into_iter()
        .map(|name| {
            let target = if for_matlab { matlab_name(name) } else { name.to_string() };
            Ok((target, dataset.array(Some(name))?))
        })
        .collect()
}

fn matlab_name(name: &str) -> String {
    if mat::is_name(name) {
        return name.to_string();
    }
    let plain: String = name.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' }).collect();
    if plain.starts_with(|first: char| first.is_ascii_alphabetic()) { plain } else { format!("x{plain}") }
}
