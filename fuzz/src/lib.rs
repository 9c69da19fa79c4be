//! Reads everything that a file of arbitrary bytes holds; errors are fine, panics and endless loops are findings.
//!
//! `cargo +nightly fuzz run npy fuzz/corpus/npy crates/data/tests/fixtures` from the root of the repository; the targets
//! are `npy`, `npz`, `mat`, `delimited`, `png`, `envi`, `fits`, `tiff`, `jpeg` and `hdf5`.

use cupel_data::{Limits, open_with};
use std::{io::Write, path::Path};

/// Opens a file of these bytes and reads all its variables in every way there is.
pub fn read_everything(bytes: &[u8]) {
    let mut file = tempfile::NamedTempFile::new().expect("a temporary file");
    file.write_all(bytes).expect("the temporary file");
    let _ = read(file.path());
}

/// Opens an image whose header is of these bytes, with some numbers beside it.
pub fn read_beside_numbers(header: &[u8]) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = folder.path().join("image.hdr");
    std::fs::write(&path, header).expect("the temporary folder");
    std::fs::write(folder.path().join("image"), [7; 1 << 16]).expect("the temporary folder");
    let _ = read(&path);
}

fn read(path: &Path) -> cupel_data::Result<()> {
    // Small enough that an honest but large file is no finding.
    let limits = Limits {
        decoded_bytes: 64 << 20,
        dense_bytes: 64 << 20,
        ..Limits::default()
    };
    let dataset = open_with(path, limits)?;
    let _ = dataset.table();
    for variable in dataset.variables() {
        let name = variable.name();
        let _ = dataset.text(name);
        let _ = dataset.axes(Some(name));
        if let Ok(Some(header)) = dataset.fits_header(Some(name)) {
            let _ = header.cards();
        }
        let _ = dataset.attributes(name);
        if let Ok(array) = dataset.array(Some(name)) {
            assert_eq!(array.shape(), variable.shape());
            let _ = array.into_cube::<f32>();
        }
    }
    Ok(())
}
