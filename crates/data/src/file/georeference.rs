//! [`Georeference`]: where on the Earth the pixels of an image lie, carried from one image to another of the same pixels.

use crate::{
    array::Array,
    atomic::write_atomic,
    error::Result,
    file::{
        envi::{EnviHeader, write_envi_array},
        tiff::{self, GeoTags},
    },
};
use std::path::{Path, PathBuf};

/// Where on the Earth the pixels of an image lie, as its file says it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Georeference {
    /// The keys of an ENVI header, such as `map info` and `coordinate system string`, with their values.
    Envi(Vec<(String, String)>),
    /// The tags of a GeoTIFF.
    GeoTiff(GeoTags),
}

impl Georeference {
    /// Writes maps `[rows, columns]` or `[rows, columns, maps]` of the same pixels beside `stem`, in the format that the place came from:
    /// `stem.img` with its header, or `stem.tif`. `names` are those of the maps; missing values are NaN, and the file says so.
    ///
    /// # Errors
    /// [`Error::CannotHold`](crate::Error::CannotHold) for other shapes; files that cannot be written.
    pub fn write_maps(&self, stem: &Path, maps: &Array, names: &[String]) -> Result<PathBuf> {
        match self {
            Self::Envi(place) => {
                let path = stem.with_extension("img");
                let header = EnviHeader {
                    band_names: names.to_vec(),
                    ignore_value: Some(f64::NAN),
                    others: place.clone(),
                    ..EnviHeader::new(1, 1, 1)
                };
                write_envi_array(&path, &header, maps)?;
                Ok(path)
            }
            Self::GeoTiff(tags) => {
                let path = stem.with_extension("tif");
                write_atomic(&path, |file| tiff::write_maps(file, maps, names, tags, &path))?;
                Ok(path)
            }
        }
    }
}
