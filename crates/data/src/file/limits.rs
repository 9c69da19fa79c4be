//! [`Limits`]: how much a file may ask for before it is refused.

use crate::{
    error::{Place, Result},
    file::origin::Origin,
};

/// What a file may declare.
///
/// Sizes are always checked against the bytes that are really there before anything is allocated. These limits hold on
/// top of that, for content that is compressed or sparse and so can be honest and still far larger than its file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The bytes that one compressed variable may grow to; 16 times the size of the file is allowed where that is more.
    /// Default 4 GiB: four full hyperspectral scenes in f64.
    pub decoded_bytes: u64,
    /// The bytes of a sparse matrix written out with its zeros. Default 1 GiB.
    pub dense_bytes: u64,
    /// The members of an archive and the variables of a file. Default 65 536.
    pub variables: u64,
    /// How deep structs may be nested. Default 16.
    pub nesting: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self { decoded_bytes: 4 << 30, dense_bytes: 1 << 30, variables: 65_536, nesting: 16 }
    }
}

/// What deflate can at most make of one byte: 258 bytes from two bits (RFC 1951).
const DEFLATE_RATIO: u64 = 1032;

impl Limits {
    /// Passes while a file has no more variables than are allowed; `what` they are called in its format.
    pub(crate) fn allow(&self, what: &'static str, count: u64, origin: &Origin) -> Result<()> {
        origin.within(Place::File, what, count, (self.variables, "Limits::variables"))
    }

    /// What [`Limits::nesting`] allows.
    pub(crate) fn of_nesting(&self) -> (u64, &'static str) {
        (self.nesting, "Limits::nesting")
    }

    /// What [`Limits::dense_bytes`] allows.
    pub(crate) fn of_dense(&self) -> (u64, &'static str) {
        (self.dense_bytes, "Limits::dense_bytes")
    }

    /// What [`Limits::decoded_bytes`] allows in a file of this length.
    pub(crate) fn of_decoded(&self, file_len: u64) -> (u64, &'static str) {
        (self.decoded_bytes_for(file_len), "Limits::decoded_bytes")
    }

    /// What one variable may grow to in a file of this length.
    pub(crate) fn decoded_bytes_for(&self, file_len: u64) -> u64 {
        self.decoded_bytes.max(file_len.saturating_mul(16))
    }
}

/// The most bytes that `packed` deflated bytes can hold.
pub(crate) fn deflate_capacity(packed: u64) -> u64 {
    packed.saturating_mul(DEFLATE_RATIO)
}
