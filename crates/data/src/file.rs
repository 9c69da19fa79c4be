//! Files: [`open`] recognises and reads, the `write_` functions write.

mod convert;
mod dataset;
mod delimited;
mod envi;
mod fits;
mod guard;
mod hdf5;
mod inflate;
mod jpeg;
mod limits;
mod literal;
mod map;
mod mat;
mod npy;
mod npz;
mod numbers;
mod open;
mod origin;
mod png;
mod raw;
mod records;
mod sparse;
mod text_rows;
mod tiff;
mod tiles;
mod write;
mod zip;

pub use convert::convert;
pub use dataset::{Class, Dataset, Format, Variable};
pub use envi::{EnviHeader, Interleave, envi_partner, write_envi, write_envi_array, write_envi_header};
pub use limits::Limits;
pub use open::{open, open_with};
pub use text_rows::{TextRow, TextRows};
pub use tiles::Tiles;
pub use write::{write_csv, write_mat, write_npy, write_npz, write_png};
