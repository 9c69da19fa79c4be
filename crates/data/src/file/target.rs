//! [`Target`]: what is written, by the ending of its name.

use crate::{
    element::ElementType,
    error::{Error, Result},
    file::{envi::Interleave, envi::interleave_of, mat, tiff},
};
use std::path::{Path, PathBuf};

/// The endings of the formats that are written.
const ENDINGS: [&str; 14] =
    ["npy", "npz", "mat", "png", "tif", "tiff", "csv", "tsv", "fits", "img", "hdr", "bsq", "bil", "bip"];

/// A format to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Npy,
    Npz,
    Matlab,
    Png,
    Tiff,
    /// With commas or tabs.
    Delimited,
    Fits,
    /// With the file of the numbers.
    Envi {
        numbers: PathBuf,
        interleave: Interleave,
    },
}

impl Target {
    /// What the ending of a name asks for.
    ///
    /// # Errors
    /// [`Error::CannotHold`] for an ending that is none; [`Error::Exists`] where something is there already and `force` is not given.
    pub(crate) fn of(output: &Path, force: bool) -> Result<Self> {
        let ending = output.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        let ending = ending.as_deref().unwrap_or_default();
        let numbers = if ending == "hdr" { output.with_extension("img") } else { output.to_path_buf() };
        let target = match ending {
            "npy" => Self::Npy,
            "npz" => Self::Npz,
            "mat" => Self::Matlab,
            "png" => Self::Png,
            "tif" | "tiff" => Self::Tiff,
            "csv" | "tsv" => Self::Delimited,
            "fits" => Self::Fits,
            _ => match interleave_of(ending) {
                Some(interleave) => Self::Envi { numbers, interleave },
                None => {
                    return Err(Error::CannotHold {
                        path: output.into(),
                        format: "any format",
                        problem: "its ending says none that is written".into(),
                        fix: format!("end the name in .{}", ENDINGS.join(", .")),
                    });
                }
            },
        };
        for written in target.files(output) {
            // Of a link that leads nowhere too: it would be replaced.
            if !force && written.symlink_metadata().is_ok() {
                return Err(Error::Exists { path: written });
            }
        }
        Ok(target)
    }

    /// The files that it is made of.
    pub(crate) fn files(&self, output: &Path) -> Vec<PathBuf> {
        match self {
            Self::Envi { numbers, .. } => vec![numbers.clone(), output.with_extension("hdr")],
            _ => vec![output.to_path_buf()],
        }
    }

    /// The name in messages.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Npy => "NPY",
            Self::Npz => "NPZ",
            Self::Matlab => "MATLAB",
            Self::Png => "PNG",
            Self::Tiff => "TIFF",
            Self::Delimited => "CSV/TSV",
            Self::Fits => "FITS",
            Self::Envi { .. } => "ENVI",
        }
    }

    /// Whether it says which number stands for missing values, and the scale of the others.
    pub(crate) fn marks(&self) -> bool {
        matches!(self, Self::Tiff | Self::Envi { .. })
    }

    /// The type that numbers of this type have in a format that marks them.
    pub(crate) fn element(&self, element: ElementType) -> ElementType {
        match (self, element) {
            (Self::Envi { .. }, ElementType::I8) => ElementType::I16,
            (_, element) => tiff::element_of(element).unwrap_or(element),
        }
    }

    /// A name for an array, of one in another file: letters that MATLAB does not take in names become underscores.
    pub(crate) fn variable_name(&self, name: &str) -> String {
        if *self != Self::Matlab || mat::is_name(name) {
            return name.to_owned();
        }
        let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
        let plain: String = name.chars().map(letter).collect();
        if plain.starts_with(|first: char| first.is_ascii_alphabetic()) { plain } else { format!("x{plain}") }
    }
}

/// Whether the ending of this name is that of a format that is written.
pub fn is_written(output: &Path) -> bool {
    output.extension().is_some_and(|ending| ENDINGS.contains(&ending.to_string_lossy().to_ascii_lowercase().as_str()))
}
