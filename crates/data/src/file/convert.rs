//! [`convert`]: from any format that is read to any that is written.

use crate::{
    array::Array,
    error::{Error, Result},
    file::{
        dataset::Dataset,
        mat,
        open::open,
        write::{write_csv, write_mat, write_npy, write_npz, write_png},
    },
};
use std::path::Path;

/// Reads `input` and writes its arrays to `output`, in the format that the ending of `output` names: `npy`, `npz`, `mat`,
/// `png`, `csv` or `tsv`.
///
/// Without a variable, NPZ and MATLAB files take all arrays of the input, the other formats its only one. Letters that
/// MATLAB does not take in names become underscores.
///
/// # Errors
/// [`Error::Exists`] when there is an `output` and `force` is not given, [`Error::CannotHold`] when its ending is unknown or
/// the format cannot hold the array, and every error of reading and writing; `output` is then as it was.
pub fn convert(input: &Path, output: &Path, variable: Option<&str>, force: bool) -> Result<()> {
    let ending = output.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    let format = ending.as_deref().unwrap_or_default();
    if !["npy", "npz", "mat", "png", "csv", "tsv"].contains(&format) {
        return Err(Error::CannotHold {
            path: output.into(),
            format: "any format",
            problem: "its ending says none that is written".into(),
            fix: "end the name in .npy, .npz, .mat, .png, .csv or .tsv".into(),
        });
    }
    // Of a link that leads nowhere too: it would be replaced.
    if !force && output.symlink_metadata().is_ok() {
        return Err(Error::Exists { path: output.into() });
    }
    let dataset = open(input)?;
    match format {
        "npy" => write_npy(output, &dataset.array(variable)?),
        "png" => write_png(output, &dataset.array(variable)?),
        "csv" | "tsv" => write_csv(output, &[], &dataset.array(variable)?),
        format => {
            let arrays = read_all(&dataset, variable, format == "mat")?;
            let arrays: Vec<(&str, &Array)> = arrays.iter().map(|(name, array)| (name.as_str(), array)).collect();
            if format == "mat" { write_mat(output, &arrays) } else { write_npz(output, &arrays) }
        }
    }
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
