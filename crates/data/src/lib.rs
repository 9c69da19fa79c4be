//! Files in and out, named axes, splits, loaders and random streams; no training and no models.

mod atomic;
mod axes;
mod cube;
mod error;
mod field;
mod loader;
mod nearest;
mod philox;
mod source;
mod split;
mod stream;
mod table;

pub use atomic::write_atomic;
pub use axes::{Axes, Axis, AxisKind};
pub use cube::{Cube, Finite};
pub use error::{Error, Place, Result};
pub use field::Field;
pub use loader::{Loader, LoaderConfig};
pub use nearest::nearest_name;
pub use source::{Source, Subset};
pub use split::{Fractions, Split};
pub use stream::{Stream, StreamRng};
pub use table::{Column, ColumnKind, MISSING, Span, Table, TableBuilder};
