//! Files in and out, named axes, splits, loaders and random streams; no training and no models.

mod array;
mod atomic;
mod axes;
mod cube;
mod element;
mod error;
mod field;
mod file;
mod image;
mod loader;
mod nearest;
mod philox;
mod source;
mod spectral_unit;
mod split;
mod stream;
mod table;

pub use array::Array;
pub use atomic::{Watching, announce_write, watch_writes, write_atomic};
pub use axes::{Axes, Axis, AxisKind};
pub use cube::{Cube, Finite};
pub use element::{Element, ElementType, Values};
pub use error::{Error, Place, Result};
pub use field::Field;
pub use file::{
    Attribute, Celestial, CelestialFrame, Class, Dataset, EnviHeader, FitsBeam, FitsCards, FitsHeader, Format,
    Georeference, Interleave, Limits, Meaning, TextRow, TextRows, Tiles, Variable, Wcs, WcsAxis, available_memory,
    convert, envi_partner, is_written, open, open_with, write_csv, write_envi, write_envi_array, write_envi_header,
    write_fits, write_mat, write_npy, write_npz, write_png, write_tiff,
};
pub use image::{
    BandCentres, Image, ImageInfo, PixelFlags, Resampling, Response, SPECTRA, file_and_variable, read_mask,
};
pub use loader::{Loader, LoaderConfig};
pub use nearest::nearest_name;
pub use num_complex::Complex;
pub use source::{Source, Subset};
pub use split::{Fractions, Split};
pub use stream::{Stream, StreamRng};
pub use table::{Column, ColumnKind, MISSING, Span, Table, TableBuilder, is_missing};
