//! Damaged copies, many of them: no panic, no wrong number where the format has checksums, no hanging.

use super::samples::{bytes, fixture, read_all};
use cupel_data::{Error, Stream, open};
use std::{
    fs,
    time::{Duration, Instant},
};

/// Damaged copies per file.
const COPIES: u64 = 600;

/// How long reading a damaged copy of a file of some kilobytes may take on a busy machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the format lets its reader find out.
enum Trust {
    /// Damage to numbers is found by checksums: what is read is right.
    Checked,
    /// The same, but the file is a list that may be cut between two variables.
    CheckedList,
    /// There are no checksums.
    Unchecked,
}

/// Flips, overwrites, cuts, inserts or repeats some bytes.
fn damage(original: &[u8], random: Stream) -> Vec<u8> {
    let mut copy = original.to_vec();
    let mut draws = 0;
    let mut below = |bound: usize| {
        draws += 1;
        (random.u64(draws) % bound.max(1) as u64) as usize
    };
    for _ in 0..=below(3) {
        let len = copy.len();
        if len == 0 {
            break;
        }
        let start = below(len);
        let end = (start + 1 + below(16)).min(len);
        match below(8) {
            0 | 1 => copy[start] ^= 1 << below(8),
            2 => copy[start] = below(256) as u8,
            3 => copy[start..end].fill([0, 0xff, b'9', b'"'][below(4)]),
            4 => copy[start..end].iter_mut().for_each(|byte| *byte = below(256) as u8),
            5 => copy.truncate(start),
            6 => drop(copy.splice(start..start, [below(256) as u8])),
            _ => {
                let part = copy[start..end].to_vec();
                drop(copy.splice(start..start, part));
            }
        }
    }
    copy
}

fn try_copies(name: &str, original: &[u8], trust: Trust) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy");
    fs::write(&path, original).unwrap();
    let (expected, format) = (read_all(&path).unwrap(), open(&path).unwrap().format());
    assert!(!expected.is_empty());
    let (mut read, mut refused, mut warned) = (0, 0, 0);
    for copy in 0..COPIES {
        let damaged = damage(original, Stream::new(2, "damaged copies").child(copy));
        fs::write(&path, &damaged).unwrap();
        let start = Instant::now();
        let result = read_all(&path);
        assert!(start.elapsed() < PATIENCE, "{name}, copy {copy}: {:?}", start.elapsed());
        match result {
            Ok(arrays) => {
                read += 1;
                // A header cut so short that it is a line of text is a table, not a wrong matrix.
                let opened = open(&path).unwrap();
                if opened.format() != format {
                    continue;
                }
                // An edited header is told, and its numbers are what it says.
                if !opened.warnings().is_empty() {
                    warned += 1;
                    continue;
                }
                let of = match trust {
                    Trust::Checked => &expected[..],
                    Trust::CheckedList => &expected[..arrays.len()],
                    Trust::Unchecked => continue,
                };
                // As text, because NaN is not equal to itself.
                assert_eq!(format!("{arrays:?}"), format!("{of:?}"), "{name}, copy {copy}");
            }
            Err(error) => {
                refused += 1;
                assert!(is_about_the_file(&error), "{name}, copy {copy}: {error:?}");
                assert!(!error.to_string().is_empty());
            }
        }
    }
    println!("{name}: {read} read ({warned} with a warning), {refused} refused");
    assert!(refused > 0, "{name}: no copy was damaged");
}

/// Errors that name the file as their cause; none of the programming errors of arrays.
fn is_about_the_file(error: &Error) -> bool {
    matches!(
        error,
        Error::Format { .. }
            | Error::FileLimit { .. }
            | Error::Unrecognised { .. }
            | Error::Unsupported { .. }
            | Error::NoArray { .. }
    )
}

#[test]
fn npy() {
    for name in ["f8.npy", "fortran.npy", "version_3.npy"] {
        try_copies(name, &bytes(name), Trust::Unchecked);
    }
}

#[test]
fn npz() {
    for name in ["stored.npz", "deflated.npz"] {
        try_copies(name, &bytes(name), Trust::Checked);
    }
}

#[test]
fn matlab() {
    for name in ["plain.mat", "big_endian_small.mat"] {
        try_copies(name, &bytes(name), Trust::Unchecked);
    }
    try_copies("version_4.mat", &bytes("version_4.mat"), Trust::Unchecked);
    try_copies("compressed.mat", &bytes("compressed.mat"), Trust::CheckedList);
}

