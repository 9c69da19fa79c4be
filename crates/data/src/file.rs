//! Files: [`open`] recognises and reads, the `write_` functions write.

mod convert;
mod dataset;
mod delimited;
mod envi;
mod inflate;
mod limits;
mod literal;
mod mat;
mod npy;
mod npz;
mod numbers;
mod open;
mod origin;
mod png;
mod records;
mod write;
mod zip;

pub use convert::convert;
pub use dataset::{Class, Dataset, Format, Variable};
pub use envi::{EnviHeader, write_envi};
pub use limits::Limits;
pub use open::{open, open_with};
pub use write::{write_csv, write_mat, write_npy, write_npz, write_png};
