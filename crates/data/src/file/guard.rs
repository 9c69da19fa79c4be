//! [`guarded`]: a decoder of others that panics has met a damaged file.

use crate::{
    error::{Place, Result},
    file::origin::Origin,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a decoder that is not ours and makes a panic in it an error of the file.
///
/// What it works on is thrown away after a panic, so that nothing half-done is ever seen. Arithmetic that overflows is what
/// this is for: it panics where a program is built with its checks on, and is caught by the decoders' own tests of sizes
/// where they are off.
pub(crate) fn guarded<T>(origin: &Origin, decode: impl FnOnce() -> Result<T>) -> Result<T> {
    catch_unwind(AssertUnwindSafe(decode)).unwrap_or_else(|_| {
        let problem = "its sizes and offsets make no sense to the decoder";
        Err(origin.fault_with(Place::File, problem, "the file is damaged; copy it again"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn a_panic_is_an_error_of_the_file() {
        let origin = Origin::new(Path::new("picture.tif"), "TIFF");
        assert_eq!(guarded(&origin, || Ok(3)).unwrap(), 3);
        let error = guarded(&origin, || -> Result<()> { panic!("attempt to multiply with overflow") }).unwrap_err();
        assert!(error.to_string().starts_with("picture.tif: not a valid TIFF file: its sizes"), "{error}");
    }
}