#[test]
fn png() {
    for name in ["rgb_8.png", "grey_16.png", "interlaced.png", "palette_alpha.png", "grey_1.png"] {
        try_copies(name, &bytes(name), Trust::Checked);
    }
}

#[test]
fn fits() {
    try_copies("scaled.fits", &bytes("scaled.fits"), Trust::Unchecked);
    try_copies("plain.fits", &bytes("plain.fits"), Trust::Unchecked);
    try_copies("sums.fits", &bytes("sums.fits"), Trust::CheckedList);
}

#[test]
fn fits_skies() {
    try_copies("sky.fits", &bytes("sky.fits"), Trust::CheckedList);
    try_copies("wcs.fits", &bytes("wcs.fits"), Trust::Unchecked);
}

#[test]
fn fits_tables() {
    try_copies("table.fits", &bytes("table.fits"), Trust::Unchecked);
    try_copies("table_sums.fits", &bytes("table_sums.fits"), Trust::CheckedList);
    try_copies("healpix.fits", &bytes("healpix.fits"), Trust::Unchecked);
    try_copies("healpix_part.fits", &bytes("healpix_part.fits"), Trust::Unchecked);
}

#[test]
fn tiff() {
    for name in [
        "f8.tif",
        "bands.tif",
        "planar.tif",
        "tiled.tif",
        "bigtiff.tif",
        "pages.tif",
        "lzw.tif",
        "packbits.tif",
        "scaled.tif",
        "masked.tif",
        "masked_deflate.tif",
        "masked_packbits.tif",
    ] {
        try_copies(name, &bytes(name), Trust::Unchecked);
    }
}

#[test]
fn jpeg() {
    for name in ["grey.jpg", "subsampled.jpg", "progressive.jpg"] {
        try_copies(name, &bytes(name), Trust::Unchecked);
    }
}

#[test]
fn hdf5() {
    for name in [
        "plain.h5",
        "latest.h5",
        "chunked.h5",
        "records.h5",
        "records_latest.h5",
        "uvh5.h5",
        "observatory.h5",
        "flags.h5",
    ] {
        try_copies(name, &bytes(name), Trust::Unchecked);
    }
    try_copies("checked.h5", &bytes("checked.h5"), Trust::Checked);
}

#[test]
fn matlab_7_3() {
    for name in ["version_7_3.mat", "storage_7_3.mat"] {
        try_copies(name, &bytes(name), Trust::Unchecked);
    }
}

#[test]
fn envi() {
    for name in ["envi_bil", "envi_library"] {
        let numbers = if name == "envi_library" { "sli" } else { "img" };
        try_pairs(name, &bytes(&format!("{name}.hdr")), &bytes(&format!("{name}.{numbers}")));
    }
}

/// Damages the header, and cuts the numbers now and then.
fn try_pairs(name: &str, header: &[u8], numbers: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.hdr");
    let (mut read, mut refused) = (0, 0);
    for copy in 0..COPIES {
        let random = Stream::new(3, "damaged headers").child(copy);
        fs::write(&path, damage(header, random)).unwrap();
        let len = if copy % 3 == 0 { random.u64(1000) as usize % numbers.len() } else { numbers.len() };
        fs::write(folder.path().join("copy"), &numbers[..len]).unwrap();
        let start = Instant::now();
        let result = read_all(&path);
        assert!(start.elapsed() < PATIENCE, "{name}, copy {copy}: {:?}", start.elapsed());
        match result {
            Ok(_) => read += 1,
            Err(error) => {
                refused += 1;
                assert!(is_about_the_file(&error), "{name}, copy {copy}: {error:?}");
            }
        }
    }
    println!("{name}: {read} read, {refused} refused");
    assert!(read > 0 && refused > 0);
}

#[test]
fn delimited() {
    let numbers: String = (0..40).map(|row| format!("{row},{}.5,\"{}\"\n", row * 3, row * row)).collect();
    try_copies("numbers", format!("a,b,c\n{numbers}").as_bytes(), Trust::Unchecked);
    try_copies("tabs", numbers.replace(',', "\t").replace('\n', "\r\n").as_bytes(), Trust::Unchecked);
}

#[test]
fn the_originals_are_what_was_committed() {
    // The copies above say little if their originals are not read whole.
    assert_eq!(read_all(&fixture("compressed.mat")).unwrap().len(), 21);
    assert_eq!(read_all(&fixture("stored.npz")).unwrap().len(), 4);
}
