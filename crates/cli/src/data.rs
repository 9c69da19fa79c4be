//! `cupel data`: what is in a file, the same arrays in another format, and the parts of an image that are wanted.

mod bands;
mod convert;
mod crop;
mod info;
mod mask;
mod resample;
mod stack;
mod tool;

use anyhow::Result;
use clap::Subcommand;

use crate::Call;

/// List and convert files: NPY, NPZ, MATLAB, HDF5, ENVI, FITS, TIFF, PNG, JPEG, CSV and its kin
#[derive(Subcommand)]
pub enum Commands {
    Info(info::Info),
    Convert(convert::Convert),
    Bands(bands::Bands),
    Mask(mask::Mask),
    Crop(crop::Crop),
    Resample(resample::Resample),
    Stack(stack::Stack),
}

impl Commands {
    /// Lists, converts, or writes what is wanted of an image.
    pub fn run(self, call: Call<'_>) -> Result<()> {
        match self {
            Self::Info(command) => call.run(command),
            Self::Convert(command) => call.run(command),
            Self::Bands(command) => call.run(command),
            Self::Mask(command) => call.run(command),
            Self::Crop(command) => call.run(command),
            Self::Resample(command) => call.run(command),
            Self::Stack(command) => call.run(command),
        }
    }
}
